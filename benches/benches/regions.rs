//! `regions`: what access through a mapping costs beside access to a memory's
//! own pages, what mapping and unmapping costs, and what handing a frame of
//! 1 MiB through three modules costs when it is copied and when it is shared.

use std::hint::black_box;

use anyhow::{Result, ensure};
use orcavm_benches::measure::{Group, Per, Run, timed};
use vm::{Access, Engine, Instance, Memory, Module, Region, Store, TypedFunc};

/// Bytes that the loop over memory goes through, and of a frame.
const FRAME: u64 = 1 << 20;
/// Where regions are mapped.
const AT: u64 = 0x4000_0000;
/// Where a memory's own bytes are.
const OWN: u64 = 0x1_0000;

struct Guest {
    memory: Memory,
    sum: TypedFunc<i32, i64>,
    stage: TypedFunc<i32, i32>,
}

/// `N` instances of the guest in a store of their own.
fn guests<const N: usize>() -> Result<(Store<()>, [Guest; N])> {
    let engine = Engine::default();
    let module = Module::new(&engine, include_str!("../wat/regions.wat"))?;
    let mut store = Store::new(&engine, ());
    let mut guest = || -> Result<Guest> {
        let instance = Instance::new(&mut store, &module, &[])?;
        let memory = instance.get_memory(&mut store, "memory");
        Ok(Guest {
            memory: memory.ok_or_else(|| anyhow::anyhow!("no memory"))?,
            sum: instance.get_typed_func(&mut store, "sum")?,
            stage: instance.get_typed_func(&mut store, "stage")?,
        })
    };
    let mut guests = Vec::new();
    for _ in 0..N {
        guests.push(guest()?);
    }
    let guests = guests.try_into().map_err(|_| anyhow::anyhow!("as many as were made"))?;
    Ok((store, guests))
}

fn main() -> Result<()> {
    let mut group = Group::new("regions", ["own pages", "region"]);
    group.compare("loads and stores", Per::Bytes(FRAME), 1000, [access(OWN)?, access(AT)?]);
    group.finish();
    let mut group = Group::new("mapping", ["64 KiB", "64 MiB"]);
    group.compare(
        "map and unmap",
        Per::Iteration,
        100_000,
        [map(64 << 10)?, map(64 << 20)?],
    );
    group.finish();
    let mut group = Group::new("frames", ["shared", "copied"]);
    group.compare(
        "three modules",
        Per::Iteration,
        10_000,
        [hand_on(true)?, hand_on(false)?],
    );
    group.finish();
    Ok(())
}

/// A loop of loads and stores over 1 MiB at an address.
fn access(at: u64) -> Result<Run> {
    let (mut store, [guest]) = guests()?;
    let region = Region::new(FRAME)?;
    guest.memory.map(&mut store, AT, &region, 0..FRAME, Access::ReadWrite)?;
    let words = i64::try_from(FRAME / 4)?;
    for round in 1..4 {
        let sum = guest.sum.call(&mut store, i32::try_from(at)?)?;
        ensure!(sum == words * round, "round {round} gives {sum}");
    }
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                black_box(guest.sum.call(&mut store, at as i32).expect("it ran before"));
            }
        })
    }))
}

/// Maps a region that has not been touched, and unmaps it.
fn map(size: u64) -> Result<Run> {
    let (mut store, [guest]) = guests()?;
    let region = Region::new(size)?;
    let mut cycle = move || -> Result<()> {
        guest.memory.map(&mut store, AT, &region, 0..size, Access::ReadWrite)?;
        guest.memory.unmap(&mut store, AT..AT + size)?;
        Ok(())
    };
    cycle()?;
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                cycle().expect("it ran before");
            }
        })
    }))
}

/// Three modules, of which each adds one to the first and the last word of the
/// frame that the one before has left: in a region that all have mapped, or
/// copied out of one memory and into the next.
fn hand_on(shared: bool) -> Result<Run> {
    let (mut store, stages) = guests::<3>()?;
    let region = Region::new(FRAME)?;
    for stage in &stages {
        stage.memory.map(&mut store, AT, &region, 0..FRAME, Access::ReadWrite)?;
    }
    let at = if shared { AT } else { OWN };
    let mut buffer = vec![0; usize::try_from(FRAME)?];
    let mut round = move || -> Result<i32> {
        let mut last = 0;
        for i in 0..stages.len() {
            let Guest { memory, stage, .. } = &stages[i];
            if !shared {
                let before = &stages[(i + stages.len() - 1) % stages.len()];
                before.memory.read(&store, at as usize, &mut buffer)?;
                memory.write(&mut store, at as usize, &buffer)?;
            }
            last = stage.call(&mut store, at as i32)?;
        }
        Ok(last)
    };
    for expected in [3, 6, 9] {
        let found = round()?;
        ensure!(found == 2 * expected, "expected {}, found {found}", 2 * expected);
    }
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                black_box(round().expect("it ran before"));
            }
        })
    }))
}
