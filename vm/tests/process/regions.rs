//! Regions as the operating system sees them: physical pages, file descriptors,
//! mappings, other processes. One test at a time: they count what the process
//! has.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use vm::{Access, Engine, Instance, Memory, MemoryType, Module, Region, Store, Trap};

use crate::common::{alone, rollup};

fn memory(store: &mut Store<()>) -> Memory {
    Memory::new(store, MemoryType::new(1, None)).expect("address space")
}

#[test]
fn memories_share_physical_pages() {
    let _alone = alone();
    const SIZE: u64 = 16 << 20;
    let mut store = Store::new(&Engine::default(), ());
    let region = Region::new(SIZE).expect("memory");
    let memories: Vec<Memory> = (0..8).map(|_| memory(&mut store)).collect();
    let before = (rollup("Pss:"), rollup("Rss:"));
    for memory in &memories {
        for at in [0x1000_0000, 0x8000_0000] {
            memory
                .map(&mut store, at, &region, 0..SIZE, Access::ReadWrite)
                .expect("nothing is there");
            for page in (0..SIZE).step_by(4096) {
                memory.write(&mut store, (at + page) as usize, &[1]).expect("mapped");
            }
        }
    }
    let grown = (rollup("Pss:") - before.0, rollup("Rss:") - before.1);
    // Sixteen mappings, each with all its pages; but the pages are there once.
    let size = SIZE as usize;
    assert!(grown.1 >= 15 * size, "{grown:?}");
    assert!(grown.0 <= size + size / 4, "{grown:?}");
}

#[test]
fn a_page_has_one_frame_at_all_its_addresses() {
    let _alone = alone();
    let mut store = Store::new(&Engine::default(), ());
    let region = Region::new(0x2000).expect("memory");
    let memory = memory(&mut store);
    for at in [0x2_0000, 0x3_0000] {
        memory
            .map(&mut store, at, &region, 0..0x2000, Access::ReadWrite)
            .expect("nothing is there");
    }
    memory.write(&mut store, 0x2_0000, &[1]).expect("mapped");
    memory.write(&mut store, 0x2_1000, &[1]).expect("mapped");
    let mut byte = [0; 1];
    memory.read(&store, 0x3_0000, &mut byte).expect("mapped");
    memory.read(&store, 0x3_1000, &mut byte).expect("mapped");
    let pagemap = fs::File::open("/proc/self/pagemap").expect("Linux has it");
    let frame = |at: usize| {
        use std::os::unix::fs::FileExt;
        let address = memory.data_ptr(&store) as usize + at;
        let mut entry = [0; 8];
        pagemap
            .read_exact_at(&mut entry, (address / 4096 * 8) as u64)
            .expect("an entry for each page");
        u64::from_le_bytes(entry)
    };
    let (first, second) = (frame(0x2_0000), frame(0x2_1000));
    assert_eq!(first >> 63, 1, "the page is present");
    assert_eq!(frame(0x3_0000), first);
    assert_eq!(frame(0x3_1000), second);
    // Only the privileged see frame numbers, others zeros.
    if first & ((1 << 55) - 1) != 0 {
        assert_ne!(first, second);
    }
}

#[test]
fn nothing_is_left_of_regions_that_are_dropped() {
    let _alone = alone();
    let count = |path: &str| fs::read_dir(path).expect("Linux has it").count();
    let maps = || {
        fs::read_to_string("/proc/self/maps")
            .expect("Linux has it")
            .lines()
            .count()
    };
    let mut store = Store::new(&Engine::default(), ());
    let memory = memory(&mut store);
    let mut cycle = |i: u64| {
        let region = Region::new(0x2000).expect("memory");
        let at = 0x10_0000 + i % 100 * 0x1_0000;
        memory
            .map(&mut store, at, &region, 0..0x2000, Access::ReadWrite)
            .expect("nothing is there");
        memory.write(&mut store, at as usize, &[1]).expect("mapped");
        drop(region);
        let mut byte = [0; 1];
        memory.read(&store, at as usize, &mut byte).expect("a mapping keeps it");
        assert_eq!(byte, [1]);
        memory.unmap(&mut store, at..at + 0x2000).expect("mapped");
    };
    (0..200).for_each(&mut cycle);
    let before = (count("/proc/self/fd"), maps(), count("/proc/self/task"), rollup("Rss:"));
    (0..100_000).for_each(&mut cycle);
    let after = (count("/proc/self/fd"), maps(), count("/proc/self/task"), rollup("Rss:"));
    assert_eq!(before.0, after.0);
    // Threads of other tests, which wait for their turn, begin and end.
    assert!(after.2 <= before.2 + 4, "{before:?} {after:?}");
    assert!(after.1 <= before.1 + 4, "{before:?} {after:?}");
    assert!(after.3 <= before.3 + (1 << 20), "{before:?} {after:?}");
}

