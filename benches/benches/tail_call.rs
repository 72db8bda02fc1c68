//! `tail_call`: loops whose rounds are tail calls; what one of them costs, with a few
//! operators and a comparison.

use anyhow::Result;
use orcavm_benches::measure::{Group, Per};
use orcavm_benches::{ours, theirs};

/// Calls in a batch.
const MOST: u64 = 100_000_000;

fn itself(n: i32) -> i32 {
    (1..=n)
        .rev()
        .fold(0, |acc: i32, i| acc.wrapping_mul(31).wrapping_add(i))
}

fn two(n: i32) -> i32 {
    (1..=n).rev().fold(0, |acc: i32, i| match (n - i) % 2 {
        0 => acc ^ i,
        _ => acc.wrapping_mul(3).wrapping_add(7),
    })
}

fn table(n: i32) -> i32 {
    let program = [0, 1, 2, 1, 0, 0, 2, 3];
    (0..n)
        .zip(program.iter().cycle())
        .fold(0, |acc: i32, (_, op)| match op {
            0 => acc.wrapping_add(1),
            1 => acc.wrapping_shl(1),
            2 => acc ^ (acc.cast_unsigned() >> 5).cast_signed(),
            _ => acc,
        })
}

fn modules(n: i32) -> i32 {
    (1..=n)
        .rev()
        .step_by(2)
        .fold(0, |acc: i32, i| acc.wrapping_add(i).wrapping_mul(5))
}

/// What a loop gives for a number of rounds.
type Expected = fn(i32) -> i32;

/// Exports, what they are called here, and what they give.
const LOOPS: [(&str, &str, Expected); 4] = [
    ("itself", "itself", itself),
    ("two functions, other types", "two", two),
    ("an interpreter by a table", "table", table),
    ("to another module and back", "modules", modules),
];

fn main() -> Result<()> {
    let mut group = Group::new("tail_call", [ours::NAME, theirs::NAME]);
    let caller = wat::parse_str(include_str!("../wat/tail_calls.wat"))?;
    let callee = wat::parse_str(include_str!("../wat/tail_callee.wat"))?;
    let both: [(&str, &[u8]); 2] = [("callee", &callee), ("caller", &caller)];
    for (name, export, expected) in LOOPS {
        let runs = [
            ours::counted_loop(&both, export, expected)?,
            theirs::counted_loop(&both, export, expected)?,
        ];
        group.compare(name, Per::Iteration, MOST, runs);
    }
    group.finish();
    Ok(())
}
