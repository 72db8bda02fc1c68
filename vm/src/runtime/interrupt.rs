//! How other threads stop what runs in stores.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::sys::StackControl;

/// Stops what runs in a store, from any thread, at no cost to what runs.
#[derive(Clone, Debug)]
pub struct InterruptHandle(Arc<StackControl>);

impl InterruptHandle {
    pub(crate) fn new(control: &Arc<StackControl>) -> Self {
        Self(Arc::clone(control))
    }

    /// Ends the running call with [`Trap::Interrupt`](crate::Trap::Interrupt),
    /// or the next one if none runs. A guest that waits (`memory.atomic.wait`) waits
    /// no longer. A host function is not stopped; the call ends when it returns.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// Stops what runs in several stores, for good: those of a program's threads.
///
/// ```
/// use vm::{Engine, Instance, InterruptGroup, Module, Store, Trap};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
/// let group = InterruptGroup::new();
/// std::thread::scope(|scope| {
///     let threads: Vec<_> = (0..3)
///         .map(|_| {
///             let (engine, module, group) = (&engine, &module, &group);
///             scope.spawn(move || {
///                 let mut store = Store::new(engine, ());
///                 group.add(&store.interrupt_handle());
///                 let spin = Instance::new(&mut store, module, &[])?.get_typed_func::<(), ()>(&mut store, "spin")?;
///                 spin.call(&mut store, ())
///             })
///         })
///         .collect();
///     group.interrupt();
///     for thread in threads {
///         let error = thread.join().unwrap().unwrap_err();
///         assert_eq!(error.trap(), Some(Trap::Interrupt));
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct InterruptGroup(Arc<Mutex<Members>>);

#[derive(Debug, Default)]
struct Members {
    is_interrupted: bool,
    /// Those whose stores are gone go when there are more of them than others.
    controls: Vec<Weak<StackControl>>,
    /// How many there may be until then.
    most: usize,
}

impl InterruptGroup {
    /// A group without stores.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a store. If the group has been interrupted, so is the store.
    pub fn add(&self, store: &InterruptHandle) {
        let mut members = self.lock();
        if members.controls.len() >= members.most {
            members.controls.retain(|control| control.strong_count() > 0);
            members.most = 2 * members.controls.len() + 16;
        }
        members.controls.push(Arc::downgrade(&store.0));
        if members.is_interrupted {
            store.interrupt();
        }
    }

    /// [Interrupts](InterruptHandle::interrupt) what runs in all the stores, and in those
    /// that are added from now on.
    pub fn interrupt(&self) {
        let mut members = self.lock();
        members.is_interrupted = true;
        for control in members.controls.iter().filter_map(Weak::upgrade) {
            control.interrupt();
        }
    }

    /// Whether it has been interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.lock().is_interrupted
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Store};

    #[test]
    fn stores_that_are_gone_take_no_room() {
        let group = InterruptGroup::new();
        let engine = Engine::default();
        for _ in 0..200 {
            group.add(&Store::new(&engine, ()).interrupt_handle());
        }
        assert!(group.lock().controls.len() <= 17);
    }
}
