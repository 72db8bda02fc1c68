//! Vectors as arrays of lanes, and the meaning of operators on those.

use super::vector::{Vector, of_bytes, to_bytes};
use crate::exec::operand::Prim;

/// How an operator sees an operand or gives its result.
pub(crate) trait View: Copy {
    /// What handlers have of it.
    type Value: Prim;
    /// As the operator sees it.
    fn of(value: Self::Value) -> Self;
    /// As handlers have it.
    fn value(self) -> Self::Value;
}

macro_rules! shapes {
    ($($name:ident $lane:ident $n:literal;)*) => {$(
        #[doc = concat!("Lanes of a vector as `", stringify!($lane), "`.")]
        #[allow(non_camel_case_types)]
        pub(crate) type $name = [$lane; $n];
        impl View for $name {
            type Value = Vector;
            #[inline(always)]
            fn of(value: Vector) -> Self {
                let bytes = to_bytes(value);
                let (lanes, _) = bytes.as_chunks::<{ 16 / $n }>();
                std::array::from_fn(|i| $lane::from_le_bytes(lanes[i]))
            }
            #[inline(always)]
            fn value(self) -> Vector {
                let mut bytes = [0; 16];
                let (lanes, _) = bytes.as_chunks_mut::<{ 16 / $n }>();
                for (lane, value) in lanes.iter_mut().zip(self) {
                    *lane = value.to_le_bytes();
                }
                of_bytes(bytes)
            }
        }
    )*};
}

shapes! {
    i8x16 i8 16;
    u8x16 u8 16;
    i16x8 i16 8;
    u16x8 u16 8;
    i32x4 i32 4;
    u32x4 u32 4;
    i64x2 i64 2;
    u64x2 u64 2;
    f32x4 f32 4;
    f64x2 f64 2;
}

macro_rules! scalars {
    ($($ty:ident)*) => {$(
        impl View for $ty {
            type Value = Self;
            #[inline(always)]
            fn of(value: Self) -> Self {
                value
            }
            #[inline(always)]
            fn value(self) -> Self {
                self
            }
        }
    )*};
}

scalars!(u32 u64 f32 f64);

/// `f` of each pair of lanes.
#[inline(always)]
pub(super) fn each<A: Copy, B: Copy, R, const N: usize>(a: [A; N], b: [B; N], f: impl Fn(A, B) -> R) -> [R; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

/// `f` of each lane of the low half.
#[inline(always)]
pub(super) fn low<A: Copy, R, const N: usize, const M: usize>(a: [A; N], f: impl Fn(A) -> R) -> [R; M] {
    std::array::from_fn(|i| f(a[i]))
}

/// `f` of each lane of the high half.
#[inline(always)]
pub(super) fn high<A: Copy, R, const N: usize, const M: usize>(a: [A; N], f: impl Fn(A) -> R) -> [R; M] {
    std::array::from_fn(|i| f(a[M + i]))
}

/// `f` of neighbours.
#[inline(always)]
pub(super) fn pairs<A: Copy, R, const N: usize, const M: usize>(a: [A; N], f: impl Fn(A, A) -> R) -> [R; M] {
    std::array::from_fn(|i| f(a[2 * i], a[2 * i + 1]))
}

/// `f` of the lanes of two vectors.
#[inline(always)]
pub(super) fn narrow<A: Copy, R, const N: usize, const M: usize>(a: [A; N], b: [A; N], f: impl Fn(A) -> R) -> [R; M] {
    std::array::from_fn(|i| f(if i < N { a[i] } else { b[i - N] }))
}

/// Whether no lane is `zero`.
#[inline(always)]
pub(super) fn all<A: PartialEq, const N: usize>(a: [A; N], zero: A) -> u32 {
    u32::from(a.iter().all(|lane| *lane != zero))
}

/// A bit for each lane, of lane 0 the lowest.
#[inline(always)]
pub(super) fn bitmask<const N: usize>(lanes: [bool; N]) -> u32 {
    let bits = lanes.iter().enumerate();
    bits.fold(0, |mask, (i, lane)| mask | u32::from(*lane) << i)
}

/// The lanes of `a` that `b` names, 0 for those there are not.
#[inline(always)]
pub(super) fn swizzle(a: u8x16, b: u8x16) -> u8x16 {
    u8x16::of(swizzle_vectors(a.value(), b.value()))
}

/// The bits of `a` where those of `c` are 1, of `b` elsewhere.
#[inline(always)]
pub(super) fn bitselect(a: u64x2, b: u64x2, c: u64x2) -> u64x2 {
    std::array::from_fn(|i| a[i] & c[i] | b[i] & !c[i])
}

/// `q15mulr_sat_s` of lanes.
#[inline(always)]
pub(super) fn q15mulr(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 0x4000) >> 15;
    product.min(i32::from(i16::MAX)) as i16
}

