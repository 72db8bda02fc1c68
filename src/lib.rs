//! orcavm: a WebAssembly virtual machine for programs made of many modules.
//!
//! This crate gathers the parts a Rust program embeds: [`vm`], the machine
//! itself, [`wasi`], the system interface most programs for it want, and
//! [`sandbox`], by which guests share pages and run other modules, and [`loader`],
//! the beginnings of a dynamic linker. The `orcavm` command is built from the same
//! parts.
//!
//! ```
//! use orcavm::vm::{Engine, Error, Linker, Module, Store};
//!
//! fn main() -> Result<(), Error> {
//!     let engine = Engine::default();
//!     let module = Module::new(&engine, r#"
//!         (module
//!             (import "host" "double" (func $double (param i32) (result i32)))
//!             (func (export "quadruple") (param i32) (result i32)
//!                 (call $double (call $double (local.get 0)))))
//!     "#)?;
//!
//!     // Host functions see the store's data: here, how often they are called.
//!     let mut linker = Linker::new(&engine);
//!     linker.func_wrap("host", "double", |mut caller: orcavm::vm::Caller<'_, u32>, n: i32| {
//!         *caller.data_mut() += 1;
//!         n * 2
//!     })?;
//!
//!     let mut store = Store::new(&engine, 0_u32);
//!     let instance = linker.instantiate(&mut store, &module)?;
//!     let quadruple = instance.get_typed_func::<i32, i32>(&mut store, "quadruple")?;
//!     assert_eq!(quadruple.call(&mut store, 5)?, 20);
//!     assert_eq!(*store.data(), 2);
//!     Ok(())
//! }
//! ```
//!
//! A program compiled for WASI gets its arguments, environment, streams and
//! directories from a context in the store's data, and exits through an error:
//!
//! ```
//! use orcavm::vm::{Engine, Linker, Module, Store};
//! use orcavm::wasi::{self, I32Exit, WasiCtx, WasiCtxBuilder};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let engine = Engine::default();
//!     let module = Module::new(&engine, r#"
//!         (module
//!             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//!             (memory (export "memory") 1)
//!             (func (export "_start") (call $exit (i32.const 3))))
//!     "#)?;
//!     let mut linker: Linker<WasiCtx> = Linker::new(&engine);
//!     wasi::add_to_linker(&mut linker, |context| context)?;
//!     let context = WasiCtxBuilder::new().args(["program"]).inherit_stdio().build()?;
//!     let mut store = Store::new(&engine, context);
//!     let instance = linker.instantiate(&mut store, &module)?;
//!     let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
//!     let error = start.call(&mut store, ()).expect_err("it exits");
//!     assert_eq!(error.downcast_ref::<I32Exit>().map(|exit| exit.0), Some(3));
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

pub use orcavm_loader as loader;
pub use orcavm_sandbox as sandbox;
pub use orcavm_wasi as wasi;
pub use vm;
