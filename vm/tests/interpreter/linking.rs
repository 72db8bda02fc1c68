//! What dynamic linkers use: imports that are bound when they are first called,
//! globals by value, and instances that are unloaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vm::{
    Caller, Domain, Engine, Error, Func, FuncType, Global, GlobalType, Instance, Link, LinkError, Linker, Memory,
    MemoryType, Module, Mutability, Permissions, Ref, RefType, SnapshotError, Store, Table, TableType, Trap, Val,
    ValType,
};

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, text).expect("valid")
}

fn no_import<T>(_: vm::StoreContextMut<'_, T>, import: usize) -> Result<Func, Error> {
    panic!("import {import} is bound");
}

const CALLER: &str = r#"(module
    (import "env" "base" (global $base i32))
    (import "env" "mix" (func $mix (param i32 i64 f64) (result f64 i32)))
    (import "env" "nop" (func $nop))
    (func (export "mix") (param i32) (result f64 i32)
        (call $mix (local.get 0) (i64.const 3) (f64.const 0.5)))
    (func (export "nop") (call $nop)))"#;

#[test]
fn an_import_is_found_when_it_is_first_called() {
    let engine = Engine::default();
    let callee = module(
        &engine,
        r#"(module (func (export "mix") (param i32 i64 f64) (result f64 i32)
            (f64.add (local.get 2) (f64.convert_i64_s (local.get 1)))
            (i32.mul (local.get 0) (i32.const 2))))"#,
    );
    let mut store = Store::new(&engine, 0);
    let finds = Arc::new(AtomicUsize::new(0));
    let links = [Link::Value(Val::I32(7)), Link::Unbound, Link::Unbound];
    let count = Arc::clone(&finds);
    let caller = Instance::link(
        &mut store,
        &module(&engine, CALLER),
        &links,
        move |mut store, import| {
            count.fetch_add(1, Ordering::Relaxed);
            *store.data_mut() += 1;
            assert_eq!(import, 1, "its position among all imports");
            let callee = Instance::new(&mut store, &callee, &[])?;
            Ok(callee.get_func(&mut store, "mix").expect("exported"))
        },
    );
    let caller = caller.expect("they fit");
    let mix = caller
        .get_typed_func::<i32, (f64, i32)>(&mut store, "mix")
        .expect("exported");
    assert_eq!(finds.load(Ordering::Relaxed), 0);
    for n in 0..20 {
        assert_eq!(mix.call(&mut store, n).expect("it returns"), (3.5, 2 * n));
    }
    assert_eq!((finds.load(Ordering::Relaxed), *store.data()), (1, 1));
}

#[test]
fn a_host_function_can_be_found() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 5);
    let links = [Link::Value(Val::I32(7)), Link::Unbound, Link::Unbound];
    let caller = Instance::link(&mut store, &module(&engine, CALLER), &links, |mut store, _| {
        Ok(Func::wrap(
            &mut store,
            |caller: Caller<'_, i32>, a: i32, b: i64, c: f64| {
                (c + f64::from(u8::try_from(b).expect("small")), a + *caller.data())
            },
        ))
    });
    let caller = caller.expect("they fit");
    let mix = caller
        .get_typed_func::<i32, (f64, i32)>(&mut store, "mix")
        .expect("exported");
    for n in 0..3 {
        assert_eq!(mix.call(&mut store, n).expect("it returns"), (3.5, n + 5));
    }
}

#[test]
fn what_is_not_found_is_an_error_with_a_backtrace_and_is_looked_for_again() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, 0);
    let links = [Link::Value(Val::I32(7)), Link::Unbound, Link::Unbound];
    let caller = Instance::link(&mut store, &module(&engine, CALLER), &links, |mut store, import| {
        *store.data_mut() += 1;
        match (*store.data(), import) {
            (3, 2) => Ok(Func::wrap(&mut store, || ())),
            (_, 2) => Err(Error::host(std::io::Error::other("nowhere"))),
            // Of another type.
            _ => Ok(Func::wrap(&mut store, || 1)),
        }
    });
    let caller = caller.expect("they fit");
    let nop = caller.get_typed_func::<(), ()>(&mut store, "nop").expect("exported");
    for _ in 0..2 {
        let error = nop.call(&mut store, ()).expect_err("nowhere");
        assert_eq!(error.to_string(), "nowhere");
        let frames = error.backtrace().expect("the guest stood somewhere").frames();
        assert_eq!(frames[0].func_name().as_deref(), Some("nop"));
    }
    nop.call(&mut store, ()).expect("found now");
    nop.call(&mut store, ()).expect("and bound");
    assert_eq!(*store.data(), 3);
    let mix = caller.get_func(&mut store, "mix").expect("exported");
    let error = mix.call(&mut store, &[Val::I32(1)], &mut [Val::F64(0), Val::I32(0)]);
    assert_eq!(
        error.expect_err("another type").to_string(),
        "import `env` `mix` does not fit: the module needs a function (func (param i32 i64 f64) (result f64 i32)), but was given a function (func (result i32))",
    );
}

