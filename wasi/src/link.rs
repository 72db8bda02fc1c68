//! The thin layer between the WASI functions and the virtual machine:
//! [`add_to_linker`].
//!
//! What is generic here is compiled again for each type of store data, so little
//! is: [`enter`] once, and a shell for each list of parameters ([`Shell`]). The
//! functions behind them are plain ones.

use std::cell::Cell;

use vm::{Caller, Capability, Domain, DomainId, Error, Linker, Memory, Requirement, Trap, Val, WasmTy};

use crate::abi::{Abi, Call};
use crate::ctx::WasiCtx;
use crate::errno::{Errno, Failure};
use crate::functions::{shared_functions, wasm_type};
use crate::memory::{GuestAddr, GuestMemory};
use crate::types::Fd;
use crate::{preview0, preview1};

/// A WASI function that needs the guest's memory was called by a module that
/// neither exports nor imports one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the module calls WASI but neither imports a memory nor exports its own as \"memory\"")]
pub struct MissingMemory;

/// The memory of the instance that called a WASI function.
struct CallerMemory<'a, 'b, T: 'static> {
    caller: &'a mut Caller<'b, T>,
    memory: Option<Memory>,
    /// The memory was needed and not there.
    missed: Cell<bool>,
}

impl<T: 'static> CallerMemory<'_, '_, T> {
    /// The memory.
    fn memory(&self) -> Result<Memory, Errno> {
        self.memory.ok_or_else(|| {
            self.missed.set(true);
            Errno::Fault
        })
    }
}

/// A guest address as a position in its memory.
fn offset(addr: u32) -> Result<usize, Errno> {
    usize::try_from(addr).map_err(|_| Errno::Fault)
}

impl<T: 'static> GuestMemory for CallerMemory<'_, '_, T> {
    fn read(&self, addr: u32, buf: &mut [u8]) -> Result<(), Errno> {
        self.memory()?
            .read(&*self.caller, offset(addr)?, buf)
            .map_err(|_| Errno::Fault)
    }

    fn write(&mut self, addr: u32, buf: &[u8]) -> Result<(), Errno> {
        self.memory()?
            .write(&mut *self.caller, offset(addr)?, buf)
            .map_err(|_| Errno::Fault)
    }
}

/// Finds the state of a guest in its store's data.
trait Find<T>: Fn(&mut T, Option<DomainId>) -> &mut WasiCtx + Send + Sync + Copy + 'static {}

impl<T, F: Fn(&mut T, Option<DomainId>) -> &mut WasiCtx + Send + Sync + Copy + 'static> Find<T> for F {}

/// Runs one WASI function for the guest that called it.
fn enter<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Find<T>,
    abi: &'static Abi,
    function: &mut dyn FnMut(&mut Call<'_>) -> Result<(), Failure>,
) -> Result<i32, Error> {
    // Position-independent modules have the program's memory, and export none.
    let exported = caller.get_export("memory").and_then(vm::Extern::into_memory);
    let memory = exported.or_else(|| caller.imported_memory());
    // The state and the memory both belong to the store, so the state is
    // taken out for the call. No WASI function calls the guest, so nothing
    // sees it missing.
    let domain = caller.domain().map(Domain::id);
    let mut ctx = std::mem::take(get(caller.data_mut(), domain));
    let held = ctx.hold();
    held.0.fds.apply(caller.lone_domain(), || caller.permissions());
    let mut memory = CallerMemory {
        caller,
        memory,
        missed: Cell::new(false),
    };
    let result = function(&mut Call {
        ctx: held.0,
        memory: &mut memory,
        abi,
    });
    let missed = memory.missed.get();
    drop(held);
    *get(caller.data_mut(), domain) = ctx;
    if missed {
        return Err(Error::host(MissingMemory));
    }
    match result {
        Ok(()) => Ok(i32::from(Errno::Success.number())),
        Err(Failure::Errno(errno)) => Ok(i32::from(errno.number())),
        Err(Failure::Exit(exit)) => Err(Error::host(exit)),
        Err(Failure::Interrupt) => Err(Trap::Interrupt.into()),
    }
}

/// A WASI function, its parameters as WebAssembly has them: what a closure for the
/// linker is made of. The function is a value, so that those with the same
/// parameters share a closure.
trait Shell {
    /// Defines the function in a linker.
    fn define<T: 'static>(
        self,
        linker: &mut Linker<T>,
        get: impl Find<T>,
        abi: &'static Abi,
        name: &str,
        need: Option<Capability>,
    ) -> Result<(), Error>;
}

