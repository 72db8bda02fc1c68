//! A fast WebAssembly interpreter, made to be embedded.
//!
//! A [`Module`] is parsed and validated bytes. An [`Instance`] of it lives in a
//! [`Store`], together with memories, tables, globals, host functions and data
//! of the embedder's. A [`Linker`] finds imports by name. Names follow
//! wasmtime's where the meaning is the same.
//!
//! ```
//! use vm::{Caller, Engine, Linker, Module, Store};
//!
//! # fn main() -> Result<(), vm::Error> {
//! let engine = Engine::default();
//! let module = Module::new(
//!     &engine,
//!     r#"(module
//!         (import "host" "double" (func $double (param i32) (result i32)))
//!         (func (export "run") (param i32) (result i32)
//!             (i32.add (call $double (local.get 0)) (i32.const 1))))"#,
//! )?;
//!
//! let mut linker = Linker::new(&engine);
//! linker.func_wrap("host", "double", |mut caller: Caller<'_, u32>, x: i32| {
//!     *caller.data_mut() += 1;
//!     x * 2
//! })?;
//!
//! let mut store = Store::new(&engine, 0);
//! let instance = linker.instantiate(&mut store, &module)?;
//! let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
//! assert_eq!(run.call(&mut store, 20)?, 41);
//! assert_eq!(*store.data(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! What a guest can do wrong is a [`Trap`]; nothing it does crashes or hangs
//! the host, given [limits](ResourceLimiter), [fuel](Store::set_fuel) or an
//! [interruption](Store::interrupt_handle).

#![deny(unsafe_code)]

#[cfg(feature = "addr2line")]
pub(crate) mod dwarf;
pub(crate) mod error;
#[allow(unsafe_code)]
pub(crate) mod exec;
pub(crate) mod ir;
pub(crate) mod module;
pub(crate) mod proposal;
pub(crate) mod runtime;
#[allow(unsafe_code)]
pub(crate) mod sys;
pub(crate) mod trap;
pub(crate) mod types;

pub use error::{
    Error, ExceptionError, HostError, LimitError, LinkError, LoadError, LoadErrorKind, MemoryAccessError,
    PermissionError, QuotaError, RegionError, ResourceError, SnapshotError, ThrownException, TrapError, TypeError,
};
pub use exec::heap::GcHeapStats;
pub use proposal::{Proposal, UnknownProposal};
pub use runtime::any_ref::{AnyRef, EqRef, ExnRef, I31};
pub use runtime::array_ref::{ArrayRef, ArrayRefPre};
pub use runtime::context::{AsContext, AsContextMut, Caller, StoreContext, StoreContextMut};
pub use runtime::domain::{Charge, Domain, DomainId};
pub use runtime::engine::{Config, Engine};
pub use runtime::extern_ref::ExternRef;
pub use runtime::externs::{Export, Extern, Global, Memory, Table};
pub use runtime::fuel::FuelPool;
pub use runtime::func::{Func, Requirement, TypedFunc};
pub use runtime::instance::Instance;
pub use runtime::interrupt::{InterruptGroup, InterruptHandle};
pub use runtime::limits::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
pub use runtime::linker::Linker;
pub use runtime::linking::Link;
pub use runtime::module::{ActiveElement, ExportType, ImportType, Module};
pub use runtime::permissions::{Capabilities, Capability, DirectoryScope, Permissions, Quotas, UnknownCapability};
pub use runtime::permissions_text::PermissionsTextError;
pub use runtime::profile::{Profile, ProfiledFrame, ProfiledFunction, ProfiledOp, ProfiledStack, Profiler};
pub use runtime::region::{Access, Mapping, Region, RegionView};
pub use runtime::roots::{GcRef, OwnedRooted, RootScope, Rooted, RootedGcRef};
pub use runtime::shared_memory::{SharedMemory, WaitResult};
pub use runtime::snapshot::Snapshot;
pub use runtime::store::Store;
pub use runtime::struct_ref::{StructRef, StructRefPre};
pub use runtime::tag::Tag;
pub use runtime::typed::{IntoFunc, WasmParams, WasmResults, WasmRet, WasmTy};
pub use runtime::val::{Ref, V128, Val};
pub use trap::{FrameInfo, FrameSymbol, Trap, WasmBacktrace};
pub use types::memory::MemoryTypeBuilder;
pub use types::{
    ArrayType, ExternType, FieldType, Finality, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType,
    StorageType, StructType, TableType, TagType, ValType,
};
