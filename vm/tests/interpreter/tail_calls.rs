//! Tail calls: cycles of any length take constant space, whatever they lead through;
//! arguments get where they belong; callers find what they left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use vm::{
    AsContextMut, Caller, Config, Domain, Engine, Error, Func, Instance, InterruptHandle, Link, Linker, Memory,
    MemoryType, Module, Permissions, Ref, RefType, Store, Table, TableType, Trap,
};

use crate::common::{engines, frame_names, linked, run, trap};

/// Rounds of each cycle.
const TIMES: i32 = if cfg!(debug_assertions) { 300_000 } else { 10_000_000 };

/// An engine with the smallest value stack, and otherwise as `set` says.
fn small(set: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    config.max_wasm_stack(64 << 10).wasm_function_references(true);
    set(&mut config);
    Engine::new(&config).expect("a valid configuration")
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).expect("valid")
}

/// Calls `run` with the number of rounds; it gives how often something was done.
fn rounds<T: 'static>(store: &mut Store<T>, instance: Instance, times: i32) -> i64 {
    let run = instance
        .get_typed_func::<i32, i64>(&mut *store, "run")
        .expect("exported");
    run.call(store, times).expect("it returns")
}

/// Cycles within a module: `run` counts down from its parameter and gives the rounds.
const CYCLES: &[(&str, &str)] = &[
    (
        "itself",
        r#"(func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0)))
        (func $f (param i32 i64) (result i64)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call $f (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))))"#,
    ),
    (
        "functions of other types",
        r#"(func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0)))
        (func $f (param i32 i64) (result i64) (local i64 f64)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call $g (i64.const 7) (local.get 1) (f64.const 1) (i32.const 9) (local.get 0)))
        (func $g (param i64 i64 f64 i32 i32) (result i64)
            (return_call $h (i64.extend_i32_u (i32.sub (local.get 4) (i32.const 1)))
                (i64.add (local.get 1) (i64.trunc_f64_s (local.get 2))) (local.get 4) (local.get 4) (local.get 4)
                (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4)
                (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4) (local.get 4)))
        (func $h (param i64 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i64)
            (return_call $f (i32.wrap_i64 (local.get 0)) (local.get 1)))"#,
    ),
    (
        "a table",
        r#"(table funcref (elem $f $g)) (type $f (func (param i32 i64 i32) (result i64)))
        (func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0) (i32.const 1)))
        (func $f (type $f)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const 1))
                (i32.xor (local.get 2) (i32.const 1)) (local.get 2)))
        (func $g (type $f) (return_call_indirect (type $f) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))"#,
    ),
    (
        "a table, and other types",
        r#"(table funcref (elem $f $g)) (type $f (func (param i32 i64) (result i64)))
        (type $g (func (param i64 i32 i32 i32) (result i64)))
        (func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0)))
        (func $f (type $f)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call_indirect (type $g) (local.get 1) (local.get 0) (i32.const 1) (i32.const 0) (i32.const 1)))
        (func $g (type $g) (return_call_indirect (type $f) (i32.sub (local.get 1) (local.get 2))
            (i64.add (local.get 0) (i64.const 1)) (local.get 3)))"#,
    ),
    (
        "references",
        r#"(type $f (func (param i32 i64) (result i64))) (type $g (func (param i64 i32 f64) (result i64)))
        (elem declare func $f $g)
        (func (export "run") (param i32) (result i64)
            (return_call_ref $f (local.get 0) (i64.const 0) (ref.func $f)))
        (func $f (type $f) (local (ref null $g))
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (local.set 2 (ref.func $g))
            (return_call_ref $g (local.get 1) (local.get 0) (f64.const 1) (local.get 2)))
        (func $g (type $g) (return_call_ref $f (i32.sub (local.get 1) (i32.const 1))
            (i64.add (local.get 0) (i64.trunc_f64_s (local.get 2))) (ref.func $f)))"#,
    ),
    (
        "vectors",
        r#"(func (export "run") (param i32) (result i64)
            (i64x2.extract_lane 0 (call $f (v128.const i64x2 0 5) (local.get 0) (v128.const i64x2 1 7) (v128.const i64x2 11 13))))
        (func $f (param v128 i32 v128 v128) (result v128)
            (if (i32.eqz (local.get 1)) (then (return (local.get 0))))
            (return_call $g (i32.sub (local.get 1) (i32.const 1)) (i64x2.add (local.get 0) (local.get 2)) (local.get 3)
                (local.get 2)))
        (func $g (param i32 v128 v128 v128) (result v128)
            (return_call $f (i64x2.replace_lane 1 (local.get 1) (i64.const 0)) (local.get 0) (local.get 3) (local.get 2)))"#,
    ),
    (
        "calls between",
        r#"(func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0)))
        (func $one (result i32) (return_call $two (i32.const 3) (i32.const 4)))
        (func $two (param i32 i32) (result i32) (i32.sub (local.get 1) (local.get 0)))
        (func $f (param i32 i64) (result i64)
            (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
            (return_call $f (i32.sub (local.get 0) (call $one)) (i64.add (local.get 1) (i64.const 1))))"#,
    ),
];

