//! Modules near the limits of what an engine accepts: huge bodies, deep operand
//! stacks, wide signatures, many locals, blocks, branch targets, functions,
//! segments, memories and table elements.
//!
//! Each must load, be translated in a time that grows no faster than its size
//! (checked with a generous bound) and give the right result, which is computed
//! here a second time; or it must be refused with an error, never with a crash.
//! What `wasmparser` limits is tested on both sides of the limit.

mod bodies;
mod builder;
mod calls;
mod control;
mod sections;
mod stacks;
