//! Address space reserved for linear memories.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault::Entry;
use super::pages::{self, Access};
use super::shared::SharedPages;

/// Bytes that all reservations may have together: three quarters of what x86-64
/// gives a process. The rest is for the host, whose allocations must not fail
/// because guests have many memories.
const MOST: usize = 3 * (usize::MAX >> if usize::BITS == 64 { 19 } else { 2 });

/// Bytes of all reservations.
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// How much of the address space reservations may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// All that is for them.
    All,
    /// Half of that: for those of which few would leave nothing to others.
    Half,
}

/// A range of address space, inaccessible until parts of it are committed.
///
/// It costs no memory until committed pages are touched. The base is
/// page-aligned and never moves; dropping the value unmaps it. There is none
/// on systems without `mmap`: [`Reservation::new`] says `Unsupported` there.
#[derive(Debug)]
pub(crate) struct Reservation {
    base: NonNull<u8>,
    len: usize,
    /// What makes it a guest's to the fault handler; dropped before it is unmapped.
    entry: Option<Entry>,
}

impl Reservation {
    /// Reserves `bytes`, rounded up to whole host pages (at least one).
    ///
    /// # Errors
    /// The system's refusal; `Unsupported` where there is no `mmap`.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        Self::within(bytes, Share::All)
    }

    /// [`Reservation::new`] if all reservations together then have no more than
    /// `share`.
    ///
    /// # Errors
    /// As for `new`.
    pub(crate) fn within(bytes: usize, share: Share) -> io::Result<Self> {
        let most = match share {
            Share::All => MOST,
            Share::Half => MOST / 2,
        };
        let len = pages::round_up(bytes.max(1))?;
        let add = |reserved: usize| reserved.checked_add(len).filter(|sum| *sum <= most);
        let counted = RESERVED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        counted.map_err(|_| io::ErrorKind::OutOfMemory)?;
        match pages::reserve(len) {
            Ok(base) => Ok(Self { base, len, entry: None }),
            Err(error) => {
                RESERVED.fetch_sub(len, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Makes it one for guest code to run into: its faults in there end the run with
    /// [`super::FAULT_MEMORY`].
    ///
    /// # Errors
    /// As for `new`.
    pub(crate) fn for_guest(mut self) -> io::Result<Self> {
        self.entry = Some(Entry::memory(self.base.as_ptr() as usize, self.len)?);
        Ok(self)
    }

    /// The first byte's address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Reserved bytes, a multiple of the host page.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes `len` bytes from `offset` readable and writable; both are
    /// multiples of the host page. Pages committed before keep their contents,
    /// others read as zero.
    ///
    /// # Errors
    /// `InvalidInput` if the range is not page-aligned or not inside; otherwise
    /// the system's refusal, after which the accessible range may be
    /// anything between the old and the new one.
    pub(crate) fn commit(&self, offset: usize, len: usize) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: 1. `range` has checked that these are pages of `self`.
        // 2. no access is taken away.
        unsafe { pages::protect(at, len, Access::ReadWrite) }
    }

    /// Makes `len` bytes from `offset`, where no file is mapped, inaccessible and
    /// gives their contents back; both are multiples of the host page. Whoever
    /// still reads or writes there through [`Reservation::base`] faults.
    ///
    /// # Errors
    /// As for [`Reservation::commit`].
    pub(crate) fn decommit(&self, offset: usize, len: usize) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: 1. `range` has checked that these are pages of `self`.
        // 2. `base` gives raw pointers only; whoever makes references from
        // them sees to it that they end before pages are given back.
        unsafe { pages::reset(at, len) }
    }

    /// Gives back what was written to `len` bytes from `offset`: they are zeros,
    /// or what a file that is mapped copy-on-write has there.
    ///
    /// # Errors
    /// `InvalidInput` as for [`Reservation::commit`], or the system's refusal:
    /// some pages may be given back then.
    pub(crate) fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: as for `decommit`.
        unsafe { pages::discard(at, len) }
    }

    /// Maps `len` bytes of `pages` from `from` on at `offset`, in place of what
    /// was there. All are multiples of the host page.
    ///
    /// # Errors
    /// As for [`Reservation::renew`].
    pub(crate) fn map(
        &self,
        offset: usize,
        len: usize,
        pages: &SharedPages,
        from: u64,
        access: Access,
    ) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: `range` has checked that these are pages of `self`; `base`
        // gives raw pointers only.
        unsafe { pages.map(at, len, from, access) }
    }

    /// Maps `len` bytes of `pages` from `from` on copy-on-write at `offset`, in
    /// place of what was there. All are multiples of the host page.
    ///
    /// # Errors
    /// As for [`Reservation::renew`].
    pub(crate) fn map_private(&self, offset: usize, len: usize, pages: &SharedPages, from: u64) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: as for `map`.
        unsafe { pages.map_private(at, len, from) }
    }

    /// Puts zero pages in place of whatever stands at `len` bytes from `offset`.
    ///
    /// # Errors
    /// `InvalidInput` as for [`Reservation::commit`], or the system's refusal.
    /// Nothing has changed then.
    pub(crate) fn renew(&self, offset: usize, len: usize, access: Access) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: as for `map`.
        unsafe { pages::renew(at, len, access) }
    }

    /// Changes what may be done with `len` bytes from `offset`.
    ///
    /// # Errors
    /// As for [`Reservation::commit`].
    pub(crate) fn protect(&self, offset: usize, len: usize, access: Access) -> io::Result<()> {
        let Some(at) = self.range(offset, len)? else {
            return Ok(());
        };
        // SAFETY: as for `map`.
        unsafe { pages::protect(at, len, access) }
    }

    /// The address of a valid range, `None` if it is empty.
    fn range(&self, offset: usize, len: usize) -> io::Result<Option<*mut u8>> {
        let page = pages::page_size();
        let aligned = offset.is_multiple_of(page) && len.is_multiple_of(page);
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len());
        if !aligned || !inside {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok((len > 0).then(|| self.base.as_ptr().wrapping_add(offset)))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.entry = None;
        // SAFETY: 1. made by `reserve` with this length. 2. `base` is valid as
        // long as `self` only; that is its users' contract.
        unsafe { pages::release(self.base, self.len) };
        RESERVED.fetch_sub(self.len, Ordering::Relaxed);
    }
}

// SAFETY: the address space belongs to the process, not to a thread, and the
// operations on it are the kernel's, which orders them.
unsafe impl Send for Reservation {}
// SAFETY: as above; no method reads or writes the pages.
unsafe impl Sync for Reservation {}
