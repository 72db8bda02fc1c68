//! `instantiate`: an instance of a small module, with and without a store for
//! it, of a module just loaded and of one that had an instance before; and of a
//! snapshot with 1 MiB of memory, beside a new instance.

use anyhow::{Result, ensure};
use orcavm_benches::measure::{Group, Per, Run, timed};
use orcavm_benches::{Keep, ours, theirs};
use vm::{Engine, Instance, Memory, Module, Snapshot, Store};

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
    let mut group = Group::new("snapshot", ["of a snapshot", "new"]);
    group.compare(
        "restore, a page written",
        Per::Iteration,
        100_000,
        [restore()?, fresh()?],
    );
    group.compare("fork", Per::Iteration, 2_000, [fork()?, fresh()?]);
    group.finish();
    Ok(())
}

/// Bytes of memory that a snapshot has.
const SIZE: usize = 1 << 20;

/// A module whose memory is full of data, and an instance.
fn full() -> Result<(Module, Store<()>, Instance)> {
    let engine = Engine::default();
    let data = "orca".repeat(SIZE / 4);
    let text = format!(r#"(module (memory (export "memory") 16) (data (i32.const 0) "{data}"))"#);
    let module = Module::new(&engine, text)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    Ok((module, store, instance))
}

/// Where a byte is written.
const AT: usize = SIZE / 2;

fn memory(store: &mut Store<()>, instance: Instance) -> Memory {
    instance.get_memory(store, "memory").expect("exported")
}

/// Writes a byte of a memory that is as the data segment says, and checks that it
/// was.
fn check(store: &mut Store<()>, memory: Memory) -> Result<()> {
    let byte = std::mem::replace(&mut memory.data_mut(store)[AT], 1);
    ensure!(byte == b'o', "the byte is {byte}");
    Ok(())
}

/// Writes a page of an instance, and restores it.
fn restore() -> Result<Run> {
    let (_, mut store, instance) = full()?;
    let snapshot = instance.snapshot(&store)?;
    let memory = memory(&mut store, instance);
    for _ in 0..3 {
        check(&mut store, memory)?;
        instance.restore(&mut store, &snapshot)?;
    }
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                memory.data_mut(&mut store)[AT] = 1;
                instance.restore(&mut store, &snapshot).expect("it worked before");
            }
        })
    }))
}

/// Forks an instance, and writes a page of the fork.
fn fork() -> Result<Run> {
    let once = || -> Result<(Store<()>, Snapshot)> {
        let (_, mut store, instance) = full()?;
        let snapshot = instance.snapshot(&store)?;
        for _ in 0..3 {
            let fork = snapshot.instantiate(&mut store)?;
            let memory = memory(&mut store, fork);
            check(&mut store, memory)?;
        }
        Ok((store, snapshot))
    };
    once()?;
    Ok(Box::new(move |iterations| {
        // Instances live as long as their store.
        let (mut store, snapshot) = once().expect("it worked before");
        timed(|| {
            for _ in 0..iterations {
                let fork = snapshot.instantiate(&mut store).expect("there is room");
                memory(&mut store, fork).data_mut(&mut store)[AT] = 1;
            }
        })
    }))
}

/// Makes a new instance of a module that had several, and writes a page.
fn fresh() -> Result<Run> {
    let (module, mut store, _) = full()?;
    for _ in 0..3 {
        let instance = Instance::new(&mut store, &module, &[])?;
        let memory = memory(&mut store, instance);
        check(&mut store, memory)?;
    }
    Ok(Box::new(move |iterations| {
        let mut store = Store::new(module.engine(), ());
        timed(|| {
            for _ in 0..iterations {
                let instance = Instance::new(&mut store, &module, &[]).expect("it worked before");
                memory(&mut store, instance).data_mut(&mut store)[AT] = 1;
            }
        })
    }))
}

/// The module with 16 pages of memory more, full of data.
fn with_data(text: &str) -> String {
    let (start, end) = text
        .split_once(r#"(memory (export "memory") 1)"#)
        .expect("the module has a memory of a page");
    let data = "orca".repeat((1 << 20) / 4);
    format!(r#"{start}(memory (export "memory") 17) (data (i32.const 65536) "{data}"){end}"#)
}
