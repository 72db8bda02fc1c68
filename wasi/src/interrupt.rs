//! Waiting that an embedder can end.
//!
//! Owns [`Interrupt`], the optional flags of a context, and [`wait`]. With a
//! flag, everything that may wait does so in slices of at most
//! [`SLICE`] and gives up with [`Failure::Interrupt`] once the flag is set;
//! without one it waits in the host for as long as it takes.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno as Host;

use crate::errno::Failure;

/// The longest time between two looks at the interrupt flag.
pub(crate) const SLICE: Duration = Duration::from_millis(20);

/// The flags that end a guest's waiting: its embedder's, and that of the program whose
/// threads it is one of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    /// The embedder's, if it gave one.
    pub(crate) flag: Option<Arc<AtomicBool>>,
    /// The program's, if it has threads.
    pub(crate) ended: Option<Arc<AtomicBool>>,
}

impl Interrupt {
    /// Whether there is a flag to look at.
    pub(crate) fn is_armed(&self) -> bool {
        self.flag.is_some() || self.ended.is_some()
    }

    /// Gives up if a flag is set.
    ///
    /// # Errors
    ///
    /// [`Failure::Interrupt`] if one is.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut flags = self.flag.iter().chain(&self.ended);
        match flags.any(|flag| flag.load(Ordering::Relaxed)) {
            true => Err(Failure::Interrupt),
            false => Ok(()),
        }
    }
}

/// A duration as the host's calls take it; longer ones than they can express
/// become the longest.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Waits until one of `events` can happen on `fd` without waiting, or its
/// other end is gone.
///
/// # Errors
///
/// [`Failure::Interrupt`]; what the host says of the descriptor.
pub(crate) fn wait(fd: BorrowedFd<'_>, events: PollFlags, interrupt: &Interrupt) -> Result<(), Failure> {
    let slice = interrupt.is_armed().then(|| timespec(SLICE));
    loop {
        interrupt.check()?;
        match poll(&mut [PollFd::from_borrowed_fd(fd, events)], slice.as_ref()) {
            Ok(0) | Err(Host::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether one of `events` can happen on `fd` now.
///
/// # Errors
///
/// What the host says of the descriptor.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> Result<bool, Failure> {
    loop {
        let now = timespec(Duration::ZERO);
        match poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&now)) {
            Err(Host::INTR) => {}
            Ok(count) => return Ok(count > 0),
            Err(error) => return Err(error.into()),
        }
    }
}
