//! wasmi, the peer that runs in the same process: what of its interface differs.

use anyhow::{Context as _, Result};
use wasmi as engine;
use wasmi::{Engine, Error, Global, Instance, Linker, Module, Mutability, Ref, RefType, Store, Table, TableType};

/// What the tables call it.
pub const NAME: &str = "wasmi";

/// By default functions are validated at once and translated when first
/// called, as orcavm does.
fn new_engine() -> Engine {
    Engine::default()
}

/// Functions are validated and translated at once.
fn new_eager_engine() -> Engine {
    let mut config = engine::Config::default();
    config.compilation_mode(engine::CompilationMode::Eager);
    Engine::new(&config)
}

fn load_translated(engine: &Engine, wasm: &[u8]) -> Result<Module> {
    Ok(Module::new(engine, wasm)?)
}

fn new_instance<T: 'static>(linker: &Linker<T>, store: &mut Store<T>, module: &Module) -> Result<Instance> {
    Ok(linker.instantiate_and_start(store, module)?)
}

fn exit(code: i32) -> Error {
    Error::i32_exit(code)
}

fn exit_code(error: &Error) -> Option<i32> {
    error.i32_exit_status()
}

fn trap_name(error: &Error) -> Option<String> {
    error.as_trap_code().map(|trap| format!("{trap:?}"))
}

fn new_global<T: 'static>(store: &mut Store<T>, value: i32, mutable: bool) -> Result<Global> {
    let mutability = if mutable { Mutability::Var } else { Mutability::Const };
    Ok(Global::new(store, value.into(), mutability))
}

fn new_table<T: 'static>(store: &mut Store<T>, elements: u32) -> Result<Table> {
    let ty = TableType::new(RefType::Func, elements, None);
    Ok(Table::new(store, ty, Ref::Func(engine::Nullable::Null))?)
}

fn set_element<T: 'static>(store: &mut Store<T>, table: Table, index: u32, func: engine::Func) -> Result<()> {
    Ok(table.set(store, index.into(), Ref::Func(func.into()))?)
}

fn global_i32<T: 'static>(store: &mut Store<T>, global: Global) -> Result<i32> {
    global.get(store).i32().context("the global is no i32")
}

#[path = "side/mod.rs"]
mod side;
pub use side::*;
