//! Instantiation (Spec 3.0 §4.7.2): what fits, in which order things happen,
//! and what stays after a failure.

use vm::{
    Config, Engine, Error, Extern, Func, Global, GlobalType, Instance, LimitError, LinkError, Linker, Memory,
    MemoryType, Module, Mutability, Ref, RefType, Store, StoreLimitsBuilder, Table, TableType, Trap, Val, ValType,
};

use crate::common::{instance, module, run};

#[test]
fn imports_fit_as_the_specification_says() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Extern::from(Func::wrap(&mut store, |x: i32| i64::from(x)));
    let constant = GlobalType::new(ValType::I32, Mutability::Const);
    let variable = GlobalType::new(ValType::I32, Mutability::Var);
    let constant = Extern::from(Global::new(&mut store, constant, Val::I32(1)).expect("the types fit"));
    let variable = Extern::from(Global::new(&mut store, variable, Val::I32(1)).expect("the types fit"));
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(4))).expect("small");
    memory.grow(&mut store, 1).expect("room");
    let memory = Extern::from(memory);
    let unbounded = Extern::from(Memory::new(&mut store, MemoryType::new(1, None)).expect("small"));
    let table = TableType::new(RefType::FUNCREF, 2, Some(4));
    let table = Extern::from(Table::new(&mut store, table, Ref::Func(None)).expect("small"));
    for (needed, given, fits) in [
        ("(func (param i32) (result i64))", func, true),
        ("(func (param i32) (result i32))", func, false),
        ("(func)", func, false),
        ("(global i32)", func, false),
        ("(global i32)", constant, true),
        ("(global (mut i32))", constant, false),
        ("(global i64)", constant, false),
        ("(global (mut i32))", variable, true),
        ("(global i32)", variable, false),
        ("(memory 1)", memory, true),
        ("(memory 2)", memory, true),
        ("(memory 3)", memory, false),
        ("(memory 1 4)", memory, true),
        ("(memory 1 3)", memory, false),
        ("(memory 1 5)", memory, true),
        ("(memory 1)", unbounded, true),
        ("(memory 1 5)", unbounded, false),
        ("(table 2 funcref)", table, true),
        ("(table 3 funcref)", table, false),
        ("(table 1 4 funcref)", table, true),
        ("(table 1 3 funcref)", table, false),
        ("(table 2 externref)", table, false),
    ] {
        let module = Module::new(&engine, format!(r#"(import "m" "x" {needed})"#)).expect("valid");
        match Instance::new(&mut store, &module, &[given]) {
            Ok(_) => assert!(fits, "{needed}"),
            Err(Error::Link(LinkError::IncompatibleImport { module, name, .. })) => {
                assert_eq!((&*module, &*name, fits), ("m", "x", false), "{needed}");
            }
            Err(other) => panic!("{needed}: {other}"),
        }
    }
    let module = Module::new(&engine, r#"(import "m" "x" (memory 3))"#).expect("valid");
    let error = Instance::new(&mut store, &module, &[memory]).expect_err("too small");
    let text = "import `m` `x` does not fit: the module needs a memory (memory 3), but was given a memory (memory 2 4)";
    assert_eq!(error.to_string(), text);
    let error = Instance::new(&mut store, &module, &[]).expect_err("nothing given");
    assert_eq!(error.to_string(), "the module has 1 imports, but was given 0");
}

#[test]
fn constant_expressions_use_imported_globals_and_arithmetic() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let a = GlobalType::new(ValType::I32, Mutability::Const);
    let a = Global::new(&mut store, a, Val::I32(-3)).expect("the types fit");
    let c = GlobalType::new(ValType::I64, Mutability::Const);
    let c = Global::new(&mut store, c, Val::I64(0x1_0000_0001)).expect("the types fit");
    let text = r#"(module
        (global $a (import "" "a") i32) (global $c (import "" "c") i64)
        (global (export "b") i32 (i32.sub (i32.mul (global.get $a) (i32.const 5)) (i32.const 0x7fffffff)))
        (global (export "d") i64 (i64.add (i64.mul (global.get $c) (global.get $c)) (i64.const -1)))
        (global (export "null") funcref (ref.null func))
        (global (export "ref") funcref (ref.func $f))
        (func $f (export "f"))
        (memory (export "m") 1)
        (data (offset (i32.add (global.get $a) (i32.const 13))) "x"))"#;
    let module = Module::new(&engine, text).expect("valid");
    let instance = Instance::new(&mut store, &module, &[a.into(), c.into()]).expect("they fit");
    let get = |store: &mut Store<()>, name| {
        let global = instance.get_global(&mut *store, name).expect("exported");
        global.get(&*store)
    };
    assert_eq!(get(&mut store, "b").i32(), Some((-15_i32).wrapping_sub(0x7fff_ffff)));
    assert_eq!(get(&mut store, "d").i64(), Some(0x2_0000_0000));
    assert!(matches!(get(&mut store, "null"), Val::FuncRef(None)));
    let f = instance.get_func(&mut store, "f");
    assert!(matches!(get(&mut store, "ref"), Val::FuncRef(same) if same == f));
    let memory = instance.get_memory(&mut store, "m").expect("exported");
    assert_eq!(memory.data(&store)[10], b'x');
}

