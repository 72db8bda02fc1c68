//! Operators on two vectors of which one is loaded by the same instruction.

use super::memory::Whole;
use super::ops::VectorBinary;
use super::vector::Vector;
use crate::exec::access::LoadAs;
use crate::exec::address::{Address, Base, Sum, Wrap};
use crate::exec::dispatch::{handler, next};
use crate::exec::fused::{FIRST, LOADED_ADDRESSES};
use crate::exec::operand::{A, At, Destinations, Dst, P, S, SHORT, SRC, Src, destinations};

/// Handlers of an operator whose right operand is loaded from memory 0 with guard
/// pages, and whose left one is in slots: by [address][its first term].
pub(crate) type LoadedVector = [[Destinations; FIRST]; LOADED_ADDRESSES];

handler! {
    /// An operator on the vector in the slot at byte 10 and the one at the address of
    /// the word at byte 16.
    fn vector_loaded<O: VectorBinary, M: Address, D: Dst>(s) {
        let b = <Whole as LoadAs<Vector>>::load(&s, M::at(&s, SHORT));
        let a = S::get::<Vector>(&s, At::slot(SRC));
        D::put(&mut s, O::eval(a, b));
        s.ip = s.ip.add(SHORT + 8);
        next(s)
    }
}

/// The handlers of an operator.
pub(super) const fn loaded_handlers<O: VectorBinary>() -> LoadedVector {
    macro_rules! at {
        ($address:ident) => {
            [
                destinations!(Vector: vector_loaded, O, $address<S>),
                destinations!(Vector: vector_loaded, O, $address<A>),
                destinations!(Vector: vector_loaded, O, $address<P<0>>),
            ]
        };
    }
    [at!(Base), at!(Sum), at!(Wrap)]
}

/// The handlers of operators that commonly work on what has just been loaded.
macro_rules! loaded_or_none {
    ($($name:ident)*) => {
        macro_rules! loaded {
            $(($name) => { Some(&const { $crate::exec::simd::fused::loaded_handlers::<$name>() }) };)*
            ($other:ident) => { None };
        }
    };
}

loaded_or_none! {
    I8x16Eq I8x16Add I8x16Sub
    I16x8Add I16x8Sub I16x8Mul
    I32x4Add I32x4Sub I32x4DotI16x8S
    V128And V128Or V128Xor
    F32x4Add F32x4Sub F32x4Mul
    F64x2Add F64x2Sub F64x2Mul
}
#[allow(
    clippy::single_component_path_imports,
    reason = "the lint sees no macro that another one makes"
)]
pub(super) use loaded;
