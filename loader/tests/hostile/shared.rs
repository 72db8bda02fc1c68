//! What guests and the linker share: the memory, the table, the store.

use orcavm_loader::{Found, LoadError, OpenFlags, Session};
use vm::{Linker, Module, Ref, Store};

use crate::world::{GLOBAL, LAZY, NOW, World, module};

const HEAD: &str = "(mem-info (memory 65536 4) (table 2 1))";
const LIB: &str = r#"
    (func $f (export "f") (result i32) (i32.const 5))
    (func $g (export "g") (result i32) (i32.load (global.get $base)))
    (global (export "data") i32 (i32.const 0))
    (data (global.get $base) "\2a")
    (elem (global.get $table) $f $g)"#;
const LIB_SO: (&str, &str, &str) = ("lib.so", HEAD, LIB);

#[test]
fn places_that_a_guest_has_made_are_its_own() {
    let mut world = World::new(&[LIB_SO]);
    let table = world.table();
    let marker = world.session.image().expect("it is loaded").program();
    let marker = marker.get_func(&mut world.store, "error").expect("exported");
    let mut own = Vec::new();
    for round in 0..6 {
        let first = world.ok("grow_table", &[3 + round]);
        assert!(first >= 0);
        for place in u64::try_from(first).expect("positive")..table.size(&world.store) {
            table
                .set(&mut world.store, place, Ref::Func(Some(marker)))
                .expect("it is there");
            own.push(place);
        }
        let lib = world.opened("lib.so", NOW);
        for name in ["f", "g"] {
            let place = world.sym(lib, name);
            assert!(
                !own.contains(&u64::try_from(place).expect("positive")),
                "{name} is at {place}"
            );
        }
        for place in &own {
            let is_its = matches!(table.get(&world.store, *place), Some(Ref::Func(Some(func)))
                if func.ty(&world.store) == marker.ty(&world.store));
            assert!(is_its, "place {place} in round {round}");
        }
        if round % 2 == 0 {
            assert_eq!(world.ok("close", &[lib]), 0);
        }
    }
}

#[test]
fn places_that_a_start_function_makes_are_its_own() {
    let growing = r#"(func $start (call $note (table.grow $t (ref.null func) (i32.const 100)))) (start $start)"#;
    let mut world = World::new(&[LIB_SO, ("grow.so", "(needed \"lib.so\")", growing)]);
    for order in ["lib.so", "grow.so"] {
        let lib = world.opened(order, NOW);
        let grow = world.opened("grow.so", NOW);
        let own = world.notes();
        for name in ["f", "g"] {
            let place = world.sym(grow, name);
            assert!(
                own.iter().all(|first| !(*first..first + 100).contains(&place)),
                "{place} {own:?}"
            );
        }
        world.ok("close", &[lib]);
        world.ok("close", &[grow]);
    }
}

#[test]
fn elements_that_a_guest_overwrites_are_its_loss() {
    let mut world = World::new(&[LIB_SO]);
    let lib = world.opened("lib.so", NOW);
    let (f, g) = (world.sym(lib, "f"), world.sym(lib, "g"));
    let table = world.table();
    let of = |place: i32| u64::try_from(place).expect("positive");
    let func = table.get(&world.store, of(f)).expect("it is there");
    table.set(&mut world.store, of(g), func).expect("it is there");
    table
        .set(&mut world.store, of(f), Ref::Func(None))
        .expect("it is there");
    assert_eq!(world.sym(lib, "f"), f, "its place is the same");
    assert!(world.call("call", &[f]).is_err());
    assert_eq!(world.ok("call", &[g]), 5);
    assert_eq!(world.ok("close", &[lib]), 0);
    let lib = world.opened("lib.so", NOW);
    let (f, g) = (world.sym(lib, "f"), world.sym(lib, "g"));
    assert_eq!((world.ok("call", &[f]), world.ok("call", &[g])), (5, 42));
}

#[test]
fn memory_that_grows_meets_no_library() {
    let mut world = World::new(&[LIB_SO, ("other.so", HEAD, LIB)]);
    // What `dlerror` says has a place from now on.
    assert_eq!(world.open("nowhere.so", NOW), 0);
    assert!(world.error().is_some());
    let lib = world.opened("lib.so", NOW);
    let (g, data) = (world.sym(lib, "g"), world.sym(lib, "data"));
    let block = data.cast_unsigned() / 65536;
    let size = u32::try_from(world.memory().size(&world.store)).expect("small");
    // Up to the library, over it, and to the end.
    let over = i32::try_from(block - size + 1).expect("small");
    assert_eq!(world.ok("grow_memory", &[over]), -1, "the library is there");
    assert_eq!(world.ok("grow_memory", &[i32::MAX]), -1);
    assert_eq!(world.ok("call", &[g]), 42);
    assert_ne!(world.ok("grow_memory", &[over - 1]), -1, "up to it");
    let end = (block * 65536 - 4).cast_signed();
    assert_eq!(world.ok("load", &[end]), 0);
    assert_eq!(world.open("other.so", NOW), 0, "there is no room for one more");
    let error = world.error().expect("it failed");
    assert!(error.contains("memory") || error.contains("room"), "{error}");
    assert_eq!(world.ok("call", &[g]), 42);
    assert_eq!(world.ok("close", &[lib]), 0);
    // Where it was there is room again.
    let lib = world.opened("other.so", NOW);
    let g = world.sym(lib, "g");
    assert_eq!(world.ok("call", &[g]), 42);
}