#[test]
fn cycles_within_a_module_take_constant_space() {
    for set in [
        |_: &mut Config| {},
        |config: &mut Config| {
            config.consume_fuel(true).max_call_depth(Some(3));
        },
    ] {
        let engine = small(set);
        for (what, text) in CYCLES {
            let mut store = Store::new(&engine, ());
            let before = store.set_fuel(1 << 40).is_ok();
            let instance = Instance::new(&mut store, &module(&engine, text), &[]).expect("it imports nothing");
            assert_eq!(rounds(&mut store, instance, TIMES), i64::from(TIMES), "{what}");
            if before {
                let used = (1 << 40) - store.get_fuel().expect("it is counted");
                assert!(used > 5 * u64::from(TIMES.unsigned_abs()), "{what}: {used}");
            }
        }
    }
}

/// Two instances that tail-call each other by a table, and count in memories of their
/// own or in one that they share.
fn partners(store: &mut Store<()>, domains: [&Domain; 2], shared: bool) -> [Instance; 2] {
    let engine = store.engine().clone();
    let table = TableType::new(RefType::FUNCREF, 2, None);
    let table = Table::new(&mut *store, table, Ref::Func(None)).expect("there is room");
    let memory = match shared {
        true => r#"(import "env" "memory" (memory 1))"#,
        false => "(memory 1)",
    };
    let common = Memory::new(&mut *store, MemoryType::new(1, None)).expect("there is room");
    [0, 1].map(|own: i32| {
        let other = 1 - own;
        let step = 1 + 2 * own;
        let text = format!(
            r#"(module (import "env" "table" (table 2 funcref)) {memory}
            (type $f (func (param i32 i64) (result i64)))
            (elem (i32.const {own}) $f)
            (func $count (export "count") (result i32)
                (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const {step})))
                (i32.load (i32.const 8)))
            (func $f (type $f)
                (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                (drop (call $count))
                (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1))
                    (i64.add (local.get 1) (i64.const 1)) (i32.const {other})))
            (func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0)))
            (func (export "within") (param i32) (result i64 i32)
                (call $f (local.get 0) (i64.const 0)) (call $count)))"#
        );
        let mut imports = vec![table.into()];
        if shared {
            imports.push(common.into());
        }
        let module = module(&engine, &text);
        Instance::new_in(&mut *store, &module, &imports, domains[usize::from(own == 1)]).expect("it fits")
    })
}

#[test]
fn cycles_across_modules_and_domains_take_constant_space() {
    let first = || Domain::new("first", Permissions::all());
    for guard in [true, false] {
        let engine = small(|config| {
            config.memory_guard(guard);
        });
        for shared in [false, true] {
            for other in [false, true] {
                let mut store = Store::new(&engine, ());
                let domain = first();
                let second = domain.child("second", Permissions::all());
                let domains = if other { [&domain, &second] } else { [&domain, &domain] };
                let both = partners(&mut store, domains, shared);
                let times = TIMES / 4 * 2;
                assert_eq!(rounds(&mut store, both[0], times), i64::from(times));
                let within = both[1].get_typed_func::<i32, (i64, i32)>(&mut store, "within");
                let within = within.expect("exported");
                let (rounds, counted) = within.call(&mut store, times).expect("it returns");
                assert_eq!(rounds, i64::from(times));
                // Half of both runs' rounds are the second's.
                assert_eq!(counted, if shared { 4 * times + 3 } else { 3 * times + 3 });
            }
        }
    }
}

