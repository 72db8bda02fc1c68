//! `call`: what a call costs, of a function that does nothing and of one that
//! does about ten operators. Guests' loops are part of the time: one addition,
//! one comparison, and in the second case one load.

use anyhow::Result;
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{Work, ours, theirs};

/// Calls in a batch.
const MOST: u64 = 100_000_000;

macro_rules! wat {
    ($name:literal) => {
        ($name, wat::parse_str(include_str!(concat!("../wat/", $name, ".wat")))?)
    };
}

fn main() -> Result<()> {
    let mut group = Group::new("call", [ours::NAME, theirs::NAME]);
    let callee = wat!("callee").1;
    let loops = [
        ("guest to host", wat!("host").1, false),
        ("internal", wat!("internal").1, false),
        ("other module, same memory", wat!("same_memory").1, true),
        ("other module, other memory", wat!("other_memory").1, true),
        ("indirect", wat!("indirect").1, false),
    ];
    for (kind, work) in [("empty", Work::Empty), ("work", Work::Ten)] {
        let runs = [ours::from_host(&callee, work)?, theirs::from_host(&callee, work)?];
        group.compare(&format!("host to guest, {kind}"), Per::Iteration, MOST, runs);
        for (name, caller, imports) in &loops {
            let both: [(&str, &[u8]); 2] = [("callee", &callee), ("caller", caller)];
            let modules = if *imports { &both[..] } else { &both[1..] };
            let runs = [ours::guest_loop(modules, work)?, theirs::guest_loop(modules, work)?];
            group.compare(&format!("{name}, {kind}"), Per::Iteration, MOST, runs);
        }
    }
    let caller = &loops[3].1;
    for (name, known) in [("first, through an import", false), ("first, translated before", true)] {
        let runs = [
            ours::first_call(&callee, caller, known)?,
            theirs::first_call(&callee, caller, known)?,
        ];
        group.compare(name, Per::Iteration, 100, runs);
    }
    group.finish();
    Ok(())
}
