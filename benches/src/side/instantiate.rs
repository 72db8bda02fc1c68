//! Making instances of a small module.

use std::hint::black_box;

use anyhow::{Result, ensure};

use super::super::engine::{Engine, Linker, Module, Store};
use super::super::{new_engine, new_instance};
use crate::Keep;
use crate::measure::{Run, timed};

fn linker(engine: &Engine) -> Result<Linker<i32>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))?;
    Ok(linker)
}

/// Makes an instance, and a store for it if that is not kept, and drops what was
/// made with the store.
///
/// # Errors
/// If the module cannot be instantiated, or its function `answer` is wrong.
pub fn instantiate(wasm: &[u8], keep: Keep) -> Result<Run> {
    let engine = new_engine();
    let linker = linker(&engine)?;
    let kept = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, 0);
    let instance = new_instance(&linker, &mut store, &kept)?;
    let answer = instance
        .get_typed_func::<(), i32>(&mut store, "answer")?
        .call(&mut store, ())?;
    ensure!(answer == 42, "the answer is 42, not {answer}");
    let wasm = wasm.to_owned();
    Ok(Box::new(move |iterations| {
        let modules: Vec<Module> = (0..iterations)
            .map(|_| {
                if keep.module {
                    kept.clone()
                } else {
                    Module::new(&engine, &wasm[..]).expect("it is valid")
                }
            })
            .collect();
        let mut one = Store::new(&engine, 0);
        let time = timed(|| {
            for module in &modules {
                if keep.store {
                    black_box(new_instance(&linker, &mut one, module).expect("it worked before"));
                } else {
                    let mut store = Store::new(&engine, 0);
                    black_box(new_instance(&linker, &mut store, module).expect("it worked before"));
                }
            }
        });
        drop(one);
        time
    }))
}
