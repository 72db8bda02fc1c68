//! Function pointers and memories across the border between a module and a child of
//! its own: two modules in C that were compiled each for itself, what messages say,
//! and what ends without end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orcavm_sandbox::{CallError, CrossingError, Home, OpenError, Opened, SandboxCtx, Signature, add_to_linker};
use orcavm_wasi::{DirPerms, WasiCtxBuilder};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use vm::{
    Access, Caller, Config, Domain, DomainId, Engine, Error, Instance, Linker, Module, Permissions, Store, Trap, Val,
    WasmParams, WasmResults,
};

fn get(ctx: &mut SandboxCtx, _: Option<DomainId>) -> &mut SandboxCtx {
    ctx
}

fn store_with(config: &Config, permissions: &str) -> (Store<SandboxCtx>, Linker<SandboxCtx>) {
    let engine = Engine::new(config).expect("a valid configuration");
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, get).expect("the names differ");
    let domain = Domain::new("app", permissions.parse().expect("permissions"));
    let wasi = WasiCtxBuilder::new().build().expect("nothing can be missing");
    let ctx = SandboxCtx::new(&engine, domain.clone(), wasi).expect("the names differ");
    let mut store = Store::new(&engine, ctx);
    store.set_domain(domain).expect("nothing is in it");
    (store, linker)
}

fn store() -> (Store<SandboxCtx>, Linker<SandboxCtx>) {
    store_with(&Config::new(), "inherit")
}

fn open(store: &mut Store<SandboxCtx>, text: &str) -> Opened {
    let bytes = wat::parse_str(text).expect("valid");
    Opened::open(store, get, None, &bytes, &Permissions::all()).expect("it starts")
}

fn signature(text: &str) -> Signature {
    text.parse().expect(text)
}

fn instance(store: &mut Store<SandboxCtx>, linker: &Linker<SandboxCtx>, text: &str) -> Instance {
    let module = Module::new(store.engine(), text).expect("valid");
    linker.instantiate(store, &module).expect("all is there")
}

fn call<P: WasmParams, R: WasmResults>(
    store: &mut Store<SandboxCtx>,
    instance: Instance,
    name: &str,
    params: P,
) -> Result<R, Error> {
    let func = instance.get_typed_func::<P, R>(&mut *store, name).expect("exported");
    func.call(store, params)
}

#[test]
fn two_modules_in_c_exchange_data_and_callbacks() {
    let (mut store, mut linker) = store();
    let library = include_bytes!("pointers/library.wasm");
    let library = Opened::open(&mut store, get, None, library, &Permissions::none()).expect("it starts");
    for (name, text) in [
        ("sort", "iii*(ii:i):"),
        ("words", "i*(ii:i):i"),
        ("by_length", ":*(ii:i)"),
    ] {
        let func = library.function(&mut store, get, name, Some(&signature(text)), None);
        let func = func.expect("exported, with that type");
        linker
            .define(&mut store, "library", name, func)
            .expect("the names differ");
    }
    let program = Module::from_binary(store.engine(), include_bytes!("pointers/program.wasm")).expect("valid");
    let program = linker.instantiate(&mut store, &program).expect("all is there");
    let memory = program.get_memory(&mut store, "memory").expect("exported");

    // Nothing is lent yet.
    let error = call::<_, i32>(&mut store, program, "capitals", 0).expect_err("it is not lent");
    assert_eq!(
        error.to_string(),
        "`words` of `app/1` failed: out of bounds memory access"
    );
    let size = u32::try_from(memory.data_size(&store)).expect("small");
    library
        .lend(&mut store, get, memory, 0, size, Access::ReadWrite)
        .expect("the bytes are there");

    assert_eq!(
        call::<_, i32>(&mut store, program, "keys", ()).expect("it returns"),
        12345
    );
    assert_eq!(
        call::<_, i32>(&mut store, program, "comparisons", ()).expect("it returns"),
        4 + 3 + 2 + 1
    );
    // a, orca or seal, beluga, narwhal: the sort keeps equal ones in no order.
    let lengths = call::<_, i32>(&mut store, program, "lengths", ()).expect("it returns");
    assert!([23541, 25341].contains(&lengths), "{lengths}");
    assert_eq!(call::<_, i32>(&mut store, program, "texts", ()).expect("it returns"), 1);

    let sum = call::<_, i32>(&mut store, program, "capitals", library.handle()).expect("it returns");
    assert_eq!(sum, 3 + 6 + 3 + 7);
    let at: i32 = call(&mut store, program, "letters", ()).expect("it returns");
    let mut letters = [0; 23];
    memory.read(&store, at as usize, &mut letters).expect("inside");
    assert_eq!(&letters, b"ONE MEMORY AND ANOTHER ");

    library.close(&mut store, get).expect("it does not run");
    let error = call::<_, i32>(&mut store, program, "keys", ()).expect_err("it is closed");
    assert!(matches!(error.downcast_ref(), Some(CallError::Gone)), "{error}");
}

