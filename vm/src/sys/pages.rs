//! Page operations: reserve, make accessible, take back, release.
//!
//! On Unix they are `mmap` and its relatives; elsewhere [`reserve`] refuses
//! with [`std::io::ErrorKind::Unsupported`] and the others are never reached.

use std::io;

pub(crate) use imp::page_size;
#[cfg(unix)]
pub(super) use imp::{Sharing, map_file, map_file_anywhere};
pub(super) use imp::{discard, keep_apart, protect, release, renew, reserve, reset};

/// What may be done with a range of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing: any access faults.
    None,
    /// Reads.
    Read,
    /// Reads and writes.
    ReadWrite,
}

/// `bytes` rounded up to whole host pages.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if that does not fit an address.
pub(super) fn round_up(bytes: usize) -> io::Result<usize> {
    bytes
        .checked_next_multiple_of(page_size())
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(unix)]
mod imp {
    use std::ffi::c_void;
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::ptr::{NonNull, null_mut};

    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

    use super::Access;

    /// Bytes of a host page.
    pub(crate) fn page_size() -> usize {
        rustix::param::page_size()
    }

    /// Private, anonymous, and on systems that say so with no claim on swap.
    fn flags() -> MapFlags {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
        return MapFlags::PRIVATE | MapFlags::NORESERVE;
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
        MapFlags::PRIVATE
    }

