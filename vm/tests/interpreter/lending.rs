//! Stores that are lent to others: guests of several stores that call each
//! other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use vm::{
    AsContextMut, Caller, Config, Engine, Error, Func, Instance, InterruptHandle, Module, Store, Trap, TypedFunc,
};

const COUNTDOWN: &str = r#"(module (import "" "other" (func $other (param i32) (result i32)))
    (func (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $other (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0)))))"#;

type Run = TypedFunc<i32, i32>;

/// The data of a store: the other one, and what to call there.
#[derive(Default)]
struct Parent {
    child: Option<Box<(Store<Child>, Run)>>,
}

#[derive(Default)]
struct Child {
    parents: Option<Run>,
}

fn run<T>(store: &mut Store<T>, module: &Module, other: Func) -> Run {
    let instance = Instance::new(&mut *store, module, &[other.into()]).expect("one import");
    instance.get_typed_func(&mut *store, "run").expect("exported")
}

/// A parent whose guest calls the child's, which calls the parent's, and so on.
fn family(engine: &Engine) -> (Store<Parent>, Run) {
    let module = Module::new(engine, COUNTDOWN).expect("valid");
    let mut child = Store::new(engine, Child::default());
    let up = Func::wrap(
        &mut child,
        |mut caller: Caller<'_, Child>, n: i32| -> Result<i32, Error> {
            let parents = caller.data().parents.expect("set below");
            let parent = caller.lender::<Parent>().expect("it is lent");
            parents.call(parent, n)
        },
    );
    let childs = run(&mut child, &module, up);
    let mut parent = Store::new(engine, Parent::default());
    let down = Func::wrap(
        &mut parent,
        |mut caller: Caller<'_, Parent>, n: i32| -> Result<i32, Error> {
            // It is away while it runs: nobody can run it a second time.
            let Some(mut child) = caller.data_mut().child.take() else {
                return Ok(1000);
            };
            let (store, run) = &mut *child;
            let result = caller.as_context_mut().lend(store, |child| run.call(child, n));
            caller.data_mut().child = Some(child);
            result
        },
    );
    let parents = run(&mut parent, &module, down);
    child.data_mut().parents = Some(parents);
    parent.data_mut().child = Some(Box::new((child, childs)));
    (parent, parents)
}

#[test]
fn calls_go_to_and_fro() {
    let (mut parent, run) = family(&Engine::default());
    assert_eq!(run.call(&mut parent, 0).expect("it returns"), 0);
    assert_eq!(run.call(&mut parent, 1).expect("it returns"), 1);
    assert_eq!(run.call(&mut parent, 2).expect("it returns"), 2);
    assert_eq!(run.call(&mut parent, 3).expect("the child is busy"), 1003);
    assert!(parent.data().child.is_some());
}

#[test]
fn nothing_is_lent_afterwards_or_under_another_type() {
    let engine = Engine::default();
    let mut child = Store::new(&engine, 0_u8);
    let mut parent = Store::new(&engine, "parent");
    let look = Func::wrap(&mut child, |mut caller: Caller<'_, u8>| {
        assert!(caller.lender::<String>().is_none());
        assert!(caller.lender::<u8>().is_none());
        u32::from(caller.lender::<&str>().is_some_and(|parent| *parent.data() == "parent"))
    });
    let look = look.typed::<(), u32>(&child).expect("its type");
    assert_eq!(look.call(&mut child, ()).expect("it returns"), 0);
    let lent = parent.as_context_mut().lend(&mut child, |child| look.call(child, ()));
    assert_eq!(lent.expect("it returns"), 1);
    assert_eq!(look.call(&mut child, ()).expect("it returns"), 0);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        parent
            .as_context_mut()
            .lend(&mut child, |_| std::panic::resume_unwind(Box::new(())));
    }));
    assert!(unwound.is_err());
    assert_eq!(look.call(&mut child, ()).expect("it returns"), 0);
}

