//! The intrinsics of the baseline of x86-64, which need no check.

use core::arch::x86_64 as arch;
use core::arch::x86_64::{__m128, __m128d, __m128i};

/// Declares functions of the intrinsics' names, by a signature.
macro_rules! baseline {
    (() -> $out:ty { $($name:ident)* }) => { $(baseline!(@one $name () -> $out);)* };
    (($a:ty) -> $out:ty { $($name:ident)* }) => { $(baseline!(@one $name (a: $a) -> $out);)* };
    (($a:ty, $b:ty) -> $out:ty { $($name:ident)* }) => { $(baseline!(@one $name (a: $a, b: $b) -> $out);)* };
    (@one $name:ident ($($a:ident: $ty:ty),*) -> $out:ty) => {
        #[doc = concat!("See [`arch::", stringify!($name), "`].")]
        #[inline(always)]
        pub(super) fn $name($($a: $ty),*) -> $out {
            // SAFETY: every processor of the target has the instruction.
            unsafe { arch::$name($($a),*) }
        }
    };
}

/// [`baseline`] for those with an immediate.
macro_rules! immediate {
    ($($name:ident)*) => {$(
        #[doc = concat!("See [`arch::", stringify!($name), "`].")]
        #[inline(always)]
        pub(super) fn $name<const N: i32>(a: __m128i) -> __m128i {
            // SAFETY: every processor of the target has the instruction.
            unsafe { arch::$name::<N>(a) }
        }
    )*};
}

immediate! {
    _mm_shuffle_epi32
    _mm_slli_epi16
    _mm_slli_epi32
    _mm_slli_epi64
    _mm_srai_epi16
    _mm_srai_epi32
    _mm_srli_epi16
    _mm_srli_epi32
    _mm_srli_epi64
}

baseline! {
    (__m128i, __m128i) -> __m128i {
        _mm_add_epi16
        _mm_add_epi32
        _mm_add_epi64
        _mm_add_epi8
        _mm_adds_epi16
        _mm_adds_epi8
        _mm_adds_epu16
        _mm_adds_epu8
        _mm_and_si128
        _mm_andnot_si128
        _mm_avg_epu16
        _mm_avg_epu8
        _mm_cmpeq_epi16
        _mm_cmpeq_epi32
        _mm_cmpeq_epi8
        _mm_cmpgt_epi16
        _mm_cmpgt_epi32
        _mm_cmpgt_epi8
        _mm_cmplt_epi16
        _mm_cmplt_epi32
        _mm_cmplt_epi8
        _mm_madd_epi16
        _mm_max_epi16
        _mm_max_epu8
        _mm_min_epi16
        _mm_min_epu8
        _mm_mul_epu32
        _mm_mulhi_epi16
        _mm_mulhi_epu16
        _mm_mullo_epi16
        _mm_or_si128
        _mm_packs_epi16
        _mm_packs_epi32
        _mm_packus_epi16
        _mm_sll_epi16
        _mm_sll_epi32
        _mm_sll_epi64
        _mm_sra_epi16
        _mm_sra_epi32
        _mm_srl_epi16
        _mm_srl_epi32
        _mm_srl_epi64
        _mm_sub_epi16
        _mm_sub_epi32
        _mm_sub_epi64
        _mm_sub_epi8
        _mm_subs_epi16
        _mm_subs_epi8
        _mm_subs_epu16
        _mm_subs_epu8
        _mm_unpackhi_epi16
        _mm_unpackhi_epi32
        _mm_unpackhi_epi8
        _mm_unpacklo_epi16
        _mm_unpacklo_epi32
        _mm_unpacklo_epi8
        _mm_xor_si128
    }
}

baseline! {
    (__m128d, __m128d) -> __m128d {
        _mm_add_pd
        _mm_and_pd
        _mm_cmpeq_pd
        _mm_cmpge_pd
        _mm_cmple_pd
        _mm_cmplt_pd
        _mm_cmpneq_pd
        _mm_cmpord_pd
        _mm_cmpunord_pd
        _mm_div_pd
        _mm_max_pd
        _mm_min_pd
        _mm_mul_pd
        _mm_or_pd
        _mm_sub_pd
    }
}

baseline! {
    (__m128, __m128) -> __m128 {
        _mm_add_ps
        _mm_and_ps
        _mm_cmpeq_ps
        _mm_cmpge_ps
        _mm_cmple_ps
        _mm_cmplt_ps
        _mm_cmpneq_ps
        _mm_cmpord_ps
        _mm_cmpunord_ps
        _mm_div_ps
        _mm_max_ps
        _mm_min_ps
        _mm_mul_ps
        _mm_or_ps
        _mm_sub_ps
    }
}

baseline! {
    (__m128d) -> __m128i {
        _mm_castpd_si128
        _mm_cvttpd_epi32
    }
}

baseline! {
    (__m128) -> __m128i {
        _mm_castps_si128
        _mm_cvttps_epi32
    }
}

baseline! {
    (__m128i) -> __m128d {
        _mm_castsi128_pd
        _mm_cvtepi32_pd
    }
}

baseline! {
    (__m128i) -> __m128 {
        _mm_castsi128_ps
        _mm_cvtepi32_ps
    }
}

baseline! {
    (__m128d) -> __m128 {
        _mm_cvtpd_ps
    }
}

baseline! {
    (__m128) -> __m128d {
        _mm_cvtps_pd
    }
}

baseline! {
    (i32) -> __m128i {
        _mm_cvtsi32_si128
        _mm_set1_epi32
    }
}

baseline! {
    (__m128i) -> __m128i {
        _mm_move_epi64
    }
}

baseline! {
    (__m128i) -> i32 {
        _mm_movemask_epi8
    }
}

baseline! {
    (__m128d) -> i32 {
        _mm_movemask_pd
    }
}

baseline! {
    (__m128) -> i32 {
        _mm_movemask_ps
    }
}

baseline! {
    (i16) -> __m128i {
        _mm_set1_epi16
    }
}

baseline! {
    (i64) -> __m128i {
        _mm_set1_epi64x
    }
}

baseline! {
    (i8) -> __m128i {
        _mm_set1_epi8
    }
}

baseline! {
    (f64) -> __m128d {
        _mm_set1_pd
    }
}

baseline! {
    (f32) -> __m128 {
        _mm_set1_ps
    }
}

baseline! {
    () -> __m128d {
        _mm_setzero_pd
    }
}

baseline! {
    () -> __m128 {
        _mm_setzero_ps
    }
}

baseline! {
    () -> __m128i {
        _mm_setzero_si128
    }
}

baseline! {
    (__m128d) -> __m128d {
        _mm_sqrt_pd
    }
}

baseline! {
    (__m128) -> __m128 {
        _mm_sqrt_ps
    }
}
