//! The dynamic linker of orcavm: programs made of position-independent modules
//! that share one memory and one table, as the tool-conventions' *DynamicLinking*
//! describes them.
//!
//! [`Dylink`] is what a module says about itself to a dynamic linker, [`Interface`]
//! what it gives to others and needs of them.

#![forbid(unsafe_code)]

mod dylink;
mod interface;

pub use dylink::{Dylink, DylinkError, DylinkErrorKind, Symbol};
pub use interface::{Data, Function, Interface, InterfaceError, Need, SymbolName};