#[test]
fn a_finder_may_call_the_guest_and_panic() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, None::<Instance>);
    let links = [Link::Value(Val::I32(7)), Link::Unbound, Link::Unbound];
    let caller = Instance::link(&mut store, &module(&engine, CALLER), &links, |mut store, import| {
        if import == 2 {
            panic!("a bug");
        }
        let own = store.data().expect("set below");
        // As deep as it goes: each call looks for the import again.
        let again = own.get_func(&mut store, "mix").expect("exported");
        again.call(&mut store, &[Val::I32(1)], &mut [Val::F64(0), Val::I32(0)])?;
        unreachable!("the innermost call ends all")
    });
    let caller = caller.expect("they fit");
    *store.data_mut() = Some(caller);
    let mix = caller.get_func(&mut store, "mix").expect("exported");
    let error = mix.call(&mut store, &[Val::I32(1)], &mut [Val::F64(0), Val::I32(0)]);
    assert_eq!(error.expect_err("too deep").trap(), Some(Trap::StackOverflow));
    let nop = caller.get_typed_func::<(), ()>(&mut store, "nop").expect("exported");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| nop.call(&mut store, ())));
    let panic = panic.expect_err("it goes on in the host");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a bug"));
}

#[test]
fn globals_by_value_are_the_instances_own() {
    let engine = Engine::default();
    let text = r#"(module
        (import "GOT.mem" "a" (global $a (mut i32)))
        (import "GOT.mem" "b" (global $b (mut i32)))
        (import "GOT.mem" "c" (global $c (mut i32)))
        (global (export "copy") i32 (i32.const 0))
        (export "c" (global $c))
        (func (export "sum") (result i32)
            (global.set $b (i32.add (global.get $b) (i32.const 1)))
            (i32.add (global.get $a) (i32.add (global.get $b) (global.get $c)))))"#;
    let module = module(&engine, text);
    let mut store = Store::new(&engine, ());
    let links = |n: i32| {
        [
            Link::Value(Val::I32(n)),
            Link::Value(Val::I32(10)),
            Link::Value(Val::I32(100)),
        ]
    };
    for n in [1000, 2000] {
        let instance = Instance::link(&mut store, &module, &links(n), no_import).expect("they fit");
        let sum = instance.get_typed_func::<(), i32>(&mut store, "sum").expect("exported");
        assert_eq!(sum.call(&mut store, ()).expect("it returns"), n + 111);
        assert_eq!(sum.call(&mut store, ()).expect("it returns"), n + 112);
        let c = instance.get_global(&mut store, "c").expect("exported");
        c.set(&mut store, Val::I32(0)).expect("it is mutable");
        assert_eq!(sum.call(&mut store, ()).expect("it returns"), n + 13);
        // A fork has its own too.
        let fork = instance.fork(&mut store).expect("there is room");
        let forked = fork.get_typed_func::<(), i32>(&mut store, "sum").expect("exported");
        assert_eq!(forked.call(&mut store, ()).expect("it returns"), n + 14);
        assert_eq!(sum.call(&mut store, ()).expect("it returns"), n + 14);
    }
    let listing = module
        .code_listing(0)
        .expect("it can be translated")
        .expect("it is a function");
    assert!(
        listing.contains("global.get"),
        "without values it looks them up:\n{listing}"
    );
}

/// The listing of the function that a linked instance exports as `f`.
fn listing_of_f(store: &Store<()>, instance: Instance, module: &Module) -> String {
    let f = module.function_index("f").expect("exported");
    let listing = instance.code_listing(store, f).expect("it can be translated");
    listing.expect("the module defines it")
}

