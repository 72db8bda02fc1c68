//! What guests of orcavm import to share pages and to run other modules:
//! `orca_region`, `orca_module` and `orca_access`.
//!
//! A guest makes *regions*, maps them into its memory and shares them with
//! others. It loads modules, runs them as *children* with as many of its own
//! permissions as it likes, calls their functions, and offers them functions of
//! its own. A child has a store of its own: nothing in it leads to its parent but
//! what it was given, and when it is dropped nothing of it is left.
//!
//! What goes between the two: numbers, function pointers and addresses in regions, as
//! a [`Signature`] says. [`Opened`] makes a child for the embedder.
//!
//! `guest/include/orca.h` declares the functions for guests in C; `docs/permissions.md`
//! explains what protects whom from what, `docs/sandbox.md` what goes across.
//!
//! ```
//! use orcavm_sandbox::{SandboxCtx, add_to_linker};
//! use orcavm_wasi::WasiCtxBuilder;
//! use vm::{Domain, Engine, Linker, Module, Permissions, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::default();
//! let mut linker = Linker::<SandboxCtx>::new(&engine);
//! add_to_linker(&mut linker, |ctx, _| ctx)?;
//!
//! // Makes a region of one page, maps it anywhere, and writes to it.
//! let module = Module::new(&engine, r#"(module
//!     (import "orca_region" "create" (func $create (param i64) (result i32)))
//!     (import "orca_region" "map" (func $map (param i32 i64 i64 i64 i32) (result i64)))
//!     (memory (export "memory") 1)
//!     (func (export "run") (result i32) (local $at i32)
//!         (local.set $at (i32.wrap_i64 (call $map
//!             (call $create (i64.const 65536)) (i64.const 0) (i64.const 65536) (i64.const -1) (i32.const 1))))
//!         (i32.store (local.get $at) (i32.const 42))
//!         (i32.load (local.get $at))))"#)?;
//!
//! let domain = Domain::new("app", Permissions::all());
//! let ctx = SandboxCtx::new(&engine, domain.clone(), WasiCtxBuilder::new().build()?)?;
//! let mut store = Store::new(&engine, ctx);
//! let instance = linker.instantiate_in(&mut store, &module, &domain)?;
//! assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 42);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod access;
mod child;
mod crossing;
mod ctx;
mod error;
mod guest;
mod handles;
mod host;
mod link;
mod module;
mod opened;
mod pass;
mod pointers;
mod region;
mod signature;
mod trampoline;

pub use ctx::{SandboxCtx, SharedRegion};
pub use error::{CallError, CrossingError};
pub use link::add_to_linker;
pub use opened::{OpenError, Opened};
pub use pointers::Home;
pub use signature::{Signature, SignatureError};
