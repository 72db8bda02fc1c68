//! Imports by name.

use std::sync::atomic::{AtomicU32, Ordering};

use vm::{
    Caller, Engine, Error, Extern, Func, FuncType, Global, GlobalType, Instance, LinkError, Linker, Module, Mutability,
    Store, Trap, Val, ValType,
};

use crate::common::run;

/// A call of an exported function without parameters that gives a number.
fn number<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str) -> Result<i32, Error> {
    instance.get_typed_func::<(), i32>(&mut *store, name)?.call(store, ())
}

/// The function a linker has under a name, called.
fn call<T: 'static>(linker: &Linker<T>, store: &mut Store<T>, module: &str, name: &str) -> Result<i32, Error> {
    let func = linker.get(&mut *store, module, name).and_then(Extern::into_func);
    func.expect("defined").typed::<(), i32>(&*store)?.call(store, ())
}

#[test]
fn an_unknown_import_says_what_is_needed_and_what_is_there() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("wasi", "fd_write", || 0).expect("defined once");
    linker.func_wrap("env", "log", || ()).expect("defined once");
    let mut store = Store::new(&engine, ());
    for (module, name, text) in [
        ("wasi", "fd_wirte", "; there is `wasi` `fd_write`"),
        ("wasi", "FD_WRITE", "; there is `wasi` `fd_write`"),
        ("wasi_unstable", "fd_write", "; there is `wasi` `fd_write`"),
        ("env", "fd_wirte", ""),
        ("env", "malloc", ""),
    ] {
        let needs = format!(r#"(import "{module}" "{name}" (func (param i32)))"#);
        let needs = Module::new(&engine, needs).expect("valid");
        let error = linker.instantiate(&mut store, &needs).expect_err("unknown");
        assert!(matches!(error, Error::Link(LinkError::UnknownImport { .. })));
        let expected =
            format!("unknown import `{module}` `{name}`: the module needs a function (func (param i32)){text}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_name_is_defined_once_unless_shadowing_is_allowed() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("m", "f", || 1).expect("defined once");
    let error = linker.func_wrap("m", "f", || 2).expect_err("defined twice");
    assert_eq!(
        error.to_string(),
        "`m` `f` is defined twice; allow shadowing to replace the first"
    );
    assert_eq!(call(&linker, &mut store, "m", "f").expect("no trap"), 1);
    linker.allow_shadowing(true).func_wrap("m", "f", || 2).expect("allowed");
    assert_eq!(call(&linker, &mut store, "m", "f").expect("no trap"), 2);
    linker.allow_shadowing(false);
    linker.alias_module("m", "n").expect("not defined yet");
    assert_eq!(call(&linker, &mut store, "n", "f").expect("no trap"), 2);
    assert!(linker.alias_module("m", "n").is_err());
    assert!(linker.get(&mut store, "m", "g").is_none());
}

#[test]
fn a_clone_is_independent_and_works_in_several_stores() {
    let engine = Engine::default();
    let mut linker = Linker::<u32>::new(&engine);
    let count = |mut caller: Caller<'_, u32>| {
        *caller.data_mut() += 1;
    };
    linker.func_wrap("", "count", count).expect("defined once");
    let mut other = linker.clone();
    other.func_wrap("", "more", || ()).expect("defined once");
    let text = r#"(module (import "" "count" (func $f)) (func (export "run") (call $f) (call $f)))"#;
    let module = Module::new(&engine, text).expect("valid");
    let (mut a, mut b) = (Store::new(&engine, 0), Store::new(&engine, 10));
    for store in [&mut a, &mut b] {
        let instance = linker.instantiate(&mut *store, &module).expect("defined");
        run(store, instance, "run").expect("no trap");
        assert!(linker.get(&mut *store, "", "more").is_none());
        assert!(other.get(&mut *store, "", "more").is_some());
    }
    assert_eq!((a.into_data(), b.into_data()), (2, 12));
}

#[test]
fn functions_with_values_check_their_results() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let ty = || FuncType::new([ValType::I32, ValType::F64], [ValType::I64, ValType::I32]);
    let sum = |_: Caller<'_, ()>, args: &[Val], results: &mut [Val]| {
        assert!(matches!(results, [Val::I64(0), Val::I32(0)]));
        results[0] = Val::I64(args[0].i32().map_or(0, i64::from) + 1);
        results[1] = Val::I32(args[1].f64().map_or(0, |x| x as i32));
        Ok(())
    };
    linker.func_new("", "f", ty(), sum).expect("defined once");
    let wrong = |_: Caller<'_, ()>, _: &[Val], results: &mut [Val]| {
        results[0] = Val::I32(0);
        Ok(())
    };
    linker.func_new("", "g", ty(), wrong).expect("defined once");
    let text = r#"(module
        (import "" "f" (func $f (param i32 f64) (result i64 i32)))
        (import "" "g" (func $g (param i32 f64) (result i64 i32)))
        (func (export "f") (result i64 i32) (call $f (i32.const -5) (f64.const 7.5)))
        (func (export "g") (result i64 i32) (call $g (i32.const -5) (f64.const 7.5))))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("defined");
    let mut call = |name| {
        let func = instance
            .get_typed_func::<(), (i64, i32)>(&mut store, name)
            .expect("exported");
        func.call(&mut store, ())
    };
    assert_eq!(call("f").expect("no trap"), (-4, 7));
    let error = call("g").expect_err("the first result is no i64");
    assert_eq!(error.to_string(), "expected a value of type i64, found one of type i32");
    assert_eq!(error.backtrace().map(|b| b.frames().len()), Some(1));
}

