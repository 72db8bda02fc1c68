//! What snapshots, forks and restores cost the process.
#![cfg(target_os = "linux")]

use vm::{Access, Engine, Instance, Memory, Module, Region, Store};

use super::{PAGE, all, get, memory, pattern, run};
use crate::common::{alone, engines, rollup};

/// Forks cost the pages they touch, not those they begin with.
#[test]
fn forks_share_what_they_do_not_write() {
    let _alone = alone();
    const SIZE: usize = 16 * PAGE;
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (memory (export "memory") 16))"#).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    memory(&mut store, instance)
        .write(&mut store, 0, &pattern(SIZE, 1))
        .expect("inside");
    let snapshot = instance.snapshot(&store).expect("memory");
    let before = rollup("Pss:");
    let mut sum = 0_u64;
    let forks: Vec<Memory> = (0..200)
        .map(|i| {
            let fork = snapshot.instantiate(&mut store).expect("room");
            let memory = memory(&mut store, fork);
            // All is read, one page is written.
            sum += memory.data(&store).iter().map(|byte| u64::from(*byte)).sum::<u64>();
            memory.write(&mut store, i * 256, &[1]).expect("inside");
            memory
        })
        .collect();
    let one: u64 = pattern(SIZE, 1).iter().map(|byte| u64::from(*byte)).sum();
    assert_eq!(sum, forks.len() as u64 * one);
    let grown = rollup("Pss:").saturating_sub(before);
    // A page and what an instance needs besides, each; 200 MiB if they were copies.
    assert!(grown < 12 << 20, "{grown}");
}

/// Pages of zeros are not in a snapshot, however large the memory.
#[test]
fn zeros_cost_nothing() {
    let _alone = alone();
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (memory (export "memory") 1024))"#).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    let own = memory(&mut store, instance);
    for at in [0, 20 << 20, (64 << 20) - 1] {
        own.write(&mut store, at, &[1]).expect("inside");
    }
    let before = rollup("Pss:");
    let snapshot = instance.snapshot(&store).expect("memory");
    for _ in 0..3 {
        own.write(&mut store, 40 << 20, &pattern(1 << 20, 1)).expect("inside");
        instance.restore(&mut store, &snapshot).expect("its own");
        let fork = snapshot.instantiate(&mut store).expect("room");
        let copy = memory(&mut store, fork);
        assert_eq!(own.data(&store)[20 << 20..(20 << 20) + 2], [1, 0]);
        assert_eq!(copy.data(&store)[(64 << 20) - 2..], [0, 1]);
        assert!(own.data(&store)[40 << 20..41 << 20].iter().all(|byte| *byte == 0));
    }
    let grown = rollup("Pss:").saturating_sub(before);
    assert!(grown < 2 << 20, "{grown}");
}

#[test]
fn nothing_is_left_of_states_that_are_gone() {
    let _alone = alone();
    let count = |path: &str| std::fs::read_dir(path).expect("Linux has it").count();
    let maps = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
        maps.lines().count()
    };
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let own = memory(&mut store, instance);
        own.write(&mut store, 0, &pattern(PAGE, 1)).expect("inside");
        let region = Region::new(0x1000).expect("memory");
        let snapshot = instance.snapshot(&store).expect("memory");
        let mut cycle = |i: usize| {
            own.write(&mut store, i % 0x1_0000, &[i as u8]).expect("inside");
            get(&mut store, instance, "grow", 1).expect("no trap");
            run(&mut store, instance, "store", &[2 * PAGE as i32 + 5, 1]).expect("inside");
            get(&mut store, instance, "grow table", 3).expect("no trap");
            own.map(&mut store, 0x8000, &region, 0..0x1000, Access::ReadWrite)
                .expect("free");
            let other = i.is_multiple_of(10).then(|| instance.snapshot(&store).expect("memory"));
            instance.restore(&mut store, &snapshot).expect("its own");
            if let Some(other) = other {
                instance.restore(&mut store, &other).expect("its own");
                assert_eq!(own.mappings(&store).len(), 1);
                instance.restore(&mut store, &snapshot).expect("its own");
            }
        };
        (0..200).for_each(&mut cycle);
        let before = (count("/proc/self/fd"), maps(), rollup("Rss:"));
        (0..10_000).for_each(&mut cycle);
        let after = (count("/proc/self/fd"), maps(), rollup("Rss:"));
        assert_eq!(before.0, after.0);
        assert!(after.1 <= before.1 + 4, "{before:?} {after:?}");
        assert!(after.2 <= before.2 + (1 << 20), "{before:?} {after:?}");
        drop(store);
        drop(snapshot);
        assert!(count("/proc/self/fd") < before.0, "its file is gone");
    }
}
