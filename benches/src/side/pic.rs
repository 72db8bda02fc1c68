//! Kernels that were built twice: as modules of their own, and as shared
//! libraries of position-independent code.

use std::hint::black_box;

use anyhow::{Context as _, Result, bail, ensure};

use super::super::engine::{Extern, Global, Instance, Memory, MemoryType, Module, Store, Table};
use super::super::{global_i32, new_engine, new_global, new_table, set_element};
use crate::measure::{Run, timed};

/// Pages of the memory that libraries get.
const PAGES: u32 = 32;
/// Bytes of a page.
const PAGE: i32 = 65536;
/// Where a library's data is put: the stack, which grows down, is below.
const MEMORY_BASE: i32 = PAGE;
/// Where a library's functions are put, and those its GOT has are behind.
const TABLE_BASE: i32 = 1;
/// Elements of the table.
const ELEMENTS: i32 = 64;

/// What a library imports, as the dynamic linker makes it.
struct Linked {
    instance: Instance,
    /// Symbols, and the globals of the GOT that get their addresses.
    got_mem: Vec<(String, Global)>,
    got_func: Vec<(String, Global)>,
    table: Table,
}

fn link(store: &mut Store<()>, module: &Module) -> Result<Linked> {
    let memory = Memory::new(&mut *store, MemoryType::new(PAGES, None))?;
    let table = new_table(store, u32::try_from(ELEMENTS)?)?;
    let mut imports = Vec::new();
    let (mut got_mem, mut got_func) = (Vec::new(), Vec::new());
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let external: Extern = match (from, name) {
            ("env", "memory") => memory.into(),
            ("env", "__indirect_function_table") => table.into(),
            ("env", "__memory_base") => new_global(store, MEMORY_BASE, false)?.into(),
            ("env", "__table_base") => new_global(store, TABLE_BASE, false)?.into(),
            ("env", "__stack_pointer") => new_global(store, MEMORY_BASE, true)?.into(),
            ("GOT.mem" | "GOT.func", _) => {
                let global = new_global(store, 0, true)?;
                let got = if from == "GOT.mem" { &mut got_mem } else { &mut got_func };
                got.push((name.to_owned(), global));
                global.into()
            }
            _ => bail!("there is no {from}.{name}"),
        };
        imports.push(external);
    }
    let instance = Instance::new(&mut *store, module, &imports)?;
    Ok(Linked {
        instance,
        got_mem,
        got_func,
        table,
    })
}

/// Fills the GOT, and runs what a library must run before it is used.
fn relocate(store: &mut Store<()>, linked: &Linked) -> Result<()> {
    let Linked { instance, table, .. } = linked;
    for (symbol, global) in &linked.got_mem {
        let export = instance
            .get_global(&mut *store, symbol)
            .with_context(|| format!("no symbol {symbol}"))?;
        let address = global_i32(store, export)?.wrapping_add(MEMORY_BASE);
        global.set(&mut *store, address.into())?;
    }
    for ((symbol, global), element) in linked.got_func.iter().zip((0..ELEMENTS).rev()) {
        let func = instance
            .get_func(&mut *store, symbol)
            .with_context(|| format!("no function {symbol}"))?;
        set_element(store, *table, element.cast_unsigned(), func)?;
        global.set(&mut *store, element.into())?;
    }
    for name in ["__wasm_apply_data_relocs", "__wasm_call_ctors"] {
        if instance.get_func(&mut *store, name).is_some() {
            instance
                .get_typed_func::<(), ()>(&mut *store, name)?
                .call(&mut *store, ())?;
        }
    }
    Ok(())
}

/// Runs a kernel whose result for `size` must be `expected`.
///
/// # Errors
/// If it does not run, or gives something else.
pub fn run_kernel(wasm: &[u8], size: i32, expected: i32) -> Result<Run> {
    let engine = new_engine();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let linked = link(&mut store, &module)?;
    relocate(&mut store, &linked)?;
    let func = linked.instance.get_typed_func::<i32, i32>(&mut store, "run")?;
    let found = func.call(&mut store, size)?;
    ensure!(found == expected, "expected {expected}, found {found}");
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                let found = func.call(&mut store, black_box(size)).expect("it ran before");
                assert_eq!(found, expected, "the result has changed");
            }
        })
    }))
}
