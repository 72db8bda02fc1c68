//! The ways in which handlers reach memories: with guard pages or checked, with
//! addresses of 32 or of 64 bits.

use std::marker::PhantomData;

use super::access::Place;
use super::address::AddrType;
use super::control::trap;
use super::data::{Load, MEM_OFFSET, Store, load_mapped, store_mapped};
use super::dispatch::{Regs, goto};
use super::exit;
use super::memory::MemoryInst;
use super::operand::{Dst, SHORT, Src};
use crate::trap::Trap;

/// How a handler reaches a memory; [`Reach`] for the translator.
pub(crate) trait Mode {
    /// Type of the memory's addresses.
    type Index: AddrType;
    /// Bytes of an instruction that come before a constant, besides those that
    /// all have.
    const EXTRA: usize;
    /// The address of `width` bytes at `index` plus the static offset, or `None`
    /// out of bounds.
    ///
    /// # Safety
    /// `s` are the registers of a load or store of this mode.
    unsafe fn address(s: &Regs, index: Self::Index, width: usize) -> Option<Place>;
    /// Goes on with a load for which there is no address.
    ///
    /// # Safety
    /// In tail position of that load's handler.
    unsafe fn load_beyond<L: Load, I: Src, D: Dst>(s: Regs) -> u64;
    /// Goes on with a store for which there is no address.
    ///
    /// # Safety
    /// In tail position of that store's handler.
    unsafe fn store_beyond<O: Store, I: Src, V: Src>(s: Regs) -> u64;
}

/// A [`Mode`]; an index in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// [`Guarded<u32>`]
    Guarded,
    /// [`Checked`]
    Checked,
    /// [`Guarded<u64>`]
    Guarded64,
    /// [`Checked64`]
    Checked64,
}

impl Reach {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::Checked64 as usize + 1;

    /// Whether handlers check the access.
    pub(crate) fn is_checked(self) -> bool {
        matches!(self, Self::Checked | Self::Checked64)
    }

    /// Whether addresses are of 64 bits.
    pub(crate) fn is_64(self) -> bool {
        matches!(self, Self::Guarded64 | Self::Checked64)
    }
}

/// Memory 0, whose accesses are checked by the MMU; its addresses are of type
/// `T`. The static offset stands at byte 12.
pub(crate) struct Guarded<T = u32>(PhantomData<T>);
/// A memory with 32-bit addresses, checked by its length: its pointer stands at
/// `cx` plus the number at byte 16, the static offset at byte 12.
pub(super) enum Checked {}
/// A memory with 64-bit addresses, checked by its length: its pointer stands at
/// `cx` plus the number at byte 12. At byte 16 stands the static offset plus the
/// bytes that are accessed, or the largest number: no access ends there.
pub(super) enum Checked64 {}

impl<T: AddrType> Mode for Guarded<T> {
    type Index = T;
    const EXTRA: usize = 0;
    #[inline(always)]
    unsafe fn address(s: &Regs, index: T, _: usize) -> Option<Place> {
        // SAFETY: the caller's promise.
        let offset = unsafe { s.field::<u32>(MEM_OFFSET) };
        index.reached(s, offset)
    }

    #[inline(always)]
    unsafe fn load_beyond<L: Load, I: Src, D: Dst>(s: Regs) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { trap(s, Trap::MemoryOutOfBounds) }
    }

    #[inline(always)]
    unsafe fn store_beyond<O: Store, I: Src, V: Src>(s: Regs) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { trap(s, Trap::MemoryOutOfBounds) }
    }
}

/// A [`Mode`] that checks.
pub(super) trait ByLength: Mode {
    /// Byte of the number that says where the memory's pointer is.
    const MEMORY: usize;

    /// The memory of a running instruction.
    ///
    /// # Safety
    /// `s` are the registers of a load or store of this mode.
    #[inline(always)]
    unsafe fn memory<'s>(s: &Regs) -> &'s MemoryInst {
        // SAFETY: the caller's promise; the context leads to live memories.
        unsafe {
            &**s.cx
                .byte_add(s.field::<u32>(Self::MEMORY) as usize)
                .cast::<*const MemoryInst>()
        }
    }

    /// Where an access of `width` bytes ends, if that is below 2^64.
    ///
    /// # Safety
    /// As for [`ByLength::memory`].
    unsafe fn end(s: &Regs, index: Self::Index, width: usize) -> Option<u64>;
}

impl ByLength for Checked {
    const MEMORY: usize = SHORT;
    #[inline(always)]
    unsafe fn end(s: &Regs, index: u32, width: usize) -> Option<u64> {
        // SAFETY: the caller's promise.
        let offset = unsafe { s.field::<u32>(MEM_OFFSET) };
        Some(u64::from(index) + u64::from(offset) + width as u64)
    }
}

impl ByLength for Checked64 {
    const MEMORY: usize = MEM_OFFSET;
    #[inline(always)]
    unsafe fn end(s: &Regs, index: u64, _: usize) -> Option<u64> {
        // SAFETY: the caller's promise.
        index.checked_add(unsafe { s.field::<u64>(SHORT) })
    }
}

macro_rules! by_length {
    ($($mode:ident $index:ident;)*) => {$(
        impl Mode for $mode {
            type Index = $index;
            const EXTRA: usize = 8;
            #[inline(always)]
            unsafe fn address(s: &Regs, index: $index, width: usize) -> Option<Place> {
                // SAFETY: the caller's promise.
                let end = unsafe { Self::end(s, index, width) }?;
                // SAFETY: the caller's promise.
                let memory = unsafe { Self::memory(s) };
                (end <= memory.own_in_place() as u64).then(|| Place {
                    base: memory.base(),
                    index: end as usize - width,
                })
            }

            #[inline(always)]
            unsafe fn load_beyond<L: Load, I: Src, D: Dst>(s: Regs) -> u64 {
                // SAFETY: the caller's promise.
                unsafe { goto(s, load_mapped::<L, Self, I, D>) }
            }

            #[inline(always)]
            unsafe fn store_beyond<O: Store, I: Src, V: Src>(s: Regs) -> u64 {
                // SAFETY: the caller's promise.
                unsafe { goto(s, store_mapped::<O, Self, I, V>) }
            }
        }
    )*};
}

by_length! {
    Checked u32;
    Checked64 u64;
}

/// The address of `width` bytes that end at `end` in a memory that is checked,
/// whose own bytes they are not; or an exit code, if they are not a mapped
/// region's either. Addresses are larger than exit codes.
#[cold]
#[inline(never)]
pub(super) fn mapped(memory: &MemoryInst, end: Option<u64>, width: usize, write: bool) -> u64 {
    memory.catch_up();
    let Some(at) = end.and_then(|end| end.checked_sub(width as u64)) else {
        return exit::trap(Trap::MemoryOutOfBounds);
    };
    match memory.range(at, width as u64, write) {
        Ok(range) => memory.base().wrapping_add(range.start) as u64,
        Err(error) => exit::trap(error.into()),
    }
}

/// The largest exit code of a trap is below, all addresses above.
pub(super) const FIRST_ADDRESS: u64 = 4096;
