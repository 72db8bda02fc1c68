//! Sampling where it is not done: it cannot be started.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;

use super::{Recording, Target};

/// A running recording, of which there are none here; as elsewhere it is its
/// thread's.
#[derive(Debug)]
pub(crate) struct Sampler(Infallible, PhantomData<*const ()>);

impl Sampler {
    /// Refuses.
    ///
    /// # Errors
    /// `Unsupported`, always.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn start(target: Target) -> io::Result<Self> {
        let Target {
            base,
            slots,
            control,
            next_frame,
            registers,
        } = target;
        let _ = (base, slots, control, next_frame, registers);
        let reason = "profiles are made on x86-64 Linux only, by builds whose guests' faults become traps";
        Err(io::Error::new(io::ErrorKind::Unsupported, reason))
    }

    /// Is never called.
    pub(crate) fn finish(self) -> Recording {
        match self.0 {}
    }
}
