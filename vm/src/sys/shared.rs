//! Pages that several mappings share: anonymous ones (a memfd), or a file's.
//!
//! Other threads and other processes may write them at any time, so nobody
//! makes references into them: they are read and written by [`copy`] and
//! [`fill`], or through the file.

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) use imp::SharedPages;

use super::pages::{self, Access};

impl Access {
    /// Whether it includes all that `other` allows.
    pub(crate) fn includes(self, other: Self) -> bool {
        self as u8 >= other as u8
    }
}

/// The error for offsets and lengths that are not inside.
fn outside() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

#[cfg(unix)]
mod imp {
    use std::any::Any;
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::ptr::NonNull;
    use std::sync::OnceLock;

    use rustix::fs::{FileType, OFlags};

    use super::{Access, outside};
    use crate::sys::pages::{self, Sharing};

    /// Pages of an anonymous or named file. They live as long as anything
    /// maps them or has the file open.
    #[derive(Debug)]
    pub(crate) struct SharedPages {
        file: OwnedFd,
        len: usize,
        identity: (u64, u64),
        access: Access,
        can_shrink: bool,
        held: Held,
    }

    /// Something that is dropped with the pages.
    type Held = OnceLock<Box<dyn Any + Send + Sync>>;

    impl SharedPages {
        /// Keeps a value as long as the pages; false, and not, if there is one.
        pub(crate) fn hold(&self, value: Box<dyn Any + Send + Sync>) -> bool {
            self.held.set(value).is_ok()
        }

        /// `len` bytes of zeros, a multiple of the host page, whose size nobody
        /// can change.
        ///
        /// # Errors
        /// The system's refusal; `Unsupported` where there are no anonymous
        /// files.
        pub(crate) fn create(len: usize) -> io::Result<Self> {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                use rustix::fs::SealFlags;
                let file = anonymous_file(len)?;
                rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
                Self::adopt(file)
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            {
                let _ = len;
                Err(io::ErrorKind::Unsupported.into())
            }
        }

        /// `len` bytes, a multiple of the host page, that are what `write` makes of
        /// zeros, and that nobody can change.
        ///
        /// # Errors
        /// As for [`SharedPages::create`], or those of `write`.
        pub(crate) fn create_constant(len: usize, write: impl FnOnce(&Self) -> io::Result<()>) -> io::Result<Self> {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                use rustix::fs::SealFlags;
                let unsealed = Self::adopt(anonymous_file(len)?)?;
                write(&unsealed)?;
                let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
                rustix::fs::fcntl_add_seals(&unsealed.file, seals)?;
                Self::adopt(unsealed.file)
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            {
                let _ = (len, write);
                Err(io::ErrorKind::Unsupported.into())
            }
        }

        /// The pages of a regular file or of shared memory that is open already.
        ///
        /// # Errors
        /// `InvalidInput` if it is neither, or not open for reading; or the
        /// system's refusal.
        pub(crate) fn adopt(file: OwnedFd) -> io::Result<Self> {
            // First: what is sealed by now keeps the size that is found after.
            let seals = Seals::of(&file);
            let stat = rustix::fs::fstat(&file)?;
            let flags = rustix::fs::fcntl_getfl(&file)?;
            // Writes to those would not go where they are to.
            if flags.intersects(OFlags::APPEND | OFlags::PATH | OFlags::DIRECT) {
                return Err(outside());
            }
            let access = match flags & OFlags::RWMODE {
                OFlags::RDONLY => Access::Read,
                OFlags::RDWR if seals.write => Access::Read,
                OFlags::RDWR => Access::ReadWrite,
                _ => return Err(outside()),
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(outside());
            }
            Ok(Self {
                len: usize::try_from(stat.st_size).map_err(|_| outside())?,
                #[allow(clippy::useless_conversion, clippy::cast_lossless, reason = "types differ by system")]
                identity: (stat.st_dev as u64, stat.st_ino as u64),
                access,
                can_shrink: !seals.shrink,
                held: Held::new(),
                file,
            })
        }

        /// Bytes.
        pub(crate) fn len(&self) -> usize {
            self.len
        }

        /// What mappings may allow at most.
        pub(crate) fn access(&self) -> Access {
            self.access
        }

        /// Whether others may cut the file off, so that accesses fault.
        pub(crate) fn can_shrink(&self) -> bool {
            self.can_shrink
        }

