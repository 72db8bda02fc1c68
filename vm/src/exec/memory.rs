//! Memory instances (Spec 3.0 §4.2.8).
//!
//! A memory with guard pages reserves [`GUARDED_BYTES`] of address space, so
//! that `base + index + offset` of any 32-bit access stays inside and faults
//! when it lies beyond the memory's size. Other memories are checked at each
//! access by their length. Either way `base` never moves.

use std::ptr::NonNull;

use crate::error::{LimitError, MemoryAccessError};
use crate::sys;
use crate::types::MemoryType;

/// What a guarded memory reserves: 4 GiB of index, 4 GiB of offset, and a page
/// for accesses that begin at the last byte.
const GUARDED_BYTES: usize = (8 << 30) + (64 << 10);

/// A memory instance.
#[derive(Debug)]
pub(crate) struct MemoryInst {
    base: *mut u8,
    /// Accessible bytes.
    len: usize,
    /// Bytes that `len` can never exceed in this reservation.
    capacity: usize,
    ty: MemoryType,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Guarded(sys::Reservation),
    Reserved(sys::Reservation),
    /// Where address space cannot be reserved: all capacity is allocated.
    Allocated {
        _bytes: Box<[u8]>,
    },
}

/// How a memory is to be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarding {
    /// Accesses are checked by the MMU.
    Guarded,
    /// Accesses are checked by the handlers.
    Checked,
}

impl Guarding {
    /// What a memory of type `ty` gets if the engine allows guard pages.
    pub(crate) fn of(ty: &MemoryType, allowed: bool) -> Self {
        if allowed && sys::FAULT_TRAPS && !ty.is_64() && ty.page_size() == 65536 {
            Self::Guarded
        } else {
            Self::Checked
        }
    }
}

impl MemoryInst {
    /// A memory of the type's minimum size.
    ///
    /// # Errors
    /// If the address space or memory cannot be had.
    pub(crate) fn new(ty: MemoryType, guarding: Guarding) -> Result<Box<Self>, LimitError> {
        let page = ty.page_size();
        let refused = |_| LimitError::MemoryUnavailable { pages: ty.minimum() };
        let bytes = |pages: u64| pages.checked_mul(page).and_then(|b| usize::try_from(b).ok());
        let min = bytes(ty.minimum()).ok_or(LimitError::MemoryUnavailable { pages: ty.minimum() })?;
        let (storage, base, capacity) = match guarding {
            Guarding::Guarded => {
                let r = sys::Reservation::new_guest(GUARDED_BYTES).map_err(refused)?;
                let base = r.base();
                (Storage::Guarded(r), base, 1 << 32)
            }
            Guarding::Checked => {
                let most = ty.maximum().and_then(bytes).unwrap_or(usize::MAX).min(1 << 32).max(min);
                let mut want = most;
                loop {
                    if want == 0 {
                        break (
                            Storage::Allocated { _bytes: Box::default() },
                            NonNull::dangling().as_ptr(),
                            0,
                        );
                    }
                    match sys::Reservation::new(want) {
                        Ok(r) => {
                            let base = r.base();
                            break (Storage::Reserved(r), base, want);
                        }
                        Err(e) if e.kind() == std::io::ErrorKind::Unsupported => {
                            let mut bytes = Vec::new();
                            bytes
                                .try_reserve_exact(min)
                                .map_err(|_| LimitError::MemoryUnavailable { pages: ty.minimum() })?;
                            bytes.resize(min, 0_u8);
                            let mut bytes = bytes.into_boxed_slice();
                            let base = bytes.as_mut_ptr();
                            break (Storage::Allocated { _bytes: bytes }, base, min);
                        }
                        Err(e) if want == min => return Err(refused(e)),
                        Err(_) => want = (want / 2).max(min),
                    }
                }
            }
        };
        let mut this = Box::new(Self {
            base,
            len: 0,
            capacity,
            ty,
            storage,
        });
        if !this.extend(min) {
            return Err(LimitError::MemoryUnavailable {
                pages: this.ty.minimum(),
            });
        }
        Ok(this)
    }

    /// Makes `bytes` in all accessible; false if the system refuses.
    fn extend(&mut self, bytes: usize) -> bool {
        if bytes > self.capacity {
            return false;
        }
        if let Storage::Guarded(r) | Storage::Reserved(r) = &self.storage {
            let from = self.len.next_multiple_of(sys::page_size());
            let to = bytes.next_multiple_of(sys::page_size());
            if to > from && r.commit(from, to - from).is_err() {
                return false;
            }
        }
        self.len = bytes;
        true
    }

    /// Grows by `delta` pages; the old size in pages, or `None` if the type's
    /// maximum, the index type or the system does not allow it.
    pub(crate) fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.pages();
        let new = old.checked_add(delta)?;
        let most = self.ty.maximum().unwrap_or(u64::MAX);
        let bytes = usize::try_from(new.checked_mul(self.ty.page_size())?).ok()?;
        (new <= most && self.extend(bytes)).then_some(old)
    }

    /// Size in pages of the memory's page size.
    pub(crate) fn pages(&self) -> u64 {
        self.len as u64 / self.ty.page_size()
    }

    /// Base address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The type it was made with.
    pub(crate) fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// Whether accesses are checked by the MMU.
    pub(crate) fn guarding(&self) -> Guarding {
        if matches!(self.storage, Storage::Guarded(_)) {
            Guarding::Guarded
        } else {
            Guarding::Checked
        }
    }

    /// The accessible bytes.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: `len` bytes from `base` are committed; `&self` comes from a
        // shared borrow of the store, so no guest runs.
        unsafe { std::slice::from_raw_parts(self.base, self.len) }
    }

    /// The accessible bytes.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, with the store borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.base, self.len) }
    }

    /// The bytes `at..at + len`.
    ///
    /// # Errors
    /// If they are not all inside the memory.
    pub(crate) fn slice_mut(&mut self, at: u64, len: u64) -> Result<&mut [u8], MemoryAccessError> {
        let start = usize::try_from(at).map_err(|_| MemoryAccessError)?;
        let len = usize::try_from(len).map_err(|_| MemoryAccessError)?;
        let end = start.checked_add(len).ok_or(MemoryAccessError)?;
        self.data_mut().get_mut(start..end).ok_or(MemoryAccessError)
    }
}

/// A memory that lives as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryRef(NonNull<MemoryInst>);

impl MemoryRef {
    /// A reference to a memory the store keeps alive.
    pub(crate) fn new(inst: &mut MemoryInst) -> Self {
        Self(NonNull::from(inst))
    }

    /// The instance's address.
    pub(crate) fn as_ptr(self) -> *mut MemoryInst {
        self.0.as_ptr()
    }

    /// Base address.
    pub(crate) fn base(self) -> *mut u8 {
        self.get().base
    }

    /// The instance; the caller has the store borrowed.
    pub(crate) fn get<'s>(self) -> &'s MemoryInst {
        // SAFETY: lives as long as its store, whose borrow the caller holds.
        unsafe { self.0.as_ref() }
    }

    /// The instance; the caller has the store borrowed exclusively.
    pub(crate) fn get_mut<'s>(mut self) -> &'s mut MemoryInst {
        // SAFETY: lives as long as its store, whose exclusive borrow the caller
        // holds.
        unsafe { self.0.as_mut() }
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for MemoryInst {}
// SAFETY: shared references only read.
unsafe impl Sync for MemoryInst {}
// SAFETY: as for `MemoryInst`.
unsafe impl Send for MemoryRef {}
// SAFETY: as for `MemoryInst`.
unsafe impl Sync for MemoryRef {}
