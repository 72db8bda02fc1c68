//! Snapshots, restored instances and forks: what is in a state, what clones have
//! of their own, and what it costs. One test at a time: some look at the memory
//! of the process.

mod costs;
mod refusals;

use std::fmt::Write as _;

use vm::{
    Access, Caller, Engine, Error, Extern, Func, Global, GlobalType, Instance, Memory, MemoryType, Module, Mutability,
    Ref, Region, Snapshot, Store, Table, Trap, Val, ValType,
};

use crate::common::{alone, engines};

const PAGE: usize = 0x10000;

/// One of everything that has a state.
const ALL: &str = r#"(module
    (type $number (func (result i32)))
    (memory (export "memory") 2 8)
    (table $table (export "table") 4 20 funcref)
    (global (export "global") (mut i32) (i32.const 1))
    (global (export "wide") (mut f64) (f64.const 1))
    (global (export "chosen") (mut funcref) (ref.func $one))
    (data $bytes "orca")
    (data (i32.const 0x10) "first")
    (elem $funcs func $two $one)
    (elem (table $table) (i32.const 0) func $one)
    (func $one (export "one") (type $number) (i32.const 1))
    (func $two (export "two") (type $number) (i32.const 2))
    (func $at_8 (export "at 8") (type $number) (i32.load (i32.const 8)))
    (func (export "call") (param i32) (result i32) (call_indirect (type $number) (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "size") (param i32) (result i32) (memory.size))
    (func (export "grow table") (param i32) (result i32) (table.grow (ref.func $at_8) (local.get 0)))
    (func (export "set") (param i32) (table.set (local.get 0) (ref.func $at_8)))
    (func (export "data init") (param i32) (memory.init $bytes (local.get 0) (i32.const 0) (i32.const 4)))
    (func (export "data drop") (data.drop $bytes))
    (func (export "elem init") (param i32) (table.init $funcs (local.get 0) (i32.const 0) (i32.const 2)))
    (func (export "elem drop") (elem.drop $funcs)))"#;

/// A store and an instance of [`ALL`].
fn all(engine: &Engine) -> (Store<()>, Instance) {
    let module = Module::new(engine, ALL).expect("valid");
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    (store, instance)
}

/// Calls a function that gives an `i32` for one.
fn get<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str, argument: i32) -> Result<i32, Error> {
    let func = instance
        .get_typed_func::<i32, i32>(&mut *store, name)
        .expect("exported");
    func.call(store, argument)
}

/// Calls a function that gives nothing.
fn run<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str, arguments: &[i32]) -> Result<(), Error> {
    let arguments: Vec<Val> = arguments.iter().map(|argument| Val::I32(*argument)).collect();
    let func = instance.get_func(&mut *store, name).expect("exported");
    func.call(store, &arguments, &mut [])
}

fn memory<T: 'static>(store: &mut Store<T>, instance: Instance) -> Memory {
    instance.get_memory(store, "memory").expect("exported")
}

fn table(store: &mut Store<()>, instance: Instance) -> Table {
    instance.get_table(store, "table").expect("exported")
}

fn global(store: &mut Store<()>, instance: Instance, name: &str) -> Global {
    instance.get_global(store, name).expect("exported")
}

fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251 + seed) as u8).collect()
}

fn trap(result: Result<impl Sized, Error>) -> Option<Trap> {
    result.map(drop).expect_err("it traps").trap()
}

