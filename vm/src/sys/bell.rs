//! What a sleeping thread is woken by.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Wakes the one thread that sleeps on it. Being rung while nobody sleeps is not
/// forgotten: the next sleep ends at once. So a sleeper may be woken for nothing,
/// and looks for itself what it waits for.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl Bell {
    /// Wakes the sleeper, or the next one.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }

    /// Sleeps until it has been rung, or that time has come.
    pub(crate) fn sleep(&self, until: Option<Instant>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.condvar.wait(rung).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    let woken = self.condvar.wait_timeout(rung, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *rung = false;
    }
}
