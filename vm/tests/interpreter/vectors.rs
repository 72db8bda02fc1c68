//! Vectors as values: wherever values go, theirs take two slots among others.

use vm::{
    Caller, Config, Engine, Func, Global, GlobalType, Instance, Module, Mutability, Store, TypedFunc, V128, Val,
    ValType,
};

/// A store and an instance of a module that may have vectors.
fn instance(text: &str) -> (Store<()>, Instance) {
    let mut config = Config::new();
    config.wasm_simd(true);
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, text).expect("the test's module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    (store, instance)
}

fn vector(high: u64, low: u64) -> V128 {
    V128::from(u128::from(high) << 64 | u128::from(low))
}

/// Calls `f` of a module with these parts.
fn call<P: vm::WasmParams, R: vm::WasmResults>(parts: &str, params: P) -> R {
    let (mut store, app) = instance(&format!("(module {parts})"));
    let f: TypedFunc<P, R> = app.get_typed_func(&mut store, "f").expect("exported so");
    f.call(&mut store, params).expect("it returns")
}

/// Two vectors, and two numbers.
fn some() -> (V128, V128, u32, u64) {
    (vector(1, 2), vector(3, 4), 5, 6)
}

#[test]
fn parameters_and_results_stand_among_others() {
    let (a, b, x, y) = some();
    let swapped: (u64, V128, u32, V128) = call(
        r#"(func (export "f") (param i32 v128 i64 v128) (result i64 v128 i32 v128)
            (local.get 2) (local.get 3) (local.get 0) (local.get 1))"#,
        (x, a, y, b),
    );
    assert_eq!(swapped, (y, b, x, a));
    let one: V128 = call(
        r#"(func (export "f") (param i32 v128) (result v128) (local.get 1))"#,
        (x, a),
    );
    assert_eq!(one, a);
    let many: (V128, u32, V128, u64, V128, u32) = call(
        r#"(func (export "f") (param v128 i32 i64 v128) (result v128 i32 v128 i64 v128 i32)
            (local.get 3) (local.get 1) (local.get 0) (local.get 2) (local.get 3) (local.get 1))"#,
        (a, x, y, b),
    );
    assert_eq!(many, (b, x, a, y, b, x));
}

#[test]
fn constants_are_whole() {
    let constant: V128 = call(
        r#"(func (export "f") (result v128) (v128.const i64x2 0x1122334455667788 -2))"#,
        (),
    );
    assert_eq!(constant, vector(u64::MAX - 1, 0x1122_3344_5566_7788));
}

#[test]
fn locals_begin_with_zero_and_keep_what_is_set() {
    let (a, b, x, y) = some();
    let dirty = r#"(func $dirty (local i64 i64 i64 i64 i64 i64 i64 i64)
        (local.set 0 (i64.const -1)) (local.set 1 (i64.const -1)) (local.set 2 (i64.const -1))
        (local.set 3 (i64.const -1)) (local.set 4 (i64.const -1)) (local.set 5 (i64.const -1))
        (local.set 6 (i64.const -1)) (local.set 7 (i64.const -1)))"#;
    let zero: (V128, u64, V128, u32) = call(
        &format!(
            r#"{dirty}
            (func $g (result v128 i64 v128 i32) (local v128 i64 v128 i32)
                (local.get 0) (local.get 1) (local.get 2) (local.get 3))
            (func (export "f") (result v128 i64 v128 i32) (call $dirty) (call $g))"#
        ),
        (),
    );
    assert_eq!(zero, (vector(0, 0), 0, vector(0, 0), 0));
    let kept: (V128, u64, V128, u32, V128) = call(
        &format!(
            r#"{dirty}
            (func $g (param v128 v128 i32 i64) (result v128 i64 v128 i32 v128) (local v128 i64 v128 i32 v128)
                (local.set 6 (local.get 1)) (local.set 5 (local.get 3)) (local.set 4 (local.get 0))
                (local.set 7 (local.get 2))
                (local.get 4) (local.get 5) (local.get 6) (local.get 7) (local.get 8))
            (func (export "f") (param v128 v128 i32 i64) (result v128 i64 v128 i32 v128)
                (call $dirty) (call $g (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"#
        ),
        (a, b, x, y),
    );
    assert_eq!(kept, (a, y, b, x, vector(0, 0)));
}

#[test]
fn operands_keep_a_local_that_changes() {
    let (a, b, ..) = some();
    let both: (V128, V128, V128) = call(
        r#"(func (export "f") (param v128 v128) (result v128 v128 v128)
            (local.get 0) (local.set 0 (local.get 1)) (local.get 0) (local.tee 0 (v128.const i64x2 7 8)))"#,
        (a, b),
    );
    assert_eq!(both, (a, b, vector(8, 7)));
}

#[test]
fn select_takes_either() {
    let (a, b, ..) = some();
    for (condition, expected) in [(0, b), (1, a), (1 << 31, a)] {
        let text = r#"(func (export "f") (param i32 v128 v128) (result v128)
            (select (local.get 1) (local.get 2) (local.get 0)))"#;
        let chosen: V128 = call(text, (condition, a, b));
        assert_eq!(chosen, expected);
        let text = r#"(func (export "f") (param i32 v128 v128) (result v128)
            (select (result v128) (local.get 2) (local.get 1) (i32.eqz (local.get 0))))"#;
        let chosen: V128 = call(text, (condition, a, b));
        assert_eq!(chosen, expected);
    }
}