#[test]
fn a_link_failure_leaves_no_trace() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("small");
    let text = r#"(module (import "" "m" (memory 1)) (import "" "f" (func)) (data (i32.const 0) "x") (start 0))"#;
    let module = Module::new(&engine, text).expect("valid");
    let wrong = Func::wrap(&mut store, || -> i32 { panic!("not called") });
    let error = Instance::new(&mut store, &module, &[memory.into(), wrong.into()]).expect_err("another type");
    assert!(matches!(error, Error::Link(_)), "{error}");
    assert_eq!(memory.data(&store)[0], 0);
}

#[test]
fn a_trap_leaves_what_was_written_before() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("small");
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 4, None), Ref::Func(None)).expect("small");
    let imports: [Extern; 2] = [memory.into(), table.into()];
    let head = r#"(import "" "m" (memory 1)) (import "" "t" (table 4 funcref))
        (type $i32 (func (result i32))) (func $seven (type $i32) (i32.const 7))"#;

    let text =
        format!(r#"(module {head} (elem (i32.const 0) $seven) (elem (i32.const 4) $seven) (data (i32.const 0) "x"))"#);
    let module = Module::new(&engine, text).expect("valid");
    let error = Instance::new(&mut store, &module, &imports).expect_err("beyond the table");
    assert_eq!(error.trap(), Some(Trap::TableOutOfBounds));
    // Data comes after elements.
    assert_eq!(memory.data(&store)[0], 0);
    let Some(Ref::Func(Some(escaped))) = table.get(&store, 0) else {
        panic!("the first segment is written");
    };
    let escaped = escaped.typed::<(), i32>(&store).expect("of this type");
    assert_eq!(escaped.call(&mut store, ()).expect("it lives on"), 7);

    let text = format!(
        r#"(module {head} (data (i32.const 0) "x") (data (i32.const 65536) "y") (start $unreachable)
        (func $unreachable unreachable))"#
    );
    let module = Module::new(&engine, text).expect("valid");
    let error = Instance::new(&mut store, &module, &imports).expect_err("beyond the memory");
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    assert_eq!(memory.data(&store)[0], b'x');

    let text =
        format!(r#"(module {head} (data (i32.const 0) "z") (start $unreachable) (func $unreachable unreachable))"#);
    let module = Module::new(&engine, text).expect("valid");
    let error = Instance::new(&mut store, &module, &imports).expect_err("it traps");
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    assert_eq!(memory.data(&store)[0], b'z');
}

#[test]
fn a_function_that_escaped_a_failed_instance_still_has_its_passive_segments() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None)).expect("small");
    let text = r#"(module (import "" "t" (table 2 funcref))
        (elem (i32.const 0) $init) (elem $passive func $f) (elem (i32.const 2) $f)
        (func $f) (func $init (table.init $passive (i32.const 1) (i32.const 0) (i32.const 1))))"#;
    let module = Module::new(&engine, text).expect("valid");
    Instance::new(&mut store, &module, &[table.into()]).expect_err("the last segment does not fit");
    let Some(Ref::Func(Some(init))) = table.get(&store, 0) else {
        panic!("the first segment is written");
    };
    init.call(&mut store, &[], &mut [])
        .expect("the passive segment is there");
    assert!(table.get(&store, 1).is_some_and(|element| !element.is_null()));
}

#[test]
fn active_and_declared_segments_are_dropped() {
    let (mut store, instance) = instance(
        r#"(module (memory 1) (table 4 funcref) (func $f)
            (elem $active (i32.const 0) $f) (elem $declared declare func $f) (data $data (i32.const 0) "x")
            (func (export "active") (table.init $active (i32.const 0) (i32.const 0) (i32.const 1)))
            (func (export "declared") (table.init $declared (i32.const 0) (i32.const 0) (i32.const 1)))
            (func (export "data") (memory.init $data (i32.const 0) (i32.const 0) (i32.const 1)))
            (func (export "nothing") (table.init $active (i32.const 0) (i32.const 0) (i32.const 0))
                (memory.init $data (i32.const 0) (i32.const 0) (i32.const 0))))"#,
    );
    for (name, trap) in [
        ("active", Trap::TableOutOfBounds),
        ("declared", Trap::TableOutOfBounds),
        ("data", Trap::MemoryOutOfBounds),
    ] {
        assert_eq!(crate::common::trap(&mut store, instance, name), Some(trap), "{name}");
    }
    run(&mut store, instance, "nothing").expect("no bytes are always there");
}

