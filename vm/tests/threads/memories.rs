//! One memory for several stores.

use std::thread;

use vm::{
    Access, Domain, Engine, Error, Extern, Instance, LimitError, Linker, Memory, MemoryType, Module, Permissions,
    Region, RegionError, SharedMemory, SnapshotError, Store, Trap, TypeError,
};

use super::common::engines;
use super::{instance, shared};

const MODULE: &str = r#"(module
    (import "env" "memory" (memory 1 10 shared))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (result i32) (memory.size))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (param i32 i32 i32) (memory.init 0 (local.get 0) (local.get 1) (local.get 2)))
    (data "orca"))"#;

#[test]
fn stores_see_what_others_write_and_grow() -> Result<(), Error> {
    for engine in engines() {
        let module = Module::new(&engine, MODULE)?;
        let memory = shared(&engine, 1, 10);
        let (mut a, first) = instance(&engine, &module, &memory);
        let (mut b, second) = instance(&engine, &module, &memory);
        let bases = [
            memory.to_memory(&mut a)?.data_ptr(&a),
            memory.to_memory(&mut b)?.data_ptr(&b),
        ];
        assert_eq!(bases[0], bases[1]);
        let store = first.get_typed_func::<(i32, i32), ()>(&mut a, "store")?;
        let load = second.get_typed_func::<i32, i32>(&mut b, "load")?;
        store.call(&mut a, (100, 7))?;
        assert_eq!(load.call(&mut b, 100)?, 7);

        let trap = load.call(&mut b, 0x1_0000).expect_err("one page").trap();
        assert_eq!(trap, Some(Trap::MemoryOutOfBounds));
        let grow = first.get_typed_func::<i32, i32>(&mut a, "grow")?;
        assert_eq!(grow.call(&mut a, 2)?, 1);
        store.call(&mut a, (0x2_ffff, 9))?;
        assert_eq!(load.call(&mut b, 0x2_ffff)?, 9);
        let size = second.get_typed_func::<(), i32>(&mut b, "size")?;
        assert_eq!(
            (size.call(&mut b, ())?, memory.size(), memory.data_size()),
            (3, 3, 0x3_0000)
        );
        assert_eq!(grow.call(&mut a, 8)?, -1);
        assert_eq!(memory.grow(7)?, 3);
        assert!(memory.grow(1).is_err());
        assert_eq!(size.call(&mut b, ())?, 10);
        assert_eq!(load.call(&mut b, 0x9_ffff)?, 0);
        assert!(load.call(&mut b, 0xa_0000).is_err());
    }
    Ok(())
}

#[test]
fn bytes_are_copied_never_borrowed() -> Result<(), Error> {
    for engine in engines() {
        let module = Module::new(&engine, MODULE)?;
        let memory = shared(&engine, 1, 10);
        let (mut store, instance) = instance(&engine, &module, &memory);
        let handle = memory.to_memory(&mut store)?;
        assert_eq!(handle, memory.to_memory(&mut store)?);
        assert!(handle.data(&store).is_empty() && handle.data_mut(&mut store).is_empty());
        handle.write(&mut store, 0xfff0, b"0123456789abcdef")?;
        assert!(handle.write(&mut store, 0xfff1, b"0123456789abcdef").is_err());
        let mut seen = [0; 16];
        memory.read(0xfff0, &mut seen)?;
        assert_eq!(&seen, b"0123456789abcdef");
        assert!(memory.read(0xfff1, &mut seen).is_err());
        memory.fill(0xfff0, b'x', 4)?;
        memory.write(0xfff4, b"yy")?;
        handle.read(&store, 0xfff0, &mut seen)?;
        assert_eq!(&seen, b"xxxxyy6789abcdef");

        let fill = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "fill")?;
        let copy = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "copy")?;
        let init = instance.get_typed_func::<(i32, i32, i32), ()>(&mut store, "init")?;
        for len in [3, 40, 1000, 40_000] {
            fill.call(&mut store, (0, 1, len + 8))?;
            init.call(&mut store, (2, 0, 4))?;
            // Upwards and downwards over themselves.
            copy.call(&mut store, (5, 0, len))?;
            copy.call(&mut store, (1, 5, len))?;
            let mut model = vec![1; len as usize + 8];
            model[2..6].copy_from_slice(b"orca");
            model.copy_within(0..len as usize, 5);
            model.copy_within(5..5 + len as usize, 1);
            let mut seen = vec![0; model.len()];
            memory.read(0, &mut seen)?;
            assert_eq!(seen, model, "{len}");
        }
        for (at, len) in [(0xffff_i32, 2), (0x1_0000, 1), (-1, 1)] {
            assert!(fill.call(&mut store, (at, 0, len)).is_err());
            assert!(copy.call(&mut store, (at, 0, len)).is_err());
            assert!(copy.call(&mut store, (0, at, len)).is_err());
        }
        copy.call(&mut store, (0x1_0000, 0x1_0000, 0))?;
    }
    Ok(())
}

