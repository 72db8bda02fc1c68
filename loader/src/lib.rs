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

mod bind;
mod close;
mod directories;
mod dylink;
mod error;
mod find;
mod functions;
mod gather;
mod guest;
mod image;
mod interface;
mod load;
mod make;
mod object;
mod open;
mod plan;
mod reach;
mod room;
mod sandboxed;
mod session;
mod space;
mod symbols;

pub use directories::{Directories, FileError};
pub use dylink::{Dylink, DylinkError, DylinkErrorKind, Symbol};
pub use error::LoadError;
pub use find::{FindError, Finder, Found, Identity, NameError, Request};
pub use functions::session_function;
pub use gather::{GatherError, Gathered, Needed, Search};
pub use image::{Image, Library};
pub use interface::{Data, Element, Function, Import, Interface, InterfaceError, Need, SymbolName, Tls};
pub use open::{OpenFlags, Opened};
pub use plan::{
    Binding, HostFunctions, LOWEST_ADDRESS, Missing, NewSlot, Part, Place, Placed, Plan, PlanError, Provider, Room,
};
pub use reach::{Reach, Refused};
pub use sandboxed::{SANDBOXED_HANDLES, Sandbox, Sandboxed};
pub use session::{DEFAULT_STACK, Session, SessionBuilder};
pub use symbols::Unbound;

use find::NoFinder;

/// Functions of `env` that the host provides before libraries do: what opens
/// libraries while a program runs. Only the program itself comes before.
pub(crate) const RESERVED: [&str; 7] = [
    "dl_iterate_phdr",
    "dladdr",
    "dlclose",
    "dlerror",
    "dlmopen",
    "dlopen",
    "dlsym",
];
