//! Table instances (Spec 3.0 §4.2.7): vectors of reference slots, 0 for null.

use std::ptr::NonNull;

use crate::error::{LimitError, PermissionError};
use crate::runtime::domain::Charge;
use crate::types::TableType;

/// A table instance.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct TableInst {
    /// First element; what `call_indirect` reads.
    pub(crate) base: *mut u64,
    /// Number of elements.
    pub(crate) len: u64,
    elems: Vec<u64>,
    ty: TableType,
    /// Counts its elements as its domain's.
    pub(crate) charge: Option<Charge>,
}

/// Elements no table may exceed: what a 32-bit table could address takes 32 GiB.
pub(crate) const MAX_ELEMENTS: u64 = 10_000_000;

impl TableInst {
    /// A table of the type's minimum size, each element `init`.
    ///
    /// # Errors
    /// If the memory cannot be had, or the size is above [`MAX_ELEMENTS`].
    pub(crate) fn new(ty: TableType, init: u64) -> Result<Box<Self>, LimitError> {
        let min = ty.minimum();
        let mut this = Box::new(Self {
            base: std::ptr::null_mut(),
            len: 0,
            elems: Vec::new(),
            ty,
            charge: None,
        });
        if this.extend(min, init) {
            Ok(this)
        } else {
            Err(LimitError::TableUnavailable { elements: min })
        }
    }

    fn extend(&mut self, len: u64, init: u64) -> bool {
        let Ok(wanted) = usize::try_from(len) else { return false };
        if self.elems.is_empty() && init == 0 && len <= MAX_ELEMENTS {
            // Zeroed by the system, and taken from it as it is used.
            self.elems = vec![0; wanted];
        }
        if len > MAX_ELEMENTS || self.elems.try_reserve(wanted.saturating_sub(self.elems.len())).is_err() {
            return false;
        }
        self.elems.resize(wanted, init);
        self.base = self.elems.as_mut_ptr();
        self.len = len;
        true
    }

    /// Grows by `delta` elements of value `init`; the old size, or `None`.
    pub(crate) fn grow(&mut self, delta: u64, init: u64) -> Option<u64> {
        let old = self.len;
        let new = old.checked_add(delta)?;
        if new > self.ty.maximum().unwrap_or(u64::MAX) {
            return None;
        }
        self.charge_for(new).ok()?;
        if !self.extend(new, init) {
            self.settle();
            return None;
        }
        Some(old)
    }

    /// Charges its domain for this many elements.
    ///
    /// # Errors
    /// If a quota does not allow them; nothing has changed then.
    pub(crate) fn charge_for(&mut self, elements: u64) -> Result<(), PermissionError> {
        let charge = self.charge.as_mut();
        charge.map_or(Ok(()), |charge| charge.resize(elements))
    }

    /// Charges its domain for the elements that it has, after a charge for more.
    pub(crate) fn settle(&mut self) {
        let settled = self.charge_for(self.len);
        debug_assert!(settled.is_ok(), "fewer elements are always allowed");
    }

    /// A copy of a table's elements.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub(crate) fn copy(elems: &[u64]) -> Result<Vec<u64>, LimitError> {
        let mut copy = Vec::new();
        let elements = elems.len() as u64;
        copy.try_reserve_exact(elems.len())
            .map_err(|_| LimitError::TableUnavailable { elements })?;
        copy.extend_from_slice(elems);
        Ok(copy)
    }

    /// Puts `elems` in place of all elements, however many there are.
    pub(crate) fn replace(&mut self, elems: Vec<u64>) {
        self.elems = elems;
        self.base = self.elems.as_mut_ptr();
        self.len = self.elems.len() as u64;
    }

    /// The elements' slots.
    pub(crate) fn elems(&self) -> &[u64] {
        &self.elems
    }

    /// The elements' slots, for writing.
    pub(crate) fn elems_mut(&mut self) -> &mut [u64] {
        &mut self.elems
    }

    /// The elements `at..at + len`, or `None` where they are not all inside.
    pub(crate) fn slice_mut(&mut self, at: u64, len: u64) -> Option<&mut [u64]> {
        let start = usize::try_from(at).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.elems.get_mut(start..end)
    }

    /// The type it was made with.
    pub(crate) fn ty(&self) -> &TableType {
        &self.ty
    }
}

/// A table that lives as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableRef(NonNull<TableInst>);

impl TableRef {
    /// A reference to a table the store keeps alive.
    pub(crate) fn new(inst: &mut TableInst) -> Self {
        Self(NonNull::from(inst))
    }

    /// The instance's address.
    pub(crate) fn as_ptr(self) -> *mut TableInst {
        self.0.as_ptr()
    }

    /// The instance; the caller has the store borrowed.
    pub(crate) fn get<'s>(self) -> &'s TableInst {
        // SAFETY: lives as long as its store, whose borrow the caller holds.
        unsafe { self.0.as_ref() }
    }

    /// The instance; the caller has the store borrowed exclusively.
    pub(crate) fn get_mut<'s>(mut self) -> &'s mut TableInst {
        // SAFETY: lives as long as its store, whose exclusive borrow the caller
        // holds.
        unsafe { self.0.as_mut() }
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for TableInst {}
// SAFETY: shared references only read.
unsafe impl Sync for TableInst {}
// SAFETY: as for `TableInst`.
unsafe impl Send for TableRef {}
// SAFETY: as for `TableInst`.
unsafe impl Sync for TableRef {}
