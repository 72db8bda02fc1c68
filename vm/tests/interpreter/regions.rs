//! Regions: the same pages in several memories, at several addresses, and what
//! accesses to them do.

use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

use vm::{
    Access, Engine, Error, Instance, Memory, MemoryAccessError, MemoryType, Module, Region, RegionError, Store, Trap,
};

use crate::common::engines;

const PAGE: u64 = 0x10000;

/// One of each family of instructions that access memory, on memory 0.
const ACCESSES: &str = r#"(module
    (memory (export "memory") 2 8)
    (data $bytes "\01\02\03\04\05\06\07\08")
    (func (export "i32.load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "i32.load8_u") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "i64.load") (param i32) (result i32) (i32.wrap_i64 (i64.load (local.get 0))))
    (func (export "f32.load") (param i32) (result i32) (i32.reinterpret_f32 (f32.load (local.get 0))))
    (func (export "f64.load") (param i32) (result i32)
        (i32.wrap_i64 (i64.reinterpret_f64 (f64.load (local.get 0)))))
    (func (export "load offset") (param i32) (result i32)
        (i32.load offset=4096 (i32.sub (local.get 0) (i32.const 4096))))
    (func (export "load sum") (param i32) (result i32)
        (i32.load (i32.add (i32.const 16) (i32.sub (local.get 0) (i32.const 16)))))
    (func (export "copy out") (param i32) (result i32)
        (memory.copy (i32.const 0) (local.get 0) (i32.const 4)) (i32.load (i32.const 0)))
    (func (export "copy much out") (param i32) (result i32)
        (memory.copy (i32.const 0) (local.get 0) (i32.const 200)) (i32.load (i32.const 0)))
    (func (export "i32.store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    (func (export "i32.store constant") (param i32 i32) (i32.store (local.get 0) (i32.const 7)))
    (func (export "i32.store8") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "i32.store16") (param i32 i32) (i32.store16 (local.get 0) (local.get 1)))
    (func (export "i64.store") (param i32 i32) (i64.store (local.get 0) (i64.extend_i32_u (local.get 1))))
    (func (export "i64.store32") (param i32 i32) (i64.store32 (local.get 0) (i64.extend_i32_u (local.get 1))))
    (func (export "f32.store") (param i32 i32) (f32.store (local.get 0) (f32.reinterpret_i32 (local.get 1))))
    (func (export "f64.store") (param i32 i32)
        (f64.store (local.get 0) (f64.reinterpret_i64 (i64.extend_i32_u (local.get 1)))))
    (func (export "store made") (param i32 i32)
        (i32.store (local.get 0) (i32.add (local.get 1) (i32.const 1))))
    (func (export "store add") (param i32 i32)
        (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (local.get 1))))
    (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (local.get 1) (i32.const 4)))
    (func (export "fill much") (param i32 i32) (memory.fill (local.get 0) (local.get 1) (i32.const 200)))
    (func (export "init") (param i32 i32) (memory.init $bytes (local.get 0) (i32.const 0) (i32.const 8)))
    (func (export "copy in") (param i32 i32) (memory.copy (local.get 0) (i32.const 64) (i32.const 4)))
    (func (export "copy much in") (param i32 i32) (memory.copy (local.get 0) (i32.const 64) (i32.const 200)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size)))"#;

const LOADS: [&str; 9] = [
    "i32.load",
    "i32.load8_u",
    "i64.load",
    "f32.load",
    "f64.load",
    "load offset",
    "load sum",
    "copy out",
    "copy much out",
];
const STORES: [&str; 15] = [
    "i32.store",
    "i32.store constant",
    "i32.store8",
    "i32.store16",
    "i64.store",
    "i64.store32",
    "f32.store",
    "f64.store",
    "store made",
    "store add",
    "fill",
    "fill much",
    "init",
    "copy in",
    "copy much in",
];

struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Guest {
    fn new(engine: &Engine) -> Self {
        let module = Module::new(engine, ACCESSES).expect("valid");
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        let memory = instance.get_memory(&mut store, "memory").expect("exported");
        Self {
            store,
            instance,
            memory,
        }
    }

    fn load(&mut self, name: &str, at: u64) -> Result<i32, Error> {
        let f = self.instance.get_typed_func::<i32, i32>(&mut self.store, name)?;
        f.call(&mut self.store, at as u32 as i32)
    }

    fn store(&mut self, name: &str, at: u64, value: i32) -> Result<(), Error> {
        let f = self.instance.get_typed_func::<(i32, i32), ()>(&mut self.store, name)?;
        f.call(&mut self.store, (at as u32 as i32, value))
    }

    fn map(&mut self, at: u64, region: &Region, access: Access) -> Result<(), RegionError> {
        self.memory.map(&mut self.store, at, region, 0..region.size(), access)
    }
}

fn trap<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Trap> {
    result.expect_err("it traps").trap()
}

/// Addresses below, across and above the memory's size, and the last ones.
const PLACES: [u64; 4] = [PAGE, 2 * PAGE - 0x1000, 5 * PAGE, 0xffff_e000];

#[test]
fn all_instructions_reach_a_mapped_region() {
    for engine in engines() {
        for place in PLACES {
            let mut guest = Guest::new(&engine);
            let region = Region::new(0x2000).expect("memory");
            guest.map(place, &region, Access::ReadWrite).expect("nothing is there");
            for (i, name) in STORES.iter().enumerate() {
                let at = 0x400 + 0x100 * i as u64;
                guest.store(name, place + at, 0x1234).expect(name);
                let mut written = [0; 1];
                region.read(at, &mut written).expect("inside");
                let is_zero = name.starts_with("copy");
                assert_eq!(written[0] == 0, is_zero, "{name} at {place:#x}");
            }
            for (i, name) in LOADS.iter().enumerate() {
                let at = 0x1800 + 0x10 * i as u64;
                region.write(at, &[i as u8 + 1, 0, 0, 0]).expect("inside");
                assert_eq!(guest.load(name, place + at).expect(name) & 0xff, i as i32 + 1, "{name}");
            }
        }
    }
}

#[test]
fn no_instruction_writes_a_read_only_mapping() {
    for engine in engines() {
        for place in PLACES {
            let mut guest = Guest::new(&engine);
            let region = Region::new(0x2000).expect("memory");
            region.write(0x800, &[9; 256]).expect("inside");
            guest.map(place, &region, Access::Read).expect("nothing is there");
            for name in STORES {
                let result = guest.store(name, place + 0x800, 0x1234);
                assert_eq!(trap(result), Some(Trap::ReadOnlyMemory), "{name} at {place:#x}");
            }
            let mut now = [0; 256];
            region.read(0x800, &mut now).expect("inside");
            assert_eq!(now, [9; 256]);
            for name in LOADS {
                assert_eq!(guest.load(name, place + 0x800).expect(name) & 0xff, 9, "{name}");
            }
            let at = place as usize + 0x800;
            assert_eq!(
                guest.memory.write(&mut guest.store, at, &[1]),
                Err(MemoryAccessError::ReadOnly)
            );
            // What may be written later may be now.
            guest
                .memory
                .protect(&mut guest.store, place..place + 0x1000, Access::ReadWrite)
                .expect("mapped");
            guest.store("i32.store", place + 0x800, 0x1234).expect("allowed now");
            let beyond = guest.store("i32.store", place + 0x1000, 0x1234);
            assert_eq!(trap(beyond), Some(Trap::ReadOnlyMemory));
        }
    }
}

#[test]
fn nothing_is_reached_around_a_mapping() {
    for engine in engines() {
        let mut guest = Guest::new(&engine);
        let region = Region::new(0x1000).expect("memory");
        let place = 8 * PAGE;
        guest.map(place, &region, Access::ReadWrite).expect("nothing is there");
        for name in ["i32.load", "load offset", "copy much out"] {
            for at in [place - 1, place - 3, place + 0xffd, place + 0x1000, place - 0x1000] {
                assert_eq!(
                    trap(guest.load(name, at)),
                    Some(Trap::MemoryOutOfBounds),
                    "{name} {at:#x}"
                );
            }
        }
        for name in ["i32.store", "fill much", "copy much in", "init"] {
            for at in [place - 1, place + 0xffd, place + 0x1000] {
                let result = guest.store(name, at, 0x5555_5555);
                assert_eq!(trap(result), Some(Trap::MemoryOutOfBounds), "{name} {at:#x}");
            }
        }
        let mut bytes = [1; 0x1000];
        region.read(0, &mut bytes).expect("inside");
        assert_eq!(bytes, [0; 0x1000], "nothing was written by what trapped");
    }
}

