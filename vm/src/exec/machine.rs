//! What a store owns so that code can run in it: a value stack, the runtime block,
//! and what a host function left for whoever unwinds.

use std::ptr::NonNull;
use std::sync::Arc;

use super::context::Rt;
use super::heap::{Bump, Bumps};
use crate::error::Error;
use crate::runtime::fuel::FuelPool;
use crate::runtime::permissions::{Capabilities, Permissions};
use crate::sys;

/// What a store owns so that code can run in it: a value stack and the runtime
/// block that leads to it.
#[derive(Debug)]
pub(crate) struct Machine {
    rt: NonNull<Rt>,
    stack: sys::ValueStack,
    control: Arc<sys::StackControl>,
    /// What `Rt::fuel_pool` points to.
    fuel_pool: Option<FuelPool>,
    /// What a host function left for the entry that is being unwound.
    pub(crate) pending: Option<Pending>,
}

/// The outcome of a host function that does not return to its caller.
pub(crate) enum Pending {
    /// It returned an error.
    Error(Error),
    /// It panicked; the panic goes on in the host function's outer caller.
    Panic(Box<dyn std::any::Any + Send>),
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(e) => f.debug_tuple("Error").field(e).finish(),
            Self::Panic(_) => f.write_str("Panic"),
        }
    }
}

impl Machine {
    /// A value stack of `stack_bytes` and, if given, a limit of guest frames.
    ///
    /// # Errors
    /// If the stack cannot be reserved.
    pub(crate) fn new(stack_bytes: usize, max_depth: Option<u32>) -> std::io::Result<Self> {
        let stack = sys::ValueStack::new(stack_bytes)?;
        let control = stack.control();
        let rt = Box::new(Rt::new(&stack, &control, max_depth.unwrap_or(u32::MAX)));
        Ok(Self {
            rt: NonNull::from(Box::leak(rt)),
            stack,
            control,
            fuel_pool: None,
            pending: None,
        })
    }

    /// The runtime block's address, valid as long as the machine.
    pub(crate) fn rt(&self) -> NonNull<Rt> {
        self.rt
    }

    /// The value stack.
    pub(crate) fn stack(&self) -> &sys::ValueStack {
        &self.stack
    }

    /// How other threads interrupt what runs here.
    pub(crate) fn control(&self) -> &Arc<sys::StackControl> {
        &self.control
    }

