//! Handles, values and the errors that embedders' mistakes give.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vm::{
    AsContextMut, Caller, Config, Engine, Error, Export, Extern, ExternRef, ExternType, Func, FuncType, Global,
    GlobalType, Instance, InterruptHandle, LinkError, Linker, LoadErrorKind, Memory, MemoryType, Module, Mutability,
    Ref, RefType, Rooted, Store, StoreLimits, Table, TableType, Trap, TypeError, TypedFunc, Val, ValType,
    WasmBacktrace,
};

use crate::common::{instance, linked, module, run};

/// Compiles if what is shared between threads can be.
#[test]
fn handles_and_stores_can_be_sent_and_shared() {
    fn both<V: Send + Sync>() {}
    both::<(Config, Engine, Module, InterruptHandle, StoreLimits)>();
    both::<(
        Func,
        Memory,
        Table,
        Global,
        Extern,
        Export,
        Instance,
        ExternRef,
        Val,
        Ref,
    )>();
    both::<(TypedFunc<i32, i32>, Error, Trap, WasmBacktrace)>();
    both::<(Store<()>, Linker<()>)>();
    // Not shared by itself, but in a store that is sent.
    fn sent<V: Send>() {}
    sent::<Store<std::cell::Cell<u8>>>();
    // A linker holds no data.
    both::<Linker<std::rc::Rc<u8>>>();
}

#[test]
fn all_arities_up_to_seventeen_work_both_ways() {
    let params = "i64 ".repeat(17);
    let gets: String = (0..17).map(|i| format!("(local.get {i})")).collect();
    let text = format!(
        r#"(module
            (import "" "f" (func $f (param {params}) (result {params})))
            (func (export "g") (param {params}) (result {params}) (call $f {gets})))"#
    );
    type Many = (
        (i64, i64, i64, i64, i64, i64, i64, i64),
        (i64, i64, i64, i64, i64, i64, i64, i64, i64),
    );
    let (mut store, instance) = linked(&text, (), |linker| {
        #[rustfmt::skip]
        let reverse = |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: i64, j: i64, k: i64, l: i64,
                       m: i64, n: i64, o: i64, p: i64, q: i64| (q, p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a);
        linker.func_wrap("", "f", reverse).map(|_| ())
    });
    let g = instance.get_func(&mut store, "g").expect("exported");
    #[rustfmt::skip]
    let g = g.typed::<
        (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64),
        (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64),
    >(&store).expect("the types fit");
    let args = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
    let (a, b, c, d, e, f, g2, h, i, j, k, l, m, n, o, p, q) = g.call(&mut store, args).expect("no trap");
    let found: Many = ((a, b, c, d, e, f, g2, h), (i, j, k, l, m, n, o, p, q));
    assert_eq!(found, ((17, 16, 15, 14, 13, 12, 11, 10), (9, 8, 7, 6, 5, 4, 3, 2, 1)));
}

