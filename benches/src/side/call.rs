//! Calls: from the host, to the host, within a module and between modules. The
//! guests are `wat/*.wat`.

use std::hint::black_box;

use anyhow::{Result, ensure};

use super::super::engine::{Engine, Instance, Linker, Module, Store};
use super::super::{new_engine, new_instance};
use crate::Work;
use crate::measure::{Run, timed};

/// What the guests' `work` does, without its memory: what it stores it loads
/// again at once.
fn work(a: i32, b: i32) -> i32 {
    let x = a.wrapping_mul(31).wrapping_add(b);
    let x = x ^ (x.cast_unsigned() >> 7).cast_signed();
    x.wrapping_add(b.rotate_left(3))
}

/// What the guests' loop over `work` gives.
fn looped(iterations: i32) -> i32 {
    (0..iterations).fold(0, work)
}

/// The instance of the last module. The others are there for its imports, under
/// their names; so is a module `host` with the same functions.
fn link(engine: &Engine, store: &mut Store<()>, modules: &[(&str, &[u8])]) -> Result<Instance> {
    let modules = modules
        .iter()
        .map(|(name, wasm)| Ok((*name, Module::new(engine, wasm)?)))
        .collect::<Result<Vec<_>>>()?;
    link_modules(engine, store, &modules)
}

/// [`link`] for modules that are there already, and so is the code of what has
/// been called of them.
fn link_modules(engine: &Engine, store: &mut Store<()>, modules: &[(&str, Module)]) -> Result<Instance> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "empty", || {})?;
    linker.func_wrap("host", "work", work)?;
    let mut last = None;
    for (name, module) in modules {
        let instance = new_instance(&linker, store, module)?;
        linker.instance(&mut *store, name, instance)?;
        last = Some(instance);
    }
    last.ok_or_else(|| anyhow::anyhow!("no module to call"))
}

/// A loop in the guest, which calls once an iteration.
///
/// # Errors
/// If the modules cannot be linked, or give a wrong result.
pub fn guest_loop(modules: &[(&str, &[u8])], what: Work) -> Result<Run> {
    let engine = new_engine();
    let mut store = Store::new(&engine, ());
    let instance = link(&engine, &mut store, modules)?;
    let name = if what == Work::Empty { "loop_empty" } else { "loop_work" };
    let func = instance.get_typed_func::<i32, i32>(&mut store, name)?;
    let found = func.call(&mut store, 1000)?;
    let expected = if what == Work::Empty { 1000 } else { looped(1000) };
    ensure!(found == expected, "expected {expected}, found {found}");
    Ok(Box::new(move |iterations| {
        let iterations = i32::try_from(iterations).expect("batches are not that large");
        timed(|| {
            black_box(func.call(&mut store, iterations).expect("it ran before"));
        })
    }))
}

/// A loop in the guest, in an export that takes the number of rounds; what it gives
/// must be what `expected` gives.
///
/// # Errors
/// If the modules cannot be linked, or give a wrong result.
pub fn counted_loop(modules: &[(&str, &[u8])], export: &str, expected: fn(i32) -> i32) -> Result<Run> {
    let engine = new_engine();
    let mut store = Store::new(&engine, ());
    let instance = link(&engine, &mut store, modules)?;
    let func = instance.get_typed_func::<i32, i32>(&mut store, export)?;
    for n in [0, 1, 2, 1000] {
        let (found, expected) = (func.call(&mut store, n)?, expected(n));
        ensure!(
            found == expected,
            "{export}: expected {expected} for {n}, found {found}"
        );
    }
    Ok(Box::new(move |iterations| {
        let iterations = i32::try_from(iterations).expect("batches are not that large");
        timed(|| {
            black_box(func.call(&mut store, iterations).expect("it ran before"));
        })
    }))
}

/// Calls from the host, one an iteration.
///
/// # Errors
/// If the module cannot be linked, or gives a wrong result.
pub fn from_host(wasm: &[u8], what: Work) -> Result<Run> {
    let engine = new_engine();
    let mut store = Store::new(&engine, ());
    let instance = link(&engine, &mut store, &[("callee", wasm)])?;
    if what == Work::Empty {
        let func = instance.get_typed_func::<(), ()>(&mut store, "empty")?;
        func.call(&mut store, ())?;
        return Ok(Box::new(move |iterations| {
            timed(|| {
                for _ in 0..iterations {
                    func.call(&mut store, ()).expect("it ran before");
                }
            })
        }));
    }
    let func = instance.get_typed_func::<(i32, i32), i32>(&mut store, "work")?;
    for (a, b) in [(0, 0), (1, 2), (-7, i32::MIN)] {
        let (expected, found) = (work(a, b), func.call(&mut store, (a, b))?);
        ensure!(found == expected, "expected {expected}, found {found}");
    }
    Ok(Box::new(move |iterations| {
        let iterations = i32::try_from(iterations).expect("batches are not that large");
        timed(|| {
            let mut sum = 0;
            for i in 0..iterations {
                sum = func.call(&mut store, (sum, i)).expect("it ran before");
            }
            black_box(sum);
        })
    }))
}

/// The first call of a function that makes the first call of an imported one.
/// Modules and instances are made before. The import is bound, and both
/// functions are translated, unless they are `known`: other instances of the
/// same modules have called them. Those are the functions that do nothing, as
/// the others meet pages of memory for the first time.
///
/// # Errors
/// If the modules cannot be linked, or give a wrong result.
pub fn first_call(callee: &[u8], caller: &[u8], known: bool) -> Result<Run> {
    let engine = new_engine();
    let (callee, caller) = (callee.to_owned(), caller.to_owned());
    let modules = [
        ("callee", Module::new(&engine, &callee)?),
        ("caller", Module::new(&engine, &caller)?),
    ];
    let (name, expected) = if known {
        ("loop_empty", 1)
    } else {
        ("loop_work", looped(1))
    };
    let run = move |iterations: u64| -> Result<std::time::Duration> {
        let mut store = Store::new(&engine, ());
        let mut funcs = Vec::new();
        for _ in 0..iterations {
            let instance = match known {
                true => link_modules(&engine, &mut store, &modules)?,
                false => link(&engine, &mut store, &[("callee", &callee), ("caller", &caller)])?,
            };
            funcs.push(instance.get_typed_func::<i32, i32>(&mut store, name)?);
        }
        let mut results = Vec::with_capacity(funcs.len());
        let mut failure = None;
        let time = timed(|| {
            for func in &funcs {
                match func.call(&mut store, 1) {
                    Ok(result) => results.push(result),
                    Err(error) => failure = Some(error),
                }
            }
        });
        if let Some(error) = failure {
            return Err(error.into());
        }
        ensure!(results.iter().all(|result| *result == expected), "a result is wrong");
        Ok(time)
    };
    run(1)?;
    Ok(Box::new(move |iterations| run(iterations).expect("it ran before")))
}
