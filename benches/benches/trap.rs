//! `trap`: a call from the host that ends in a trap, with the error made and
//! dropped.

use anyhow::Result;
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{ours, theirs};

fn main() -> Result<()> {
    let mut group = Group::new("trap", [ours::NAME, theirs::NAME]);
    let wasm = wat::parse_str(include_str!("../wat/traps.wat"))?;
    for (export, trap) in [
        ("out_of_bounds", "MemoryOutOfBounds"),
        ("division_by_zero", "IntegerDivisionByZero"),
        ("unreachable", "UnreachableCodeReached"),
        ("unreachable_deep", "UnreachableCodeReached"),
    ] {
        let runs = [ours::trap(&wasm, export, trap)?, theirs::trap(&wasm, export, trap)?];
        group.compare(export, Per::Iteration, 1_000_000, runs);
    }
    group.finish();
    Ok(())
}
