//! Tail calls seen from outside: rights, backtraces, and instances that have left their
//! frames.

use vm::{
    AsContextMut, Caller, Capability, Domain, Engine, Func, Instance, Linker, Module, Permissions, Ref, RefType,
    Requirement, Store, Table, TableType, Trap, Val,
};

use crate::common::{frame_names, instance, run};

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).expect("valid")
}

/// A restricted domain, and one that it can call, which may do more.
struct Rights {
    linker: Linker<()>,
    store: Store<()>,
    may: Domain,
    may_not: Domain,
}

impl Rights {
    fn new() -> Self {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        let clock = Requirement::new(Capability::Clock).or_return(Val::I32(-1));
        linker
            .func_wrap_requiring("host", "clock", clock, || 7)
            .expect("the name is free");
        let may = Domain::new("may", Permissions::all());
        let may_not = may.child("may not", Permissions::all().drop(Capability::Clock));
        Self {
            linker,
            store: Store::new(&engine, ()),
            may,
            may_not,
        }
    }

    /// An instance whose exports can be imported by its name.
    fn add(&mut self, name: &str, allowed: bool, text: &str) -> Instance {
        let module = module(self.store.engine(), text);
        let domain = if allowed { &self.may } else { &self.may_not }.clone();
        let made = self.linker.instantiate_in(&mut self.store, &module, &domain);
        let made = made.expect("nothing is missing");
        self.linker
            .instance(&mut self.store, name, made)
            .expect("the name is free");
        made
    }

    fn call(&mut self, instance: Instance, name: &str) -> i32 {
        let func = instance
            .get_typed_func::<(), i32>(&mut self.store, name)
            .expect("exported");
        func.call(&mut self.store, ()).expect("it returns")
    }
}

#[test]
fn a_tail_call_gains_no_rights() {
    let mut rights = Rights::new();
    let able = rights.add(
        "able",
        true,
        r#"(module (import "host" "clock" (func $clock (result i32)))
            (func (export "call") (result i32) (call $clock))
            (func (export "tail") (result i32) (return_call $clock))
            (func (export "deep") (result i32) (return_call $tail))
            (func $tail (result i32) (return_call $clock)))"#,
    );
    let unable = rights.add(
        "unable",
        false,
        r#"(module (import "able" "call" (func $call (result i32))) (import "able" "tail" (func $tail (result i32)))
            (import "able" "deep" (func $deep (result i32))) (import "host" "clock" (func $clock (result i32)))
            (func (export "own") (result i32) (return_call $clock))
            (func (export "call") (result i32) (return_call $call))
            (func (export "tail") (result i32) (return_call $tail))
            (func $deep_ (export "deep") (result i32) (return_call $deep))
            (func (export "inner") (result i32) (i32.add (call $deep_) (i32.const 0))))"#,
    );
    // From the host, and from one who may all.
    let third = rights.add(
        "third",
        true,
        r#"(module (import "unable" "call" (func $call (result i32))) (import "unable" "tail" (func $tail (result i32)))
            (import "able" "tail" (func $able (result i32)))
            (import "host" "clock" (func $clock (result i32)))
            (func $c (export "call") (result i32) (return_call $call))
            (func $t (export "tail") (result i32) (return_call $tail))
            (func $a (export "able") (result i32) (return_call $able))
            (func (export "inner") (result i32) (i32.add (call $c) (call $t)))
            (func (export "able_inner") (result i32) (i32.add (call $a) (call $able)))
            (func (export "after") (result i32) (drop (call $c)) (drop (call $t)) (call $clock)))"#,
    );
    for name in ["call", "tail", "deep"] {
        assert_eq!(rights.call(able, name), 7, "{name}");
    }
    for name in ["own", "call", "tail", "deep", "inner"] {
        assert_eq!(rights.call(unable, name), -1, "{name}");
    }
    for (name, expected) in [
        ("call", -1),
        ("tail", -1),
        ("inner", -2),
        ("able", 7),
        ("able_inner", 14),
        ("after", 7),
    ] {
        assert_eq!(rights.call(third, name), expected, "{name}");
    }
}