#[test]
fn nothing_is_left_of_stores_that_are_dropped_with_mappings() {
    let _alone = alone();
    let count = |path: &str| fs::read_dir(path).expect("Linux has it").count();
    let engine = Engine::default();
    let module = Module::new(&engine, r#"(module (memory (export "memory") 1))"#).expect("valid");
    let region = Region::new(0x1000).expect("memory");
    let cycle = || {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        let memory = instance.get_memory(&mut store, "memory").expect("exported");
        let own = Region::new(0x1000).expect("memory");
        for (i, region) in [&region, &own].into_iter().enumerate() {
            let at = 0x10_0000 * (i as u64 + 1);
            memory
                .map(&mut store, at, region, 0..0x1000, Access::Read)
                .expect("nothing is there");
        }
    };
    cycle();
    let maps = || {
        fs::read_to_string("/proc/self/maps")
            .expect("Linux has it")
            .lines()
            .count()
    };
    let before = (count("/proc/self/fd"), maps());
    (0..2000).for_each(|_| cycle());
    assert_eq!(count("/proc/self/fd"), before.0);
    assert!(maps() <= before.1 + 4);
}

/// Two processes, one of which is not orcavm: a shell that reads and writes
/// the region's file.
#[test]
fn another_process_shares_a_region() {
    let _alone = alone();
    let engine = Engine::default();
    let module = r#"(module (memory (export "memory") 1)
        (func (export "put") (i32.store (i32.const 0x100000) (i32.const 0x6163726f)))
        (func (export "get") (result i32) (i32.load (i32.const 0x100010))))"#;
    let module = Module::new(&engine, module).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    let memory = instance.get_memory(&mut store, "memory").expect("exported");
    let region = Region::new(0x1000).expect("memory");
    memory
        .map(&mut store, 0x10_0000, &region, 0..0x1000, Access::ReadWrite)
        .expect("nothing is there");
    let put = instance.get_typed_func::<(), ()>(&mut store, "put").expect("exported");
    put.call(&mut store, ()).expect("mapped");
    let fd = region.to_fd().expect("one more");
    let path = format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());
    let script = r#"head -c 4 "$1"; printf '\052' | dd of="$1" bs=1 seek=16 conv=notrunc 2>/dev/null"#;
    let mut shell = Command::new("sh")
        .args(["-c", script, "sh", &path])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut seen = String::new();
    shell
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut seen)
        .expect("text");
    assert!(shell.wait().expect("it ends").success());
    assert_eq!(seen, "orca");
    let get = instance.get_typed_func::<(), i32>(&mut store, "get").expect("exported");
    assert_eq!(get.call(&mut store, ()).expect("mapped"), 42);
}

/// Stores on several threads access one region while others map, protect and
/// unmap it, and its file becomes shorter and longer.
#[test]
fn threads_map_and_access_one_region() {
    let _alone = alone();
    let engine = Engine::default();
    let module = r#"(module (memory (export "memory") 1)
        (func (export "run") (param $n i32)
            (loop $again
                (i32.store (i32.const 0x100000) (i32.add (i32.load (i32.const 0x101ff0)) (i32.const 1)))
                (memory.copy (i32.const 0x101000) (i32.const 0x100000) (i32.const 200))
                (memory.fill (i32.const 0x101800) (local.get $n) (i32.const 1000))
                (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
    let module = Module::new(&engine, module).expect("valid");
    let file = tempfile();
    // Memories without guard pages have no regions that may become shorter.
    let may_shrink = cfg!(all(target_arch = "x86_64", not(orcavm_portable)));
    let region = match may_shrink {
        true => Region::adopt(file.try_clone().expect("descriptors")).expect("a file"),
        false => Region::new(0x2000).expect("memory"),
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = |seed: u64| {
            let (engine, module, region) = (&engine, &module, &region);
            move || {
                let mut store = Store::new(engine, ());
                let instance = Instance::new(&mut store, module, &[]).expect("nothing is missing");
                let memory = instance.get_memory(&mut store, "memory").expect("exported");
                let run = instance.get_typed_func::<i32, ()>(&mut store, "run").expect("exported");
                let mut ends = [0; 3];
                for round in 0..2000_u64 {
                    let range = 0x10_0000..0x10_2000;
                    let access = if (round + seed).is_multiple_of(7) {
                        Access::Read
                    } else {
                        Access::ReadWrite
                    };
                    if !(round + seed).is_multiple_of(5) {
                        memory
                            .map(&mut store, range.start, region, 0..0x2000, Access::ReadWrite)
                            .expect("nothing is there");
                        memory.protect(&mut store, range.clone(), access).expect("mapped");
                    }
                    let end = run.call(&mut store, 10).map_err(|error| error.trap());
                    ends[match end {
                        Ok(()) => 0,
                        Err(Some(Trap::ReadOnlyMemory)) => 1,
                        Err(Some(Trap::MemoryOutOfBounds)) => 2,
                        Err(other) => panic!("{other:?}"),
                    }] += 1;
                    if !(round + seed).is_multiple_of(5) {
                        memory.unmap(&mut store, range).expect("mapped");
                    }
                }
                ends
            }
        };
        let threads = [0, 1, 2].map(|seed| scope.spawn(work(seed)));
        let shrinker = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for size in [0x1000, 0, 0x2000] {
                    file.set_len(size).expect("writable");
                    std::thread::yield_now();
                }
            }
            file.set_len(0x2000).expect("writable");
        });
        let ends = threads.map(|thread| thread.join());
        done.store(true, Ordering::Relaxed);
        shrinker.join().expect("it does not panic");
        for ends in ends {
            let ends = ends.expect("it does not panic");
            // What is not mapped is out of bounds, and so is what is cut off.
            assert!(ends[2] >= 400, "{ends:?}");
            assert_eq!(ends.iter().sum::<u32>(), 2000);
        }
    });
}

/// A file of two pages without a name.
fn tempfile() -> fs::File {
    let path = std::env::temp_dir().join(format!("orcavm-regions-{}", std::process::id()));
    let file = fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .expect("a place for files");
    fs::remove_file(path).expect("it is there");
    file.set_len(0x2000).expect("there is room");
    file
}
