//! Cells of globals (Spec 3.0 §4.2.10): references to them, and those that stand in
//! no instance's context.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::types::registry::RecGroup;

/// A global's cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GlobalRef(NonNull<u64>);

impl GlobalRef {
    /// The cell at an address, which the store keeps alive.
    pub(crate) fn new(cell: NonNull<u64>) -> Self {
        Self(cell)
    }

    /// The cell's address.
    pub(crate) fn as_ptr(self) -> *mut u64 {
        self.0.as_ptr()
    }

    /// The slot value in the cell.
    pub(crate) fn get(self) -> u64 {
        // SAFETY: the store keeps the cell alive, and lets one thread at a time have it.
        unsafe { self.0.read() }
    }

    /// The slot values in the cell: the second is 0 but for `v128`.
    pub(crate) fn slots(self) -> [u64; 2] {
        // SAFETY: the store keeps the cell alive, and lets one thread at a time have
        // it; cells have two words.
        unsafe { self.0.cast::<[u64; 2]>().read() }
    }

    /// Writes the cell.
    pub(crate) fn set(self, slots: [u64; 2]) {
        // SAFETY: as for `slots`.
        unsafe { self.0.cast::<[u64; 2]>().write(slots) }
    }
}

/// A global that belongs to no instance: the embedder made it.
#[derive(Debug)]
pub(crate) struct HostGlobal {
    cells: Box<[Cell<u64>; 2]>,
    /// Whether it may hold a handle of the store's heap.
    is_handle: bool,
    /// Keeps the identities of the types that its type names.
    _named: Vec<Arc<RecGroup>>,
}

impl HostGlobal {
    /// A cell that holds these slots, which may be a handle of the store's heap. Its
    /// type names types of these groups.
    pub(crate) fn new(slots: [u64; 2], is_handle: bool, named: Vec<Arc<RecGroup>>) -> Self {
        Self {
            cells: Box::new(slots.map(Cell::new)),
            is_handle,
            _named: named,
        }
    }

    /// Whether it may hold a handle of the store's heap.
    pub(crate) fn is_handle(&self) -> bool {
        self.is_handle
    }

    /// The cell, for instances to import.
    pub(crate) fn cell(&self) -> GlobalRef {
        GlobalRef(NonNull::from(&*self.cells).cast())
    }
}

/// Globals that an instance was given by value: cells that it has for itself.
#[derive(Debug, Default)]
pub(crate) struct GivenValues(Box<[GivenValue]>);

#[derive(Debug)]
struct GivenValue {
    /// Which imported global it is.
    global: usize,
    cell: [Cell<u64>; 2],
}

impl GivenValues {
    /// Cells for imported globals, by index, with these values, as slots.
    pub(crate) fn new(values: impl Iterator<Item = (usize, [u64; 2])>) -> Self {
        let value = |(global, slots): (usize, [u64; 2])| GivenValue {
            global,
            cell: slots.map(Cell::new),
        };
        Self(values.map(value).collect())
    }

    /// The imported globals that they are for, in order.
    pub(crate) fn globals(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|value| value.global)
    }

    /// Gives the globals other values, in order.
    pub(crate) fn set(&self, values: impl Iterator<Item = [u64; 2]>) {
        self.cells().zip(values).for_each(|(cell, value)| cell.set(value));
    }

    /// The cells, in order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = GlobalRef> + '_ {
        self.0.iter().map(|value| GlobalRef(NonNull::from(&value.cell).cast()))
    }

    /// Whether a cell is one of them.
    pub(crate) fn has(&self, global: GlobalRef) -> bool {
        self.cells().any(|cell| cell == global)
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for GivenValues {}
// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Sync for GivenValues {}
// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for GlobalRef {}
// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Sync for GlobalRef {}
// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for HostGlobal {}
// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Sync for HostGlobal {}
