//! Vector operators that processors newer than the baseline have instructions for,
//! and those that relaxed operators may be instead; as [`crate::exec::native`] for
//! numbers.

use super::ops::{VectorBinaryInfo, VectorTernaryInfo};
use crate::exec::numeric::UnaryInfo;
use crate::exec::operand::Destinations;

/// Handlers of `i8x16.shuffle` by lane numbers of one and of two vectors.
pub(crate) struct Shuffles {
    /// Of one vector in slots or the accumulator, by the numbers at byte 16.
    pub(crate) one: [Destinations; 2],
    /// Of two, by [left][right], the numbers of the right one at byte 32; two in
    /// accumulators stand for none.
    pub(crate) two: [[Destinations; 2]; 2],
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{binary, shuffles, ternary, unary};

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::{binary, shuffles, ternary, unary};

#[cfg(not(target_arch = "x86_64"))]
mod portable {
    use super::*;

    /// The operator as this processor does it best.
    pub(crate) fn unary(info: &'static UnaryInfo, _: bool) -> &'static UnaryInfo {
        info
    }

    /// See [`unary`].
    pub(crate) fn binary(info: &'static VectorBinaryInfo, _: bool) -> &'static VectorBinaryInfo {
        info
    }

    /// See [`unary`].
    pub(crate) fn ternary(info: &'static VectorTernaryInfo, _: bool) -> &'static VectorTernaryInfo {
        info
    }

    /// `i8x16.shuffle` as this processor does it best; none if not better than others.
    pub(crate) fn shuffles() -> Option<&'static Shuffles> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(all(test, target_arch = "x86_64"))]
pub(super) use x86_64::for_each_exact;
