//! The operators' forms compared: by lanes, with the baseline's instructions, and
//! with those that this processor has besides.

use super::lanes::*;
use super::ops::{self, VectorBinary, VectorShift, VectorTernary};
use super::vector::{Vector, of_bytes, to_bytes};
use crate::exec::numeric::Unary;
use crate::ir::simd::for_each_vector_op;

/// Rounds of each comparison.
const ROUNDS: usize = 4000;

/// Numbers at which something happens.
const F32S: [f32; 20] = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    0.7,
    -1.5,
    2.5,
    -2.5,
    8_388_607.5,
    -8_388_609.0,
    2_147_483_648.0,
    -2_147_483_648.0,
    2_147_483_520.0,
    4_294_967_296.0,
    4_294_967_040.0,
    3e9,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    f32::MIN_POSITIVE,
];

/// Numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// What operators take.
trait Sample {
    fn sample(random: &mut Random) -> Self;
}

impl Sample for u32 {
    fn sample(random: &mut Random) -> Self {
        random.next() as u32
    }
}

impl Sample for u64 {
    fn sample(random: &mut Random) -> Self {
        random.next()
    }
}

impl Sample for f32 {
    fn sample(random: &mut Random) -> Self {
        match random.below(2) {
            0 => F32S[random.below(F32S.len())],
            _ => f32::from_bits(u32::sample(random)),
        }
    }
}

impl Sample for f64 {
    fn sample(random: &mut Random) -> Self {
        match random.below(3) {
            0 => f64::from(F32S[random.below(F32S.len())]),
            1 => [4_294_967_295.5, 4_503_599_627_370_495.5, -2_147_483_648.9, 1e300][random.below(4)],
            _ => f64::from_bits(u64::sample(random)),
        }
    }
}

impl Sample for Vector {
    fn sample(random: &mut Random) -> Self {
        let edges = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff];
        match random.below(4) {
            0 => <[u8; 16]>::value(std::array::from_fn(|_| random.next() as u8)),
            1 => <[u8; 16]>::value(std::array::from_fn(|_| edges[random.below(edges.len())])),
            2 => <[f32; 4]>::value(std::array::from_fn(|_| f32::sample(random))),
            _ => <[f64; 2]>::value(std::array::from_fn(|_| f64::sample(random))),
        }
    }
}

/// What operators give.
trait Result: View {
    /// Whether both are results of one operator: which NaN a float is may differ, but
    /// not that it is a quiet one.
    fn same(a: Self::Value, b: Self::Value) -> bool;
}

macro_rules! results {
    (whole $($ty:ident)*) => {$(
        impl Result for $ty {
            fn same(a: Self::Value, b: Self::Value) -> bool {
                Self::of(a) == Self::of(b)
            }
        }
    )*};
    (floats $($ty:ident $quiet:literal)*) => {$(
        impl Result for $ty {
            fn same(a: Self::Value, b: Self::Value) -> bool {
                Self::of(a).iter().zip(Self::of(b)).all(|(a, b)| {
                    let nans = a.is_nan() && b.is_nan();
                    a.to_bits() == b.to_bits() || nans && a.to_bits() & b.to_bits() & $quiet == $quiet
                })
            }
        }
    )*};
}

results!(whole i8x16 u8x16 i16x8 u16x8 i32x4 u32x4 i64x2 u64x2 u32);
results!(floats f32x4 0x0040_0000 f64x2 0x0008_0000_0000_0000);

/// The bytes of vectors, for messages.
fn bytes<const N: usize>(vectors: [Vector; N]) -> [[u8; 16]; N] {
    vectors.map(to_bytes)
}

