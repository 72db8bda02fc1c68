//! What the baseline of x86-64 has no single instruction for, in a few.

use core::arch::x86_64::{__m128, __m128d};

use super::baseline::*;
use super::vector::Vector;

/// As floats.
#[inline(always)]
pub(super) fn ps(a: Vector) -> __m128 {
    _mm_castsi128_ps(a)
}

/// From floats.
#[inline(always)]
pub(super) fn of_ps(a: __m128) -> Vector {
    _mm_castps_si128(a)
}

/// As doubles.
#[inline(always)]
pub(super) fn pd(a: Vector) -> __m128d {
    _mm_castsi128_pd(a)
}

/// From doubles.
#[inline(always)]
pub(super) fn of_pd(a: __m128d) -> Vector {
    _mm_castpd_si128(a)
}

/// All zeros.
#[inline(always)]
pub(super) fn zero() -> Vector {
    _mm_setzero_si128()
}

/// All bits inverted.
#[inline(always)]
pub(super) fn not(a: Vector) -> Vector {
    _mm_xor_si128(a, _mm_set1_epi8(-1))
}

/// The sign of each byte as a bit.
#[inline(always)]
pub(super) fn lanes_set(a: Vector) -> u32 {
    _mm_movemask_epi8(a) as u32
}

/// A shift count, for all lanes.
#[inline(always)]
pub(super) fn count(n: u32) -> Vector {
    _mm_cvtsi32_si128(n as i32)
}

/// The bits of `a` where `mask` has ones, of `b` elsewhere.
#[inline(always)]
pub(super) fn blend(mask: Vector, a: Vector, b: Vector) -> Vector {
    _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b))
}

/// `u32` lanes in the order of `i32` lanes.
#[inline(always)]
pub(super) fn flip32(a: Vector) -> Vector {
    _mm_xor_si128(a, _mm_set1_epi32(i32::MIN))
}

/// Ones where an `i64` lane is negative.
#[inline(always)]
pub(super) fn signs64(a: Vector) -> Vector {
    _mm_shuffle_epi32::<0b11_11_01_01>(_mm_srai_epi32::<31>(a))
}

/// Ones where 64-bit lanes are equal: both halves are.
#[inline(always)]
pub(super) fn eq64(a: Vector, b: Vector) -> Vector {
    let halves = _mm_cmpeq_epi32(a, b);
    _mm_and_si128(halves, _mm_shuffle_epi32::<0b10_11_00_01>(halves))
}

/// Ones where an `i64` lane of `a` is greater: its high half is, or that is equal
/// and the difference of the low halves borrows from it.
#[inline(always)]
pub(super) fn gt64(a: Vector, b: Vector) -> Vector {
    let borrow = _mm_and_si128(_mm_cmpeq_epi32(a, b), _mm_sub_epi64(b, a));
    _mm_shuffle_epi32::<0b11_11_01_01>(_mm_or_si128(borrow, _mm_cmpgt_epi32(a, b)))
}

/// `i8x16.popcnt`: sums of neighbouring bits, of pairs, of fours.
#[inline(always)]
pub(super) fn popcnt(a: Vector) -> Vector {
    let (ones, twos, fours) = (_mm_set1_epi8(0x55), _mm_set1_epi8(0x33), _mm_set1_epi8(0x0f));
    let a = _mm_sub_epi8(a, _mm_and_si128(_mm_srli_epi16::<1>(a), ones));
    let a = _mm_add_epi8(_mm_and_si128(a, twos), _mm_and_si128(_mm_srli_epi16::<2>(a), twos));
    _mm_and_si128(_mm_add_epi8(a, _mm_srli_epi16::<4>(a)), fours)
}

/// The low half's `i8` lanes extended.
#[inline(always)]
pub(super) fn low8_s(a: Vector) -> Vector {
    _mm_srai_epi16::<8>(_mm_unpacklo_epi8(a, a))
}

/// The high half's `i8` lanes extended.
#[inline(always)]
pub(super) fn high8_s(a: Vector) -> Vector {
    _mm_srai_epi16::<8>(_mm_unpackhi_epi8(a, a))
}

/// The low half's `i16` lanes extended.
#[inline(always)]
pub(super) fn low16_s(a: Vector) -> Vector {
    _mm_srai_epi32::<16>(_mm_unpacklo_epi16(a, a))
}

/// The high half's `i16` lanes extended.
#[inline(always)]
pub(super) fn high16_s(a: Vector) -> Vector {
    _mm_srai_epi32::<16>(_mm_unpackhi_epi16(a, a))
}

/// `i8x16.shr_s` by less than 8.
#[inline(always)]
pub(super) fn shr8_s(a: Vector, n: u32) -> Vector {
    let bits = _mm_and_si128(_mm_srl_epi16(a, count(n)), _mm_set1_epi8((0xff_u32 >> n) as i8));
    let sign = _mm_set1_epi8((0x80_u32 >> n) as i8);
    _mm_sub_epi8(_mm_xor_si128(bits, sign), sign)
}

