//! `translate`: parsing, validating and translating all functions of a module,
//! one thread. wasmi translates a function while it validates it, so translation
//! alone cannot be compared; what it costs orcavm, beside loading, is the second
//! table.

use anyhow::{Context as _, Result};
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{ours, programs, theirs};

fn main() -> Result<()> {
    let mut modules = Vec::new();
    for name in ["life", "factor"] {
        let path = format!("{}/../examples/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
        let wasm = std::fs::read(&path).with_context(|| path.clone())?;
        modules.push((name.to_owned(), wasm));
    }
    let mut group = Group::new("translate", [ours::NAME, theirs::NAME]);
    let all = programs::all(group.is_test())?;
    modules.extend(all.found.into_iter().map(|program| (program.name, program.wasm)));
    for (name, reason) in &all.missing {
        group.ignore(name, reason);
    }
    for (name, wasm) in &modules {
        let bytes = Per::Bytes(u64::try_from(wasm.len())?);
        group.compare(name, bytes, 1000, [ours::translate(wasm)?, theirs::translate(wasm)?]);
    }
    group.finish();

    let mut group = Group::new("translate-alone", ["translate", "load"]);
    for (name, wasm) in &modules {
        let (run, code) = ours::translate_alone(wasm)?;
        group.compare(name, Per::Bytes(code), 1000, [run, ours::load(wasm)?]);
    }
    group.finish();
    Ok(())
}
