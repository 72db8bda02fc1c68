//! The opcode table of vector instructions: each in one row, as in [`super::table`].
//!
//! A row is the operator's name in `wasmparser::Operator`, its mnemonic, how it sees
//! its operands and its result, and its meaning on arrays of lanes. Where the
//! baseline of x86-64 has instructions for it, these follow; the tests of
//! `exec::simd` compare both. Processors that have more are for `exec::simd::native`.
//!
//! `commutes` lets the translator exchange the operands.

/// Calls the macro `$callback` with the table.
macro_rules! for_each_vector_op {
    ($callback:ident) => {
        $callback! {
            unary {
                I8x16Splat "i8x16.splat" (u32) -> i8x16 = |a| [a as i8; 16], sse2 |a| _mm_set1_epi8(a as i8);
                I16x8Splat "i16x8.splat" (u32) -> i16x8 = |a| [a as i16; 8], sse2 |a| _mm_set1_epi16(a as i16);
                I32x4Splat "i32x4.splat" (u32) -> u32x4 = |a| [a; 4], sse2 |a| _mm_set1_epi32(a as i32);
                I64x2Splat "i64x2.splat" (u64) -> u64x2 = |a| [a; 2], sse2 |a| _mm_set1_epi64x(a as i64);
                F32x4Splat "f32x4.splat" (f32) -> f32x4 = |a| [a; 4], sse2 |a| of_ps(_mm_set1_ps(a));
                F64x2Splat "f64x2.splat" (f64) -> f64x2 = |a| [a; 2], sse2 |a| of_pd(_mm_set1_pd(a));
                V128Not "v128.not" (u64x2) -> u64x2 = |a| a.map(|a| !a), sse2 |a| not(a);
                V128AnyTrue "v128.any_true" (u64x2) -> u32 = |a| u32::from(a != [0; 2]), sse2 |a| u32::from(lanes_set(_mm_cmpeq_epi8(a, zero())) != 0xffff);
                I8x16Abs "i8x16.abs" (i8x16) -> i8x16 = |a| a.map(i8::wrapping_abs), sse2 |a| _mm_min_epu8(a, _mm_sub_epi8(zero(), a));
                I8x16Neg "i8x16.neg" (i8x16) -> i8x16 = |a| a.map(i8::wrapping_neg), sse2 |a| _mm_sub_epi8(zero(), a);
                I8x16Popcnt "i8x16.popcnt" (u8x16) -> u8x16 = |a| a.map(|a| a.count_ones() as u8), sse2 |a| popcnt(a);
                I8x16AllTrue "i8x16.all_true" (u8x16) -> u32 = |a| all(a, 0), sse2 |a| u32::from(lanes_set(_mm_cmpeq_epi8(a, zero())) == 0);
                I8x16Bitmask "i8x16.bitmask" (i8x16) -> u32 = |a| bitmask(a.map(|a| a < 0)), sse2 |a| lanes_set(a);
                I16x8Abs "i16x8.abs" (i16x8) -> i16x8 = |a| a.map(i16::wrapping_abs), sse2 |a| _mm_max_epi16(a, _mm_sub_epi16(zero(), a));
                I16x8Neg "i16x8.neg" (i16x8) -> i16x8 = |a| a.map(i16::wrapping_neg), sse2 |a| _mm_sub_epi16(zero(), a);
                I16x8AllTrue "i16x8.all_true" (u16x8) -> u32 = |a| all(a, 0), sse2 |a| u32::from(lanes_set(_mm_cmpeq_epi16(a, zero())) == 0);
                I16x8Bitmask "i16x8.bitmask" (i16x8) -> u32 = |a| bitmask(a.map(|a| a < 0)), sse2 |a| lanes_set(_mm_packs_epi16(a, zero()));
                I32x4Abs "i32x4.abs" (i32x4) -> i32x4 = |a| a.map(i32::wrapping_abs), sse2 |a| { let sign = _mm_srai_epi32::<31>(a); _mm_sub_epi32(_mm_xor_si128(a, sign), sign) };
                I32x4Neg "i32x4.neg" (i32x4) -> i32x4 = |a| a.map(i32::wrapping_neg), sse2 |a| _mm_sub_epi32(zero(), a);
                I32x4AllTrue "i32x4.all_true" (u32x4) -> u32 = |a| all(a, 0), sse2 |a| u32::from(lanes_set(_mm_cmpeq_epi32(a, zero())) == 0);
                I32x4Bitmask "i32x4.bitmask" (i32x4) -> u32 = |a| bitmask(a.map(|a| a < 0)), sse2 |a| _mm_movemask_ps(ps(a)) as u32;
                I64x2Abs "i64x2.abs" (i64x2) -> i64x2 = |a| a.map(i64::wrapping_abs), sse2 |a| { let sign = signs64(a); _mm_sub_epi64(_mm_xor_si128(a, sign), sign) };
                I64x2Neg "i64x2.neg" (i64x2) -> i64x2 = |a| a.map(i64::wrapping_neg), sse2 |a| _mm_sub_epi64(zero(), a);
                I64x2AllTrue "i64x2.all_true" (u64x2) -> u32 = |a| all(a, 0), sse2 |a| u32::from(lanes_set(eq64(a, zero())) == 0);
                I64x2Bitmask "i64x2.bitmask" (i64x2) -> u32 = |a| bitmask(a.map(|a| a < 0)), sse2 |a| _mm_movemask_pd(pd(a)) as u32;
                I16x8ExtAddPairwiseI8x16S "i16x8.extadd_pairwise_i8x16_s" (i8x16) -> i16x8 = |a| pairs(a, |a, b| i16::from(a) + i16::from(b)), sse2 |a| _mm_add_epi16(_mm_srai_epi16::<8>(a), _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(a)));
                I16x8ExtAddPairwiseI8x16U "i16x8.extadd_pairwise_i8x16_u" (u8x16) -> u16x8 = |a| pairs(a, |a, b| u16::from(a) + u16::from(b)), sse2 |a| _mm_add_epi16(_mm_srli_epi16::<8>(a), _mm_and_si128(a, _mm_set1_epi16(0xff)));
                I32x4ExtAddPairwiseI16x8S "i32x4.extadd_pairwise_i16x8_s" (i16x8) -> i32x4 = |a| pairs(a, |a, b| i32::from(a) + i32::from(b)), sse2 |a| _mm_madd_epi16(a, _mm_set1_epi16(1));
                I32x4ExtAddPairwiseI16x8U "i32x4.extadd_pairwise_i16x8_u" (u16x8) -> u32x4 = |a| pairs(a, |a, b| u32::from(a) + u32::from(b)), sse2 |a| _mm_add_epi32(_mm_srli_epi32::<16>(a), _mm_and_si128(a, _mm_set1_epi32(0xffff)));
                I16x8ExtendLowI8x16S "i16x8.extend_low_i8x16_s" (i8x16) -> i16x8 = |a| low(a, i16::from), sse2 |a| low8_s(a);
                I16x8ExtendHighI8x16S "i16x8.extend_high_i8x16_s" (i8x16) -> i16x8 = |a| high(a, i16::from), sse2 |a| high8_s(a);
                I16x8ExtendLowI8x16U "i16x8.extend_low_i8x16_u" (u8x16) -> u16x8 = |a| low(a, u16::from), sse2 |a| _mm_unpacklo_epi8(a, zero());
                I16x8ExtendHighI8x16U "i16x8.extend_high_i8x16_u" (u8x16) -> u16x8 = |a| high(a, u16::from), sse2 |a| _mm_unpackhi_epi8(a, zero());
                I32x4ExtendLowI16x8S "i32x4.extend_low_i16x8_s" (i16x8) -> i32x4 = |a| low(a, i32::from), sse2 |a| low16_s(a);
                I32x4ExtendHighI16x8S "i32x4.extend_high_i16x8_s" (i16x8) -> i32x4 = |a| high(a, i32::from), sse2 |a| high16_s(a);
                I32x4ExtendLowI16x8U "i32x4.extend_low_i16x8_u" (u16x8) -> u32x4 = |a| low(a, u32::from), sse2 |a| _mm_unpacklo_epi16(a, zero());
                I32x4ExtendHighI16x8U "i32x4.extend_high_i16x8_u" (u16x8) -> u32x4 = |a| high(a, u32::from), sse2 |a| _mm_unpackhi_epi16(a, zero());
                I64x2ExtendLowI32x4S "i64x2.extend_low_i32x4_s" (i32x4) -> i64x2 = |a| low(a, i64::from), sse2 |a| _mm_unpacklo_epi32(a, _mm_srai_epi32::<31>(a));
                I64x2ExtendHighI32x4S "i64x2.extend_high_i32x4_s" (i32x4) -> i64x2 = |a| high(a, i64::from), sse2 |a| _mm_unpackhi_epi32(a, _mm_srai_epi32::<31>(a));
                I64x2ExtendLowI32x4U "i64x2.extend_low_i32x4_u" (u32x4) -> u64x2 = |a| low(a, u64::from), sse2 |a| _mm_unpacklo_epi32(a, zero());
                I64x2ExtendHighI32x4U "i64x2.extend_high_i32x4_u" (u32x4) -> u64x2 = |a| high(a, u64::from), sse2 |a| _mm_unpackhi_epi32(a, zero());
                F32x4Ceil "f32x4.ceil" (f32x4) -> f32x4 = |a| a.map(|a| ceil!(f32, a));
                F32x4Floor "f32x4.floor" (f32x4) -> f32x4 = |a| a.map(|a| floor!(f32, a));
                F32x4Trunc "f32x4.trunc" (f32x4) -> f32x4 = |a| a.map(|a| trunc!(f32, a));
                F32x4Nearest "f32x4.nearest" (f32x4) -> f32x4 = |a| a.map(|a| nearest!(f32, a));
                F32x4Abs "f32x4.abs" (u32x4) -> u32x4 = |a| a.map(|a| a & 0x7fff_ffff), sse2 |a| _mm_and_si128(a, _mm_set1_epi32(0x7fff_ffff));
                F32x4Neg "f32x4.neg" (u32x4) -> u32x4 = |a| a.map(|a| a ^ 0x8000_0000), sse2 |a| _mm_xor_si128(a, _mm_set1_epi32(i32::MIN));
                F32x4Sqrt "f32x4.sqrt" (f32x4) -> f32x4 = |a| a.map(f32::sqrt), sse2 |a| of_ps(_mm_sqrt_ps(ps(a)));
                F64x2Ceil "f64x2.ceil" (f64x2) -> f64x2 = |a| a.map(|a| ceil!(f64, a));
                F64x2Floor "f64x2.floor" (f64x2) -> f64x2 = |a| a.map(|a| floor!(f64, a));
                F64x2Trunc "f64x2.trunc" (f64x2) -> f64x2 = |a| a.map(|a| trunc!(f64, a));
                F64x2Nearest "f64x2.nearest" (f64x2) -> f64x2 = |a| a.map(|a| nearest!(f64, a));
                F64x2Abs "f64x2.abs" (u64x2) -> u64x2 = |a| a.map(|a| a & 0x7fff_ffff_ffff_ffff), sse2 |a| _mm_and_si128(a, _mm_set1_epi64x(i64::MAX));
                F64x2Neg "f64x2.neg" (u64x2) -> u64x2 = |a| a.map(|a| a ^ 0x8000_0000_0000_0000), sse2 |a| _mm_xor_si128(a, _mm_set1_epi64x(i64::MIN));
                F64x2Sqrt "f64x2.sqrt" (f64x2) -> f64x2 = |a| a.map(f64::sqrt), sse2 |a| of_pd(_mm_sqrt_pd(pd(a)));
                I32x4TruncSatF32x4S "i32x4.trunc_sat_f32x4_s" (f32x4) -> i32x4 = |a| a.map(|a| a as i32), sse2 |a| trunc_f32_s(a);
                I32x4TruncSatF32x4U "i32x4.trunc_sat_f32x4_u" (f32x4) -> u32x4 = |a| a.map(|a| a as u32), sse2 |a| trunc_f32_u(a);
                I32x4TruncSatF64x2SZero "i32x4.trunc_sat_f64x2_s_zero" (f64x2) -> i32x4 = |[a, b]| [a as i32, b as i32, 0, 0], sse2 |a| trunc_f64_s(a);
                I32x4TruncSatF64x2UZero "i32x4.trunc_sat_f64x2_u_zero" (f64x2) -> u32x4 = |[a, b]| [a as u32, b as u32, 0, 0], sse2 |a| trunc_f64_u(a);
                F32x4ConvertI32x4S "f32x4.convert_i32x4_s" (i32x4) -> f32x4 = |a| a.map(|a| a as f32), sse2 |a| of_ps(_mm_cvtepi32_ps(a));
                F32x4ConvertI32x4U "f32x4.convert_i32x4_u" (u32x4) -> f32x4 = |a| a.map(|a| a as f32), sse2 |a| convert_u32(a);
                F64x2ConvertLowI32x4S "f64x2.convert_low_i32x4_s" (i32x4) -> f64x2 = |[a, b, ..]| [a.into(), b.into()], sse2 |a| of_pd(_mm_cvtepi32_pd(a));
                F64x2ConvertLowI32x4U "f64x2.convert_low_i32x4_u" (u32x4) -> f64x2 = |[a, b, ..]| [a.into(), b.into()], sse2 |a| convert_low_u32(a);
                F32x4DemoteF64x2Zero "f32x4.demote_f64x2_zero" (f64x2) -> f32x4 = |[a, b]| [a as f32, b as f32, 0.0, 0.0], sse2 |a| of_ps(_mm_cvtpd_ps(pd(a)));
                F64x2PromoteLowF32x4 "f64x2.promote_low_f32x4" (f32x4) -> f64x2 = |[a, b, ..]| [a.into(), b.into()], sse2 |a| of_pd(_mm_cvtps_pd(ps(a)));
                I32x4RelaxedTruncF32x4S "i32x4.relaxed_trunc_f32x4_s" (f32x4) -> i32x4 = |a| a.map(|a| a as i32), sse2 |a| trunc_f32_s(a);
                I32x4RelaxedTruncF32x4U "i32x4.relaxed_trunc_f32x4_u" (f32x4) -> u32x4 = |a| a.map(|a| a as u32), sse2 |a| trunc_f32_u(a);
                I32x4RelaxedTruncF64x2SZero "i32x4.relaxed_trunc_f64x2_s_zero" (f64x2) -> i32x4 = |[a, b]| [a as i32, b as i32, 0, 0], sse2 |a| trunc_f64_s(a);
                I32x4RelaxedTruncF64x2UZero "i32x4.relaxed_trunc_f64x2_u_zero" (f64x2) -> u32x4 = |[a, b]| [a as u32, b as u32, 0, 0], sse2 |a| trunc_f64_u(a);
            }
            binary {
                I8x16Swizzle "i8x16.swizzle" (u8x16, u8x16) -> u8x16 = |a, b| swizzle(a, b);
                I8x16Eq "i8x16.eq" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, |a, b| -i8::from(a == b)), sse2 |a, b| _mm_cmpeq_epi8(a, b);
                I8x16Ne "i8x16.ne" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, |a, b| -i8::from(a != b)), sse2 |a, b| not(_mm_cmpeq_epi8(a, b));
                I8x16LtS "i8x16.lt_s" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a < b)), sse2 |a, b| _mm_cmplt_epi8(a, b);
                I8x16LtU "i8x16.lt_u" (u8x16, u8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a < b)), sse2 |a, b| not(_mm_cmpeq_epi8(_mm_max_epu8(a, b), a));
                I8x16GtS "i8x16.gt_s" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a > b)), sse2 |a, b| _mm_cmpgt_epi8(a, b);
                I8x16GtU "i8x16.gt_u" (u8x16, u8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a > b)), sse2 |a, b| not(_mm_cmpeq_epi8(_mm_min_epu8(a, b), a));
                I8x16LeS "i8x16.le_s" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a <= b)), sse2 |a, b| not(_mm_cmpgt_epi8(a, b));
                I8x16LeU "i8x16.le_u" (u8x16, u8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a <= b)), sse2 |a, b| _mm_cmpeq_epi8(_mm_min_epu8(a, b), a);
                I8x16GeS "i8x16.ge_s" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a >= b)), sse2 |a, b| not(_mm_cmplt_epi8(a, b));
                I8x16GeU "i8x16.ge_u" (u8x16, u8x16) -> i8x16 = |a, b| each(a, b, |a, b| -i8::from(a >= b)), sse2 |a, b| _mm_cmpeq_epi8(_mm_max_epu8(a, b), a);
                I16x8Eq "i16x8.eq" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, |a, b| -i16::from(a == b)), sse2 |a, b| _mm_cmpeq_epi16(a, b);
                I16x8Ne "i16x8.ne" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, |a, b| -i16::from(a != b)), sse2 |a, b| not(_mm_cmpeq_epi16(a, b));
                I16x8LtS "i16x8.lt_s" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a < b)), sse2 |a, b| _mm_cmplt_epi16(a, b);
                I16x8LtU "i16x8.lt_u" (u16x8, u16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a < b)), sse2 |a, b| not(_mm_cmpeq_epi16(_mm_subs_epu16(b, a), zero()));
                I16x8GtS "i16x8.gt_s" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a > b)), sse2 |a, b| _mm_cmpgt_epi16(a, b);
                I16x8GtU "i16x8.gt_u" (u16x8, u16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a > b)), sse2 |a, b| not(_mm_cmpeq_epi16(_mm_subs_epu16(a, b), zero()));
                I16x8LeS "i16x8.le_s" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a <= b)), sse2 |a, b| not(_mm_cmpgt_epi16(a, b));
                I16x8LeU "i16x8.le_u" (u16x8, u16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a <= b)), sse2 |a, b| _mm_cmpeq_epi16(_mm_subs_epu16(a, b), zero());
                I16x8GeS "i16x8.ge_s" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a >= b)), sse2 |a, b| not(_mm_cmplt_epi16(a, b));
                I16x8GeU "i16x8.ge_u" (u16x8, u16x8) -> i16x8 = |a, b| each(a, b, |a, b| -i16::from(a >= b)), sse2 |a, b| _mm_cmpeq_epi16(_mm_subs_epu16(b, a), zero());
                I32x4Eq "i32x4.eq" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, |a, b| -i32::from(a == b)), sse2 |a, b| _mm_cmpeq_epi32(a, b);
                I32x4Ne "i32x4.ne" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, |a, b| -i32::from(a != b)), sse2 |a, b| not(_mm_cmpeq_epi32(a, b));
                I32x4LtS "i32x4.lt_s" (i32x4, i32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a < b)), sse2 |a, b| _mm_cmplt_epi32(a, b);
                I32x4LtU "i32x4.lt_u" (u32x4, u32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a < b)), sse2 |a, b| _mm_cmplt_epi32(flip32(a), flip32(b));
                I32x4GtS "i32x4.gt_s" (i32x4, i32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a > b)), sse2 |a, b| _mm_cmpgt_epi32(a, b);
                I32x4GtU "i32x4.gt_u" (u32x4, u32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a > b)), sse2 |a, b| _mm_cmpgt_epi32(flip32(a), flip32(b));
                I32x4LeS "i32x4.le_s" (i32x4, i32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a <= b)), sse2 |a, b| not(_mm_cmpgt_epi32(a, b));
                I32x4LeU "i32x4.le_u" (u32x4, u32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a <= b)), sse2 |a, b| not(_mm_cmpgt_epi32(flip32(a), flip32(b)));
                I32x4GeS "i32x4.ge_s" (i32x4, i32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a >= b)), sse2 |a, b| not(_mm_cmplt_epi32(a, b));
                I32x4GeU "i32x4.ge_u" (u32x4, u32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a >= b)), sse2 |a, b| not(_mm_cmplt_epi32(flip32(a), flip32(b)));
                I64x2Eq "i64x2.eq" (i64x2, i64x2) -> i64x2 commutes = |a, b| each(a, b, |a, b| -i64::from(a == b)), sse2 |a, b| eq64(a, b);
                I64x2Ne "i64x2.ne" (i64x2, i64x2) -> i64x2 commutes = |a, b| each(a, b, |a, b| -i64::from(a != b)), sse2 |a, b| not(eq64(a, b));
                I64x2LtS "i64x2.lt_s" (i64x2, i64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a < b)), sse2 |a, b| gt64(b, a);
                I64x2GtS "i64x2.gt_s" (i64x2, i64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a > b)), sse2 |a, b| gt64(a, b);
                I64x2LeS "i64x2.le_s" (i64x2, i64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a <= b)), sse2 |a, b| not(gt64(a, b));
                I64x2GeS "i64x2.ge_s" (i64x2, i64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a >= b)), sse2 |a, b| not(gt64(b, a));
                F32x4Eq "f32x4.eq" (f32x4, f32x4) -> i32x4 commutes = |a, b| each(a, b, |a, b| -i32::from(a == b)), sse2 |a, b| of_ps(_mm_cmpeq_ps(ps(a), ps(b)));
                F32x4Ne "f32x4.ne" (f32x4, f32x4) -> i32x4 commutes = |a, b| each(a, b, |a, b| -i32::from(a != b)), sse2 |a, b| of_ps(_mm_cmpneq_ps(ps(a), ps(b)));
                F32x4Lt "f32x4.lt" (f32x4, f32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a < b)), sse2 |a, b| of_ps(_mm_cmplt_ps(ps(a), ps(b)));
                F32x4Gt "f32x4.gt" (f32x4, f32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a > b)), sse2 |a, b| of_ps(_mm_cmplt_ps(ps(b), ps(a)));
                F32x4Le "f32x4.le" (f32x4, f32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a <= b)), sse2 |a, b| of_ps(_mm_cmple_ps(ps(a), ps(b)));
                F32x4Ge "f32x4.ge" (f32x4, f32x4) -> i32x4 = |a, b| each(a, b, |a, b| -i32::from(a >= b)), sse2 |a, b| of_ps(_mm_cmple_ps(ps(b), ps(a)));
                F64x2Eq "f64x2.eq" (f64x2, f64x2) -> i64x2 commutes = |a, b| each(a, b, |a, b| -i64::from(a == b)), sse2 |a, b| of_pd(_mm_cmpeq_pd(pd(a), pd(b)));
                F64x2Ne "f64x2.ne" (f64x2, f64x2) -> i64x2 commutes = |a, b| each(a, b, |a, b| -i64::from(a != b)), sse2 |a, b| of_pd(_mm_cmpneq_pd(pd(a), pd(b)));
                F64x2Lt "f64x2.lt" (f64x2, f64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a < b)), sse2 |a, b| of_pd(_mm_cmplt_pd(pd(a), pd(b)));
                F64x2Gt "f64x2.gt" (f64x2, f64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a > b)), sse2 |a, b| of_pd(_mm_cmplt_pd(pd(b), pd(a)));
                F64x2Le "f64x2.le" (f64x2, f64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a <= b)), sse2 |a, b| of_pd(_mm_cmple_pd(pd(a), pd(b)));
                F64x2Ge "f64x2.ge" (f64x2, f64x2) -> i64x2 = |a, b| each(a, b, |a, b| -i64::from(a >= b)), sse2 |a, b| of_pd(_mm_cmple_pd(pd(b), pd(a)));
                V128And "v128.and" (u64x2, u64x2) -> u64x2 commutes = |a, b| each(a, b, |a, b| a & b), sse2 |a, b| _mm_and_si128(a, b);
                V128AndNot "v128.andnot" (u64x2, u64x2) -> u64x2 = |a, b| each(a, b, |a, b| a & !b), sse2 |a, b| _mm_andnot_si128(b, a);
                V128Or "v128.or" (u64x2, u64x2) -> u64x2 commutes = |a, b| each(a, b, |a, b| a | b), sse2 |a, b| _mm_or_si128(a, b);
                V128Xor "v128.xor" (u64x2, u64x2) -> u64x2 commutes = |a, b| each(a, b, |a, b| a ^ b), sse2 |a, b| _mm_xor_si128(a, b);
                I8x16NarrowI16x8S "i8x16.narrow_i16x8_s" (i16x8, i16x8) -> i8x16 = |a, b| narrow(a, b, |a| a.clamp(-128, 127) as i8), sse2 |a, b| _mm_packs_epi16(a, b);
                I8x16NarrowI16x8U "i8x16.narrow_i16x8_u" (i16x8, i16x8) -> u8x16 = |a, b| narrow(a, b, |a| a.clamp(0, 255) as u8), sse2 |a, b| _mm_packus_epi16(a, b);
                I8x16Add "i8x16.add" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, i8::wrapping_add), sse2 |a, b| _mm_add_epi8(a, b);
                I8x16AddSatS "i8x16.add_sat_s" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, i8::saturating_add), sse2 |a, b| _mm_adds_epi8(a, b);
                I8x16AddSatU "i8x16.add_sat_u" (u8x16, u8x16) -> u8x16 commutes = |a, b| each(a, b, u8::saturating_add), sse2 |a, b| _mm_adds_epu8(a, b);
                I8x16Sub "i8x16.sub" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, i8::wrapping_sub), sse2 |a, b| _mm_sub_epi8(a, b);
                I8x16SubSatS "i8x16.sub_sat_s" (i8x16, i8x16) -> i8x16 = |a, b| each(a, b, i8::saturating_sub), sse2 |a, b| _mm_subs_epi8(a, b);
                I8x16SubSatU "i8x16.sub_sat_u" (u8x16, u8x16) -> u8x16 = |a, b| each(a, b, u8::saturating_sub), sse2 |a, b| _mm_subs_epu8(a, b);
                I8x16MinS "i8x16.min_s" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, i8::min), sse2 |a, b| blend(_mm_cmplt_epi8(a, b), a, b);
                I8x16MinU "i8x16.min_u" (u8x16, u8x16) -> u8x16 commutes = |a, b| each(a, b, u8::min), sse2 |a, b| _mm_min_epu8(a, b);
                I8x16MaxS "i8x16.max_s" (i8x16, i8x16) -> i8x16 commutes = |a, b| each(a, b, i8::max), sse2 |a, b| blend(_mm_cmpgt_epi8(a, b), a, b);
                I8x16MaxU "i8x16.max_u" (u8x16, u8x16) -> u8x16 commutes = |a, b| each(a, b, u8::max), sse2 |a, b| _mm_max_epu8(a, b);
                I8x16AvgrU "i8x16.avgr_u" (u8x16, u8x16) -> u8x16 commutes = |a, b| each(a, b, |a, b| (u16::from(a) + u16::from(b)).div_ceil(2) as u8), sse2 |a, b| _mm_avg_epu8(a, b);
                I16x8Q15MulrSatS "i16x8.q15mulr_sat_s" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, q15mulr), sse2 |a, b| q15mulr_sat(a, b);
                I16x8NarrowI32x4S "i16x8.narrow_i32x4_s" (i32x4, i32x4) -> i16x8 = |a, b| narrow(a, b, |a| a.clamp(-32768, 32767) as i16), sse2 |a, b| _mm_packs_epi32(a, b);
                I16x8NarrowI32x4U "i16x8.narrow_i32x4_u" (i32x4, i32x4) -> u16x8 = |a, b| narrow(a, b, |a| a.clamp(0, 65535) as u16), sse2 |a, b| packus32(a, b);
                I16x8Add "i16x8.add" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, i16::wrapping_add), sse2 |a, b| _mm_add_epi16(a, b);
                I16x8AddSatS "i16x8.add_sat_s" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, i16::saturating_add), sse2 |a, b| _mm_adds_epi16(a, b);
                I16x8AddSatU "i16x8.add_sat_u" (u16x8, u16x8) -> u16x8 commutes = |a, b| each(a, b, u16::saturating_add), sse2 |a, b| _mm_adds_epu16(a, b);
                I16x8Sub "i16x8.sub" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, i16::wrapping_sub), sse2 |a, b| _mm_sub_epi16(a, b);
                I16x8SubSatS "i16x8.sub_sat_s" (i16x8, i16x8) -> i16x8 = |a, b| each(a, b, i16::saturating_sub), sse2 |a, b| _mm_subs_epi16(a, b);
                I16x8SubSatU "i16x8.sub_sat_u" (u16x8, u16x8) -> u16x8 = |a, b| each(a, b, u16::saturating_sub), sse2 |a, b| _mm_subs_epu16(a, b);
                I16x8Mul "i16x8.mul" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, i16::wrapping_mul), sse2 |a, b| _mm_mullo_epi16(a, b);
                I16x8MinS "i16x8.min_s" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, i16::min), sse2 |a, b| _mm_min_epi16(a, b);
                I16x8MinU "i16x8.min_u" (u16x8, u16x8) -> u16x8 commutes = |a, b| each(a, b, u16::min), sse2 |a, b| _mm_sub_epi16(a, _mm_subs_epu16(a, b));
                I16x8MaxS "i16x8.max_s" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, i16::max), sse2 |a, b| _mm_max_epi16(a, b);
                I16x8MaxU "i16x8.max_u" (u16x8, u16x8) -> u16x8 commutes = |a, b| each(a, b, u16::max), sse2 |a, b| _mm_add_epi16(_mm_subs_epu16(a, b), b);
                I16x8AvgrU "i16x8.avgr_u" (u16x8, u16x8) -> u16x8 commutes = |a, b| each(a, b, |a, b| (u32::from(a) + u32::from(b)).div_ceil(2) as u16), sse2 |a, b| _mm_avg_epu16(a, b);
                I16x8ExtMulLowI8x16S "i16x8.extmul_low_i8x16_s" (i8x16, i8x16) -> i16x8 commutes = |a, b| each(low(a, i16::from), low(b, i16::from), i16::wrapping_mul), sse2 |a, b| _mm_mullo_epi16(low8_s(a), low8_s(b));
                I16x8ExtMulHighI8x16S "i16x8.extmul_high_i8x16_s" (i8x16, i8x16) -> i16x8 commutes = |a, b| each(high(a, i16::from), high(b, i16::from), i16::wrapping_mul), sse2 |a, b| _mm_mullo_epi16(high8_s(a), high8_s(b));
                I16x8ExtMulLowI8x16U "i16x8.extmul_low_i8x16_u" (u8x16, u8x16) -> u16x8 commutes = |a, b| each(low(a, u16::from), low(b, u16::from), u16::wrapping_mul), sse2 |a, b| _mm_mullo_epi16(_mm_unpacklo_epi8(a, zero()), _mm_unpacklo_epi8(b, zero()));
                I16x8ExtMulHighI8x16U "i16x8.extmul_high_i8x16_u" (u8x16, u8x16) -> u16x8 commutes = |a, b| each(high(a, u16::from), high(b, u16::from), u16::wrapping_mul), sse2 |a, b| _mm_mullo_epi16(_mm_unpackhi_epi8(a, zero()), _mm_unpackhi_epi8(b, zero()));
                I32x4Add "i32x4.add" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, i32::wrapping_add), sse2 |a, b| _mm_add_epi32(a, b);
                I32x4Sub "i32x4.sub" (i32x4, i32x4) -> i32x4 = |a, b| each(a, b, i32::wrapping_sub), sse2 |a, b| _mm_sub_epi32(a, b);
                I32x4Mul "i32x4.mul" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, i32::wrapping_mul), sse2 |a, b| mul32(a, b);
                I32x4MinS "i32x4.min_s" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, i32::min), sse2 |a, b| blend(_mm_cmplt_epi32(a, b), a, b);
                I32x4MinU "i32x4.min_u" (u32x4, u32x4) -> u32x4 commutes = |a, b| each(a, b, u32::min), sse2 |a, b| blend(_mm_cmplt_epi32(flip32(a), flip32(b)), a, b);
                I32x4MaxS "i32x4.max_s" (i32x4, i32x4) -> i32x4 commutes = |a, b| each(a, b, i32::max), sse2 |a, b| blend(_mm_cmpgt_epi32(a, b), a, b);
                I32x4MaxU "i32x4.max_u" (u32x4, u32x4) -> u32x4 commutes = |a, b| each(a, b, u32::max), sse2 |a, b| blend(_mm_cmpgt_epi32(flip32(a), flip32(b)), a, b);
                I32x4DotI16x8S "i32x4.dot_i16x8_s" (i16x8, i16x8) -> i32x4 commutes = |a, b| dot(a, b), sse2 |a, b| _mm_madd_epi16(a, b);
                I32x4ExtMulLowI16x8S "i32x4.extmul_low_i16x8_s" (i16x8, i16x8) -> i32x4 commutes = |a, b| each(low(a, i32::from), low(b, i32::from), i32::wrapping_mul), sse2 |a, b| _mm_unpacklo_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epi16(a, b));
                I32x4ExtMulHighI16x8S "i32x4.extmul_high_i16x8_s" (i16x8, i16x8) -> i32x4 commutes = |a, b| each(high(a, i32::from), high(b, i32::from), i32::wrapping_mul), sse2 |a, b| _mm_unpackhi_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epi16(a, b));
                I32x4ExtMulLowI16x8U "i32x4.extmul_low_i16x8_u" (u16x8, u16x8) -> u32x4 commutes = |a, b| each(low(a, u32::from), low(b, u32::from), u32::wrapping_mul), sse2 |a, b| _mm_unpacklo_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epu16(a, b));
                I32x4ExtMulHighI16x8U "i32x4.extmul_high_i16x8_u" (u16x8, u16x8) -> u32x4 commutes = |a, b| each(high(a, u32::from), high(b, u32::from), u32::wrapping_mul), sse2 |a, b| _mm_unpackhi_epi16(_mm_mullo_epi16(a, b), _mm_mulhi_epu16(a, b));
                I64x2Add "i64x2.add" (i64x2, i64x2) -> i64x2 commutes = |a, b| each(a, b, i64::wrapping_add), sse2 |a, b| _mm_add_epi64(a, b);
                I64x2Sub "i64x2.sub" (i64x2, i64x2) -> i64x2 = |a, b| each(a, b, i64::wrapping_sub), sse2 |a, b| _mm_sub_epi64(a, b);
                I64x2Mul "i64x2.mul" (i64x2, i64x2) -> i64x2 commutes = |a, b| each(a, b, i64::wrapping_mul), sse2 |a, b| mul64(a, b);
                I64x2ExtMulLowI32x4S "i64x2.extmul_low_i32x4_s" (i32x4, i32x4) -> i64x2 commutes = |a, b| each(low(a, i64::from), low(b, i64::from), i64::wrapping_mul), sse2 |a, b| extmul32_s(_mm_unpacklo_epi32(a, a), _mm_unpacklo_epi32(b, b));
                I64x2ExtMulHighI32x4S "i64x2.extmul_high_i32x4_s" (i32x4, i32x4) -> i64x2 commutes = |a, b| each(high(a, i64::from), high(b, i64::from), i64::wrapping_mul), sse2 |a, b| extmul32_s(_mm_unpackhi_epi32(a, a), _mm_unpackhi_epi32(b, b));
                I64x2ExtMulLowI32x4U "i64x2.extmul_low_i32x4_u" (u32x4, u32x4) -> u64x2 commutes = |a, b| each(low(a, u64::from), low(b, u64::from), u64::wrapping_mul), sse2 |a, b| _mm_mul_epu32(_mm_unpacklo_epi32(a, a), _mm_unpacklo_epi32(b, b));
                I64x2ExtMulHighI32x4U "i64x2.extmul_high_i32x4_u" (u32x4, u32x4) -> u64x2 commutes = |a, b| each(high(a, u64::from), high(b, u64::from), u64::wrapping_mul), sse2 |a, b| _mm_mul_epu32(_mm_unpackhi_epi32(a, a), _mm_unpackhi_epi32(b, b));
                F32x4Add "f32x4.add" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| a + b), sse2 |a, b| of_ps(_mm_add_ps(ps(a), ps(b)));
                F32x4Sub "f32x4.sub" (f32x4, f32x4) -> f32x4 = |a, b| each(a, b, |a, b| a - b), sse2 |a, b| of_ps(_mm_sub_ps(ps(a), ps(b)));
                F32x4Mul "f32x4.mul" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| a * b), sse2 |a, b| of_ps(_mm_mul_ps(ps(a), ps(b)));
                F32x4Div "f32x4.div" (f32x4, f32x4) -> f32x4 = |a, b| each(a, b, |a, b| a / b), sse2 |a, b| of_ps(_mm_div_ps(ps(a), ps(b)));
                F32x4Min "f32x4.min" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| float_min!(a, b)), sse2 |a, b| min_ps(a, b);
                F32x4Max "f32x4.max" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| float_max!(a, b)), sse2 |a, b| max_ps(a, b);
                F32x4PMin "f32x4.pmin" (f32x4, f32x4) -> f32x4 = |a, b| each(a, b, |a, b| if b < a { b } else { a }), sse2 |a, b| of_ps(_mm_min_ps(ps(b), ps(a)));
                F32x4PMax "f32x4.pmax" (f32x4, f32x4) -> f32x4 = |a, b| each(a, b, |a, b| if a < b { b } else { a }), sse2 |a, b| of_ps(_mm_max_ps(ps(b), ps(a)));
                F64x2Add "f64x2.add" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| a + b), sse2 |a, b| of_pd(_mm_add_pd(pd(a), pd(b)));
                F64x2Sub "f64x2.sub" (f64x2, f64x2) -> f64x2 = |a, b| each(a, b, |a, b| a - b), sse2 |a, b| of_pd(_mm_sub_pd(pd(a), pd(b)));
                F64x2Mul "f64x2.mul" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| a * b), sse2 |a, b| of_pd(_mm_mul_pd(pd(a), pd(b)));
                F64x2Div "f64x2.div" (f64x2, f64x2) -> f64x2 = |a, b| each(a, b, |a, b| a / b), sse2 |a, b| of_pd(_mm_div_pd(pd(a), pd(b)));
                F64x2Min "f64x2.min" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| float_min!(a, b)), sse2 |a, b| min_pd(a, b);
                F64x2Max "f64x2.max" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| float_max!(a, b)), sse2 |a, b| max_pd(a, b);
                F64x2PMin "f64x2.pmin" (f64x2, f64x2) -> f64x2 = |a, b| each(a, b, |a, b| if b < a { b } else { a }), sse2 |a, b| of_pd(_mm_min_pd(pd(b), pd(a)));
                F64x2PMax "f64x2.pmax" (f64x2, f64x2) -> f64x2 = |a, b| each(a, b, |a, b| if a < b { b } else { a }), sse2 |a, b| of_pd(_mm_max_pd(pd(b), pd(a)));
                I8x16RelaxedSwizzle "i8x16.relaxed_swizzle" (u8x16, u8x16) -> u8x16 = |a, b| swizzle(a, b);
                F32x4RelaxedMin "f32x4.relaxed_min" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| float_min!(a, b)), sse2 |a, b| min_ps(a, b);
                F32x4RelaxedMax "f32x4.relaxed_max" (f32x4, f32x4) -> f32x4 commutes = |a, b| each(a, b, |a, b| float_max!(a, b)), sse2 |a, b| max_ps(a, b);
                F64x2RelaxedMin "f64x2.relaxed_min" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| float_min!(a, b)), sse2 |a, b| min_pd(a, b);
                F64x2RelaxedMax "f64x2.relaxed_max" (f64x2, f64x2) -> f64x2 commutes = |a, b| each(a, b, |a, b| float_max!(a, b)), sse2 |a, b| max_pd(a, b);
                I16x8RelaxedQ15mulrS "i16x8.relaxed_q15mulr_s" (i16x8, i16x8) -> i16x8 commutes = |a, b| each(a, b, q15mulr), sse2 |a, b| q15mulr_sat(a, b);
                I16x8RelaxedDotI8x16I7x16S "i16x8.relaxed_dot_i8x16_i7x16_s" (i8x16, i8x16) -> i16x8 = |a, b| dot_i8(a, b), sse2 |a, b| dot8(a, b);
            }
            ternary {
                V128Bitselect "v128.bitselect" (u64x2, u64x2, u64x2) -> u64x2 = |a, b, c| bitselect(a, b, c), sse2 |a, b, c| blend(c, a, b);
                I8x16RelaxedLaneselect "i8x16.relaxed_laneselect" (u64x2, u64x2, u64x2) -> u64x2 = |a, b, c| bitselect(a, b, c), sse2 |a, b, c| blend(c, a, b);
                I16x8RelaxedLaneselect "i16x8.relaxed_laneselect" (u64x2, u64x2, u64x2) -> u64x2 = |a, b, c| bitselect(a, b, c), sse2 |a, b, c| blend(c, a, b);
                I32x4RelaxedLaneselect "i32x4.relaxed_laneselect" (u64x2, u64x2, u64x2) -> u64x2 = |a, b, c| bitselect(a, b, c), sse2 |a, b, c| blend(c, a, b);
                I64x2RelaxedLaneselect "i64x2.relaxed_laneselect" (u64x2, u64x2, u64x2) -> u64x2 = |a, b, c| bitselect(a, b, c), sse2 |a, b, c| blend(c, a, b);
                F32x4RelaxedMadd "f32x4.relaxed_madd" (f32x4, f32x4, f32x4) -> f32x4 = |a, b, c| fused32(a, b, c);
                F32x4RelaxedNmadd "f32x4.relaxed_nmadd" (f32x4, f32x4, f32x4) -> f32x4 = |a, b, c| fused32(a.map(|a| -a), b, c);
                F64x2RelaxedMadd "f64x2.relaxed_madd" (f64x2, f64x2, f64x2) -> f64x2 = |a, b, c| fused64(a, b, c);
                F64x2RelaxedNmadd "f64x2.relaxed_nmadd" (f64x2, f64x2, f64x2) -> f64x2 = |a, b, c| fused64(a.map(|a| -a), b, c);
                I32x4RelaxedDotI8x16I7x16AddS "i32x4.relaxed_dot_i8x16_i7x16_add_s" (i8x16, i8x16, i32x4) -> i32x4 = |a, b, c| dot_i8_add(a, b, c), sse2 |a, b, c| _mm_add_epi32(_mm_madd_epi16(dot8(a, b), _mm_set1_epi16(1)), c);
            }
            shift {
                I8x16Shl "i8x16.shl" (u8x16) -> u8x16 = |a, n| a.map(|a| a.wrapping_shl(n)), sse2 |a, n| _mm_and_si128(_mm_sll_epi16(a, count(n & 7)), _mm_set1_epi8((0xff_u32 << (n & 7)) as i8));
                I8x16ShrS "i8x16.shr_s" (i8x16) -> i8x16 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| shr8_s(a, n & 7);
                I8x16ShrU "i8x16.shr_u" (u8x16) -> u8x16 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_and_si128(_mm_srl_epi16(a, count(n & 7)), _mm_set1_epi8((0xff_u32 >> (n & 7)) as i8));
                I16x8Shl "i16x8.shl" (u16x8) -> u16x8 = |a, n| a.map(|a| a.wrapping_shl(n)), sse2 |a, n| _mm_sll_epi16(a, count(n & 15));
                I16x8ShrS "i16x8.shr_s" (i16x8) -> i16x8 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_sra_epi16(a, count(n & 15));
                I16x8ShrU "i16x8.shr_u" (u16x8) -> u16x8 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_srl_epi16(a, count(n & 15));
                I32x4Shl "i32x4.shl" (u32x4) -> u32x4 = |a, n| a.map(|a| a.wrapping_shl(n)), sse2 |a, n| _mm_sll_epi32(a, count(n & 31));
                I32x4ShrS "i32x4.shr_s" (i32x4) -> i32x4 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_sra_epi32(a, count(n & 31));
                I32x4ShrU "i32x4.shr_u" (u32x4) -> u32x4 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_srl_epi32(a, count(n & 31));
                I64x2Shl "i64x2.shl" (u64x2) -> u64x2 = |a, n| a.map(|a| a.wrapping_shl(n)), sse2 |a, n| _mm_sll_epi64(a, count(n & 63));
                I64x2ShrS "i64x2.shr_s" (i64x2) -> i64x2 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| shr64_s(a, n & 63);
                I64x2ShrU "i64x2.shr_u" (u64x2) -> u64x2 = |a, n| a.map(|a| a.wrapping_shr(n)), sse2 |a, n| _mm_srl_epi64(a, count(n & 63));
            }
            extract {
                I8x16ExtractLaneS "i8x16.extract_lane_s" i8 -> i32;
                I8x16ExtractLaneU "i8x16.extract_lane_u" u8 -> u32;
                I16x8ExtractLaneS "i16x8.extract_lane_s" i16 -> i32;
                I16x8ExtractLaneU "i16x8.extract_lane_u" u16 -> u32;
                I32x4ExtractLane "i32x4.extract_lane" u32 -> u32;
                I64x2ExtractLane "i64x2.extract_lane" u64 -> u64;
                F32x4ExtractLane "f32x4.extract_lane" f32 -> f32;
                F64x2ExtractLane "f64x2.extract_lane" f64 -> f64;
            }
            replace {
                I8x16ReplaceLane "i8x16.replace_lane" u32 by I8x16Splat 1;
                I16x8ReplaceLane "i16x8.replace_lane" u32 by I16x8Splat 2;
                I32x4ReplaceLane "i32x4.replace_lane" u32 by I32x4Splat 4;
                I64x2ReplaceLane "i64x2.replace_lane" u64 by I64x2Splat 8;
                F32x4ReplaceLane "f32x4.replace_lane" f32 by F32x4Splat 4;
                F64x2ReplaceLane "f64x2.replace_lane" f64 by F64x2Splat 8;
            }
            load {
                V128Load "v128.load" Whole;
                V128Load8x8S "v128.load8x8_s" Extend<I16x8ExtendLowI8x16S>;
                V128Load8x8U "v128.load8x8_u" Extend<I16x8ExtendLowI8x16U>;
                V128Load16x4S "v128.load16x4_s" Extend<I32x4ExtendLowI16x8S>;
                V128Load16x4U "v128.load16x4_u" Extend<I32x4ExtendLowI16x8U>;
                V128Load32x2S "v128.load32x2_s" Extend<I64x2ExtendLowI32x4S>;
                V128Load32x2U "v128.load32x2_u" Extend<I64x2ExtendLowI32x4U>;
                V128Load8Splat "v128.load8_splat" Splat<u8, I8x16Splat>;
                V128Load16Splat "v128.load16_splat" Splat<u16, I16x8Splat>;
                V128Load32Splat "v128.load32_splat" Splat<u32, I32x4Splat>;
                V128Load64Splat "v128.load64_splat" Splat<u64, I64x2Splat>;
                V128Load32Zero "v128.load32_zero" Zero<u32>;
                V128Load64Zero "v128.load64_zero" Zero<u64>;
            }
            // Lanes of memory: as a load or store of the lane's type.
            load_lane {
                V128Load8Lane I32Load8U I8x16ReplaceLane;
                V128Load16Lane I32Load16U I16x8ReplaceLane;
                V128Load32Lane I32Load I32x4ReplaceLane;
                V128Load64Lane I64Load I64x2ReplaceLane;
            }
            store_lane {
                V128Store8Lane I8x16ExtractLaneU I32Store8;
                V128Store16Lane I16x8ExtractLaneU I32Store16;
                V128Store32Lane I32x4ExtractLane I32Store;
                V128Store64Lane I64x2ExtractLane I64Store;
            }
        }
    };
}
pub(crate) use for_each_vector_op;
