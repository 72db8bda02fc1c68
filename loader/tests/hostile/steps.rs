//! Libraries that open and close each other while they are made and taken away.

use crate::world::{GLOBAL, LAZY, NOW, World, opens, text};

/// A destructor that does something, registered by the constructor.
fn at_end(does: &str) -> String {
    format!(
        r#"(elem (global.get $table) $end)
        (func $end (param i32) {does})
        (func (export "__wasm_call_ctors")
            (drop (call $atexit (global.get $table) (i32.const 0) (i32.const 0))))"#
    )
}

const HEAD: &str = "(mem-info (memory 64 4) (table 1 0))";

/// A callback of `dl_iterate_phdr` that closes the handle it is given.
const CLOSER: &str = r#"
    (func (export "closer") (param i32 i32 i32) (result i32)
        (drop (call $dlclose (local.get 2))) (i32.const 0))
    (func (export "f") (result i32) (i32.const 5))"#;

#[test]
fn a_callback_closes_what_is_listed() {
    let mut world = World::new(&[("a.so", "", CLOSER), ("b.so", "", CLOSER), ("c.so", "", "")]);
    let a = world.opened("a.so", NOW);
    let b = world.opened("b.so", NOW);
    world.opened("c.so", NOW);
    let closer = world.sym(a, "closer");
    assert_eq!(world.ok("iterate", &[closer, b]), 0, "another");
    assert_eq!(world.loaded(), ["main", "a.so", "c.so"]);
    assert_eq!(world.ok("iterate", &[closer, a]), 0, "itself");
    world.opened("b.so", NOW);
    assert_eq!(world.loaded(), ["main", "c.so", "b.so"]);
}

#[test]
fn a_constructor_opens_and_closes_its_own_library() {
    let own = format!(
        r#"{} (func (export "__wasm_call_ctors") (local $own i32)
            (local.set $own {})
            (drop (call $dlclose (local.get $own))) (call $note (call $dlclose (local.get $own))))
        (func (export "f") (result i32) (i32.const 5))"#,
        text(0, "a.so"),
        opens(0, NOW | GLOBAL),
    );
    let mut world = World::new(&[("a.so", HEAD, &own)]);
    let a = world.opened("a.so", NOW);
    assert_eq!(world.notes(), [-1], "it had it open once");
    let f = world.sym(a, "f");
    assert_eq!(world.ok("call", &[f]), 5);
    assert_eq!(world.ok("close", &[a]), 0);
    assert_eq!(world.loaded(), ["main"]);
}

#[test]
fn a_destructor_opens_its_own_library_anew() {
    // Once: the second one's destructor sees that it has been done.
    let own = format!(
        "{} {}",
        text(8, "a.so"),
        at_end(&format!(
            "(if (i32.eqz (i32.load (i32.const 9000)))
                (then (i32.store (i32.const 9000) (i32.const 1)) (call $note {})))",
            opens(8, NOW)
        ))
    ) + r#"(func (export "f") (result i32) (i32.const 5))"#;
    let mut world = World::new(&[("a.so", HEAD, &own)]);
    let a = world.opened("a.so", NOW);
    assert_eq!(world.ok("close", &[a]), 0);
    let [again] = world.notes()[..] else {
        panic!("it ran once")
    };
    if again == 0 {
        assert_eq!(world.loaded(), ["main"]);
    } else {
        assert_ne!(again, a);
        assert_eq!(world.loaded(), ["main", "a.so"], "it is open");
        let f = world.sym(again, "f");
        assert_eq!(world.ok("call", &[f]), 5);
        assert_eq!(world.ok("close", &[again]), 0);
    }
    assert_eq!(world.loaded(), ["main"]);
    let a = world.opened("a.so", NOW);
    assert_eq!(world.ok("close", &[a]), 0);
}

#[test]
fn first_calls_pass_over_a_library_that_is_leaving() {
    // The destructor calls `g`, which makes its first call of `f`.
    let leaving = format!(
        r#"(import "env" "g" (func $g (result i32)))
        {} (func (export "f") (result i32) (i32.const 5))"#,
        at_end("(call $note (call $g))")
    );
    let staying = r#"(func (export "f") (result i32) (i32.const 6))"#;
    let calling = r#"(import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f))"#;
    let mut world = World::new(&[
        ("a.so", HEAD, &leaving),
        ("b.so", HEAD, staying),
        ("c.so", HEAD, calling),
    ]);
    let [a, _, c] = ["a.so", "b.so", "c.so"].map(|name| world.opened(name, LAZY | GLOBAL));
    assert_eq!(world.ok("close", &[a]), 0);
    assert_eq!(world.notes(), [6]);
    let g = world.sym(c, "g");
    assert_eq!(world.ok("call", &[g]), 6, "it is bound to what has stayed");
}

