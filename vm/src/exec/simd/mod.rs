//! Vector instructions (Spec 3.0 §4.3.4, §4.6): values of type `v128`.
//!
//! A `v128` takes two slots, the low half first; slot fields name that. Their
//! meaning is in the table of `ir::simd`: on arrays of [`lanes`], and where the
//! baseline of x86-64 has instructions, by [`sse2`]. What newer processors do better
//! is in [`native`].

#[cfg(target_arch = "x86_64")]
mod baseline;
pub(crate) mod fused;
pub(crate) mod lanes;
pub(crate) mod memory;
pub(crate) mod native;
pub(crate) mod ops;
#[cfg(target_arch = "x86_64")]
mod sse2;
#[cfg(test)]
mod tests;
pub(crate) mod vector;