#[test]
fn a_guest_in_c_opens_a_library() {
    let directory = tempfile::tempdir().expect("there is room");
    let library = include_bytes!("pointers/library.wasm");
    std::fs::write(directory.path().join("library.wasm"), library).expect("writable");
    let (mut store, linker) = store();
    let wasi = WasiCtxBuilder::new()
        .preopened_dir(directory.path(), "/", DirPerms::ReadOnly)
        .build()
        .expect("the directory is there");
    store.data_mut().wasi = wasi;
    let guest = Module::from_binary(store.engine(), include_bytes!("pointers/guest.wasm")).expect("valid");
    let guest = linker.instantiate(&mut store, &guest).expect("all is there");
    for _ in 0..100 {
        let line = call::<_, i32>(&mut store, guest, "run", ()).expect("it returns");
        assert_eq!(line, 0, "the line of guest.c where something is wrong");
    }
    let table = guest
        .get_table(&mut store, "__indirect_function_table")
        .expect("exported");
    assert!(table.size(&store) < 100, "{}", table.size(&store));
}

/// Calls what it is passed, gives what it is passed, and has a function of its own.
const APPLY: &str = r#"(module
    (type $f (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $spin)
    (func $spin (param i32) (result i32) (loop (br 0)) (unreachable))
    (func (export "apply") (param $f i32) (param $x i32) (result i32)
        (call_indirect (type $f) (local.get $x) (local.get $f)))
    (func (export "own") (result i32) (i32.const 1))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "vector") (param externref) (result i32) (i32.const 1)))"#;

/// Has a table with functions to pass, and calls what is imported.
const PROGRAM: &str = r#"(module
    (import "apply" "apply" (func $apply (param i32 i32) (result i32)))
    (type $f (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 4 funcref)
    (elem (i32.const 1) $call $trap $wide)
    (func $call (param $f i32) (result i32) (call_indirect (type $f) (i32.const 0) (local.get $f)))
    (func $trap (param i32) (result i32) unreachable)
    (func $wide (param i64) (result i32) (i32.const 0))
    (func (export "run") (param i32 i32) (result i32) (call $apply (local.get 0) (local.get 1)))
    (func (export "call") (param i32) (result i32) (call $call (local.get 0))))"#;

/// A program that has linked with an [`APPLY`].
fn linked() -> (Store<SandboxCtx>, Opened, Instance) {
    let (mut store, mut linker) = store();
    let opened = open(&mut store, APPLY);
    let text = signature("*(i:i)i:i");
    let apply = opened
        .function(&mut store, get, "apply", Some(&text), None)
        .expect("exported");
    linker
        .define(&mut store, "apply", "apply", apply)
        .expect("the names differ");
    let program = instance(&mut store, &linker, PROGRAM);
    (store, opened, program)
}

