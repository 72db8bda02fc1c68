//! Guest to host to guest: values, traps, errors and panics on their way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vm::{
    AsContextMut, Caller, Engine, Error, Extern, ExternRef, Func, FuncType, Instance, Linker, Memory, MemoryType,
    Module, Rooted, Store, Trap, TypeError, Val, ValType,
};

use crate::common::{linked, run};

/// Goes down through the host `n` times, then does what `bottom` says.
fn nested(bottom: &str) -> (Store<u32>, Instance) {
    let text = format!(
        r#"(module (import "" "again" (func $again (param i32) (result i32))) (memory 1)
            (func $recurse (call $recurse))
            (func (export "down") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $again (i32.sub (local.get 0) (i32.const 1)))))
                    (else {bottom} (i32.const 7)))))"#
    );
    linked(&text, 0, |linker| {
        let again = |mut caller: Caller<'_, u32>, n: i32| -> Result<i32, Error> {
            *caller.data_mut() += 1;
            let down = caller.get_export("down").and_then(Extern::into_func).expect("exported");
            let value = down.typed::<i32, i32>(&caller)?.call(&mut caller, n);
            *caller.data_mut() -= 1;
            value
        };
        linker.func_wrap("", "again", again).map(|_| ())
    })
}

#[test]
fn fifty_entries_deep_values_come_back() {
    let (mut store, instance) = nested("");
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .expect("exported");
    for depth in [0, 1, 50] {
        assert_eq!(down.call(&mut store, depth).expect("no trap"), 7 + depth);
    }
}

#[test]
fn fifty_entries_deep_traps_come_back() {
    for (bottom, trap) in [
        ("unreachable", Trap::UnreachableCodeReached),
        ("(drop (i32.load (i32.const 65536)))", Trap::MemoryOutOfBounds),
        ("(call $recurse)", Trap::StackOverflow),
        (
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
    ] {
        let (mut store, instance) = nested(bottom);
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .expect("exported");
        for _ in 0..2 {
            let error = down.call(&mut store, 50).expect_err("it traps");
            assert_eq!(error.trap(), Some(trap), "{bottom}");
            let frames = error.backtrace().expect("the guest's").frames();
            let entries = frames
                .iter()
                .filter(|frame| frame.func_name().as_deref() == Some("down"));
            // The overflow's own entry has more frames than are kept.
            let expected = if trap == Trap::StackOverflow { 50 } else { 51 };
            assert_eq!(entries.count(), expected, "{bottom}");
            assert_eq!(*store.data(), 0);
        }
    }
}

#[test]
fn endless_nesting_is_a_stack_overflow() {
    let (mut store, instance) = nested("");
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .expect("exported");
    for _ in 0..2 {
        let error = down.call(&mut store, i32::MAX).expect_err("some stack is exhausted");
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
        assert_eq!(*store.data(), 0);
    }
    assert_eq!(down.call(&mut store, 50).expect("no trap"), 57);
}

#[test]
fn a_trap_inside_can_be_caught_by_the_host_in_between() {
    let text = r#"(module (import "" "try" (func $try (result i32)))
        (memory 1)
        (func (export "fail") (drop (i32.load (i32.const 65536))))
        (func (export "run") (result i32) (local i32)
            (local.set 0 (i32.const 40)) (i32.add (call $try) (i32.add (call $try) (local.get 0)))))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let attempt = |mut caller: Caller<'_, ()>| {
            let fail = caller.get_export("fail").and_then(Extern::into_func).expect("exported");
            let error = fail.call(&mut caller, &[], &mut []).expect_err("it traps");
            i32::from(error.trap() == Some(Trap::MemoryOutOfBounds))
        };
        linker.func_wrap("", "try", attempt).map(|_| ())
    });
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").expect("exported");
    assert_eq!(run.call(&mut store, ()).expect("caught"), 42);
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("exit with code {0}")]
struct Exit(i32);