#[test]
fn a_library_is_not_put_into_the_programs_memory() {
    let mut world = World::new(&[LIB_SO]);
    let size = i32::try_from(world.memory().size(&world.store)).expect("small");
    assert_ne!(
        world.ok("grow_memory", &[65536 - size - 1]),
        -1,
        "all but the last page"
    );
    let memory = world.memory();
    let at = 0xffff_0000 - 65536;
    memory
        .write(&mut world.store, at, &[1; 4096])
        .expect("it is the guest's");
    let opened = world.open("lib.so", NOW);
    let mut bytes = [0; 4096];
    memory.read(&world.store, at, &mut bytes).expect("it is the guest's");
    assert_eq!(bytes, [1; 4096], "it is the guest's still, whatever {opened} is");
    assert_eq!(opened, 0);
}

#[test]
fn data_that_a_guest_takes_away_is_its_loss() {
    let mut world = World::new(&[LIB_SO]);
    for _ in 0..3 {
        let lib = world.opened("lib.so", NOW);
        let (g, data) = (world.sym(lib, "g"), world.sym(lib, "data").cast_unsigned());
        let range = u64::from(data)..u64::from(data) + 65536;
        let memory = world.memory();
        memory
            .write(&mut world.store, data as usize, &[0xff; 65536])
            .expect("it is there");
        assert_eq!(world.ok("call", &[g]), -1);
        memory.unmap(&mut world.store, range).expect("it is mapped");
        assert!(world.call("call", &[g]).is_err());
        assert_eq!(world.ok("close", &[lib]), 0);
        let lib = world.opened("lib.so", NOW);
        let g = world.sym(lib, "g");
        assert_eq!(world.ok("call", &[g]), 42);
        assert_eq!(world.ok("close", &[lib]), 0);
    }
}

#[test]
fn a_session_is_of_one_store() {
    let mut world = World::new(&[LIB_SO]);
    let mut other = Store::new(&world.engine, world.store.data().clone());
    let error = world
        .session
        .open(&mut other, "lib.so", OpenFlags::NOW)
        .expect_err("another store");
    assert!(matches!(error, LoadError::OtherStore), "{error}");
    let opened = world
        .session
        .open(&mut world.store, "lib.so", OpenFlags::NOW)
        .expect("it is there");
    assert!(opened.get_func(&mut other, "f").is_none());
    assert!(matches!(
        opened.get_typed_func::<(), i32>(&mut other, "f"),
        Err(LoadError::OtherStore)
    ));
    let error = world.session.finish(&mut other).expect_err("another store");
    assert_eq!(error.to_string(), LoadError::OtherStore.to_string());
    let error = opened.close(&mut other).expect_err("another store");
    assert!(matches!(error, LoadError::OtherStore), "{error}");
    // Nothing has changed.
    assert_eq!(world.loaded(), ["main", "lib.so"]);
    let lib = world.opened("lib.so", LAZY);
    let f = world.sym(lib, "f");
    assert_eq!(world.ok("call", &[f]), 5);
}

#[test]
fn two_sessions_of_a_store_know_nothing_of_each_other() {
    let mut world = World::new(&[LIB_SO]);
    let program = Module::new(
        &world.engine,
        "(module (@dylink.0) (import \"env\" \"memory\" (memory 1)))",
    )
    .expect("valid");
    let lib = module(&world.engine, HEAD, LIB);
    let mut linker = Linker::new(&world.engine);
    linker.func_wrap("env", "note", |_: i32| ()).expect("the name is free");
    let finder = std::collections::BTreeMap::from([("lib.so".to_owned(), lib)]);
    let second = Session::builder(linker).finder(finder).build();
    second
        .load(&mut world.store, Found::new("second", program))
        .expect("it fits");
    let theirs = second
        .open(&mut world.store, "lib.so", OpenFlags::NOW | OpenFlags::GLOBAL)
        .expect("it is there");
    let own = world.opened("lib.so", NOW | GLOBAL);
    let f = theirs
        .get_typed_func::<(), i32>(&mut world.store, "g")
        .expect("exported");
    let g = world.sym(own, "g");
    let memory = world.memory();
    let data = world.sym(own, "data").cast_unsigned();
    memory
        .write(&mut world.store, data as usize, &[7])
        .expect("it is there");
    assert_eq!(
        (
            world.ok("call", &[g]),
            f.call(&mut world.store, ()).expect("it returns")
        ),
        (7, 42)
    );
    assert_eq!(world.ok("close", &[own]), 0);
    assert_eq!(f.call(&mut world.store, ()).expect("it is the other's"), 42);
    theirs.close(&mut world.store).expect("it is open");
}

#[test]
fn a_session_that_is_dropped_leaves_its_modules() {
    let user = r#"(import "env" "f" (func $f (result i32)))
        (func (export "use") (result i32) (call $f))"#;
    let World {
        mut store,
        session,
        engine,
        ..
    } = World::new(&[LIB_SO, ("user.so", "", user)]);
    session
        .open(&mut store, "lib.so", OpenFlags::LAZY | OpenFlags::GLOBAL)
        .expect("it is there");
    let opened = session
        .open(&mut store, "user.so", OpenFlags::LAZY)
        .expect("it is there");
    let uses = opened.get_typed_func::<(), i32>(&mut store, "use").expect("exported");
    drop((session, opened, engine));
    assert_eq!(uses.call(&mut store, ()).expect("the store keeps what it needs"), 5);
    drop(store);
}
