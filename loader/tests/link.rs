//! Linking at load time: what modules share, what they find in each other, and
//! what is said where they do not.

use orcavm_loader::{DEFAULT_STACK, Image, Library, LoadError, Unbound};
use vm::{Caller, Engine, Error, Linker, Module, Store, Trap};

/// What host functions note.
type Notes = Vec<i32>;

struct World {
    engine: Engine,
    linker: Linker<Notes>,
    store: Store<Notes>,
}

fn world() -> World {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let note = |mut caller: Caller<'_, Notes>, n: i32| caller.data_mut().push(n);
    linker.func_wrap("env", "note", note).expect("the name is free");
    linker.func_wrap("other", "seven", || 7).expect("the name is free");
    let store = Store::new(&engine, Notes::new());
    World { engine, linker, store }
}

impl World {
    fn link(&mut self, modules: &[(&str, &str)]) -> Result<Image, LoadError> {
        let library = |(name, text): &(&str, &str)| Library {
            name: (*name).into(),
            module: Module::new(&self.engine, text).expect("valid"),
        };
        let libraries: Vec<Library> = modules.iter().map(library).collect();
        Image::link(&mut self.store, &self.linker, &libraries, DEFAULT_STACK)
    }

    fn run(&mut self, image: &Image, name: &str) -> Result<i32, Error> {
        let run = image.program().get_typed_func::<(), i32>(&mut self.store, name);
        run.expect("exported").call(&mut self.store, ())
    }

    fn refusal(&mut self, modules: &[(&str, &str)]) -> String {
        self.link(modules).expect_err("it cannot be linked").to_string()
    }
}

#[test]
fn one_function_has_one_place_in_the_table() {
    // `f` is an element of its own module's already; `g` is of nobody's.
    let lib = r#"(module (@dylink.0 (mem-info (memory 0 0) (table 2 1)))
        (import "env" "__indirect_function_table" (table 0 funcref))
        (import "env" "__table_base" (global $base i32))
        (import "GOT.func" "f" (global $f (mut i32)))
        (elem (global.get $base) $other $f)
        (func $other)
        (func $f (export "f") (result i32) (i32.const 42))
        (func (export "g") (result i32) (i32.const 43))
        (func (export "lib_f") (result i32) (global.get $f))
        (func (export "own_f") (result i32) (i32.add (global.get $base) (i32.const 1))))"#;
    let main = r#"(module (@dylink.0)
        (import "env" "__indirect_function_table" (table 0 funcref))
        (import "env" "lib_f" (func $lib_f (result i32))) (import "env" "own_f" (func $own_f (result i32)))
        (import "GOT.func" "f" (global $f (mut i32))) (import "GOT.func" "g" (global $g (mut i32)))
        (type $t (func (result i32)))
        (func (export "same") (result i32)
            (i32.and (i32.eq (global.get $f) (call $lib_f)) (i32.eq (global.get $f) (call $own_f))))
        (func (export "call_f") (result i32) (call_indirect (type $t) (global.get $f)))
        (func (export "call_g") (result i32) (call_indirect (type $t) (global.get $g)))
        (func (export "g_is_another") (result i32) (i32.ne (global.get $f) (global.get $g))))"#;
    let mut world = world();
    let image = world
        .link(&[("main", main), ("lib.so", lib), ("again.so", lib)])
        .expect("they fit");
    for (name, expected) in [("same", 1), ("call_f", 42), ("call_g", 43), ("g_is_another", 1)] {
        assert_eq!(world.run(&image, name).expect("it returns"), expected, "{name}");
    }
}

#[test]
fn the_stack_and_the_heap_follow_the_data() {
    let main = r#"(module (@dylink.0 (mem-info (memory 100000 4)))
        (import "env" "memory" (memory 1))
        (import "env" "__stack_pointer" (global $sp (mut i32)))
        (import "env" "__memory_base" (global $base i32))
        (import "GOT.mem" "__heap_base" (global $heap (mut i32)))
        (import "GOT.mem" "__stack_low" (global $low (mut i32)))
        (import "GOT.mem" "__stack_high" (global $high (mut i32)))
        (func (export "base") (result i32) (global.get $base))
        (func (export "low") (result i32) (global.get $low))
        (func (export "sp") (result i32) (i32.sub (global.get $sp) (global.get $low)))
        (func (export "high") (result i32) (i32.eq (global.get $high) (global.get $sp)))
        (func (export "heap") (result i32) (i32.eq (global.get $heap) (global.get $sp)))
        (func (export "inside") (result i32) (i32.ge_u (i32.mul (memory.size) (i32.const 65536)) (global.get $sp))))"#;
    let mut world = world();
    let image = world.link(&[("main", main)]).expect("it fits");
    for (name, expected) in [
        ("base", 1024),
        ("low", 101_024),
        ("sp", 1 << 20),
        ("high", 1),
        ("heap", 1),
        ("inside", 1),
    ] {
        assert_eq!(world.run(&image, name).expect("it returns"), expected, "{name}");
    }
}

