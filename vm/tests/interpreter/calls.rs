//! Calls: of functions that are not translated yet, through code that several
//! instances share, and back with any number of parameters and results.

use std::sync::Arc;
use std::thread;

use vm::{Engine, Func, Instance, Module, Store, Val};

/// A module whose function `f` adds `number` to its parameter, and to a counter
/// in its memory.
fn adder(number: i32) -> String {
    format!(
        r#"(module (memory 1)
            (func (export "f") (param i32) (result i32)
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const {number})))
                (i32.add (local.get 0) (i32.const {number})))
            (func (export "sum") (result i32) (i32.load (i32.const 0))))"#
    )
}

/// Calls its import from two places, and its own function from two.
const APP: &str = r#"(module (import "" "f" (func $f (param i32) (result i32)))
    (memory 1) (data (i32.const 0) "\40\e2\01\00")
    (func $own (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func (export "first") (param i32) (result i32)
        (i32.add (call $f (local.get 0)) (i32.load (i32.const 0))))
    (func (export "second") (param i32) (result i32)
        (call $own (call $f (call $own (local.get 0))))))"#;

/// What `first` and `second` give, if the import adds `number`.
fn expected(number: i32, n: i32) -> (i32, i32) {
    (n + number + 123_456, (n * 3 + number) * 3)
}

fn call(store: &mut Store<()>, app: Instance, n: i32) -> (i32, i32) {
    let mut get = |name| {
        let f = app.get_typed_func::<i32, i32>(&mut *store, name).expect("exported");
        f.call(&mut *store, n).expect("it returns")
    };
    (get("first"), get("second"))
}

/// A call keeps where its import led when it was bound, and goes elsewhere in
/// instances whose import is another.
#[test]
fn instances_with_other_imports_share_code() {
    let engine = Engine::default();
    let app = Module::new(&engine, APP).expect("valid");
    // Each order in which the instances may be the first.
    for first in 0..4 {
        let mut store = Store::new(&engine, ());
        let mut instances = Vec::new();
        for number in [5, 70] {
            let library = Module::new(&engine, adder(number)).expect("valid");
            // Two of the same module: the entry is the same, the instance is not.
            for _ in 0..2 {
                let library = Instance::new(&mut store, &library, &[]).expect("nothing is missing");
                let f = library.get_func(&mut store, "f").expect("exported");
                let app = Instance::new(&mut store, &app, &[f.into()]).expect("nothing is missing");
                instances.push((number, app, Some(library)));
            }
        }
        let host = Func::wrap(&mut store, |n: i32| n + 900);
        let host = Instance::new(&mut store, &app, &[host.into()]).expect("nothing is missing");
        instances.push((900, host, None));
        instances.rotate_left(first);
        for round in 0..3 {
            for (number, app, library) in &instances {
                let n = round * 10;
                assert_eq!(call(&mut store, *app, n), expected(*number, n));
                if let Some(library) = library {
                    let sum = library.get_typed_func::<(), i32>(&mut store, "sum").expect("exported");
                    let calls = 2 * (round + 1);
                    assert_eq!(sum.call(&mut store, ()).expect("it returns"), number * calls);
                }
            }
        }
    }
}

/// Threads bind the calls in the code they share, each to its own import.
#[test]
fn threads_bind_the_calls_of_one_code() {
    for _ in 0..20 {
        let engine = Engine::default();
        let app = Arc::new(Module::new(&engine, APP).expect("valid"));
        let libraries = [5, 70].map(|number| (number, Module::new(&engine, adder(number)).expect("valid")));
        thread::scope(|scope| {
            for i in 0..4 {
                let (engine, app, libraries) = (&engine, &app, &libraries);
                scope.spawn(move || {
                    let (number, library) = &libraries[i % 2];
                    let mut store = Store::new(engine, ());
                    let library = Instance::new(&mut store, library, &[]).expect("nothing is missing");
                    let f = library.get_func(&mut store, "f").expect("exported");
                    let app = Instance::new(&mut store, app, &[f.into()]).expect("nothing is missing");
                    for n in 0..50 {
                        assert_eq!(call(&mut store, app, n), expected(*number, n));
                    }
                });
            }
        });
    }
}

/// Returns find the caller with any number of slots before the header, from
/// functions called directly, through a table, and from another instance.
#[test]
fn returns_from_frames_of_each_size() {
    let engine = Engine::default();
    for params in 0..9 {
        for results in 0..9_usize {
            let types = |n: usize| "i64 ".repeat(n);
            let ty = format!("(param {}) (result {})", types(params), types(results));
            // Result `i` is the sum of its number and the parameters.
            let sum: String = (0..params).map(|i| format!("(i64.add (local.get {i})) ")).collect();
            let body: String = (0..results).map(|i| format!("(i64.const {i}) {sum}")).collect();
            let library = format!(r#"(module (func (export "f") {ty} {body}))"#);
            // Each caller folds the results into one, above an operand of its own.
            let arguments: String = (0..params).map(|i| format!("(i64.const {}) ", 10 * i)).collect();
            let fold = "i64.add ".repeat(results);
            let app = format!(
                r#"(module (type $t (func {ty})) (import "" "f" (func $f (type $t)))
                (table funcref (elem $f $own)) (memory 1) (data (i32.const 8) "\64")
                (func $own (type $t) {body})
                (func (export "own") (result i64) (i64.load (i32.const 8)) {arguments} (call $own) {fold})
                (func (export "other") (result i64) (i64.load (i32.const 8)) {arguments} (call $f) {fold})
                (func (export "table own") (result i64)
                    (i64.load (i32.const 8)) {arguments} (call_indirect (type $t) (i32.const 1)) {fold})
                (func (export "table other") (result i64)
                    (i64.load (i32.const 8)) {arguments} (call_indirect (type $t) (i32.const 0)) {fold}))"#
            );
            let mut store = Store::new(&engine, ());
            let library = Module::new(&engine, library).expect("valid");
            let library = Instance::new(&mut store, &library, &[]).expect("nothing is missing");
            let f = library.get_func(&mut store, "f").expect("exported");
            let app = Module::new(&engine, app).expect("valid");
            let app = Instance::new(&mut store, &app, &[f.into()]).expect("nothing is missing");
            let of_params = (0..params as i64).map(|i| 10 * i).sum::<i64>();
            let expected = 100 + (0..results as i64).map(|i| i + of_params).sum::<i64>();
            for name in ["own", "other", "table own", "table other"] {
                let f = app.get_func(&mut store, name).expect("exported");
                let mut got = [Val::I64(0)];
                f.call(&mut store, &[], &mut got).expect("it returns");
                assert!(
                    matches!(got[0], Val::I64(value) if value == expected),
                    "{name}: {params} parameters, {results} results: {got:?}, not {expected}"
                );
            }
        }
    }
}
