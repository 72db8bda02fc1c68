//! The dynamic linker of orcavm: programs made of position-independent modules
//! that share one memory and one table, as the tool-conventions' *DynamicLinking*
//! describes them.
//!
//! A [`Search`] gathers the libraries that a program needs, which a [`Finder`] finds.
//! [`Dylink`] is what a module
//! says about itself to a dynamic linker, [`Interface`] what it gives to others and
//! needs of them; a [`Plan`] says where modules go and who provides what; an
//! [`Image`] is what becomes of it in a store.

#![forbid(unsafe_code)]

mod directories;
mod dylink;
mod error;
mod find;
mod gather;
mod image;
mod interface;
mod plan;
mod reach;

pub use directories::{Directories, FileError};
pub use dylink::{Dylink, DylinkError, DylinkErrorKind, Symbol};
pub use error::LoadError;
pub use find::{FindError, Finder, Found, Identity, NameError, Request};
pub use gather::{GatherError, Gathered, Needed, Search};
pub use image::{DEFAULT_STACK, Image, Library, Unbound};
pub use interface::{Data, Function, Import, Interface, InterfaceError, Need, SymbolName};
pub use plan::{Binding, HostFunctions, LOWEST_ADDRESS, Missing, Part, Placed, Plan, PlanError, Provider, Room};
pub use reach::{Reach, Refused};
