//! The value stack, and how other threads interrupt the guest that runs on it.
//!
//! ```text
//! | page, no access | usable part, read-write | GUARD_BYTES, no access |
//!                   ^ base                    ^ base + usable_bytes
//! ```
//!
//! Where faults become traps, a guest is interrupted by taking the access to
//! the usable part away: its next touch of a frame faults, and nothing is
//! polled until then. The fault handler gives the access back at once, whoever
//! touched the stack, so the only lasting trace of a request is `pending`.
//!
//! Where faults do not become traps, the guard is accessible too: there the
//! interpreter checks that a frame begins in the usable part, not where it ends.
//!
//! Invariants:
//! 1. A request is never lost: it ends as a `FAULT_INTERRUPT`, or stays
//!    `pending`, or the access is still taken away. `interrupt` sets `pending`
//!    before it takes the access away, under the lock. Whoever clears
//!    `pending` either gives the access back under the same lock
//!    (`take_pending`) or stops the guest with `FAULT_INTERRUPT` (the fault
//!    handler, which cannot lock). Several requests may count as one or, made
//!    at the very moment of the stop, also stop the next run.
//! 2. The usable part is mapped as long as `StackControl::usable` says so.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::{self, Entry};
use super::pages::{self, Access};
use super::{Bell, FAULT_TRAPS, Reservation};

/// Bytes of the guard behind the usable part: more than twice the largest
/// frame of 65,535 slots, so that a call always touches the guard before it
/// can pass it.
pub(crate) const GUARD_BYTES: usize = 2 << 20;

/// The stack of frames of 8-byte slots on which one store's code runs.
///
/// Zero at first; its pages cost memory only once touched.
#[derive(Debug)]
pub(crate) struct ValueStack {
    base: NonNull<u64>,
    usable_bytes: usize,
    control: Arc<StackControl>,
    /// What the fault handler knows; dropped before the rest goes.
    entry: Option<Entry>,
    memory: Memory,
}

/// What keeps the stack's bytes.
#[derive(Debug)]
enum Memory {
    Reserved {
        pages: Reservation,
    },
    /// Where address space cannot be reserved: `base` is a leaked boxed slice.
    Allocated {
        slots: usize,
    },
}

impl ValueStack {
    /// A stack of `usable_bytes`, rounded up to whole host pages (at least
    /// one).
    ///
    /// # Errors
    /// The system's refusal of the address space.
    pub(crate) fn new(usable_bytes: usize) -> io::Result<Self> {
        fault::install();
        let page = pages::page_size();
        let usable = pages::round_up(usable_bytes.max(1))?;
        let total = usable
            .checked_add(page + GUARD_BYTES)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let accessible = if FAULT_TRAPS { usable } else { usable + GUARD_BYTES };
        let (base, memory) = match Reservation::new(total) {
            Ok(reserved) => {
                let base = reserved.base().wrapping_add(page);
                // SAFETY: whole pages of the new reservation.
                unsafe { pages::keep_apart(base, usable) };
                reserved.commit(page, accessible)?;
                let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
                (base, Memory::Reserved { pages: reserved })
            }
            Err(e) if e.kind() == io::ErrorKind::Unsupported && !FAULT_TRAPS => {
                let slots = accessible / size_of::<u64>();
                let boxed = vec![0_u64; slots].into_boxed_slice();
                (NonNull::from(Box::leak(boxed)).cast(), Memory::Allocated { slots })
            }
            Err(e) => return Err(e),
        };
        let at = base.as_ptr() as usize;
        let control = Arc::new(StackControl {
            pending: AtomicBool::new(false),
            usable: Mutex::new(Some(Usable { base: at, len: usable })),
            forward: Mutex::default(),
            bell: Arc::default(),
        });
        let mut this = Self {
            base,
            usable_bytes: usable,
            control,
            entry: None,
            memory,
        };
        this.entry = Some(Entry::stack(at, usable, GUARD_BYTES, &this.control)?);
        Ok(this)
    }

    /// The first slot's address, page-aligned where pages can be mapped.
    pub(crate) fn base(&self) -> *mut u64 {
        self.base.as_ptr()
    }

    /// Bytes of the usable part, a multiple of the host page.
    pub(crate) fn usable_bytes(&self) -> usize {
        self.usable_bytes
    }

    /// Gives the pages back that are above the first `keep` bytes, a multiple of the
    /// host page; they are zeros then. Nothing may run on the stack.
    pub(crate) fn trim(&self, keep: usize) {
        if let (Memory::Reserved { pages }, Some(above)) = (&self.memory, self.usable_bytes.checked_sub(keep)) {
            // Where the system refuses, they stay.
            let _best_effort = pages.discard(pages::page_size() + keep, above);
        }
    }