#[test]
fn rights_are_those_of_all_who_left_their_frames() {
    // A hundred domains in a ring; all but one may. Whoever calls first, the one is on
    // the way of calls that go far enough.
    const RING: usize = 100;
    const UNABLE: usize = 70;
    let mut rights = Rights::new();
    let table = TableType::new(RefType::FUNCREF, u32::try_from(RING).expect("small"), None);
    let table = Table::new(&mut rights.store, table, Ref::Func(None)).expect("there is room");
    rights
        .linker
        .define(&rights.store, "env", "table", table)
        .expect("the name is free");
    let instances: Vec<Instance> = (0..RING)
        .map(|i| {
            let text = format!(
                r#"(module (import "env" "table" (table {RING} funcref)) (import "host" "clock" (func $clock (result i32)))
                (type $f (func (param i32) (result i32)))
                (elem (i32.const {i}) $f)
                (func $f (type $f)
                    (if (i32.eqz (local.get 0)) (then (return (call $clock))))
                    (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const {next})))
                (func (export "run") (param i32) (result i32) (call $f (local.get 0)))
                (func (export "start") (param i32) (result i32) (return_call $f (local.get 0))))"#,
                next = (i + 1) % RING
            );
            let permissions = match i {
                UNABLE => Permissions::all().drop(Capability::Clock),
                _ => Permissions::all(),
            };
            let domain = rights.may.child(&format!("domain {i}"), permissions);
            let module = module(rights.store.engine(), &text);
            let made = rights.linker.instantiate_in(&mut rights.store, &module, &domain);
            made.expect("nothing is missing")
        })
        .collect();
    for (first, instance) in instances.iter().enumerate() {
        for name in ["run", "start"] {
            let run = instance
                .get_typed_func::<i32, i32>(&mut rights.store, name)
                .expect("exported");
            for steps in [0, 1, 10, 63, 64, 65, 99, 250] {
                let on_the_way = (first..=first + steps).any(|i| i % RING == UNABLE);
                let found = run
                    .call(&mut rights.store, i32::try_from(steps).expect("small"))
                    .expect("it returns");
                assert_eq!(found, if on_the_way { -1 } else { 7 }, "{first} {steps}");
            }
        }
    }
}

#[test]
fn gates_begin_a_chain_for_tail_calls_too() {
    let mut rights = Rights::new();
    let able = rights.add(
        "able",
        true,
        r#"(module (import "host" "clock" (func $clock (result i32)))
            (func (export "clock") (result i32) (return_call $clock)))"#,
    );
    let clock = able.get_func(&mut rights.store, "clock").expect("exported");
    let gate = clock.gate(&mut rights.store);
    rights
        .linker
        .define(&rights.store, "gate", "clock", gate)
        .expect("the name is free");
    let unable = rights.add(
        "unable",
        false,
        r#"(module (import "gate" "clock" (func $gate (result i32))) (import "able" "clock" (func $clock (result i32)))
            (func (export "gate") (result i32) (return_call $gate))
            (func (export "clock") (result i32) (drop (call $gate)) (return_call $clock)))"#,
    );
    assert_eq!(rights.call(unable, "gate"), 7);
    assert_eq!(rights.call(unable, "clock"), -1);
    // A run of the host's that is limited: its mark goes into the stub frame.
    let limit = Permissions::all().drop(Capability::Clock);
    let found = rights.store.as_context_mut().limited(&limit, |mut store| {
        let third = able.get_typed_func::<(), i32>(&mut store, "clock").expect("exported");
        third.call(&mut store, ())
    });
    assert_eq!(found.expect("it returns"), -1);
}

#[test]
fn who_left_its_frame_by_a_tail_call_may_be_unloaded() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, Vec::<Instance>::new());
    let close = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<Instance>>, which: i32| {
        let instance = caller.data()[usize::try_from(which).expect("an index")];
        i32::from(instance.unload(&mut caller, "gone").is_ok()) + i32::from(instance.is_running(&caller)) * 10
    });
    let last = module(
        &engine,
        r#"(module (import "host" "close" (func $close (param i32) (result i32)))
            (func (export "close") (param i32) (result i32) (i32.add (call $close (local.get 0)) (i32.const 100))))"#,
    );
    let last = Instance::new(&mut store, &last, &[close.into()]).expect("it fits");
    let func = last.get_func(&mut store, "close").expect("exported");
    let text = r#"(module (import "last" "close" (func $close (param i32) (result i32)))
        (import "host" "close" (func $host (param i32) (result i32)))
        (func $tail (export "tail") (param i32) (result i32) (return_call $close (local.get 0)))
        (func (export "host") (param i32) (result i32) (return_call $host (local.get 0)))
        (func (export "within") (param i32) (result i32) (call $tail (local.get 0))))"#;
    let made = [0, 1, 2].map(|_| {
        let module = module(&engine, text);
        Instance::new(&mut store, &module, &[func.into(), close.into()]).expect("it fits")
    });
    store.data_mut().extend(made);
    let mut call = |which: usize, name: &str| {
        let func = made[which]
            .get_typed_func::<i32, i32>(&mut store, name)
            .expect("exported");
        func.call(&mut store, i32::try_from(which).expect("small"))
    };
    assert_eq!(call(0, "tail").expect("it returns"), 101, "no frame of it was left");
    assert_eq!(call(1, "within").expect("it returns"), 110, "its other frame was");
    assert_eq!(call(2, "host").expect("it returns"), 10, "it is who called");
    assert_eq!(call(1, "tail").expect("it returns"), 101);
    // What is gone is told by a tail call as by a call, with the caller's frame.
    last.unload(&mut store, "last").expect("it does not run");
    let tail = made[2]
        .get_typed_func::<i32, i32>(&mut store, "tail")
        .expect("exported");
    let error = tail.call(&mut store, 0).expect_err("it is gone");
    assert_eq!(error.to_string(), "call into unloaded last");
    assert_eq!(frame_names(&error), ["tail"]);
}

