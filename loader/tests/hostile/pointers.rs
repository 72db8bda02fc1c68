//! Pointers to nowhere, handles that were never given, and places that are no
//! function's.

use crate::world::{GLOBAL, LAZY, NOW, ROOM, World};

const DATA: &str = r#"
    (global (export "data") i32 (i32.const 4))
    (data (i32.add (global.get $base) (i32.const 4)) "\2a")
    (func (export "f") (result i32) (i32.const 7))"#;

const DATA_SO: (&str, &str, &str) = ("data.so", "(mem-info (memory 8 2))", DATA);

/// Addresses where there is nothing, or nothing that ends.
fn bad(world: &mut World) -> Vec<i32> {
    // What `dlerror` says has a place from now on.
    assert_eq!(world.open("nowhere.so", NOW), 0);
    assert!(world.error().is_some());
    let handle = world.opened("gone.so", NOW);
    let gone = world.sym(handle, "data");
    world.ok("close", &[handle]);
    let memory = world.memory();
    let size = i32::try_from(memory.data_size(&world.store)).expect("small");
    let endless = ROOM + 8192;
    memory
        .write(&mut world.store, endless as usize, &[b'x'; 8192])
        .expect("there is room");
    let latin1 = ROOM + 256;
    memory
        .write(&mut world.store, latin1 as usize, b"\xfc\xff\0")
        .expect("there is room");
    // The last byte of memory, without an end.
    let last = size - 1;
    memory
        .write(&mut world.store, last as usize, b"x")
        .expect("it is there");
    vec![
        -1,
        -2,
        -4096,
        i32::MIN,
        i32::MAX,
        size,
        last,
        gone,
        endless as i32,
        latin1 as i32,
    ]
}

#[test]
fn bad_strings_are_no_names() {
    let mut world = World::new(&[DATA_SO, ("gone.so", DATA_SO.1, DATA)]);
    let bad = bad(&mut world);
    for address in bad {
        let _ = world.error();
        let text = "the name is not in memory, not UTF-8, or longer than 4,095 bytes";
        assert_eq!(world.ok("open", &[address, NOW]), 0, "{address:#x}");
        assert_eq!(world.error().as_deref(), Some(text), "{address:#x}");
        assert_eq!(world.ok("mopen", &[-1, address, NOW]), 0, "{address:#x}");
        assert_eq!(world.error().as_deref(), Some(text), "{address:#x}");
        for handle in [0, -1] {
            assert_eq!(world.ok("sym", &[handle, address]), 0, "{address:#x}");
            assert_eq!(world.error().as_deref(), Some(text), "{address:#x}");
        }
    }
    let handle = world.opened("data.so", NOW);
    assert_eq!(world.ok("sym", &[handle, 0]), 0, "nothing has no name");
    assert_eq!(world.loaded(), ["main", "data.so"]);
}

#[test]
fn dladdr_of_anything_to_anywhere() {
    let mut world = World::new(&[DATA_SO, ("gone.so", DATA_SO.1, DATA)]);
    let bad = bad(&mut world);
    let handle = world.opened("data.so", NOW);
    let data = world.sym(handle, "data");
    let size = i32::try_from(world.memory().data_size(&world.store)).expect("small");
    let outside = [-1, -2, -15, i32::MIN, i32::MAX, size, size - 15];
    for value in bad.into_iter().chain([0, 1, data, data - 4, data + 4]) {
        for info in outside {
            assert_eq!(world.ok("addr", &[value, info]), 0, "{value:#x} to {info:#x}");
        }
    }
    let info = ROOM.cast_signed();
    assert_eq!(world.ok("addr", &[data, info]), 1);
    let symbol = world.ok("load", &[info + 8]).cast_unsigned();
    assert_eq!(world.string(symbol), "data");
    // What it says of itself the guest may overwrite; it is the guest's loss.
    let memory = world.memory();
    memory
        .write(&mut world.store, symbol as usize, &[b'y'; 64])
        .expect("it is the guest's");
    assert_eq!(world.ok("addr", &[data, info]), 1);
    assert_eq!(world.ok("close", &[handle]), 0);
    assert_eq!(world.ok("addr", &[data, info]), 0, "it is gone");
}

