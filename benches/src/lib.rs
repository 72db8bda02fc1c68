//! What the benches have in common: measuring two engines beside each other,
//! finding programs, and the host's half of what is measured.
//!
//! Both engines' interfaces have wasmtime's names, so the host's half is
//! written once, in `side/`, and compiled for each of them: [`ours`] and
//! [`theirs`] offer the same functions, which do the same work. What little
//! differs between the interfaces stands in their files.

#![forbid(unsafe_code)]

pub mod linking;
pub mod measure;
pub mod ours;
pub mod programs;
#[allow(clippy::duplicate_mod, reason = "the host's half is meant to be the same for both")]
pub mod theirs;

/// What there is already when an instance is made. The linker and the loaded
/// module always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// A store; a new one is made for each instance otherwise.
    pub store: bool,
    /// An instance of the same module, made and dropped before; the module was
    /// loaded for this instance otherwise.
    pub module: bool,
}

/// What the callee does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Empty,
    /// About ten operators.
    Ten,
}
