//! Vectors in memory: loads that extend, repeat or fill up with zeros, and stores.

use std::marker::PhantomData;

use super::vector::Vector;
use crate::exec::access::{LoadAs, Place, StoreAs};
use crate::exec::data::{Store, StoreId, StoreInfo, store_info};
use crate::exec::dispatch::Regs;
use crate::exec::numeric::Unary;
use crate::exec::operand::Prim;

/// All bytes of a vector.
pub(crate) enum Whole {}
/// The low half of a vector, of which `O` makes another.
pub(crate) struct Extend<O>(PhantomData<O>);
/// A lane `M` that `O` repeats.
pub(crate) struct Splat<M, O>(PhantomData<(M, O)>);
/// A lane `M`, all others of which are 0.
pub(crate) struct Zero<M>(PhantomData<M>);

impl LoadAs<Vector> for Whole {
    const BYTES: usize = 16;
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load(s: &Regs, at: Place) -> Vector {
        let value: Vector;
        // SAFETY: one read of `at`, which the caller vouches for; a fault leaves the
        // handler for good.
        unsafe {
            std::arch::asm!(
                "movups {out}, xmmword ptr [{base} + {index}]",
                out = lateout(xmm_reg) value,
                base = in(reg) at.base, index = in(reg) at.index,
                in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                options(nostack, preserves_flags, readonly),
            );
        }
        value
    }
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    unsafe fn load(_: &Regs, at: Place) -> Vector {
        // SAFETY: the caller's promise; any bytes are a vector.
        unsafe { super::vector::read(at.address()) }
    }
}

impl<O: Unary<In = Vector, Out = Vector>> LoadAs<Vector> for Extend<O> {
    const BYTES: usize = 8;
    #[inline(always)]
    unsafe fn load(s: &Regs, at: Place) -> Vector {
        // SAFETY: the caller's promise.
        let half = unsafe { Zero::<u64>::load(s, at) };
        // Extensions do not trap.
        O::eval(half).unwrap_or(half)
    }
}

impl<M: LoadAs<O::In>, O: Unary<Out = Vector>> LoadAs<Vector> for Splat<M, O> {
    const BYTES: usize = M::BYTES;
    #[inline(always)]
    unsafe fn load(s: &Regs, at: Place) -> Vector {
        // SAFETY: the caller's promise.
        let lane = unsafe { M::load(s, at) };
        // Splats do not trap.
        O::eval(lane).unwrap_or(Vector::from_slot(0))
    }
}

impl<M: LoadAs<u64>> LoadAs<Vector> for Zero<M> {
    const BYTES: usize = M::BYTES;
    #[inline(always)]
    unsafe fn load(s: &Regs, at: Place) -> Vector {
        // SAFETY: the caller's promise.
        Vector::from_slot(unsafe { M::load(s, at) })
    }
}

impl StoreAs<Vector> for Whole {
    const BYTES: usize = 16;
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn store(s: &Regs, at: Place, value: Vector) {
        // SAFETY: one write to `at`, which the caller vouches for; a fault leaves the
        // handler for good.
        unsafe {
            std::arch::asm!(
                "movups xmmword ptr [{base} + {index}], {value}",
                value = in(xmm_reg) value,
                base = in(reg) at.base, index = in(reg) at.index,
                in("rdi") s.ip, in("rsi") s.fp, in("rcx") s.cx,
                options(nostack, preserves_flags),
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    unsafe fn store(_: &Regs, at: Place, value: Vector) {
        let bytes = super::vector::to_bytes(value);
        // SAFETY: the caller's promise.
        unsafe { at.address().cast::<[u8; 16]>().write(bytes) }
    }
}

/// `v128.store`
pub(crate) enum V128Store {}

impl Store for V128Store {
    type In = Vector;
    type Mem = Whole;
}

impl V128Store {
    /// What the translator knows of it.
    pub(crate) fn info() -> &'static StoreInfo {
        static INFO: StoreInfo = store_info::<V128Store>(StoreId::Vector, "v128.store");
        &INFO
    }
}
