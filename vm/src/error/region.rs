//! What can be wrong with regions and with mapping them.

use std::io;

use crate::sys;

/// Why a region could not be made, mapped or changed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegionError {
    /// A size, an address or an offset that is no multiple of the host's page.
    #[error(
        "the {what} {value:#x} is not a multiple of the host page, {} bytes",
        sys::page_size()
    )]
    Misaligned {
        /// `size`, `address` or `offset`.
        what: &'static str,
        /// What it is, in bytes.
        value: u64,
    },
    /// A size of 0.
    #[error("a region and a mapping have one page at least")]
    Empty,
    /// Bytes that the region does not have.
    #[error("bytes {offset:#x}..{:#x} are not in a region of {size:#x} bytes", u128::from(*.offset) + u128::from(*.len))]
    OutsideRegion {
        /// The first byte.
        offset: u64,
        /// Bytes.
        len: u64,
        /// Bytes of the region.
        size: u64,
    },
    /// Addresses where nothing can be mapped.
    #[error(
        "addresses {address:#x}..{:#x} are not in the {capacity:#x} bytes where this memory can have mappings",
        u128::from(*.address) + u128::from(*.len)
    )]
    OutsideMemory {
        /// The first address.
        address: u64,
        /// Bytes.
        len: u64,
        /// The address after the last one that can be mapped.
        capacity: u64,
    },
    /// Addresses where a region is mapped already.
    #[error("a region is mapped at {at:#x} already; unmap it first")]
    Occupied {
        /// The first address that is mapped.
        at: u64,
    },
    /// Addresses where no region is mapped.
    #[error("no region is mapped at {at:#x}")]
    NotMapped {
        /// The first address that is not.
        at: u64,
    },
    /// Writing was asked for, and the region is read-only.
    #[error("the region may only be read")]
    ReadOnly,
    /// The memory's accesses are checked one by one, and the region's file may
    /// become shorter.
    #[error("a region that others may make smaller cannot be mapped into a memory without guard pages")]
    MayShrink,
    /// The memory has too many mappings.
    #[error("a memory has {limit} mappings at most")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Not a file whose pages can be shared.
    #[error("only a regular file or shared memory that is open for reading can be a region")]
    NotAFile,
    /// This memory is not made of pages of address space.
    #[error("nothing can be mapped into this memory: {reason}")]
    Unsupported {
        /// Why not.
        reason: &'static str,
    },
    /// The operating system refused.
    #[error("the system refused {what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Its reason.
        source: io::Error,
    },
}
