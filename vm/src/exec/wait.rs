//! Threads that wait until another one notifies them (threads proposal,
//! `memory.atomic.wait` and `memory.atomic.notify`).
//!
//! Who waits stands in a table of the process, under what it waits at: a place in
//! a shared memory or in a region's pages. So it does not matter through which
//! instance, store or address somebody notifies it. The table has an entry for
//! each waiting thread and no more.
//!
//! No notification is lost: a thread looks at the value under the lock that
//! whoever notifies takes after having changed it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::Bell;

/// Where threads wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A byte of a shared memory, which is known by an address of its own.
    Memory(usize, u64),
    /// A byte of a region's pages, which are known by their identity.
    Region((u64, u64), u64),
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Somebody notified the thread.
    Notified,
    /// There was another value than the expected one.
    Mismatch,
    /// The time was over.
    TimedOut,
    /// Whoever waits is to do something else.
    Interrupted,
}

/// A thread that waits.
struct Waiter {
    place: Place,
    bell: Arc<Bell>,
}

/// Parts of the table, each with a lock.
const PARTS: usize = 64;

/// The table; in each part first comes who waits the longest.
static WAITERS: [Mutex<Vec<Waiter>>; PARTS] = [const { Mutex::new(Vec::new()) }; PARTS];

/// The part of the table for a place.
fn part(place: Place) -> MutexGuard<'static, Vec<Waiter>> {
    let (what, offset) = match place {
        Place::Memory(id, offset) => (id as u64, offset),
        Place::Region((device, number), offset) => (device ^ number, offset),
    };
    let mixed = (what ^ offset.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = &WAITERS[(mixed >> 58) as usize % PARTS];
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits at `place` if `is_expected` says that the value there is the expected one,
/// for as long as `timeout`, and no longer than until `is_interrupted`: whoever
/// makes that true rings `bell`, which is the waiting thread's alone.
pub(crate) fn wait(
    place: Place,
    timeout: Option<Duration>,
    bell: &Arc<Bell>,
    is_expected: impl FnOnce() -> bool,
    is_interrupted: impl Fn() -> bool,
) -> Outcome {
    // A time beyond what the clock can say never comes.
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut waiters = part(place);
    if !is_expected() {
        return Outcome::Mismatch;
    }
    waiters.push(Waiter {
        place,
        bell: Arc::clone(bell),
    });
    let outcome = loop {
        if is_interrupted() {
            break Outcome::Interrupted;
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            break Outcome::TimedOut;
        }
        drop(waiters);
        bell.sleep(until);
        waiters = part(place);
        // Who is notified is taken out.
        if !waiters.iter().any(|waiter| Arc::ptr_eq(&waiter.bell, bell)) {
            return Outcome::Notified;
        }
    };
    waiters.retain(|waiter| !Arc::ptr_eq(&waiter.bell, bell));
    outcome
}

/// Ends the waiting of up to `count` threads at `place`, of those first that wait
/// the longest; how many they were.
pub(crate) fn notify(place: Place, count: u32) -> u32 {
    let mut notified = 0;
    let woken: Vec<Waiter> = part(place)
        .extract_if(.., |waiter| {
            let is_woken = notified < count && waiter.place == place;
            notified += u32::from(is_woken);
            is_woken
        })
        .collect();
    woken.iter().for_each(|waiter| waiter.bell.ring());
    notified
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// How many wait at a place.
    fn waiting(place: Place) -> usize {
        part(place).iter().filter(|waiter| waiter.place == place).count()
    }

    fn wait_until(is_so: impl Fn() -> bool) {
        while !is_so() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_longest_waiting_are_notified_first() {
        let place = Place::Memory(1, 8);
        let start = |count| {
            let waiter = thread::spawn(move || wait(place, None, &Arc::default(), || true, || false));
            wait_until(|| waiting(place) == count);
            waiter
        };
        let [first, second, third] = [1, 2, 3].map(start);
        assert_eq!(notify(Place::Memory(2, 8), 1), 0);
        assert_eq!(notify(Place::Memory(1, 12), 1), 0);
        assert_eq!(notify(place, 0), 0);
        assert_eq!(notify(place, 2), 2);
        assert_eq!(first.join().expect("it waits"), Outcome::Notified);
        assert_eq!(second.join().expect("it waits"), Outcome::Notified);
        assert_eq!(waiting(place), 1);
        assert!(!third.is_finished());
        assert_eq!(notify(place, u32::MAX), 1);
        assert_eq!(third.join().expect("it waits"), Outcome::Notified);
        assert_eq!(notify(place, u32::MAX), 0);
    }

    #[test]
    fn waits_end_by_themselves_and_leave_nothing() {
        let place = Place::Region((3, 4), 16);
        let bell = Arc::default();
        assert_eq!(wait(place, None, &bell, || false, || false), Outcome::Mismatch);
        let before = Instant::now();
        let timeout = Duration::from_millis(20);
        assert_eq!(wait(place, Some(timeout), &bell, || true, || false), Outcome::TimedOut);
        assert!(before.elapsed() >= timeout);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                wait(
                    place,
                    Some(Duration::MAX),
                    &bell,
                    || true,
                    || is_over.load(Ordering::Relaxed),
                )
            });
            wait_until(|| waiting(place) == 1);
            // For nothing.
            bell.ring();
            is_over.store(true, Ordering::Relaxed);
            bell.ring();
            assert_eq!(waiter.join().expect("it waits"), Outcome::Interrupted);
        });
        assert_eq!(waiting(place), 0);
    }
}
