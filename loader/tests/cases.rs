//! Modules that compilers made, linked and run. `cases/build.sh` rebuilds them.

use orcavm_loader::{DEFAULT_STACK, Image, Library};
use vm::{Engine, Linker, Module, Store};

/// The module of a case.
macro_rules! library {
    ($engine:expr, $name:literal) => {
        Library {
            name: $name.into(),
            module: Module::new($engine, include_bytes!(concat!("cases/", $name))).expect("valid"),
        }
    };
}

#[test]
fn data_functions_and_pointers_to_them() {
    let engine = Engine::default();
    let modules = [
        library!(&engine, "callbacks/main.wasm"),
        library!(&engine, "callbacks/lib.wasm"),
    ];
    let mut store = Store::new(&engine, ());
    let image = Image::link(&mut store, &Linker::new(&engine), &modules, DEFAULT_STACK).expect("they fit");
    let run = image
        .program()
        .get_typed_func::<(), i32>(&mut store, "run")
        .expect("exported");
    assert_eq!(run.call(&mut store, ()).expect("it returns"), 127);
}

#[test]
fn what_is_missing_is_listed() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let modules = [library!(&engine, "callbacks/main.wasm")];
    let error = Image::link(&mut store, &Linker::new(&engine), &modules, DEFAULT_STACK).expect_err("no library");
    let message = error.to_string();
    assert!(message.starts_with("nobody provides "), "{message}");
    for symbol in [
        "`add` (func (param i32) (result i32))",
        "the address of `counter`",
        "`apply`",
    ] {
        assert!(message.contains(symbol), "{symbol}: {message}");
    }
    assert!(message.contains("needed by callbacks/main.wasm"), "{message}");
}
