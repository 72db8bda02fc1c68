//! Stopping a guest from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vm::{Caller, Engine, Error, Instance, InterruptHandle, Linker, Module, Store, Trap};

use crate::common::{instance, linked, run, trap};

/// Interrupts when it is told, a moment later.
fn soon(handle: InterruptHandle) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        handle.interrupt();
    })
}

/// Guests that run for ever, each in another way.
const ENDLESS: &[(&str, &str)] = &[
    ("an empty loop", r#"(func (export "run") (loop (br 0)))"#),
    (
        "a conditional loop",
        r#"(func (export "run") (loop (br_if 0 (i32.const 1))))"#,
    ),
    (
        "a counting loop",
        r#"(func (export "run") (local i32)
            (loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0)))"#,
    ),
    (
        "a loop with a condition of its own",
        r#"(func (export "run") (local i32) (local.set 0 (i32.const 2))
            (loop (br_if 0 (local.tee 0 (i32.xor (local.get 0) (i32.const 1))))))"#,
    ),
    (
        "a table of branches",
        r#"(func (export "run") (loop (br_table 0 0 0 (i32.const 1))))"#,
    ),
    (
        "a loop over memory",
        r#"(memory 1) (func (export "run") (loop
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (br 0)))"#,
    ),
    (
        "a loop that catches what it throws",
        r#"(tag $e) (func (export "run") (loop (try_table (catch_all 0) (throw $e))))"#,
    ),
    (
        "a loop that catches what calls throw",
        r#"(tag $e) (func $f (param i32)
            (if (i32.eqz (local.get 0)) (then (throw $e)))
            (call $f (i32.sub (local.get 0) (i32.const 1))))
        (func (export "run") (loop (try_table (catch_all 0) (call $f (i32.const 1000)))))"#,
    ),
    (
        "a loop over calls",
        r#"(func $f (export "run") (loop (call $g) (br 0))) (func $g)"#,
    ),
    (
        "a loop over indirect calls",
        r#"(table 1 funcref) (elem (i32.const 0) $g) (func $g)
            (func $f (export "run") (loop (call_indirect (i32.const 0)) (br 0)))"#,
    ),
    (
        "recursion",
        r#"(func $f (export "run") (local i32) (loop (call $down (i32.const 40)) (br 0)))
            (func $down (param i32) (if (local.get 0) (then
                (call $down (i32.sub (local.get 0) (i32.const 1))) (call $down (i32.sub (local.get 0) (i32.const 1))))))"#,
    ),
    (
        "nested loops",
        r#"(func (export "run") (local i32) (loop $out (local.set 0 (i32.const 1000)) (loop $in
            (br_if $in (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (br $out)))"#,
    ),
];

#[test]
fn endless_guests_are_stopped_again_and_again() {
    for (what, text) in ENDLESS {
        let (mut store, instance) = instance(text);
        for _ in 0..3 {
            let thread = soon(store.interrupt_handle());
            let error = run(&mut store, instance, "run").expect_err("stopped");
            assert_eq!(error.trap(), Some(Trap::Interrupt), "{what}");
            assert_eq!(error.to_string(), "interrupted");
            assert!(!error.backtrace().expect("the guest's").frames().is_empty(), "{what}");
            thread.join().expect("no panic");
        }
    }
}

#[test]
fn an_interruption_before_the_call_stops_it_and_only_it() {
    let (mut store, instance) = instance(r#"(func (export "run"))"#);
    let handle = store.interrupt_handle();
    run(&mut store, instance, "run").expect("not yet");
    handle.interrupt();
    handle.interrupt();
    assert_eq!(trap(&mut store, instance, "run"), Some(Trap::Interrupt));
    run(&mut store, instance, "run").expect("no more");
}

#[test]
fn only_the_store_of_the_handle_is_stopped() {
    let text = r#"(func (export "run") (param i32) (result i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))"#;
    let (mut a, first) = instance(text);
    let (b, _) = instance(text);
    let stop = Arc::new(AtomicBool::new(false));
    let thread = {
        let (handle, stop) = (b.interrupt_handle(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                handle.interrupt();
            }
        })
    };
    let run = first.get_typed_func::<i32, i32>(&mut a, "run").expect("exported");
    assert_eq!(run.call(&mut a, 1_000_000).expect("another store's"), 0);
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("no panic");
    drop(b);
}

#[test]
fn a_handle_outlives_its_store() {
    let (store, _) = instance("(module)");
    let handle = store.interrupt_handle();
    drop(store);
    handle.interrupt();
    handle.clone().interrupt();
}

