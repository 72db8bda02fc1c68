//! `instantiate`: an instance of a small module, with and without a store for
//! it, of a module just loaded and of one that had an instance before.

use anyhow::Result;
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{Keep, ours, theirs};

fn main() -> Result<()> {
    let mut group = Group::new("instantiate", [ours::NAME, theirs::NAME]);
    let wasm = wat::parse_str(include_str!("../wat/small.wat"))?;
    for (name, module, store) in [
        ("first, with its store", false, false),
        ("first, in a store there is", false, true),
        ("again, with its store", true, false),
        ("again, in a store there is", true, true),
    ] {
        let keep = Keep { store, module };
        let runs = [ours::instantiate(&wasm, keep)?, theirs::instantiate(&wasm, keep)?];
        // Instances live as long as their store, and each has a memory.
        group.compare(name, Per::Iteration, 200, runs);
    }
    group.finish();
    Ok(())
}
