//! Modules with all proposals, run here and by wasmtime. The package `differential`
//! does the same for a number of seeds, as a test.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| orcavm_differential::fuzz(bytes));
