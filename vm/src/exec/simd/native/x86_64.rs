//! Operators as x86-64 processors with more than the baseline do them.

use std::arch::asm;
use std::sync::LazyLock;

use super::super::baseline::*;
use super::super::ops::{self, VectorBinary, VectorTernary, binary_handlers, ternary_handlers};
use super::super::sse2::{count, not, of_pd, of_ps, pd, ps, saturate_q15};
use super::super::vector::{Vector, of_bytes, read};
use super::{Shuffles, UnaryInfo, VectorBinaryInfo, VectorTernaryInfo};
use crate::exec::dispatch::{handler, next};
use crate::exec::numeric::{Unary, unary_handlers};
use crate::exec::operand::{A, At, Dst, Prim, S, SHORT, SRC, Src, destinations};
use crate::trap::Trap;

/// An instruction with one operand, and what follows it as text.
macro_rules! one {
    ($asm:literal, $a:expr $(, $imm:literal)?) => {{
        let value: Vector;
        // SAFETY: the instruction only computes, and the translator takes this
        // operator only where the processor has it.
        unsafe {
            asm!(
                concat!($asm, " {out}, {a}" $(, ", ", $imm)?),
                a = in(xmm_reg) $a, out = lateout(xmm_reg) value, options(pure, nomem, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// An instruction that replaces the first of two operands.
macro_rules! two {
    ($asm:literal, $a:expr, $b:expr) => {{
        let mut value: Vector = $a;
        // SAFETY: as in `one`.
        unsafe {
            asm!(
                concat!($asm, " {a}, {b}"),
                a = inout(xmm_reg) value, b = in(xmm_reg) $b, options(pure, nomem, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// An instruction that replaces the first of three operands.
macro_rules! three {
    ($asm:literal, $a:expr, $b:expr, $c:expr) => {{
        let mut value: Vector = $a;
        // SAFETY: as in `one`.
        unsafe {
            asm!(
                concat!($asm, " {a}, {b}, {c}"),
                a = inout(xmm_reg) value, b = in(xmm_reg) $b, c = in(xmm_reg) $c,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// An instruction that takes the lanes of `b` where the register it names, the
/// mask, has its sign set, and those of `a` elsewhere.
macro_rules! blend_by_sign {
    ($asm:literal, $a:expr, $b:expr, $mask:expr) => {{
        let mut value: Vector = $a;
        // SAFETY: as in `one`.
        unsafe {
            asm!(
                concat!($asm, " {a}, {b}"),
                a = inout(xmm_reg) value, b = in(xmm_reg) $b, in("xmm0") $mask,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// Declares operators, each with the one it stands for and the processor's
/// feature it needs; `relaxed` ones are not what the specification's
/// deterministic profile asks for.
macro_rules! native_ops {
    (
        unary { $($un:ident for $un_op:ident if $un_feature:tt |$ua:ident| $un_expr:expr;)* }
        relaxed_unary { $($ru:ident for $ru_op:ident if $ru_feature:tt |$rua:ident| $ru_expr:expr;)* }
        binary { $($bin:ident for $bin_op:ident if $bin_feature:tt |$ba:ident, $bb:ident| $bin_expr:expr;)* }
        relaxed_binary { $($rb:ident for $rb_op:ident if $rb_feature:tt |$rba:ident, $rbb:ident| $rb_expr:expr;)* }
        ternary { $($ter:ident for $ter_op:ident if $ter_feature:tt |$ta:ident, $tb:ident, $tc:ident| $ter_expr:expr;)* }
        relaxed_ternary { $($rt:ident for $rt_op:ident if $rt_feature:tt |$rta:ident, $rtb:ident, $rtc:ident| $rt_expr:expr;)* }
    ) => {
        native_ops! { @unary $($un for $un_op |$ua| $un_expr;)* $($ru for $ru_op |$rua| $ru_expr;)* }
        native_ops! { @binary $($bin for $bin_op |$ba, $bb| $bin_expr;)* $($rb for $rb_op |$rba, $rbb| $rb_expr;)* }
        native_ops! { @ternary $($ter for $ter_op |$ta, $tb, $tc| $ter_expr;)* $($rt for $rt_op |$rta, $rtb, $rtc| $rt_expr;)* }

        /// The operator as this processor does it best; if `relaxed`, of a relaxed
        /// one any of the results that it may have.
        pub(crate) fn unary(info: &'static UnaryInfo, relaxed: bool) -> &'static UnaryInfo {
            $(if relaxed && std::ptr::eq(info, ops::$ru_op::info()) && is_x86_feature_detected!($ru_feature) {
                return $ru::info();
            })*
            $(if std::ptr::eq(info, ops::$un_op::info()) && is_x86_feature_detected!($un_feature) {
                return $un::info();
            })*
            info
        }

        /// See [`unary`].
        pub(crate) fn binary(info: &'static VectorBinaryInfo, relaxed: bool) -> &'static VectorBinaryInfo {
            $(if relaxed && std::ptr::eq(info, ops::$rb_op::info()) && is_x86_feature_detected!($rb_feature) {
                return $rb::info();
            })*
            $(if std::ptr::eq(info, ops::$bin_op::info()) && is_x86_feature_detected!($bin_feature) {
                return $bin::info();
            })*
            info
        }

        /// See [`unary`].
        pub(crate) fn ternary(info: &'static VectorTernaryInfo, relaxed: bool) -> &'static VectorTernaryInfo {
            $(if std::ptr::eq(info, ops::$ter_op::info()) && is_x86_feature_detected!($ter_feature) {
                return $ter::info();
            })*
            $(if relaxed && std::ptr::eq(info, ops::$rt_op::info()) && is_x86_feature_detected!($rt_feature) {
                return $rt::info();
            })*
            info
        }

        /// What the tests compare: the operators here that this processor has and
        /// the specification's deterministic profile allows.
        #[cfg(test)]
        pub(in crate::exec::simd) fn for_each_exact(
            mut unary: impl FnMut(&str, fn(Vector) -> Vector, fn(Vector) -> Vector),
            mut binary: impl FnMut(&str, fn(Vector, Vector) -> Vector, fn(Vector, Vector) -> Vector),
            mut ternary: impl FnMut(
                &str,
                fn(Vector, Vector, Vector) -> Vector,
                fn(Vector, Vector, Vector) -> Vector,
            ),
        ) {
            $(if is_x86_feature_detected!($un_feature) {
                let native = |a| <$un as Unary>::eval(a).expect("it does not trap");
                unary(stringify!($un_op), native, |a| ops::$un_op::by_lanes(a));
            })*
            $(if is_x86_feature_detected!($bin_feature) {
                binary(stringify!($bin_op), <$bin as VectorBinary>::eval, |a, b| ops::$bin_op::by_lanes(a, b));
            })*
            $(if is_x86_feature_detected!($ter_feature) {
                let by_lanes = |a, b, c| ops::$ter_op::by_lanes(a, b, c);
                ternary(stringify!($ter_op), <$ter as VectorTernary>::eval, by_lanes);
            })*
        }
    };
    (@unary $($name:ident for $op:ident |$a:ident| $expr:expr;)*) => {$(
        #[doc = concat!("[`ops::", stringify!($op), "`] on some processors")]
        enum $name {}
        impl Unary for $name {
            type In = Vector;
            type Out = Vector;
            #[inline(always)]
            fn eval($a: Vector) -> Result<Vector, Trap> {
                Ok($expr)
            }
            fn info() -> &'static UnaryInfo {
                static INFO: LazyLock<UnaryInfo> = LazyLock::new(|| UnaryInfo {
                    name: ops::$op::info().name,
                    handlers: const { unary_handlers::<$name>() },
                    out: Vector::TY,
                });
                &INFO
            }
        }
    )*};
    (@binary $($name:ident for $op:ident |$a:ident, $b:ident| $expr:expr;)*) => {$(
        #[doc = concat!("[`ops::", stringify!($op), "`] on some processors")]
        enum $name {}
        impl VectorBinary for $name {
            #[inline(always)]
            fn eval($a: Vector, $b: Vector) -> Vector {
                $expr
            }
        }
        impl $name {
            fn info() -> &'static VectorBinaryInfo {
                static INFO: LazyLock<VectorBinaryInfo> = LazyLock::new(|| VectorBinaryInfo {
                    name: ops::$op::info().name,
                    handlers: const { binary_handlers::<$name>(false) },
                    commutes: false,
                    loaded: None,
                });
                &INFO
            }
        }
    )*};
    (@ternary $($name:ident for $op:ident |$a:ident, $b:ident, $c:ident| $expr:expr;)*) => {$(
        #[doc = concat!("[`ops::", stringify!($op), "`] on some processors")]
        enum $name {}
        impl VectorTernary for $name {
            #[inline(always)]
            fn eval($a: Vector, $b: Vector, $c: Vector) -> Vector {
                $expr
            }
        }
        impl $name {
            fn info() -> &'static VectorTernaryInfo {
                static INFO: LazyLock<VectorTernaryInfo> = LazyLock::new(|| VectorTernaryInfo {
                    name: ops::$op::info().name,
                    handlers: const { ternary_handlers::<$name>() },
                });
                &INFO
            }
        }
    )*};
}

// The roundings' immediates are those of `crate::exec::native`.
native_ops! {
    unary {
        Abs8 for I8x16Abs if "ssse3" |a| one!("pabsb", a);
        Abs16 for I16x8Abs if "ssse3" |a| one!("pabsw", a);
        Abs32 for I32x4Abs if "ssse3" |a| one!("pabsd", a);
        ExtAddS for I16x8ExtAddPairwiseI8x16S if "ssse3" |a| two!("pmaddubsw", _mm_set1_epi8(1), a);
        ExtAddU for I16x8ExtAddPairwiseI8x16U if "ssse3" |a| two!("pmaddubsw", a, _mm_set1_epi8(1));
        Popcnt for I8x16Popcnt if "ssse3" |a| popcnt(a);
        Nearest32 for F32x4Nearest if "sse4.1" |a| one!("roundps", a, "8");
        Floor32 for F32x4Floor if "sse4.1" |a| one!("roundps", a, "9");
        Ceil32 for F32x4Ceil if "sse4.1" |a| one!("roundps", a, "10");
        Trunc32 for F32x4Trunc if "sse4.1" |a| one!("roundps", a, "11");
        Nearest64 for F64x2Nearest if "sse4.1" |a| one!("roundpd", a, "8");
        Floor64 for F64x2Floor if "sse4.1" |a| one!("roundpd", a, "9");
        Ceil64 for F64x2Ceil if "sse4.1" |a| one!("roundpd", a, "10");
        Trunc64 for F64x2Trunc if "sse4.1" |a| one!("roundpd", a, "11");
    }
    relaxed_unary {
        AnyTrunc32 for I32x4RelaxedTruncF32x4S if "sse2" |a| _mm_cvttps_epi32(ps(a));
        AnyTrunc64 for I32x4RelaxedTruncF64x2SZero if "sse2" |a| _mm_cvttpd_epi32(pd(a));
    }
    binary {
        Swizzle for I8x16Swizzle if "ssse3" |a, b| swizzle(a, b);
        RelaxedSwizzle for I8x16RelaxedSwizzle if "ssse3" |a, b| swizzle(a, b);
        Q15 for I16x8Q15MulrSatS if "ssse3" |a, b| saturate_q15(two!("pmulhrsw", a, b));
        RelaxedQ15 for I16x8RelaxedQ15mulrS if "ssse3" |a, b| saturate_q15(two!("pmulhrsw", a, b));
        MinS8 for I8x16MinS if "sse4.1" |a, b| two!("pminsb", a, b);
        MaxS8 for I8x16MaxS if "sse4.1" |a, b| two!("pmaxsb", a, b);
        MinU16 for I16x8MinU if "sse4.1" |a, b| two!("pminuw", a, b);
        MaxU16 for I16x8MaxU if "sse4.1" |a, b| two!("pmaxuw", a, b);
        MinS32 for I32x4MinS if "sse4.1" |a, b| two!("pminsd", a, b);
        MinU32 for I32x4MinU if "sse4.1" |a, b| two!("pminud", a, b);
        MaxS32 for I32x4MaxS if "sse4.1" |a, b| two!("pmaxsd", a, b);
        MaxU32 for I32x4MaxU if "sse4.1" |a, b| two!("pmaxud", a, b);
        Narrow32 for I16x8NarrowI32x4U if "sse4.1" |a, b| two!("packusdw", a, b);
        Mul32 for I32x4Mul if "sse4.1" |a, b| two!("pmulld", a, b);
        ExtMulLow for I64x2ExtMulLowI32x4S if "sse4.1" |a, b| two!("pmuldq", _mm_unpacklo_epi32(a, a), _mm_unpacklo_epi32(b, b));
        ExtMulHigh for I64x2ExtMulHighI32x4S if "sse4.1" |a, b| two!("pmuldq", _mm_unpackhi_epi32(a, a), _mm_unpackhi_epi32(b, b));
        Eq64 for I64x2Eq if "sse4.1" |a, b| two!("pcmpeqq", a, b);
        Ne64 for I64x2Ne if "sse4.1" |a, b| not(two!("pcmpeqq", a, b));
        Lt64 for I64x2LtS if "sse4.2" |a, b| two!("pcmpgtq", b, a);
        Gt64 for I64x2GtS if "sse4.2" |a, b| two!("pcmpgtq", a, b);
        Le64 for I64x2LeS if "sse4.2" |a, b| not(two!("pcmpgtq", a, b));
        Ge64 for I64x2GeS if "sse4.2" |a, b| not(two!("pcmpgtq", b, a));
    }
    relaxed_binary {
        AnySwizzle for I8x16RelaxedSwizzle if "ssse3" |a, b| two!("pshufb", a, b);
        AnyMin32 for F32x4RelaxedMin if "sse2" |a, b| of_ps(_mm_min_ps(ps(a), ps(b)));
        AnyMax32 for F32x4RelaxedMax if "sse2" |a, b| of_ps(_mm_max_ps(ps(a), ps(b)));
        AnyMin64 for F64x2RelaxedMin if "sse2" |a, b| of_pd(_mm_min_pd(pd(a), pd(b)));
        AnyMax64 for F64x2RelaxedMax if "sse2" |a, b| of_pd(_mm_max_pd(pd(a), pd(b)));
        AnyQ15 for I16x8RelaxedQ15mulrS if "ssse3" |a, b| two!("pmulhrsw", a, b);
        AnyDot for I16x8RelaxedDotI8x16I7x16S if "ssse3" |a, b| two!("pmaddubsw", b, a);
    }
    ternary {
        Madd32 for F32x4RelaxedMadd if "fma" |a, b, c| three!("vfmadd213ps", a, b, c);
        Nmadd32 for F32x4RelaxedNmadd if "fma" |a, b, c| three!("vfnmadd213ps", a, b, c);
        Madd64 for F64x2RelaxedMadd if "fma" |a, b, c| three!("vfmadd213pd", a, b, c);
        Nmadd64 for F64x2RelaxedNmadd if "fma" |a, b, c| three!("vfnmadd213pd", a, b, c);
    }
    relaxed_ternary {
        AnyMadd32 for F32x4RelaxedMadd if "sse2" |a, b, c| of_ps(_mm_add_ps(_mm_mul_ps(ps(a), ps(b)), ps(c)));
        AnyNmadd32 for F32x4RelaxedNmadd if "sse2" |a, b, c| of_ps(_mm_sub_ps(ps(c), _mm_mul_ps(ps(a), ps(b))));
        AnyMadd64 for F64x2RelaxedMadd if "sse2" |a, b, c| of_pd(_mm_add_pd(_mm_mul_pd(pd(a), pd(b)), pd(c)));
        AnyNmadd64 for F64x2RelaxedNmadd if "sse2" |a, b, c| of_pd(_mm_sub_pd(pd(c), _mm_mul_pd(pd(a), pd(b))));
        AnySelect8 for I8x16RelaxedLaneselect if "sse4.1" |a, b, c| blend_by_sign!("pblendvb", b, a, c);
        AnySelect32 for I32x4RelaxedLaneselect if "sse4.1" |a, b, c| blend_by_sign!("blendvps", b, a, c);
        AnySelect64 for I64x2RelaxedLaneselect if "sse4.1" |a, b, c| blend_by_sign!("blendvpd", b, a, c);
        AnyDotAdd for I32x4RelaxedDotI8x16I7x16AddS if "ssse3" |a, b, c| _mm_add_epi32(_mm_madd_epi16(two!("pmaddubsw", b, a), _mm_set1_epi16(1)), c);
    }
}

/// `i8x16.swizzle`: the instruction gives 0 for numbers from 128 on, which all
/// from 16 on become.
#[inline(always)]
fn swizzle(a: Vector, b: Vector) -> Vector {
    two!("pshufb", a, _mm_adds_epu8(b, _mm_set1_epi8(0x70)))
}

/// `i8x16.popcnt`: of four bits each, by a table.
#[inline(always)]
fn popcnt(a: Vector) -> Vector {
    let (table, four) = (
        of_bytes([0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4]),
        _mm_set1_epi8(15),
    );
    let low = two!("pshufb", table, _mm_and_si128(a, four));
    let high = two!("pshufb", table, _mm_and_si128(_mm_srl_epi16(a, count(4)), four));
    _mm_add_epi8(low, high)
}

handler! {
    /// `i8x16.shuffle` of one vector by the lane numbers at byte 16, 128 for a 0.
    fn shuffle_one<I: Src, D: Dst>(s) {
        let a = I::get::<Vector>(&s, At::slot(SRC));
        let lanes = read(s.ip.add(SHORT));
        D::put(&mut s, two!("pshufb", a, lanes));
        s.ip = s.ip.add(SHORT + 16);
        next(s)
    }

    /// `i8x16.shuffle` of two vectors, each by lane numbers of its own as in
    /// [`shuffle_one`].
    fn shuffle_two<L: Src, R: Src, D: Dst>(s) {
        let a = L::get::<Vector>(&s, At::slot(SRC));
        let b = R::get::<Vector>(&s, At::slot(SRC + 2 * L::SLOTS));
        let (of_a, of_b) = (read(s.ip.add(SHORT)), read(s.ip.add(SHORT + 16)));
        D::put(&mut s, _mm_or_si128(two!("pshufb", a, of_a), two!("pshufb", b, of_b)));
        s.ip = s.ip.add(SHORT + 32);
        next(s)
    }
}

/// `i8x16.shuffle` as this processor does it best; none if not better than others.
pub(crate) fn shuffles() -> Option<&'static Shuffles> {
    static SHUFFLES: Shuffles = Shuffles {
        one: [
            destinations!(Vector: shuffle_one, S),
            destinations!(Vector: shuffle_one, A),
        ],
        two: [
            [
                destinations!(Vector: shuffle_two, S, S),
                destinations!(Vector: shuffle_two, S, A),
            ],
            [
                destinations!(Vector: shuffle_two, A, S),
                destinations!(Vector: shuffle_two, S, A),
            ],
        ],
    };
    is_x86_feature_detected!("ssse3").then_some(&SHUFFLES)
}