#[test]
fn a_library_that_needs_one_that_is_leaving_gets_it_anew() {
    let own = format!(
        "{} {}",
        text(8, "b.so"),
        at_end(&format!("(call $note {})", opens(8, NOW)))
    ) + r#"(func (export "f") (result i32) (i32.const 5))"#;
    let needing = r#"(import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f))"#;
    let mut world = World::new(&[("a.so", HEAD, &own), ("b.so", "(needed \"a.so\")", needing)]);
    let a = world.opened("a.so", NOW | GLOBAL);
    assert_eq!(world.ok("close", &[a]), 0);
    let [b] = world.notes()[..] else { panic!("it ran once") };
    assert_ne!(b, 0, "{:?}", world.error());
    assert_eq!(world.loaded(), ["main", "b.so", "a.so"]);
    let g = world.sym(b, "g");
    assert_eq!(world.ok("call", &[g]), 5);
}

/// What a destructor binds to its library as it goes: the library that is left then
/// keeps what it needs.
#[test]
fn who_used_a_library_that_went_keeps_its_own_needs() {
    let leaving = format!(
        r#"(import "env" "g" (func $g (result i32))) (func (export "f") (result i32) (i32.const 5)) {}"#,
        at_end("(call $note (call $g))")
    );
    let user = r#"(import "env" "f" (func $f (result i32)))
        (import "env" "h" (func $h (result i32)))
        (func (export "g") (result i32) (call $f))
        (func (export "k") (result i32) (call $h))"#;
    let needed = r#"(func (export "h") (result i32) (i32.const 9))"#;
    let mut world = World::new(&[
        ("a.so", HEAD, &leaving),
        ("b.so", "(needed \"c.so\")", user),
        ("c.so", "(needed \"e.so\")", needed),
        ("d.so", "", ""),
        ("e.so", "", ""),
    ]);
    // The one that is needed has a lower number than the one that goes.
    let c = world.opened("c.so", LAZY);
    let a = world.opened("a.so", LAZY | GLOBAL);
    let b = world.opened("b.so", LAZY | GLOBAL);
    assert_eq!(world.ok("close", &[c]), 0);
    let result = world.ok("close", &[a]);
    assert!(
        result == 0 || world.error().expect("it is told").contains("nobody provides"),
        "{result}"
    );
    for _ in 0..2 {
        let d = world.opened("d.so", LAZY);
        assert_eq!(world.ok("close", &[d]), 0);
        assert_eq!(world.loaded(), ["main", "c.so", "e.so", "b.so"]);
    }
    let k = world.sym(b, "k");
    assert_eq!(world.ok("call", &[k]), 9);
    assert!(world.call("call", &[a]).is_err());
    assert_eq!(world.ok("close", &[b]), 0);
    assert_eq!(world.loaded(), ["main"]);
}