    /// Whether a function of the store has been called and has not returned.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).next_frame > self.stack.base() }
    }

    /// Fuel left, with what is left in the pool.
    pub(crate) fn fuel(&self) -> u64 {
        let pooled = self.fuel_pool.as_ref().map_or(0, |pool| pool.0.get());
        // SAFETY: the block lives as long as `self`; no code runs while the
        // store is borrowed here.
        unsafe { (*self.rt.as_ptr()).fuel }.saturating_add(pooled)
    }

    /// The pool that the store takes its fuel from, from now on if it did not.
    pub(crate) fn fuel_pool(&mut self) -> FuelPool {
        match &self.fuel_pool {
            Some(pool) => pool.clone(),
            None => {
                let pool = FuelPool::default();
                self.set_fuel_pool(&pool);
                pool
            }
        }
    }

    /// Takes fuel from a pool from now on; what there is goes there.
    pub(crate) fn set_fuel_pool(&mut self, pool: &FuelPool) {
        let fuel = self.leave_fuel_pool();
        pool.0.give_back(fuel);
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).fuel_pool = Arc::as_ptr(&pool.0) };
        self.fuel_pool = Some(pool.clone());
    }

    /// Gives what there is back to the pool, or if there is none to the caller.
    fn leave_fuel_pool(&mut self) -> u64 {
        // SAFETY: as in `fuel`.
        let fuel = unsafe { std::mem::take(&mut (*self.rt.as_ptr()).fuel) };
        match &self.fuel_pool {
            Some(pool) => {
                pool.0.give_back(fuel);
                0
            }
            None => fuel,
        }
    }

    /// Guest calls that are active, where they are counted.
    pub(crate) fn depth(&self) -> u32 {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).depth }
    }

    /// How many calls may be active.
    pub(crate) fn depth_limit(&self) -> u32 {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).max_depth }
    }

    /// Guest calls that can still be made inside the running one.
    pub(crate) fn depth_left(&self) -> u32 {
        self.depth_limit().saturating_sub(self.depth())
    }

    /// Lets no more than so many calls be made inside the running one; the limit
    /// before, for [`Machine::set_depth_limit`].
    pub(crate) fn limit_depth_to(&mut self, left: u32) -> u32 {
        // SAFETY: as in `fuel`.
        let rt = unsafe { &mut *self.rt.as_ptr() };
        let before = rt.max_depth;
        rt.max_depth = before.min(rt.depth.saturating_add(left));
        before
    }

    /// Sets how many calls may be active.
    pub(crate) fn set_depth_limit(&mut self, calls: u32) {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).max_depth = calls };
    }

    /// Notes which capabilities every domain of the store has, when domains had
    /// given something up so many times.
    pub(crate) fn set_granted(&self, granted: Capabilities, drops: u64) {
        // SAFETY: as in `fuel`; only the store's thread reads or writes this.
        unsafe {
            (*self.rt.as_ptr()).granted = granted.to_bits();
            (*self.rt.as_ptr()).granted_at = drops;
        }
    }

    /// The limit of the runs that the host begins, if they have one.
    pub(crate) fn limit(&self) -> Option<&Permissions> {
        // SAFETY: as in `fuel`.
        let mark = unsafe { (*self.rt.as_ptr()).mark };
        // SAFETY: set for as long as what it was made of is borrowed.
        unsafe { super::chain::Mark::limit(mark) }
    }

    /// Sets the mark of the runs that the host begins; the one before.
    pub(crate) fn replace_mark(&mut self, mark: u64) -> u64 {
        // SAFETY: as in `fuel`.
        unsafe { std::mem::replace(&mut (*self.rt.as_ptr()).mark, mark) }
    }

    /// Takes a free cell of a class that is at hand; its handle.
    pub(crate) fn bump(&mut self, class: usize) -> Option<u32> {
        // SAFETY: as in `fuel`; no code runs while the store is borrowed here.
        let rt = unsafe { &mut *self.rt.as_ptr() };
        let handle = rt.bumps[class].take();
        (handle != 0).then_some(handle)
    }

    /// Sets the free cells of a class that are at hand.
    pub(crate) fn set_bump(&mut self, class: usize, run: Bump) {
        // SAFETY: as in `bump`.
        let rt = unsafe { &mut *self.rt.as_ptr() };
        rt.bumps[class] = run;
    }

    /// Sets the free cells that are at hand.
    pub(crate) fn set_bumps(&mut self, bumps: Bumps) {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).bumps = bumps };
    }

    /// Sets the heap's base for contexts that are made from now on.
    pub(crate) fn set_heap(&mut self, base: *mut u8) {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).heap = base };
    }

    /// Where the part of the value stack ends that is in use while a host function runs,
    /// or nothing.
    pub(crate) fn stack_top(&self) -> *const u64 {
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).next_frame }
    }

    /// The words of the value stack before `end`.
    pub(crate) fn each_slot_to(&self, end: *const u64, mut see: impl FnMut(u64)) {
        // SAFETY: as in `fuel`.
        let last = unsafe { (*self.rt.as_ptr()).stack_end }.cast_const();
        let (mut at, end) = (self.stack.base().cast_const(), end.min(last));
        while at < end {
            // SAFETY: in the usable part of the stack, which is initialised; nothing runs
            // on it now.
            see(unsafe { at.read() });
            at = at.wrapping_add(1);
        }
    }

    /// Sets the fuel left.
    pub(crate) fn set_fuel(&mut self, fuel: u64) {
        let own = match &self.fuel_pool {
            Some(pool) => {
                pool.0.set(fuel);
                0
            }
            None => fuel,
        };
        // SAFETY: as in `fuel`.
        unsafe { (*self.rt.as_ptr()).fuel = own };
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.leave_fuel_pool();
        // SAFETY: leaked by `new`, freed once, and nothing runs any more.
        drop(unsafe { Box::from_raw(self.rt.as_ptr()) });
    }
}

// SAFETY: as for `InstanceCx`: the block belongs to this store alone.
unsafe impl Send for Machine {}
// SAFETY: shared references only read what no running code changes.
unsafe impl Sync for Machine {}