#[test]
fn relocations_of_all_then_constructors_from_the_last() {
    let module = |n: i32| {
        format!(
            r#"(module (@dylink.0) (import "env" "note" (func $note (param i32)))
            (func (export "__wasm_call_ctors") (call $note (i32.const {n})))
            (func (export "__wasm_apply_data_relocs") (call $note (i32.const {}))))"#,
            n + 10
        )
    };
    let texts = [1, 2, 3].map(module);
    let mut world = world();
    let modules = [("main", &*texts[0]), ("a.so", &texts[1]), ("b.so", &texts[2])];
    world.link(&modules).expect("they fit");
    assert_eq!(world.store.data(), &[13, 12, 11, 3, 2, 1]);
}

#[test]
fn what_is_weak_may_be_missing_until_it_is_called() {
    let main = r#"(module (@dylink.0 (import-info "env" "maybe" binding-weak))
        (import "env" "maybe" (func $maybe (result i32)))
        (import "GOT.func" "maybe" (global $address (mut i32)))
        (import "GOT.mem" "maybe" (global $data (mut i32)))
        (import "other" "seven" (func $seven (result i32)))
        (func (export "addresses") (result i32) (i32.or (global.get $address) (global.get $data)))
        (func (export "call") (result i32) (call $maybe))
        (func (export "other") (result i32) (call $seven)))"#;
    let mut world = world();
    let image = world.link(&[("main", main)]).expect("it may be missing");
    assert_eq!(world.run(&image, "addresses").expect("it returns"), 0);
    assert_eq!(world.run(&image, "other").expect("it returns"), 7);
    let error = world.run(&image, "call").expect_err("it is missing");
    assert_eq!(error.to_string(), "`maybe` was called by main, and nobody provides it");
    assert!(error.downcast_ref::<Unbound>().is_some());
    assert_eq!(error.backtrace().expect("it was called").frames().len(), 1);
    let lib =
        r#"(module (@dylink.0 (export-info "maybe" binding-weak)) (func (export "maybe") (result i32) (i32.const 5)))"#;
    let image = world.link(&[("main", main), ("lib.so", lib)]);
    // Its data is still missing, which may be too.
    let image = image.expect("it is there now");
    assert_eq!(world.run(&image, "call").expect("it returns"), 5);
}

#[test]
fn refusals_say_who_and_what() {
    let mut world = world();
    let main = r#"(module (@dylink.0) (import "env" "f" (func (param i32))) (import "env" "note" (func (param i32))))"#;
    for (modules, message) in [
        (
            &[("main", "(module)")][..],
            "main is not position-independent: it has no section `dylink.0`",
        ),
        (
            &[("main", main)],
            "nobody provides `f` (func (param i32)), needed by main",
        ),
        (
            &[
                ("main", main),
                ("lib.so", r#"(module (@dylink.0) (func (export "f")))"#),
            ],
            "main calls `f` as (func (param i32)), and lib.so has it as (func)",
        ),
        (
            &[("main", r#"(module (@dylink.0) (import "env" "note" (func)))"#)],
            "main calls `note` as (func), and the host has it as (func (param i32))",
        ),
        (
            &[("main", r#"(module (@dylink.0) (import "wasi" "exit" (func)))"#)],
            "main: nobody provides `wasi` `exit`, (func)",
        ),
        (
            &[("main", r#"(module (@dylink.0) (import "env" "memory" (func)))"#)],
            "main: the import `env` `memory` has to be a memory, and is (func)",
        ),
        (
            &[("main", "(module (@dylink.0 (mem-info (memory 4294967295 0))))")],
            "main needs 4294967295 bytes of memory, aligned to 1: there is no room from 1024 to 4294901760",
        ),
        (
            &[("main", "(module (@dylink.0 (mem-info (table 20000000 0))))")],
            "main needs 20000000 table elements, aligned to 1: there is no room from 1 to 10000000",
        ),
    ] {
        assert_eq!(world.refusal(modules), message);
    }
}

#[test]
fn constructors_that_trap_end_the_loading() {
    let mut world = world();
    let bad = r#"(module (@dylink.0) (func (export "__wasm_call_ctors") unreachable))"#;
    let error = world
        .link(&[("main", "(module (@dylink.0))"), ("bad.so", bad)])
        .expect_err("it traps");
    assert!(
        matches!(&error, LoadError::Constructor { source, .. } if source.trap() == Some(Trap::UnreachableCodeReached)),
        "{error:?}"
    );
    // The next program is none the worse for it.
    assert!(world.link(&[("main", "(module (@dylink.0))")]).is_ok());
}
