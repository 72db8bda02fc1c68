//! Calls that trap.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};

use super::super::engine::{Linker, Module, Store};
use super::super::{new_engine, new_instance, trap_name};
use crate::measure::{Run, timed};

/// Calls a function that traps, which must be the trap of that name.
///
/// # Errors
/// If it traps otherwise, or not.
pub fn trap(wasm: &[u8], export: &str, expected: &str) -> Result<Run> {
    let engine = new_engine();
    let mut store = Store::new(&engine, ());
    let instance = new_instance(&Linker::new(&engine), &mut store, &Module::new(&engine, wasm)?)?;
    let func = instance.get_typed_func::<i32, i32>(&mut store, export)?;
    let error = func.call(&mut store, 0).err().context("it did not trap")?;
    let found = trap_name(&error);
    ensure!(
        found.as_deref() == Some(expected),
        "expected {expected}, found {found:?}"
    );
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                black_box(func.call(&mut store, 0).is_err());
            }
        })
    }))
}