#[test]
fn what_cannot_cross_is_told_in_one_sentence() {
    let (mut store, opened, program) = linked();
    for (place, message) in [
        (
            9,
            "parameter 1 of `apply` of `app/1` is to be a function pointer, but place 9 of the table holds no function",
        ),
        (
            3,
            "parameter 1 of `apply` of `app/1` points to a (func (param i64) (result i32)), and is declared as pointing \
             to a (func (param i32) (result i32))",
        ),
    ] {
        let error = call::<_, i32>(&mut store, program, "run", (place, 1)).expect_err("it cannot cross");
        assert_eq!(error.to_string(), message);
        assert!(error.downcast_ref::<CrossingError>().is_some());
    }
    let error = call::<_, i32>(&mut store, program, "run", (2, 1)).expect_err("the program's own trap");
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));

    let mut refused = |name: &str, text: Option<&str>| {
        let text = text.map(signature);
        let func = opened.function(&mut store, get, name, text.as_ref(), None);
        func.expect_err("it cannot be").to_string()
    };
    assert_eq!(
        refused("vector", None),
        "parameter 1 of `vector` of `app/1` is of type externref, which modules with memories of their own cannot pass each \
         other: pass numbers, addresses in a region that both have mapped (`&`), or function pointers (`*`)"
    );
    assert_eq!(refused("vector", Some("i:i")), refused("vector", None));
    assert_eq!(
        refused("apply", Some("*(i:i)I:i")),
        "parameter 2 of `apply` of `app/1` is an i32, and is declared as something that is an i64"
    );
    assert_eq!(
        refused("apply", Some("*(i:i):i")),
        "`apply` of `app/1` has 2 parameters, and 1 are declared"
    );
    assert_eq!(refused("nothing", None), "the module exports no function \"nothing\"");

    // A module whose table cannot grow, and one without.
    let fixed = APPLY.replace("2 funcref", "2 2 funcref");
    for (text, module, message) in [
        (
            fixed.clone(),
            "app/2",
            "the table of `app/2` cannot have one more function: link it with --growable-table, or allow it more table \
             elements",
        ),
        (
            fixed.replace("__indirect_function_table", "table"),
            "app/3",
            "`app/3` exports no table \"__indirect_function_table\": link it with --export-table",
        ),
    ] {
        let opened = open(&mut store, &text);
        let text = signature("*(i:i)i:i");
        let home = Home {
            memory: program.get_memory(&mut store, "memory"),
            table: program.get_table(&mut store, "__indirect_function_table"),
        };
        let apply = opened.function(&mut store, get, "apply", Some(&text), Some(home));
        let called = apply
            .expect("exported")
            .call(&mut store, &[Val::I32(1), Val::I32(1)], &mut [Val::I32(0)]);
        assert_eq!(
            called.expect_err("no place").to_string(),
            format!(
                "`apply` of `{module}` failed: parameter 1 of `apply` of `{module}` is a function pointer, but {message}"
            )
        );
    }
}

#[test]
fn functions_of_what_is_opened() {
    let (mut store, _) = store();
    let opened = open(&mut store, APPLY);
    let functions = opened.functions(&mut store, get).expect("it is open");
    let shown: Vec<String> = functions.iter().map(|(name, ty)| format!("{name} {ty}")).collect();
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[0], "apply (func (param i32 i32) (result i32))");
    let same = opened.function(&mut store, get, "same", None, None).expect("exported");
    let again = opened.function(&mut store, get, "same", None, None).expect("exported");
    assert_eq!(same, again, "one function is one function");
    let same = same.typed::<i32, i32>(&store).expect("its type");
    assert_eq!(same.call(&mut store, 7).expect("it returns"), 7);
    opened.close(&mut store, get).expect("it does not run");
    assert!(matches!(opened.close(&mut store, get), Err(OpenError::Closed)));
    assert!(matches!(opened.functions(&mut store, get), Err(OpenError::Closed)));
    let error = same.call(&mut store, 7).expect_err("it is closed");
    assert_eq!(
        error.to_string(),
        "a function pointer was called whose function was taken back, or whose module is gone"
    );
    // What is closed is used again, and not at once.
    let mut found = std::collections::HashSet::new();
    for i in 0..1000 {
        let opened = open(&mut store, APPLY);
        let func = opened.function(&mut store, get, "same", None, None).expect("exported");
        assert!(func != again || i > 10, "not that soon");
        let same = func.typed::<i32, i32>(&store).expect("its type");
        assert_eq!(same.call(&mut store, i).expect("it returns"), i);
        found.insert(func);
        opened.close(&mut store, get).expect("it does not run");
    }
    assert!(found.len() < 100, "{}", found.len());
}

