//! orcavm: what of its interface differs from the peer's.

use crate::measure::{Run, timed};
use anyhow::{Context as _, Result};
use vm as engine;
use vm::{Config, Engine, Error, Global, GlobalType, Instance, Linker, Module, Mutability, Ref, RefType};
use vm::{Store, Table, TableType, Val};

/// What the tables call it.
pub const NAME: &str = "orcavm";

fn new_engine() -> Engine {
    let mut config = Config::default();
    // One thread: the others' time would count too.
    config.validation_threads(std::num::NonZero::<usize>::MIN);
    Engine::new(&config).expect("the configuration differs from the default in threads only")
}

fn new_eager_engine() -> Engine {
    new_engine()
}

fn load_translated(engine: &Engine, wasm: &[u8]) -> Result<Module> {
    let module = Module::new(engine, wasm)?;
    module.precompile()?;
    Ok(module)
}

/// Translates the functions of modules that were loaded before. With it goes
/// how many bytes their bodies have.
///
/// # Errors
/// If the module cannot be loaded or translated.
pub fn translate_alone(wasm: &[u8]) -> Result<(Run, u64)> {
    let engine = new_engine();
    let code = Module::new(&engine, wasm)?.precompile()?;
    let wasm = wasm.to_owned();
    let run: Run = Box::new(move |iterations| {
        let load = |_| Module::new(&engine, &wasm[..]).expect("it was loaded before");
        let modules: Vec<Module> = (0..iterations).map(load).collect();
        timed(|| {
            for module in &modules {
                module.precompile().expect("it was translated before");
            }
        })
    });
    Ok((run, code))
}

fn new_instance<T: 'static>(linker: &Linker<T>, store: &mut Store<T>, module: &Module) -> Result<Instance> {
    Ok(linker.instantiate(store, module)?)
}

/// The exit of a WASI program.
#[derive(Debug)]
struct Exit(i32);

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit with code {}", self.0)
    }
}

impl std::error::Error for Exit {}

fn exit(code: i32) -> Error {
    Error::host(Exit(code))
}

fn exit_code(error: &Error) -> Option<i32> {
    error.downcast_ref::<Exit>().map(|exit| exit.0)
}

fn trap_name(error: &Error) -> Option<String> {
    error.trap().map(|trap| format!("{trap:?}"))
}

fn new_global<T: 'static>(store: &mut Store<T>, value: i32, mutable: bool) -> Result<Global> {
    let mutability = if mutable { Mutability::Var } else { Mutability::Const };
    let ty = GlobalType::new(engine::ValType::I32, mutability);
    Ok(Global::new(store, ty, Val::I32(value))?)
}

fn new_table<T: 'static>(store: &mut Store<T>, elements: u32) -> Result<Table> {
    let ty = TableType::new(RefType::FUNCREF, elements, None);
    Ok(Table::new(store, ty, Ref::Func(None))?)
}

fn set_element<T: 'static>(store: &mut Store<T>, table: Table, index: u32, func: engine::Func) -> Result<()> {
    Ok(table.set(store, index.into(), Ref::Func(Some(func)))?)
}

fn global_i32<T: 'static>(store: &mut Store<T>, global: Global) -> Result<i32> {
    match global.get(store) {
        Val::I32(value) => Ok(value),
        _ => None.context("the global is no i32"),
    }
}

#[path = "side/mod.rs"]
mod side;
pub use side::*;