/// `i32x4.dot_i16x8_s`
#[inline(always)]
pub(super) fn dot(a: i16x8, b: i16x8) -> i32x4 {
    let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
    std::array::from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

/// `i16x8.relaxed_dot_i8x16_i7x16_s`, both operands signed, sums modulo 2^16.
#[inline(always)]
pub(super) fn dot_i8(a: i8x16, b: i8x16) -> i16x8 {
    let product = |i: usize| i16::from(a[i]) * i16::from(b[i]);
    std::array::from_fn(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

/// `i32x4.relaxed_dot_i8x16_i7x16_add_s`
#[inline(always)]
pub(super) fn dot_i8_add(a: i8x16, b: i8x16, c: i32x4) -> i32x4 {
    let sums: i32x4 = pairs(dot_i8(a, b), |a, b| i32::from(a) + i32::from(b));
    each(sums, c, i32::wrapping_add)
}

/// `a * b + c`, rounded once.
#[inline(always)]
pub(super) fn fused32(a: f32x4, b: f32x4, c: f32x4) -> f32x4 {
    f32x4::of(fused32_vectors(a.value(), b.value(), c.value()))
}

/// `a * b + c`, rounded once.
#[inline(always)]
pub(super) fn fused64(a: f64x2, b: f64x2, c: f64x2) -> f64x2 {
    f64x2::of(fused64_vectors(a.value(), b.value(), c.value()))
}

// What follows is for processors without an instruction for it. In this convention
// vectors go in registers: a handler with arrays of its own, whose addresses another
// function has, could not jump to the next one.

/// [`swizzle`]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
extern "C" fn swizzle_vectors(a: Vector, b: Vector) -> Vector {
    let a = u8x16::of(a);
    u8x16::of(b)
        .map(|i| a.get(usize::from(i)).copied().unwrap_or(0))
        .value()
}

/// [`fused32`]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
extern "C" fn fused32_vectors(a: Vector, b: Vector, c: Vector) -> Vector {
    let (a, b, c) = (f32x4::of(a), f32x4::of(b), f32x4::of(c));
    let lanes: f32x4 = std::array::from_fn(|i| a[i].mul_add(b[i], c[i]));
    lanes.value()
}

/// [`fused64`]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
extern "C" fn fused64_vectors(a: Vector, b: Vector, c: Vector) -> Vector {
    let (a, b, c) = (f64x2::of(a), f64x2::of(b), f64x2::of(c));
    let lanes: f64x2 = std::array::from_fn(|i| a[i].mul_add(b[i], c[i]));
    lanes.value()
}

/// `nearest`: the sum with a number so large that no fraction has room rounds to
/// nearest, ties to even. A NaN becomes a quiet one.
macro_rules! nearest {
    ($float:ident, $a:expr) => {{
        let a = $a;
        let large = (1.0 / $float::EPSILON).copysign(a);
        if a.abs() < large.abs() {
            (a + large - large).copysign(a)
        } else if a.is_nan() {
            a + a
        } else {
            a
        }
    }};
}
pub(super) use nearest;

/// `floor`, by [`nearest`].
macro_rules! floor {
    ($float:ident, $a:expr) => {{
        let a = $a;
        let near = nearest!($float, a);
        if near > a { near - 1.0 } else { near }
    }};
}
pub(super) use floor;

/// `ceil`, by [`nearest`]; between -1 and 0 it is -0.
macro_rules! ceil {
    ($float:ident, $a:expr) => {{
        let a = $a;
        let near = nearest!($float, a);
        if near < a { (near + 1.0).copysign(a) } else { near }
    }};
}
pub(super) use ceil;

/// `trunc`, by [`floor`] of the absolute value.
macro_rules! trunc {
    ($float:ident, $a:expr) => {{
        let a = $a;
        let floor = floor!($float, a.abs());
        floor.copysign(a)
    }};
}
pub(super) use trunc;
