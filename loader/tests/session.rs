//! Sessions: libraries that are opened and closed while a program runs, by the host
//! and by guests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use orcavm_loader::{Found, LoadError, OpenFlags, Session};
use vm::{Caller, Config, Engine, Linker, Module, Store, TypedFunc, Val};

type Notes = Arc<Mutex<Vec<i32>>>;

struct World {
    store: Store<()>,
    session: Session<()>,
    notes: Notes,
    engine: Engine,
}

const HEAD: &str = r#"
    (import "env" "memory" (memory 1))
    (import "env" "__indirect_function_table" (table 0 funcref))
    (import "env" "__memory_base" (global $base i32))
    (import "env" "__table_base" (global $table i32))
    (import "env" "note" (func $note (param i32)))"#;

/// A program that opens, looks up and closes what it is told to. Strings: "a.so" at
/// 2000, "b.so" at 2010, "f" at 2020, "data" at 2030, "a_init" at 2040.
const MAIN: &str = r#"
    (import "env" "dlopen" (func $dlopen (param i32 i32) (result i32)))
    (import "env" "dlsym" (func $dlsym (param i32 i32) (result i32)))
    (import "env" "dlclose" (func $dlclose (param i32) (result i32)))
    (import "env" "dlerror" (func $dlerror (result i32)))
    (type $f (func (result i32)))
    (func (export "open") (param i32 i32) (result i32) (call $dlopen (i32.add (global.get $base) (local.get 0)) (local.get 1)))
    (func (export "sym") (param i32 i32) (result i32) (call $dlsym (local.get 0) (i32.add (global.get $base) (local.get 1))))
    (func (export "close") (param i32) (result i32) (call $dlclose (local.get 0)))
    (func (export "error") (result i32) (call $dlerror))
    (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "from_main") (result i32) (i32.const 1000))
    (data (global.get $base) "a.so\00") (data (i32.add (global.get $base) (i32.const 10)) "b.so\00")
    (data (i32.add (global.get $base) (i32.const 20)) "f\00") (data (i32.add (global.get $base) (i32.const 30)) "data\00")
    (data (i32.add (global.get $base) (i32.const 40)) "nowhere.so\00")"#;

const A: &str = r#"
    (import "env" "from_main" (func $from_main (result i32)))
    (import "GOT.func" "f" (global $got (mut i32)))
    (global (export "data") i32 (i32.const 4))
    (data (global.get $base) "\00\00\00\00\2a\00\00\00")
    (elem (global.get $table) $own)
    (func $own (result i32) (i32.const 7))
    (func (export "f") (result i32)
        (i32.store (global.get $base) (i32.add (i32.load (global.get $base)) (i32.const 1)))
        (i32.add (call $from_main) (i32.load (global.get $base))))
    (func (export "got") (result i32) (global.get $got))
    (func (export "__wasm_call_ctors") (call $note (i32.const 1)))"#;

fn module(engine: &Engine, head: &str, body: &str) -> Module {
    let text = format!("(module (@dylink.0 {head}) {HEAD} {body})");
    Module::new(engine, text).expect("valid")
}

/// The function `open` of [`MAIN`], which is loaded for it.
fn main_open(session: &Session<()>, store: &mut Store<()>) -> TypedFunc<(i32, i32), i32> {
    let main = module(store.engine(), "(mem-info (memory 64 4))", MAIN);
    let image = session.load(&mut *store, Found::new("main", main)).expect("it fits");
    image.program().get_typed_func(store, "open").expect("exported")
}

impl World {
    fn new(modules: &[(&str, &str, &str)]) -> Self {
        Self::of(&Engine::default(), modules)
    }

    fn of(engine: &Engine, modules: &[(&str, &str, &str)]) -> Self {
        let notes = Notes::default();
        let mut linker = Linker::new(engine);
        let noted = Arc::clone(&notes);
        let note = move |n: i32| noted.lock().expect("no panic").push(n);
        linker.func_wrap("env", "note", note).expect("the name is free");
        let finder: BTreeMap<String, Module> = modules
            .iter()
            .map(|(name, head, body)| ((*name).to_owned(), module(engine, head, body)))
            .collect();
        let session = Session::builder(linker).finder(finder).build();
        let mut store = Store::new(engine, ());
        let main = module(engine, "(mem-info (memory 64 4) (table 0 0))", MAIN);
        session.load(&mut store, Found::new("main", main)).expect("it fits");
        Self {
            store,
            session,
            notes,
            engine: engine.clone(),
        }
    }

