//! Memories with pages of one byte, which end where no page of the host does.

use vm::{
    Access, Error, Extern, Instance, LimitError, Memory, MemoryType, Module, Region, RegionError, Store,
    StoreLimitsBuilder, Trap,
};

use crate::common::engines;

const FUNCTIONS: &str = r#"
    (data $d "0123456789")
    (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "load64") (param i32) (result i32) (i32.wrap_i64 (i64.load (local.get 0))))
    (func (export "load64 offset") (param i32) (result i32) (i32.wrap_i64 (i64.load offset=7 (local.get 0))))
    (func (export "store8") (param i32) (i32.store8 (local.get 0) (i32.const 255)))
    (func (export "store64") (param i32) (i64.store (local.get 0) (i64.const -1)))
    (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 255) (i32.const 5)))
    (func (export "copy") (param i32) (memory.copy (local.get 0) (i32.const 0) (i32.const 70)))
    (func (export "init") (param i32) (memory.init $d (local.get 0) (i32.const 0) (i32.const 10)))
    (func (export "size") (result i32) (memory.size))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))"#;

/// Instances of the functions with a memory of one-byte pages.
fn instances(limits: &str) -> impl Iterator<Item = (Store<()>, Instance, Memory)> {
    let text = format!(r#"(module (memory (export "m") {limits} (pagesize 1)) {FUNCTIONS})"#);
    engines().into_iter().map(move |engine| {
        let module = Module::new(&engine, &text).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        let memory = instance.get_memory(&mut store, "m").expect("exported");
        (store, instance, memory)
    })
}

/// Calls a function with an address; false if that is out of bounds.
fn reaches(store: &mut Store<()>, instance: Instance, name: &str, at: u32) -> bool {
    let at = at.cast_signed();
    let done = match instance.get_typed_func::<i32, i32>(&mut *store, name) {
        Ok(f) => f.call(store, at).map(|_| ()),
        Err(_) => instance
            .get_typed_func::<i32, ()>(&mut *store, name)
            .expect("exported")
            .call(store, at),
    };
    let trapped = |error: Error| assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds), "{error}");
    done.map_err(trapped).is_ok()
}

fn grow(store: &mut Store<()>, instance: Instance, by: u32) -> i32 {
    let grow = instance
        .get_typed_func::<i32, i32>(&mut *store, "grow")
        .expect("exported");
    grow.call(store, by.cast_signed()).expect("no trap")
}

#[test]
fn accesses_end_at_the_last_byte() {
    for size in [0_u32, 1, 69, 70, 4095, 4096, 4097, 5000, 65535, 65537] {
        for (mut store, instance, memory) in instances(&size.to_string()) {
            assert_eq!(
                (memory.size(&store), memory.data_size(&store)),
                (size.into(), size as usize)
            );
            assert_eq!(memory.page_size(&store), 1);
            for (name, width) in [
                ("load8", 1),
                ("load64", 8),
                ("load64 offset", 15),
                ("store8", 1),
                ("store64", 8),
                ("fill", 5),
                ("copy", 70),
                ("init", 10),
            ] {
                for at in [
                    0,
                    1,
                    size.wrapping_sub(width),
                    size.wrapping_sub(width).wrapping_add(1),
                    size,
                    u32::MAX,
                ] {
                    let inside = u64::from(at) + u64::from(width) <= u64::from(size);
                    assert_eq!(
                        reaches(&mut store, instance, name, at),
                        inside,
                        "{name} at {at} of {size}"
                    );
                }
            }
            assert_eq!(memory.data(&store).len(), size as usize);
            assert!(memory.write(&mut store, size as usize, &[1]).is_err());
            assert!(memory.write(&mut store, size as usize, &[]).is_ok());
        }
    }
}

