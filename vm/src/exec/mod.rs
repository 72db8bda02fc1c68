//! Execution (Spec 3.0 §4): the interpreter and all it touches while it runs.
//!
//! This folder and [`crate::sys`] are the only places with `unsafe` code. What
//! they offer to [`crate::runtime`] is safe to call under one rule that the
//! runtime keeps by its types: references into a store (`FuncRef`, `MemoryRef`,
//! `TableRef`, `GlobalRef`) are used with that store borrowed, and a store
//! drops all it owns together.

pub(crate) mod access;
pub(crate) mod address;
pub(crate) mod chain;
pub(crate) mod context;
pub(crate) mod dispatch;
pub(crate) mod entry;
pub(crate) mod exception;
pub(crate) mod exit;
pub(crate) mod float;
#[allow(dead_code, reason = "GC instructions are yet to use it")]
pub(crate) mod heap;
pub(crate) mod host;
pub(crate) mod lend;
pub(crate) mod machine;
pub(crate) mod mappings;
pub(crate) mod memory;
pub(crate) mod object;
pub(crate) mod operand;
pub(crate) mod profile;
pub(crate) mod reach;
pub(crate) mod replica;
pub(crate) mod slow;
#[cfg(target_arch = "x86_64")]
pub(crate) mod small;
pub(crate) mod stubs;
pub(crate) mod table;
pub(crate) mod tag;
pub(crate) mod tail;
pub(crate) mod unwind;
pub(crate) mod wait;

pub(crate) mod aggregate;
pub(crate) mod array;
pub(crate) mod atomic;
pub(crate) mod backtrace;
pub(crate) mod bulk;
pub(crate) mod control;
pub(crate) mod data;
pub(crate) mod fused;
pub(crate) mod globals;
pub(crate) mod native;
pub(crate) mod numeric;
pub(crate) mod reference;
pub(crate) mod simd;
pub(crate) mod wide;