#[test]
fn sums_of_given_values_are_constants() {
    let engine = Engine::default();
    let text = r#"(module
        (import "env" "memory" (memory 1))
        (import "env" "__memory_base" (global $base i32))
        (global $sum i32 (i32.add (global.get $base) (i32.const 16)))
        (global $same i32 (global.get $base))
        (data (i32.add (global.get $base) (i32.const 16)) "\07")
        (func (export "f") (result i32)
            (i32.add (i32.load (global.get $sum)) (global.get $same))))"#;
    let module = module(&engine, text);
    let mut store = Store::new(&engine, ());
    for base in [1024, 4096] {
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("there is room");
        let links = [memory.into(), Link::Value(Val::I32(base))];
        let instance = Instance::link(&mut store, &module, &links, no_import).expect("they fit");
        let listing = listing_of_f(&store, instance, &module);
        let load = format!("i32.load {:#x}", base + 16);
        assert!(listing.contains(&load) && !listing.contains("global.get"), "{listing}");
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
        assert_eq!(f.call(&mut store, ()).expect("it returns"), base + 7);
    }
}

/// A program as `wasm-ld -pie` makes it: its GOT are globals of its own, which the
/// start function gives their values.
const PROGRAM: &str = r#"(module
    (import "env" "memory" (memory 1))
    (import "env" "__memory_base" (global $base i32))
    (global $got (mut i32) (i32.const 16))
    (start $relocate)
    (func $relocate
        (global.set $got (i32.add (global.get $base) (i32.const 16))))
    (func (export "f") (result i32)
        (i32.store (global.get $got) (i32.add (i32.load (global.get $got)) (i32.const 1)))
        (i32.load (global.get $got))))"#;

#[test]
fn what_the_start_function_assigns_first_is_constant() {
    let engine = Engine::default();
    let nested = PROGRAM.replace("(start $relocate)", "(start $start)").replace(
        "(func $relocate",
        "(func $start (call $relocate) (call $nothing))\n(func $nothing)\n(func $relocate",
    );
    for text in [PROGRAM, &nested] {
        let module = module(&engine, text);
        let mut store = Store::new(&engine, ());
        for base in [1024, 4096] {
            let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("there is room");
            let links = [memory.into(), Link::Value(Val::I32(base))];
            let instance = Instance::link(&mut store, &module, &links, no_import).expect("they fit");
            let listing = listing_of_f(&store, instance, &module);
            assert!(!listing.contains("global.get"), "{listing}");
            let f = instance.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
            assert_eq!(f.call(&mut store, ()).expect("it returns"), 1);
            let fork = instance.fork(&mut store).expect("there is room");
            let forked = fork.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
            assert_eq!(forked.call(&mut store, ()).expect("it returns"), 2);
            let word = memory.data(&store)[base as usize + 16];
            assert_eq!(word, 2, "it is at the address that was assigned");
        }
    }
}

#[test]
fn snapshots_with_other_addresses_are_refused() {
    let engine = Engine::default();
    let module = module(&engine, PROGRAM);
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("there is room");
    let [one, same, other] = [1024, 1024, 4096].map(|base| {
        let links = [memory.into(), Link::Value(Val::I32(base))];
        Instance::link(&mut store, &module, &links, no_import).expect("they fit")
    });
    let snapshot = one.snapshot(&store).expect("it can be taken");
    one.restore(&mut store, &snapshot).expect("it is its own");
    same.restore(&mut store, &snapshot).expect("all is the same");
    let error = other.restore(&mut store, &snapshot).expect_err("its data is elsewhere");
    assert!(
        matches!(error, Error::Snapshot(SnapshotError::OtherAddresses)),
        "{error}"
    );
}

