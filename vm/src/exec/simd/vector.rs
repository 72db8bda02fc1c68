//! Vectors as handlers have them, in slots and in registers.

use crate::exec::dispatch::Regs;
use crate::exec::operand::Prim;
use crate::ir::stack::Ty;

/// A vector in one of the host's registers.
#[cfg(target_arch = "x86_64")]
pub(crate) type Vector = core::arch::x86_64::__m128i;
/// A vector, of which lane 0 of any shape is the lowest bits.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type Vector = u128;

/// Whether an instruction can pass a vector to the next one in the accumulator.
pub(crate) const IN_ACC: bool = cfg!(target_arch = "x86_64");

/// A vector of bytes.
#[inline(always)]
pub(crate) fn of_bytes(bytes: [u8; 16]) -> Vector {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: any 16 bytes are a vector.
    unsafe {
        std::mem::transmute::<[u8; 16], Vector>(bytes)
    }
    #[cfg(not(target_arch = "x86_64"))]
    u128::from_le_bytes(bytes)
}

/// The bytes of a vector.
#[inline(always)]
pub(crate) fn to_bytes(vector: Vector) -> [u8; 16] {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a vector has 16 bytes, all of them written.
    unsafe {
        std::mem::transmute::<Vector, [u8; 16]>(vector)
    }
    #[cfg(not(target_arch = "x86_64"))]
    vector.to_le_bytes()
}

/// A vector of the 16 bytes at an address, which may be any.
///
/// # Safety
/// They can be read.
#[inline(always)]
pub(crate) unsafe fn read(at: *const u8) -> Vector {
    // SAFETY: the caller's promise.
    of_bytes(unsafe { at.cast::<[u8; 16]>().read() })
}

/// A single slot stands for the low half of a vector, with zeros above; but vectors
/// are read and written whole. Written at once, too: what reads both slots waits
/// long for two writes.
impl Prim for Vector {
    const WIDE: bool = true;
    const TY: Ty = Ty::V128;
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&slot.to_le_bytes());
        of_bytes(bytes)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = to_bytes(self);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
    #[inline(always)]
    unsafe fn read(slots: *const u64) -> Self {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        unsafe {
            slots.cast::<Self>().read_unaligned()
        }
        #[cfg(not(target_arch = "x86_64"))]
        // SAFETY: the caller's promise.
        unsafe {
            u128::from(slots.read()) | u128::from(slots.add(1).read()) << 64
        }
    }
    #[inline(always)]
    unsafe fn write(self, slots: *mut u64) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        unsafe {
            slots.cast::<Self>().write_unaligned(self);
        }
        #[cfg(not(target_arch = "x86_64"))]
        // SAFETY: the caller's promise.
        unsafe {
            slots.write(self as u64);
            slots.add(1).write((self >> 64) as u64);
        }
    }
    #[inline(always)]
    fn from_acc(s: &Regs) -> Self {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the translator takes a vector from the accumulator only behind an
        // instruction that puts one there.
        unsafe {
            s.f0.vector()
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self::from_slot(s.f0.get().to_bits())
    }
    #[inline(always)]
    fn to_acc(self, s: &mut Regs) {
        #[cfg(target_arch = "x86_64")]
        {
            s.f0 = crate::exec::float::Float::of_vector(self);
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            s.f0 = f64::from_bits(self.to_slot()).into();
        }
    }
    const FLOAT: bool = true;
    // Vectors are not pinned.
    #[inline(always)]
    fn from_pin<const N: usize>(s: &Regs) -> Self {
        Self::from_acc(s)
    }
    #[inline(always)]
    fn to_pin<const N: usize>(self, s: &mut Regs) {
        self.to_acc(s);
    }
}