#[test]
fn handles_that_were_never_given() {
    let mut world = World::new(&[DATA_SO, ("b.so", "(needed \"data.so\")", "")]);
    let own = world.opened("b.so", NOW);
    for handle in (-3..64).chain([i32::MIN, i32::MAX]) {
        let name = world.write("f");
        if handle != own && handle != 0 && handle != -1 {
            assert_eq!(world.ok("sym", &[handle, name]), 0, "{handle}");
        }
        if handle != own {
            assert_eq!(world.ok("close", &[handle]), -1, "{handle}");
            assert_eq!(world.error().as_deref(), Some("not the handle of an open library"));
        }
    }
    assert_eq!(
        world.loaded(),
        ["main", "b.so", "data.so"],
        "what is needed has no handle to close"
    );
    // Closed more often than opened.
    assert_eq!(world.ok("close", &[own]), 0);
    for _ in 0..10 {
        assert_eq!(world.ok("close", &[own]), -1);
    }
    let main = world.ok("open", &[0, NOW]);
    assert_eq!(world.ok("close", &[main]), 0);
    assert_eq!(world.ok("close", &[main]), -1);
    assert_eq!(world.loaded(), ["main"], "the program stays");
}

#[test]
fn handles_of_other_namespaces_are_handles() {
    let mut world = World::new(&[DATA_SO]);
    let name = world.write("data.so");
    let other = world.ok("mopen", &[-1, name, NOW]);
    let own = world.opened("data.so", NOW | GLOBAL);
    assert!(other != 0 && other != own);
    let (f, g) = (world.sym(own, "f"), world.sym(other, "f"));
    assert_ne!(f, g, "two instances");
    assert_eq!((world.ok("call", &[f]), world.ok("call", &[g])), (7, 7));
    for number in [-2, i32::MIN, 1_000_000, own, other] {
        let name = world.write("data.so");
        let opened = world.ok("mopen", &[number, name, LAZY]);
        assert_eq!(opened, 0, "{number} is no namespace");
        assert_eq!(world.error(), Some(format!("there is no namespace {number}")));
    }
    assert_eq!(world.ok("close", &[other]), 0);
    assert!(world.call("call", &[g]).is_err());
    assert_eq!(world.ok("call", &[f]), 7);
}

#[test]
fn flags_that_there_are_not() {
    let mut world = World::new(&[DATA_SO]);
    for flags in [0, 0x100, 16, -1, i32::MIN, 0x4000_0001] {
        assert_eq!(world.open("data.so", flags), 0, "{flags:#x}");
        assert!(
            world
                .error()
                .expect("it failed")
                .contains("is no way to open a library")
        );
    }
    assert_eq!(world.loaded(), ["main"]);
}

#[test]
fn callbacks_that_are_none() {
    let mut world = World::new(&[DATA_SO]);
    let handle = world.opened("data.so", NOW);
    let f = world.sym(handle, "f");
    for slot in [0, -1, i32::MAX, 1_000_000] {
        let error = world.call("iterate", &[slot, 0]).expect_err("no function");
        assert!(error.trap().is_some(), "{error}");
    }
    let error = world.call("iterate", &[f, 0]).expect_err("of another type");
    assert!(error.trap().is_some(), "{error}");
    // Destructors that are none are passed over; one of another type ends the rest.
    for slot in [0, -1, i32::MAX] {
        assert_eq!(world.ok("atexit", &[slot, 0]), 0);
    }
    world.session.finish(&mut world.store).expect("there is nothing to run");
    assert_eq!(world.ok("atexit", &[f, 0]), 0);
    let error = world.session.finish(&mut world.store).expect_err("of another type");
    assert!(error.trap().is_some(), "{error}");
    world.session.finish(&mut world.store).expect("it is not tried again");
}