#[test]
fn memories_are_what_they_were() {
    let _alone = alone();
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let memory = memory(&mut store, instance);
        // Pages without a gap, with a small and a large one; zeros at the end.
        let written = [0x1000, 0x2000, 0x6000, 0x1_8000];
        for at in written {
            memory.write(&mut store, at, &pattern(0x900, at)).expect("inside");
        }
        let expected = memory.data(&store).to_vec();
        let snapshot = instance.snapshot(&store).expect("memory");
        for round in 0..4 {
            // The first time it is another file's pages that are there.
            memory.data_mut(&mut store).fill(round);
            assert_ne!(get(&mut store, instance, "grow", 3).expect("no trap"), -1);
            run(&mut store, instance, "store", &[0x4_0000, 7]).expect("inside");
            instance.restore(&mut store, &snapshot).expect("its own");
            assert_eq!(get(&mut store, instance, "size", 0).expect("no trap"), 2);
            assert!(memory.data(&store) == expected, "round {round}");
            for beyond in [0x2_0000, 0x4_0000] {
                let load = get(&mut store, instance, "load", beyond);
                assert_eq!(trap(load), Some(Trap::MemoryOutOfBounds));
                let write = memory.write(&mut store, beyond as usize, &[1]);
                assert!(write.is_err());
            }
            // What grows anew is new.
            assert_eq!(get(&mut store, instance, "grow", 3).expect("no trap"), 2);
            assert_eq!(get(&mut store, instance, "load", 0x4_0000).expect("inside"), 0);
            assert!(memory.data(&store)[2 * PAGE..].iter().all(|byte| *byte == 0));
        }
    }
}

/// States of different sizes in turn: what one has beyond the other's end is
/// given back, not only hidden.
#[test]
fn states_of_several_sizes_follow_each_other() {
    let _alone = alone();
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let memory = memory(&mut store, instance);
        let mut states = Vec::new();
        for step in 1..4 {
            memory.data_mut(&mut store).fill(step);
            states.push((memory.data(&store).to_vec(), instance.snapshot(&store).expect("memory")));
            memory.grow(&mut store, 2).expect("at most 8");
        }
        for chosen in [0, 2, 1, 1, 0, 0, 2, 2] {
            let (bytes, snapshot) = &states[chosen];
            instance.restore(&mut store, snapshot).expect("its own");
            assert!(memory.data(&store) == bytes, "state {chosen}");
            let size = memory.size(&store);
            memory.grow(&mut store, 1).expect("at most 8");
            assert!(
                memory.data(&store)[size as usize * PAGE..]
                    .iter()
                    .all(|byte| *byte == 0)
            );
            memory.data_mut(&mut store).fill(9);
        }
    }
}

#[test]
fn each_memory_has_a_state() {
    let _alone = alone();
    for engine in engines() {
        let text = r#"(module (memory (export "memory") 1) (memory (export "other") 1) (memory (export "empty") 0))"#;
        let module = Module::new(&engine, text).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        let memories = |store: &mut Store<()>, instance: Instance| {
            ["memory", "other", "empty"].map(|name| instance.get_memory(&mut *store, name).expect("exported"))
        };
        let fill = |store: &mut Store<()>, instance: Instance, first: u8| {
            for (memory, byte) in memories(store, instance).into_iter().zip(first..) {
                memory.grow(&mut *store, 1).expect("room");
                memory.data_mut(store).fill(byte);
            }
        };
        fill(&mut store, instance, 1);
        let snapshot = instance.snapshot(&store).expect("memory");
        fill(&mut store, instance, 4);
        let fork = snapshot.instantiate(&mut store).expect("room");
        instance.restore(&mut store, &snapshot).expect("its own");
        for instance in [instance, fork] {
            for ((memory, byte), pages) in memories(&mut store, instance).into_iter().zip(1..).zip([2, 2, 1]) {
                assert!(memory.data(&store) == vec![byte; pages * PAGE]);
            }
        }
    }
}