    fn call(&mut self, name: &str, args: &[i32]) -> Result<i32, vm::Error> {
        let image = self.session.image().expect("it is loaded");
        let func = image.program().get_func(&mut self.store, name).expect(name);
        let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results[0].i32().expect("a number"))
    }

    fn ok(&mut self, name: &str, args: &[i32]) -> i32 {
        self.call(name, args).expect("it returns")
    }

    fn error(&mut self) -> Option<String> {
        let address = self.ok("error", &[]);
        let memory = self.session.image().expect("it is loaded").memory();
        let mut bytes = [0; 512];
        let at = usize::try_from(address.cast_unsigned()).expect("64 bits");
        if at == 0 {
            return None;
        }
        memory.read(&self.store, at, &mut bytes).expect("it is there");
        let end = bytes.iter().position(|byte| *byte == 0).expect("it is short");
        Some(String::from_utf8(bytes[..end].to_vec()).expect("UTF-8"))
    }

    fn notes(&self) -> Vec<i32> {
        std::mem::take(&mut *self.notes.lock().expect("no panic"))
    }
}

const A_SO: (&str, &str, &str) = ("a.so", "(mem-info (memory 8 2) (table 1 0))", A);

#[test]
fn a_guest_opens_uses_and_closes_a_library() {
    for guard in [true, false] {
        let mut config = Config::new();
        config.memory_guard(guard);
        let engine = Engine::new(&config).expect("a valid configuration");
        let mut world = World::of(&engine, &[A_SO]);
        let handle = world.ok("open", &[0, 2]);
        assert_ne!(handle, 0, "{:?}", world.error());
        assert_eq!(world.notes(), [1]);
        assert_eq!(world.ok("open", &[0, 1]), handle, "one handle for two dlopens");
        assert_eq!(world.notes(), []);
        let f = world.ok("sym", &[handle, 20]);
        assert_eq!(world.ok("sym", &[0, 20]), 0, "it is local");
        assert_eq!(world.error().as_deref(), Some("the program has no symbol `f`"));
        assert_eq!(world.error(), None);
        assert_eq!(world.ok("call", &[f]), 1001);
        assert_eq!(world.ok("call", &[f]), 1002);
        let data = world.ok("sym", &[handle, 30]);
        assert_eq!(world.ok("load", &[data]), 42);
        assert_eq!(world.ok("close", &[handle]), 0);
        assert_eq!(world.ok("call", &[f]), 1003, "it is open still");
        assert_eq!(world.ok("close", &[handle]), 0);
        let error = world.call("call", &[f]).expect_err("it is gone");
        assert_eq!(error.to_string(), "call into unloaded a.so");
        let error = world.call("load", &[data]).expect_err("it is gone");
        assert_eq!(error.trap(), Some(vm::Trap::MemoryOutOfBounds));
        assert_eq!(world.ok("close", &[handle]), -1);
        assert_eq!(world.error().as_deref(), Some("not the handle of an open library"));
        assert_eq!(world.session.libraries().len(), 1);
    }
}

#[test]
fn opening_and_closing_ten_thousand_times_leaves_nothing() {
    let mut world = World::new(&[A_SO]);
    let table = world
        .session
        .image()
        .expect("it is loaded")
        .table()
        .expect("it has one");
    let memory = world.session.image().expect("it is loaded").memory();
    let mut first = None;
    for _ in 0..10_000 {
        let handle = world.ok("open", &[0, 2]);
        assert_ne!(handle, 0, "{:?}", world.error());
        let f = world.ok("sym", &[handle, 20]);
        assert_eq!(world.ok("call", &[f]), 1001, "its data are new");
        assert_eq!(world.ok("close", &[handle]), 0);
        let sizes = (
            table.size(&world.store),
            memory.size(&world.store),
            memory.mapping_count(&world.store),
        );
        assert_eq!(*first.get_or_insert(sizes), sizes);
    }
}

#[test]
fn pointers_to_a_function_are_one() {
    let mut world = World::new(&[A_SO]);
    let opened = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::LAZY)
        .expect("it is there");
    let got = opened
        .get_typed_func::<(), i32>(&mut world.store, "got")
        .expect("exported");
    let got = got.call(&mut world.store, ()).expect("it returns");
    let handle = world.ok("open", &[0, 1]);
    assert_eq!(world.ok("sym", &[handle, 20]), got);
    assert_eq!(world.ok("call", &[got]), 1001);
}