#[test]
fn memories_and_stores_see_each_others_writes() {
    let region = Region::new(2 * PAGE).expect("memory");
    let [guarded, checked] = engines();
    let mut guests = [Guest::new(&guarded), Guest::new(&checked), Guest::new(&guarded)];
    let places = [[PAGE, 16 * PAGE], [0x4000_0000, 0], [0xfffe_0000, 4 * PAGE]];
    for (guest, places) in guests.iter_mut().zip(&places) {
        for place in places {
            guest.map(*place, &region, Access::ReadWrite).expect("nothing is there");
        }
    }
    let view = region.view().expect("it cannot shrink");
    for writer in 0..3 {
        for place in places[writer] {
            let value = (writer as i32 + 1) * 1000 + place as i32 / 0x10000;
            guests[writer]
                .store("i32.store", place + 0x1_2344, value)
                .expect("mapped");
            for (guest, places) in guests.iter_mut().zip(&places) {
                for place in places {
                    assert_eq!(guest.load("i32.load", place + 0x1_2344).expect("mapped"), value);
                }
            }
            let bytes = &view.bytes_mut().expect("writable")[0x1_2344..0x1_2348];
            let seen: Vec<u8> = bytes.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
            assert_eq!(seen, value.to_le_bytes());
        }
    }
}

#[test]
fn memories_grow_up_to_mappings_and_not_onto_them() {
    for engine in engines() {
        let mut guest = Guest::new(&engine);
        let region = Region::new(0x1000).expect("memory");
        let grow = |guest: &mut Guest, pages: i32| guest.load("grow", pages as u64).expect("no trap");
        guest
            .map(4 * PAGE + 0x3000, &region, Access::ReadWrite)
            .expect("nothing is there");
        assert_eq!(grow(&mut guest, 2), 2);
        assert_eq!(grow(&mut guest, 1), -1);
        assert_eq!(grow(&mut guest, 0), 4);
        guest.store("i32.store", 4 * PAGE - 4, 1).expect("inside");
        assert_eq!(trap(guest.load("i32.load", 4 * PAGE)), Some(Trap::MemoryOutOfBounds));
        guest
            .memory
            .unmap(&mut guest.store, 4 * PAGE + 0x3000..4 * PAGE + 0x4000)
            .expect("mapped");
        assert_eq!(grow(&mut guest, 1), 4);
        assert_eq!(guest.load("i32.load", 4 * PAGE + 0x3000).expect("inside"), 0);
    }
}

#[test]
fn what_is_unmapped_is_zero_inside_and_nothing_outside() {
    for engine in engines() {
        let mut guest = Guest::new(&engine);
        let region = Region::new(4 * 0x1000).expect("memory");
        region.write(0, &[7; 0x4000]).expect("inside");
        guest.store("fill much", PAGE * 2 - 0x2000, 3).expect("inside");
        // Half of it is inside the memory's size.
        let place = 2 * PAGE - 0x2000;
        guest.map(place, &region, Access::ReadWrite).expect("nothing is there");
        assert_eq!(guest.memory.data(&guest.store).len() as u64, place);
        assert_eq!(guest.load("i32.load8_u", place).expect("mapped"), 7);
        // The middle: one page inside, one outside.
        guest
            .memory
            .unmap(&mut guest.store, place + 0x1000..place + 0x3000)
            .expect("mapped");
        assert_eq!(guest.load("i32.load", place + 0x1000).expect("inside"), 0);
        assert_eq!(guest.load("i32.load8_u", place + 0xfff).expect("mapped"), 7);
        assert_eq!(
            trap(guest.load("i32.load", place + 0x2000)),
            Some(Trap::MemoryOutOfBounds)
        );
        assert_eq!(guest.load("i32.load8_u", place + 0x3000).expect("mapped"), 7);
        let parts: Vec<_> = guest
            .memory
            .mappings(&guest.store)
            .iter()
            .map(|m| (m.address, m.len, m.offset))
            .collect();
        assert_eq!(parts, [(place, 0x1000, 0), (place + 0x3000, 0x1000, 0x3000)]);
        guest
            .memory
            .unmap(&mut guest.store, place..place + 0x1000)
            .expect("mapped");
        guest
            .memory
            .unmap(&mut guest.store, place + 0x3000..place + 0x4000)
            .expect("mapped");
        assert_eq!(guest.memory.data(&guest.store).len() as u64, 2 * PAGE);
        assert_eq!(guest.load("i32.load8_u", place).expect("inside"), 0);
        let mut kept = [0; 0x4000];
        region.read(0, &mut kept).expect("inside");
        assert_eq!(kept, [7; 0x4000]);
    }
}

