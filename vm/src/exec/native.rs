//! Operators that processors newer than the baseline have an instruction for.
//!
//! x86-64's baseline has neither `popcnt` nor the roundings of SSE4.1; where
//! the processor does, the translator takes the handlers here instead.

use super::numeric::UnaryInfo;

/// The operator as this processor does it best.
pub(crate) fn of(info: &'static UnaryInfo) -> &'static UnaryInfo {
    #[cfg(target_arch = "x86_64")]
    return x86_64::of(info);
    #[cfg(not(target_arch = "x86_64"))]
    info
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;
    use std::sync::LazyLock;

    use super::super::numeric::{self, Unary, UnaryInfo, unary_handlers};
    use super::super::operand::Prim;
    use crate::trap::Trap;

    /// Declares operators, each with the one it stands for, the processor's
    /// feature it needs, and its instruction.
    macro_rules! native_ops {
        ($($name:ident for $op:ident if $feature:tt ($ty:ident, $class:ident) $asm:literal;)*) => {
            $(
                #[doc = concat!("[`numeric::", stringify!($op), "`] by `", $asm, "`")]
                enum $name {}
                impl Unary for $name {
                    type In = $ty;
                    type Out = $ty;
                    #[inline(always)]
                    fn eval(a: $ty) -> Result<$ty, Trap> {
                        let value: $ty;
                        // SAFETY: the instruction only computes, and the
                        // translator takes this operator only where the
                        // processor has it.
                        unsafe {
                            asm!($asm, a = in($class) a, out = lateout($class) value, options(pure, nomem, nostack));
                        }
                        Ok(value)
                    }
                    fn info() -> &'static UnaryInfo {
                        static INFO: LazyLock<UnaryInfo> = LazyLock::new(|| UnaryInfo {
                            name: numeric::$op::info().name,
                            handlers: const { unary_handlers::<$name>() },
                            out: <$ty as Prim>::TY,
                        });
                        &INFO
                    }
                }
            )*
            pub(super) fn of(info: &'static UnaryInfo) -> &'static UnaryInfo {
                match info {
                    $(info if std::ptr::eq(info, numeric::$op::info()) && is_x86_feature_detected!($feature) => {
                        $name::info()
                    })*
                    info => info,
                }
            }
        };
    }

    // The roundings' immediate names the mode (0 to nearest, 1 down, 2 up, 3 to
    // zero) and, by 8, keeps them from raising the inexact flag. They make NaNs
    // quiet, as the specification asks (Spec 3.0 §4.3.3).
    native_ops! {
        I32Popcnt for I32Popcnt if "popcnt" (u32, reg) "popcnt {out:e}, {a:e}";
        I64Popcnt for I64Popcnt if "popcnt" (u64, reg) "popcnt {out}, {a}";
        F32Nearest for F32Nearest if "sse4.1" (f32, xmm_reg) "roundss {out}, {a}, 8";
        F32Floor for F32Floor if "sse4.1" (f32, xmm_reg) "roundss {out}, {a}, 9";
        F32Ceil for F32Ceil if "sse4.1" (f32, xmm_reg) "roundss {out}, {a}, 10";
        F32Trunc for F32Trunc if "sse4.1" (f32, xmm_reg) "roundss {out}, {a}, 11";
        F64Nearest for F64Nearest if "sse4.1" (f64, xmm_reg) "roundsd {out}, {a}, 8";
        F64Floor for F64Floor if "sse4.1" (f64, xmm_reg) "roundsd {out}, {a}, 9";
        F64Ceil for F64Ceil if "sse4.1" (f64, xmm_reg) "roundsd {out}, {a}, 10";
        F64Trunc for F64Trunc if "sse4.1" (f64, xmm_reg) "roundsd {out}, {a}, 11";
    }
}
