//! WASI for the orcavm virtual machine: all functions of preview 1
//! (`wasi_snapshot_preview1`) and of preview 0 (`wasi_unstable`) as host
//! functions.
//!
//! A guest sees exactly what its [`WasiCtx`] was built with: arguments,
//! environment variables, standard streams, and directories. Paths are
//! resolved below those directories only; `..`, absolute paths and symbolic
//! links do not lead out of them.
//!
//! ```no_run
//! use orcavm_wasi::{DirPerms, I32Exit, WasiCtx, WasiCtxBuilder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = vm::Engine::default();
//! let module = vm::Module::new(&engine, std::fs::read("program.wasm")?)?;
//! let mut linker = vm::Linker::<WasiCtx>::new(&engine);
//! orcavm_wasi::add_to_linker(&mut linker, |ctx| ctx)?;
//!
//! let ctx = WasiCtxBuilder::new()
//!     .args(["program", "--verbose"])
//!     .inherit_stdio()
//!     .preopened_dir("data", "/", DirPerms::ReadOnly)
//!     .build()?;
//! let mut store = vm::Store::new(&engine, ctx);
//! let instance = linker.instantiate(&mut store, &module)?;
//! let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
//! match start.call(&mut store, ()) {
//!     Ok(()) => {}
//!     Err(error) => match error.downcast_ref::<I32Exit>() {
//!         Some(I32Exit(code)) => println!("exit code {code}"),
//!         None => return Err(error.into()),
//!     },
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The functions themselves know nothing of the virtual machine: they are
//! methods of [`Call`], over a [`GuestMemory`], and `link.rs` connects them.
//!
//! What is deliberately absent: sockets that a guest opens itself (the
//! interface has no function for it), and changes of a standard stream's own
//! flags (other processes share them).

#![forbid(unsafe_code)]

mod abi;
mod builder;
mod clock;
mod ctx;
mod dir;
mod errno;
mod file;
mod flags;
mod functions;
mod host;
mod interrupt;
mod io;
mod link;
mod memory;
mod path;
pub mod pipe;
mod poll;
pub mod preview0;
pub mod preview1;
mod process;
mod socket;
mod table;
#[cfg(test)]
mod tests;
pub mod threads;
pub mod types;

pub use abi::{Abi, Call};
pub use builder::{BuildError, DirPerms, WasiCtxBuilder};
pub use ctx::WasiCtx;
pub use errno::{Errno, Failure, I32Exit};
pub use link::{MissingMemory, add_to_linker, add_to_linker_by_domain};
pub use memory::{GuestAddr, GuestMemory};
