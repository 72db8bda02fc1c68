//! A limit on the time a script may take: [`Watchdog`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use vm::InterruptHandle;

/// Interrupts a store when its time is over. Dropping it calls that off.
pub(crate) struct Watchdog {
    expired: Arc<AtomicBool>,
    // Never sent on: the thread sees it go away.
    _alive: Option<Sender<()>>,
}

impl Watchdog {
    /// Starts the clock. Where no thread can be had there is no limit.
    pub(crate) fn start(handle: InterruptHandle, limit: Duration) -> Watchdog {
        let expired = Arc::new(AtomicBool::new(false));
        let (alive, gone) = channel::<()>();
        let flag = Arc::clone(&expired);
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::Relaxed);
                handle.interrupt();
            }
        });
        Watchdog {
            expired,
            _alive: thread.is_ok().then_some(alive),
        }
    }

    /// Whether the time is over.
    pub(crate) fn expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }
}