#[test]
fn globals_tables_and_segments_are_what_they_were() {
    let _alone = alone();
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let snapshot = instance.snapshot(&store).expect("memory");
        let (number, wide, chosen) = (
            global(&mut store, instance, "global"),
            global(&mut store, instance, "wide"),
            global(&mut store, instance, "chosen"),
        );
        let table = table(&mut store, instance);
        let [one, two] = ["one", "two"].map(|name| instance.get_func(&mut store, name));
        for _ in 0..3 {
            number.set(&mut store, Val::I32(5)).expect("an i32");
            wide.set(&mut store, Val::F64(0)).expect("an f64");
            chosen.set(&mut store, Val::FuncRef(two)).expect("a funcref");
            run(&mut store, instance, "elem init", &[2]).expect("inside");
            run(&mut store, instance, "set", &[0]).expect("inside");
            assert_eq!(get(&mut store, instance, "grow table", 9).expect("no trap"), 4);
            assert_eq!(get(&mut store, instance, "call", 12).expect("no trap"), 0);
            run(&mut store, instance, "data drop", &[]).expect("no trap");
            run(&mut store, instance, "elem drop", &[]).expect("no trap");
            assert!(run(&mut store, instance, "data init", &[0]).is_err());
            assert!(run(&mut store, instance, "elem init", &[0]).is_err());

            instance.restore(&mut store, &snapshot).expect("its own");
            assert_eq!(number.get(&store).i32(), Some(1));
            assert_eq!(wide.get(&store).f64(), Some(1.0));
            assert!(matches!(chosen.get(&store), Val::FuncRef(func) if func == one));
            assert_eq!(table.size(&store), 4);
            assert!(matches!(table.get(&store, 0), Some(Ref::Func(func)) if func == one));
            for null in [1, 2, 3] {
                assert!(table.get(&store, null).expect("inside").is_null());
            }
            assert_eq!(
                trap(get(&mut store, instance, "call", 12)),
                Some(Trap::UndefinedElement)
            );
            run(&mut store, instance, "data init", &[0x100]).expect("it is back");
            assert_eq!(
                get(&mut store, instance, "load", 0x100).expect("inside"),
                i32::from(b'o')
            );
            run(&mut store, instance, "elem init", &[1]).expect("it is back");
            assert_eq!(get(&mut store, instance, "call", 1).expect("a function"), 2);
        }
        // A state in which they are dropped.
        run(&mut store, instance, "data drop", &[]).expect("no trap");
        run(&mut store, instance, "elem drop", &[]).expect("no trap");
        let dropped = instance.snapshot(&store).expect("memory");
        for (state, is_there) in [(&snapshot, true), (&dropped, false), (&snapshot, true)] {
            instance.restore(&mut store, state).expect("its own");
            let fork = state.instantiate(&mut store).expect("room");
            for instance in [instance, fork] {
                assert_eq!(run(&mut store, instance, "data init", &[0]).is_ok(), is_there);
                assert_eq!(run(&mut store, instance, "elem init", &[0]).is_ok(), is_there);
            }
        }
    }
}

#[test]
fn forks_have_their_own_of_everything() {
    let _alone = alone();
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let original = memory(&mut store, instance);
        original.write(&mut store, 8, &[10]).expect("inside");
        run(&mut store, instance, "set", &[1]).expect("inside");
        get(&mut store, instance, "grow", 1).expect("no trap");
        original.write(&mut store, 2 * PAGE, &pattern(PAGE, 3)).expect("inside");
        get(&mut store, instance, "grow table", 2).expect("no trap");
        let expected = original.data(&store).to_vec();
        let fork = instance.fork(&mut store).expect("room");
        let copy = memory(&mut store, fork);
        assert!(copy.data(&store) == expected);
        assert_eq!((copy.size(&store), table(&mut store, fork).size(&store)), (3, 6));

        // Calls through the fork's table reach the fork's memory.
        copy.write(&mut store, 8, &[20]).expect("inside");
        for (instance, at_8) in [(instance, 10), (fork, 20)] {
            for element in [1, 4, 5] {
                assert_eq!(get(&mut store, instance, "call", element).expect("a function"), at_8);
            }
        }
        // Its references are to its own functions.
        for name in ["one", "at 8"] {
            assert_ne!(fork.get_func(&mut store, name), instance.get_func(&mut store, name));
        }
        let chosen = global(&mut store, fork, "chosen").get(&store);
        assert!(matches!(chosen, Val::FuncRef(func) if func == fork.get_func(&mut store, "one")));
        let element = table(&mut store, fork).get(&store, 1);
        assert!(matches!(element, Some(Ref::Func(func)) if func == fork.get_func(&mut store, "at 8")));
        run(&mut store, fork, "elem init", &[2]).expect("inside");
        let element = table(&mut store, fork).get(&store, 3);
        assert!(matches!(element, Some(Ref::Func(func)) if func == fork.get_func(&mut store, "one")));

        // Nothing the one does the other sees.
        original.data_mut(&mut store).fill(1);
        get(&mut store, instance, "grow table", 3).expect("no trap");
        global(&mut store, fork, "global")
            .set(&mut store, Val::I32(7))
            .expect("an i32");
        assert_eq!(global(&mut store, instance, "global").get(&store).i32(), Some(1));
        assert_eq!(copy.data(&store)[8], 20);
        assert!(copy.data(&store)[9..] == expected[9..]);
        assert_eq!(get(&mut store, fork, "grow", 1).expect("no trap"), 3);
        assert_eq!(original.size(&store), 3);
        assert_eq!(table(&mut store, fork).size(&store), 6);
    }
}