#[test]
fn values_keep_their_bits_through_calls() {
    let (mut store, instance) = instance(
        r#"(module (func (export "f")
            (param i32 i64 f32 f64 funcref externref) (result externref funcref f64 f32 i64 i32)
            (local.get 5) (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#,
    );
    let f = instance.get_func(&mut store, "f").expect("exported");
    let signalling = 0x7fa0_0001;
    let value = ExternRef::new(&mut store, 9_u8).expect("room");
    let args = [
        Val::I32(-1),
        Val::I64(i64::MIN),
        Val::F32(signalling),
        Val::F64(0xfff4_0000_0000_0001),
        Val::FuncRef(Some(f)),
        Val::ExternRef(Some(value)),
    ];
    let mut results = [Val::I32(0); 6];
    f.call(&mut store, &args, &mut results).expect("no trap");
    assert!(matches!(results[0], Val::ExternRef(Some(same)) if Rooted::ref_eq(&store, &same, &value).expect("live")));
    assert!(matches!(results[1], Val::FuncRef(Some(same)) if same == f));
    assert!(matches!(results[2], Val::F64(0xfff4_0000_0000_0001)));
    assert!(matches!(results[3], Val::F32(bits) if bits == signalling));
    assert!(matches!(results[4], Val::I64(i64::MIN)));
    assert!(matches!(results[5], Val::I32(-1)));
    let data = value.data(&store).expect("live").expect("a value of the host");
    assert_eq!(data.downcast_ref::<u8>(), Some(&9));
}

#[test]
fn wrong_arguments_are_type_errors_and_leave_results_alone() {
    let (mut store, instance) = instance(r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#);
    let f = instance.get_func(&mut store, "f").expect("exported");
    let mut results = [Val::I64(7)];
    let error = f.call(&mut store, &[], &mut results).expect_err("too few");
    assert_eq!(
        error.to_string(),
        "a (func (param i32) (result i32)) takes 1 arguments, but was given 0"
    );
    let error = f.call(&mut store, &[Val::I32(1)], &mut []).expect_err("too few");
    assert_eq!(
        error.to_string(),
        "a (func (param i32) (result i32)) takes 1 results, but was given 0"
    );
    let error = f.call(&mut store, &[Val::F32(1)], &mut results).expect_err("a float");
    assert_eq!(error.to_string(), "expected a value of type i32, found one of type f32");
    assert!(matches!(results, [Val::I64(7)]));
    let error = instance
        .get_typed_func::<i64, i32>(&mut store, "f")
        .expect_err("another type");
    let text = "the function's type is (func (param i32) (result i32)), not (func (param i64) (result i32))";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_same_object_has_equal_handles() {
    let (engine, exporter) = module(
        r#"(module
            (func $f (export "f")) (memory (export "m") 1) (global (export "g") i32 (i32.const 3))
            (table (export "t") 1 funcref) (elem (i32.const 0) $f))"#,
    );
    let again = r#"(module
        (import "a" "f" (func $f)) (import "a" "m" (memory 1)) (import "a" "g" (global i32)) (import "a" "t" (table 1 funcref))
        (export "f" (func 0)) (export "m" (memory 0)) (export "g" (global 0)) (export "t" (table 0))
        (func (export "ref") (result funcref) (ref.func $f)))"#;
    let again = Module::new(&engine, again).expect("valid");
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let first = linker.instantiate(&mut store, &exporter).expect("no imports");
    linker.instance(&mut store, "a", first).expect("defined once");
    let second = linker.instantiate(&mut store, &again).expect("they fit");

    let f = first.get_func(&mut store, "f").expect("exported");
    assert_eq!(second.get_func(&mut store, "f"), Some(f));
    let reference = second
        .get_typed_func::<(), Option<Func>>(&mut store, "ref")
        .expect("exported");
    assert_eq!(reference.call(&mut store, ()).expect("no trap"), Some(f));
    let table = first.get_table(&mut store, "t").expect("exported");
    assert!(matches!(table.get(&store, 0), Some(Ref::Func(Some(same))) if same == f));
    assert_eq!(second.get_table(&mut store, "t"), Some(table));
    assert_eq!(first.get_memory(&mut store, "m"), second.get_memory(&mut store, "m"));
    assert_eq!(first.get_global(&mut store, "g"), second.get_global(&mut store, "g"));
    assert_eq!(first.get_func(&mut store, "m"), None);
    assert!(first.get_export(&mut store, "x").is_none());
    let names: Vec<String> = first
        .exports(&mut store)
        .map(|export| export.name().to_owned())
        .collect();
    assert_eq!(names, ["f", "m", "g", "t"]);
}

#[test]
fn handles_of_another_store_panic_or_are_refused() {
    let engine = Engine::default();
    let (mut a, mut b) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let func = Func::wrap(&mut a, || 1);
    let memory = Memory::new(&mut a, MemoryType::new(1, None)).expect("small");
    let table = Table::new(&mut a, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None)).expect("small");
    let global = Global::new(
        &mut a,
        GlobalType::new(ValType::FUNCREF, Mutability::Var),
        Val::FuncRef(None),
    );
    let global = global.expect("the types fit");
    let value = ExternRef::new(&mut a, ()).expect("room");

    fn panics<R>(what: &str, used: impl FnOnce() -> R) {
        let payload = catch_unwind(AssertUnwindSafe(|| drop(used()))).expect_err(what);
        let message = payload.downcast::<String>().expect("a formatted message");
        assert_eq!(*message, format!("a {what} of another store was used"));
    }
    panics("function", || func.call(&mut b, &[], &mut [Val::I32(0)]));
    panics("function", || func.typed::<(), i32>(&b));
    panics("memory", || memory.write(&mut b, 0, &[1]));
    panics("memory", || memory.data_mut(&mut b).len());
    panics("memory", || memory.data_and_store_mut(&mut b).0.len());
    panics("memory", || memory.grow(&mut b, 1));
    panics("table", || table.grow(&mut b, 1, Ref::Func(None)));
    panics("table", || table.set(&mut b, 0, Ref::Func(None)));
    panics("global", || global.get(&b));
    panics("global", || global.set(&mut b, Val::FuncRef(None)));

    // As values they are refused.
    let other_table = Table::new(&mut b, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None)).expect("small");
    let refused = |result: Result<(), Error>| {
        assert!(
            matches!(result, Err(Error::Type(TypeError::OtherStore { .. }))),
            "{result:?}"
        );
    };
    refused(value.data(&b).map(|_| ()));
    refused(other_table.set(&mut b, 0, func.into()));
    let takes = Func::wrap(&mut b, |_: Option<Func>, _: Option<Rooted<ExternRef>>| ());
    refused(takes.call(&mut b, &[func.into(), Val::ExternRef(None)], &mut []));
    let takes = takes
        .typed::<(Option<Func>, Option<Rooted<ExternRef>>), ()>(&b)
        .expect("the types fit");
    refused(takes.call(&mut b, (Some(func), None)));
    refused(takes.call(&mut b, (None, Some(value))));
    refused(Linker::new(&engine).define(&b, "a", "f", func).map(|_| ()));
}

