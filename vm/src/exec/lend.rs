//! A store that is lent to another while that runs, so that host functions
//! there can use it.
//!
//! Invariant: a borrower knows its lender only during [`lend`], which has both
//! borrowed exclusively; and what [`lender`] gives holds the borrower's exclusive
//! borrow. So one reference at a time leads to the lender: nested ones are
//! borrows of the one before, by way of the borrower.

use std::any::TypeId;
use std::sync::Arc;

use crate::runtime::store::StoreData;
use crate::sys::StackControl;

/// The store that is lent to another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lender(Option<Loan>);

#[derive(Clone, Copy, Debug)]
struct Loan {
    store: *mut (),
    ty: TypeId,
    /// How many calls may be active in the lender.
    depth_limit: u32,
    /// How many were active in the borrower.
    depth: u32,
}

/// Runs `f` with `borrower`, whose host functions find the store with `data` by
/// [`lender`] meanwhile. Who interrupts that store interrupts the borrower too.
///
/// The borrower may run on another thread during that, hence `Send`.
pub(crate) fn lend<T: Send + 'static, U: 'static, R>(
    store: &mut StoreData<T>,
    borrower: &mut StoreData<U>,
    f: impl FnOnce(&mut StoreData<U>) -> R,
) -> R {
    let _forwarded = Forwarded::new(store.inner.machine.control(), borrower.inner.machine.control());
    let (depth_limit, depth_left) = (store.inner.machine.depth_limit(), store.inner.machine.depth_left());
    let lender: *mut StoreData<T> = store;
    let loan = Loan {
        store: lender.cast(),
        ty: TypeId::of::<T>(),
        depth_limit,
        depth: borrower.inner.machine.depth(),
    };
    let outer = std::mem::replace(&mut borrower.inner.lender, Lender(Some(loan)));
    let outer_depth = borrower.inner.machine.limit_depth_to(depth_left);
    let lent = Lent {
        lender,
        depth_limit,
        borrower,
        outer,
        outer_depth,
    };
    f(lent.borrower)
}

/// The store that is lent to `borrower`, if one is, and its data is a `T`. The calls
/// that are active in the borrower count as its own.
pub(crate) fn lender<T: 'static, U: 'static>(borrower: &mut StoreData<U>) -> Option<&mut StoreData<T>> {
    let loan = borrower.inner.lender.0.filter(|loan| loan.ty == TypeId::of::<T>())?;
    let inside = borrower.inner.machine.depth().saturating_sub(loan.depth);
    // SAFETY: the type is that of `lend`, which is running and does not use the
    // reference it made this of; see the invariant.
    let store = unsafe { &mut *loan.store.cast::<StoreData<T>>() };
    let limit = loan.depth_limit.saturating_sub(inside);
    store.inner.machine.set_depth_limit(limit);
    Some(store)
}

/// Ends a loan, however it ends.
struct Lent<'a, T: 'static, U: 'static> {
    lender: *mut StoreData<T>,
    depth_limit: u32,
    borrower: &'a mut StoreData<U>,
    outer: Lender,
    outer_depth: u32,
}

impl<T, U> Drop for Lent<'_, T, U> {
    fn drop(&mut self) {
        // SAFETY: `lend` is still running and does not use the reference this was made
        // of; what `lender` gave of it has ended with what ran.
        unsafe { (*self.lender).inner.machine.set_depth_limit(self.depth_limit) };
        self.borrower.inner.lender = self.outer;
        self.borrower.inner.machine.set_depth_limit(self.outer_depth);
    }
}

/// Ends the forwarding of interruptions.
struct Forwarded {
    from: Arc<StackControl>,
    to: Arc<StackControl>,
    before: Option<Arc<StackControl>>,
}

impl Forwarded {
    fn new(from: &Arc<StackControl>, to: &Arc<StackControl>) -> Self {
        Self {
            from: Arc::clone(from),
            to: Arc::clone(to),
            before: from.forward(Some(Arc::clone(to))),
        }
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.from.forward(self.before.take());
        // What was passed on too late to end the borrower's run is not to end its
        // next one.
        if self.from.is_pending() {
            self.to.take_pending();
        }
    }
}

// SAFETY: the pointer is only followed during `lend`, which asks for data that
// may be used on any thread.
unsafe impl Send for Lender {}
// SAFETY: shared references do not follow it.
unsafe impl Sync for Lender {}
