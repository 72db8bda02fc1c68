//! Loading a module and translating all its functions.

use std::hint::black_box;

use anyhow::Result;

use super::super::{load_translated, new_eager_engine};
use crate::measure::{Run, timed};

/// Loads a module, translates its functions, and drops it.
///
/// # Errors
/// If the module cannot be loaded or translated.
pub fn translate(wasm: &[u8]) -> Result<Run> {
    let engine = new_eager_engine();
    load_translated(&engine, wasm)?;
    let wasm = wasm.to_owned();
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                drop(black_box(
                    load_translated(&engine, black_box(&wasm)).expect("it was translated before"),
                ));
            }
        })
    }))
}