/// Exports of a shared memory can be had by other stores, and importing asks for
/// the same kind.
#[test]
fn modules_that_define_one_share_it() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let owner = Module::new(
        &engine,
        r#"(module (memory (export "memory") 1 10 shared) (data (i32.const 8) "orca"))"#,
    )?;
    let owner = Instance::new(&mut store, &owner, &[])?;
    let exported = owner.get_memory(&mut store, "memory").expect("it is exported");
    assert!(exported.ty(&store).is_shared());
    let memory = exported.to_shared(&store).expect("it is shared");
    assert!(memory.is_same(&exported.to_shared(&store).expect("it is shared")));
    let module = Module::new(&engine, MODULE)?;
    let (mut other, user) = instance(&engine, &module, &memory);
    drop(store);
    let load = user.get_typed_func::<i32, i32>(&mut other, "load")?;
    assert_eq!(load.call(&mut other, 9)?, i32::from(b'r'));

    let plain = Memory::new(&mut other, MemoryType::new(1, Some(10)))?;
    assert!(plain.to_shared(&other).is_none());
    let error = Instance::new(&mut other, &module, &[plain.into()]).expect_err("another kind");
    assert!(matches!(error, Error::Link(_)), "{error}");
    let wants_plain = Module::new(&engine, r#"(module (import "" "" (memory 1 10)))"#)?;
    let given: Extern = memory.to_memory(&mut other)?.into();
    let error = Instance::new(&mut other, &wants_plain, &[given]).expect_err("another kind");
    assert!(error.to_string().contains("(memory 1 10 shared)"), "{error}");
    let error = SharedMemory::new(&engine, MemoryType::new(1, Some(2))).expect_err("no shared type");
    assert!(matches!(error, Error::Type(TypeError::InvalidMemory { .. })));
    Ok(())
}

#[test]
fn what_cannot_be_shared_is_refused() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, r#"(module (memory (export "memory") 1 2 shared))"#)?;
    let owner = Instance::new(&mut store, &module, &[])?;
    let error = owner.snapshot(&store).expect_err("others may be writing");
    assert!(matches!(error, Error::Snapshot(SnapshotError::SharedMemory)), "{error}");
    let memory = owner.get_memory(&mut store, "memory").expect("it is exported");
    let region = Region::new(0x1_0000)?;
    let error = memory.map(&mut store, 0, &region, 0..0x1_0000, Access::ReadWrite);
    assert!(matches!(error, Err(RegionError::Unsupported { .. })), "{error:?}");
    assert_eq!(memory.mapping_count(&store), 0);
    Ok(())
}

/// Whoever makes it grow, it counts as that of the domain it was made in.
#[test]
fn quotas_count_it_once() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let domain = Domain::new("main", Permissions::all().limit_memory(3 << 16));
    store.set_domain(domain.clone())?;
    let owner = Module::new(&engine, r#"(module (memory (export "memory") 1 10 shared))"#)?;
    let owner = Instance::new(&mut store, &owner, &[])?;
    let memory = owner.get_memory(&mut store, "memory").expect("it is exported");
    let memory = memory.to_shared(&store).expect("it is shared");
    assert_eq!(domain.memory_used(), 1 << 16);
    let (mut other, user) = instance(&engine, &Module::new(&engine, MODULE)?, &memory);
    let grow = user.get_typed_func::<i32, i32>(&mut other, "grow")?;
    assert_eq!(grow.call(&mut other, 3)?, -1);
    assert_eq!(grow.call(&mut other, 2)?, 1);
    assert_eq!((domain.memory_used(), memory.size()), (3 << 16, 3));
    drop((store, other));
    assert_eq!(domain.memory_used(), 3 << 16);
    drop(memory);
    assert_eq!(domain.memory_used(), 0);
    Ok(())
}