    /// How other threads interrupt what runs on this stack. It may outlive the
    /// stack and does nothing then.
    pub(crate) fn control(&self) -> Arc<StackControl> {
        Arc::clone(&self.control)
    }
}

impl Drop for ValueStack {
    fn drop(&mut self) {
        // From here on no late `interrupt` touches the pages.
        *self.control.lock() = None;
        self.entry = None;
        if let Memory::Allocated { slots } = self.memory {
            let slots = std::ptr::slice_from_raw_parts_mut(self.base.as_ptr(), slots);
            // SAFETY: leaked by `new` with this length; nobody runs on it.
            drop(unsafe { Box::from_raw(slots) });
        }
    }
}

// SAFETY: the slots belong to the value; those who use `base` are the entries
// of its store, which has one owner at a time.
unsafe impl Send for ValueStack {}
// SAFETY: no method reads or writes the slots.
unsafe impl Sync for ValueStack {}

/// The usable part of a live stack.
#[derive(Clone, Copy, Debug)]
struct Usable {
    base: usize,
    len: usize,
}

/// How a guest is interrupted from other threads, and how its own thread
/// learns of it.
#[derive(Debug)]
pub(crate) struct StackControl {
    pending: AtomicBool,
    /// `None` once the stack is gone.
    usable: Mutex<Option<Usable>>,
    /// The stack that runs for this one: it is interrupted too.
    forward: Mutex<Option<Arc<StackControl>>>,
    /// Wakes the thread if it sleeps for the guest.
    bell: Arc<Bell>,
}

impl StackControl {
    /// Asks what runs on the stack to stop: the guest that runs now ends with
    /// [`super::FAULT_INTERRUPT`] at its next touch of a frame (or, where faults do
    /// not become traps, when it polls), or else the next
    /// [`StackControl::take_pending`] says so.
    ///
    /// It takes a lock and may call the kernel: not for signal handlers.
    pub(crate) fn interrupt(&self) {
        self.interrupt_own();
        // After `pending`, which `forward` looks at under this lock.
        let forward = self.forward.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = &*forward {
            other.interrupt();
        }
    }

    /// Passes interruptions on to the guest on another stack too, from now on;
    /// whom they were passed on to before. One that is pending is passed on at
    /// once.
    pub(crate) fn forward(&self, to: Option<Arc<Self>>) -> Option<Arc<Self>> {
        let mut forward = self.forward.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pending.load(Ordering::Relaxed)
            && let Some(other) = &to
        {
            other.interrupt();
        }
        std::mem::replace(&mut *forward, to)
    }

    fn interrupt_own(&self) {
        let usable = self.lock();
        let Some(usable) = *usable else { return };
        self.pending.store(true, Ordering::Relaxed);
        self.bell.ring();
        if FAULT_TRAPS {
            // SAFETY: 1. `usable` is set while the stack is mapped, and the lock
            // keeps it so. 2. what the owning thread touches from now on
            // faults, and the fault handler gives the access back.
            let taken = unsafe { pages::protect(usable.base as *mut u8, usable.len, Access::None) };
            // Refused only when the kernel is out of memory for its own
            // tables; `pending` still stops the guest after its next host call.
            let _ = taken;
        }
    }

    /// Whether an interruption was asked for since this last said so. Called by
    /// the owning thread before entering a guest and after each host call; one
    /// relaxed load if there was none.
    #[inline]
    pub(crate) fn take_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) && self.take_pending_slow()
    }

    /// What wakes the owning thread: an interruption does.
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Whether an interruption was asked for that [`StackControl::take_pending`] has
    /// not said yet.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    #[cold]
    #[inline(never)]
    fn take_pending_slow(&self) -> bool {
        let usable = self.lock();
        if FAULT_TRAPS && let Some(usable) = *usable {
            // SAFETY: as in `interrupt`; access is only given.
            let given = unsafe { pages::protect(usable.base as *mut u8, usable.len, Access::ReadWrite) };
            // If refused, the next touch tries again in the fault handler.
            let _ = given;
        }
        self.pending.swap(false, Ordering::Relaxed)
    }

    /// The flag to poll where [`super::FAULT_TRAPS`] is false. Clear it by
    /// [`StackControl::take_pending`] only.
    pub(crate) fn pending_flag(&self) -> &AtomicBool {
        &self.pending
    }

    fn lock(&self) -> MutexGuard<'_, Option<Usable>> {
        self.usable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
