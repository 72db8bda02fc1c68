//! What slow paths of handlers call.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::limits::Asker;
use super::shape::Shape;
use crate::error::Error;
use crate::exec::context::Cx;
use crate::exec::exit;
use crate::exec::machine::Pending;
use crate::runtime::store::StoreInner;

/// Writes the handle of a new object for running code to `out`; the value is an exit
/// code, 0 to go on. The object has `bytes` bytes, those after the header are zeros.
///
/// `end` is the end of the running frame: of the slots that hold operands or anything else
/// that is read later. All handles that are needed later, operands too, are in slots
/// before it.
///
/// # Safety
/// 1. Called by a handler with its context, and the end of its frame or of the used part
///    of that.
/// 2. `shape` stays there as long as the store, and `bytes` is what it says for some
///    length, which the caller writes at once if it is not 0.
/// 3. `out` is a slot, or anything else that may be written.
#[inline(never)]
pub(crate) unsafe fn allocate(cx: *mut Cx, end: *const u64, shape: *const Shape, bytes: u64, out: *mut u64) -> u64 {
    let work = |inner: &mut StoreInner, asker: Asker| {
        // SAFETY: 1 and 2.
        unsafe { inner.allocate(asker, shape, bytes) }
    };
    // SAFETY: 1.
    match unsafe { with_store(cx, end, work) } {
        Ok(handle) => {
            // SAFETY: 3.
            unsafe { out.write(handle.into()) };
            exit::DONE
        }
        Err(code) => code,
    }
}

/// Does something with the store of running code that may allocate.
///
/// # Errors
/// The exit code of the run that ends.
///
/// # Safety
/// Called for a handler with its context, and the end of its frame.
pub(crate) unsafe fn with_store<R>(
    cx: *mut Cx,
    end: *const u64,
    work: impl FnOnce(&mut StoreInner, Asker) -> Result<R, Error>,
) -> Result<R, u64> {
    // SAFETY: a live context leads to the block of the running store.
    let rt = unsafe { (*cx).rt };
    // SAFETY: the store's runtime block, owned by the running thread.
    let (store, inner, act, control) = unsafe { ((*rt).store, (*rt).inner, (*rt).act, (*rt).control) };
    // SAFETY: a live context.
    let instance = Some(unsafe { (*cx).instance });
    // SAFETY: the running activation outlives the run.
    unsafe { (*act).set_in_guest(false) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the entry's borrow of the store is not in use while code runs.
        work(unsafe { &mut *inner }, Asker { store, end, instance })
    }));
    // SAFETY: as above.
    unsafe { (*act).set_in_guest(true) };
    // Whatever the outcome, the stack is to be accessible again.
    // SAFETY: the control block lives as long as the store.
    let interrupted = unsafe { (*control).take_pending() };
    let pending = match outcome {
        Ok(Ok(value)) => return if interrupted { Err(exit::INTERRUPT) } else { Ok(value) },
        Ok(Err(error)) => match error.own_trap() {
            // The handler says where.
            Some(trap) => return Err(exit::trap(trap)),
            None => Pending::Error(error),
        },
        Err(payload) => Pending::Panic(payload),
    };
    // SAFETY: as above.
    unsafe { (*inner).machine.pending = Some(pending) };
    Err(exit::HOST)
}
