//! What would never end, or fill the host's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use orcavm_loader::LoadError;
use vm::{Engine, Module};

use crate::world::{LAZY, NOW, World, module, opens, text};

/// Bytes of memory that the process has.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it is said");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    kib * 1024
}

#[test]
fn constructors_that_open_the_next_library_without_end() {
    let engine = Engine::default();
    let of_engine = engine.clone();
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let mut world = World::with(&engine, move |name| {
        let n: u32 = name.strip_prefix('n')?.parse().ok()?;
        count.store(n, Ordering::Relaxed);
        let body = format!(
            r#"{} (func (export "__wasm_call_ctors")
                (if (i32.eqz {}) (then unreachable)))"#,
            text(0, &format!("n{}", n + 1)),
            opens(0, NOW)
        );
        Some(module(&of_engine, "(mem-info (memory 64 0))", &body))
    });
    for _ in 0..2 {
        assert_eq!(world.open("n0", NOW), 0);
        assert!(
            world.error().expect("it failed").contains("failed"),
            "the first one's constructor"
        );
        assert_eq!(world.loaded(), ["main"]);
        assert!(made.load(Ordering::Relaxed) >= 16, "{made:?}");
    }
    assert_eq!(world.memory().mapping_count(&world.store), 1, "that of the text");
}

#[test]
fn namespaces_without_end() {
    let engine = Engine::default();
    let lib = module(&engine, "(mem-info (memory 4 0))", "");
    let mut world = World::with(&engine, move |name| (name == "a.so").then(|| lib.clone()));
    let name = world.write("a.so");
    #[cfg(target_os = "linux")]
    let before = resident();
    let mut count = 0;
    let mut failed = 0;
    while failed < 3 {
        match world.ok("mopen", &[-1, name, LAZY]) {
            0 => failed += 1,
            _ => count += 1,
        }
        assert!(count < 100_000, "there is a limit");
    }
    let error = world.error().expect("it failed");
    assert!(count >= 16, "{count}: {error}");
    assert!(
        error.contains("limit") || error.contains("most") || error.contains("too many"),
        "{error}"
    );
    #[cfg(target_os = "linux")]
    assert!(
        resident() - before < 256 << 20,
        "{} MiB for {count}",
        (resident() - before) >> 20
    );
}

