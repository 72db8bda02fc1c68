//! Addresses of loads and stores of memory 0 with guard pages, computed in the
//! instruction that accesses it.

use std::marker::PhantomData;

use super::access::Place;
use super::dispatch::Regs;
use super::operand::{At, S, Src};

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
pub(crate) struct Base<X>(PhantomData<X>);
/// `x` plus the second slot modulo 2^32, plus the number as static offset.
pub(crate) struct Sum<X>(PhantomData<X>);
/// `x` plus the number, modulo 2^32, plus the second field as static offset.
pub(crate) struct Wrap<X>(PhantomData<X>);
/// An array element: the second slot plus `x` shifted left by `SHIFT`, modulo
/// 2^32, plus the number as static offset.
pub(crate) struct Scaled<X, const SHIFT: u32>(PhantomData<X>);
/// An element of a static array: `x` shifted left by `SHIFT` modulo 2^32, plus
/// the number as static offset.
pub(crate) struct Index<X, const SHIFT: u32>(PhantomData<X>);
/// An element of an array whose place became a constant when the module was
/// instantiated: [`Wrap`] with `x` shifted left by `SHIFT`.
pub(crate) struct IndexWrap<X, const SHIFT: u32>(PhantomData<X>);

/// The number of a word.
///
/// # Safety
/// As for [`Address::at`].
#[inline(always)]
unsafe fn number(s: &Regs, word: usize) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { s.field::<u32>(word + 4) }
}

/// `index + offset` in memory 0.
#[inline(always)]
pub(crate) fn in_memory(s: &Regs, index: u32, offset: u32) -> Place {
    Place {
        base: s.mb.wrapping_add(offset as usize),
        index: index as usize,
    }
}

macro_rules! addresses {
    ($($name:ident $(<const $shift:ident>)? |$s:ident, $word:ident, $x:ident| $at:expr;)*) => {$(
        impl<X: Src $(, const $shift: u32)?> Address for $name<X $(, $shift)?> {
            #[inline(always)]
            #[allow(clippy::multiple_unsafe_ops_per_block)]
            unsafe fn at($s: &Regs, $word: usize) -> Place {
                // SAFETY: the caller's promise: the word's fields are there.
                unsafe {
                    let $x = X::get::<u32>($s, At::slot($word));
                    $at
                }
            }
        }
    )*};
}

addresses! {
    Base |s, word, x| in_memory(s, x, number(s, word));
    Sum |s, word, x| in_memory(s, x.wrapping_add(S::get::<u32>(s, At::slot(word + 2))), number(s, word));
    Wrap |s, word, x| in_memory(s, x.wrapping_add(number(s, word)), u32::from(s.field::<u16>(word + 2)));
    Scaled<const SHIFT> |s, word, x| {
        in_memory(s, (x << SHIFT).wrapping_add(S::get::<u32>(s, At::slot(word + 2))), number(s, word))
    };
    Index<const SHIFT> |s, word, x| in_memory(s, x << SHIFT, number(s, word));
    IndexWrap<const SHIFT> |s, word, x| {
        in_memory(s, (x << SHIFT).wrapping_add(number(s, word)), u32::from(s.field::<u16>(word + 2)))
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
}