    /// `len` bytes of inaccessible address space, `len` a positive multiple of
    /// the page size. Once made accessible they read as zero.
    ///
    /// # Errors
    /// The system's, when the address space or its limits do not allow it.
    pub(crate) fn reserve(len: usize) -> io::Result<NonNull<u8>> {
        // SAFETY: a null hint without MAP_FIXED: the kernel picks addresses
        // that nobody uses.
        let base = unsafe { rustix::mm::mmap_anonymous(null_mut(), len, ProtFlags::empty(), flags()) }?;
        NonNull::new(base.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Sets what may be done with the `len` bytes from `at`. Async-signal-safe
    /// on Linux.
    ///
    /// # Safety
    /// 1. `at` and `len` are multiples of the page size and describe pages
    ///    that came from [`reserve`] and have not been released.
    /// 2. Nobody has references into them that rely on the access taken away.
    pub(crate) unsafe fn protect(at: *mut u8, len: usize, access: Access) -> io::Result<()> {
        let flags = match access {
            Access::None => MprotectFlags::empty(),
            Access::Read => MprotectFlags::READ,
            Access::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
        };
        // SAFETY: the caller's 1 and 2.
        unsafe { rustix::mm::mprotect(at.cast::<c_void>(), len, flags) }?;
        Ok(())
    }

    /// Gives back the contents of the `len` bytes from `at` and makes them
    /// inaccessible: they are as after [`reserve`].
    ///
    /// # Safety
    /// As for [`protect`]; and no file is mapped there.
    pub(crate) unsafe fn reset(at: *mut u8, len: usize) -> io::Result<()> {
        // SAFETY: the caller's 1 and 2.
        if unsafe { discard(at, len) }.is_ok() {
            // SAFETY: the caller's 1 and 2.
            return unsafe { protect(at, len, Access::None) };
        }
        // SAFETY: the caller's 1 and 2.
        unsafe { renew(at, len, Access::None) }
    }

    /// Gives back what was written to the `len` bytes from `at`: they are zeros,
    /// or what a file that is mapped privately has there. What is shared stays.
    ///
    /// # Errors
    /// `Unsupported` where the system cannot do that, or its refusal, of locked
    /// pages for instance: some pages may be given back then.
    ///
    /// # Safety
    /// As for [`protect`].
    pub(crate) unsafe fn discard(at: *mut u8, len: usize) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // SAFETY: the caller's 1 and 2.
            unsafe { rustix::mm::madvise(at.cast(), len, rustix::mm::Advice::LinuxDontNeed) }?;
            Ok(())
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = (at, len);
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Puts zero pages in place of the `len` bytes from `at`, whatever is mapped
    /// there.
    ///
    /// # Errors
    /// The system's refusal; nothing has changed then.
    ///
    /// # Safety
    /// As for [`protect`].
    pub(crate) unsafe fn renew(at: *mut u8, len: usize, access: Access) -> io::Result<()> {
        // SAFETY: no address is asked for; or that of the caller's 1 and 2.
        let map = |at, fixed| unsafe { rustix::mm::mmap_anonymous(at, len, prot(access), flags() | fixed) };
        // SAFETY: the caller's 1 and 2.
        unsafe { replace(at, len, map) }
    }

    /// Whose pages a file's are where they are mapped.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Sharing {
        /// The file's: writes go there.
        Shared,
        /// The mapping's own, once they are written.
        Private,
    }

    /// Maps `len` bytes of a file from `offset` on in place of the bytes from
    /// `at`.
    ///
    /// # Errors
    /// The system's refusal; nothing has changed then.
    ///
    /// # Safety
    /// As for [`protect`].
    pub(crate) unsafe fn map_file(
        at: *mut u8,
        len: usize,
        file: BorrowedFd<'_>,
        offset: u64,
        access: Access,
        sharing: Sharing,
    ) -> io::Result<()> {
        let flags = match sharing {
            Sharing::Shared => MapFlags::SHARED,
            Sharing::Private => flags(),
        };
        // SAFETY: no address is asked for; or that of the caller's 1 and 2.
        let map = |at, fixed| unsafe { rustix::mm::mmap(at, len, prot(access), flags | fixed, file, offset) };
        // SAFETY: the caller's 1 and 2.
        unsafe { replace(at, len, map) }
    }

    /// Maps all `len` bytes of a file, shared, where there is room.
    ///
    /// # Errors
    /// The system's refusal.
    pub(crate) fn map_file_anywhere(len: usize, file: BorrowedFd<'_>, access: Access) -> io::Result<NonNull<u8>> {
        // SAFETY: a null hint without MAP_FIXED: addresses that nobody uses.
        let base = unsafe { rustix::mm::mmap(null_mut(), len, prot(access), MapFlags::SHARED, file, 0) }?;
        NonNull::new(base.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Maps over the `len` bytes from `at` with `map`, which takes an address and
    /// more flags.
    ///
    /// A mapping at a fixed address that fails may have unmapped what was there,
    /// and then others' pages could come to stand among a guest's. So the
    /// system is asked for the same at another address first.
    ///
    /// # Errors
    /// The system's refusal; nothing has changed then.
    ///
    /// # Safety
    /// As for [`protect`].
    unsafe fn replace(
        at: *mut u8,
        len: usize,
        map: impl Fn(*mut c_void, MapFlags) -> rustix::io::Result<*mut c_void>,
    ) -> io::Result<()> {
        let trial = map(null_mut(), MapFlags::empty())?;
        let result = map(at.cast(), MapFlags::FIXED);
        // SAFETY: mapped above, and nobody else knows of it.
        let released = unsafe { rustix::mm::munmap(trial, len) };
        debug_assert!(released.is_ok(), "munmap of a whole mapping: {released:?}");
        let Err(error) = result else { return Ok(()) };
        // SAFETY: it writes nothing to private and waits for nothing: it asks
        // whether there are pages.
        if unsafe { rustix::mm::msync(at.cast(), len, rustix::mm::MsyncFlags::ASYNC) }.is_err() {
            // A hole in a guest's address space.
            std::process::abort();
        }
        Err(error.into())
    }

    /// The protection that allows `access`.
    fn prot(access: Access) -> ProtFlags {
        match access {
            Access::None => ProtFlags::empty(),
            Access::Read => ProtFlags::READ,
            Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        }
    }

    /// Gives the `len` bytes from `at` a property of their own, so that the
    /// kernel never merges them with neighbours of equal access. Changing their
    /// access then needs no new mapping, of which a process has a limited
    /// number, and so cannot fail for want of one. Best effort.
    ///
    /// # Safety
    /// They are whole pages that came from [`reserve`].
    pub(crate) unsafe fn keep_apart(at: *mut u8, len: usize) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            // SAFETY: advice about pages of ours that changes no contents. It
            // fails where the kernel has no huge pages, and then costs nothing.
            let _best_effort = unsafe { rustix::mm::madvise(at.cast(), len, rustix::mm::Advice::LinuxNoHugepage) };
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = (at, len);
    }

    /// Releases the `len` bytes from `at`.
    ///
    /// # Safety
    /// 1. They are exactly what one [`reserve`] gave.
    /// 2. Nobody uses them any more.
    pub(crate) unsafe fn release(at: NonNull<u8>, len: usize) {
        // SAFETY: the caller's 1 and 2.
        let released = unsafe { rustix::mm::munmap(at.as_ptr().cast(), len) };
        debug_assert!(released.is_ok(), "munmap of a whole mapping: {released:?}");
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;
    use std::ptr::NonNull;

    use super::Access;

    /// Bytes to which sizes are rounded; nothing is mapped here.
    pub(crate) fn page_size() -> usize {
        4096
    }

    /// Refuses.
    pub(crate) fn reserve(_len: usize) -> io::Result<NonNull<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn protect(_at: *mut u8, _len: usize, _access: Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn reset(_at: *mut u8, _len: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn discard(_at: *mut u8, _len: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn renew(_at: *mut u8, _len: usize, _access: Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does nothing.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn keep_apart(_at: *mut u8, _len: usize) {}

    /// Does nothing: [`reserve`] has given nothing.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn release(_at: NonNull<u8>, _len: usize) {}
}