#[test]
fn every_ordinary_call_may_have_a_stub_of_its_own() {
    // Down to some depth by ordinary calls, each of a function that tail-calls into
    // the other module and comes back from there.
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let (first, second) = (Domain::default(), Domain::new("second", Permissions::all()));
    for domains in [[&first, &first], [&first, &second]] {
        let table = TableType::new(RefType::FUNCREF, 2, None);
        let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
        let instances = [0, 1].map(|own: i32| {
            let text = format!(
                r#"(module (import "env" "table" (table 2 funcref))
                (type $f (func (param i64) (result i64 i32 f64 i64 i32)))
                (elem (i32.const {own}) $f)
                (func $f (export "run") (type $f) (local $a i64) (local $b i32) (local $c f64) (local $d i64) (local $e i32)
                    (if (i64.eqz (local.get 0)) (then
                        (return (i64.const 0) (i32.const 1) (f64.const 2) (i64.const 3) (i32.const 4))))
                    (call $g (i64.sub (local.get 0) (i64.const 1)))
                    (local.set $e) (local.set $d) (local.set $c) (local.set $b) (local.set $a)
                    (i64.add (local.get $a) (i64.const {step}))
                    (local.get $b) (local.get $c) (local.get $d) (local.get $e))
                (func $g (type $f) (return_call_indirect (type $f) (local.get 0) (i32.const {other}))))"#,
                step = if own == 0 { 1 } else { 1000 },
                other = 1 - own,
            );
            let module = module(&engine, &text);
            Instance::new_in(&mut store, &module, &[table.into()], domains[usize::from(own == 1)]).expect("it fits")
        });
        let run = instances[0].get_typed_func::<i64, (i64, i32, f64, i64, i32)>(&mut store, "run");
        let run = run.expect("exported");
        for depth in [1, 2, 3, 500] {
            let found = run.call(&mut store, depth).expect("it returns");
            let sum = (depth + 1) / 2 + depth / 2 * 1000;
            assert_eq!(found, (sum, 1, 2.0, 3, 4), "{depth}");
        }
    }
}

#[test]
fn imports_are_bound_by_tail_calls() {
    let engine = small(|_| {});
    let mut store = Store::new(&engine, None::<Instance>);
    let text = |with: &str| {
        format!(
            r#"(module (import "env" "f" (func $f (param i32 i64 f32) (result i64)))
            (func $g (export "f") (param i32 i64 f32) (result i64)
                (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                (return_call $f (i32.sub (local.get 0) (i32.const 1)) (i64.add (local.get 1) (i64.const {with})) (local.get 2)))
            (func (export "run") (param i32) (result i64) (return_call $f (local.get 0) (i64.const 0) (f32.const 0)))
            (func (export "within") (param i32) (result i64)
                (i64.add (i64.const 100) (call $g (local.get 0) (i64.const 0) (f32.const 0)))))"#
        )
    };
    let found = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&found);
    let second = module(&engine, &text("1"));
    let first = Instance::link(
        &mut store,
        &module(&engine, &text("1")),
        &[Link::Unbound],
        move |mut store, _| {
            count.fetch_add(1, Ordering::Relaxed);
            if count.load(Ordering::Relaxed) == 1 {
                return Err(Trap::UnreachableCodeReached.into());
            }
            let first = store.data().expect("set below");
            let other = Instance::link(&mut store, &second, &[Link::Unbound], move |mut store, _| {
                Ok(first.get_func(&mut store, "f").expect("exported"))
            })?;
            Ok(other.get_func(&mut store, "f").expect("exported"))
        },
    );
    let first = first.expect("it fits");
    *store.data_mut() = Some(first);
    let run = first.get_typed_func::<i32, i64>(&mut store, "run").expect("exported");
    let error = run.call(&mut store, 5).expect_err("the first search fails");
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    assert_eq!(frame_names(&error), ["run"]);
    assert_eq!(rounds(&mut store, first, TIMES), i64::from(TIMES));
    assert_eq!(found.load(Ordering::Relaxed), 2);
    let within = first
        .get_typed_func::<i32, i64>(&mut store, "within")
        .expect("exported");
    assert_eq!(within.call(&mut store, 1000).expect("it returns"), 1100);
}

