//! `load`: parsing and validating a module, one thread. Neither engine
//! translates anything yet.

use anyhow::{Context as _, Result};
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{ours, programs, theirs};

fn main() -> Result<()> {
    let mut group = Group::new("load", [ours::NAME, theirs::NAME]);
    let small = wat::parse_str(include_str!("../wat/small.wat"))?;
    let mut modules = vec![("small.wat".to_owned(), small)];
    let examples = ["life", "factor"].map(|name| format!("{}/../examples/{name}.wasm", env!("CARGO_MANIFEST_DIR")));
    for path in examples {
        let wasm = std::fs::read(&path).with_context(|| path.clone())?;
        modules.push((path.rsplit('/').next().unwrap_or_default().to_owned(), wasm));
    }
    let all = programs::all(group.is_test())?;
    modules.extend(all.found.into_iter().map(|program| (program.name, program.wasm)));
    for (name, reason) in &all.missing {
        group.ignore(name, reason);
    }
    for path in large() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if group.is_test() {
            group.ignore(&name, "too long for a test");
        } else {
            modules.push((name, std::fs::read(path)?));
        }
    }
    for (name, wasm) in &modules {
        let bytes = Per::Bytes(u64::try_from(wasm.len())?);
        group.compare(name, bytes, 1000, [ours::load(wasm)?, theirs::load(wasm)?]);
    }
    group.finish();
    Ok(())
}

/// The modules in the folder that `ORCAVM_REAL_PROGRAMS` names, as the tests
/// have it.
fn large() -> Vec<std::path::PathBuf> {
    let Some(folder) = std::env::var_os("ORCAVM_REAL_PROGRAMS") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    paths
}