#[test]
fn what_may_be_assigned_later_is_not_constant() {
    let engine = Engine::default();
    // What makes the global another's, or assigns it elsewhere or too late, each in
    // place of something.
    for (what, with) in [
        ("(global $got (mut", "(global $got (export \"got\") (mut"),
        (
            "(func (export \"f\")",
            "(func (export \"set\") (global.set $got (i32.const 0)))\n(func (export \"f\")",
        ),
        ("(func $relocate", "(func $relocate (global.set $got (i32.const 1))"),
        ("(func $relocate", "(func $relocate (block)"),
        (
            "(func $relocate",
            "(func $relocate (if (i32.eqz (global.get $base)) (then (return)))",
        ),
        ("(func $relocate", "(func $relocate (drop (global.get $got))"),
        ("(start $relocate)", "(export \"relocate\" (func $relocate))"),
    ] {
        assert_eq!(PROGRAM.matches(what).count(), 1, "{what}");
        let module = module(&engine, &PROGRAM.replace(what, with));
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).expect("there is room");
        let links = [memory.into(), Link::Value(Val::I32(1024))];
        let instance = Instance::link(&mut store, &module, &links, no_import).expect("they fit");
        let listing = listing_of_f(&store, instance, &module);
        assert!(listing.contains("global.get"), "{with}:\n{listing}");
    }
}

#[test]
fn who_is_called_before_a_global_is_assigned_sees_its_first_value() {
    let engine = Engine::default();
    let text = r#"(module
        (import "env" "__memory_base" (global $base i32))
        (import "env" "note" (func $note (param i32)))
        (global $got (mut i32) (i32.const 5))
        (global $early (mut i32) (i32.const 6))
        (start $start)
        (func $see (call $note (global.get $got)) (call $note (global.get $early)))
        (func $start
            (global.set $early (global.get $base))
            (call $see)
            (global.set $got (global.get $base))
            (call $see)))"#;
    let module = module(&engine, text);
    let mut store = Store::new(&engine, Vec::new());
    let note = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<i32>>, value: i32| {
        caller.data_mut().push(value)
    });
    let links = [Link::Value(Val::I32(64)), note.into()];
    Instance::link(&mut store, &module, &links, no_import).expect("they fit");
    assert_eq!(*store.data(), [5, 64, 64, 64]);
}

#[test]
fn an_instance_whose_start_failed_has_no_constants_of_it() {
    let engine = Engine::default();
    // `f` is in another's table when the data segment traps, before the start function.
    let text = r#"(module
        (import "env" "table" (table 1 funcref))
        (import "env" "__memory_base" (global $base i32))
        (global $got (mut i32) (i32.const 5))
        (memory 0)
        (elem (i32.const 0) $f)
        (data (i32.const 0) "x")
        (start $start)
        (func $f (result i32) (global.get $got))
        (func $start (global.set $got (global.get $base))))"#;
    let module = module(&engine, text);
    let mut store = Store::new(&engine, ());
    let table = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
    let base = GlobalType::new(ValType::I32, Mutability::Const);
    let base = Global::new(&mut store, base, Val::I32(64)).expect("it is of that type");
    let error = Instance::new(&mut store, &module, &[table.into(), base.into()]).expect_err("it traps");
    assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    let Some(Ref::Func(Some(f))) = table.get(&store, 0) else {
        panic!("the element is there")
    };
    let f = f.typed::<(), i32>(&store).expect("it is of that type");
    assert_eq!(f.call(&mut store, ()).expect("it returns"), 5);
}

#[test]
fn links_of_other_kinds_are_refused() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = |import: &str| format!(r#"(module (import "env" "x" {import}))"#);
    let referenced = r#"(module (import "env" "x" (func $x)) (export "again" (func $x)))"#;
    for (text, link) in [
        (text("(func)"), Link::Value(Val::I32(1))),
        (text("(global i32)"), Link::Value(Val::I64(1))),
        (text("(global i32)"), Link::Unbound),
        (text("(memory 1)"), Link::Unbound),
        (text("(table 1 funcref)"), Link::Unbound),
        (referenced.to_owned(), Link::Unbound),
    ] {
        let module = module(&engine, &text);
        let error = Instance::link(&mut store, &module, &[link], no_import).expect_err(&text);
        assert!(error.to_string().starts_with("unknown import `env` `x`"), "{error}");
    }
    let module = module(&engine, &text("(func)"));
    let error = Instance::link(&mut store, &module, &[], no_import).expect_err("one is missing");
    assert_eq!(error.to_string(), "the module has 1 imports, but was given 0");
}

/// A library with a function in a table, exported, and imported by another.
struct Loaded {
    store: Store<()>,
    library: Module,
    table: Table,
    user: Instance,
}

