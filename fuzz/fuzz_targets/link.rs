//! Any bytes as sections for the dynamic linker, and as modules that it plans and
//! loads. Its harness also runs, bounded, as a test of the loader (`--test bytes`).

#![no_main]

#[path = "../../loader/tests/bytes/harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    harness::section(bytes);
    let harness::Done { is_planned: _, is_loaded: _ } = harness::link(bytes);
});