#[test]
fn errors_keep_their_type_and_gather_frames() {
    let (engine, module) = crate::common::module(
        r#"(module $m (import "" "exit" (func $exit (param i32))) (import "" "again" (func $again))
            (func $leave (export "leave") (call $exit (i32.const 3)))
            (func $outer (export "outer") (call $again)))"#,
    );
    let mut linker = Linker::<()>::new(&engine);
    let exit = |code: i32| -> Result<(), Error> { Err(Error::host(Exit(code))) };
    linker.func_wrap("", "exit", exit).expect("defined once");
    let again = |mut caller: Caller<'_, ()>| -> Result<(), Error> {
        let leave = caller
            .get_export("leave")
            .and_then(Extern::into_func)
            .expect("exported");
        leave.call(&mut caller, &[], &mut [])
    };
    linker.func_wrap("", "again", again).expect("defined once");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("defined");
    for (name, expected) in [("leave", &["leave"][..]), ("outer", &["leave", "outer"])] {
        let error = run(&mut store, instance, name).expect_err("the host's");
        assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(3)));
        assert_eq!((error.trap(), error.to_string().as_str()), (None, "exit with code 3"));
        let frames = error.backtrace().expect("the guest's").frames();
        let names: Vec<_> = frames.iter().map(|f| f.func_name().unwrap_or_default()).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_host_function_can_trap_its_caller() {
    let text = r#"(module (import "" "f" (func $f)) (func (export "run") (call $f)))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let f = || -> Result<(), Error> { Err(Trap::IntegerOverflow.into()) };
        linker.func_wrap("", "f", f).map(|_| ())
    });
    let error = run(&mut store, instance, "run").expect_err("it traps");
    assert_eq!(error.trap(), Some(Trap::IntegerOverflow));
    assert_eq!(error.backtrace().expect("the guest's").frames().len(), 1);
}

#[test]
fn panics_go_through_all_entries_and_leave_the_store_usable() {
    let text = r#"(module (import "" "again" (func $again (param i32) (result i32)))
        (func (export "down") (param i32) (result i32)
            (i32.add (i32.const 1) (call $again (local.get 0)))))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let again = |mut caller: Caller<'_, ()>, n: i32| -> Result<i32, Error> {
            if n < 0 {
                return Ok(0);
            }
            if n == 0 {
                std::panic::panic_any("the host's own");
            }
            let down = caller.get_export("down").and_then(Extern::into_func).expect("exported");
            down.typed::<i32, i32>(&caller)?.call(&mut caller, n - 1)
        };
        linker.func_wrap("", "again", again).map(|_| ())
    });
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .expect("exported");
    for depth in [0, 1, 50] {
        let payload = catch_unwind(AssertUnwindSafe(|| down.call(&mut store, depth))).expect_err("it panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the host's own"));
        assert_eq!(down.call(&mut store, -1).expect("no panic"), 1);
    }
}