#[test]
fn what_cannot_be_opened() {
    let (mut store, _) = store_with(&Config::new(), "inherit,memory=1MiB");
    let open = |store: &mut Store<SandboxCtx>, text: &str| {
        let bytes = wat::parse_str(text).expect("valid");
        Opened::open(store, get, None, &bytes, &Permissions::all())
    };
    let before = store.data().domain().memory_used();
    let exits = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (func $start (call $exit (i32.const 3))) (start $start))"#;
    assert!(matches!(open(&mut store, exits), Err(OpenError::Exited(3))));
    let traps = open(&mut store, "(module (func $start unreachable) (start $start))").expect_err("it traps");
    assert_eq!(traps.to_string(), "unreachable");
    assert!(matches!(
        open(&mut store, r#"(module (import "a" "b" (func)))"#),
        Err(OpenError::Failed(_))
    ));
    let large = open(&mut store, "(module (memory 17))").expect_err("too large");
    assert!(large.to_string().starts_with("`app/"), "{large}");
    let none = Opened::open(&mut store, get, None, b"none", &Permissions::all());
    assert!(matches!(none, Err(OpenError::Failed(Error::Load(_)))));
    assert_eq!(store.data().domain().memory_used(), before, "nothing is left");
}

#[test]
fn paths_are_opened_with_what_a_guest_may() {
    let directory = tempfile::tempdir().expect("there is room");
    let bytes = wat::parse_str(APPLY).expect("valid");
    std::fs::write(directory.path().join("apply.wasm"), bytes).expect("writable");
    for (permissions, path, expected) in [
        ("inherit", "/apply.wasm", "app/1 may random"),
        ("inherit,-random", "/apply.wasm", "app/1 may none"),
        ("inherit", "/none.wasm", "/none.wasm: no such file or directory"),
        ("inherit", "/../apply.wasm", "/../apply.wasm: operation not permitted"),
        ("inherit,-read", "/apply.wasm", "/apply.wasm: capabilities insufficient"),
        (
            "inherit,-load",
            "/apply.wasm",
            "to open modules needs the permission `load`",
        ),
        (
            "inherit,-instantiate",
            "/apply.wasm",
            "to open modules needs the permission `instantiate`",
        ),
    ] {
        let engine = Engine::default();
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, get).expect("the names differ");
        let said = Arc::new(Mutex::new(String::new()));
        let own = Arc::clone(&said);
        let open = move |mut caller: Caller<'_, SandboxCtx>| {
            let wanted = "random".parse().expect("permissions");
            let opened = Opened::open_path(&mut caller, get, path, &wanted);
            *own.lock().expect("one thread") = match opened {
                Ok(opened) => {
                    let domain = opened.domain(&mut caller, get).expect("it is open");
                    format!("{} may {}", domain.name(), domain.permissions())
                }
                Err(error) => error.to_string(),
            };
        };
        linker.func_wrap("host", "open", open).expect("the names differ");
        let domain = Domain::new("app", permissions.parse().expect("permissions"));
        let wasi = WasiCtxBuilder::new()
            .preopened_dir(directory.path(), "/", DirPerms::ReadWrite)
            .build()
            .expect("the directory is there");
        let ctx = SandboxCtx::new(&engine, domain.clone(), wasi).expect("the names differ");
        let mut store = Store::new(&engine, ctx);
        store.set_domain(domain).expect("nothing is in it");
        let text = r#"(module (import "host" "open" (func $open)) (func (export "run") (call $open)))"#;
        let guest = instance(&mut store, &linker, text);
        call::<_, ()>(&mut store, guest, "run", ()).expect("it returns");
        assert_eq!(*said.lock().expect("one thread"), expected, "{permissions} {path}");
    }
}