macro_rules! compare {
    (
        unary { $($un:ident $un_text:literal ($un_in:ident) -> $un_out:ident = |$ua:pat_param| $un_body:expr $(, sse2 |$uxa:ident| $un_x86:expr)?;)* }
        binary { $($bin:ident $bin_text:literal ($bin_a:ident, $bin_b:ident) -> $bin_out:ident $($commutes:ident)? = |$ba:ident, $bb:ident| $bin_body:expr $(, sse2 |$bxa:ident, $bxb:ident| $bin_x86:expr)?;)* }
        ternary { $($ter:ident $ter_text:literal ($ter_a:ident, $ter_b:ident, $ter_c:ident) -> $ter_out:ident = |$ta:ident, $tb:ident, $tc:ident| $ter_body:expr $(, sse2 |$txa:ident, $txb:ident, $txc:ident| $ter_x86:expr)?;)* }
        shift { $($sh:ident $sh_text:literal ($sh_in:ident) -> $sh_out:ident = |$sa:ident, $sn:ident| $sh_body:expr, sse2 |$sxa:ident, $sxn:ident| $sh_x86:expr;)* }
        extract { $($ex:tt)* }
        replace { $($re:tt)* }
        load { $($load:tt)* }
        load_lane { $($ll:tt)* }
        store_lane { $($sl:tt)* }
    ) => {
        #[test]
        fn instructions_mean_what_the_lanes_say() {
            let mut random = Random(0x0123_4567_89ab_cdef);
            for _ in 0..ROUNDS {
                $({
                    let a = <<ops::$un as Unary>::In as Sample>::sample(&mut random);
                    let value = ops::$un::eval(a).expect("it does not trap");
                    assert!(<$un_out as Result>::same(ops::$un::by_lanes(a), value), "{}: {a:?}, {value:?}", $un_text);
                })*
                let [a, b, c] = std::array::from_fn(|_| Vector::sample(&mut random));
                $({
                    let value = ops::$bin::eval(a, b);
                    assert!(<$bin_out as Result>::same(ops::$bin::by_lanes(a, b), value), "{}: {:?}", $bin_text, bytes([a, b, value]));
                })*
                $({
                    let value = ops::$ter::eval(a, b, c);
                    assert!(<$ter_out as Result>::same(ops::$ter::by_lanes(a, b, c), value), "{}: {:?}", $ter_text, bytes([a, b, c, value]));
                })*
                let n = random.next() as u32;
                $({
                    let value = ops::$sh::eval(a, n);
                    assert!(<$sh_out as Result>::same(ops::$sh::by_lanes(a, n), value), "{} {n}: {:?}", $sh_text, bytes([a, value]));
                })*
            }
        }

        /// Whether two vectors are results of an operator, by its name.
        #[cfg(target_arch = "x86_64")]
        fn is_same(name: &str, a: Vector, b: Vector) -> bool {
            let mut same = None;
            $(if name == stringify!($bin) { same = Some(<$bin_out as Result>::same(a, b)); })*
            $(if name == stringify!($ter) { same = Some(<$ter_out as Result>::same(a, b)); })*
            same.unwrap_or_else(|| f32x4::same(a, b) || f64x2::same(a, b) || u64x2::same(a, b))
        }
    };
}

for_each_vector_op!(compare);

#[test]
#[cfg(target_arch = "x86_64")]
fn newer_instructions_mean_the_same() {
    for round in 1..=ROUNDS {
        let mut random = Random((round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let [a, b, c] = std::array::from_fn(|_| Vector::sample(&mut random));
        super::native::for_each_exact(
            |name, native, by_lanes| {
                let (value, wanted) = (native(a), by_lanes(a));
                assert!(is_same(name, value, wanted), "{name}: {:?}", bytes([a, value, wanted]));
            },
            |name, native, by_lanes| {
                let (value, wanted) = (native(a, b), by_lanes(a, b));
                assert!(
                    is_same(name, value, wanted),
                    "{name}: {:?}",
                    bytes([a, b, value, wanted])
                );
            },
            |name, native, by_lanes| {
                let (value, wanted) = (native(a, b, c), by_lanes(a, b, c));
                assert!(
                    is_same(name, value, wanted),
                    "{name}: {:?}",
                    bytes([a, b, c, value, wanted])
                );
            },
        );
    }
}

#[test]
fn bytes_are_lanes() {
    let vector = of_bytes(std::array::from_fn(|i| i as u8));
    assert_eq!(u32x4::of(vector), [0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c]);
    assert_eq!(to_bytes(u64x2::of(vector).value()), to_bytes(vector));
}
