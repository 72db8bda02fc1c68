//! As much of `wasi_snapshot_preview1` as the programs need to print: the same
//! few functions for both engines, so that only the engines differ.

use super::super::engine::{Caller, Error, Linker, Memory};
use super::super::exit;
use crate::programs::Program;

const MODULE: &str = "wasi_snapshot_preview1";

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const FAULT: i32 = 21;
const SPIPE: i32 = 70;

/// The world of a program.
#[derive(Debug)]
pub struct Host {
    /// Arguments with the program's name first, each with a NUL.
    args: Vec<Vec<u8>>,
    /// What it printed.
    pub output: Vec<u8>,
}

impl Host {
    pub fn new(program: &Program) -> Self {
        let args = std::iter::once(&program.name).chain(&program.args);
        Self {
            args: args.map(|arg| [arg.as_bytes(), &[0]].concat()).collect(),
            output: Vec::new(),
        }
    }
}

fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Option<()> {
    let at = at as usize;
    memory.get_mut(at..at.checked_add(bytes.len())?)?.copy_from_slice(bytes);
    Some(())
}

fn get_u32(memory: &[u8], at: u32) -> Option<u32> {
    let bytes = memory.get(at as usize..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

fn args_sizes_get(memory: &mut [u8], host: &Host, count: u32, size: u32) -> Option<i32> {
    let bytes = host.args.iter().map(Vec::len).sum::<usize>();
    put(memory, count, &u32::try_from(host.args.len()).ok()?.to_le_bytes())?;
    put(memory, size, &u32::try_from(bytes).ok()?.to_le_bytes())?;
    Some(SUCCESS)
}

fn args_get(memory: &mut [u8], host: &Host, mut list: u32, mut text: u32) -> Option<i32> {
    for arg in &host.args {
        put(memory, list, &text.to_le_bytes())?;
        put(memory, text, arg)?;
        list = list.checked_add(4)?;
        text = text.checked_add(u32::try_from(arg.len()).ok()?)?;
    }
    Some(SUCCESS)
}

fn fd_write(memory: &mut [u8], host: &mut Host, fd: u32, list: u32, count: u32, written: u32) -> Option<i32> {
    if !matches!(fd, 1 | 2) {
        return Some(BADF);
    }
    let mut total = 0_u32;
    for i in 0..count {
        let at = list.checked_add(i.checked_mul(8)?)?;
        let (start, length) = (get_u32(memory, at)?, get_u32(memory, at.checked_add(4)?)?);
        let bytes = memory.get(start as usize..)?.get(..length as usize)?;
        host.output.extend_from_slice(bytes);
        total = total.checked_add(length)?;
    }
    put(memory, written, &total.to_le_bytes())?;
    Some(SUCCESS)
}

fn fd_fdstat_get(memory: &mut [u8], fd: u32, stat: u32) -> Option<i32> {
    if fd > 2 {
        return Some(BADF);
    }
    // A character device without flags, and with no rights to seek.
    let mut bytes = [0; 24];
    bytes[0] = 2;
    put(memory, stat, &bytes)?;
    Some(SUCCESS)
}

/// What `call` gives, with the memory and the host; an address outside the
/// memory is the error that preview 1 has for it.
fn with_memory(mut caller: Caller<'_, Host>, call: impl FnOnce(&mut [u8], &mut Host) -> Option<i32>) -> i32 {
    let memory: Option<Memory> = caller.get_export("memory").and_then(|export| export.into_memory());
    let Some(memory) = memory else { return FAULT };
    let (memory, host) = memory.data_and_store_mut(&mut caller);
    call(memory, host).unwrap_or(FAULT)
}

/// Defines the functions.
pub fn add_to_linker(linker: &mut Linker<Host>) -> anyhow::Result<()> {
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |caller: Caller<'_, Host>, count: u32, size: u32| {
            with_memory(caller, |memory, host| args_sizes_get(memory, host, count, size))
        },
    )?;
    linker.func_wrap(MODULE, "args_get", |caller: Caller<'_, Host>, list: u32, text: u32| {
        with_memory(caller, |memory, host| args_get(memory, host, list, text))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |caller: Caller<'_, Host>, fd: u32, list: u32, count: u32, written: u32| {
            with_memory(caller, |memory, host| fd_write(memory, host, fd, list, count, written))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |caller: Caller<'_, Host>, fd: u32, stat: u32| with_memory(caller, |memory, _| fd_fdstat_get(memory, fd, stat)),
    )?;
    linker.func_wrap(MODULE, "fd_seek", |_: u32, _: i64, _: u32, _: u32| SPIPE)?;
    linker.func_wrap(MODULE, "fd_close", |fd: u32| if fd > 2 { BADF } else { SUCCESS })?;
    linker.func_wrap(MODULE, "proc_exit", |code: i32| -> Result<(), Error> {
        Err(exit(code))
    })?;
    Ok(())
}