#[test]
fn unknown_functions_can_be_made_to_fail_when_called() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("a", "known", || 5).expect("defined once");
    let text = r#"(module (import "a" "known" (func $known (result i32))) (import "a" "missing" (func $missing (result i32)))
        (func (export "known") (result i32) (call $known)) (func (export "missing") (result i32) (call $missing)))"#;
    let module = Module::new(&engine, text).expect("valid");
    linker.define_unknown_imports_as_traps(&module).expect("functions only");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("all defined");
    assert_eq!(number(&mut store, instance, "known").expect("no trap"), 5);
    let error = number(&mut store, instance, "missing").expect_err("not there");
    assert!(matches!(error.downcast_ref(), Some(LinkError::UnknownImport { name, .. }) if &**name == "missing"));
    let memory = Module::new(&engine, r#"(import "a" "memory" (memory 1))"#).expect("valid");
    let error = linker
        .define_unknown_imports_as_traps(&memory)
        .expect_err("no function");
    assert!(error.to_string().starts_with("unknown import `a` `memory`"), "{error}");
}

#[test]
fn all_kinds_of_exports_satisfy_imports() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::<()>::new(&engine);
    let library = r#"(module
        (memory (export "m") 1) (table (export "t") 1 funcref) (global (export "g") (mut i32) (i32.const 4))
        (func $f (export "f") (result i32) (i32.add (i32.load (i32.const 0)) (global.get 0))) (elem (i32.const 0) $f))"#;
    let library = Module::new(&engine, library).expect("valid");
    let library = linker.instantiate(&mut store, &library).expect("no imports");
    linker.instance(&mut store, "library", library).expect("defined once");
    assert!(linker.instance(&mut store, "library", library).is_err());
    let ty = GlobalType::new(ValType::I32, Mutability::Const);
    let one = Global::new(&mut store, ty, Val::I32(1)).expect("the types fit");
    linker.define(&store, "host", "one", one).expect("defined once");
    let app = r#"(module
        (import "library" "m" (memory 1)) (import "library" "t" (table 1 funcref))
        (import "library" "g" (global $g (mut i32))) (import "library" "f" (func $f (result i32)))
        (import "host" "one" (global $one i32))
        (func (export "run") (result i32)
            (i32.store (i32.const 0) (i32.const 30)) (global.set $g (i32.const 5))
            (i32.add (global.get $one) (i32.add (call $f) (call_indirect (result i32) (i32.const 0))))))"#;
    let app = Module::new(&engine, app).expect("valid");
    let app = linker.instantiate(&mut store, &app).expect("all defined");
    assert_eq!(number(&mut store, app, "run").expect("no trap"), 71);
}

