//! Shared memories, atomic operators, waiting and notifying, with real threads.

#[path = "../common/mod.rs"]
mod common;

mod atomics;
mod fuel;
mod groups;
mod memories;
mod waiting;

use std::thread;
use std::time::{Duration, Instant};

use vm::{Engine, Instance, MemoryType, Module, SharedMemory, Store};

/// A shared memory of so many pages.
fn shared(engine: &Engine, min: u64, max: u64) -> SharedMemory {
    let ty = MemoryType::builder().min(min).max(Some(max)).shared(true).build();
    SharedMemory::new(engine, ty.expect("a type")).expect("memory")
}

/// A store with an instance of a module that imports a memory and nothing else.
fn instance(engine: &Engine, module: &Module, memory: &SharedMemory) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let memory = memory.to_memory(&mut store).expect("one memory");
    let instance = Instance::new(&mut store, module, &[memory.into()]).expect("it fits");
    (store, instance)
}

/// Sleeps until something is so, which must happen soon.
fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not happen");
        thread::sleep(Duration::from_millis(1));
    }
}