#[test]
fn interruptions_reach_who_runs() {
    let engine = Engine::default();
    let spin = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#).expect("valid");
    let mut child = Store::new(&engine, ());
    let instance = Instance::new(&mut child, &spin, &[]).expect("no imports");
    let spin = instance.get_typed_func::<(), ()>(&mut child, "spin").expect("exported");
    let mut parent = Store::new(&engine, ());
    let late = |handle: InterruptHandle| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            handle.interrupt();
        })
    };
    let interrupter = late(parent.interrupt_handle());
    let result = parent.as_context_mut().lend(&mut child, |child| spin.call(child, ()));
    assert_eq!(result.expect_err("it spins").trap(), Some(Trap::Interrupt));
    interrupter.join().expect("it does not panic");
    // One that came before, too. (The parent's is still pending.)
    let start = Instant::now();
    let result = parent.as_context_mut().lend(&mut child, |child| spin.call(child, ()));
    assert_eq!(result.expect_err("it spins").trap(), Some(Trap::Interrupt));
    assert!(start.elapsed() < Duration::from_secs(5));
    // The child's own handle reaches the child alone.
    let mut parent = Store::new(&engine, ());
    let interrupter = late(child.interrupt_handle());
    let result = parent.as_context_mut().lend(&mut child, |child| spin.call(child, ()));
    assert_eq!(result.expect_err("it spins").trap(), Some(Trap::Interrupt));
    interrupter.join().expect("it does not panic");
    let nop = Module::new(&engine, r#"(module (func (export "f")))"#).expect("valid");
    let instance = Instance::new(&mut parent, &nop, &[]).expect("no imports");
    let f = instance.get_typed_func::<(), ()>(&mut parent, "f").expect("exported");
    assert!(f.call(&mut parent, ()).is_ok());
}

#[test]
fn calls_count_together_to_and_fro() {
    let engine = Engine::new(Config::new().max_call_depth(Some(100))).expect("a valid configuration");
    let deep = Module::new(
        &engine,
        r#"(module
            (import "" "next" (func $next (result i32)))
            (func $f (export "deep") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                    (else (call $next)))))"#,
    );
    let deep = deep.expect("valid");
    // What is left to a call of the parent's that the child calls, 30 calls deep.
    let mut parent = Store::new(&engine, ());
    let end = Func::wrap(&mut parent, || 0);
    let parents = Instance::new(&mut parent, &deep, &[end.into()]).expect("all is there");
    let parents = parents
        .get_typed_func::<i32, i32>(&mut parent, "deep")
        .expect("exported");
    let mut child = Store::new(&engine, 0);
    let next = Func::wrap(&mut child, move |mut caller: Caller<'_, i32>| {
        let depth = *caller.data();
        let mut parent = caller.lender::<()>().expect("it is lent");
        parents.call(&mut parent, depth)
    });
    let childs = Instance::new(&mut child, &deep, &[next.into()]).expect("all is there");
    let childs = childs.get_typed_func::<i32, i32>(&mut child, "deep").expect("exported");
    let mut lent = |depth| {
        *child.data_mut() = depth;
        parent.as_context_mut().lend(&mut child, |child| childs.call(child, 29))
    };
    assert_eq!(lent(69).expect("100 calls"), 98);
    assert_eq!(lent(70).expect_err("101 calls").trap(), Some(Trap::StackOverflow));
    assert_eq!(lent(69).expect("as before"), 98);
    assert_eq!(parents.call(&mut parent, 99).expect("its own limit is back"), 99);
}

#[test]
fn calls_in_both_count_together() {
    let engine = Engine::new(Config::new().max_call_depth(Some(100))).expect("a valid configuration");
    let deep = Module::new(
        &engine,
        r#"(module (func $f (export "deep") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $f (i32.sub (local.get 0) (i32.const 1))))
                (else (i32.const 0)))))"#,
    );
    let deep = deep.expect("valid");
    let mut child = Store::new(&engine, ());
    let instance = Instance::new(&mut child, &deep, &[]).expect("no imports");
    let deep = instance
        .get_typed_func::<i32, i32>(&mut child, "deep")
        .expect("exported");
    assert!(deep.call(&mut child, 99).is_ok());
    assert_eq!(
        deep.call(&mut child, 100).expect_err("101 calls").trap(),
        Some(Trap::StackOverflow)
    );
    child.limit_call_depth(50).expect("they are counted");
    assert!(deep.call(&mut child, 49).is_ok());
    assert!(deep.call(&mut child, 50).is_err());
    let mut parent = Store::new(&engine, ());
    parent.limit_call_depth(20).expect("they are counted");
    let mut lent = |n| parent.as_context_mut().lend(&mut child, |child| deep.call(child, n));
    assert!(lent(19).is_ok());
    assert_eq!(lent(20).expect_err("21 calls").trap(), Some(Trap::StackOverflow));
    assert!(deep.call(&mut child, 49).is_ok(), "its own limit is back");
    let mut other = Store::new(&Engine::default(), ());
    assert!(other.limit_call_depth(1).is_err());
}

