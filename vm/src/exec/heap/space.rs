//! The address space of a heap: reserved at once, made accessible in steps.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;

use crate::sys::{self, Reservation};

/// Sizes of spaces are multiples of this, and so are the steps by which they become
/// accessible: a multiple of any host page.
pub(super) const STEP: usize = 64 << 10;

/// A heap's bytes. Their address never changes; those that have become accessible
/// stay so, and are zeros at first.
#[derive(Debug)]
pub(super) struct Space {
    base: NonNull<u8>,
    bytes: usize,
    accessible: usize,
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Reserved(Reservation),
    /// Where address space cannot be reserved. All of it is accessible.
    Allocated(Layout),
}

impl Space {
    /// A space of `bytes`, a positive multiple of [`STEP`], or as much as there is
    /// address space for.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let mut bytes = bytes;
        loop {
            match Self::exactly(bytes) {
                Err(_) if bytes > STEP => bytes = (bytes / 2).next_multiple_of(STEP),
                made => return made,
            }
        }
    }

    fn exactly(bytes: usize) -> io::Result<Self> {
        match Reservation::new(bytes) {
            Ok(pages) => Ok(Self {
                base: NonNull::new(pages.base()).ok_or(io::ErrorKind::OutOfMemory)?,
                bytes,
                accessible: 0,
                memory: Memory::Reserved(pages),
            }),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Self::allocated(bytes),
            Err(error) => Err(error),
        }
    }

    /// A space that is one allocation.
    fn allocated(bytes: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(bytes, 16).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: spaces have a step at least.
        let base = unsafe { alloc_zeroed(layout) };
        Ok(Self {
            base: NonNull::new(base).ok_or(io::ErrorKind::OutOfMemory)?,
            bytes,
            accessible: 0,
            memory: Memory::Allocated(layout),
        })
    }

    /// The first byte's address.
    pub(super) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes that may become accessible.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that are accessible, from the first on.
    pub(super) fn accessible(&self) -> usize {
        self.accessible
    }

    /// Makes the first `bytes` accessible, a multiple of [`STEP`] up to
    /// [`Space::bytes`].
    ///
    /// # Errors
    /// The system's refusal; nothing has changed then.
    pub(super) fn grow(&mut self, bytes: usize) -> io::Result<()> {
        debug_assert!(bytes <= self.bytes && bytes.is_multiple_of(STEP));
        if let Memory::Reserved(pages) = &self.memory {
            pages.commit(self.accessible, bytes.saturating_sub(self.accessible))?;
        }
        self.accessible = self.accessible.max(bytes);
        Ok(())
    }

    /// Makes accessible bytes zeros, by giving their pages back if possible.
    ///
    /// # Safety
    /// They are accessible, and no object is in them.
    pub(super) unsafe fn clear(&self, from: usize, bytes: usize) {
        let page = sys::page_size();
        if let Memory::Reserved(pages) = &self.memory
            && bytes >= LARGE
            && from.is_multiple_of(page)
            && bytes.is_multiple_of(page)
            && pages.discard(from, bytes).is_ok()
        {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { self.base().add(from).write_bytes(0, bytes) };
    }

    /// Gives the pages of accessible bytes back to the system; they are zeros then.
    /// `from` and `bytes` are multiples of the host page.
    ///
    /// # Safety
    /// As for [`Space::clear`].
    pub(super) unsafe fn give_back(&self, from: usize, bytes: usize) -> bool {
        match &self.memory {
            Memory::Reserved(pages) => pages.discard(from, bytes).is_ok(),
            Memory::Allocated(_) => false,
        }
    }
}

/// Bytes from which on it is faster to have new pages than to write zeros.
const LARGE: usize = 4 << 20;

impl Drop for Space {
    fn drop(&mut self) {
        if let Memory::Allocated(layout) = &self.memory {
            // SAFETY: allocated by `allocated` with this layout; its heap is gone.
            unsafe { dealloc(self.base.as_ptr(), *layout) };
        }
    }
}

// SAFETY: the bytes belong to the value alone, which is a part of a store.
unsafe impl Send for Space {}
// SAFETY: shared references give the address only.
unsafe impl Sync for Space {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_accessible_in_steps_and_stay_where_they_are() {
        let reserved = Space::new(1 << 30).expect("address space");
        let allocated = Space::allocated(1 << 20).expect("memory");
        for mut space in [reserved, allocated] {
            let base = space.base();
            for bytes in [STEP, 3 * STEP] {
                space.grow(bytes).expect("memory");
                assert_eq!((space.base(), space.accessible()), (base, bytes));
                // SAFETY: accessible.
                let last = unsafe { &mut *base.add(bytes - 1) };
                assert_eq!(*last, 0);
                *last = 7;
            }
            // SAFETY: nobody uses them.
            unsafe { space.clear(2 * STEP, STEP) };
            // SAFETY: accessible.
            assert_eq!(unsafe { base.add(3 * STEP - 1).read() }, 0);
            // SAFETY: accessible.
            assert_eq!(unsafe { base.add(STEP - 1).read() }, 7);
        }
    }
}
