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
    let wasm = wat::parse_str(with_data(include_str!("../wat/small.wat")))?;
    let keep = Keep {
        store: true,
        module: true,
    };
    let runs = [ours::instantiate(&wasm, keep)?, theirs::instantiate(&wasm, keep)?];
    group.compare("again, with 1 MiB of data", Per::Iteration, 200, runs);
    group.finish();
    Ok(())
}

/// The module with 16 pages of memory more, full of data.
fn with_data(text: &str) -> String {
    let (start, end) = text
        .split_once(r#"(memory (export "memory") 1)"#)
        .expect("the module has a memory of a page");
    let data = "orca".repeat((1 << 20) / 4);
    format!(r#"{start}(memory (export "memory") 17) (data (i32.const 65536) "{data}"){end}"#)
}