#[test]
fn panics_trap_nothing_on_other_threads() {
    let text = r#"(module (import "" "f" (func $f (param i32) (result i32))) (memory 1)
        (func (export "run") (param i32) (result i32) (i32.load (call $f (local.get 0)))))"#;
    let (engine, module) = crate::common::module(text);
    let mut linker = Linker::<()>::new(&engine);
    let f = |n: i32| {
        if n == 1 {
            std::panic::panic_any(n);
        }
        n
    };
    linker.func_wrap("", "f", f).expect("defined once");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = Store::new(&engine, ());
                let instance = linker.instantiate(&mut store, &module).expect("defined");
                let run = instance
                    .get_typed_func::<i32, i32>(&mut store, "run")
                    .expect("exported");
                for round in 0..100 {
                    match round % 3 {
                        0 => assert_eq!(run.call(&mut store, 0).expect("inside"), 0),
                        1 => assert!(catch_unwind(AssertUnwindSafe(|| run.call(&mut store, 1))).is_err()),
                        _ => {
                            let error = run.call(&mut store, 65536).expect_err("outside");
                            assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn the_host_may_change_everything_during_a_call() {
    let text = r#"(module (import "" "change" (func $change)) (memory (export "m") 1) (table (export "t") 1 10 funcref)
        (global (export "g") (mut i32) (i32.const 1))
        (func $two (export "two") (result i32) (i32.const 2))
        (func (export "run") (result i32) (local i32)
            (local.set 0 (i32.load (i32.const 0)))
            (call $change)
            (i32.add (i32.add (i32.load (i32.const 131068)) (global.get 0))
                (i32.add (call_indirect (result i32) (i32.const 5)) (memory.size)))))"#;
    let (mut store, instance) = linked(text, None::<Module>, |linker| {
        let change = |mut caller: Caller<'_, Option<Module>>| -> Result<(), Error> {
            let memory = caller.get_export("m").and_then(Extern::into_memory).expect("exported");
            memory.grow(&mut caller, 1)?;
            memory.write(&mut caller, 131068, &[100, 0, 0, 0])?;
            let global = caller.get_export("g").and_then(Extern::into_global).expect("exported");
            global.set(&mut caller, Val::I32(1000))?;
            let two = caller.get_export("two").and_then(Extern::into_func).expect("exported");
            let table = caller.get_export("t").and_then(Extern::into_table).expect("exported");
            table.grow(&mut caller, 5, two.into())?;
            // Lists of the store move.
            let module = caller.data().clone().expect("set below");
            for _ in 0..100 {
                Memory::new(&mut caller, MemoryType::new(0, None))?;
                Instance::new(&mut caller, &module, &[])?;
                Func::wrap(caller.as_context_mut(), || ());
            }
            Ok(())
        };
        linker.func_wrap("", "change", change).map(|_| ())
    });
    let module = Module::new(store.engine(), "(module (memory 0) (func) (start 0))").expect("valid");
    *store.data_mut() = Some(module);
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").expect("exported");
    assert_eq!(run.call(&mut store, ()).expect("no trap"), 1104);
}

#[test]
fn the_caller_is_the_instance_that_calls() {
    let (engine, module) = crate::common::module(
        r#"(module (import "" "me" (func $me (result i32))) (import "" "value" (global i32))
            (export "value" (global 0)) (table (export "t") 1 funcref) (elem (i32.const 0) $me)
            (func (export "direct") (result i32) (call $me))
            (func (export "indirect") (result i32) (call_indirect (result i32) (i32.const 0)))
            (func (export "two") (result i32 i32) (call $me) (call_indirect (result i32) (i32.const 0))))"#,
    );
    let mut linker = Linker::<()>::new(&engine);
    let me = |mut caller: Caller<'_, ()>| {
        let value = caller.get_export("value").and_then(Extern::into_global);
        value.and_then(|value| value.get(&caller).i32()).unwrap_or(-1)
    };
    linker.func_wrap("", "me", me).expect("defined once");
    linker.allow_shadowing(true);
    let mut store = Store::new(&engine, ());
    let instances: Vec<Instance> = (1..=3)
        .map(|n| {
            let ty = vm::GlobalType::new(ValType::I32, vm::Mutability::Const);
            let value = vm::Global::new(&mut store, ty, Val::I32(n)).expect("the types fit");
            linker.define(&store, "", "value", value).expect("shadowing");
            linker.instantiate(&mut store, &module).expect("defined")
        })
        .collect();
    for (n, instance) in (1..).zip(&instances) {
        for name in ["direct", "indirect"] {
            let func = instance.get_typed_func::<(), i32>(&mut store, name).expect("exported");
            assert_eq!(func.call(&mut store, ()).expect("no trap"), n, "{name}");
        }
        let two = instance
            .get_typed_func::<(), (i32, i32)>(&mut store, "two")
            .expect("exported");
        assert_eq!(two.call(&mut store, ()).expect("no trap"), (n, n));
    }
    let me = linker
        .get(&mut store, "", "me")
        .and_then(Extern::into_func)
        .expect("defined");
    let me = me.typed::<(), i32>(&store).expect("of this type");
    assert_eq!(me.call(&mut store, ()).expect("no trap"), -1);
}