/// A child gives the parent function after function: there is an end to it, for each
/// child by itself.
#[test]
fn a_child_cannot_fill_its_parents_table() {
    let (mut store, linker) = store();
    let mut funcs = String::new();
    let mut names = String::new();
    for i in 0..1500 {
        funcs += &format!("(func $f{i} (param i32) (result i32) (i32.const {i}))");
        names += &format!("$f{i} ");
    }
    let hoarder = format!(
        r#"(module (memory (export "memory") 1)
            (table (export "__indirect_function_table") 1501 funcref) (elem (i32.const 1) {names}) {funcs}
            (func (export "nth") (param i32) (result i32) (local.get 0)))"#
    );
    let text = PROGRAM.replace(
        r#"(import "apply" "apply" (func $apply (param i32 i32) (result i32)))"#,
        "",
    );
    let text = text.replace("(call $apply (local.get 0) (local.get 1))", "(table.size 0)");
    let program = instance(&mut store, &linker, &text);
    let home = Home {
        memory: None,
        table: program.get_table(&mut store, "__indirect_function_table"),
    };
    let mut fill = |text: &str| {
        let opened = open(&mut store, &hoarder);
        let nth = opened.function(&mut store, get, "nth", Some(&signature(text)), Some(home));
        let nth = nth.expect("exported").typed::<i32, i32>(&store).expect("its type");
        let mut given = 0;
        for i in 1..=1500 {
            match nth.call(&mut store, i) {
                Ok(0) => {}
                Ok(place) => {
                    assert_eq!(
                        call::<_, i32>(&mut store, program, "call", place).expect("it returns"),
                        i - 1
                    );
                    given += 1;
                }
                Err(error) => assert!(
                    error
                        .to_string()
                        .contains("one function pointer more than can be passed"),
                    "{error}"
                ),
            }
        }
        (
            given,
            call::<_, i32>(&mut store, program, "run", (0, 0)).expect("it returns"),
        )
    };
    // One of the thousand is the function itself.
    assert_eq!(fill("i:*(i:i)"), (999, 4 + 999));
    assert_eq!(fill("i:*(i:i)"), (999, 4 + 2 * 999));
}

#[test]
fn an_interruption_reaches_who_was_entered_again() {
    let (mut store, opened, program) = linked();
    // The program's function calls the child's that spins, while the child runs.
    let home = Home {
        memory: None,
        table: program.get_table(&mut store, "__indirect_function_table"),
    };
    let own = opened.function(&mut store, get, "own", Some(&signature(":*(i:i)")), Some(home));
    let own = own.expect("exported").typed::<(), i32>(&store).expect("its type");
    let spin = own.call(&mut store, ()).expect("it returns");
    for _ in 0..3 {
        let handle = store.interrupt_handle();
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            handle.interrupt();
            Instant::now()
        });
        let error = call::<_, i32>(&mut store, program, "run", (1, spin)).expect_err("it spins");
        let end = Instant::now();
        assert_eq!(error.trap(), Some(Trap::Interrupt), "{error}");
        let asked = interrupter.join().expect("it does not panic");
        assert!(end.saturating_duration_since(asked) < Duration::from_millis(500));
    }
    let same = opened.function(&mut store, get, "same", None, None).expect("exported");
    let same = same.typed::<i32, i32>(&store).expect("its type");
    assert_eq!(same.call(&mut store, 7).expect("both go on"), 7);
}

