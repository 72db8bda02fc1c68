//! `gc`: programs that do little but make garbage-collected objects, with how many they
//! make and how long they stand still for it. Alone: no other interpreter here has a
//! collector.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcavm_benches::measure::timed;
use vm::{Engine, GcHeapStats, Instance, Module, Store};

/// What a program makes.
struct Bench {
    name: &'static str,
    wat: &'static str,
    /// Makes what stays: a function, its argument, and what the function gives, if
    /// anything.
    keep: (&'static str, i32, Option<i32>),
    /// What is measured.
    run: Run,
}

/// What is measured, for a number of rounds.
enum Run {
    /// `run(rounds, depth)` makes and counts the nodes of so many trees.
    Trees(i32),
    /// A function of a number of objects, in thousands for each round.
    Objects(&'static str, i32),
}

const TREES: &str = include_str!("../wat/binary_trees.wat");
const QUEUE: &str = include_str!("../wat/queue.wat");

/// Nodes of 16 bytes that 2^16 - 1 are a megabyte of, of 24 bytes, and tables of arrays.
const BENCHES: [Bench; 5] = [
    Bench {
        name: "binary trees of 2047 nodes, 1 MB live",
        wat: TREES,
        keep: ("keep", 15, Some(65_535)),
        run: Run::Trees(10),
    },
    Bench {
        name: "binary trees of 131,071 nodes, 1 MB live",
        wat: TREES,
        keep: ("keep", 15, Some(65_535)),
        run: Run::Trees(16),
    },
    Bench {
        name: "queue, 1 MB live",
        wat: QUEUE,
        keep: ("fill", 43_690, None),
        run: Run::Objects("churn", 1000),
    },
    Bench {
        name: "queue, 100 MB live",
        wat: QUEUE,
        keep: ("fill", 4_369_000, None),
        run: Run::Objects("churn", 1000),
    },
    Bench {
        name: "arrays of up to 1023 bytes, 2 MB live",
        wat: QUEUE,
        keep: ("arrays", 4096, None),
        run: Run::Objects("replace", 100),
    },
];

/// How long each is measured.
const LONG: Duration = Duration::from_secs(3);

/// One program, ready to run.
struct Program {
    store: Store<()>,
    instance: Instance,
}

impl Program {
    fn new(bench: &Bench, is_short: bool) -> Result<Self> {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &Module::new(&engine, bench.wat)?, &[])?;
        let (keep, size, wanted) = bench.keep;
        match wanted {
            Some(wanted) => {
                let kept = instance
                    .get_typed_func::<i32, i32>(&mut store, keep)?
                    .call(&mut store, size)?;
                ensure!(kept == wanted, "{} keeps {kept}", bench.name);
            }
            None => {
                let size = if is_short { size.min(5000) } else { size };
                instance
                    .get_typed_func::<i32, ()>(&mut store, keep)?
                    .call(&mut store, size)?;
            }
        }
        Ok(Self { store, instance })
    }

    /// Runs so many rounds, and checks the result; how many objects were made.
    fn run(&mut self, bench: &Bench, rounds: i32) -> Result<i64> {
        let Self { store, instance } = self;
        match bench.run {
            Run::Trees(depth) => {
                let run = instance.get_typed_func::<(i32, i32), i32>(&mut *store, "run")?;
                let nodes = i64::from(run.call(&mut *store, (rounds, depth))?);
                let wanted = i64::from(rounds) * ((2 << depth) - 1);
                ensure!(nodes == wanted, "{} counts {nodes}, not {wanted}", bench.name);
                Ok(nodes)
            }
            Run::Objects(name, thousands) => {
                let run = instance.get_typed_func::<i32, i64>(&mut *store, name)?;
                let objects = rounds * thousands * 1000;
                let sum = run.call(&mut *store, objects)?;
                ensure!(sum >= 0, "{} gives {sum}", bench.name);
                Ok(objects.into())
            }
        }
    }
}

fn main() -> Result<()> {
    let is_short = !std::env::args().any(|arg| arg == "--bench");
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let benches = BENCHES.iter();
    let benches = benches.filter(|bench| filter.as_ref().is_none_or(|filter| bench.name.contains(&**filter)));
    println!(
        "{:<42} million/s    MB/s  collections  pause: mean  longest   heap",
        "gc"
    );
    for bench in benches {
        measure(bench, is_short).with_context(|| bench.name)?;
    }
    Ok(())
}

/// Measures a program and prints a line.
fn measure(bench: &Bench, is_short: bool) -> Result<()> {
    let mut program = Program::new(bench, is_short)?;
    program.run(bench, 1)?;
    let before = program.store.gc_heap_stats();
    let (mut objects, mut time) = (0, Duration::ZERO);
    while time < LONG {
        let mut made = Ok(0);
        time += timed(|| made = program.run(bench, 1));
        objects += made?;
        if is_short {
            break;
        }
    }
    let after = program.store.gc_heap_stats();
    let collections = after.collections - before.collections;
    ensure!(is_short || collections > 0, "no collection was needed");
    show(bench.name, objects, time, collections, &before, &after);
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn show(name: &str, objects: i64, time: Duration, collections: u64, before: &GcHeapStats, after: &GcHeapStats) {
    let seconds = time.as_secs_f64();
    let bytes = after.allocated_bytes - before.allocated_bytes;
    let pause = after.total_pause - before.total_pause;
    println!(
        "{name:<42} {:>9.1} {:>7.0} {collections:>12} {:>9.2} ms {:>5.1} ms {:>4.0} MB",
        objects as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        pause.as_secs_f64() * 1e3 / (collections.max(1) as f64),
        after.longest_pause.as_secs_f64() * 1e3,
        after.heap_bytes as f64 / 1e6,
    );
}