#[test]
fn branches_bring_vectors_along() {
    let (a, b, x, y) = some();
    for taken in [0, 1] {
        let text = r#"(func (export "f") (param i32 v128 v128 i32 i64) (result i64 v128 i32 v128)
            (i64.const 9)
            (block (result v128 i32 v128)
                (i64.const 10) (v128.const i64x2 11 12)
                (local.get 1) (local.get 3) (local.get 2) (br_if 0 (local.get 0))
                (drop) (drop) (drop) (drop) (drop)
                (local.get 2) (local.get 3) (local.get 1)))"#;
        let values: (u64, V128, u32, V128) = call(text, (taken, a, b, x, y));
        let expected = if taken == 1 { (9, a, x, b) } else { (9, b, x, a) };
        assert_eq!(values, expected);
        let text = r#"(func (export "f") (param i32 v128 v128 i32 i64) (result i64 v128 i32 v128 i64 v128)
            (i64.const 9)
            (block (result v128 i32 v128 i64 v128)
                (v128.const i64x2 11 12)
                (local.get 1) (local.get 3) (local.get 2) (local.get 4) (local.get 1)
                (br_table 0 0 (local.get 0))))"#;
        let values: (u64, V128, u32, V128, u64, V128) = call(text, (taken, a, b, x, y));
        assert_eq!(values, (9, a, x, b, y, a));
    }
    let if_else = r#"(func (export "f") (param i32 v128 v128) (result v128)
        (local.get 1)
        (if (param v128) (result v128) (local.get 0)
            (then (drop) (local.get 2))
            (else)))"#;
    assert_eq!(call::<_, V128>(if_else, (0, a, b)), a);
    assert_eq!(call::<_, V128>(if_else, (1, a, b)), b);
}

#[test]
fn loops_carry_vectors_round() {
    let (a, b, ..) = some();
    for (rounds, expected) in [(1, (b, a)), (2, (a, b)), (3, (b, a))] {
        let text = r#"(func (export "f") (param i32 v128 v128) (result v128 v128) (local v128)
            (local.get 1) (local.get 2)
            (loop (param v128 v128) (result v128 v128)
                (local.set 3) (local.set 1) (local.get 3) (local.get 1)
                (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"#;
        let values: (V128, V128) = call(text, (rounds, a, b));
        assert_eq!(values, expected);
    }
}

#[test]
fn returns_from_within() {
    let (a, b, x, _) = some();
    let text = r#"(func (export "f") (param v128 i32 v128) (result v128 i32 v128)
        (block (br_if 0 (i32.eqz (local.get 1)))
            (return (local.get 2) (local.get 1) (local.get 0)))
        (v128.const i64x2 0 0) (i32.const 0) (local.get 0))"#;
    assert_eq!(call::<_, (V128, u32, V128)>(text, (a, x, b)), (b, x, a));
    assert_eq!(call::<_, (V128, u32, V128)>(text, (a, 0, b)), (vector(0, 0), 0, a));
}

#[test]
fn calls_pass_vectors() {
    let (a, b, x, y) = some();
    for way in ["call $g", "call_indirect (type $t)"] {
        let index = if way.starts_with("call_") { "(i32.const 0)" } else { "" };
        let text = format!(
            r#"(type $t (func (param i64 v128 i32 v128) (result v128 v128 i32)))
            (table funcref (elem $g))
            (func $g (type $t) (local v128) (local.set 4 (local.get 1)) (local.get 3) (local.get 4) (local.get 2))
            (func (export "f") (param v128 v128 i32 i64) (result i32 v128 v128 i32)
                (i32.const 77)
                ({way} (local.get 3) (local.get 0) (local.get 2) (local.get 1) {index}))"#
        );
        let values: (u32, V128, V128, u32) = call(&text, (a, b, x, y));
        assert_eq!(values, (77, b, a, x));
    }
}

#[test]
fn recursion_keeps_frames_apart() {
    let (a, b, ..) = some();
    let text = r#"(func $f (export "f") (param i32 v128 v128) (result v128 v128)
        (if (result v128 v128) (local.get 0)
            (then (call $f (i32.sub (local.get 0) (i32.const 1)) (local.get 2) (local.get 1)))
            (else (local.get 1) (local.get 2))))"#;
    assert_eq!(call::<_, (V128, V128)>(text, (1001, a, b)), (b, a));
}