/// Has three functions in its table, and passes on what is about function pointers.
const PASSER: &str = r#"(module
    (import "orca_module" "pass" (func $pass (param i32 i32 i32 i32) (result i32)))
    (import "orca_module" "take" (func $take (param i32 i32 i32 i32) (result i32)))
    (import "orca_module" "withdraw" (func $withdraw (param i32 i32) (result i32)))
    (import "orca_module" "release" (func $release (param i32) (result i32)))
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) ":i")
    (table (export "__indirect_function_table") 4 funcref)
    (elem (i32.const 1) $one $two $three)
    (func $one (result i32) (i32.const 1001))
    (func $two (result i32) (i32.const 1002))
    (func $three (result i32) (i32.const 1003))
    (func (export "pass") (param i32 i32) (result i32)
        (call $pass (local.get 0) (local.get 1) (i32.const 0) (i32.const 2)))
    (func (export "take") (param i32 i32) (result i32)
        (call $take (local.get 0) (local.get 1) (i32.const 0) (i32.const 2)))
    (func (export "withdraw") (param i32 i32) (result i32) (call $withdraw (local.get 0) (local.get 1)))
    (func (export "release") (param i32) (result i32) (call $release (local.get 0)))
    (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))"#;

/// As it, without anybody to pass to. Its functions say which child it is.
const PASSED: &str = r#"(module
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 4 funcref)
    (elem (i32.const 1) $one $two $three)
    (global $id (mut i32) (i32.const 0))
    (func (export "be") (param i32) (result i32) (global.set $id (local.get 0)) (i32.const 0))
    (func $one (result i32) (i32.add (global.get $id) (i32.const 1)))
    (func $two (result i32) (i32.add (global.get $id) (i32.const 2)))
    (func $three (result i32) (i32.add (global.get $id) (i32.const 3)))
    (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))"#;

/// What a guest does with the child that is the n-th of those it has.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open,
    Close(usize),
    /// A function of its own, or one it has taken.
    Pass(usize, usize),
    /// A function of the child's, or one that was passed to it.
    Take(usize, usize),
    Withdraw(usize, usize),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..12_usize;
    prop_oneof![
        1 => Just(Step::Open),
        1 => number.clone().prop_map(Step::Close),
        4 => (number.clone(), number.clone()).prop_map(|(child, at)| Step::Pass(child, at)),
        4 => (number.clone(), number.clone()).prop_map(|(child, at)| Step::Take(child, at)),
        2 => (number.clone(), number.clone()).prop_map(|(child, at)| Step::Withdraw(child, at)),
        2 => number.prop_map(Step::Release),
    ]
}

/// A child, and what there is to call in its table: places and what they give.
struct Known {
    opened: Opened,
    id: i32,
    places: BTreeMap<i32, i32>,
}

/// What there is to call, by the model.
struct Model {
    store: Store<SandboxCtx>,
    program: Instance,
    children: Vec<Known>,
    /// What places in the guest's table give.
    places: BTreeMap<i32, i32>,
    /// All that were ever there.
    ever: BTreeSet<i32>,
    opened: i32,
}

impl Model {
    fn new() -> Self {
        let (mut store, linker) = store();
        let program = instance(&mut store, &linker, PASSER);
        Self {
            store,
            program,
            children: Vec::new(),
            places: (1..=3).map(|place| (place, 1000 + place)).collect(),
            ever: BTreeSet::new(),
            opened: 0,
        }
    }

    fn ask<P: WasmParams>(&mut self, name: &str, params: P) -> i32 {
        call(&mut self.store, self.program, name, params).expect("it returns")
    }

