//! What a WASI function needs of its guest's memory.
//!
//! Owns [`GuestMemory`], the only door between the WASI functions and a
//! guest's linear memory, and [`GuestAddr`]. Every access is checked and
//! copies; no function here holds a borrow of guest memory while it calls the
//! host, so a guest that passes overlapping or hostile buffers gets
//! [`Errno::Fault`] or its own nonsense back, and the host allocates nothing
//! that a guest's length asks for.

use crate::errno::Errno;

/// An address in a guest's 32-bit linear memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestAddr(pub u32);

impl From<u32> for GuestAddr {
    fn from(address: u32) -> GuestAddr {
        GuestAddr(address)
    }
}

impl GuestAddr {
    /// The address `bytes` further on.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] past the end of the 32-bit address space.
    pub fn plus(self, bytes: u32) -> Result<GuestAddr, Errno> {
        self.0.checked_add(bytes).map(GuestAddr).ok_or(Errno::Fault)
    }

    /// The address of element `index` of an array of elements of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] past the end of the 32-bit address space.
    pub fn element(self, index: u32, size: u32) -> Result<GuestAddr, Errno> {
        self.plus(index.checked_mul(size).ok_or(Errno::Fault)?)
    }
}

/// A guest's linear memory as the WASI functions see it.
///
/// An implementation checks every range; one that lies outside the memory, or
/// may not be accessed so, is [`Errno::Fault`] and changes nothing.
pub trait GuestMemory {
    /// Copies `buf.len()` bytes at `addr` into `buf`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the range is not wholly readable.
    fn read(&self, addr: u32, buf: &mut [u8]) -> Result<(), Errno>;

    /// Copies `buf` into the memory at `addr`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the range is not wholly writable.
    fn write(&mut self, addr: u32, buf: &[u8]) -> Result<(), Errno>;

    /// Checks that `len` bytes at `addr` exist, before the host consumes data
    /// meant for them.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the first or the last byte is not readable.
    fn probe(&self, addr: u32, len: u32) -> Result<(), Errno> {
        let mut byte = [0];
        let Some(last) = len.checked_sub(1) else {
            return Ok(());
        };
        self.read(addr, &mut byte)?;
        self.read(GuestAddr(addr).plus(last)?.0, &mut byte)
    }
}

impl dyn GuestMemory + '_ {
    /// Reads `N` bytes at `addr`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the range is not wholly readable.
    pub(crate) fn read_array<const N: usize>(&self, addr: GuestAddr) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.read(addr.0, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes `value` at `addr`, little-endian.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the range is not wholly writable.
    pub(crate) fn write_u32(&mut self, addr: GuestAddr, value: u32) -> Result<(), Errno> {
        self.write(addr.0, &value.to_le_bytes())
    }

    /// Writes `value` at `addr`, little-endian.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if the range is not wholly writable.
    pub(crate) fn write_u64(&mut self, addr: GuestAddr, value: u64) -> Result<(), Errno> {
        self.write(addr.0, &value.to_le_bytes())
    }
}

/// A memory of its own, for tests and for embedders with another engine.
impl GuestMemory for Vec<u8> {
    fn read(&self, addr: u32, buf: &mut [u8]) -> Result<(), Errno> {
        let range = range(addr, buf.len())?;
        buf.copy_from_slice(self.get(range).ok_or(Errno::Fault)?);
        Ok(())
    }

    fn write(&mut self, addr: u32, buf: &[u8]) -> Result<(), Errno> {
        let range = range(addr, buf.len())?;
        self.get_mut(range).ok_or(Errno::Fault)?.copy_from_slice(buf);
        Ok(())
    }
}

/// The bytes `addr .. addr + len`.
fn range(addr: u32, len: usize) -> Result<std::ops::Range<usize>, Errno> {
    let start = usize::try_from(addr).map_err(|_| Errno::Fault)?;
    let end = start.checked_add(len).ok_or(Errno::Fault)?;
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_outside_fault_and_change_nothing() {
        let mut memory = vec![0_u8; 16];
        assert_eq!(memory.write(14, &[1, 2, 3]), Err(Errno::Fault));
        assert_eq!(memory.write(u32::MAX, &[1]), Err(Errno::Fault));
        assert_eq!(memory, vec![0; 16]);
        assert_eq!(memory.read(16, &mut []), Ok(()));
        assert_eq!(memory.read(16, &mut [0]), Err(Errno::Fault));
        assert_eq!(memory.probe(8, 8), Ok(()));
        assert_eq!(memory.probe(8, 9), Err(Errno::Fault));
        assert_eq!(memory.probe(4, u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.probe(400, 0), Ok(()));
    }

    #[test]
    fn address_arithmetic_does_not_wrap() {
        assert_eq!(GuestAddr(8).element(3, 8), Ok(GuestAddr(32)));
        assert_eq!(GuestAddr(u32::MAX).plus(1), Err(Errno::Fault));
        assert_eq!(GuestAddr(0).element(u32::MAX, 2), Err(Errno::Fault));
    }
}