#[test]
fn imports_are_shared_with_forks() {
    let _alone = alone();
    for engine in engines() {
        let mut store = Store::new(&engine, Vec::new());
        let log = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<i32>>, x: i32| {
            caller.data_mut().push(x)
        });
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("small");
        let variable = GlobalType::new(ValType::I32, Mutability::Var);
        let variable = Global::new(&mut store, variable, Val::I32(0)).expect("an i32");
        let constant = GlobalType::new(ValType::I32, Mutability::Const);
        let constant = Global::new(&mut store, constant, Val::I32(30)).expect("an i32");
        let text = r#"(module
            (import "" "log" (func $log (param i32)))
            (import "" "memory" (memory 1))
            (import "" "variable" (global $variable (mut i32)))
            (import "" "constant" (global $constant i32))
            (memory $own (export "memory") 1)
            (table $table 1 funcref) (elem (i32.const 0) $log)
            (global $started (export "started") (mut i32) (i32.const 0))
            (func $start (global.set $started (i32.add (global.get $started) (i32.const 1))) (call $log (i32.const -1)))
            (start $start)
            (func (export "run")
                (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
                (i32.store8 $own (i32.const 0) (i32.add (i32.load8_u $own (i32.const 0)) (i32.const 1)))
                (global.set $variable (i32.add (global.get $variable) (global.get $constant)))
                (call_indirect (param i32) (i32.load8_u $own (i32.const 0)) (i32.const 0))))"#;
        let module = Module::new(&engine, text).expect("valid");
        let imports: [Extern; 4] = [log.into(), memory.into(), variable.into(), constant.into()];
        let instance = Instance::new(&mut store, &module, &imports).expect("they fit");
        let state = |store: &mut Store<_>, instance: Instance| {
            let own = instance.get_memory(&mut *store, "memory").expect("exported");
            (own.data(store)[0], memory.data(store)[0], variable.get(&*store).i32())
        };
        run(&mut store, instance, "run", &[]).expect("no trap");
        let fork = instance.fork(&mut store).expect("room");
        run(&mut store, fork, "run", &[]).expect("no trap");
        assert_eq!(state(&mut store, fork), (2, 2, Some(60)));
        assert_eq!(state(&mut store, instance), (1, 2, Some(60)));
        // Restoring leaves them alone.
        let snapshot = instance.snapshot(&store).expect("memory");
        run(&mut store, instance, "run", &[]).expect("no trap");
        instance.restore(&mut store, &snapshot).expect("its own");
        assert_eq!(state(&mut store, instance), (1, 3, Some(90)));
        let started = fork.get_global(&mut store, "started").expect("exported");
        assert_eq!(started.get(&store).i32(), Some(1));
        assert_eq!(store.into_data(), [-1, 1, 2, 2], "the start function ran once");
    }
}

