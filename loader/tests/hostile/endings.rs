//! What ends a guest while a library is made, bound or taken away.

use std::time::Duration;

use orcavm_loader::LoadError;
use vm::{Config, Trap};

use crate::world::{Exited, GLOBAL, LAZY, NOW, World};

const HEAD: &str = "(mem-info (memory 64 4) (table 1 0))";
const FINE: (&str, &str, &str) = ("fine.so", HEAD, r#"(func (export "f") (result i32) (i32.const 5))"#);

/// Ways to end, each of which is called `end`.
const ENDS: [&str; 4] = [
    "(func $end unreachable)",
    r#"(import "env" "exit" (func $end))"#,
    "(func $end (loop $l (br $l)))",
    "(func $end (call $end))",
];

/// After all of it, a library can be opened, used and closed.
fn check(world: &mut World, why: &str) {
    if world.store.get_fuel().is_ok() {
        world.store.set_fuel(1_000_000_000).expect("it is counted");
    }
    assert_eq!(world.loaded(), ["main"], "{why}");
    let fine = world.opened("fine.so", NOW);
    let f = world.sym(fine, "f");
    assert_eq!(world.ok("call", &[f]), 5, "{why}");
    assert_eq!(world.ok("close", &[fine]), 0, "{why}");
    assert_eq!(world.loaded(), ["main"], "{why}");
}

fn world(end: &str, body: &str) -> World {
    let mut config = Config::new();
    config.consume_fuel(true).max_wasm_stack(64 << 10);
    let import = if end.starts_with("(import") { end } else { "" };
    let own = if import.is_empty() { end } else { "" };
    let library = format!("{import} {own} {body}");
    World::of(&config, &[FINE, ("bad.so", HEAD, &library)])
}

/// Whether the guest itself ends too.
fn is_fatal(end: &str) -> bool {
    end.contains("exit") || end.contains("loop")
}

#[test]
fn in_constructors_and_start_functions() {
    for end in ENDS {
        for body in [
            r#"(export "__wasm_call_ctors" (func $end))"#,
            "(start $end)",
            r#"(export "__wasm_apply_data_relocs" (func $end))"#,
        ] {
            let mut world = world(end, body);
            for _ in 0..3 {
                world.store.set_fuel(3_000_000).expect("it is counted");
                let name = world.write("bad.so");
                let opened = world.call("open", &[name, NOW]);
                match opened {
                    Ok(handle) => {
                        assert!(handle == 0 && !is_fatal(end), "{end} {body}");
                        assert!(world.error().is_some());
                    }
                    Err(error) => {
                        assert!(is_fatal(end), "{end} {body}: {error}");
                        let fits = error.trap() == Some(Trap::OutOfFuel) || error.downcast_ref::<Exited>().is_some();
                        assert!(fits, "{error}");
                    }
                }
                check(&mut world, end);
            }
        }
    }
}

#[test]
fn in_destructors() {
    for end in ENDS {
        let body = r#"(elem (global.get $table) $last)
            (func $last (param i32) (call $end))
            (func (export "__wasm_call_ctors")
                (drop (call $atexit (global.get $table) (i32.const 0) (i32.const 0))))"#;
        let mut world = world(end, body);
        for _ in 0..3 {
            let handle = world.opened("bad.so", NOW);
            world.store.set_fuel(3_000_000).expect("it is counted");
            match world.call("close", &[handle]) {
                Ok(closed) => assert!(closed == -1 && !is_fatal(end), "{end}"),
                Err(error) => assert!(is_fatal(end), "{end}: {error}"),
            }
            check(&mut world, end);
        }
    }
}

#[test]
fn in_functions_that_are_bound_when_they_are_called() {
    // The provider ends when it is called, the first time and later.
    for end in ENDS {
        let mut world = {
            let user =
                r#"(import "env" "bad" (func $bad)) (func (export "use") (result i32) (call $bad) (i32.const 1))"#;
            let bad = if end.starts_with("(import") {
                format!(r#"{end} (export "bad" (func $end))"#)
            } else {
                end.replace("$end", r#"$end (export "bad")"#)
                    .replace(r#"(call $end (export "bad"))"#, "(call $end)")
            };
            let mut config = Config::new();
            config.consume_fuel(true).max_wasm_stack(64 << 10);
            World::of(&config, &[FINE, ("bad.so", HEAD, &bad), ("user.so", "", user)])
        };
        let bad = world.opened("bad.so", LAZY | GLOBAL);
        let user = world.opened("user.so", LAZY);
        let uses = world.sym(user, "use");
        for _ in 0..3 {
            world.store.set_fuel(3_000_000).expect("it is counted");
            let error = world.call("call", &[uses]).expect_err("it ends");
            assert!(
                error.trap().is_some() || error.downcast_ref::<Exited>().is_some(),
                "{error}"
            );
        }
        world.store.set_fuel(3_000_000).expect("it is counted");
        assert_eq!(world.ok("close", &[bad]), 0);
        assert_eq!(world.loaded(), ["main", "bad.so", "user.so"], "it is used");
        assert_eq!(world.ok("close", &[user]), 0);
        check(&mut world, end);
    }
}

#[test]
fn who_was_not_bound_before_its_provider_went_finds_nobody() {
    let user = r#"(import "env" "f" (func $f (result i32))) (func (export "use") (result i32) (call $f))"#;
    let mut world = World::new(&[FINE, ("user.so", "", user)]);
    let fine = world.opened("fine.so", LAZY | GLOBAL);
    let user = world.opened("user.so", LAZY);
    let uses = world.sym(user, "use");
    assert_eq!(world.ok("close", &[fine]), 0);
    assert_eq!(world.loaded(), ["main", "user.so"]);
    for _ in 0..2 {
        let error = world.call("call", &[uses]).expect_err("nobody has it");
        assert_eq!(error.to_string(), "`f` was called by user.so, and nobody provides it");
    }
    world.opened("fine.so", LAZY | GLOBAL);
    assert_eq!(world.ok("call", &[uses]), 5, "the next call asks again");
}

#[test]
fn by_interruption() {
    let forever = r#"(func (export "__wasm_call_ctors") (call $note (i32.const 1)) (loop $l (br $l)))"#;
    let mut world = World::new(&[FINE, ("bad.so", HEAD, forever)]);
    let interrupt = world.store.interrupt_handle();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        interrupt.interrupt();
    });
    let name = world.write("bad.so");
    let error = world.call("open", &[name, NOW]).expect_err("it is interrupted");
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    other.join().expect("no panic");
    check(&mut world, "interrupted");
}

#[test]
fn stacks_that_lead_nowhere() {
    // The stack pointer is the guest's: nothing of the linker's depends on it.
    let using =
        r#"(func (export "__wasm_call_ctors") (i32.store (i32.sub (global.get $sp) (i32.const 4)) (i32.const 1)))"#;
    let mut world = World::new(&[FINE, ("bad.so", HEAD, using)]);
    for sp in [-1, i32::MIN, 0, 3] {
        world.ok("set_stack", &[sp]);
        let opened = world.open("bad.so", NOW);
        if opened == 0 {
            let error = world.error().expect("it failed");
            assert_eq!(error, "a constructor of bad.so failed: out of bounds memory access");
        } else {
            assert_eq!(world.ok("close", &[opened]), 0);
        }
        check(&mut world, "a stack");
    }
}

#[test]
fn constructors_of_a_program_that_fail_leave_the_session_free() {
    let engine = vm::Engine::default();
    let mut store = vm::Store::new(&engine, ());
    let session = orcavm_loader::Session::<()>::builder(vm::Linker::new(&engine)).build();
    let bad = vm::Module::new(
        &engine,
        r#"(module (@dylink.0) (func (export "__wasm_call_ctors") unreachable))"#,
    );
    let bad = bad.expect("valid");
    let good = vm::Module::new(&engine, "(module (@dylink.0))").expect("valid");
    let error = session
        .load(&mut store, orcavm_loader::Found::new("bad", bad))
        .expect_err("it traps");
    assert!(matches!(error, LoadError::Constructor { .. }));
    session
        .load(&mut store, orcavm_loader::Found::new("good", good))
        .expect("nothing is in the way");
}