#[test]
fn a_constructor_that_traps_leaves_no_trace() {
    let bad = r#"
        (import "env" "__stack_pointer" (global $sp (mut i32)))
        (func (export "f") (result i32) (i32.const 1))
        (func (export "__wasm_call_ctors")
            (global.set $sp (i32.const 0)) (call $note (i32.const 2)) (unreachable))"#;
    let mut world = World::new(&[
        A_SO,
        (
            "b.so",
            "(needed \"a.so\") (mem-info (memory 100000 4) (table 3 0))",
            bad,
        ),
    ]);
    let memory = world.session.image().expect("it is loaded").memory();
    let mut sizes = None;
    for _ in 0..100 {
        assert_eq!(world.ok("open", &[10, 2]), 0);
        let error = world.error().expect("it failed");
        assert_eq!(error, "a constructor of b.so failed: unreachable");
        assert_eq!(world.notes(), [1, 2]);
        assert_eq!(world.session.libraries().len(), 1);
        // That of the text is kept.
        let now = memory.mapping_count(&world.store);
        assert_eq!(*sizes.get_or_insert(now), now);
    }
    assert_ne!(world.ok("open", &[0, 2]), 0);
    assert_eq!(world.notes(), [1]);
}

#[test]
fn what_is_not_there_is_told() {
    let lacking = r#"(import "env" "lacking" (func $lacking (param i64)))
        (func (export "f") (result i32) (call $lacking (i64.const 1)) (i32.const 1))"#;
    let mut world = World::new(&[("a.so", "", lacking), ("b.so", "(needed \"c.so\")", "")]);
    assert_eq!(world.ok("open", &[40, 1]), 0);
    assert_eq!(world.error().as_deref(), Some("nowhere.so: not found"));
    assert_eq!(world.ok("open", &[10, 1]), 0);
    assert_eq!(
        world.error().as_deref(),
        Some("b.so needs the library `c.so`, which is not found")
    );
    assert_eq!(world.ok("open", &[0, 2]), 0);
    assert_eq!(
        world.error().as_deref(),
        Some("nobody provides `lacking` (func (param i64)), needed by a.so")
    );
    assert_eq!(world.ok("open", &[0, 0x4000_0001]), 0);
    assert!(
        world
            .error()
            .expect("no such flag")
            .starts_with("0x40000001 is no way to open a library")
    );
    assert_eq!(world.ok("open", &[0, 0x100]), 0);
    assert!(world.error().is_some(), "neither lazy nor now");
    let handle = world.ok("open", &[0, 1]);
    assert_ne!(handle, 0, "lazily nothing is missed");
    let f = world.ok("sym", &[handle, 20]);
    let error = world.call("call", &[f]).expect_err("it is missed now");
    assert_eq!(
        error.to_string(),
        "`lacking` was called by a.so, and nobody provides it"
    );
}

#[test]
fn a_library_that_another_uses_stays() {
    let uses = r#"(import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f))"#;
    let mut world = World::new(&[A_SO, ("b.so", "", uses)]);
    let a = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::LAZY | OpenFlags::GLOBAL)
        .expect("it is there");
    let b = world
        .session
        .open(&mut world.store, "b.so", OpenFlags::LAZY)
        .expect("it is there");
    let g = b.get_typed_func::<(), i32>(&mut world.store, "g").expect("exported");
    assert_eq!(g.call(&mut world.store, ()).expect("it returns"), 1001);
    a.close(&mut world.store).expect("it is open");
    assert_eq!(g.call(&mut world.store, ()).expect("it is bound"), 1002);
    b.close(&mut world.store).expect("it is open");
    assert_eq!(world.session.libraries().len(), 1);
}

#[test]
fn a_library_that_closes_itself_goes_later() {
    let own = r#"
        (import "env" "dlclose" (func $dlclose (param i32) (result i32)))
        (func (export "leave") (param i32) (result i32) (call $dlclose (local.get 0)))"#;
    let mut world = World::new(&[("a.so", "", own), ("b.so", "", "")]);
    let a = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::NOW)
        .expect("it is there");
    let handle = world.ok("open", &[0, 1]);
    let leave = a
        .get_typed_func::<i32, i32>(&mut world.store, "leave")
        .expect("exported");
    assert_eq!(leave.call(&mut world.store, handle).expect("it returns"), 0);
    assert_eq!(leave.call(&mut world.store, handle).expect("it returns"), 0);
    assert_eq!(world.session.libraries().len(), 2, "it was running");
    let b = world
        .session
        .open(&mut world.store, "b.so", OpenFlags::NOW)
        .expect("it is there");
    assert_eq!(world.session.libraries().len(), 2);
    assert!(leave.call(&mut world.store, handle).is_err());
    b.close(&mut world.store).expect("it is open");
    assert!(a.instance().is_none());
}

