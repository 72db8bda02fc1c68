//! Vector instructions (Spec 3.0 §4.3.4, §4.6): values of type `v128`.
//!
//! A `v128` takes two slots, the low half first, so slot fields name its first
//! one.

pub(crate) mod moves;
pub(crate) mod operand;
