//! Random and damaged modules, run by this engine and by another side by side.
//!
//! `Random` makes modules from seeds; `compare::run` runs one in both engines
//! and says where they differ. The package's test does that for many seeds, the fuzz
//! target `modules` for what a fuzzer finds with `fuzz`.
//!
//! Without the feature `engines` there is nothing here.

#![cfg(feature = "engines")]
#![forbid(unsafe_code)]

pub mod compare;
mod dense;
mod harness;
mod machine;
mod mutate;
mod ours;
mod peer;
mod random;
mod reference;
mod values;

pub use harness::fuzz;
pub use machine::Setup;
pub use random::{Random, SIZES};