macro_rules! shells {
    ($(($($arg:ident: $type:ident),*);)*) => {$(
        impl<$($type: WasmTy),*> Shell for fn(&mut Call<'_>, $($type),*) -> Result<(), Failure> {
            fn define<T: 'static>(
                self,
                linker: &mut Linker<T>,
                get: impl Find<T>,
                abi: &'static Abi,
                name: &str,
                need: Option<Capability>,
            ) -> Result<(), Error> {
                let shell = move |mut caller: Caller<'_, T>, $($arg: $type),*| -> Result<i32, Error> {
                    enter(&mut caller, get, abi, &mut |call| self(call, $($arg),*))
                };
                match need {
                    None => linker.func_wrap(abi.module, name, shell)?,
                    Some(need) => linker.func_wrap_requiring(abi.module, name, refusing(need), shell)?,
                };
                Ok(())
            }
        }
    )*};
}

shells! {
    ();
    (a: A);
    (a: A, b: B);
    (a: A, b: B, c: C);
    (a: A, b: B, c: C, d: D);
    (a: A, b: B, c: C, d: D, e: E);
    (a: A, b: B, c: C, d: D, e: E, g: G);
    (a: A, b: B, c: C, d: D, e: E, g: G, h: H);
    (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I);
    (a: A, b: B, c: C, d: D, e: E, g: G, h: H, i: I, j: J);
}

/// Defines WASI functions in a linker, each from its name and parameters.
macro_rules! define {
    ($linker:ident, $get:ident, $abi:expr; $($name:ident($($arg:ident: $type:ident),*) $(needs $need:ident)?;)*) => {
        $({
            // Not a closure, whose type would depend on the store's.
            #[allow(clippy::too_many_arguments, reason = "the interface's parameters")]
            fn $name(call: &mut Call<'_>, $($arg: wasm_type!($type)),*) -> Result<(), Failure> {
                call.$name($($type::from($arg)),*)
            }
            let function: fn(&mut Call<'_>, $(wasm_type!($type)),*) -> Result<(), Failure> = $name;
            function.define($linker, $get, $abi, stringify!($name), define!(@need $($need)?))?;
        })*
    };
    (@need) => { None };
    (@need $need:ident) => { Some(Capability::$need) };
}

/// The requirement of a function that answers `NOTCAPABLE` where it is refused.
fn refusing(capability: Capability) -> Requirement {
    let refusal = i32::from(Errno::NotCapable.number());
    Requirement::new(capability).or_return(Val::I32(refusal))
}

/// Defines both import modules of WASI in `linker`: all 46 functions of
/// `wasi_snapshot_preview1` and all 45 of `wasi_unstable`. `get` finds the
/// guest's state in the store's data.
///
/// Each function does what all instances on the call chain are allowed
/// ([`Caller::permissions`]), and gives `NOTCAPABLE` for the rest; arguments and
/// variables that may not be seen are not there. Where `proc_exit` is refused,
/// the call ends with [`vm::PermissionError`].
///
/// A guest that calls `proc_exit` ends its call with an error that carries
/// [`I32Exit`](crate::I32Exit); one whose interrupt flag is set while it
/// waits, with `Trap::Interrupt`.
///
/// # Errors
///
/// An import of one of the names is defined already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    add_to_linker_by_domain(linker, move |data, _| get(data))
}

/// Defines both import modules of WASI, as [`add_to_linker`] does, for a store
/// whose instances have states of their own: `get` finds the state for the
/// calling instance's domain. See [`WasiCtx::child`].
///
/// # Errors
///
/// An import of one of the names is defined already.
pub fn add_to_linker_by_domain<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T, Option<DomainId>) -> &mut WasiCtx + Send + Sync + Copy + 'static,
) -> Result<(), Error> {
    add_module(linker, get, &preview0::ABI)?;
    add_module(linker, get, &preview1::ABI)?;
    define! { linker, get, &preview1::ABI;
        sock_accept(fd: Fd, flags: u32, opened: GuestAddr) needs Network;
    }
    Ok(())
}

/// Defines the functions both previews have, in one preview's module.
fn add_module<T: 'static>(linker: &mut Linker<T>, get: impl Find<T>, abi: &'static Abi) -> Result<(), Error> {
    shared_functions!(define, linker, get, abi);
    // The one function without a result: it does not return, so where it is
    // refused that ends the guest too.
    linker.func_wrap_requiring(
        abi.module,
        "proc_exit",
        Requirement::new(Capability::Exit),
        move |mut caller: Caller<'_, T>, code: u32| -> Result<(), Error> {
            enter(&mut caller, get, abi, &mut |call| call.proc_exit(code)).map(drop)
        },
    )?;
    Ok(())
}
