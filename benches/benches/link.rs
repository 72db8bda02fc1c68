//! `link`: what the dynamic linker costs: linking a program of ten libraries and
//! 2,000 symbols, first calls, calls of what is bound beside calls within a module,
//! and opening libraries and looking for symbols while the program runs.

use anyhow::Result;
use orcavm_benches::Work;
use orcavm_benches::linking::{Host, bound_loop, first_calls, guest_loop, host_loop, link_large};
use orcavm_benches::measure::{Group, Per};

/// Iterations in a batch of a guest's loop.
const MOST: u64 = 100_000_000;

fn main() -> Result<()> {
    let mut group = Group::new("link", ["lazily", "at once"]);
    group.compare(
        "2,000 symbols",
        Per::Iteration,
        100,
        [link_large(false)?, link_large(true)?],
    );
    group.compare(
        "first call",
        Per::Iteration,
        10_000,
        [first_calls(false)?, first_calls(true)?],
    );
    group.finish();

    let mut group = Group::new("bound", ["internal", "linked"]);
    for (name, work) in [("call, empty", Work::Empty), ("call, work", Work::Ten)] {
        group.compare(
            name,
            Per::Iteration,
            MOST,
            [bound_loop(false, work)?, bound_loop(true, work)?],
        );
    }
    group.finish();

    let mut group = Group::new("dl", ["by the host", "by a guest"]);
    for (name, host, guest) in [
        ("open and close", Host::OpenClose, "open_close"),
        ("find a function", Host::Function, "find_function"),
        ("find data", Host::Data, "find_data"),
    ] {
        group.compare(name, Per::Iteration, 1_000_000, [host_loop(host)?, guest_loop(guest)?]);
    }
    group.finish();
    Ok(())
}