/// What a library opened before its constructor failed stays, and needs it no more.
#[test]
fn what_a_failed_library_opened_is_left() {
    let failing = format!(
        r#"{} {} (func (export "f") (result i32) (i32.const 5))
        (func (export "__wasm_call_ctors") (drop {}) (call $note {}) unreachable)"#,
        text(0, "a.so"),
        text(8, "b.so"),
        opens(0, NOW | GLOBAL),
        opens(8, NOW),
    );
    let needing = r#"(import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f))"#;
    let mut world = World::new(&[
        ("a.so", HEAD, &failing),
        ("b.so", "(needed \"a.so\" \"c.so\")", needing),
        ("c.so", "", r#"(func (export "h") (result i32) (i32.const 9))"#),
    ]);
    assert_eq!(world.open("a.so", NOW), 0);
    assert_eq!(
        world.error().as_deref(),
        Some("a constructor of a.so failed: unreachable")
    );
    let [b] = world.notes()[..] else { panic!("it ran once") };
    assert_eq!(world.loaded(), ["main", "b.so", "c.so"]);
    let g = world.sym(b, "g");
    assert_eq!(
        world.call("call", &[g]).expect_err("it is gone").to_string(),
        "call into unloaded a.so"
    );
    let h = world.sym(b, "h");
    assert_eq!(world.ok("call", &[h]), 9);
    let c = world.opened("c.so", NOW);
    assert_eq!(world.ok("close", &[c]), 0);
    assert_eq!(world.loaded(), ["main", "b.so", "c.so"]);
    assert_eq!(world.ok("close", &[b]), 0);
    assert_eq!(world.loaded(), ["main"]);
}

#[test]
fn destructors_close_each_other() {
    let closing = |other: i32| at_end(&format!("(call $note (call $dlclose (i32.load (i32.const {other}))))"));
    let (a, b) = (closing(9004), closing(9000));
    let mut world = World::new(&[("a.so", HEAD, &a), ("b.so", HEAD, &b)]);
    let (a, b) = (world.opened("a.so", NOW), world.opened("b.so", NOW));
    let memory = world.memory();
    for (at, handle) in [(9000, a), (9004, b)] {
        memory
            .write(&mut world.store, at, &handle.to_le_bytes())
            .expect("it is there");
    }
    assert_eq!(world.ok("close", &[a]), 0);
    assert_eq!(world.notes(), [0, -1], "the second finds the first closed");
    assert_eq!(world.loaded(), ["main"]);
}

/// A library opened well, while a destructor of one that was closed meanwhile fails:
/// it is not open then, and nothing of it stays.
#[test]
fn an_opening_that_fails_at_last_leaves_nothing_open() {
    let bad = at_end("unreachable");
    let closing = format!(
        r#"{} (func (export "__wasm_call_ctors") (drop (call $dlclose {})))"#,
        text(0, "bad.so"),
        opens(0, NOW),
    );
    let mut world = World::new(&[("bad.so", HEAD, &bad), ("a.so", HEAD, &closing)]);
    for _ in 0..3 {
        let a = world.open("a.so", NOW);
        if a != 0 {
            assert_eq!(world.ok("close", &[a]), 0);
        } else {
            assert_eq!(world.error().as_deref(), Some("unreachable"));
        }
        assert_eq!(world.loaded(), ["main"]);
    }
}

#[test]
fn start_functions_open_and_call_what_is_not_bound() {
    let starting = format!(
        r#"{} (import "env" "h" (func $h (result i32)))
        (func $start (drop {}) (call $note (call $h)) (drop (call $dlopen (i32.const 0) (i32.const 2))))
        (start $start)"#,
        text(0, "b.so"),
        opens(0, NOW | GLOBAL)
    );
    let other = r#"(func (export "h") (result i32) (i32.const 9))"#;
    let mut world = World::new(&[
        ("a.so", HEAD, &starting),
        ("b.so", "", other),
        ("c.so", HEAD, &starting.replace("b.so", "x.so")),
    ]);
    assert_eq!(world.open("c.so", LAZY), 0);
    let error = world.error().expect("it failed");
    assert_eq!(error, "c.so: `h` was called by c.so, and nobody provides it");
    assert_eq!(world.loaded(), ["main"]);
    let a = world.opened("a.so", LAZY);
    assert_eq!(world.notes(), [9]);
    assert_eq!(world.loaded(), ["main", "a.so", "b.so"]);
    assert_eq!(world.ok("close", &[a]), 0);
}

#[test]
fn a_function_that_was_passed_on_is_told_as_gone() {
    let giving = r#"(func $f (export "f") (result i32) (i32.const 5)) (elem declare func $f)
        (func (export "put") (result i32)
            (table.set (i32.const 1) (ref.func $f)) (i32.const 1))"#;
    let mut world = World::new(&[("a.so", "(mem-info (table 1 0))", giving), ("b.so", "", giving)]);
    let a = world.opened("a.so", NOW);
    let b = world.opened("b.so", NOW);
    let put = world.sym(b, "put");
    world.ok("call", &[put]);
    assert_eq!(world.ok("call", &[1]), 5);
    assert_eq!(world.ok("close", &[b]), 0);
    let error = world.call("call", &[1]).expect_err("it is gone");
    assert_eq!(error.to_string(), "call into unloaded b.so");
    assert_eq!(world.ok("close", &[a]), 0);
}
