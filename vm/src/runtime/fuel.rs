//! Fuel that several stores use together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::context::{AsContext, AsContextMut, StoreContextMut};
use super::store::Store;
use crate::error::{Error, LimitError};

/// Units that a store takes at once: so few that others are not left without, and so
/// many that taking them costs nothing.
const PORTION: u64 = 50_000;

/// Fuel for several stores, which they take in portions as they need it: for the
/// threads of a program. See [`Store::fuel_pool`].
#[derive(Clone, Debug, Default)]
pub struct FuelPool(pub(crate) Arc<FuelLeft>);

/// Units that no store has taken.
#[derive(Debug, Default)]
pub(crate) struct FuelLeft(AtomicU64);

impl FuelLeft {
    /// Takes a portion, or `least` if that is more, or all there are if that is less.
    #[inline]
    pub(crate) fn take(&self, least: u64) -> u64 {
        let mut left = self.0.load(Ordering::Relaxed);
        loop {
            let taken = left.min(if least > PORTION { least } else { PORTION });
            match self
                .0
                .compare_exchange_weak(left, left - taken, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return taken,
                Err(now) => left = now,
            }
        }
    }

    /// Gives units back.
    pub(crate) fn give_back(&self, fuel: u64) {
        let add = |left: u64| Some(left.saturating_add(fuel));
        let _always = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, fuel: u64) {
        self.0.store(fuel, Ordering::Relaxed);
    }
}

impl<T> StoreContextMut<'_, T> {
    /// The fuel of the store as a pool: it has all that the store had, and the store takes
    /// from it what it needs. Others can too ([`Store::set_fuel_pool`]).
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn fuel_pool(&mut self) -> Result<FuelPool, Error> {
        if !self.engine().config().fuel {
            return Err(LimitError::NoFuel.into());
        }
        Ok(self.0.inner.machine.fuel_pool())
    }
}

impl<T> Store<T> {
    /// The fuel of the store as a pool, from which other stores can take theirs too.
    /// [`Store::get_fuel`] gives what is left in the pool and in the store then, and
    /// [`Store::set_fuel`] sets that.
    ///
    /// ```
    /// use vm::{Config, Engine, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let [mut first, mut second] = [(); 2].map(|()| Store::new(&engine, ()));
    /// first.set_fuel(1000)?;
    /// second.set_fuel_pool(&first.fuel_pool()?)?;
    /// assert_eq!(second.get_fuel()?, 1000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn fuel_pool(&mut self) -> Result<FuelPool, Error> {
        self.as_context_mut().fuel_pool()
    }

    /// Lets the store take its fuel from a pool. What it had goes there.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn set_fuel_pool(&mut self, pool: &FuelPool) -> Result<(), Error> {
        if !self.as_context().engine().config().fuel {
            return Err(LimitError::NoFuel.into());
        }
        self.as_context_mut().0.inner.machine.set_fuel_pool(pool);
        Ok(())
    }
}
