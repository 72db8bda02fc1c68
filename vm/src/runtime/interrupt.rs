//! How other threads stop what runs in stores.

use std::sync::Arc;

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
