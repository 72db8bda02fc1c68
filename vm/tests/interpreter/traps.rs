//! Each kind of trap, and the backtraces that come with them.

use vm::{Config, Engine, Instance, Module, Store, Trap};

use crate::common::{instance, run, trap};

/// A way to trap for each kind, and what the trap prints.
const KINDS: &[(&str, Trap, &str)] = &[
    ("unreachable", Trap::UnreachableCodeReached, "unreachable"),
    ("call $recurse", Trap::StackOverflow, "call stack exhausted"),
    (
        "(drop (i32.load (i32.const 65533)))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(drop (i32.load offset=4294967295 (i32.const -1)))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(i64.store8 (i32.const 65536) (i64.const 1))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(memory.init $data (i32.const 0) (i32.const 1) (i32.const 1))",
        Trap::MemoryOutOfBounds,
        "out of bounds memory access",
    ),
    (
        "(drop (table.get (i32.const 3)))",
        Trap::TableOutOfBounds,
        "out of bounds table access",
    ),
    (
        "(table.set (i32.const 3) (ref.null func))",
        Trap::TableOutOfBounds,
        "out of bounds table access",
    ),
    (
        "(table.fill (i32.const 2) (ref.null func) (i32.const 2))",
        Trap::TableOutOfBounds,
        "out of bounds table access",
    ),
    (
        "(table.copy (i32.const 0) (i32.const 2) (i32.const 2))",
        Trap::TableOutOfBounds,
        "out of bounds table access",
    ),
    (
        "(call_indirect (i32.const 3))",
        Trap::UndefinedElement,
        "undefined element",
    ),
    (
        "(call_indirect (i32.const 1))",
        Trap::IndirectCallToNull,
        "uninitialized element",
    ),
    (
        "(call_indirect (param i32) (i32.const 7) (i32.const 0))",
        Trap::BadSignature,
        "indirect call type mismatch",
    ),
    (
        "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
        Trap::IntegerDivisionByZero,
        "integer divide by zero",
    ),
    (
        "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
        Trap::IntegerDivisionByZero,
        "integer divide by zero",
    ),
    (
        "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
        Trap::IntegerOverflow,
        "integer overflow",
    ),
    (
        "(drop (i32.trunc_f32_u (f32.const -1)))",
        Trap::IntegerOverflow,
        "integer overflow",
    ),
    (
        "(drop (i64.trunc_f64_s (f64.const nan)))",
        Trap::BadConversionToInteger,
        "invalid conversion to integer",
    ),
];

/// A module that exports `trap`, which does what `body` says.
fn trapping(body: &str) -> String {
    format!(
        r#"(module $m (memory 1) (table 3 funcref) (elem (i32.const 0) $nothing) (data $data "x") (func $nothing)
            (func $recurse (call $recurse))
            (func $inner {body})
            (func $outer (export "trap") (call $inner) (nop)))"#
    )
}

#[test]
fn each_kind_traps_again_and_again_with_its_text_and_place() {
    for (body, kind, text) in KINDS {
        for guard in [true, false] {
            let engine = Engine::new(Config::new().memory_guard(guard)).expect("nothing special");
            let module = Module::new(&engine, trapping(body)).expect("valid");
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
            for _ in 0..3 {
                let error = run(&mut store, instance, "trap").expect_err("it traps");
                assert_eq!(error.trap(), Some(*kind), "{body}");
                assert_eq!(error.to_string(), *text);
                assert_eq!(error.downcast_ref(), Some(kind));
                let frames = error.backtrace().expect("the guest's").frames();
                if *kind == Trap::StackOverflow {
                    assert!(frames.len() >= 100, "{}", frames.len());
                    assert_eq!(frames[0].func_name().as_deref(), Some("recurse"));
                    continue;
                }
                let names: Vec<_> = frames.iter().map(|f| f.func_name().unwrap_or_default()).collect();
                assert_eq!(names, ["inner", "outer"], "{body}, guard {guard}");
                assert!(frames.iter().all(|f| f.module_name() == Some("m")));
            }
        }
    }
}

#[test]
fn traps_on_several_threads_do_not_meet() {
    let engine = Engine::default();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for (body, kind, _) in KINDS.iter().cycle().skip(thread * 5).take(2 * KINDS.len()) {
                    let module = Module::new(engine, trapping(body)).expect("valid");
                    let mut store = Store::new(engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
                    assert_eq!(trap(&mut store, instance, "trap"), Some(*kind), "{body}");
                }
            });
        }
    });
}

#[test]
fn a_backtrace_names_functions_and_their_places() {
    let (mut store, instance) = instance(
        r#"(module $app
            (func $_ZN3std3fmt5write17h0123456789abcdefE unreachable)
            (func (nop) (call 0))
            (func (export "run") (call 1)))"#,
    );
    let error = run(&mut store, instance, "run").expect_err("it traps");
    let backtrace = error.backtrace().expect("the guest's");
    let frames = backtrace.frames();
    let names: Vec<_> = frames.iter().map(|f| f.func_name()).collect();
    assert_eq!(
        names,
        [Some("std::fmt::write".to_owned()), None, Some("run".to_owned())]
    );
    assert_eq!(frames.iter().map(|f| f.func_index()).collect::<Vec<_>>(), [0, 1, 2]);
    // Bodies begin with the number of local declarations; a `nop` comes first
    // in the second.
    assert_eq!(frames.iter().map(|f| f.func_offset()).collect::<Vec<_>>(), [1, 2, 1]);
    let lines: Vec<String> = backtrace.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("   0: app!std::fmt::write @ 0x"), "{}", lines[0]);
    assert!(lines[1].starts_with("   1: app!func[1] @ 0x"), "{}", lines[1]);
}

#[test]
fn a_backtrace_crosses_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = vm::Linker::new(&engine);
    let text = r#"(module $library (func $divide (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
        (table (export "table") 1 funcref) (elem (i32.const 0) $divide))"#;
    let library = Module::new(&engine, text).expect("valid");
    linker.module(&mut store, "library", &library).expect("no imports");
    for call in [
        "(call $divide (local.get 0))",
        "(call_indirect (param i32) (result i32) (local.get 0) (i32.const 0))",
    ] {
        let text = format!(
            r#"(module $app (import "library" "divide" (func $divide (param i32) (result i32)))
                (import "library" "table" (table 1 funcref))
                (func $main (export "main") (param i32) (result i32) {call}))"#
        );
        let app = Module::new(&engine, text).expect("valid");
        let app = linker.instantiate(&mut store, &app).expect("defined");
        let main = app.get_typed_func::<i32, i32>(&mut store, "main").expect("exported");
        assert_eq!(main.call(&mut store, 1).expect("no trap"), 1);
        let error = main.call(&mut store, 0).expect_err("it traps");
        assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
        let shown = error.backtrace().expect("the guest's").to_string();
        let places: Vec<_> = shown
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(places, ["library!divide", "app!main"], "{call}");
    }
}

#[test]
fn a_store_works_after_each_kind_of_trap() {
    for (body, kind, _) in KINDS {
        let text = trapping(body).replace(
            "(func $nothing)",
            r#"(func $nothing) (func (export "two") (result i32) (i32.const 2))"#,
        );
        let (mut store, instance) = instance(&text);
        let two = instance.get_typed_func::<(), i32>(&mut store, "two").expect("exported");
        assert_eq!(trap(&mut store, instance, "trap"), Some(*kind));
        assert_eq!(two.call(&mut store, ()).expect("no trap"), 2);
    }
}