#[test]
fn growth_is_by_bytes_and_gives_zeros() {
    for (mut store, instance, memory) in instances("10 70000") {
        assert_eq!(grow(&mut store, instance, 0), 10);
        assert_eq!(grow(&mut store, instance, 90), 10);
        assert!(memory.data(&store).iter().all(|byte| *byte == 0));
        memory.data_mut(&mut store).fill(9);
        assert_eq!(grow(&mut store, instance, 5000), 100);
        assert_eq!(
            memory.data(&store)[99..5100]
                .iter()
                .map(|byte| u32::from(*byte))
                .sum::<u32>(),
            9
        );
        assert!(reaches(&mut store, instance, "load64", 5092));
        assert!(!reaches(&mut store, instance, "load64", 5093));
        assert_eq!(grow(&mut store, instance, 70000 - 5100 + 1), -1);
        assert_eq!(grow(&mut store, instance, 70000 - 5100), 5100);
        assert_eq!(grow(&mut store, instance, 1), -1);
        assert_eq!(memory.grow(&mut store, 0).expect("no growth"), 70000);
    }
}

/// 2^32 pages would be more than `memory.size` can say.
#[test]
fn sizes_end_below_what_they_can_say() {
    for (mut store, instance, memory) in instances("0") {
        assert_eq!(grow(&mut store, instance, u32::MAX), 0);
        assert_eq!(memory.size(&store), u64::from(u32::MAX));
        assert_eq!(grow(&mut store, instance, 1), -1);
        assert!(matches!(
            memory.grow(&mut store, 1),
            Err(Error::Limit(LimitError::MemoryUnavailable { .. }))
        ));
        assert!(reaches(&mut store, instance, "load8", u32::MAX - 1));
        assert!(!reaches(&mut store, instance, "load8", u32::MAX));
        let size = instance
            .get_typed_func::<(), i32>(&mut store, "size")
            .expect("exported");
        assert_eq!(size.call(&mut store, ()).expect("no trap"), -1);
    }
    let all = MemoryType::builder()
        .page_size_log2(0)
        .memory64(true)
        .min(u64::MAX)
        .build()
        .expect("valid");
    let [engine, _] = engines();
    let mut store = Store::new(&engine, ());
    let error = Memory::new(&mut store, all).expect_err("more than there is");
    assert!(matches!(error, Error::Limit(_)), "{error}");
    let module = Module::new(&engine, "(module (memory i64 0xffffffffffffffff (pagesize 1)))").expect("valid");
    assert!(Instance::new(&mut store, &module, &[]).is_err());
}

/// What a guest wrote behind the end that a memory is to have again, on the same
/// page of the host, is not there when it grows again.
#[test]
fn restored_memories_grow_by_zeros() {
    for (mut store, instance, memory) in instances("100") {
        memory.data_mut(&mut store).fill(3);
        let snapshot = instance.snapshot(&mut store).expect("no references");
        for _ in 0..2 {
            assert_eq!(grow(&mut store, instance, 20000), 100);
            memory.data_mut(&mut store).fill(7);
            instance.restore(&mut store, &snapshot).expect("as it was");
            assert_eq!(memory.data(&store), [3; 100]);
            assert!(!reaches(&mut store, instance, "load8", 100));
            assert_eq!(grow(&mut store, instance, 5000), 100);
            assert_eq!(memory.data(&store)[..100], [3; 100]);
            assert!(memory.data(&store)[100..].iter().all(|byte| *byte == 0));
            instance.restore(&mut store, &snapshot).expect("as it was");
        }
        if let Ok(fork) = instance.fork(&mut store) {
            let copy = fork.get_memory(&mut store, "m").expect("exported");
            assert_eq!(copy.data(&store), [3; 100]);
            assert_eq!(copy.grow(&mut store, 50).expect("room"), 100);
            assert!(copy.data(&store)[100..].iter().all(|byte| *byte == 0));
        }
    }
}