#[test]
fn imports_of_a_store_that_is_gone_are_refused_whatever_is_needed() {
    let needs = [
        r#"(import "" "" (func))"#,
        r#"(import "" "" (memory 0))"#,
        r#"(import "" "" (table 0 funcref))"#,
        r#"(import "" "" (global i32))"#,
    ];
    let given: Vec<Extern> = {
        let mut gone = Store::new(&Engine::default(), ());
        // Types that the other engine does not know.
        let func = (0..9).map(|n| {
            let ty = FuncType::new(vec![ValType::I64; n], []);
            Func::new(&mut gone, ty, |_, _, _| Ok(()))
        });
        let func = func.last().expect("nine are made");
        let table = Table::new(&mut gone, TableType::new(RefType::FUNCREF, 1, None), Ref::Func(None));
        let global = Global::new(&mut gone, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(0));
        vec![
            func.into(),
            Memory::new(&mut gone, MemoryType::new(1, None)).expect("small").into(),
            table.expect("small").into(),
            global.expect("the types fit").into(),
        ]
    };
    for import in needs {
        let (engine, module) = module(import);
        let mut store = Store::new(&engine, ());
        for item in &given {
            let error = Instance::new(&mut store, &module, &[*item]).expect_err("another store's");
            assert!(
                matches!(error, Error::Type(TypeError::OtherStore { .. })),
                "{import}: {error}"
            );
        }
    }
}

#[test]
fn globals_check_type_and_mutability() {
    let (mut store, instance) = instance(
        r#"(module (global (export "c") i32 (i32.const 1)) (global (export "v") (mut f32) (f32.const 1))
            (func (export "get") (result f32) (global.get 1)))"#,
    );
    let constant = instance.get_global(&mut store, "c").expect("exported");
    let variable = instance.get_global(&mut store, "v").expect("exported");
    let error = constant.set(&mut store, Val::I32(2)).expect_err("immutable");
    assert!(matches!(error, Error::Type(TypeError::Immutable)));
    let error = variable.set(&mut store, Val::I32(2)).expect_err("a float");
    assert!(matches!(error, Error::Type(TypeError::Value { .. })));
    variable.set(&mut store, 2.5_f32.into()).expect("of its type");
    let get = instance.get_typed_func::<(), f32>(&mut store, "get").expect("exported");
    assert_eq!(get.call(&mut store, ()).expect("no trap"), 2.5);
    assert_eq!(constant.get(&store).i32(), Some(1));
    let ty = GlobalType::new(ValType::I32, Mutability::Var);
    assert!(Global::new(&mut store, ty, Val::I64(0)).is_err());
}