#[test]
fn what_cannot_be_mapped_is_said_and_changes_nothing() {
    let mut guest = Guest::new(&engines()[0]);
    let region = Region::new(0x4000).expect("memory");
    let (memory, store) = (guest.memory, &mut guest.store);
    memory
        .map(&mut *store, 0x8000, &region, 0..0x2000, Access::Read)
        .expect("nothing is there");
    let mut refusals = Vec::new();
    let mut map = |at, range, region: &Region, access| {
        let error = memory.map(&mut *store, at, region, range, access).expect_err("refused");
        refusals.push(error.to_string());
    };
    let rw = Access::ReadWrite;
    map(0x100, 0..0x1000, &region, rw);
    map(0x1000, 0..0x100, &region, rw);
    map(0x1000, 0x10..0x1010, &region, rw);
    map(0x1000, 0x1000..0x1000, &region, rw);
    map(0x1000, 0x3000..0x5000, &region, rw);
    map(0x1000, u64::MAX - 0xfff..u64::MAX, &region, rw);
    map(0xffff_f000, 0..0x2000, &region, rw);
    map(0x1_0000_0000, 0..0x1000, &region, rw);
    map(u64::MAX - 0xfff, 0..0x1000, &region, rw);
    map(0x9000, 0..0x1000, &region, rw);
    map(0x7000, 0..0x4000, &region, rw);
    map(0x1000, 0..0x1000, &region.read_only(), rw);
    assert_eq!(
        refusals,
        [
            "the address 0x100 is not a multiple of the host page, 4096 bytes",
            "the size 0x100 is not a multiple of the host page, 4096 bytes",
            "the offset 0x10 is not a multiple of the host page, 4096 bytes",
            "a region and a mapping have one page at least",
            "bytes 0x3000..0x5000 are not in a region of 0x4000 bytes",
            "the size 0xfff is not a multiple of the host page, 4096 bytes",
            "addresses 0xfffff000..0x100001000 are not in the 0x100000000 bytes where this memory can have mappings",
            "addresses 0x100000000..0x100001000 are not in the 0x100000000 bytes where this memory can have mappings",
            "addresses 0xfffffffffffff000..0x10000000000000000 are not in the 0x100000000 bytes where this memory can \
             have mappings",
            "a region is mapped at 0x9000 already; unmap it first",
            "a region is mapped at 0x8000 already; unmap it first",
            "the region may only be read",
        ]
    );
    let refused = |result: Result<(), RegionError>| result.expect_err("refused").to_string();
    assert_eq!(
        refused(memory.unmap(&mut *store, 0x8000..0xb000)),
        "no region is mapped at 0xa000"
    );
    assert_eq!(
        refused(memory.protect(&mut *store, 0x7000..0x9000, Access::Read)),
        "no region is mapped at 0x7000"
    );
    memory
        .map(&mut *store, 0x3000, &region.read_only(), 0..0x1000, Access::Read)
        .expect("nothing is there");
    assert_eq!(
        refused(memory.protect(&mut *store, 0x3000..0x4000, Access::ReadWrite)),
        "the region may only be read"
    );
    assert_eq!(memory.mappings(&*store).len(), 2);
    for size in [0, 100, u64::MAX, 0xffff_ffff_ffff_f000] {
        Region::new(size).expect_err("no such size");
    }
}