#[test]
fn host_functions_return_to_the_callers_caller() {
    let text = r#"(module
        (import "host" "add" (func $add (param i32 i64) (result i64 i32)))
        (import "host" "fail" (func $fail (param i32) (result i32)))
        (import "host" "again" (func $again (param i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\2a")
        (table funcref (elem $add $fail))
        (type $fail (func (param i32) (result i32)))
        (func $tail (param i64) (result i64 i32) (return_call $add (i32.const 5) (local.get 0)))
        (func $wide (param i64 i64 i64 i64 i64) (result i64 i32) (local i64) (return_call $add (i32.const 5) (local.get 3)))
        (func (export "direct") (param i64) (result i64 i32) (return_call $add (i32.const 5) (local.get 0)))
        (func (export "within") (param i64) (result i64 i32)
            (i64.const 1000) (call $tail (local.get 0)) (drop)
            (i64.add) (i32.load8_u (i32.const 0)))
        (func (export "wide") (param i64) (result i64 i32)
            (call $wide (i64.const 1) (i64.const 2) (i64.const 3) (local.get 0) (i64.const 5)))
        (func $failing (param i32) (result i32) (return_call_indirect (type $fail) (local.get 0) (i32.const 1)))
        (func $outer (param i32) (result i32) (i32.add (call $failing (local.get 0)) (i32.const 1)))
        (func (export "fails") (param i32) (result i32) (i32.add (call $outer (local.get 0)) (i32.const 1)))
        (func (export "direct_fails") (param i32) (result i32) (return_call $fail (local.get 0)))
        (func $loop (param i32) (result i32) (return_call $again (local.get 0)))
        (func (export "down") (param i32) (result i32)
            (if (result i32) (local.get 0) (then (return_call $loop (local.get 0))) (else (i32.const 7))))
        (func (export "many") (param i32) (result i64) (local i64)
            (loop (drop (call $tail (local.get 1))) (local.set 1) 
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.get 1)))"#;
    let (mut store, guest) = linked(text, (), |linker| {
        linker.func_wrap("host", "add", |mut caller: Caller<'_, ()>, a: i32, b: i64| {
            let memory = caller
                .get_export("memory")
                .and_then(|it| it.into_memory())
                .expect("the caller's");
            let mut byte = [0];
            memory.read(&caller, 0, &mut byte).expect("in bounds");
            (i64::from(a) + b, i32::from(byte[0]))
        })?;
        linker.func_wrap("host", "fail", |a: i32| match a {
            0 => Err(Trap::UnreachableCodeReached.into()),
            a => Ok::<i32, Error>(a),
        })?;
        linker.func_wrap("host", "again", |mut caller: Caller<'_, ()>, a: i32| {
            let down = caller
                .get_export("down")
                .and_then(|it| it.into_func())
                .expect("the caller's");
            down.typed::<i32, i32>(&caller)?.call(caller.as_context_mut(), a - 1)
        })?;
        Ok(())
    });
    for (name, expected) in [("direct", (15, 42)), ("within", (1015, 42)), ("wide", (15, 42))] {
        let func = guest
            .get_typed_func::<i64, (i64, i32)>(&mut store, name)
            .expect("exported");
        assert_eq!(func.call(&mut store, 10).expect("it returns"), expected, "{name}");
    }
    let fails = guest.get_typed_func::<i32, i32>(&mut store, "fails").expect("exported");
    assert_eq!(fails.call(&mut store, 5).expect("it returns"), 7);
    assert_eq!(
        frame_names(&fails.call(&mut store, 0).expect_err("it fails")),
        ["outer", "fails"]
    );
    let fails = guest
        .get_typed_func::<i32, i32>(&mut store, "direct_fails")
        .expect("exported");
    assert_eq!(fails.call(&mut store, 5).expect("it returns"), 5);
    let error = fails.call(&mut store, 0).expect_err("it fails");
    assert_eq!(
        (error.trap(), frame_names(&error).len()),
        (Some(Trap::UnreachableCodeReached), 0)
    );
    let down = guest.get_typed_func::<i32, i32>(&mut store, "down").expect("exported");
    assert_eq!(down.call(&mut store, 10).expect("it returns"), 7);
    let many = guest.get_typed_func::<i32, i64>(&mut store, "many").expect("exported");
    assert_eq!(many.call(&mut store, 100_000).expect("it returns"), 500_000);
}

