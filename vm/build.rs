//! Tells the crate whether the compiler turns sibling calls into jumps.
//!
//! Handlers end in a call of the next handler. From optimisation level 1 on
//! LLVM makes that a jump; below, the dispatch macro has to return to a loop
//! instead, or every instruction would deepen the host stack.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(orcavm_tail_calls)");
    println!("cargo::rustc-check-cfg=cfg(orcavm_portable)");
    println!("cargo::rerun-if-changed=build.rs");
    let level = std::env::var("OPT_LEVEL").unwrap_or_default();
    if level != "0" {
        println!("cargo::rustc-cfg=orcavm_tail_calls");
    }
}