#[test]
fn destructors_run_when_a_library_is_closed_and_at_the_end() {
    let with = r#"
        (import "env" "__cxa_atexit" (func $atexit (param i32 i32 i32) (result i32)))
        (elem (global.get $table) $end)
        (func $end (param i32) (call $note (local.get 0)))
        (func (export "__wasm_call_ctors")
            (drop (call $atexit (global.get $table) (i32.const 10) (global.get $base)))
            (drop (call $atexit (global.get $table) (i32.const 11) (global.get $base))))"#;
    let head = "(mem-info (memory 4 2) (table 1 0))";
    let mut world = World::new(&[("a.so", head, with), ("b.so", head, with)]);
    let a = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::NOW)
        .expect("it is there");
    world
        .session
        .open(&mut world.store, "b.so", OpenFlags::NOW)
        .expect("it is there");
    assert_eq!(world.notes(), []);
    a.close(&mut world.store).expect("it is open");
    assert_eq!(world.notes(), [11, 10]);
    world.session.finish(&mut world.store).expect("they return");
    assert_eq!(world.notes(), [11, 10]);
    world.session.finish(&mut world.store).expect("nothing is left");
    assert_eq!(world.notes(), []);
}

#[test]
fn a_session_has_one_program_and_a_library_needs_it() {
    let world = &mut World::new(&[]);
    let main = module(&world.engine, "", "");
    let error = world
        .session
        .load(&mut world.store, Found::new("again", main))
        .expect_err("a second");
    assert!(matches!(error, LoadError::SecondProgram));
    let session = Session::<()>::builder(Linker::new(&world.engine)).build();
    let error = session
        .open(&mut world.store, "a.so", OpenFlags::NOW)
        .expect_err("no program");
    assert!(matches!(error, LoadError::NoProgram));
    assert!(session.image().is_none());
}

#[test]
fn a_host_function_may_be_defined_by_the_embedder_too() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let dlopen = |_: Caller<'_, ()>, _: i32, _: i32| 77;
    linker.func_wrap("env", "dlopen", dlopen).expect("the name is free");
    linker.func_wrap("env", "note", |_: i32| ()).expect("the name is free");
    let session = Session::builder(linker).build();
    let mut store = Store::new(&engine, ());
    let open = main_open(&session, &mut store);
    assert_eq!(open.call(&mut store, (0, 1)).expect("it returns"), 77);
}

#[test]
fn a_constructor_sees_what_is_being_opened_for_all() {
    let opens = r#"
        (import "env" "dlopen" (func $dlopen (param i32 i32) (result i32)))
        (data (global.get $base) "b.so\00")
        (func (export "shared") (result i32) (i32.const 3))
        (func (export "__wasm_call_ctors") (call $note (i32.ne (call $dlopen (global.get $base) (i32.const 2)) (i32.const 0)))))"#;
    let uses = r#"(import "env" "shared" (func $shared (result i32))) (func (export "f") (result i32) (call $shared))"#;
    let mut world = World::new(&[
        ("a.so", "(mem-info (memory 8 2))", &opens[..opens.len() - 1]),
        ("b.so", "", uses),
    ]);
    let flags = OpenFlags::NOW | OpenFlags::GLOBAL;
    world
        .session
        .open(&mut world.store, "a.so", flags)
        .expect("it is there");
    assert_eq!(world.notes(), [1]);
}

#[test]
fn a_refused_permission_in_a_constructor_is_told() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let requirement = vm::Requirement::new(vm::Capability::Random);
    linker
        .func_wrap_requiring("host", "dice", requirement, || 4)
        .expect("the name is free");
    linker.func_wrap("env", "note", |_: i32| ()).expect("the name is free");
    let body = r#"(func (export "__wasm_call_ctors") (drop (call $dice)))"#;
    let text = format!(r#"(module (@dylink.0) (import "host" "dice" (func $dice (result i32))) {body})"#);
    let library = Module::new(&engine, text).expect("valid");
    let finder = BTreeMap::from([("a.so".to_owned(), library)]);
    let session = Session::builder(linker).finder(finder).build();
    let mut store = Store::new(&engine, ());
    let permissions: vm::Permissions = "load".parse().expect("a permission");
    store
        .set_domain(vm::Domain::new("main", permissions))
        .expect("of no store yet");
    let open = main_open(&session, &mut store);
    assert_eq!(open.call(&mut store, (0, 2)).expect("the guest goes on"), 0);
}