#[test]
fn a_larger_frame_meets_the_end_of_the_stack() {
    let engine = small(|_| {});
    // The deepest frame is anywhere at the end of the stack, of whatever size.
    for (locals, params) in [(0, 1), (1, 20), (40_000, 3), (3, 900)] {
        let many = |text: &str, times: usize| vec![text; times].join(" ");
        let text = format!(
            r#"(module (import "env" "table" (table 2 funcref))
            (type $large (func (param {types})))
            (func $large (export "large") (type $large) (local {own}))
            (func $tail (param i32) {args} (return_call $large))
            (func $other (param i32) {args} (i32.const 0) (return_call_indirect (type $large)))
            (func $down (param i32 i32)
                (if (i32.eqz (local.get 0)) (then (if (local.get 1) (then (call $other (i32.const 1))) (else (call $tail (i32.const 1)))) (return)))
                (call $down (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))
            (func (export "run") (param i32 i32) (call $down (local.get 0) (local.get 1))))"#,
            types = many("i64", params),
            args = many("(i64.const 5)", params),
            own = many("i64", locals),
        );
        let mut store = Store::new(&engine, ());
        let table = TableType::new(RefType::FUNCREF, 2, None);
        let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
        let module = module(&engine, &text);
        let guest = Instance::new(&mut store, &module, &[table.into()]).expect("it fits");
        let other = Instance::new(&mut store, &module, &[table.into()]).expect("it fits");
        let large = other.get_func(&mut store, "large").expect("exported");
        table.set(&mut store, 0, Ref::Func(Some(large))).expect("in bounds");
        let run = guest
            .get_typed_func::<(i32, i32), ()>(&mut store, "run")
            .expect("exported");
        for out in [0, 1] {
            let mut returned = 0;
            for depth in (0..100).step_by(9).chain((900..1500).step_by(2)) {
                match run.call(&mut store, (depth, out)) {
                    Ok(()) => returned += 1,
                    Err(error) => {
                        assert_eq!(error.trap(), Some(Trap::StackOverflow));
                        let frames = usize::try_from(depth).expect("small") + 3;
                        assert_eq!(frame_names(&error).len(), frames.min(100), "{error:?}");
                    }
                }
            }
            assert!(returned > 0 || locals > 8192 || params > 8192 / 2);
        }
    }
}

#[test]
fn a_tail_call_does_not_deepen() {
    let mut config = Config::new();
    config.max_call_depth(Some(2));
    let engine = Engine::new(&config).expect("a valid configuration");
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "nop", |mut caller: Caller<'_, ()>, depth: i32| {
            let again = caller
                .get_export("again")
                .and_then(|it| it.into_func())
                .expect("the caller's");
            match depth {
                0 => Ok(0),
                _ => again
                    .typed::<i32, i32>(&caller)?
                    .call(caller.as_context_mut(), depth - 1),
            }
        })
        .expect("the name is free");
    let module = module(
        &engine,
        r#"(module (import "host" "nop" (func $nop (param i32) (result i32)))
            (func $f (param i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
                (return_call $g (i32.const 1) (i32.sub (local.get 0) (i32.const 1))))
            (func $g (param i32 i32) (result i32) (return_call $f (local.get 1)))
            (func (export "run") (param i32) (result i32)
                (drop (call $f (local.get 0))) (drop (call $f (local.get 0))) (call $f (local.get 0)))
            (func (export "deeper") (param i32) (result i32) (call $h (local.get 0)))
            (func $h (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))
            (func (export "again") (param i32) (result i32) (return_call $nop (local.get 0))))"#,
    );
    let mut store = Store::new(&engine, ());
    let guest = linker.instantiate(&mut store, &module).expect("nothing is missing");
    let call = |store: &mut Store<()>, name, times| {
        let func = guest.get_typed_func::<i32, i32>(&mut *store, name).expect("exported");
        func.call(store, times).map_err(|error| error.trap())
    };
    for _ in 0..3 {
        assert_eq!(call(&mut store, "run", 1000), Ok(7));
        assert_eq!(call(&mut store, "deeper", 0), Err(Some(Trap::StackOverflow)));
        assert_eq!(call(&mut store, "again", 40), Ok(0), "each left its frame");
    }
}