#[test]
fn globals_hold_vectors() {
    let (a, b, ..) = some();
    let (mut store, app) = instance(
        r#"(module
            (global $c v128 (v128.const i64x2 1 2))
            (global $g (export "g") (mut v128) (v128.const i64x2 1 2))
            (global $after (export "after") (mut i64) (i64.const 5))
            (func (export "f") (param v128) (result v128 v128 v128)
                (global.get $g) (global.set $g (local.get 0)) (global.get $g) (global.get $c)))"#,
    );
    let f: TypedFunc<V128, (V128, V128, V128)> = app.get_typed_func(&mut store, "f").expect("exported");
    assert_eq!(
        f.call(&mut store, a).expect("it returns"),
        (vector(2, 1), a, vector(2, 1))
    );
    let global = app.get_global(&mut store, "g").expect("exported");
    assert_eq!(global.get(&store).v128(), Some(a));
    global.set(&mut store, b.into()).expect("mutable");
    assert!(global.set(&mut store, Val::I64(1)).is_err());
    assert_eq!(f.call(&mut store, a).expect("it returns").0, b);
    let after = app.get_global(&mut store, "after").expect("exported");
    assert_eq!(after.get(&store).i64(), Some(5));
}

#[test]
fn imported_globals_are_shared() {
    let (a, b, ..) = some();
    let mut config = Config::new();
    config.wasm_simd(true);
    let engine = Engine::new(&config).expect("a valid configuration");
    let mut store = Store::new(&engine, ());
    let ty = |mutability| GlobalType::new(ValType::V128, mutability);
    let variable = Global::new(&mut store, ty(Mutability::Var), a.into()).expect("a vector");
    let constant = Global::new(&mut store, ty(Mutability::Const), b.into()).expect("a vector");
    let text = r#"(module
        (import "host" "variable" (global $v (mut v128)))
        (import "host" "constant" (global $c v128))
        (global $copy v128 (global.get $c))
        (func (export "f") (result v128 v128) (global.get $v) (global.set $v (global.get $copy)) (global.get $c)))"#;
    let module = Module::new(&engine, text).expect("valid");
    let app = Instance::new(&mut store, &module, &[variable.into(), constant.into()]).expect("they fit");
    let f: TypedFunc<(), (V128, V128)> = app.get_typed_func(&mut store, "f").expect("exported");
    assert_eq!(f.call(&mut store, ()).expect("it returns"), (a, b));
    assert_eq!(variable.get(&store).v128(), Some(b));
}

#[test]
fn host_functions_take_and_give_vectors() {
    let (a, b, x, y) = some();
    let mut config = Config::new();
    config.wasm_simd(true);
    let engine = Engine::new(&config).expect("a valid configuration");
    let mut store = Store::new(&engine, Vec::new());
    let typed = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, Vec<V128>>, x: u32, a: V128, y: u64, b: V128| {
            caller.data_mut().extend([a, b]);
            (b, y, a, x)
        },
    );
    assert_eq!(
        typed.ty(&store).to_string(),
        "(func (param i32 v128 i64 v128) (result v128 i64 v128 i32))"
    );
    let ty = typed.ty(&store);
    let untyped = Func::new(&mut store, ty, |_, args, results| {
        assert!(results[0].v128().is_some_and(|zero| zero.as_u128() == 0));
        (results[0], results[1], results[2], results[3]) = (args[3], args[2], args[1], args[0]);
        Ok(())
    });
    let text = r#"(module
        (type $t (func (param i32 v128 i64 v128) (result v128 i64 v128 i32)))
        (import "host" "g" (func $g (type $t)))
        (func (export "f") (type $t)
            (call $g (local.get 0) (local.get 1) (local.get 2) (local.get 3))))"#;
    let module = Module::new(&engine, text).expect("valid");
    for host in [typed, untyped] {
        let app = Instance::new(&mut store, &module, &[host.into()]).expect("it fits");
        let f = app.get_func(&mut store, "f").expect("exported");
        let direct = f.typed::<(u32, V128, u64, V128), (V128, u64, V128, u32)>(&store);
        let direct = direct.expect("of that type");
        assert_eq!(direct.call(&mut store, (x, a, y, b)).expect("it returns"), (b, y, a, x));
        let mut results = [Val::I32(0); 4];
        let args = [Val::I32(5), a.into(), Val::I64(6), b.into()];
        f.call(&mut store, &args, &mut results).expect("it returns");
        assert_eq!((results[0].v128(), results[1].i64()), (Some(b), Some(6)));
        assert_eq!((results[2].v128(), results[3].i32()), (Some(a), Some(5)));
    }
    assert_eq!(store.data(), &[a, b, a, b]);
}

#[test]
fn frames_of_vectors_have_the_limit_of_all() {
    let mut config = Config::new();
    config.wasm_simd(true);
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = |locals: usize| {
        let text = format!("(module (func (local {})))", "v128 ".repeat(locals));
        Module::new(&engine, text)
    };
    assert!(module(32_000).is_ok());
    let error = module(33_000).expect_err("too large");
    assert!(error.to_string().contains("65535 is the limit"), "{error}");
}