#[test]
fn many_interruptions_at_any_moment_are_all_harmless() {
    let (mut store, instance) = linked(
        r#"(module (import "" "host" (func $host (param i32) (result i32)))
            (memory 1)
            (func $fib (param i32) (result i32)
                (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (call $host (local.get 0)))
                    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
            (func (export "fib") (param i32) (result i32) (call $fib (local.get 0))))"#,
        (),
        |linker| linker.func_wrap("", "host", |x: i32| x).map(|_| ()),
    );
    let fib = instance
        .get_typed_func::<i32, i32>(&mut store, "fib")
        .expect("exported");
    let stop = Arc::new(AtomicBool::new(false));
    let thread = {
        let (handle, stop) = (store.interrupt_handle(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                handle.interrupt();
                std::thread::sleep(Duration::from_micros(30));
            }
        })
    };
    let (begin, mut stopped) = (Instant::now(), 0);
    while stopped < 100 {
        match fib.call(&mut store, 12) {
            Ok(value) => assert_eq!(value, 144),
            Err(error) => {
                assert_eq!(error.trap(), Some(Trap::Interrupt));
                stopped += 1;
            }
        }
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "stopped only {stopped} times"
        );
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().expect("no panic");
    // A request may be left, and stops this call or does not.
    if let Err(error) = fib.call(&mut store, 1) {
        assert_eq!(error.trap(), Some(Trap::Interrupt));
    }
    assert_eq!(fib.call(&mut store, 12).expect("nobody asks any more"), 144);
}

const CALLS_HOST: &str = r#"(module (import "" "host" (func $host (result i32))) (global $n (export "n") (mut i32) (i32.const 0))
    (func (export "run") (global.set $n (i32.add (global.get $n) (call $host)))
        (global.set $n (i32.add (global.get $n) (i32.const 100)))))"#;

#[test]
fn a_host_function_is_not_stopped_but_its_caller_is() {
    let (mut store, instance) = linked(CALLS_HOST, None::<InterruptHandle>, |linker| {
        let host = |caller: Caller<'_, Option<InterruptHandle>>| {
            let handle = caller.data().clone().expect("set below");
            std::thread::spawn(move || handle.interrupt()).join().expect("no panic");
            1
        };
        linker.func_wrap("", "host", host).map(|_| ())
    });
    *store.data_mut() = Some(store.interrupt_handle());
    let error = run(&mut store, instance, "run").expect_err("stopped after the host function");
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    assert_eq!(error.backtrace().expect("the guest's").frames().len(), 1);
    let n = instance.get_global(&mut store, "n").expect("exported");
    assert_eq!(n.get(&store).i32(), Some(0));
}

#[test]
fn the_error_of_a_host_function_comes_before_an_interruption() {
    #[derive(Debug, thiserror::Error)]
    #[error("the host's own")]
    struct Own;
    let (mut store, instance) = linked(CALLS_HOST, None::<InterruptHandle>, |linker| {
        let host = |caller: Caller<'_, Option<InterruptHandle>>| -> Result<i32, Error> {
            caller.data().as_ref().expect("set below").interrupt();
            Err(Error::host(Own))
        };
        linker.func_wrap("", "host", host).map(|_| ())
    });
    *store.data_mut() = Some(store.interrupt_handle());
    let error = run(&mut store, instance, "run").expect_err("the host's");
    assert!(error.downcast_ref::<Own>().is_some(), "{error}");
    assert_eq!(error.backtrace().expect("the guest's").frames().len(), 1);
}

#[test]
fn an_interruption_stops_all_nested_entries() {
    let engine = Engine::default();
    let text = r#"(module (import "" "again" (func $again (param i32)))
        (func (export "down") (param i32)
            (if (local.get 0) (then (call $again (i32.sub (local.get 0) (i32.const 1)))) (else (loop (br 0))))))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut linker = Linker::<()>::new(&engine);
    let again = |mut caller: Caller<'_, ()>, n: i32| -> Result<(), Error> {
        let down = caller
            .get_export("down")
            .and_then(vm::Extern::into_func)
            .expect("exported");
        down.typed::<i32, ()>(&caller)?.call(&mut caller, n)
    };
    linker.func_wrap("", "again", again).expect("defined once");
    let mut store = Store::new(&engine, ());
    let instance: Instance = linker.instantiate(&mut store, &module).expect("defined");
    let down = instance
        .get_typed_func::<i32, ()>(&mut store, "down")
        .expect("exported");
    for _ in 0..3 {
        let thread = soon(store.interrupt_handle());
        let error = down.call(&mut store, 20).expect_err("stopped");
        assert_eq!(error.trap(), Some(Trap::Interrupt));
        assert_eq!(error.backtrace().expect("of all entries").frames().len(), 21);
        thread.join().expect("no panic");
    }
}

/// A fill of 2 GiB takes a second.
#[test]
fn operators_on_much_memory_are_interrupted() {
    for text in [
        r#"(module (memory (export "m") 32768)
            (func (export "run") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x80000000))))"#,
        r#"(module (memory (export "m") i64 32768)
            (func (export "run") (memory.fill (i64.const 0) (i32.const 1) (i64.const 0x80000000))))"#,
    ] {
        let (mut store, instance) = instance(text);
        let thread = soon(store.interrupt_handle());
        assert_eq!(trap(&mut store, instance, "run"), Some(Trap::Interrupt));
        thread.join().expect("it does not panic");
        let memory = instance.get_memory(&mut store, "m").expect("exported");
        assert_eq!(memory.data(&store).last(), Some(&0));
    }
}
