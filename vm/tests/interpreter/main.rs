//! Tests of the embedding API and of what guests do, in one program: each
//! program of tests contains the whole interpreter.

#[path = "../common/mod.rs"]
mod common;

mod api;
mod bulk;
mod calls;
mod exceptions;
mod fusion;
mod gc;
mod host_calls;
mod host_stack;
mod instantiation;
mod interrupts;
mod lending;
mod limits;
mod linker;
mod linking;
mod listings;
mod locals;
mod memory64;
mod objects;
mod page_sizes;
mod permissions;
mod profile;
mod references;
mod regions;
mod regions_model;
mod table64;
mod tail_callers;
mod tail_calls;
mod traps;
mod types;
mod vector_memory;
mod vectors;
mod wide_arithmetic;