/// As [`family`], but a child that runs is run again, as often as is asked for.
fn close_family(engine: &Engine) -> (Store<Parent>, Run) {
    let module = Module::new(engine, COUNTDOWN).expect("valid");
    let mut child = Store::new(engine, Child::default());
    let up = Func::wrap(
        &mut child,
        |mut caller: Caller<'_, Child>, n: i32| -> Result<i32, Error> {
            let parents = caller.data().parents.expect("set below");
            let called = caller.in_lender::<Parent, _>(|parent| parents.call(parent, n));
            called.expect("it is lent")
        },
    );
    let childs = run(&mut child, &module, up);
    let mut parent = Store::new(engine, Parent::default());
    let down = Func::wrap(
        &mut parent,
        move |mut caller: Caller<'_, Parent>, n: i32| -> Result<i32, Error> {
            let Some(mut child) = caller.data_mut().child.take() else {
                let mut store = caller.as_context_mut();
                assert!(store.reenter(|_: &Parent| true, |_| ()).is_none(), "no such borrower");
                assert!(store.reenter(|_: &Child| false, |_| ()).is_none(), "not the one");
                let again = store.reenter(|_: &Child| true, |child| childs.call(child, n));
                return again.expect("it runs");
            };
            let result = caller
                .as_context_mut()
                .lend(&mut child.0, |store| child.1.call(store, n));
            caller.data_mut().child = Some(child);
            result
        },
    );
    let parents = run(&mut parent, &module, down);
    child.data_mut().parents = Some(parents);
    parent.data_mut().child = Some(Box::new((child, childs)));
    (parent, parents)
}

#[test]
fn a_store_that_runs_is_entered_again() {
    let (mut parent, run) = close_family(&Engine::default());
    for n in [0, 1, 2, 3, 40] {
        assert_eq!(run.call(&mut parent, n).expect("it returns"), n);
    }
    // Nothing is left of it: without a run there is nothing to enter.
    let again = parent.as_context_mut().reenter(|_: &Child| true, |_| ());
    assert!(again.is_none());
    // The host's stack ends it at some time; both go on afterwards.
    let error = run.call(&mut parent, 1_000_000).expect_err("too deep");
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    assert_eq!(run.call(&mut parent, 7).expect("it returns"), 7);
}

#[test]
fn calls_to_and_fro_of_two_stores_count_together() {
    let engine = Engine::new(Config::new().max_call_depth(Some(20))).expect("a valid configuration");
    let (mut parent, run) = close_family(&engine);
    for _ in 0..2 {
        assert_eq!(run.call(&mut parent, 19).expect("20 calls"), 19);
        let error = run.call(&mut parent, 20).expect_err("21 calls");
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn a_store_is_entered_by_one_at_a_time() {
    let engine = Engine::default();
    let mut child = Store::new(&engine, 5);
    let mut parent = Store::new(&engine, ());
    let up = Func::wrap(&mut child, |mut caller: Caller<'_, i32>| {
        let entered = caller.in_lender::<(), _>(|mut parent| {
            parent.reenter(
                |_: &i32| true,
                |mut child| {
                    // Who reaches the lender from here does not find the child again.
                    let twice = Func::wrap(&mut child, |mut caller: Caller<'_, i32>| {
                        let mut parent = caller.lender::<()>().expect("it is lent");
                        assert!(parent.reenter(|_: &i32| true, |_| ()).is_none());
                    });
                    let called = twice.call(&mut child, &[], &mut []);
                    assert!(called.is_ok());
                    *child.data_mut() += 1;
                },
            )
        });
        assert_eq!(entered, Some(Some(())));
    });
    let up = up.typed::<(), ()>(&child).expect("its type");
    for _ in 0..2 {
        let lent = parent.as_context_mut().lend(&mut child, |child| up.call(child, ()));
        assert!(lent.is_ok());
    }
    assert_eq!(*child.data(), 7);
    // A panic leaves nothing behind.
    let panics = Func::wrap(&mut child, |mut caller: Caller<'_, i32>| {
        caller.in_lender::<(), ()>(|_| std::panic::resume_unwind(Box::new(())));
    });
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        parent
            .as_context_mut()
            .lend(&mut child, |child| panics.call(child, &[], &mut []))
    }));
    assert!(unwound.is_err());
    assert!(parent.as_context_mut().reenter(|_: &i32| true, |_| ()).is_none());
}
