//! What memories hold at first: from the second instance of a module on, large
//! data segments are mapped copy-on-write instead of being written. One test at
//! a time: some look at the memory of the process.

use std::fmt::Write as _;

use vm::{Engine, Instance, Memory, Module, Region, Store, Trap};

#[cfg(target_os = "linux")]
use crate::common::rollup;
use crate::common::{alone, engines};

const PAGE: usize = 0x10000;

/// A module with these segments, as (offset, bytes), in a memory of `pages`.
fn module(engine: &Engine, pages: usize, segments: &[(usize, Vec<u8>)]) -> Module {
    let mut text = format!(
        r#"(module (memory (export "memory") {pages} 100)
        (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))"#
    );
    for (offset, bytes) in segments {
        let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        write!(text, r#" (data (i32.const {offset}) "{bytes}")"#).expect("a string");
    }
    text += ")";
    Module::new(engine, text).expect("valid")
}

fn memory(store: &mut Store<()>, module: &Module) -> (Instance, Memory) {
    let instance = Instance::new(&mut *store, module, &[]).expect("the segments fit");
    let memory = instance.get_memory(&mut *store, "memory").expect("exported");
    (instance, memory)
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251 + seed) as u8).collect()
}

#[test]
fn all_instances_begin_alike_and_keep_to_themselves() {
    let _alone = alone();
    for engine in engines() {
        let cases: [Vec<(usize, Vec<u8>)>; 6] = [
            vec![(0, pattern(PAGE, 1))],
            // Not at pages, with a gap of zeros.
            vec![(5000, pattern(20_000, 2)), (70_001, pattern(3, 3))],
            // One over the other: the later one stays.
            vec![
                (100, pattern(30_000, 4)),
                (4_000, pattern(9_000, 5)),
                (101, vec![0; 50]),
            ],
            // Up to the last byte.
            vec![
                (2 * PAGE - 17_000, pattern(17_000, 6)),
                (0, Vec::new()),
                (2 * PAGE, Vec::new()),
            ],
            // Far between: written, not mapped.
            vec![(0, pattern(20_000, 8)), (2 * PAGE - 10, pattern(10, 9))],
            // Few bytes are written, not mapped.
            vec![(8, pattern(100, 7))],
        ];
        for segments in cases {
            let module = module(&engine, 2, &segments);
            let mut expected = vec![0; 2 * PAGE];
            for (offset, bytes) in &segments {
                expected[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            let mut store = Store::new(&engine, ());
            let instances: Vec<_> = (0..4).map(|_| memory(&mut store, &module)).collect();
            for (i, (instance, memory)) in instances.iter().enumerate() {
                assert!(memory.data(&store) == expected, "instance {i}");
                let write = instance
                    .get_typed_func::<(i32, i32), ()>(&mut store, "store")
                    .expect("exported");
                for at in [0, 5_000, 9_999, 2 * PAGE - 1] {
                    write.call(&mut store, (at as i32, 0xa0 + i as i32)).expect("inside");
                }
            }
            // What one has written the others do not have, nor do later ones.
            for (i, (instance, memory)) in instances.iter().enumerate() {
                let mut now = expected.clone();
                for at in [0, 5_000, 9_999, 2 * PAGE - 1] {
                    now[at] = 0xa0 + i as u8;
                }
                assert!(memory.data(&store) == now, "instance {i}");
                let grow = instance
                    .get_typed_func::<i32, i32>(&mut store, "grow")
                    .expect("exported");
                assert_eq!(grow.call(&mut store, 3).expect("no trap"), 2);
                assert!(memory.data(&store)[2 * PAGE..].iter().all(|byte| *byte == 0));
            }
            let (_, fresh) = memory(&mut store, &module);
            assert!(fresh.data(&store) == expected);
        }
    }
}

#[test]
fn segments_that_do_not_fit_trap_each_time_and_write_what_comes_before() {
    let _alone = alone();
    let engine = Engine::default();
    let text = |import: bool| {
        let memory = if import {
            r#"(import "" "m" (memory 1))"#
        } else {
            "(memory 1)"
        };
        let bytes: String = pattern(40_000, 1).iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(r#"(module {memory} (data (i32.const 8) "{bytes}") (data (i32.const 65535) "12"))"#)
    };
    for import in [false, true] {
        let module = Module::new(&engine, text(import)).expect("valid");
        let mut store = Store::new(&engine, ());
        for _ in 0..3 {
            let memory = Memory::new(&mut store, vm::MemoryType::new(1, None)).expect("memory");
            let imports = if import { vec![memory.into()] } else { vec![] };
            let error = Instance::new(&mut store, &module, &imports).expect_err("it does not fit");
            assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
            let first = memory.data(&store)[8..40_008] == pattern(40_000, 1);
            assert_eq!(first, import);
        }
    }
}

#[test]
fn a_region_can_take_the_place_of_first_contents() {
    let _alone = alone();
    for engine in engines() {
        let module = module(&engine, 1, &[(0, pattern(PAGE, 1))]);
        let mut store = Store::new(&engine, ());
        let region = Region::new(0x2000).expect("memory");
        memory(&mut store, &module);
        let (_, memory) = memory(&mut store, &module);
        memory
            .map(&mut store, 0x4000, &region, 0..0x2000, vm::Access::ReadWrite)
            .expect("nothing is there");
        let mut bytes = [1; 2];
        memory.read(&store, 0x3fff, &mut bytes).expect("inside");
        assert_eq!(bytes, [pattern(PAGE, 1)[0x3fff], 0]);
        memory.unmap(&mut store, 0x4000..0x6000).expect("mapped");
        let data = memory.data(&store);
        assert!(data[0x4000..0x6000].iter().all(|byte| *byte == 0));
        assert!(data[0x6000..] == pattern(PAGE, 1)[0x6000..]);
    }
}

/// Live instances, each with 64 KiB that it has written.
#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_instances_live() {
    let _alone = alone();
    // Unoptimised code takes long to write as much.
    let count: usize = if cfg!(debug_assertions) { 1000 } else { 10_000 };
    let engine = Engine::default();
    let module = module(&engine, 2, &[(0, pattern(PAGE, 1))]);
    let mut store = Store::new(&engine, ());
    memory(&mut store, &module);
    let before = rollup("Pss:");
    let instances: Vec<_> = (1..count).map(|_| memory(&mut store, &module)).collect();
    for (i, (instance, memory)) in instances.iter().enumerate() {
        memory.data_mut(&mut store)[..PAGE].fill(i as u8);
        let write = instance
            .get_typed_func::<(i32, i32), ()>(&mut store, "store")
            .expect("exported");
        write.call(&mut store, (7, 77)).expect("inside");
    }
    for (i, (_, memory)) in instances.iter().enumerate() {
        assert_eq!(memory.data(&store)[6..9], [i as u8, 77, i as u8]);
    }
    let beyond = (rollup("Pss:") - before).saturating_sub(count * PAGE);
    assert!(beyond < count * (100 << 10), "{beyond} bytes beyond what they touched");
}

/// Instances cost the pages they touch, not those they begin with.
#[test]
#[cfg(target_os = "linux")]
fn many_instances_share_what_they_do_not_write() {
    let _alone = alone();
    const SIZE: usize = 16 * PAGE;
    let engine = Engine::default();
    let module = module(&engine, 16, &[(0, pattern(SIZE, 1))]);
    let mut store = Store::new(&engine, ());
    memory(&mut store, &module);
    memory(&mut store, &module);
    let before = rollup("Pss:");
    let mut sum = 0_u64;
    for i in 0..200 {
        let (_, memory) = memory(&mut store, &module);
        // All is read, one page is written.
        sum += memory.data(&store).iter().map(|byte| u64::from(*byte)).sum::<u64>();
        memory.write(&mut store, i * 256, &[1]).expect("inside");
    }
    assert_eq!(
        sum,
        200 * pattern(SIZE, 1).iter().map(|byte| u64::from(*byte)).sum::<u64>()
    );
    // Less, if other processes began to share what is in both.
    let grown = rollup("Pss:").saturating_sub(before);
    // A page and what an instance needs besides, each; 200 MiB if they were copies.
    assert!(grown < 12 << 20, "{grown}");
}
