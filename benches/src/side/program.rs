//! Running WASI programs.

use anyhow::{Context as _, Result, ensure};

use super::super::engine::{Linker, Module, Store};
use super::super::{exit_code, new_engine, new_instance};
use super::preview1::{Host, add_to_linker};
use crate::measure::{Run, timed};
use crate::programs::Program;

/// Runs a program from a new store to its end, translated already. Every run's
/// output is checked.
///
/// # Errors
/// If it does not run, or its first output is not what it should be.
pub fn run_program(program: &Program) -> Result<Run> {
    let engine = new_engine();
    let module = Module::new(&engine, &program.wasm[..])?;
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker)?;
    let program = program.clone();
    let run = move || -> Result<()> {
        let mut store = Store::new(&engine, Host::new(&program));
        let instance = new_instance(&linker, &mut store, &module)?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        if let Err(error) = start.call(&mut store, ()) {
            let code = exit_code(&error);
            ensure!(code == Some(0), "{}: {error}", program.name);
        }
        let output = String::from_utf8(std::mem::take(&mut store.data_mut().output)).context("output is no text")?;
        ensure!(
            output == program.output,
            "{}: expected {:?}, found {output:?}",
            program.name,
            program.output
        );
        Ok(())
    };
    run()?;
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                run().expect("it ran before");
            }
        })
    }))
}