#[test]
fn forks_of_forks_and_states_of_others() {
    let _alone = alone();
    for engine in engines() {
        let (mut store, first) = all(&engine);
        run(&mut store, first, "set", &[2]).expect("inside");
        run(&mut store, first, "store", &[8, 1]).expect("inside");
        let second = first.fork(&mut store).expect("room");
        run(&mut store, second, "store", &[8, 2]).expect("inside");
        run(&mut store, second, "store", &[0x9000, 2]).expect("inside");
        let third = second.fork(&mut store).expect("room");
        run(&mut store, third, "store", &[8, 3]).expect("inside");
        let instances = [first, second, third];
        for (instance, (at_8, at_9000)) in instances.into_iter().zip([(1, 0), (2, 2), (3, 2)]) {
            assert_eq!(get(&mut store, instance, "call", 2).expect("a function"), at_8);
            assert_eq!(get(&mut store, instance, "load", 0x9000).expect("inside"), at_9000);
        }
        // An instance may have another's state; references are its own's then.
        let snapshot = second.snapshot(&store).expect("memory");
        for (i, instance) in instances.into_iter().enumerate() {
            for _ in 0..2 {
                instance.restore(&mut store, &snapshot).expect("the same module");
                assert_eq!(get(&mut store, instance, "call", 2).expect("a function"), 2);
                run(&mut store, instance, "store", &[8, 40 + i as i32]).expect("inside");
                assert_eq!(get(&mut store, instance, "call", 2).expect("a function"), 40 + i as i32);
            }
        }
    }
}

