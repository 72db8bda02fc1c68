//! Memory types (Spec 3.0 §2.3.15), with what the memory64, threads and
//! custom-page-sizes proposals add.

use std::fmt;

use super::print::limits;
use crate::error::TypeError;

/// The type of a memory: its size in pages, and the pages' size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    pub(super) minimum: u64,
    pub(super) maximum: Option<u64>,
    pub(super) page_size_log2: u32,
    pub(super) is_64: bool,
    pub(super) shared: bool,
}

/// Pages are of 64 KiB unless a type says otherwise.
pub(super) const DEFAULT_PAGE_LOG2: u32 = 16;

impl MemoryType {
    /// A memory that need not have any page.
    const EMPTY: Self = Self {
        minimum: 0,
        maximum: None,
        page_size_log2: DEFAULT_PAGE_LOG2,
        is_64: false,
        shared: false,
    };

    /// A memory of at least `minimum` and at most `maximum` pages of 64 KiB.
    pub fn new(minimum: u32, maximum: Option<u32>) -> Self {
        Self {
            minimum: minimum.into(),
            maximum: maximum.map(u64::from),
            ..Self::EMPTY
        }
    }

    /// Begins a type of another kind: with 64-bit addresses, other pages, or
    /// shared.
    pub fn builder() -> MemoryTypeBuilder {
        MemoryTypeBuilder(Self::EMPTY)
    }

    /// The type with another minimum size.
    pub(crate) fn with_minimum(self, minimum: u64) -> Self {
        Self { minimum, ..self }
    }

    /// Pages it has at first.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Pages it can never exceed, if the type says so.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// Whether its addresses are of type `i64`.
    pub fn is_64(&self) -> bool {
        self.is_64
    }

    /// Whether several threads may use it at once.
    pub fn is_shared(&self) -> bool {
        self.shared
    }
}

/// Makes [`MemoryType`]s of all kinds; at first an unshared memory of at least
/// 0 pages of 64 KiB, with 32-bit addresses.
///
/// ```
/// use vm::MemoryType;
///
/// # fn main() -> Result<(), vm::Error> {
/// let ty = MemoryType::builder().min(1).max(Some(1000)).page_size_log2(0).build()?;
/// assert_eq!(ty.to_string(), "(memory 1 1000 (pagesize 1))");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTypeBuilder(MemoryType);

impl MemoryTypeBuilder {
    /// Pages it has at first.
    #[must_use]
    pub fn min(mut self, pages: u64) -> Self {
        self.0.minimum = pages;
        self
    }

    /// Pages it can never exceed.
    #[must_use]
    pub fn max(mut self, pages: Option<u64>) -> Self {
        self.0.maximum = pages;
        self
    }

    /// Whether its addresses are of type `i64`.
    #[must_use]
    pub fn memory64(mut self, enable: bool) -> Self {
        self.0.is_64 = enable;
        self
    }

    /// Whether several threads may use it at once.
    #[must_use]
    pub fn shared(mut self, enable: bool) -> Self {
        self.0.shared = enable;
        self
    }

    /// Logarithm to base 2 of the bytes of a page: 0 or 16.
    #[must_use]
    pub fn page_size_log2(mut self, log2: u8) -> Self {
        self.0.page_size_log2 = log2.into();
        self
    }

    /// The type.
    ///
    /// # Errors
    /// If it is not valid (Spec 3.0 §3.2.10): the maximum is below the minimum
    /// or beyond what addresses reach, pages are of neither 1 byte nor 64 KiB,
    /// or a shared memory has no maximum.
    pub fn build(self) -> Result<MemoryType, TypeError> {
        let ty = self.0;
        let invalid = |reason| Err(TypeError::InvalidMemory { reason });
        if ty.page_size_log2 != 0 && ty.page_size_log2 != DEFAULT_PAGE_LOG2 {
            return invalid("its pages must be of 1 byte or 64 KiB");
        }
        // One page less than addresses reach where the number of pages must be
        // one of the addresses' type.
        let (address_bits, sizes) = if ty.is_64 {
            (64, u64::MAX)
        } else {
            (32, u64::from(u32::MAX))
        };
        let most = 1_u64.checked_shl(address_bits - ty.page_size_log2).unwrap_or(u64::MAX);
        let most = most.min(sizes);
        if ty.minimum.max(ty.maximum.unwrap_or(0)) > most {
            return invalid("its addresses do not reach that far");
        }
        match ty.maximum {
            Some(maximum) if maximum < ty.minimum => invalid("its maximum is below its minimum"),
            None if ty.shared => invalid("a shared memory must have a maximum"),
            _ => Ok(ty),
        }
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_64 { "(memory i64" } else { "(memory" })?;
        limits(f, self.minimum, self.maximum)?;
        if self.shared {
            f.write_str(" shared")?;
        }
        if self.page_size_log2 != DEFAULT_PAGE_LOG2 {
            write!(f, " (pagesize {})", self.page_size())?;
        }
        f.write_str(")")
    }
}