const LIBRARY: &str = r#"(module $lib
    (import "env" "table" (table 1 funcref))
    (global $calls (export "calls") (mut i32) (i32.const 0))
    (elem (i32.const 0) $f)
    (func $f (export "f") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (global.get $calls))
    (func (export "again") (param i32) (result i32) (i32.const 2)))"#;

impl Loaded {
    fn new() -> (Self, Instance) {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let table = TableType::new(RefType::FUNCREF, 1, None);
        let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
        let library = module(&engine, LIBRARY);
        let lib = Instance::link(&mut store, &library, &[table.into()], no_import).expect("it fits");
        let user = module(
            &engine,
            r#"(module
                (import "env" "table" (table 1 funcref))
                (import "lib" "f" (func $f (result i32)))
                (type $t (func (result i32)))
                (func (export "direct") (result i32) (call $f))
                (func (export "indirect") (result i32) (call_indirect (type $t) (i32.const 0))))"#,
        );
        let f = lib.get_func(&mut store, "f").expect("exported");
        let user = Instance::new(&mut store, &user, &[table.into(), f.into()]).expect("it fits");
        let this = Self {
            store,
            library,
            table,
            user,
        };
        (this, lib)
    }

    fn call(&mut self, name: &str) -> Result<i32, Error> {
        let func = self.user.get_typed_func::<(), i32>(&mut self.store, name)?;
        func.call(&mut self.store, ())
    }
}

#[test]
fn what_is_unloaded_is_gone_for_all_who_have_it() {
    let (mut loaded, lib) = Loaded::new();
    let held = lib.get_typed_func::<(), i32>(&mut loaded.store, "f").expect("exported");
    let calls = lib.get_global(&mut loaded.store, "calls").expect("exported");
    assert_eq!(loaded.call("direct").expect("it returns"), 1);
    assert_eq!(loaded.call("indirect").expect("it returns"), 2);
    assert_eq!(held.call(&mut loaded.store, ()).expect("it returns"), 3);
    lib.unload(&mut loaded.store, "lib.so").expect("it does not run");
    lib.unload(&mut loaded.store, "again.so").expect("it is gone already");
    for name in ["direct", "indirect"] {
        let error = loaded.call(name).expect_err("it is gone");
        assert_eq!(error.to_string(), "call into unloaded lib.so");
        assert!(matches!(error.downcast_ref(), Some(LinkError::Unloaded { .. })));
        let frames = error.backtrace().expect("the guest stood somewhere").frames();
        assert_eq!((frames.len(), frames[0].func_name().as_deref()), (1, Some(name)));
    }
    let error = held.call(&mut loaded.store, ()).expect_err("it is gone");
    assert_eq!(error.to_string(), "call into unloaded lib.so");
    assert!(held.func().ty(&loaded.store) == FuncType::new([], [ValType::I32]));
    // Globals stay, for those who have them.
    assert_eq!(calls.get(&loaded.store).i32(), Some(3));
    calls.set(&mut loaded.store, Val::I32(9)).expect("it is mutable");
    assert!(lib.get_export(&mut loaded.store, "f").is_none());
    assert_eq!(lib.exports(&mut loaded.store).len(), 0);
}

#[test]
fn an_instance_of_the_same_module_takes_the_place() {
    let (mut loaded, lib) = Loaded::new();
    let held = lib.get_typed_func::<(), i32>(&mut loaded.store, "f").expect("exported");
    for round in 0..10_000 {
        if round % 100 == 0 {
            assert_eq!(held.call(&mut loaded.store, ()).expect("it is there"), 1);
        }
        lib.unload(&mut loaded.store, "lib.so").expect("it does not run");
        assert!(held.call(&mut loaded.store, ()).is_err());
        let again = Instance::link(&mut loaded.store, &loaded.library, &[loaded.table.into()], no_import);
        assert_eq!(again.expect("as many as one likes"), lib);
    }
    assert_eq!(loaded.call("indirect").expect("it returns"), 1);
    let f = lib.get_func(&mut loaded.store, "f").expect("exported");
    loaded.user.rebind(&mut loaded.store, 1, f).expect("of the same type");
    assert_eq!(loaded.call("direct").expect("it returns"), 2);
}