#[test]
fn an_endless_cycle_uses_up_its_fuel_and_can_be_interrupted() {
    let text = r#"(module (import "env" "table" (table 1 funcref)) (type $v (func))
        (type $w (func (param i32 i32 i32) (result i32)))
        (func $itself (export "itself") (return_call $itself))
        (func (export "other") (drop (call $a)))
        (func $a (result i32) (return_call $b (i32.const 1) (i32.const 2) (i32.const 3)))
        (func $b (type $w) (return_call $a))
        (func (export "table") (return_call_indirect (type $v) (i32.const 0))))"#;
    let config = || {
        let mut config = Config::new();
        config.consume_fuel(true);
        Engine::new(&config).expect("a valid configuration")
    };
    for fuel in [true, false] {
        let engine = if fuel { config() } else { Engine::default() };
        let mut store = Store::new(&engine, ());
        let table = TableType::new(RefType::FUNCREF, 1, None);
        let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
        let module = module(&engine, text);
        let both = [0, 1].map(|_| Instance::new(&mut store, &module, &[table.into()]).expect("it fits"));
        for (name, own) in [("itself", true), ("other", true), ("table", true), ("table", false)] {
            let func = both[usize::from(!own)].get_func(&mut store, "table").expect("exported");
            table.set(&mut store, 0, Ref::Func(Some(func))).expect("in bounds");
            if fuel {
                store.set_fuel(100_000).expect("it is counted");
                assert_eq!(trap(&mut store, both[0], name), Some(Trap::OutOfFuel), "{name}");
            } else {
                for _ in 0..3 {
                    let thread = soon(store.interrupt_handle());
                    let error = run(&mut store, both[0], name).expect_err("stopped");
                    assert_eq!(error.trap(), Some(Trap::Interrupt), "{name}");
                    thread.join().expect("no panic");
                }
            }
        }
    }
}

/// Interrupts a moment later.
fn soon(handle: InterruptHandle) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(5));
        handle.interrupt();
    })
}

/// What an argument of a random tail call is.
#[derive(Clone, Debug)]
enum Argument {
    /// A parameter of the caller's.
    Param(usize),
    /// A local of the caller's that is no parameter.
    Local(usize),
    /// A constant.
    Const(i64),
    /// A sum of a parameter and a constant, made by an instruction.
    Sum(usize, i64),
}

fn argument(params: usize, locals: usize) -> impl Strategy<Value = Argument> {
    let param = 0..params.max(1);
    prop_oneof![
        4 => param.clone().prop_map(Argument::Param),
        1 => (0..locals.max(1)).prop_map(Argument::Local),
        1 => (0..100_i64).prop_map(Argument::Const),
        2 => (param, 0..100_i64).prop_map(|(param, more)| Argument::Sum(param, more)),
    ]
}