#[test]
fn items_of_another_store_are_found_out() {
    let engine = Engine::default();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let mut linker = Linker::<()>::new(&engine);
    let func = Func::wrap(&mut a, || ());
    linker.define(&a, "", "f", func).expect("of this store");
    let module = Module::new(&engine, r#"(import "" "f" (func))"#).expect("valid");
    linker.instantiate(&mut a, &module).expect("of this store");
    let error = linker.instantiate(&mut b, &module).expect_err("of another store");
    assert_eq!(error.to_string(), "a function of another store was passed");
}

#[test]
fn a_reactor_is_initialized_once_and_shared() {
    let engine = Engine::default();
    let mut linker = Linker::<u32>::new(&engine);
    let started = |mut caller: Caller<'_, u32>| {
        *caller.data_mut() += 1;
    };
    linker.func_wrap("host", "started", started).expect("defined once");
    let reactor = r#"(module (import "host" "started" (func $started)) (global $n (mut i32) (i32.const 0))
        (func (export "_initialize") (call $started) (global.set $n (i32.const 10)))
        (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    let reactor = Module::new(&engine, reactor).expect("valid");
    let mut store = Store::new(&engine, 0);
    linker.module(&mut store, "reactor", &reactor).expect("it starts");
    assert_eq!(call(&linker, &mut store, "reactor", "next").expect("no trap"), 11);
    assert_eq!(call(&linker, &mut store, "reactor", "next").expect("no trap"), 12);
    assert_eq!(*store.data(), 1);
    let wrong = Module::new(&engine, r#"(module (func (export "_initialize") (param i32)))"#).expect("valid");
    let error = linker
        .module(&mut store, "wrong", &wrong)
        .expect_err("it takes no parameters");
    assert!(matches!(error, Error::Type(_)), "{error}");
}

#[test]
fn a_command_is_a_new_instance_for_each_call() {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let started = || {
        STARTED.fetch_add(1, Ordering::Relaxed);
    };
    linker.func_wrap("host", "started", started).expect("defined once");
    let command = r#"(module (import "host" "started" (func $started)) (memory (export "memory") 1)
        (global $n (mut i32) (i32.const 10)) (start $started)
        (func (export "_start") (global.set $n (i32.const 0)))
        (func (export "fail") unreachable)
        (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    let command = Module::new(&engine, command).expect("valid");
    let mut store = Store::new(&engine, ());
    linker
        .module(&mut store, "command", &command)
        .expect("its imports are defined");
    assert_eq!(STARTED.load(Ordering::Relaxed), 0);
    assert!(linker.get(&mut store, "command", "memory").is_none());
    let app = r#"(module (import "command" "next" (func $next (result i32))) (import "command" "_start" (func $start))
        (import "command" "fail" (func $fail))
        (func (export "run") (result i32) (call $start) (i32.add (call $next) (call $next)))
        (func (export "fail") (call $fail)))"#;
    let app = Module::new(&engine, app).expect("valid");
    let app = linker.instantiate(&mut store, &app).expect("all defined");
    assert_eq!(number(&mut store, app, "run").expect("no trap"), 22);
    assert_eq!(STARTED.load(Ordering::Relaxed), 3);
    let error = run(&mut store, app, "fail").expect_err("it traps");
    assert_eq!(error.trap(), Some(vm::Trap::UnreachableCodeReached));
    let names: Vec<_> = error
        .backtrace()
        .expect("there is one")
        .frames()
        .iter()
        .map(|f| f.func_name())
        .collect();
    assert_eq!(names, [Some("fail".to_owned()), Some("fail".to_owned())]);

    let unknown = r#"(module (import "host" "nothing" (func)) (func (export "_start")))"#;
    let unknown = Module::new(&engine, unknown).expect("valid");
    let error = linker
        .module(&mut store, "unknown", &unknown)
        .expect_err("its import is not defined");
    assert!(matches!(error, Error::Link(LinkError::UnknownImport { .. })), "{error}");
}

/// Modules that import from each other, and one that is bound anew while it runs.
#[test]
fn imports_are_bound_anew() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, None);
    let text = |own: &str, other: &str| {
        format!(
            r#"(module (import "host" "x" (global i32)) (import "" "{other}" (func $other (param i32) (result i32)))
            (import "host" "rebind" (func $rebind))
            (table 1 funcref) (elem (i32.const 0) $own) (elem declare func $other)
            (type $t (func (param i32) (result i32)))
            (func $own (export "{own}") (param i32) (result i32)
                (if (result i32) (i32.eqz (local.get 0))
                    (then (i32.const 0))
                    (else (i32.add (global.get 0) (call $other (i32.sub (local.get 0) (i32.const 1)))))))
            (func (export "indirect") (param i32) (result i32)
                (table.set (i32.const 0) (ref.func $other))
                (call_indirect (type $t) (local.get 0) (i32.const 0)))
            (func (export "during") (param i32) (result i32)
                (i32.add (call $other (local.get 0))
                    (block (result i32) (call $rebind) (call $other (local.get 0))))))"#
        )
    };
    let missing = Func::wrap(&mut store, |_: i32| -> Result<i32, Error> {
        Err(Trap::UnreachableCodeReached.into())
    });
    let rebind = |mut caller: Caller<'_, Option<(Instance, Func)>>| match caller.data_mut().take() {
        Some((instance, func)) => instance.rebind(&mut caller, 1, func),
        None => Ok(()),
    };
    let rebind = Func::wrap(&mut store, rebind);
    let mut make = |own, other, x| {
        let module = Module::new(&engine, text(own, other)).expect("valid");
        let x = Global::new(
            &mut store,
            GlobalType::new(ValType::I32, Mutability::Const),
            Val::I32(x),
        );
        let imports = [x.expect("a number").into(), missing.into(), rebind.into()];
        Instance::new(&mut store, &module, &imports).expect("they fit")
    };
    let (a, b) = (make("a", "b", 1), make("b", "a", 100));
    let [fa, fb] = [(a, "a"), (b, "b")].map(|(instance, name)| instance.get_func(&mut store, name).expect("exported"));
    let run = fa.typed::<i32, i32>(&store).expect("its type");
    assert_eq!(run.call(&mut store, 0).expect("it calls nothing"), 0);
    assert!(run.call(&mut store, 1).is_err());
    a.rebind(&mut store, 1, fb).expect("it fits");
    b.rebind(&mut store, 1, fa).expect("it fits");
    assert_eq!(run.call(&mut store, 5).expect("both are there"), 1 + 100 + 1 + 100 + 1);
    let indirect = a.get_typed_func::<i32, i32>(&mut store, "indirect").expect("exported");
    assert_eq!(indirect.call(&mut store, 2).expect("both are there"), 100 + 1);
    // Bound calls see it, also while their function runs.
    let during = a.get_typed_func::<i32, i32>(&mut store, "during").expect("exported");
    assert_eq!(during.call(&mut store, 2).expect("both are there"), 101 + 101);
    *store.data_mut() = Some((a, fa));
    assert_eq!(during.call(&mut store, 2).expect("both are there"), 101 + 2);
    a.rebind(&mut store, 1, missing).expect("it fits");
    assert!(during.call(&mut store, 2).is_err());
    a.rebind(&mut store, 1, fb).expect("it fits");
    assert_eq!(during.call(&mut store, 2).expect("both are there"), 101 + 101);
    let other = Func::wrap(&mut store, || 1);
    let error = a.rebind(&mut store, 1, other).expect_err("another type").to_string();
    assert!(error.contains("`` `b`"), "{error}");
    assert!(a.rebind(&mut store, 0, fa).is_err(), "a global");
}
