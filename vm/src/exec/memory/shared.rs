//! Memories that threads share (threads proposal).
//!
//! There is one reservation, whose base is the same for all stores. A memory never
//! becomes smaller, so bytes that were accessible once stay so: who has seen a size
//! may access what is below it for as long as it has the memory.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Guarding, Storage, grown_bytes, minimum_bytes};
use crate::error::{LimitError, MemoryAccessError, PermissionError};
use crate::exec::wait;
use crate::runtime::domain::Charge;
use crate::sys::shared::{copy, fill, load};
use crate::trap::Trap;
use crate::types::MemoryType;

/// A memory that several stores use at the same time.
#[derive(Debug)]
pub(crate) struct SharedInst {
    base: *mut u8,
    capacity: usize,
    ty: MemoryType,
    guarding: Guarding,
    storage: Storage,
    /// In bytes.
    size: AtomicUsize,
    /// Counts its bytes as those of the domain that it was made for. Locked while the
    /// memory grows.
    charge: Mutex<Option<Charge>>,
}

impl SharedInst {
    /// A memory of the type's minimum size.
    ///
    /// # Errors
    /// If the address space or memory cannot be had.
    pub(crate) fn new(ty: MemoryType, guarding: Guarding) -> Result<Self, LimitError> {
        let (storage, base, capacity) = Storage::new(&ty, guarding)?;
        let size = minimum_bytes(&ty)?;
        if size > capacity || !storage.commit(0, size) {
            return Err(LimitError::MemoryUnavailable { pages: ty.minimum() });
        }
        Ok(Self {
            base,
            capacity,
            ty,
            guarding,
            storage,
            size: AtomicUsize::new(size),
            charge: Mutex::default(),
        })
    }

    /// Counts its bytes as a domain's from now on.
    ///
    /// # Errors
    /// If a quota does not allow as many as there are.
    pub(crate) fn charge(&self, mut charge: Charge) -> Result<(), PermissionError> {
        let mut own = self.charge.lock().unwrap_or_else(PoisonError::into_inner);
        charge.resize(self.size() as u64)?;
        *own = Some(charge);
        Ok(())
    }

    /// Grows by `delta` pages; the size before, or `None` if the type, a quota or the
    /// system does not allow it.
    pub(crate) fn grow(&self, delta: u64) -> Option<u64> {
        let mut charge = self.charge.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, old) = (self.size(), self.pages());
        let bytes = grown_bytes(&self.ty, old, delta).filter(|bytes| *bytes <= self.capacity)?;
        let mut resize = |bytes: usize| charge.as_mut().map_or(Ok(()), |charge| charge.resize(bytes as u64));
        resize(bytes).ok()?;
        if !self.storage.commit(size, bytes) {
            let settled = resize(size);
            debug_assert!(settled.is_ok(), "fewer bytes are always allowed");
            return None;
        }
        self.size.store(bytes, Ordering::Release);
        Some(old)
    }

    /// Base address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Bytes that its size cannot exceed.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The type it was made with.
    pub(crate) fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// How its accesses are checked.
    pub(crate) fn guarding(&self) -> Guarding {
        self.guarding
    }

    /// Size in bytes: at least that, since another thread may be growing it.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Ordering::Acquire)
    }

    /// Size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.size() as u64 / self.ty.page_size()
    }

    /// Where threads wait that wait at the byte `at`.
    pub(crate) fn waiting_place(&self, at: usize) -> wait::Place {
        wait::Place::Memory(std::ptr::from_ref(self).addr(), at as u64)
    }

    /// The address of `len` bytes from `offset` on.
    ///
    /// # Errors
    /// If they are not all inside.
    pub(crate) fn address(&self, offset: u64, len: usize) -> Result<*mut u8, MemoryAccessError> {
        let start = usize::try_from(offset).map_err(|_| MemoryAccessError::OutOfBounds)?;
        let end = start.checked_add(len).filter(|end| *end <= self.size());
        end.map(|_| self.base.wrapping_add(start))
            .ok_or(MemoryAccessError::OutOfBounds)
    }

    /// Its bytes, as many as there are now.
    pub(crate) fn atomics(&self) -> &[AtomicU8] {
        // SAFETY: they are accessible for as long as `self`; atomics may be written by
        // others at any time.
        unsafe { std::slice::from_raw_parts(self.base.cast::<AtomicU8>(), self.size()) }
    }

    /// The place of an atomic access of `width` bytes.
    ///
    /// # Errors
    /// The trap that the access is otherwise.
    pub(crate) fn aligned(&self, address: u64, width: usize) -> Result<usize, Trap> {
        if !address.is_multiple_of(width as u64) {
            return Err(Trap::HeapMisaligned);
        }
        self.address(address, width)?;
        Ok(address as usize)
    }

    /// The integer of 4 or 8 bytes at a place that [`SharedInst::aligned`] gave.
    pub(crate) fn load(&self, at: usize, width: usize) -> u64 {
        assert!(at + width <= self.size());
        // SAFETY: inside, and memories begin at a page.
        unsafe { load(self.base.wrapping_add(at), width) }
    }

    /// Copies bytes out. Others may be writing them.
    ///
    /// # Errors
    /// If they are not all inside; nothing is copied then.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let at = self.address(offset, buffer.len())?;
        // SAFETY: accessible for as long as `self`, and nobody has references there.
        unsafe { copy(buffer.as_mut_ptr(), at, buffer.len()) };
        Ok(())
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// As for [`SharedInst::read`].
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MemoryAccessError> {
        let at = self.address(offset, bytes.len())?;
        // SAFETY: as in `read`.
        unsafe { copy(at, bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    /// Writes `len` bytes of `value`.
    ///
    /// # Errors
    /// As for [`SharedInst::read`].
    pub(crate) fn fill(&self, offset: u64, value: u8, len: usize) -> Result<(), MemoryAccessError> {
        let at = self.address(offset, len)?;
        // SAFETY: as in `read`.
        unsafe { fill(at, value, len) };
        Ok(())
    }
}

// SAFETY: its bytes are accessed by instructions that the compiler does not look into
// or atomically, and all else is locked or atomic.
unsafe impl Send for SharedInst {}
// SAFETY: as above.
unsafe impl Sync for SharedInst {}