#[test]
fn operations_cross_into_mappings() {
    for engine in engines() {
        let mut guest = Guest::new(&engine);
        let region = Region::new(0x2000).expect("memory");
        let place = 0x8000;
        guest.map(place, &region, Access::ReadWrite).expect("nothing is there");
        let (memory, store) = (guest.memory, &mut guest.store);
        // The host's, across both edges.
        let bytes: Vec<u8> = (0..0x3000_u32).map(|i| (i / 7) as u8).collect();
        memory.write(&mut *store, 0x7800, &bytes).expect("inside");
        let mut read = vec![0; 0x3000];
        memory.read(&*store, 0x7800, &mut read).expect("inside");
        assert_eq!(read, bytes);
        let mut part = vec![0; 0x2000];
        region.read(0, &mut part).expect("inside");
        assert_eq!(part, bytes[0x800..0x2800]);
        // The guest's: overlapping copies upwards and downwards.
        let module = r#"(module (import "" "m" (memory 2))
            (func (export "copy") (param i32 i32 i32)
                (memory.copy (local.get 0) (local.get 1) (local.get 2))))"#;
        let module = Module::new(&engine, module).expect("valid");
        let copier = Instance::new(&mut *store, &module, &[memory.into()]).expect("nothing is missing");
        let copy = copier
            .get_typed_func::<(i32, i32, i32), ()>(&mut *store, "copy")
            .expect("exported");
        let mut expected = vec![0; 0x20000];
        memory.read(&*store, 0, &mut expected).expect("inside");
        for (to, from, len) in [
            (0x7100, 0x7800, 0x2f00),
            (0x7900, 0x7101, 0x2fff),
            (0x8fff, 0x9000, 10),
            (0x9001, 0x9000, 0x1000),
            (0x100, 0x7ff0, 32),
            (0x7ff0, 0x100, 32),
            (0x100, 0x6000, 0x9000),
        ] {
            copy.call(&mut *store, (to, from, len)).expect("inside");
            expected.copy_within(from as usize..(from + len) as usize, to as usize);
            let mut now = vec![0; 0x20000];
            memory.read(&*store, 0, &mut now).expect("inside");
            assert!(now == expected, "{len:#x} bytes from {from:#x} to {to:#x}");
        }
    }
}

#[test]
#[cfg_attr(orcavm_portable, ignore = "only memories with guard pages can have such a region")]
fn files_are_regions_and_may_become_shorter() {
    let path = std::env::temp_dir().join(format!("orcavm-region-{}", std::process::id()));
    let mut file = std::fs::File::create_new(&path).expect("a new file");
    file.write_all(&[5; 0x2000]).expect("room");
    drop(file);
    let reading = std::fs::File::open(&path).expect("it is there");
    let writing = || {
        std::fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("it is there")
    };
    let read_only = Region::adopt(reading).expect("a file");
    assert_eq!(read_only.access(), Access::Read);
    let region = Region::adopt(writing()).expect("a file");
    assert!(region.is_same(&read_only));
    let [guarded, checked] = engines();
    let mut guest = Guest::new(&guarded);
    guest.map(PAGE, &region, Access::ReadWrite).expect("nothing is there");
    guest.map(4 * PAGE, &read_only, Access::Read).expect("nothing is there");
    assert_eq!(guest.load("i32.load8_u", 4 * PAGE + 0x1fff).expect("mapped"), 5);
    guest.store("i32.store", PAGE + 0x1000, 77).expect("mapped");
    assert_eq!(guest.load("i32.load", 4 * PAGE + 0x1000).expect("mapped"), 77);
    assert_eq!(std::fs::read(&path).expect("it is there")[0x1000], 77);
    assert!(matches!(region.view(), Err(RegionError::MayShrink)));
    let refused = Guest::new(&checked).map(PAGE, &region, Access::Read);
    assert!(matches!(refused, Err(RegionError::MayShrink)));
    // The rest is gone: no crash, for the guest or the host.
    let mut file = writing();
    file.set_len(0x1000).expect("a file of ours");
    file.seek(SeekFrom::Start(0)).expect("a file");
    for name in LOADS {
        assert_eq!(
            trap(guest.load(name, PAGE + 0x1000)),
            Some(Trap::MemoryOutOfBounds),
            "{name}"
        );
    }
    for name in STORES {
        let result = guest.store(name, PAGE + 0x1000, 1);
        assert_eq!(trap(result), Some(Trap::MemoryOutOfBounds), "{name}");
    }
    let at = PAGE as usize + 0x1000;
    let mut buffer = [0; 8];
    assert_eq!(
        guest.memory.read(&guest.store, at, &mut buffer),
        Err(MemoryAccessError::OutOfBounds)
    );
    assert_eq!(
        guest.memory.write(&mut guest.store, at, &buffer),
        Err(MemoryAccessError::OutOfBounds)
    );
    assert!(region.read(0x1000, &mut buffer).is_err() && region.write(0x1000, &buffer).is_err());
    assert_eq!(file.metadata().expect("a file").len(), 0x1000, "nobody made it longer");
    assert_eq!(guest.load("i32.load8_u", PAGE).expect("still there"), 5);
    std::fs::remove_file(&path).expect("a file of ours");
}

