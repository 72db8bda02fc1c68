//! Regions: pages that several memories and processes share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use crate::error::RegionError;
use crate::exec::mappings;
use crate::sys;
use crate::sys::shared::{HostView, SharedPages};

/// What may be done with pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// They may be read. A write is the trap [`Trap::ReadOnlyMemory`](crate::Trap::ReadOnlyMemory).
    Read,
    /// They may be read and written.
    ReadWrite,
}

impl Access {
    pub(crate) fn of_pages(self) -> sys::Access {
        match self {
            Self::Read => sys::Access::Read,
            Self::ReadWrite => sys::Access::ReadWrite,
        }
    }

    fn from_pages(access: sys::Access) -> Self {
        match access {
            sys::Access::None | sys::Access::Read => Self::Read,
            sys::Access::ReadWrite => Self::ReadWrite,
        }
    }
}

/// Pages of memory that can be mapped into any number of memories, with
/// [`Memory::map`](crate::Memory::map): all see the same bytes.
///
/// A clone means the same pages. They live until the last of them is dropped
/// and nothing maps them any more. Nobody's bytes are ever in a region that it
/// was not given: a new one is all zeros.
///
/// Regions are made of an anonymous file (Linux), or of a file that is open.
/// Another process that is given its file descriptor, by inheritance or over a
/// socket, can [adopt](Region::adopt) the same region.
///
/// ```
/// use vm::Region;
///
/// # fn main() -> Result<(), vm::RegionError> {
/// let region = Region::new(4096)?;
/// region.write(100, b"orca")?;
/// let mut seen = [0; 4];
/// region.read_only().read(100, &mut seen)?;
/// assert_eq!(&seen, b"orca");
/// assert!(region.read_only().write(100, b"blue").is_err());
/// assert!(Region::new(100).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Region {
    pages: Arc<SharedPages>,
    access: Access,
}

impl Region {
    /// A region of `bytes` zeros, a positive multiple of the host's page
    /// ([`Region::page_size`]), whose size never changes.
    ///
    /// # Errors
    /// If the size is another, or the system does not allow it.
    pub fn new(bytes: u64) -> Result<Self, RegionError> {
        let len = check_size(bytes)?;
        let pages = SharedPages::create(len).map_err(|source| RegionError::System {
            what: "the region's memory",
            source,
        })?;
        Self::of(pages)
    }

    /// The region that is the contents of an open file, or shared memory that
    /// another process made. It may be written if the file is open for writing.
    ///
    /// Where others make the file shorter, accesses to what is gone are the trap
    /// [`Trap::MemoryOutOfBounds`](crate::Trap::MemoryOutOfBounds). Only memories with guard pages can have
    /// such a region.
    ///
    /// # Errors
    /// If it is no regular file, or its size no positive multiple of the host's
    /// page.
    #[cfg(unix)]
    pub fn adopt(file: impl Into<std::os::fd::OwnedFd>) -> Result<Self, RegionError> {
        let pages = SharedPages::adopt(file.into()).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidInput => RegionError::NotAFile,
            _ => RegionError::System {
                what: "to look at the file",
                source,
            },
        })?;
        Self::of(pages)
    }

    /// A file descriptor for another process to adopt. A read-only region gives
    /// one that is open for reading only; a process of the same user could open
    /// the file behind it once more.
    ///
    /// # Errors
    /// If the system does not allow one more.
    #[cfg(unix)]
    pub fn to_fd(&self) -> Result<std::os::fd::OwnedFd, RegionError> {
        let writable = self.access == Access::ReadWrite;
        self.pages.reopen(writable).map_err(|source| RegionError::System {
            what: "another file descriptor",
            source,
        })
    }

    /// Keeps a value until nothing has the region's pages any more, neither a
    /// handle nor a mapping: what they count for ([`Charge`](crate::Charge)), say.
    /// False, and the value is dropped, if there is one already.
    pub fn hold(&self, value: impl std::any::Any + Send + Sync) -> bool {
        self.pages.hold(Box::new(value))
    }

    fn of(pages: SharedPages) -> Result<Self, RegionError> {
        check_size(pages.len() as u64)?;
        Ok(Self {
            access: Access::from_pages(pages.access()),
            pages: Arc::new(pages),
        })
    }

    /// The same region for those who may only read it.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self {
            pages: Arc::clone(&self.pages),
            access: Access::Read,
        }
    }

    /// Bytes of a host page, of which all sizes and addresses are multiples.
    pub fn page_size() -> usize {
        sys::page_size()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.pages.len() as u64
    }

    /// What this handle allows.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether the other one is the same pages.
    pub fn is_same(&self, other: &Self) -> bool {
        self.pages.identity() == other.pages.identity()
    }

    /// Copies bytes out, from `offset` on. Others may be writing them.
    ///
    /// # Errors
    /// If they are not all inside.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), RegionError> {
        self.check_range(offset, buffer.len())?;
        self.pages
            .read_at(offset, buffer)
            .map_err(|source| self.failed("to read the region", source))
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// If they are not all inside, or the handle is read-only.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), RegionError> {
        self.check(Access::ReadWrite)?;
        self.check_range(offset, bytes.len())?;
        self.pages
            .write_at(offset, bytes)
            .map_err(|source| self.failed("to write the region", source))
    }

    /// Maps the region for the host, which then accesses its bytes without
    /// copies.
    ///
    /// # Errors
    /// If others may make the region smaller, or the system refuses.
    pub fn view(&self) -> Result<RegionView, RegionError> {
        if self.pages.can_shrink() {
            return Err(RegionError::MayShrink);
        }
        let view = HostView::new(Arc::clone(&self.pages), self.access.of_pages());
        Ok(RegionView(view.map_err(|source| RegionError::System {
            what: "the mapping",
            source,
        })?))
    }

    fn failed(&self, what: &'static str, source: io::Error) -> RegionError {
        RegionError::System { what, source }
    }

    /// Says that the handle allows `access`.
    pub(crate) fn check(&self, access: Access) -> Result<(), RegionError> {
        if access > self.access {
            return Err(RegionError::ReadOnly);
        }
        Ok(())
    }

    fn check_range(&self, offset: u64, len: usize) -> Result<(), RegionError> {
        let (len, size) = (len as u64, self.size());
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(RegionError::OutsideRegion { offset, len, size });
        }
        Ok(())
    }

    /// The pages.
    pub(crate) fn pages(&self) -> &Arc<SharedPages> {
        &self.pages
    }
}