#[test]
fn the_start_function_runs_last_and_may_use_exports() {
    let engine = Engine::default();
    let mut linker = Linker::<Vec<u8>>::new(&engine);
    let peek = |mut caller: vm::Caller<'_, Vec<u8>>| {
        let memory = caller.get_export("m").and_then(Extern::into_memory).expect("exported");
        let byte = memory.data(&caller)[1];
        caller.data_mut().push(byte);
    };
    linker.func_wrap("", "peek", peek).expect("defined once");
    let text = r#"(module (import "" "peek" (func $peek)) (memory (export "m") 1) (data (i32.const 1) "q")
        (start $s) (func $s (call $peek)))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, Vec::new());
    linker.instantiate(&mut store, &module).expect("it starts");
    assert_eq!(store.data(), b"q");
}

#[test]
fn what_a_refused_instantiation_made_is_given_back() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new()
        .memory_size(1 << 16)
        .table_elements(9)
        .memories(2)
        .tables(1)
        .build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    // The second memory is too large, after the first was made.
    let large = Module::new(&engine, "(module (memory 1) (memory 2))").expect("valid");
    let table = Module::new(&engine, "(module (memory 1) (memory 1) (table 10 funcref))").expect("valid");
    for module in [&large, &large, &table, &large, &table] {
        let error = Instance::new(&mut store, module, &[]).expect_err("beyond the limit");
        let refused = matches!(
            error,
            Error::Limit(LimitError::MemoryUnavailable { pages: 2 } | LimitError::TableUnavailable { elements: 10 })
        );
        assert!(refused, "{error}");
    }
    let fits = Module::new(&engine, "(module (memory 1) (memory 1) (table 9 funcref))").expect("valid");
    Instance::new(&mut store, &fits, &[]).expect("all of the limit is left");
}

#[test]
fn memories_of_both_kinds_work_in_one_instance() {
    let text = r#"(module (import "" "m" (memory 1)) (memory 1)
        (func (export "run") (param i32) (result i32)
            (i32.store 0 (local.get 0) (i32.const 40)) (i32.store 1 (local.get 0) (i32.const 2))
            (i32.add (i32.load 0 (local.get 0)) (i32.load 1 (local.get 0)))))"#;
    for guard in [true, false] {
        let engine = Engine::new(Config::new().memory_guard(guard)).expect("nothing special");
        let module = Module::new(&engine, text).expect("valid");
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("small");
        let instance = Instance::new(&mut store, &module, &[memory.into()]).expect("it fits");
        let run = instance
            .get_typed_func::<u32, i32>(&mut store, "run")
            .expect("exported");
        assert_eq!(run.call(&mut store, 65532).expect("inside"), 42);
        for at in [65533, 65536, u32::MAX] {
            let error = run.call(&mut store, at).expect_err("outside");
            assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds), "guard {guard}, at {at}");
        }
    }
}

/// Code has immutable imported globals as constants: each instance its own.
#[test]
fn instances_see_the_immutable_globals_they_import() {
    let (engine, module) = module(
        r#"(module
            (import "env" "base" (global $base i32))
            (import "env" "scale" (global $scale f64))
            (import "env" "moving" (global $moving (mut i32)))
            (global $copy i32 (global.get $base))
            (global $own i64 (i64.const 5))
            (func (export "f") (result f64)
              (f64.mul (global.get $scale)
                (f64.add
                  (f64.convert_i32_s (i32.add (i32.add (global.get $base) (global.get $copy)) (global.get $moving)))
                  (f64.convert_i64_s (global.get $own))))))"#,
    );
    let mut store = Store::new(&engine, ());
    let moving = Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Var), Val::I32(0))
        .expect("the value is of its type");
    let mut functions = Vec::new();
    // More than a module keeps codes for, and some again.
    for base in (0..40).chain(0..3) {
        let base_global = Global::new(
            &mut store,
            GlobalType::new(ValType::I32, Mutability::Const),
            Val::I32(base),
        )
        .expect("the value is of its type");
        let scale = Global::new(
            &mut store,
            GlobalType::new(ValType::F64, Mutability::Const),
            Val::F64(f64::from(base % 2 + 1).to_bits()),
        )
        .expect("the value is of its type");
        let imports = [base_global.into(), scale.into(), moving.into()];
        let instance = Instance::new(&mut store, &module, &imports).expect("the imports fit");
        let f = instance
            .get_typed_func::<(), f64>(&mut store, "f")
            .expect("it exports f");
        functions.push((base, f));
    }
    for round in 0..3 {
        moving.set(&mut store, Val::I32(round)).expect("it is mutable");
        for (base, f) in &functions {
            let expected = f64::from(base % 2 + 1) * f64::from(2 * base + round + 5);
            assert_eq!(f.call(&mut store, ()).expect("f does not trap"), expected, "{base}");
        }
    }
}