#[test]
fn what_is_no_file_is_no_region() {
    let directory = std::fs::File::open(std::env::temp_dir()).expect("it is there");
    assert!(matches!(Region::adopt(directory), Err(RegionError::NotAFile)));
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    assert!(matches!(Region::adopt(reader), Err(RegionError::NotAFile)));
    let null = std::fs::File::open("/dev/zero").expect("it is there");
    assert!(matches!(Region::adopt(null), Err(RegionError::NotAFile)));
    // Writes to it would all go to its end.
    let path = std::env::temp_dir().join(format!("orcavm-appended-{}", std::process::id()));
    std::fs::write(&path, [0; 0x1000]).expect("room");
    let appended = std::fs::File::options().read(true).append(true).open(&path);
    assert!(matches!(
        Region::adopt(appended.expect("it is there")),
        Err(RegionError::NotAFile)
    ));
    std::fs::remove_file(&path).expect("a file of ours");
}

#[test]
fn a_descriptor_of_a_read_only_region_does_not_write() {
    let region = Region::new(0x1000).expect("memory");
    let other = Region::adopt(region.to_fd().expect("one more")).expect("a region");
    assert!(other.is_same(&region));
    other.write(5, &[1]).expect("writable");
    let reader = Region::adopt(region.read_only().to_fd().expect("one more")).expect("a region");
    assert_eq!(reader.access(), Access::Read);
    assert!(reader.is_same(&region) && reader.write(5, &[2]).is_err());
    assert_eq!(reader.view().expect("it cannot shrink").load(5), Some(1));
    let mut guest = Guest::new(&Engine::default());
    assert!(matches!(
        guest.map(0, &reader, Access::ReadWrite),
        Err(RegionError::ReadOnly)
    ));
}

#[test]
fn pieces_of_mappings_are_limited_too() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("address space");
        let region = Region::new(0x1000 * 8194).expect("memory");
        let (start, page) = (0x1000_0000, 0x1000);
        let map = |store: &mut Store<()>| {
            memory
                .map(store, start, &region, 0..region.size(), Access::ReadWrite)
                .expect("nothing is there");
        };
        map(&mut store);
        let odd = |i: u64| start + (2 * i + 1) * page..start + (2 * i + 2) * page;
        for i in 0..4095 {
            memory.unmap(&mut store, odd(i)).expect("4,096 pieces at most");
        }
        assert_eq!(memory.mapping_count(&store), 4096);
        let one_more = memory.unmap(&mut store, odd(4095));
        assert!(matches!(one_more, Err(RegionError::TooMany { limit: 4096 })));
        memory
            .check(&store, odd(4095).start as usize, 1, Access::ReadWrite)
            .expect("nothing has changed");
        assert!(memory.check(&store, odd(4094).start as usize, 1, Access::Read).is_err());
        // What makes no more pieces can go.
        memory.unmap(&mut store, start..start + page).expect("it is mapped");
        memory.unmap(&mut store, odd(4095)).expect("4,096 pieces again");
        let rest = memory.mappings(&store);
        for mapping in rest {
            memory
                .unmap(&mut store, mapping.address..mapping.address + mapping.len)
                .expect("it is mapped");
        }
        map(&mut store);
        for i in 0..2047 {
            memory.protect(&mut store, odd(i), Access::Read).expect("4,095 pieces");
        }
        let one_more = memory.protect(&mut store, odd(2047), Access::Read);
        assert!(matches!(one_more, Err(RegionError::TooMany { limit: 4096 })));
        memory
            .write(&mut store, odd(2047).start as usize, &[1])
            .expect("nothing has changed");
    }
}