/// A store may have so many memories, shared or not.
#[test]
fn they_count_among_a_stores_memories() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, vm::StoreLimitsBuilder::new().memories(1).build());
    store.limiter(|limits| limits);
    let [one, two] = [(); 2].map(|()| shared(&engine, 1, 1));
    one.to_memory(&mut store)?;
    one.to_memory(&mut store)?;
    let error = two.to_memory(&mut store).expect_err("there is one");
    assert!(matches!(error, Error::Limit(LimitError::TooMany { .. })), "{error}");
    Ok(())
}

/// What `memory.size` says can be accessed, while others make it grow.
#[test]
fn growth_is_raced_with_accesses() -> Result<(), Error> {
    const PAGES: u32 = 400;
    let text = format!(
        r#"(module
            (import "env" "memory" (memory 1 {PAGES} shared))
            (func (export "grow") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
            (func (export "touch") (result i32)
                (local $last i32)
                (loop
                    (local.set $last (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)))
                    (drop (i32.atomic.rmw.add (local.get $last) (i32.const 1)))
                    (i32.store (local.get $last) (i32.load (local.get $last)))
                    (memory.fill (local.get $last) (i32.const 1) (i32.const 4))
                    (br_if 0 (i32.ne (memory.size) (i32.const {PAGES}))))
                (i32.load (local.get $last))))"#
    );
    for engine in engines() {
        let module = Module::new(&engine, &text)?;
        let memory = shared(&engine, 1, PAGES.into());
        thread::scope(|scope| {
            for name in ["touch", "grow", "touch", "grow"] {
                let (mut store, instance) = instance(&engine, &module, &memory);
                scope.spawn(move || {
                    let func = instance.get_func(&mut store, name).expect("it is exported");
                    let mut results = vec![vm::Val::I32(0); func.ty(&store).results().len()];
                    func.call(&mut store, &[], &mut results).expect("all is inside");
                });
            }
        });
        assert_eq!(memory.size(), PAGES.into());
    }
    Ok(())
}

/// A host function copies what a guest on another thread is writing.
#[test]
fn hosts_access_what_guests_write() -> Result<(), Error> {
    let engine = Engine::default();
    let mut linker: Linker<Option<Memory>> = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "look",
        |caller: vm::Caller<'_, Option<Memory>>, at: u32| -> u32 {
            let mut bytes = [0; 4096];
            let memory = caller.data().expect("set before");
            memory.read(&caller, at as usize, &mut bytes).expect("inside");
            bytes[0].into()
        },
    )?;
    let module = Module::new(
        &engine,
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (import "host" "look" (func $look (param i32) (result i32)))
            (func (export "write") (local $i i32)
                (loop
                    (memory.fill (i32.const 4096) (local.get $i) (i32.const 4096))
                    (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000)))))
            (func (export "look") (result i32) (local $i i32) (local $seen i32)
                (loop
                    (local.set $seen (i32.add (local.get $seen) (call $look (i32.const 4096))))
                    (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5000))))
                (local.get $seen)))"#,
    )?;
    let memory = shared(&engine, 1, 1);
    let linker = &linker;
    let results = thread::scope(|scope| {
        let run = |name: &'static str| {
            let (engine, module, memory) = (&engine, &module, &memory);
            scope.spawn(move || -> Result<(), Error> {
                let mut store = Store::new(engine, None);
                let handle = memory.to_memory(&mut store)?;
                *store.data_mut() = Some(handle);
                let mut linker = linker.clone();
                linker.define(&store, "env", "memory", handle)?;
                let instance = linker.instantiate(&mut store, module)?;
                let func = instance.get_func(&mut store, name).expect("it is exported");
                let mut results = vec![vm::Val::I32(0); func.ty(&store).results().len()];
                func.call(&mut store, &[], &mut results)
            })
        };
        ["write", "look"]
            .map(run)
            .map(|thread| thread.join().expect("no panic"))
    });
    results.into_iter().collect()
}
