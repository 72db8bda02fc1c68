//! Runtime structure (Spec 3.0 §4.2) and the embedding API. Safe code only.

pub(crate) mod any_ref;
pub(crate) mod context;
pub(crate) mod domain;
pub(crate) mod engine;
pub(crate) mod exception;
pub(crate) mod extern_ref;
pub(crate) mod externs;
pub(crate) mod func;
pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod linker;
pub(crate) mod linking;
pub(crate) mod module;
pub(crate) mod permissions;
pub(crate) mod permissions_text;
pub(crate) mod profile;
pub(crate) mod region;
pub(crate) mod roots;
pub(crate) mod shared_memory;
pub(crate) mod snapshot;
pub(crate) mod store;
pub(crate) mod tag;
pub(crate) mod typed;
pub(crate) mod val;