#[test]
fn references_of_another_store_do_not_enter_the_guest() {
    let engine = Engine::default();
    let mut other = Store::new(&engine, ());
    let func = Func::wrap(&mut other, || ());
    let value = ExternRef::new(&mut other, ()).expect("room");
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("", "func", move || Some(func)).expect("defined once");
    linker
        .func_wrap("", "value", move || (1, Some(value)))
        .expect("defined once");
    let ty = FuncType::new([], [ValType::FUNCREF]);
    let untyped = move |_: Caller<'_, ()>, _: &[Val], results: &mut [Val]| {
        results[0] = func.into();
        Ok(())
    };
    linker.func_new("", "untyped", ty, untyped).expect("defined once");
    let text = r#"(module (import "" "func" (func $func (result funcref))) (import "" "untyped" (func $untyped (result funcref)))
        (import "" "value" (func $value (result i32 externref)))
        (func (export "func") (drop (call $func))) (func (export "untyped") (drop (call $untyped)))
        (func (export "value") (call $value) drop drop))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("defined");
    drop(other);
    for name in ["func", "untyped", "value"] {
        let error = run(&mut store, instance, name).expect_err("of another store");
        let other = matches!(error.downcast_ref(), Some(TypeError::OtherStore { .. }));
        assert!(other, "{name}: {error}");
    }
}

#[test]
fn host_references_go_through_the_guest_unharmed() {
    let text = r#"(module (import "" "see" (func $see (param externref funcref) (result externref)))
        (table 2 externref) (table 2 funcref)
        (func (export "keep") (param externref funcref)
            (table.set 0 (i32.const 1) (local.get 0)) (table.set 1 (i32.const 1) (local.get 1)))
        (func (export "show") (param i32) (result externref)
            (call $see (table.get 0 (local.get 0)) (table.get 1 (local.get 0)))))"#;
    let (mut store, instance) = linked(text, Vec::new(), |linker| {
        let see = |mut caller: Caller<'_, Vec<String>>, value: Option<Rooted<ExternRef>>, func: Option<Func>| {
            let string = |value: Rooted<ExternRef>| {
                let value = value.data(&caller).expect("live").expect("a value of the host");
                value.downcast_ref::<String>().expect("a string").clone()
            };
            let seen = value.map(string);
            let called = match func {
                Some(func) => func.typed::<(), i32>(&caller)?.call(&mut caller, ())?,
                None => 0,
            };
            caller.data_mut().push(format!("{seen:?} {called}"));
            Ok::<_, Error>(value)
        };
        linker.func_wrap("", "see", see).map(|_| ())
    });
    let value = ExternRef::new(&mut store, String::from("orca")).expect("room");
    let func = Func::wrap(&mut store, || 5);
    let keep = instance.get_typed_func::<(Option<Rooted<ExternRef>>, Option<Func>), ()>(&mut store, "keep");
    keep.expect("exported")
        .call(&mut store, (Some(value), Some(func)))
        .expect("no trap");
    let show = instance
        .get_typed_func::<i32, Option<Rooted<ExternRef>>>(&mut store, "show")
        .expect("exported");
    assert!(show.call(&mut store, 0).expect("no trap").is_none());
    let shown = show.call(&mut store, 1).expect("no trap").expect("not null");
    assert!(Rooted::ref_eq(&store, &shown, &value).expect("live"));
    assert_eq!(store.data(), &["None 0", "Some(\"orca\") 5"]);
}