        /// What is equal for all that have the same pages.
        pub(crate) fn identity(&self) -> (u64, u64) {
            self.identity
        }

        /// The file.
        pub(crate) fn fd(&self) -> BorrowedFd<'_> {
            self.file.as_fd()
        }

        /// The file opened once more, for reading only or for writing too.
        ///
        /// # Errors
        /// The system's refusal; `Unsupported` where a file cannot be opened by
        /// its descriptor.
        pub(crate) fn reopen(&self, writable: bool) -> io::Result<OwnedFd> {
            if writable {
                return Ok(rustix::io::fcntl_dupfd_cloexec(&self.file, 3)?);
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                use std::os::fd::AsRawFd;
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                Ok(rustix::fs::open(path, flags, rustix::fs::Mode::empty())?)
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Maps `len` bytes from `offset` at `at`, in place of what was there.
        ///
        /// # Errors
        /// The system's refusal; nothing has changed then.
        ///
        /// # Safety
        /// `at` and `len` are whole pages of a reservation, without references
        /// into them.
        pub(crate) unsafe fn map(&self, at: *mut u8, len: usize, offset: u64, access: Access) -> io::Result<()> {
            // SAFETY: the caller's promise.
            unsafe { pages::map_file(at, len, self.fd(), offset, access, Sharing::Shared) }
        }

        /// Maps `len` bytes from `offset` copy-on-write at `at`, in place of what
        /// was there.
        ///
        /// # Errors
        /// As for [`SharedPages::map`].
        ///
        /// # Safety
        /// As for [`SharedPages::map`].
        pub(crate) unsafe fn map_private(&self, at: *mut u8, len: usize, offset: u64) -> io::Result<()> {
            // SAFETY: the caller's promise.
            unsafe { pages::map_file(at, len, self.fd(), offset, Access::ReadWrite, Sharing::Private) }
        }

        /// Maps them all where there is room.
        ///
        /// # Errors
        /// The system's refusal.
        pub(crate) fn map_anywhere(&self, access: Access) -> io::Result<NonNull<u8>> {
            pages::map_file_anywhere(self.len, self.fd(), access)
        }

        /// Copies bytes out of the file. What the file no longer has is an error.
        ///
        /// # Errors
        /// The system's.
        pub(crate) fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
            while !buffer.is_empty() {
                match rustix::io::pread(&self.file, &mut *buffer, offset) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(n) => {
                        buffer = &mut buffer[n..];
                        offset += n as u64;
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }

        /// Copies bytes into the file, which stays as long as it is.
        ///
        /// # Errors
        /// `UnexpectedEof` if the file has become shorter, or the system's.
        pub(crate) fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
            let size = rustix::fs::fstat(&self.file)?.st_size;
            if i128::from(size) < i128::from(offset) + bytes.len() as i128 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            while !bytes.is_empty() {
                match rustix::io::pwrite(&self.file, bytes, offset) {
                    Ok(n) => {
                        bytes = &bytes[n..];
                        offset += n as u64;
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }
    }

    /// What nobody can do with a file any more.
    #[derive(Clone, Copy, Debug, Default)]
    struct Seals {
        /// Make it shorter.
        shrink: bool,
        /// Map it to write to it.
        write: bool,
    }

    impl Seals {
        fn of(file: &OwnedFd) -> Self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            {
                use rustix::fs::SealFlags;
                let Ok(seals) = rustix::fs::fcntl_get_seals(file) else {
                    return Self::default();
                };
                Self {
                    shrink: seals.contains(SealFlags::SHRINK),
                    write: seals.intersects(SealFlags::WRITE | SealFlags::FUTURE_WRITE),
                }
            }
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            {
                let _ = file;
                Self::default()
            }
        }
    }

    /// An anonymous file of `len` zeros that can be sealed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn anonymous_file(len: usize) -> io::Result<OwnedFd> {
        use rustix::fs::MemfdFlags;
        // The signal that goes with the limit would end the process.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
        if limit.is_some_and(|limit| limit < len as u64) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create(c"orcavm region", flags)?;
        rustix::fs::ftruncate(&file, len as u64)?;
        Ok(file)
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;
    use std::ptr::NonNull;

    use super::Access;

    /// There are none on this system.
    #[derive(Debug)]
    pub(crate) enum SharedPages {}

    impl SharedPages {
        /// There are none.
        pub(crate) fn hold(&self, _value: Box<dyn std::any::Any + Send + Sync>) -> bool {
            match *self {}
        }

        /// Refuses.
        pub(crate) fn create(_len: usize) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Refuses.
        pub(crate) fn create_constant(_len: usize, _write: impl FnOnce(&Self) -> io::Result<()>) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Maps nothing.
        ///
        /// # Safety
        /// None is needed.
        pub(crate) unsafe fn map_private(&self, _at: *mut u8, _len: usize, _offset: u64) -> io::Result<()> {
            match *self {}
        }

        /// Bytes.
        pub(crate) fn len(&self) -> usize {
            match *self {}
        }

        /// What mappings may allow at most.
        pub(crate) fn access(&self) -> Access {
            match *self {}
        }

        /// Whether others may cut the file off.
        pub(crate) fn can_shrink(&self) -> bool {
            match *self {}
        }

        /// What is equal for all that have the same pages.
        pub(crate) fn identity(&self) -> (u64, u64) {
            match *self {}
        }

        /// Maps nothing.
        ///
        /// # Safety
        /// None is needed.
        pub(crate) unsafe fn map(&self, _at: *mut u8, _len: usize, _offset: u64, _access: Access) -> io::Result<()> {
            match *self {}
        }

        /// Maps nothing.
        pub(crate) fn map_anywhere(&self, _access: Access) -> io::Result<NonNull<u8>> {
            match *self {}
        }

        /// Reads nothing.
        pub(crate) fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<()> {
            match *self {}
        }

        /// Writes nothing.
        pub(crate) fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
            match *self {}
        }
    }
}

/// Pages mapped for the host, whose file cannot become shorter.
#[derive(Debug)]
pub(crate) struct HostView {
    base: NonNull<u8>,
    len: usize,
    access: Access,
    /// Kept alive, with its seal.
    _pages: Arc<SharedPages>,
}

impl HostView {
    /// Maps them all.
    ///
    /// # Errors
    /// `InvalidInput` if the file may become shorter, or the system's refusal.
    pub(crate) fn new(pages: Arc<SharedPages>, access: Access) -> io::Result<Self> {
        if pages.can_shrink() || !pages.access().includes(access) {
            return Err(outside());
        }
        Ok(Self {
            base: pages.map_anywhere(access)?,
            len: pages.len(),
            access,
            _pages: pages,
        })
    }

    /// Bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A byte, `None` beyond the end.
    pub(crate) fn load(&self, index: usize) -> Option<u8> {
        // SAFETY: inside the mapping, which may be read; others access its
        // bytes atomically or are other processes and guests.
        let byte = |index| unsafe { (*self.base.as_ptr().add(index).cast::<AtomicU8>()).load(Ordering::Relaxed) };
        (index < self.len).then(|| byte(index))
    }

    /// Copies bytes out; false if they are not all inside.
    pub(crate) fn read(&self, offset: usize, buffer: &mut [u8]) -> bool {
        let is_inside = offset.checked_add(buffer.len()).is_some_and(|end| end <= self.len);
        if is_inside {
            let from = self.base.as_ptr().wrapping_add(offset);
            // SAFETY: both may be accessed, as checked and borrowed.
            unsafe { copy(buffer.as_mut_ptr(), from, buffer.len()) };
        }
        is_inside
    }

    /// The bytes, if they may be written.
    pub(crate) fn atomics(&self) -> Option<&[AtomicU8]> {
        if self.access != Access::ReadWrite {
            return None;
        }
        // SAFETY: the mapping lives as long as `self`, is readable and writable,
        // and atomics may be written by others at any time.
        Some(unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast::<AtomicU8>(), self.len) })
    }
}

