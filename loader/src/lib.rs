//! The dynamic linker of orcavm: programs made of position-independent modules
//! that share one memory and one table, as the tool-conventions' *DynamicLinking*
//! describes them.
//!
//! [`gather`] finds the libraries that a program needs. [`Dylink`] is what a module
//! says about itself to a dynamic linker, [`Interface`] what it gives to others and
//! needs of them; a [`Plan`] says where modules go and who provides what; an
//! [`Image`] is what becomes of it in a store.

#![forbid(unsafe_code)]

mod dylink;
mod error;
mod gather;
mod image;
mod interface;
mod plan;

pub use dylink::{Dylink, DylinkError, DylinkErrorKind, Symbol};
pub use error::LoadError;
pub use gather::{FoundModule, GatherError, Request, gather};
pub use image::{DEFAULT_STACK, Image, Library, Unbound};
pub use interface::{Data, Function, Import, Interface, InterfaceError, Need, SymbolName};
pub use plan::{Binding, HostFunctions, LOWEST_ADDRESS, Missing, Part, Placed, Plan, PlanError, Provider, Room};