/// `i64x2.shr_s` by less than 64.
#[inline(always)]
pub(super) fn shr64_s(a: Vector, n: u32) -> Vector {
    let sign = _mm_srl_epi64(_mm_set1_epi64x(i64::MIN), count(n));
    _mm_sub_epi64(_mm_xor_si128(_mm_srl_epi64(a, count(n)), sign), sign)
}

/// `i16x8.narrow_i32x4_u`: only signed lanes saturate, so they move down and up.
#[inline(always)]
pub(super) fn packus32(a: Vector, b: Vector) -> Vector {
    let shifted = |a| _mm_sub_epi32(_mm_andnot_si128(_mm_srai_epi32::<31>(a), a), _mm_set1_epi32(0x8000));
    _mm_xor_si128(_mm_packs_epi32(shifted(a), shifted(b)), _mm_set1_epi16(i16::MIN))
}

/// `i16x8.q15mulr_sat_s`: the product's bits 15 to 30 and the one below; only that
/// of the two smallest numbers is too large.
#[inline(always)]
pub(super) fn q15mulr_sat(a: Vector, b: Vector) -> Vector {
    let (low, high) = (_mm_mullo_epi16(a, b), _mm_mulhi_epi16(a, b));
    let bits = _mm_or_si128(_mm_slli_epi16::<1>(high), _mm_srli_epi16::<15>(low));
    let round = _mm_and_si128(_mm_srli_epi16::<14>(low), _mm_set1_epi16(1));
    saturate_q15(_mm_add_epi16(bits, round))
}

/// 32767 for -32768.
#[inline(always)]
pub(super) fn saturate_q15(a: Vector) -> Vector {
    _mm_xor_si128(a, _mm_cmpeq_epi16(a, _mm_set1_epi16(i16::MIN)))
}

/// `i32x4.mul`: the low halves of products of even and of odd lanes.
#[inline(always)]
pub(super) fn mul32(a: Vector, b: Vector) -> Vector {
    let even = _mm_mul_epu32(a, b);
    let odd = _mm_mul_epu32(_mm_srli_epi64::<32>(a), _mm_srli_epi64::<32>(b));
    _mm_unpacklo_epi32(
        _mm_shuffle_epi32::<0b00_00_10_00>(even),
        _mm_shuffle_epi32::<0b00_00_10_00>(odd),
    )
}

/// `i64x2.mul`, by halves.
#[inline(always)]
pub(super) fn mul64(a: Vector, b: Vector) -> Vector {
    let across = _mm_add_epi64(
        _mm_mul_epu32(_mm_srli_epi64::<32>(a), b),
        _mm_mul_epu32(a, _mm_srli_epi64::<32>(b)),
    );
    _mm_add_epi64(_mm_mul_epu32(a, b), _mm_slli_epi64::<32>(across))
}

/// Signed products of 32-bit lanes, each there twice: a negative factor counts
/// 2^32 too much.
#[inline(always)]
pub(super) fn extmul32_s(a: Vector, b: Vector) -> Vector {
    let (too_much_b, too_much_a) = (
        _mm_and_si128(_mm_srai_epi32::<31>(a), b),
        _mm_and_si128(_mm_srai_epi32::<31>(b), a),
    );
    let too_much = _mm_slli_epi64::<32>(_mm_add_epi32(too_much_a, too_much_b));
    _mm_sub_epi64(_mm_mul_epu32(a, b), too_much)
}

/// `i16x8.relaxed_dot_i8x16_i7x16_s`, both operands signed, sums modulo 2^16.
#[inline(always)]
pub(super) fn dot8(a: Vector, b: Vector) -> Vector {
    let even = |a| _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(a));
    let odd = |a| _mm_srai_epi16::<8>(a);
    _mm_add_epi16(_mm_mullo_epi16(even(a), even(b)), _mm_mullo_epi16(odd(a), odd(b)))
}

/// `f32x4.min`: the instruction gives the second operand for zeros and NaNs; so ask
/// twice, and a -0 wins. NaNs become the canonical one.
#[inline(always)]
pub(super) fn min_ps(a: Vector, b: Vector) -> Vector {
    let (a, b) = (ps(a), ps(b));
    let least = _mm_or_ps(_mm_min_ps(a, b), _mm_min_ps(b, a));
    canonical_ps(of_ps(least), of_ps(_mm_cmpunord_ps(a, b)))
}

/// `f32x4.max`; see [`min_ps`].
#[inline(always)]
pub(super) fn max_ps(a: Vector, b: Vector) -> Vector {
    let (a, b) = (ps(a), ps(b));
    let most = _mm_and_ps(_mm_max_ps(a, b), _mm_max_ps(b, a));
    canonical_ps(of_ps(most), of_ps(_mm_cmpunord_ps(a, b)))
}