    fn play(&mut self, step: Step) -> TestCaseResult {
        let count = self.children.len();
        match step {
            Step::Open if count < 4 => {
                let opened = open(&mut self.store, PASSED);
                self.opened += 1;
                let id = 10_000 * self.opened;
                let be = opened
                    .function(&mut self.store, get, "be", None, None)
                    .expect("exported");
                be.call(&mut self.store, &[Val::I32(id)], &mut [Val::I32(0)])
                    .expect("it returns");
                let places = (1..=3).map(|place| (place, id + place)).collect();
                self.children.push(Known { opened, id, places });
            }
            Step::Close(child) if count > 0 => {
                let child = self.children.remove(child % count);
                child.opened.close(&mut self.store, get).expect("it does not run");
                // Those that were passed on by it lead nowhere, too.
                let is_gone = |value: &mut i32| (child.id..child.id + 10).contains(value);
                self.places.retain(|_, value| !is_gone(value));
                for other in &mut self.children {
                    other.places.retain(|_, value| !is_gone(value));
                }
            }
            Step::Pass(child, at) if count > 0 => {
                let child = child % count;
                let (&place, &value) = self.places.iter().nth(at % self.places.len()).expect("three at least");
                let handle = self.children[child].opened.handle();
                let found = self.ask("pass", (handle, place));
                prop_assert!(found > 0, "{}", found);
                let known = &mut self.children[child].places;
                match known.iter().find(|(_, known)| **known == value) {
                    Some((same, _)) => prop_assert_eq!(found, *same),
                    None => prop_assert_eq!(known.insert(found, value), None),
                }
            }
            Step::Take(child, at) if count > 0 => {
                let child = &self.children[child % count];
                let (&place, &value) = child
                    .places
                    .iter()
                    .nth(at % child.places.len())
                    .expect("three at least");
                let handle = child.opened.handle();
                let found = self.ask("take", (handle, place));
                prop_assert!(found > 0, "{}", found);
                self.ever.insert(found);
                match self.places.iter().find(|(_, known)| **known == value) {
                    Some((same, _)) => prop_assert_eq!(found, *same),
                    None => prop_assert_eq!(self.places.insert(found, value), None),
                }
            }
            Step::Withdraw(child, at) if count > 0 => {
                let child = child % count;
                let known = &self.children[child];
                let (&place, _) = known
                    .places
                    .iter()
                    .nth(at % known.places.len())
                    .expect("three at least");
                let handle = known.opened.handle();
                let own = place <= 3;
                let found = self.ask("withdraw", (handle, place));
                prop_assert_eq!(found, if own { -28 } else { 0 });
                if !own {
                    self.children[child].places.remove(&place);
                }
            }
            Step::Release(at) => {
                let (&place, &value) = self.places.iter().nth(at % self.places.len()).expect("three at least");
                let found = self.ask("release", place);
                prop_assert_eq!(found, if place <= 3 { -28 } else { 0 });
                if place > 3 {
                    self.places.remove(&place);
                    // Others have it by way of this one, but for who it came from.
                    for other in &mut self.children {
                        if !(other.id..other.id + 10).contains(&value) {
                            other.places.retain(|_, known| *known != value);
                        }
                    }
                }
            }
            _ => {}
        }
        self.check()
    }

    /// Calls all that there is, and what there was.
    fn check(&mut self) -> TestCaseResult {
        for place in self
            .ever
            .iter()
            .chain(self.places.keys())
            .copied()
            .collect::<BTreeSet<i32>>()
        {
            let found = call::<_, i32>(&mut self.store, self.program, "call", place);
            prop_assert_eq!(found.ok(), self.places.get(&place).copied(), "place {}", place);
        }
        for child in &self.children {
            let func = child
                .opened
                .function(&mut self.store, get, "call", None, None)
                .expect("exported");
            let func = func.typed::<i32, i32>(&self.store).expect("its type");
            for (place, value) in &child.places {
                let found = func.call(&mut self.store, *place).expect("it is there");
                prop_assert_eq!(found, *value, "place {} of {}", place, child.id);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 100 } else { 1000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Pointers are equal where functions are, lead where they should, and nowhere
    /// once that is gone.
    #[test]
    fn random_steps(steps in prop::collection::vec(step(), 1..80)) {
        let mut model = Model::new();
        for step in &steps {
            model.play(*step)?;
        }
    }
}
