//! Addresses of loads and stores of memory 0 with guard pages, computed in the
//! instruction that accesses it.
//!
//! Addresses of a 64-bit memory that lie beyond what it reserves are taken for
//! its end, behind which there are guard pages (`docs/decisions/0028-64-bit-addresses.md`).

use std::marker::PhantomData;

use super::access::Place;
use super::dispatch::Regs;
use super::memory::REACH_64;
use super::operand::{At, Prim, S, Src};

/// How the address of an access of memory 0 with guard pages is computed from
/// a word's fields: slots at bytes 0 and 2, a number at byte 4.
pub(crate) trait Address {
    /// The address; the word is `word` bytes into the instruction.
    ///
    /// # Safety
    /// The running instruction has such a word there.
    unsafe fn at(s: &Regs, word: usize) -> Place;
}

/// `x`, plus the number as static offset.
pub(crate) struct Base<X, T = u32>(PhantomData<(X, T)>);
/// `x` plus the second slot modulo 2^32 (2^64 for addresses `T` of that
/// width, as below), plus the number as static offset.
pub(crate) struct Sum<X, T = u32>(PhantomData<(X, T)>);
/// `x` plus the number, modulo 2^32, plus the second field as static offset.
pub(crate) struct Wrap<X, T = u32>(PhantomData<(X, T)>);
/// An array element: the second slot plus `x` shifted left by `SHIFT`, modulo
/// 2^32, plus the number as static offset.
pub(crate) struct Scaled<X, const SHIFT: u32, T = u32>(PhantomData<(X, T)>);
/// An element of a static array: `x` shifted left by `SHIFT` modulo 2^32, plus
/// the number as static offset.
pub(crate) struct Index<X, const SHIFT: u32, T = u32>(PhantomData<(X, T)>);
/// An element of an array whose place became a constant when the module was
/// instantiated: [`Wrap`] with `x` shifted left by `SHIFT`.
pub(crate) struct IndexWrap<X, const SHIFT: u32, T = u32>(PhantomData<(X, T)>);

/// The type of a memory's addresses (Spec 3.0 §2.3.11).
pub(crate) trait AddrType: Prim {
    /// A sum, modulo 2 to the type's width.
    fn plus(self, other: Self) -> Self;
    /// A product with 2 to the power of `shift`, likewise.
    fn scaled(self, shift: u32) -> Self;
    /// The number of a word as a term of a sum.
    fn number(number: u32) -> Self;
    /// `self + offset` in memory 0 with guard pages.
    fn in_memory(self, s: &Regs, offset: u32) -> Place;
    /// The same, or `None` where `self` is beyond what is reserved: a branch, for
    /// which an access that is to come does not wait.
    fn reached(self, s: &Regs, offset: u32) -> Option<Place>;
}

impl AddrType for u32 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn scaled(self, shift: u32) -> Self {
        self << shift
    }

    #[inline(always)]
    fn number(number: u32) -> Self {
        number
    }

    #[inline(always)]
    fn in_memory(self, s: &Regs, offset: u32) -> Place {
        Place {
            base: s.mb.wrapping_add(offset as usize),
            index: self as usize,
        }
    }

    #[inline(always)]
    fn reached(self, s: &Regs, offset: u32) -> Option<Place> {
        Some(self.in_memory(s, offset))
    }
}

impl AddrType for u64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn scaled(self, shift: u32) -> Self {
        self << shift
    }

    /// It is sign-extended.
    #[inline(always)]
    fn number(number: u32) -> Self {
        i64::from(number.cast_signed()).cast_unsigned()
    }

    #[inline(always)]
    fn in_memory(self, s: &Regs, offset: u32) -> Place {
        Place {
            base: s.mb.wrapping_add(offset as usize),
            index: self.min(REACH_64) as usize,
        }
    }

    #[inline(always)]
    fn reached(self, s: &Regs, offset: u32) -> Option<Place> {
        (self < REACH_64).then(|| Place {
            base: s.mb.wrapping_add(offset as usize),
            index: self as usize,
        })
    }
}

/// The number of a word.
///
/// # Safety
/// As for [`Address::at`].
#[inline(always)]
unsafe fn number(s: &Regs, word: usize) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { s.field::<u32>(word + 4) }
}

macro_rules! addresses {
    ($($name:ident $(<const $shift:ident>)? |$s:ident, $word:ident, $x:ident| $at:expr;)*) => {$(
        impl<X: Src, T: AddrType $(, const $shift: u32)?> Address for $name<X $(, $shift)?, T> {
            #[inline(always)]
            #[allow(clippy::multiple_unsafe_ops_per_block)]
            unsafe fn at($s: &Regs, $word: usize) -> Place {
                // SAFETY: the caller's promise: the word's fields are there.
                unsafe {
                    let $x = X::get::<T>($s, At::slot($word));
                    $at
                }
            }
        }
    )*};
}

addresses! {
    Base |s, word, x| x.in_memory(s, number(s, word));
    Sum |s, word, x| x.plus(S::get(s, At::slot(word + 2))).in_memory(s, number(s, word));
    Wrap |s, word, x| x.plus(T::number(number(s, word))).in_memory(s, u32::from(s.field::<u16>(word + 2)));
    Scaled<const SHIFT> |s, word, x| {
        x.scaled(SHIFT).plus(S::get(s, At::slot(word + 2))).in_memory(s, number(s, word))
    };
    Index<const SHIFT> |s, word, x| x.scaled(SHIFT).in_memory(s, number(s, word));
    IndexWrap<const SHIFT> |s, word, x| {
        let index = x.scaled(SHIFT).plus(T::number(number(s, word)));
        index.in_memory(s, u32::from(s.field::<u16>(word + 2)))
    };
}

/// The kind of an [`Address`]; an index in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// [`Base`]
    Base,
    /// [`Sum`]
    Sum,
    /// [`Wrap`]
    Wrap,
    /// [`Scaled`]
    Scaled,
    /// [`Index`]
    Index,
    /// [`IndexWrap`]
    IndexWrap,
}

impl AddressKind {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::IndexWrap as usize + 1;
    /// How many of them 64-bit addresses have.
    pub(crate) const COUNT_64: usize = 4;

    /// Index in tables for 64-bit addresses, of which not all kinds have handlers.
    pub(crate) fn index_64(self) -> Option<usize> {
        match self {
            Self::Sum => Some(0),
            Self::Wrap => Some(1),
            Self::Scaled => Some(2),
            Self::Index => Some(3),
            Self::Base | Self::IndexWrap => None,
        }
    }
}