#[test]
fn memories_are_bounded_from_the_host_too() {
    let (mut store, instance) = instance(
        r#"(module (memory (export "m") 1 3) (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
    );
    let memory = instance.get_memory(&mut store, "m").expect("exported");
    let mut buffer = [1; 4];
    assert!(memory.read(&store, 65533, &mut buffer).is_err());
    assert!(memory.read(&store, usize::MAX, &mut buffer).is_err());
    assert_eq!(buffer, [1; 4]);
    assert!(memory.write(&mut store, 65533, &[5; 4]).is_err());
    assert!(memory.write(&mut store, usize::MAX, &[5; 4]).is_err());
    assert_eq!(memory.data(&store)[65533..], [0; 3]);
    assert!(memory.write(&mut store, 65536, &[]).is_ok());
    assert!(memory.write(&mut store, 65537, &[]).is_err());
    assert_eq!(memory.grow(&mut store, 2).expect("within the maximum"), 1);
    assert!(memory.grow(&mut store, 1).is_err());
    assert!(memory.grow(&mut store, u64::MAX).is_err());
    assert_eq!(
        (memory.size(&store), memory.data_size(&store), memory.page_size(&store)),
        (3, 3 << 16, 65536)
    );
    memory.data_mut(&mut store)[3 * 65536 - 1] = 9;
    let get = instance
        .get_typed_func::<u32, i32>(&mut store, "get")
        .expect("exported");
    assert_eq!(get.call(&mut store, 3 * 65536 - 1).expect("inside"), 9);
    assert_eq!(Extern::from(memory).ty(&store).to_string(), "(memory 3 3)");
    assert_eq!(memory.ty(&store).to_string(), "(memory 1 3)");
}

#[test]
fn tables_check_elements_and_bounds() {
    let mut store = Store::new(&Engine::default(), ());
    let table = Table::new(
        &mut store,
        TableType::new(RefType::EXTERNREF, 1, Some(3)),
        Ref::Extern(None),
    );
    let table = table.expect("small");
    let func = Func::wrap(&mut store, || ());
    assert!(table.set(&mut store, 0, func.into()).is_err());
    let value = ExternRef::new(&mut store, "x").expect("room");
    table.set(&mut store, 0, Ref::Extern(Some(value))).expect("of its type");
    let error = table.set(&mut store, 1, Ref::Extern(None)).expect_err("beyond the end");
    assert_eq!(error.to_string(), "no element 1 in a table of 1");
    assert!(table.grow(&mut store, 1, Ref::Func(None)).is_err());
    assert_eq!(table.grow(&mut store, 2, Ref::Extern(Some(value))).expect("room"), 1);
    assert!(table.grow(&mut store, 1, Ref::Extern(None)).is_err());
    assert!(
        matches!(table.get(&store, 2), Some(Ref::Extern(Some(same))) if Rooted::ref_eq(&store, &same, &value).expect("live"))
    );
    assert!(table.get(&store, 3).is_none());
    assert!(table.get(&store, u64::MAX).is_none());
    assert_eq!(table.size(&store), 3);
}

#[test]
fn memory_bytes_and_data_can_be_used_together() {
    let text = r#"(module (import "" "f" (func $f)) (memory (export "m") 1) (func (export "run") (call $f)))"#;
    let (mut store, instance) = linked(text, Vec::new(), |linker| {
        let append = |mut caller: Caller<'_, Vec<u8>>| {
            let memory = caller.get_export("m").and_then(Extern::into_memory).expect("exported");
            let (bytes, data) = memory.data_and_store_mut(&mut caller);
            data.extend_from_slice(&bytes[..4]);
            let (bytes, _) = memory.data_and_store_mut(caller.as_context_mut());
            bytes[0] = 7;
        };
        linker.func_wrap("", "f", append).map(|_| ())
    });
    run(&mut store, instance, "run").expect("no trap");
    run(&mut store, instance, "run").expect("no trap");
    assert_eq!(store.data(), &[0, 0, 0, 0, 7, 0, 0, 0]);
}

#[test]
fn modules_say_what_they_are() {
    let text = r#"(module $orca
        (import "a" "b" (func (param i32))) (import "a" "c" (memory 1 2))
        (import "a" "d" (global (mut i64))) (import "a" "e" (table 1 funcref))
        (func (export "f") (result f32) (f32.const 0))
        (@custom "notes" "one") (@custom "notes" "two"))"#;
    let (_, module) = module(text);
    let imports: Vec<String> = module
        .imports()
        .map(|i| format!("{} {} {}", i.module(), i.name(), i.ty()))
        .collect();
    assert_eq!(
        imports,
        [
            "a b (func (param i32))",
            "a c (memory 1 2)",
            "a d (global (mut i64))",
            "a e (table 1 funcref)"
        ]
    );
    assert_eq!((module.imports().len(), module.exports().len()), (4, 1));
    assert!(matches!(module.get_export("f"), Some(ExternType::Func(ty)) if ty.to_string() == "(func (result f32))"));
    assert!(module.get_export("g").is_none());
    assert_eq!(module.name(), Some("orca"));
    assert_eq!(module.custom_sections("notes").collect::<Vec<_>>(), [b"one", b"two"]);
}

