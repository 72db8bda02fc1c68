//! Parsing and validating a module.

use std::hint::black_box;

use anyhow::Result;

use super::super::engine::Module;
use super::super::new_engine;
use crate::measure::{Run, timed};

/// Loads a module and drops it.
///
/// # Errors
/// If the module cannot be loaded, or a damaged one can.
pub fn load(wasm: &[u8]) -> Result<Run> {
    let engine = new_engine();
    Module::new(&engine, wasm)?;
    // Its last byte is missing: what validates must see that.
    let cut = wasm.len() - 1;
    anyhow::ensure!(
        Module::new(&engine, &wasm[..cut]).is_err(),
        "a module that was cut off is loaded too"
    );
    let wasm = wasm.to_owned();
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                drop(black_box(
                    Module::new(&engine, black_box(&wasm[..])).expect("it was loaded before"),
                ));
            }
        })
    }))
}
