//! `execute`: whole programs, translated before.

use anyhow::{Context as _, Result};
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{ours, programs, theirs};

fn main() -> Result<()> {
    let mut group = Group::new_long("execute", [ours::NAME, theirs::NAME]);
    let all = programs::all(group.is_test())?;
    for program in &all.found {
        if !group.prepares(&program.name) {
            continue;
        }
        let ours = ours::run_program(program).with_context(|| format!("{}: {}", ours::NAME, program.name))?;
        let theirs = theirs::run_program(program).with_context(|| format!("{}: {}", theirs::NAME, program.name))?;
        group.compare(&program.name, Per::Iteration, 1000, [ours, theirs]);
    }
    for (name, reason) in &all.missing {
        group.ignore(name, reason);
    }
    group.finish();
    Ok(())
}