#[test]
fn what_runs_is_not_unloaded() {
    let engine = Engine::default();
    let library = module(
        &engine,
        r#"(module (import "host" "close" (func $close (result i32)))
            (func (export "f") (result i32) (call $close)))"#,
    );
    let mut store = Store::new(&engine, None::<Instance>);
    let close = |mut caller: Caller<'_, Option<Instance>>| {
        let library = caller.data().expect("set below");
        let asked = caller.instance();
        assert_eq!(asked, Some(library));
        match library.unload(&mut caller, "lib.so") {
            Ok(()) => 0,
            Err(error) => i32::from(error.to_string() == "lib.so cannot be unloaded while a function of it is running"),
        }
    };
    let close = Func::wrap(&mut store, close);
    let lib = Instance::new(&mut store, &library, &[close.into()]).expect("it fits");
    *store.data_mut() = Some(lib);
    let f = lib.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
    assert_eq!(f.call(&mut store, ()).expect("it returns"), 1);
    // A gate hides who called from permissions, not from this.
    let gate = f
        .func()
        .gate(&mut store)
        .typed::<(), i32>(&store)
        .expect("of the same type");
    assert_eq!(gate.call(&mut store, ()).expect("it returns"), 1);
    lib.unload(&mut store, "lib.so").expect("it has returned");
    assert!(f.call(&mut store, ()).is_err());
}

#[test]
fn what_cannot_be_initialised_is_gone() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let table = TableType::new(RefType::FUNCREF, 4, None);
    let mut store = Store::new(&engine, ());
    let table = Table::new(&mut store, table, Ref::Func(None)).expect("there is room");
    linker
        .define(&mut store, "env", "table", table)
        .expect("the name is free");
    let library = module(
        &engine,
        r#"(module $trapping (import "env" "table" (table 1 funcref))
            (elem (i32.const 3) $f) (func $f) (func $start unreachable) (start $start))"#,
    );
    for _ in 0..20_000 {
        let error = Instance::link(&mut store, &library, &[table.into()], no_import).expect_err("it traps");
        assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    }
    let Some(Ref::Func(Some(func))) = table.get(&store, 3) else {
        panic!("the element was written");
    };
    let error = func.call(&mut store, &[], &mut []).expect_err("it is gone");
    assert_eq!(error.to_string(), "call into unloaded trapping");
}

#[test]
fn snapshots_of_what_is_unloaded_make_no_instances() {
    let (mut loaded, lib) = Loaded::new();
    let snapshot = lib.snapshot(&loaded.store).expect("there is room");
    lib.unload(&mut loaded.store, "lib.so").expect("it does not run");
    assert!(snapshot.instantiate(&mut loaded.store).is_err());
    assert!(lib.restore(&mut loaded.store, &snapshot).is_err());
    let again = Instance::link(&mut loaded.store, &loaded.library, &[loaded.table.into()], no_import);
    assert_eq!(again.expect("it fits"), lib);
    snapshot.instantiate(&mut loaded.store).expect("it is there again");
}

#[test]
fn references_to_imports_and_where_elements_go() {
    let engine = Engine::default();
    let text = r#"(module
        (import "env" "a" (func $a)) (import "env" "base" (global $base i32))
        (import "env" "b" (func $b)) (import "env" "c" (func $c)) (import "env" "t" (table 9 funcref))
        (elem (i32.const 2) $b $f) (elem (global.get $base) $g)
        (elem (offset (i32.add (global.get $base) (i32.const 4))) funcref (ref.null func) (ref.func $f))
        (elem func $c)
        (func $f (export "f") (export "also_f")) (func $g (export "g")))"#;
    let module = module(&engine, text);
    let referenced: Vec<bool> = module.imports().map(|import| import.is_referenced()).collect();
    assert_eq!(referenced, [false, false, true, true, false]);
    assert_eq!(module.function_index("f"), module.function_index("also_f"));
    let elements: Vec<_> = module
        .active_elements()
        .map(|element| (element.base, element.offset, element.func_index))
        .collect();
    assert_eq!(elements, [(None, 2, 1), (None, 3, 3), (Some(0), 0, 4), (Some(0), 5, 3)]);
    assert!(module.function_index("base").is_none());
}

