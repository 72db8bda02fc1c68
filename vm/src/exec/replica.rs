//! Copies of handlers.
//!
//! A handler ends in a jump that the processor predicts. If the same
//! instruction comes more than once in a loop, its jump has several targets,
//! and predicting one of several takes a Zen 5 core 2.7 cycles; a jump with one
//! target takes 1.4. So the commonest handlers exist [`COPIES`] times, and the
//! translator gives the instructions of an innermost loop different ones.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::data::{self, Load, Store, load, store};
use super::dispatch::{Handler, goto, handler};
use super::numeric::{self, Binary, binary};
use super::operand::{A, B, Dst, K, P, S, Src, W};
use super::reach::{Guarded, Mode};

/// How many handlers there are for an instruction that has copies.
pub(crate) const COPIES: usize = 4;

/// Tells a copy from the others, which LLVM would make one function.
trait Copy {
    /// Nothing at all.
    fn mark();
}

/// The `N`th copy.
enum C<const N: usize> {}

impl<const N: usize> Copy for C<N> {
    #[inline(always)]
    fn mark() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: no instruction at all.
        unsafe {
            std::arch::asm!("/* {} */", const N, options(nomem, nostack, preserves_flags));
        }
    }
}

handler! {
    /// [`binary`]
    fn binary_again<O: Binary, L: Src, R: Src, D: Dst, N: Copy>(s) {
        N::mark();
        goto(s, binary::<O, L, R, D>)
    }

    /// [`load`]
    fn load_again<L: Load, M: Mode, I: Src, D: Dst, N: Copy>(s) {
        N::mark();
        goto(s, load::<L, M, I, D>)
    }

    /// [`store`]
    fn store_again<O: Store, M: Mode, I: Src, V: Src, N: Copy>(s) {
        N::mark();
        goto(s, store::<O, M, I, V>)
    }
}

macro_rules! copies {
    ($handler:ident, $again:ident, $($param:ty),+) => {
        (
            $handler::<$($param),+> as Handler,
            [$again::<$($param),+, C<1>> as Handler, $again::<$($param),+, C<2>>, $again::<$($param),+, C<3>>],
        )
    };
}

macro_rules! binaries {
    ($table:ident: $($op:ident)*) => {$(
        binaries!(@op $table, $op, S, S);
        binaries!(@op $table, $op, S, K);
        binaries!(@op $table, $op, S, A);
        binaries!(@op $table, $op, A, S);
        binaries!(@op $table, $op, A, K);
        binaries!(@op $table, $op, P<0>, K);
        binaries!(@op $table, $op, P<0>, S);
        binaries!(@op $table, $op, P<0>, A);
    )*};
    (@op $table:ident, $op:ident, $left:ty, $right:ty) => {
        $table.extend([
            copies!(binary, binary_again, numeric::$op, $left, $right, S),
            copies!(binary, binary_again, numeric::$op, $left, $right, A),
            copies!(binary, binary_again, numeric::$op, $left, $right, B),
            copies!(binary, binary_again, numeric::$op, $left, $right, W<0>),
        ]);
    };
}

macro_rules! loads {
    ($table:ident: $($load:ident)*) => {$(
        loads!(@at $table, $load, S);
        loads!(@at $table, $load, A);
        loads!(@at $table, $load, P<0>);
    )*};
    (@at $table:ident, $load:ident, $at:ty) => {
        $table.extend([
            copies!(load, load_again, data::$load, Guarded, $at, S),
            copies!(load, load_again, data::$load, Guarded, $at, A),
            copies!(load, load_again, data::$load, Guarded, $at, B),
            copies!(load, load_again, data::$load, Guarded, $at, W<0>),
        ]);
    };
}

macro_rules! stores {
    ($table:ident: $($store:ident)*) => {$(
        $table.extend([
            copies!(store, store_again, data::$store, Guarded, S, S),
            copies!(store, store_again, data::$store, Guarded, S, A),
            copies!(store, store_again, data::$store, Guarded, S, K),
            copies!(store, store_again, data::$store, Guarded, P<0>, S),
            copies!(store, store_again, data::$store, Guarded, P<0>, A),
        ]);
    )*};
}

/// Handlers and their copies.
static TABLE: LazyLock<HashMap<usize, [Handler; COPIES - 1]>> = LazyLock::new(|| {
    let mut table: Vec<(Handler, [Handler; COPIES - 1])> = Vec::new();
    binaries!(table: I32Add I32Sub I32Mul I32And I32Or I32Xor I32Shl I32ShrU I32ShrS);
    binaries!(table: I64Add I64Sub I64Mul I64And I64Or I64Xor I64Shl I64ShrU F64Add F64Sub F64Mul);
    loads!(table: I32Load I32Load8U I64Load F64Load);
    stores!(table: I32Store I32Store8 I64Store F64Store);
    table
        .into_iter()
        .map(|(handler, copies)| (handler as usize, copies))
        .collect()
});

/// The `n`th copy of a handler, the 0th of which is itself.
pub(crate) fn copy(handler: usize, n: usize) -> Option<Handler> {
    let copy = n.checked_sub(1)?;
    TABLE.get(&handler)?.get(copy).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_handlers_of_their_own() {
        assert!(!TABLE.is_empty());
        let mut all: Vec<usize> = Vec::new();
        for (handler, copies) in TABLE.iter() {
            all.push(*handler);
            all.extend(copies.iter().map(|copy| *copy as usize));
        }
        let handlers = all.len();
        all.sort_unstable();
        all.dedup();
        // Where LLVM merges two handlers, their copies are those of one.
        assert_eq!(all.len(), handlers);
    }

    #[test]
    fn the_first_copy_is_the_handler_itself() {
        let handler = *TABLE.keys().next().expect("there are some");
        assert!(copy(handler, 0).is_none());
        assert!((1..COPIES).all(|n| copy(handler, n).is_some()));
        assert!(copy(handler, COPIES).is_none());
        assert!(copy(0, 1).is_none());
    }
}