#[test]
fn a_library_in_another_namespace_gets_no_part_of_the_heap() {
    let heap = r#"
        (import "GOT.mem" "__heap_base" (global $heap (mut i32))) (import "GOT.mem" "__heap_end" (global $end (mut i32)))
        (func (export "f") (result i32) (i32.sub (global.get $end) (global.get $heap))))"#;
    let opens = r#"
        (import "env" "dlmopen" (func $dlmopen (param i32 i32 i32) (result i32)))
        (import "env" "dlsym" (func $dlsym (param i32 i32) (result i32)))
        (type $f (func (result i32)))
        (data (global.get $base) "a.so\00f\00")
        (func (export "other") (result i32)
            (call_indirect (type $f) (call $dlsym
                (call $dlmopen (i32.const -1) (global.get $base) (i32.const 2))
                (i32.add (global.get $base) (i32.const 5))))))"#;
    let mut world = World::new(&[
        ("a.so", "", heap.strip_suffix(')').expect("one too many")),
        (
            "b.so",
            "(mem-info (memory 8 0))",
            opens.strip_suffix(')').expect("one too many"),
        ),
    ]);
    let a = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::NOW)
        .expect("it is there");
    let own = a.get_typed_func::<(), i32>(&mut world.store, "f").expect("exported");
    assert!(own.call(&mut world.store, ()).expect("it returns") > 0);
    let b = world
        .session
        .open(&mut world.store, "b.so", OpenFlags::NOW)
        .expect("it is there");
    let other = b
        .get_typed_func::<(), i32>(&mut world.store, "other")
        .expect("exported");
    assert_eq!(other.call(&mut world.store, ()).expect("it returns"), 0);
}

#[test]
fn a_reactor_is_constructed_once() {
    let engine = Engine::default();
    let notes = Notes::default();
    let noted = Arc::clone(&notes);
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("env", "note", move |n: i32| noted.lock().expect("no panic").push(n))
        .expect("the name is free");
    let body = r#"
        (func $ctors (export "__wasm_call_ctors") (call $note (i32.const 1)))
        (func (export "_initialize") (call $ctors))"#;
    let session = Session::builder(linker).build();
    let mut store = Store::new(&engine, ());
    let main = module(&engine, "", body);
    let image = session.load(&mut store, Found::new("main", main)).expect("it fits");
    let initialize = image
        .program()
        .get_typed_func::<(), ()>(&mut store, "_initialize")
        .expect("exported");
    initialize.call(&mut store, ()).expect("it returns");
    assert_eq!(*notes.lock().expect("no panic"), [1]);
}

#[test]
fn a_symbol_found_without_a_handle_stays() {
    let looks = r#"
        (import "env" "dlsym" (func $dlsym (param i32 i32) (result i32)))
        (type $f (func (result i32)))
        (global $kept (mut i32) (i32.const 0))
        (data (global.get $base) "f\00")
        (func (export "look") (result i32) (global.set $kept (call $dlsym (i32.const 0) (global.get $base))) (global.get $kept))
        (func (export "use") (result i32) (call_indirect (type $f) (global.get $kept)))"#;
    let mut world = World::new(&[A_SO, ("b.so", "(mem-info (memory 8 0))", looks)]);
    let a = world
        .session
        .open(&mut world.store, "a.so", OpenFlags::NOW | OpenFlags::GLOBAL)
        .expect("it is there");
    let b = world
        .session
        .open(&mut world.store, "b.so", OpenFlags::NOW)
        .expect("it is there");
    let [look, used] =
        ["look", "use"].map(|name| b.get_typed_func::<(), i32>(&mut world.store, name).expect("exported"));
    assert_ne!(look.call(&mut world.store, ()).expect("it returns"), 0);
    a.close(&mut world.store).expect("it is open");
    assert_eq!(used.call(&mut world.store, ()).expect("it is kept"), 1001);
    b.close(&mut world.store).expect("it is open");
    assert_eq!(world.session.libraries().len(), 1);
}

#[test]
fn a_library_whose_table_does_not_fit_leaves_its_addresses() {
    let mut world = World::new(&[
        ("a.so", "(mem-info (memory 1000000000 4) (table 20000000 0))", ""),
        ("b.so", "(mem-info (memory 1000000000 4))", ""),
    ]);
    for _ in 0..10 {
        let error = world
            .session
            .open(&mut world.store, "a.so", OpenFlags::NOW)
            .expect_err("it is large");
        assert!(error.to_string().contains("table elements"), "{error}");
    }
    world
        .session
        .open(&mut world.store, "b.so", OpenFlags::NOW)
        .expect("there is room");
}