#[test]
fn instances_that_share_first_contents_are_restored_and_forked() {
    let _alone = alone();
    for engine in engines() {
        let bytes = pattern(PAGE, 1);
        let mut text = String::new();
        bytes
            .iter()
            .for_each(|byte| write!(text, "\\{byte:02x}").expect("a string"));
        let text = format!(r#"(module (memory (export "memory") 2) (data (i32.const 0) "{text}"))"#);
        let module = Module::new(&engine, text).expect("valid");
        let mut store = Store::new(&engine, ());
        // From the second one on they are of an image.
        let instances: Vec<_> = (0..3)
            .map(|_| Instance::new(&mut store, &module, &[]).expect("it fits"))
            .collect();
        for instance in instances {
            let fresh = instance.snapshot(&store).expect("memory");
            let own = memory(&mut store, instance);
            own.write(&mut store, 0x5000, &[0xff; 0x100]).expect("inside");
            own.write(&mut store, 0x1_5000, &[0xff; 0x100]).expect("inside");
            let later = instance.snapshot(&store).expect("memory");
            let expected = own.data(&store).to_vec();
            for _ in 0..2 {
                own.data_mut(&mut store).fill(3);
                instance.restore(&mut store, &fresh).expect("its own");
                assert!(own.data(&store)[..PAGE] == bytes);
                assert!(own.data(&store)[PAGE..].iter().all(|byte| *byte == 0));
                let fork = fresh.instantiate(&mut store).expect("room");
                let copy = memory(&mut store, fork);
                assert!(copy.data(&store)[..PAGE] == bytes);
                fork.restore(&mut store, &later).expect("the same module");
                assert!(copy.data(&store) == expected);
                instance.restore(&mut store, &later).expect("its own");
                assert!(own.data(&store) == expected);
            }
        }
    }
}

#[test]
fn regions_are_mapped_where_they_were() {
    let _alone = alone();
    let pages = |from: u64, count: u64| from * 0x1000..(from + count) * 0x1000;
    for engine in engines() {
        let (mut store, instance) = all(&engine);
        let own = memory(&mut store, instance);
        let [inner, island, other] = [(); 3].map(|()| Region::new(0x4000).expect("memory"));
        own.data_mut(&mut store).fill(1);
        own.map(&mut store, 0x3000, &inner, pages(0, 4), Access::ReadWrite)
            .expect("free");
        own.map(&mut store, 0x4_0000, &island, pages(1, 2), Access::Read)
            .expect("free");
        let expected = own.mappings(&store);
        let snapshot = instance.snapshot(&store).expect("memory");
        let check = |store: &mut Store<()>, memory: Memory| {
            assert_eq!(memory.mappings(&*store), expected);
            let mut bytes = vec![0; 2 * PAGE];
            memory.read(&*store, 0, &mut bytes).expect("inside");
            assert!(bytes[..0x3000].iter().chain(&bytes[0x7000..]).all(|byte| *byte == 1));
            inner.write(0x10, &[77]).expect("inside");
            let mut byte = [0];
            memory.read(&*store, 0x3010, &mut byte).expect("mapped");
            assert_eq!(byte, [77], "regions are shared, not copied");
            island.write(0x1004, &[78]).expect("inside");
            memory.read(&*store, 0x4_0004, &mut byte).expect("mapped");
            assert_eq!(byte, [78]);
            assert!(memory.write(&mut *store, 0x4_0004, &[1]).is_err());
            assert!(memory.read(&*store, 0x2_0000, &mut byte).is_err());
        };
        let changes: [fn(&mut Store<()>, Memory, &Region); 7] = [
            |_, _, _| (),
            |store, memory, _| memory.unmap(store, 0x3000..0x7000).expect("mapped"),
            |store, memory, _| memory.unmap(store, 0x4000..0x5000).expect("mapped"),
            |store, memory, _| memory.protect(store, 0x3000..0x4000, Access::Read).expect("mapped"),
            |store, memory, other| {
                memory
                    .map(&mut *store, 0x8000, other, 0..0x2000, Access::ReadWrite)
                    .expect("free");
                memory
                    .map(&mut *store, 0x5_0000, other, 0..0x2000, Access::Read)
                    .expect("free");
            },
            // Up to the island, in front of which there is no room for more.
            |store, memory, _| {
                memory.grow(&mut *store, 2).expect("free");
                memory.grow(store, 1).expect_err("not onto the island");
            },
            // Where the island was there are own pages, and then again the island.
            |store, memory, other| {
                memory.unmap(&mut *store, 0x4_0000..0x4_2000).expect("mapped");
                memory.grow(&mut *store, 4).expect("free");
                memory
                    .map(&mut *store, 0x4_1000, other, 0..0x1000, Access::Read)
                    .expect("free");
            },
        ];
        for change in changes {
            for _ in 0..2 {
                change(&mut store, own, &other);
                instance.restore(&mut store, &snapshot).expect("its own");
                check(&mut store, own);
            }
        }
        let fork = snapshot.instantiate(&mut store).expect("room");
        let copy = memory(&mut store, fork);
        check(&mut store, copy);
        copy.write(&mut store, 0x3000, &[5]).expect("mapped");
        let mut byte = [0];
        own.read(&store, 0x3000, &mut byte).expect("mapped");
        assert_eq!(byte, [5]);
        // A snapshot keeps regions alive.
        own.unmap(&mut store, 0x4_0000..0x4_2000).expect("mapped");
        copy.unmap(&mut store, 0x4_0000..0x4_2000).expect("mapped");
        island.write(0x1004, &[79]).expect("inside");
        drop(island);
        instance.restore(&mut store, &snapshot).expect("its own");
        own.read(&store, 0x4_0004, &mut byte).expect("mapped");
        assert_eq!(byte, [79]);
    }
}

#[test]
fn a_snapshot_outlives_what_it_is_of() {
    let _alone = alone();
    fn is_shared<S: Send + Sync + Clone>(_: &S) {}
    let engine = Engine::default();
    let (mut store, instance) = all(&engine);
    memory(&mut store, instance).data_mut(&mut store).fill(1);
    let snapshot = instance.snapshot(&store).expect("memory");
    is_shared(&snapshot);
    let clone: Snapshot = snapshot.clone();
    drop(snapshot);
    drop(store);
    let elsewhere = std::thread::spawn(move || clone.module().exports().len());
    assert_eq!(elsewhere.join().expect("no panic"), ALL.matches("(export ").count());
    // A file's pages are there as long as a memory has them.
    let (mut store, instance) = all(&engine);
    memory(&mut store, instance).data_mut(&mut store).fill(2);
    let fork = instance.fork(&mut store).expect("room");
    assert!(memory(&mut store, fork).data(&store).iter().all(|byte| *byte == 2));
}
