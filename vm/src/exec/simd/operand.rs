//! Vectors as handlers have them, and where instructions find them and put them.

use crate::exec::dispatch::Regs;
use crate::exec::operand::{DST, S};

/// A vector in the host's register, or two.
#[cfg(target_arch = "x86_64")]
pub(crate) type Vector = core::arch::x86_64::__m128i;
/// A vector in the host's register, or two.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type Vector = u128;

/// The vector in two slots.
///
/// # Safety
/// They are slots of the frame, or a global's.
#[inline(always)]
pub(crate) unsafe fn read(slot: *const u64) -> Vector {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        slot.cast::<Vector>().read_unaligned()
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller's promise.
    unsafe {
        u128::from(slot.read()) | u128::from(slot.add(1).read()) << 64
    }
}

/// Writes a vector to two slots. At once: what reads both waits long for two writes.
///
/// # Safety
/// They are slots of the frame, or a global's.
#[inline(always)]
pub(crate) unsafe fn write(slot: *mut u64, vector: Vector) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's promise.
    unsafe {
        slot.cast::<Vector>().write_unaligned(vector);
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the caller's promise.
    unsafe {
        slot.write(vector as u64);
        slot.add(1).write((vector >> 64) as u64);
    }
}

/// Where a vector operand comes from.
pub(crate) trait VectorSrc {
    /// Slot fields it takes, 0 or 1.
    const SLOTS: usize;
    /// Reads the operand, whose slot field is `at` bytes into the instruction.
    ///
    /// # Safety
    /// The running instruction has this variant's fields there.
    unsafe fn vector(s: &Regs, at: usize) -> Vector;
}

impl VectorSrc for S {
    const SLOTS: usize = 1;
    #[inline(always)]
    unsafe fn vector(s: &Regs, at: usize) -> Vector {
        // SAFETY: the caller's promise; slots named by instructions are in the
        // frame.
        unsafe { read(s.slot_at(at)) }
    }
}

/// Where a vector result goes.
pub(crate) trait VectorDst {
    /// Writes the result.
    ///
    /// # Safety
    /// The running instruction has a destination slot at [`DST`], if the
    /// variant uses one.
    unsafe fn put_vector(s: &mut Regs, vector: Vector);
}

impl VectorDst for S {
    #[inline(always)]
    unsafe fn put_vector(s: &mut Regs, vector: Vector) {
        // SAFETY: the caller's promise; slots named by instructions are in the
        // frame.
        unsafe { write(s.slot_at(DST), vector) }
    }
}

/// The [`Destinations`](crate::exec::operand::Destinations) of a handler whose last
/// parameter is the destination of a vector: slots, whatever is asked for.
macro_rules! vector_destinations {
    ($handler:ident $(, $params:ty)*) => {
        $crate::exec::operand::Destinations {
            slot: $handler::<$($params,)* $crate::exec::operand::S>,
            acc: $handler::<$($params,)* $crate::exec::operand::S>,
            both: $handler::<$($params,)* $crate::exec::operand::S>,
            pinned: [None; $crate::exec::operand::PINNED_FLOATS],
        }
    };
}
pub(crate) use vector_destinations;