impl Drop for HostView {
    fn drop(&mut self) {
        // SAFETY: reserved by `new` with this length, and no longer used.
        unsafe { pages::release(self.base, self.len) };
    }
}

// SAFETY: the mapping belongs to the process; its bytes are accessed
// atomically or by instructions the compiler does not look into.
unsafe impl Send for HostView {}
// SAFETY: as above.
unsafe impl Sync for HostView {}

/// Copies `len` bytes, in ascending order, between pages that others may write
/// meanwhile.
///
/// # Safety
/// The bytes from `from` may be read and those from `to` written, for the
/// machine: no reference covers them but the caller's own buffer.
pub(crate) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; the direction flag is clear in Rust code.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rdi") to => _, inout("rsi") from => _, inout("rcx") len => _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        for i in 0..len {
            // SAFETY: the caller's promise.
            let byte = unsafe { (*from.add(i).cast::<AtomicU8>()).load(Ordering::Relaxed) };
            // SAFETY: as above.
            unsafe { (*to.add(i).cast::<AtomicU8>()).store(byte, Ordering::Relaxed) };
        }
    }
}

/// Writes `len` bytes of `value` to pages that others may write meanwhile.
///
/// # Safety
/// As for [`copy`].
pub(crate) unsafe fn fill(to: *mut u8, value: u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `copy`.
    unsafe {
        std::arch::asm!(
            "rep stosb",
            inout("rdi") to => _, in("al") value, inout("rcx") len => _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        for i in 0..len {
            // SAFETY: the caller's promise.
            unsafe { (*to.add(i).cast::<AtomicU8>()).store(value, Ordering::Relaxed) };
        }
    }
}

/// Reads the integer of 4 or 8 bytes at an address, all at once, in an order with all
/// other atomic accesses.
///
/// # Safety
/// 1. The bytes may be read, for the machine: no reference covers them.
/// 2. The address is a multiple of `width`, which is 4 or 8.
pub(crate) unsafe fn load(at: *const u8, width: usize) -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise; aligned reads are not torn.
    unsafe {
        let value: u64;
        match width {
            4 => std::arch::asm!("mov {0:e}, dword ptr [{1}]", lateout(reg) value, in(reg) at, options(nostack)),
            _ => std::arch::asm!("mov {0}, qword ptr [{1}]", lateout(reg) value, in(reg) at, options(nostack)),
        }
        value
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::atomic::{AtomicU32, AtomicU64};
        match width {
            // SAFETY: the caller's promise.
            4 => unsafe { &*at.cast::<AtomicU32>() }.load(Ordering::SeqCst).into(),
            // SAFETY: the caller's promise.
            _ => unsafe { &*at.cast::<AtomicU64>() }.load(Ordering::SeqCst),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags};

    use super::*;
    use crate::sys::Reservation;

    fn file(len: u64) -> std::os::fd::OwnedFd {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create(c"test", flags).expect("memory");
        rustix::fs::ftruncate(&file, len).expect("memory");
        file
    }

    #[test]
    fn what_is_sealed_against_writing_is_read_only() {
        for seal in [SealFlags::WRITE, SealFlags::FUTURE_WRITE] {
            let file = file(4096);
            rustix::fs::fcntl_add_seals(&file, seal | SealFlags::SHRINK).expect("not sealed yet");
            let pages = SharedPages::adopt(file).expect("a file");
            assert_eq!((pages.access(), pages.can_shrink()), (Access::Read, false));
        }
        assert!(SharedPages::adopt(file(4096)).expect("a file").can_shrink());
    }

    #[test]
    fn nobody_seals_a_region_of_ours() {
        let pages = SharedPages::create(4096).expect("memory");
        assert!(rustix::fs::fcntl_add_seals(pages.fd(), SealFlags::WRITE).is_err());
        let constant = SharedPages::create_constant(4096, |pages| pages.write_at(8, b"orca")).expect("memory");
        assert_eq!((constant.access(), constant.can_shrink()), (Access::Read, false));
        assert!(constant.write_at(0, b"x").is_err());
        let mut bytes = [0; 6];
        constant.read_at(7, &mut bytes).expect("inside");
        assert_eq!(&bytes, b"\0orca\0");
    }

    /// A mapping that the system refuses leaves the pages that are there.
    #[test]
    fn a_refused_mapping_changes_nothing() {
        let reservation = Reservation::new(0x4000).expect("address space");
        reservation.commit(0, 0x4000).expect("memory");
        // SAFETY: committed, and nobody else's.
        unsafe { reservation.base().add(0x1000).write(7) };
        let sealed = file(0x1000);
        rustix::fs::fcntl_add_seals(&sealed, SealFlags::FUTURE_WRITE).expect("not sealed yet");
        let pages = SharedPages::adopt(sealed).expect("a file");
        reservation
            .map(0x1000, 0x1000, &pages, 0, Access::ReadWrite)
            .expect_err("sealed");
        // SAFETY: as above.
        assert_eq!(unsafe { reservation.base().add(0x1000).read() }, 7);
        reservation
            .map(0x1000, 0x1000, &pages, 0, Access::Read)
            .expect("reading is allowed");
        // SAFETY: as above.
        assert_eq!(unsafe { reservation.base().add(0x1000).read() }, 0);
    }
}