/// Each is another one, so the store could keep something of each.
#[test]
fn different_libraries_without_end() {
    let engine = Engine::default();
    let of_engine = engine.clone();
    let mut world = World::with(&engine, move |name| {
        let names: String = (0..50)
            .map(|n| format!(r#"(func (export "{name}_{n}") (result i32) (i32.const 1))"#))
            .collect();
        let body = format!(
            r#"(import "env" "{name}_0" (func $own (result i32))) {names}
            (func $f (result i32) (call $own)) (elem (global.get $table) $f)"#
        );
        Some(module(&of_engine, "(mem-info (memory 4 0) (table 1 0))", &body))
    });
    let table = world.table();
    for n in 0..300 {
        let lib = world.opened(&format!("n{n}"), NOW);
        let f = world.sym(lib, &format!("n{n}_7"));
        assert_eq!(world.ok("call", &[f]), 1);
        assert_eq!(world.ok("close", &[lib]), 0);
    }
    assert_eq!(world.loaded(), ["main"]);
    assert!(table.size(&world.store) < 1000);
}

/// Places that libraries had are kept for them, as long as there are others.
#[test]
fn places_of_libraries_that_went_are_others_when_the_table_is_full() {
    let engine = Engine::default();
    let of_engine = engine.clone();
    let mut world = World::with(&engine, move |name| {
        let body = format!(r#"(func (export "{name}") (result i32) (i32.const 1))"#);
        Some(module(&of_engine, "(mem-info (table 9000 0))", &body))
    });
    for n in 0..30 {
        let name = format!("n{n}");
        let lib = world.opened(&name, NOW);
        let f = world.sym(lib, &name);
        assert_eq!(world.ok("call", &[f]), 1);
        assert_eq!(world.ok("close", &[lib]), 0);
    }
    assert!(world.table().size(&world.store) <= 50_000);
}

/// Functions that stand for others are the store's for good.
#[test]
fn stand_ins_are_used_again() {
    let user = r#"(import "env" "f" (func $f (result i32)))
        (export "again" (func $f)) (func (export "use") (result i32) (call $f))"#;
    let fine = r#"(func (export "f") (result i32) (i32.const 5))"#;
    let mut world = World::new(&[("user.so", "(needed \"fine.so\")", user), ("fine.so", "", fine)]);
    let mut stale = None;
    for _ in 0..3 {
        let user = world.opened("user.so", LAZY);
        let place = world.sym(user, "use");
        assert_eq!(world.ok("call", &[place]), 5);
        let session = world.session.clone();
        let opened = session.open(&mut world.store, "user.so", orcavm_loader::OpenFlags::LAZY);
        let opened = opened.expect("it is there");
        let again = opened
            .get_typed_func::<(), i32>(&mut world.store, "again")
            .expect("exported");
        assert_eq!(again.call(&mut world.store, ()).expect("it returns"), 5);
        opened.close(&mut world.store).expect("it is open");
        assert_eq!(world.ok("close", &[user]), 0);
        assert_eq!(world.loaded(), ["main"]);
        let stale = stale.get_or_insert(again);
        assert!(stale.call(&mut world.store, ()).is_err(), "it is gone");
    }
}

#[test]
fn destructors_without_end() {
    let mut world = World::new(&[]);
    let mut count = 0;
    while world.ok("atexit", &[0, 0]) == 0 {
        count += 1;
        assert!(count < 1 << 20, "there is a limit");
    }
    assert!(count >= 10_000, "{count}");
    world.session.finish(&mut world.store).expect("there is nothing to run");
    assert_eq!(world.ok("atexit", &[0, 0]), 0, "there is room again");
}

#[test]
fn names_that_nobody_has_without_end() {
    let mut world = World::new(&[]);
    #[cfg(target_os = "linux")]
    let before = resident();
    for n in 0..10_000 {
        let name = world.write(&format!("{n}{}", "x".repeat(1000)));
        assert_eq!(world.ok("sym", &[0, name]), 0);
        if n % 100 == 0 {
            assert_eq!(world.ok("open", &[name, NOW]), 0);
        }
    }
    #[cfg(target_os = "linux")]
    assert!(
        resident().saturating_sub(before) < 32 << 20,
        "{} MiB",
        (resident() - before) >> 20
    );
}

#[test]
fn twenty_thousand_symbols_take_no_more_than_their_time() {
    let engine = Engine::default();
    let many = 20_000;
    let imports: String = (0..many)
        .map(|n| {
            format!("(import \"env\" \"f{n}\" (func (result i32)))(import \"GOT.func\" \"f{n}\" (global (mut i32)))")
        })
        .collect();
    let exports: String = (0..many)
        .map(|n| format!("(func (export \"f{n}\") (result i32) (i32.const {n}))"))
        .collect();
    let user = Module::new(
        &engine,
        format!(
            "(module (@dylink.0 (needed \"many.so\")) {imports} (func (export \"last\") (result i32) (call {})))",
            many - 1
        ),
    )
    .expect("valid");
    let many_so = Module::new(&engine, format!("(module (@dylink.0) {exports})")).expect("valid");
    let mut world = World::with(&engine, move |name| match name {
        "many.so" => Some(many_so.clone()),
        "user.so" => Some(user.clone()),
        _ => None,
    });
    let start = std::time::Instant::now();
    for flags in [LAZY, NOW] {
        let handle = world.opened("user.so", flags);
        let last = world.sym(handle, "last");
        assert_eq!(world.ok("call", &[last]), many - 1);
        assert_eq!(world.ok("close", &[handle]), 0);
        assert_eq!(world.loaded(), ["main"]);
    }
    let secs = start.elapsed().as_secs();
    assert!(secs < 60, "{secs} s: not the square of their number");
}

#[test]
fn a_hundred_thousand_symbols_that_nobody_has_are_told() {
    let engine = Engine::default();
    let imports: String = (0..100_000)
        .map(|n| format!("(import \"env\" \"f{n}\" (func))"))
        .collect();
    let user = Module::new(&engine, format!("(module (@dylink.0) {imports})")).expect("valid");
    let mut world = World::with(&engine, move |name| (name == "user.so").then(|| user.clone()));
    assert_eq!(world.open("user.so", NOW), 0);
    let error = world.error().expect("it failed");
    assert!(
        error.starts_with("nobody provides `f0` (func), needed by user.so; "),
        "{error}"
    );
    assert!(error.len() < 4096);
    let session = world.session.clone();
    let error = session
        .open(&mut world.store, "user.so", orcavm_loader::OpenFlags::NOW)
        .expect_err("it lacks some");
    assert!(matches!(&error, LoadError::Missing { symbols } if symbols.len() == 100_000));
}