#[test]
fn host_functions_of_one_store_may_run_another() {
    let text = r#"(module (import "" "other" (func $other (param i32) (result i32))) (memory 1)
        (func (export "run") (param i32) (result i32)
            (i32.add (i32.const 1) (call $other (local.get 0)))))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let other = |n: i32| -> Result<i32, Error> {
            let text =
                r#"(module (memory 1) (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"#;
            let (mut store, instance) = crate::common::instance(text);
            let load = instance.get_typed_func::<i32, i32>(&mut store, "load")?;
            load.call(&mut store, n)
        };
        linker.func_wrap("", "other", other).map(|_| ())
    });
    let run = instance
        .get_typed_func::<i32, i32>(&mut store, "run")
        .expect("exported");
    for _ in 0..3 {
        assert_eq!(run.call(&mut store, 0).expect("inside"), 1);
        let error = run.call(&mut store, -1).expect_err("outside");
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
        assert_eq!(error.backtrace().expect("of both").frames().len(), 2);
    }
}

#[test]
fn millions_of_host_calls_do_not_deepen_the_host_stack() {
    let text = r#"(module
        (import "" "add" (func $add (param i32 i32) (result i32)))
        (import "" "fallible" (func $fallible (param i32) (result i32)))
        (import "" "values" (func $values (param i32) (result i32)))
        (import "" "nothing" (func $nothing))
        (table 1 funcref) (elem (i32.const 0) $add)
        (func (export "run") (param i32) (result i32) (local i32)
            (loop $l
                (local.set 1 (call $add (local.get 1) (i32.const 1)))
                (local.set 1 (call $fallible (local.get 1)))
                (local.set 1 (call $values (local.get 1)))
                (local.set 1 (call_indirect (param i32 i32) (result i32) (local.get 1) (i32.const 1) (i32.const 0)))
                (call $nothing)
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#;
    let (mut store, instance) = linked(text, 0_u64, |linker| {
        linker.func_wrap("", "add", |a: i32, b: i32| a + b)?;
        let fallible = |mut caller: Caller<'_, u64>, a: i32| -> Result<i32, Error> {
            *caller.data_mut() += 1;
            Ok(a)
        };
        linker.func_wrap("", "fallible", fallible)?;
        let ty = FuncType::new([ValType::I32], [ValType::I32]);
        linker.func_new("", "values", ty, |_, args, results| {
            results[0] = args[0];
            Ok(())
        })?;
        linker.func_wrap("", "nothing", || ()).map(|_| ())
    });
    let rounds = 500_000;
    let run = instance
        .get_typed_func::<i32, i32>(&mut store, "run")
        .expect("exported");
    assert_eq!(run.call(&mut store, rounds).expect("no trap"), 2 * rounds);
    assert_eq!(*store.data(), 500_000);
}

#[test]
fn a_host_function_may_call_the_guest_from_another_thread() {
    let text = r#"(module (import "" "elsewhere" (func $elsewhere (param i32) (result i32))) (memory 1)
        (func $recurse (export "recurse") (call $recurse))
        (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
        (func (export "run") (param i32) (result i32) (i32.add (i32.const 1) (call $elsewhere (local.get 0)))))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let elsewhere = |mut caller: Caller<'_, ()>, at: i32| -> Result<i32, Error> {
            let caller = &mut caller;
            let work = move || {
                let recurse = caller
                    .get_export("recurse")
                    .and_then(Extern::into_func)
                    .expect("exported");
                let error = recurse.call(&mut *caller, &[], &mut []).expect_err("it is endless");
                assert_eq!(error.trap(), Some(Trap::StackOverflow));
                let load = caller.get_export("load").and_then(Extern::into_func).expect("exported");
                load.typed::<i32, i32>(&*caller)?.call(caller, at)
            };
            std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
        };
        linker.func_wrap("", "elsewhere", elsewhere).map(|_| ())
    });
    let run = instance
        .get_typed_func::<i32, i32>(&mut store, "run")
        .expect("exported");
    for _ in 0..3 {
        assert_eq!(run.call(&mut store, 0).expect("inside"), 1);
        let error = run.call(&mut store, 65536).expect_err("outside");
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    }
}
