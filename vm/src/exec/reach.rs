//! The ways in which handlers reach memories: with guard pages or checked, with
//! addresses of 32 or of 64 bits.

use std::marker::PhantomData;

use super::access::{LoadAs, Place, StoreAs};
use super::address::AddrType;
use super::control::{opaque, raise, trap};
use super::data::{Load, MEM_OFFSET, Store, find_mapped, load_found, store_found};
use super::dispatch::{Handler, Regs, goto};
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
    /// Goes on with a load for which there is no address at `index`.
    ///
    /// # Safety
    /// In tail position of that load's handler.
    unsafe fn load_beyond<L: Load, D: Dst>(s: Regs, index: Self::Index) -> u64;
    /// Goes on with a store for which there is no address at `index`.
    ///
    /// # Safety
    /// In tail position of that store's handler.
    unsafe fn store_beyond<O: Store, V: Src>(s: Regs, index: Self::Index) -> u64;
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
    unsafe fn load_beyond<L: Load, D: Dst>(s: Regs, _: T) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { trap(s, Trap::MemoryOutOfBounds) }
    }

    #[inline(always)]
    unsafe fn store_beyond<O: Store, V: Src>(s: Regs, _: T) -> u64 {
        // SAFETY: the caller's promise.
        unsafe { trap(s, Trap::MemoryOutOfBounds) }
    }
}

/// [`Mode::EXTRA`] of those that check.
pub(super) const CHECKED_EXTRA: usize = 8;

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
        // Opaque, or the sum without the width would take a register of its own.
        Some(opaque(u64::from(index) + u64::from(offset) + width as u64))
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
            const EXTRA: usize = CHECKED_EXTRA;
            #[inline(always)]
            unsafe fn address(s: &Regs, index: $index, width: usize) -> Option<Place> {
                // SAFETY: the caller's promise.
                let end = unsafe { Self::end(s, index, width) }?;
                // SAFETY: the caller's promise.
                let memory = unsafe { Self::memory(s) };
                // The index is what is waited for, so the base takes the subtraction.
                (end <= memory.own_in_place() as u64).then(|| Place {
                    base: memory.base().wrapping_sub(width),
                    index: end as usize,
                })
            }

            #[inline(always)]
            unsafe fn load_beyond<L: Load, D: Dst>(s: Regs, index: $index) -> u64 {
                let width = <L::Mem as LoadAs<L::Out>>::BYTES;
                // SAFETY: the caller's promise.
                unsafe { beyond::<Self>(s, index, width, false, load_found::<L, D>) }
            }

            #[inline(always)]
            unsafe fn store_beyond<O: Store, V: Src>(s: Regs, index: $index) -> u64 {
                let width = <O::Mem as StoreAs<O::In>>::BYTES;
                // SAFETY: the caller's promise.
                unsafe { beyond::<Self>(s, index, width, true, store_found::<O, V>) }
            }
        }
    )*};
}

by_length! {
    Checked u32;
    Checked64 u64;
}

/// An access to bytes that are not its memory's own.
#[derive(Debug)]
pub(crate) struct Beyond {
    /// Where it ends, or 2^64 - 1, where no memory does.
    end: u64,
    /// How many bytes it is of.
    width: usize,
    /// Whether it is a store.
    write: bool,
    /// Where the bytes are, when that is known.
    at: *mut u8,
    /// What goes on with it then.
    pub(super) then: Handler,
}

impl Beyond {
    /// No access.
    pub(super) const NONE: Self = Self {
        end: 0,
        width: 0,
        write: false,
        at: std::ptr::null_mut(),
        then: raise,
    };
}

/// Goes on with an access for which there is no address: the handlers would be large that
/// looked for one themselves, and there are many.
///
/// # Safety
/// In tail position of that access's handler; `then` goes on with it.
#[inline(always)]
unsafe fn beyond<M: ByLength>(s: Regs, index: M::Index, width: usize, write: bool, then: Handler) -> u64 {
    // SAFETY: the caller's promise; the running thread owns the block.
    unsafe {
        let beyond = &raw mut (*(*s.cx).rt).beyond;
        (*beyond).end = M::end(&s, index, width).unwrap_or(u64::MAX);
        (*beyond).width = width;
        (*beyond).write = write;
        (*beyond).then = then;
        goto(s, find_mapped::<M>)
    }
}

/// Looks for the bytes of an access in the regions mapped into a memory that is checked:
/// an exit code, if they are not there, otherwise their address. Addresses are larger than
/// exit codes.
///
/// # Safety
/// Nobody else has the access.
#[cold]
#[inline(never)]
pub(super) unsafe fn mapped(memory: &MemoryInst, beyond: *mut Beyond) -> u64 {
    // SAFETY: the caller's promise.
    let beyond = unsafe { &mut *beyond };
    memory.catch_up();
    let width = beyond.width as u64;
    let Some(start) = beyond.end.checked_sub(width) else {
        return exit::trap(Trap::MemoryOutOfBounds);
    };
    match memory.range(start, width, beyond.write) {
        Ok(range) => {
            beyond.at = memory.base().wrapping_add(range.start);
            beyond.at as u64
        }
        Err(error) => exit::trap(error.into()),
    }
}

/// The bytes that [`mapped`] has found.
///
/// # Safety
/// `s` are the registers of what goes on with the access.
#[inline(always)]
pub(super) unsafe fn found(s: &Regs) -> Place {
    Place {
        // SAFETY: the caller's promise; the running thread owns the block.
        base: unsafe { (*(*s.cx).rt).beyond.at },
        index: 0,
    }
}

/// The largest exit code of a trap is below, all addresses above.
pub(super) const FIRST_ADDRESS: u64 = 4096;