#[test]
fn traps_of_tail_calls_have_the_caller_s_frame() {
    let (mut store, guest) = instance(
        r#"(module (type $v (func)) (type $i (func (param i32 i64 f32 f64 i32 i32)))
            (table 3 funcref) (elem (i32.const 1) $other)
            (func $other (param i64))
            (func $undefined (return_call_indirect (type $v) (i32.const 3)))
            (func $null (local i32) (return_call_indirect (type $v) (local.get 0)))
            (func $type (return_call_indirect (type $i) (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5) (i32.const 6) (i32.const 1)))
            (func $trap unreachable) (func $left (return_call $trap))
            (func (export "undefined") (call $undefined)) (func (export "null") (call $null))
            (func (export "type") (call $type)) (func (export "left") (call $left)))"#,
    );
    for (name, inner, expected) in [
        ("undefined", "undefined", Trap::UndefinedElement),
        ("null", "null", Trap::IndirectCallToNull),
        ("type", "type", Trap::BadSignature),
        ("left", "trap", Trap::UnreachableCodeReached),
    ] {
        let error = run(&mut store, guest, name).expect_err("it traps");
        assert_eq!(
            (error.trap(), frame_names(&error)),
            (Some(expected), vec![inner.to_owned(), name.to_owned()])
        );
    }
}

#[test]
fn exceptions_go_to_the_callers_of_those_who_left() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "through", |mut caller: Caller<'_, ()>, value: i32| {
            let inner = caller
                .get_export("inner")
                .and_then(|it| it.into_func())
                .expect("the caller's");
            inner.typed::<i32, i32>(&caller)?.call(caller.as_context_mut(), value)
        })
        .expect("the name is free");
    let mut store = Store::new(&engine, ());
    let thrower = module(
        &engine,
        r#"(module (tag $e (export "e") (param i32)) (memory 1)
            (func (export "throw") (param i32) (result i32) (throw $e (local.get 0)))
            (func $other (export "other") (param i64 i64 i64 i32) (result i32) (throw $e (local.get 3))))"#,
    );
    let catcher = module(
        &engine,
        r#"(module (import "thrower" "e" (tag $e (param i32)))
            (import "thrower" "throw" (func $throw (param i32) (result i32)))
            (import "thrower" "other" (func $other (param i64 i64 i64 i32) (result i32)))
            (import "host" "through" (func $through (param i32) (result i32)))
            (memory 1) (data (i32.const 0) "\64")
            (func $tail (param i32) (result i32) (return_call $throw (local.get 0)))
            (func $wide (param i32) (result i32)
                (return_call $other (i64.const 1) (i64.const 2) (i64.const 3) (local.get 0)))
            (func $unprotected (param i32) (result i32)
                (block $l (result i32)
                    (try_table (catch $e $l) (return_call $tail (local.get 0)))
                    (unreachable))
                (drop) (i32.const -1))
            (func $host (param i32) (result i32) (return_call $through (local.get 0)))
            (func (export "inner") (param i32) (result i32) (return_call $wide (local.get 0)))
            (table funcref (elem $tail $wide $unprotected $host))
            (type $f (func (param i32) (result i32)))
            (func (export "run") (param i32 i32) (result i32)
                (block $l (result i32)
                    (try_table (catch $e $l) (drop (call_indirect (type $f) (local.get 1) (local.get 0))))
                    (i32.const -2))
                (i32.add (i32.load8_u (i32.const 0))))
            (func (export "direct") (param i32 i32) (result i32)
                (block $l (result i32)
                    (try_table (catch $e $l) (drop (call $tail (local.get 1))))
                    (i32.const -2))
                (i32.add (i32.load8_u (i32.const 0)))))"#,
    );
    for second in ["the same domain", "another"] {
        let mut linker = linker.clone();
        let domain = Domain::new(second, Permissions::all());
        let made = match second {
            "another" => linker.instantiate_in(&mut store, &thrower, &domain),
            _ => linker.instantiate(&mut store, &thrower),
        };
        let made = made.expect("nothing is missing");
        linker.instance(&mut store, "thrower", made).expect("the name is free");
        let guest = linker.instantiate(&mut store, &catcher).expect("nothing is missing");
        let run = guest
            .get_typed_func::<(i32, i32), i32>(&mut store, "run")
            .expect("exported");
        for way in 0..4 {
            for value in [1, 2] {
                let found = run.call(&mut store, (way, value)).expect("it is caught");
                assert_eq!(found, 100 + value, "{second}: {way}");
            }
        }
        let direct = guest
            .get_typed_func::<(i32, i32), i32>(&mut store, "direct")
            .expect("exported");
        assert_eq!(direct.call(&mut store, (0, 9)).expect("it is caught"), 109);
    }
}