/// A caller's parameters and locals, arguments, and the way to the callee.
fn case() -> impl Strategy<Value = (usize, usize, Vec<Argument>, usize, bool)> {
    (1..24_usize, 1..4_usize).prop_flat_map(|(params, locals)| {
        let arguments = proptest::collection::vec(argument(params, locals), 0..24);
        (Just(params), Just(locals), arguments, 0..4_usize, any::<bool>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
    #[test]
    fn arguments_get_where_they_belong((params, locals, arguments, way, by_call) in case()) {
        let param = |i: usize| 1000 + 7 * i64::try_from(i).expect("small");
        let local = |i: usize| 2000 + i64::try_from(i).expect("small");
        let text_of = |argument: &Argument| match argument {
            Argument::Param(i) => format!("(local.get {i})"),
            Argument::Local(i) => format!("(local.get {})", params + i),
            Argument::Const(value) => format!("(i64.const {value})"),
            Argument::Sum(i, more) => format!("(i64.add (local.get {i}) (i64.const {more}))"),
        };
        let value_of = |argument: &Argument| match argument {
            Argument::Param(i) => param(*i),
            Argument::Local(i) => local(*i),
            Argument::Const(value) => *value,
            Argument::Sum(i, more) => param(*i) + more,
        };
        // The callee tells all of its parameters by a number of each place.
        let weight = |i: usize| 3_i64.wrapping_pow(u32::try_from(i).expect("small"));
        let expected = arguments.iter().enumerate().fold(0_i64, |sum, (i, argument)| {
            sum.wrapping_add(value_of(argument).wrapping_mul(weight(i)))
        });
        let types = |n: usize| vec!["i64"; n].join(" ");
        let body: String = (0..arguments.len())
            .map(|i| format!("(i64.add (i64.mul (local.get {i}) (i64.const {})))", weight(i)))
            .collect();
        let target = match way {
            0 => "(return_call $g)".to_owned(),
            1 => "(return_call_indirect (type $g) (i32.const 0))".to_owned(),
            2 => "(return_call $other)".to_owned(),
            // The index in a slot of its own, made before the arguments.
            _ => format!("(return_call_indirect (type $g) (i32.wrap_i64 (local.get {})))", params + locals),
        };
        let text = format!(
            r#"(module (type $g (func (param {callee}) (result i64)))
            (import "env" "g" (func $other (type $g)))
            (table funcref (elem $g))
            (func $g (export "g") (type $g) i64.const 0 {body})
            (func $f (param {caller}) (result i64) (local {own} i64)
                {set} {args} {target})
            (func (export "run") (result i64) {enter} {call}))"#,
            callee = types(arguments.len()),
            caller = types(params),
            own = types(locals),
            set = (0..locals).map(|i| format!("(local.set {} (i64.const {}))", params + i, local(i))).collect::<String>(),
            args = arguments.iter().map(text_of).collect::<String>(),
            enter = (0..params).map(|i| format!("(i64.const {})", param(i))).collect::<String>(),
            call = if by_call { "(call $f)" } else { "(return_call $f)" },
        );
        let engine = Engine::default();
        let module = Module::new(&engine, &text).expect("valid");
        let mut store = Store::new(&engine, ());
        let ty = vm::FuncType::new(vec![vm::ValType::I64; arguments.len()], [vm::ValType::I64]);
        let unused = Func::new(&mut store, ty, |_, _, _| Err(Trap::UnreachableCodeReached.into()));
        let other = Instance::new(&mut store, &module, &[unused.into()]).expect("it fits");
        let other = other.get_func(&mut store, "g").expect("exported");
        let guest = Instance::new(&mut store, &module, &[other.into()]).expect("it fits");
        let run = guest.get_typed_func::<(), i64>(&mut store, "run").expect("exported");
        for _ in 0..2 {
            prop_assert_eq!(run.call(&mut store, ()).expect("it returns"), expected, "{}", text);
        }
    }
}

#[test]
fn memories_and_globals_are_the_callers_again() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let callee = module(
            &engine,
            r#"(module (memory 1) (data (i32.const 0) "\02") (global $g (mut i32) (i32.const 20))
                (func (export "f") (param i32) (result i32 i32 i32)
                    (local.get 0) (i32.load8_u (i32.const 0)) (global.get $g)))"#,
        );
        let callee = Instance::new(&mut store, &callee, &[]).expect("it imports nothing");
        let f = callee.get_func(&mut store, "f").expect("exported");
        let caller = module(
            &engine,
            r#"(module (import "env" "f" (func $f (param i32) (result i32 i32 i32)))
                (memory 1) (data (i32.const 0) "\01") (global $g (mut i32) (i32.const 10))
                (type $t (func (param i32) (result i32 i32 i32))) (table funcref (elem $direct $indirect))
                (func $direct (type $t) (return_call $f (local.get 0)))
                (func $indirect (type $t) (return_call $direct (local.get 0)))
                (func (export "run") (param i32) (result i32 i32 i32 i32 i32)
                    (call_indirect (type $t) (i32.const 5) (local.get 0))
                    (i32.load8_u (i32.const 0)) (global.get $g))
                (func (export "called") (result i32 i32 i32 i32 i32)
                    (call $indirect (i32.const 5)) (i32.load8_u (i32.const 0)) (global.get $g)))"#,
        );
        let caller = Instance::new(&mut store, &caller, &[f.into()]).expect("it fits");
        let run = caller
            .get_typed_func::<i32, (i32, i32, i32, i32, i32)>(&mut store, "run")
            .expect("exported");
        for by in [0, 1] {
            assert_eq!(run.call(&mut store, by).expect("it returns"), (5, 2, 20, 1, 10));
        }
        let called = caller.get_typed_func::<(), (i32, i32, i32, i32, i32)>(&mut store, "called");
        assert_eq!(
            called.expect("exported").call(&mut store, ()).expect("it returns"),
            (5, 2, 20, 1, 10)
        );
    }
}