#[test]
fn cells_of_a_former_instance_keep_their_types() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module (import "" "n" (global $n (mut i64))) (import "" "f" (global $f (mut funcref)))
            (export "n" (global $n)) (export "f" (global $f)))"#,
    );
    let mut store = Store::new(&engine, ());
    let number = GlobalType::new(ValType::I64, Mutability::Var);
    let function = GlobalType::new(ValType::FUNCREF, Mutability::Var);
    let number = Global::new(&mut store, number, Val::I64(0)).expect("of its type");
    let function = Global::new(&mut store, function, Val::FuncRef(None)).expect("of its type");
    let links = [Link::Value(Val::I64(1)), function.into()];
    let first = Instance::link(&mut store, &module, &links, no_import).expect("they fit");
    let held = first.get_global(&mut store, "n").expect("exported");
    first.unload(&mut store, "first").expect("it does not run");
    let links = [number.into(), Link::Value(Val::FuncRef(None))];
    let second = Instance::link(&mut store, &module, &links, no_import).expect("they fit");
    assert_eq!(second, first);
    held.set(&mut store, Val::I64(0x4141)).expect("of its type");
    let f = second.get_global(&mut store, "f").expect("exported");
    assert!(matches!(f.get(&store), Val::FuncRef(None)));
}

#[test]
fn a_start_function_that_computes_with_a_calls_result_is_linked() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module
            (global $g (mut i32) (i32.const 0))
            (func $c (result i32) (i32.const 3))
            (func $start (i32.add (call $c) (i32.const 5)) (global.set $g (i32.const 7)) (drop))
            (start $start)
            (func (export "g") (result i32) (global.get $g)))"#,
    );
    let mut store = Store::new(&engine, ());
    let instance = Instance::link(&mut store, &module, &[], no_import).expect("nothing is missing");
    let g = instance.get_typed_func::<(), i32>(&mut store, "g").expect("exported");
    assert_eq!(g.call(&mut store, ()).expect("it returns"), 7);
}

#[test]
fn a_place_is_taken_in_the_same_domain_and_by_links_only() {
    let (mut loaded, lib) = Loaded::new();
    let held = lib.get_typed_func::<(), i32>(&mut loaded.store, "f").expect("exported");
    lib.unload(&mut loaded.store, "lib.so").expect("it does not run");
    let (library, table) = (loaded.library.clone(), loaded.table);
    let new = Instance::new(&mut loaded.store, &library, &[table.into()]).expect("it fits");
    assert_ne!(new, lib);
    let other = Domain::new("other", Permissions::none());
    loaded.store.set_domain(other).expect("of no store yet");
    let foreign = Instance::link(&mut loaded.store, &library, &[table.into()], no_import).expect("it fits");
    assert_ne!(foreign, lib);
    assert!(held.call(&mut loaded.store, ()).is_err(), "what is gone is gone");
}

#[test]
fn an_import_of_what_is_there_again_works_again() {
    let (mut loaded, lib) = Loaded::new();
    assert_eq!(loaded.call("direct").expect("it returns"), 1);
    lib.unload(&mut loaded.store, "lib.so").expect("it does not run");
    assert_eq!(
        loaded.call("direct").expect_err("it is gone").to_string(),
        "call into unloaded lib.so"
    );
    let (library, table) = (loaded.library.clone(), loaded.table);
    Instance::link(&mut loaded.store, &library, &[table.into()], no_import).expect("it fits");
    for n in 1..5 {
        assert_eq!(loaded.call("direct").expect("it is there"), n);
    }
}

#[test]
fn snapshots_have_globals_that_were_given_by_value() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module (import "" "n" (global $n (mut i32)))
            (func (export "next") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#,
    );
    let mut store = Store::new(&engine, ());
    let links = [Link::Value(Val::I32(4))];
    let instance = Instance::link(&mut store, &module, &links, no_import).expect("it fits");
    let next = instance
        .get_typed_func::<(), i32>(&mut store, "next")
        .expect("exported");
    assert_eq!(next.call(&mut store, ()).expect("it returns"), 5);
    let snapshot = instance.snapshot(&store).expect("there is room");
    assert_eq!(next.call(&mut store, ()).expect("it returns"), 6);
    let fork = snapshot.instantiate(&mut store).expect("there is room");
    let forked = fork.get_typed_func::<(), i32>(&mut store, "next").expect("exported");
    assert_eq!(forked.call(&mut store, ()).expect("it returns"), 6);
    instance.restore(&mut store, &snapshot).expect("of its own module");
    assert_eq!(next.call(&mut store, ()).expect("it returns"), 6);
}
