//! A store that is lent to another while that runs, so that host functions
//! there can use it. And the way back: a borrower that its lender can use again,
//! while the lender runs for it.
//!
//! Invariants:
//!
//! 1. A borrower knows its lender only during [`lend`], which has both borrowed
//!    exclusively; and what [`lender`] gives holds the borrower's exclusive borrow.
//!    So one reference at a time leads to the lender: nested ones are borrows of the
//!    one before, by way of the borrower.
//! 2. A lender knows its borrowers only during [`in_lender`], which has the
//!    borrower borrowed exclusively and does not use it; and [`reenter`] holds the
//!    lender's exclusive borrow and marks the borrower as taken. So again one
//!    reference at a time leads to the borrower, and each is made from the last.

use std::any::TypeId;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::runtime::store::StoreData;
use crate::sys::StackControl;

/// The store that is lent to another, and those others that it can use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lender {
    loan: Option<Loan>,
    /// The last of the borrowers that the store runs for.
    back: Option<NonNull<Borrower>>,
}

/// A borrower that its lender runs for; it is in a frame of [`in_lender`].
#[derive(Debug)]
struct Borrower {
    store: *mut (),
    ty: TypeId,
    /// The lender uses it.
    is_taken: Cell<bool>,
    before: Option<NonNull<Self>>,
}

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
    let outer = borrower.inner.lender.loan.replace(loan);
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
    let loan = borrower.inner.lender.loan.filter(|loan| loan.ty == TypeId::of::<T>())?;
    let inside = borrower.inner.machine.depth().saturating_sub(loan.depth);
    // SAFETY: the type is that of `lend`, which is running and does not use the
    // reference it made this of; see invariant 1.
    let store = unsafe { &mut *loan.store.cast::<StoreData<T>>() };
    let limit = loan.depth_limit.saturating_sub(inside);
    store.inner.machine.set_depth_limit(limit);
    Some(store)
}

/// Runs `f` with the store that is lent to `borrower`, if one is, and its data is a
/// `T`. [`reenter`] finds the borrower from there meanwhile.
///
/// The lender may run on another thread during that, hence `Send`.
pub(crate) fn in_lender<T: 'static, U: Send + 'static, R>(
    borrower: &mut StoreData<U>,
    f: impl FnOnce(&mut StoreData<T>) -> R,
) -> Option<R> {
    let own: *mut StoreData<U> = borrower;
    // SAFETY: it is made of a reference that is not used before this returns. What it
    // is for is over when `lender` has returned: the lender is another store.
    let store = lender::<T, U>(unsafe { &mut *own })?;
    let node = Borrower {
        store: own.cast(),
        ty: TypeId::of::<U>(),
        is_taken: Cell::new(false),
        before: store.inner.lender.back,
    };
    store.inner.lender.back = Some(NonNull::from(&node));
    let back = Back {
        before: node.before,
        store,
    };
    Some(f(back.store))
}

/// Runs `f` with the last of the borrowers that the store runs for whose data is a
/// `U` that `is` the one; `None` if there is none that is not used already. The
/// store is lent to it meanwhile.
pub(crate) fn reenter<T: Send + 'static, U: 'static, R>(
    store: &mut StoreData<T>,
    is: impl Fn(&U) -> bool,
    f: impl FnOnce(&mut StoreData<U>) -> R,
) -> Option<R> {
    let mut next = store.inner.lender.back;
    while let Some(node) = next {
        // SAFETY: it is in a frame of `in_lender`, which takes it out of the list
        // before it returns.
        let node = unsafe { node.as_ref() };
        next = node.before;
        if node.is_taken.get() || node.ty != TypeId::of::<U>() {
            continue;
        }
        let borrower = node.store.cast::<StoreData<U>>();
        // SAFETY: the type is that of `in_lender`, which does not use the reference it
        // made this of; nothing else does, since nobody has taken it: invariant 2.
        if !is(unsafe { &*borrower }.data()) {
            continue;
        }
        node.is_taken.set(true);
        let _taken = Taken(&node.is_taken);
        // SAFETY: as above.
        return Some(lend(store, unsafe { &mut *borrower }, f));
    }
    None
}

/// Ends what [`in_lender`] began, however it ends.
struct Back<'a, T: 'static> {
    store: &'a mut StoreData<T>,
    before: Option<NonNull<Borrower>>,
}

impl<T> Drop for Back<'_, T> {
    fn drop(&mut self) {
        self.store.inner.lender.back = self.before;
    }
}

/// Ends what [`reenter`] began, however it ends.
struct Taken<'a>(&'a Cell<bool>);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Ends a loan, however it ends.
struct Lent<'a, T: 'static, U: 'static> {
    lender: *mut StoreData<T>,
    depth_limit: u32,
    borrower: &'a mut StoreData<U>,
    outer: Option<Loan>,
    outer_depth: u32,
}

impl<T, U> Drop for Lent<'_, T, U> {
    fn drop(&mut self) {
        // SAFETY: `lend` is still running and does not use the reference this was made
        // of; what `lender` gave of it has ended with what ran.
        unsafe { (*self.lender).inner.machine.set_depth_limit(self.depth_limit) };
        self.borrower.inner.lender.loan = self.outer;
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

// SAFETY: the pointers are only followed during `lend` and `in_lender`, which ask for
// data that may be used on any thread; so may the borrowers' marks, since only who
// has the lender borrowed exclusively looks at them.
unsafe impl Send for Lender {}
// SAFETY: shared references do not follow them.
unsafe impl Sync for Lender {}