#[test]
fn references_lead_to_functions_of_other_instances() {
    let engine = small(|_| {});
    let mut store = Store::new(&engine, ());
    let callee = module(
        &engine,
        r#"(module (type $f (func (param i32) (result i32 i32)))
            (memory 1) (data (i32.const 0) "\02") (elem declare func $f)
            (func $f (export "f") (type $f) (local.get 0) (i32.load8_u (i32.const 0)))
            (func (export "get") (result (ref null $f)) (ref.func $f)))"#,
    );
    let callee = Instance::new(&mut store, &callee, &[]).expect("it imports nothing");
    let get = callee.get_func(&mut store, "get").expect("exported");
    let host = Func::wrap(&mut store, |x: i32| (x, 3));
    let caller = module(
        &engine,
        r#"(module (type $f (func (param i32) (result i32 i32)))
            (import "env" "get" (func $get (result (ref null $f)))) (import "env" "host" (func $host (type $f)))
            (memory 1) (data (i32.const 0) "\01") (elem declare func $own $host)
            (func $own (type $f) (local.get 0) (i32.load8_u (i32.const 0)))
            (func $which (param i32) (result (ref null $f))
                (if (i32.eqz (local.get 0)) (then (return (ref.func $own))))
                (if (i32.eq (local.get 0) (i32.const 1)) (then (return_call $get)))
                (if (i32.eq (local.get 0) (i32.const 2)) (then (return (ref.func $host))))
                (ref.null $f))
            (func (export "call") (param i32) (result i32 i32 i32)
                (call_ref $f (i32.const 5) (call $which (local.get 0))) (i32.load8_u (i32.const 0)))
            (func $tail (param i32) (result i32 i32) (return_call_ref $f (i32.const 5) (call $which (local.get 0))))
            (func (export "tail") (param i32) (result i32 i32 i32)
                (call $tail (local.get 0)) (i32.load8_u (i32.const 0))))"#,
    );
    let caller = Instance::new(&mut store, &caller, &[get.into(), host.into()]).expect("it fits");
    for (name, inner) in [("call", "call"), ("tail", "tail")] {
        let func = caller
            .get_typed_func::<i32, (i32, i32, i32)>(&mut store, name)
            .expect("exported");
        for _ in 0..3 {
            for (which, memory) in [(0, 1), (1, 2), (2, 3)] {
                assert_eq!(
                    func.call(&mut store, which).expect("it returns"),
                    (5, memory, 1),
                    "{name}"
                );
            }
            let error = func.call(&mut store, 3).expect_err("the reference is null");
            assert_eq!(error.trap(), Some(Trap::NullFuncReference));
            assert_eq!(error.to_string(), "null function reference");
            assert_eq!(frame_names(&error)[0], inner);
        }
    }
}