/// Data that is worth an image, in a memory whose last page it ends on, or not.
#[test]
fn images_of_data_end_where_the_memory_does() {
    let data = "x".repeat(20000);
    for size in [20001_usize, 20480, 30000] {
        for engine in engines() {
            let text = format!(
                r#"(module (memory (export "m") {size} (pagesize 1)) (data (i32.const 1) "{data}")
                  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
            );
            let module = Module::new(&engine, text).expect("valid");
            let mut store = Store::new(&engine, ());
            for _ in 0..3 {
                let instance = Instance::new(&mut store, &module, &[]).expect("it fits");
                let memory = instance.get_memory(&mut store, "m").expect("exported");
                let mut expected = vec![0; size];
                expected[1..20001].fill(b'x');
                assert!(memory.data(&store) == expected, "{size}");
                assert!(!reaches(
                    &mut store,
                    instance,
                    "load8",
                    u32::try_from(size).expect("small")
                ));
            }
        }
    }
}

#[test]
fn regions_are_mapped_at_pages_of_the_host() {
    for (mut store, instance, memory) in instances("100") {
        memory.data_mut(&mut store).fill(3);
        let region = Region::new(8192).expect("memory");
        let refused = memory.map(&mut store, 100, &region, 0..8192, Access::ReadWrite);
        assert!(matches!(refused, Err(RegionError::Misaligned { .. })), "{refused:?}");
        memory
            .map(&mut store, 4096, &region, 0..8192, Access::ReadWrite)
            .expect("behind the end");
        assert!(reaches(&mut store, instance, "store64", 4096 + 8184));
        assert!(!reaches(&mut store, instance, "store64", 4096 + 8185));
        assert!(!reaches(&mut store, instance, "load64", 4090));
        assert!(!reaches(&mut store, instance, "load8", 100));
        // Up to the mapping, and not onto it.
        assert_eq!(grow(&mut store, instance, 3997), -1);
        assert_eq!(grow(&mut store, instance, 3996), 100);
        assert!(reaches(&mut store, instance, "load64", 4090));
        memory.unmap(&mut store, 4096..4096 + 8192).expect("mapped");
        assert!(!reaches(&mut store, instance, "load8", 4096));
        // Over the memory's end: its bytes there are the region's.
        memory.map(&mut store, 0, &region, 0..4096, Access::Read).expect("room");
        let load = instance
            .get_typed_func::<i32, i32>(&mut store, "load8")
            .expect("exported");
        assert_eq!(load.call(&mut store, 50).expect("mapped"), 0);
        memory.unmap(&mut store, 0..4096).expect("mapped");
        assert_eq!(memory.data(&store), [0; 4096]);
    }
}

#[test]
fn imports_agree_in_the_size_of_pages() {
    let [engine, _] = engines();
    let mut store = Store::new(&engine, ());
    let bytes = MemoryType::builder()
        .page_size_log2(0)
        .min(1 << 16)
        .build()
        .expect("valid");
    let bytes = Memory::new(&mut store, bytes).expect("64 KiB");
    let pages = Memory::new(&mut store, MemoryType::new(1, None)).expect("64 KiB");
    let wants_bytes = Module::new(&engine, r#"(module (import "" "" (memory 1 (pagesize 1))))"#).expect("valid");
    let wants_pages = Module::new(&engine, r#"(module (import "" "" (memory 1)))"#).expect("valid");
    for (module, memory, fits) in [
        (&wants_bytes, bytes, true),
        (&wants_pages, pages, true),
        (&wants_bytes, pages, false),
        (&wants_pages, bytes, false),
    ] {
        let made = Instance::new(&mut store, module, &[Extern::from(memory)]);
        assert_eq!(made.is_ok(), fits, "{made:?}");
    }
}

#[test]
fn limiters_count_bytes() {
    let [engine, _] = engines();
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().memory_size(1000).build());
    store.limiter(|limits| limits);
    let ty = MemoryType::builder().page_size_log2(0).min(999).build().expect("valid");
    let memory = Memory::new(&mut store, ty).expect("within the limit");
    assert_eq!(memory.grow(&mut store, 1).expect("the limit"), 999);
    assert!(memory.grow(&mut store, 1).is_err());
}