/// A canonical NaN where `nan` has ones.
#[inline(always)]
fn canonical_ps(a: Vector, nan: Vector) -> Vector {
    _mm_andnot_si128(_mm_srli_epi32::<10>(nan), _mm_or_si128(a, nan))
}

/// `f64x2.min`; see [`min_ps`].
#[inline(always)]
pub(super) fn min_pd(a: Vector, b: Vector) -> Vector {
    let (a, b) = (pd(a), pd(b));
    let least = _mm_or_pd(_mm_min_pd(a, b), _mm_min_pd(b, a));
    canonical_pd(of_pd(least), of_pd(_mm_cmpunord_pd(a, b)))
}

/// `f64x2.max`; see [`min_ps`].
#[inline(always)]
pub(super) fn max_pd(a: Vector, b: Vector) -> Vector {
    let (a, b) = (pd(a), pd(b));
    let most = _mm_and_pd(_mm_max_pd(a, b), _mm_max_pd(b, a));
    canonical_pd(of_pd(most), of_pd(_mm_cmpunord_pd(a, b)))
}

/// A canonical NaN where `nan` has ones.
#[inline(always)]
fn canonical_pd(a: Vector, nan: Vector) -> Vector {
    _mm_andnot_si128(_mm_srli_epi64::<13>(nan), _mm_or_si128(a, nan))
}

/// `i32x4.trunc_sat_f32x4_s`: the instruction gives the smallest number for all that
/// does not fit, which is right unless it is a NaN or positive.
#[inline(always)]
pub(super) fn trunc_f32_s(a: Vector) -> Vector {
    let a = ps(a);
    let number = _mm_and_ps(a, _mm_cmpord_ps(a, a));
    let large = _mm_cmpge_ps(number, _mm_set1_ps(2_147_483_648.0));
    _mm_xor_si128(_mm_cvttps_epi32(number), of_ps(large))
}

/// `i32x4.trunc_sat_f32x4_u`: what is 2^31 or more is the smallest `i32`, plus the
/// rest.
#[inline(always)]
pub(super) fn trunc_f32_u(a: Vector) -> Vector {
    let half = _mm_set1_ps(2_147_483_648.0);
    // Zero for NaNs.
    let a = _mm_max_ps(ps(a), _mm_setzero_ps());
    let rest = _mm_sub_ps(a, half);
    let too_large = of_ps(_mm_cmpge_ps(rest, half));
    let high = _mm_xor_si128(_mm_cvttps_epi32(rest), too_large);
    let high = _mm_andnot_si128(_mm_srai_epi32::<31>(high), high);
    _mm_add_epi32(_mm_cvttps_epi32(a), high)
}

/// `i32x4.trunc_sat_f64x2_s_zero`
#[inline(always)]
pub(super) fn trunc_f64_s(a: Vector) -> Vector {
    let a = pd(a);
    let number = _mm_and_pd(a, _mm_cmpord_pd(a, a));
    _mm_cvttpd_epi32(_mm_min_pd(number, _mm_set1_pd(2_147_483_647.0)))
}

/// `i32x4.trunc_sat_f64x2_u_zero`: of what is 2^31 or more, that is taken away first.
#[inline(always)]
pub(super) fn trunc_f64_u(a: Vector) -> Vector {
    let half = _mm_set1_pd(2_147_483_648.0);
    // Zero for NaNs.
    let a = _mm_max_pd(pd(a), _mm_setzero_pd());
    let a = _mm_min_pd(a, _mm_set1_pd(4_294_967_295.0));
    let large = _mm_cmpge_pd(a, half);
    let rest = _mm_cvttpd_epi32(_mm_sub_pd(a, _mm_and_pd(large, half)));
    let large = _mm_move_epi64(_mm_shuffle_epi32::<0b00_00_10_00>(of_pd(large)));
    _mm_xor_si128(rest, _mm_slli_epi32::<31>(large))
}

/// `f32x4.convert_i32x4_u`: the halves are exact, their sum is rounded once.
#[inline(always)]
pub(super) fn convert_u32(a: Vector) -> Vector {
    let low = _mm_cvtepi32_ps(_mm_and_si128(a, _mm_set1_epi32(0xffff)));
    let high = _mm_cvtepi32_ps(_mm_srli_epi32::<16>(a));
    of_ps(_mm_add_ps(_mm_mul_ps(high, _mm_set1_ps(65536.0)), low))
}

/// `f64x2.convert_low_i32x4_u`: as the low half of a number whose lowest bit is 1,
/// 2^52, which is taken away again.
#[inline(always)]
pub(super) fn convert_low_u32(a: Vector) -> Vector {
    let sum = _mm_unpacklo_epi32(a, _mm_set1_epi32(0x4330_0000));
    of_pd(_mm_sub_pd(pd(sum), _mm_set1_pd(4_503_599_627_370_496.0)))
}