/// The size in bytes, if a region can have it.
fn check_size(bytes: u64) -> Result<usize, RegionError> {
    if bytes == 0 {
        return Err(RegionError::Empty);
    }
    if !bytes.is_multiple_of(sys::page_size() as u64) {
        return Err(RegionError::Misaligned {
            what: "size",
            value: bytes,
        });
    }
    usize::try_from(bytes).map_err(|_| RegionError::System {
        what: "the region's memory",
        source: io::ErrorKind::OutOfMemory.into(),
    })
}

/// A region's bytes as the host sees them, without copies; see [`Region::view`].
///
/// Others may write them at any time, so they are atomic.
///
/// ```
/// use std::sync::atomic::Ordering::Relaxed;
/// use vm::Region;
///
/// # fn main() -> Result<(), vm::RegionError> {
/// let region = Region::new(4096)?;
/// let view = region.view()?;
/// view.bytes_mut().unwrap()[7].store(42, Relaxed);
/// assert_eq!(region.read_only().view()?.load(7), Some(42));
/// assert!(region.read_only().view()?.bytes_mut().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RegionView(HostView);

impl RegionView {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which no region allows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A byte, `None` beyond the end.
    pub fn load(&self, index: usize) -> Option<u8> {
        self.0.load(index)
    }

    /// Copies bytes out, from `offset` on; false if they are not all inside.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> bool {
        self.0.read(offset, buffer)
    }

    /// The bytes, to be read and written; `None` if the region may only be read.
    pub fn bytes_mut(&self) -> Option<&[AtomicU8]> {
        self.0.atomics()
    }
}

/// A part of a memory where a region is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// The first address.
    pub address: u64,
    /// Bytes.
    pub len: u64,
    /// The first byte in the region.
    pub offset: u64,
    /// What may be done there.
    pub access: Access,
    identity: (u64, u64),
}

impl Mapping {
    pub(crate) fn new(mapping: &mappings::Mapping) -> Self {
        Self {
            address: mapping.start as u64,
            len: mapping.len as u64,
            offset: mapping.offset as u64,
            access: Access::from_pages(mapping.access),
            identity: mapping.pages.identity(),
        }
    }

    /// Whether it is of the same region as another one, maybe of another memory.
    pub fn is_of_same(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Whether it is of this region.
    pub fn is_of(&self, region: &Region) -> bool {
        self.identity == region.pages().identity()
    }
}
