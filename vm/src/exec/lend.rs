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
pub(crate) struct Lender(Option<(*mut (), TypeId)>);

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
    let depth = store.inner.machine.depth_left();
    let lent = (std::ptr::from_mut(store).cast(), TypeId::of::<T>());
    let outer = std::mem::replace(&mut borrower.inner.lender, Lender(Some(lent)));
    let outer_depth = borrower.inner.machine.limit_depth_to(depth);
    let lent = Lent {
        borrower,
        outer,
        outer_depth,
    };
    f(lent.borrower)
}

/// The store that is lent to `borrower`, if one is, and its data is a `T`.
pub(crate) fn lender<T: 'static, U: 'static>(borrower: &mut StoreData<U>) -> Option<&mut StoreData<T>> {
    let Lender(Some((store, ty))) = borrower.inner.lender else {
        return None;
    };
    // SAFETY: the type is that of `lend`, which is running and does not use the
    // reference it made this of; see the invariant.
    (ty == TypeId::of::<T>()).then(|| unsafe { &mut *store.cast::<StoreData<T>>() })
}

/// Ends a loan, however it ends.
struct Lent<'a, U: 'static> {
    borrower: &'a mut StoreData<U>,
    outer: Lender,
    outer_depth: u32,
}

impl<U> Drop for Lent<'_, U> {
    fn drop(&mut self) {
        self.borrower.inner.lender = self.outer;
        self.borrower.inner.machine.set_depth_limit(self.outer_depth);
    }
}

/// Ends the forwarding of interruptions.
struct Forwarded {
    from: Arc<StackControl>,
    before: Option<Arc<StackControl>>,
}

impl Forwarded {
    fn new(from: &Arc<StackControl>, to: &Arc<StackControl>) -> Self {
        Self {
            from: Arc::clone(from),
            before: from.forward(Some(Arc::clone(to))),
        }
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.from.forward(self.before.take());
    }
}

// SAFETY: the pointer is only followed during `lend`, which asks for data that
// may be used on any thread.
unsafe impl Send for Lender {}
// SAFETY: shared references do not follow it.
unsafe impl Sync for Lender {}