#[test]
fn bad_modules_are_load_errors_that_say_where() {
    let engine = Engine::default();
    let kind = |bytes: &[u8]| match Module::new(&engine, bytes).expect_err("not a module") {
        Error::Load(error) => (format!("{:?}", std::mem::discriminant(error.kind())), error),
        other => panic!("{other}"),
    };
    let (_, text) = kind(b"(module\n  (func (export \"f\") (result i32)\n    bogus))");
    assert!(matches!(text.kind(), LoadErrorKind::Text(_)));
    assert!(text.to_string().contains(":3:5"), "{text}");
    let (_, binary) = kind(b"\xffELF");
    assert!(matches!(binary.kind(), LoadErrorKind::NotWasm), "{binary}");
    let (_, cut) = kind(b"\0asm\x01\0\0\0\x01\x7f");
    assert!(matches!(cut.kind(), LoadErrorKind::Invalid(_)), "{cut}");
    assert!(cut.offset().is_some_and(|offset| (8..=10).contains(&offset)), "{cut}");
    let invalid = Module::new(&engine, "(module (func (result i32)))").expect_err("no value");
    assert!(matches!(invalid, Error::Load(_)), "{invalid}");
    assert!(Module::validate(&engine, b"\0asm\x01\0\0\0").is_ok());
    assert!(Module::validate(&engine, b"\0asm\x02\0\0\0").is_err());
}

#[test]
fn a_missing_export_lists_what_there_is() {
    let (mut store, instance) = instance(r#"(module (func (export "run")) (memory (export "memory") 1))"#);
    let error = instance
        .get_typed_func::<(), ()>(&mut store, "rum")
        .expect_err("no such export");
    assert_eq!(
        error.to_string(),
        "no exported function `rum`; the module exports `run`, `memory`"
    );
    assert!(matches!(error, Error::Link(LinkError::MissingExport { .. })));
    let error = instance
        .get_typed_func::<(), ()>(&mut store, "memory")
        .expect_err("no function");
    assert!(
        error.to_string().starts_with("no exported function `memory`"),
        "{error}"
    );
}

#[test]
fn a_module_of_another_engine_is_refused_loudly() {
    let (_, module) = module("(module)");
    let mut store = Store::new(&Engine::default(), ());
    let made = catch_unwind(AssertUnwindSafe(|| Instance::new(&mut store, &module, &[]).is_ok()));
    assert!(made.is_err());
}

#[test]
fn a_store_on_another_thread_goes_on_working() {
    let (mut store, instance) = instance(
        r#"(module (global $n (mut i32) (i32.const 0))
            (func (export "next") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#,
    );
    let next = instance
        .get_typed_func::<(), i32>(&mut store, "next")
        .expect("exported");
    assert_eq!(next.call(&mut store, ()).expect("no trap"), 1);
    let (mut store, second) = std::thread::spawn(move || {
        let second = next.call(&mut store, ()).expect("no trap");
        (store, second)
    })
    .join()
    .expect("no panic");
    assert_eq!((second, next.call(&mut store, ()).expect("no trap")), (2, 3));
}

#[test]
fn a_module_is_shared_between_threads() {
    let (engine, module) = module(
        r#"(module (memory 1)
            (func $fib (export "fib") (param i32) (result i32)
                (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
                    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
            (func (export "outside") (result i32) (i32.load (i32.const 65536))))"#,
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
                    let fib = instance
                        .get_typed_func::<i32, i32>(&mut store, "fib")
                        .expect("exported");
                    assert_eq!(fib.call(&mut store, 15).expect("no trap"), 610);
                    let outside = instance
                        .get_typed_func::<(), i32>(&mut store, "outside")
                        .expect("exported");
                    let error = outside.call(&mut store, ()).expect_err("outside");
                    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
                }
            });
        }
    });
}
