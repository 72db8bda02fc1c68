//! Why modules could not be linked.

use vm::{ExternType, TagType};

use crate::find::shown;
use crate::{DylinkError, FindError, GatherError, InterfaceError, Missing, PlanError};

/// Why modules could not be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A library that was asked for by name was not found.
    #[error("{}: {source}", shown(.name))]
    Find {
        /// Its name.
        name: Box<str>,
        /// Why not.
        source: FindError,
    },
    /// A library that others need was not found.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// A module that is not position-independent.
    #[error("{module} is not position-independent: it has no section `dylink.0`")]
    NotDynamic {
        /// The module.
        module: Box<str>,
    },
    /// A module says something to linkers that cannot be.
    #[error("{module}: {source}")]
    Dylink {
        /// The module.
        module: Box<str>,
        /// What.
        source: DylinkError,
    },
    /// A module has an import or export that it cannot have.
    #[error("{module}: {source}")]
    Interface {
        /// The module.
        module: Box<str>,
        /// Which.
        source: InterfaceError,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Symbols that no module provides, nor the host.
    #[error("nobody provides {}", list(.symbols))]
    Missing {
        /// They, and who needs them.
        symbols: Vec<Missing>,
    },
    /// An import of another module than `env` that nobody provides.
    #[error("{importer}: nobody provides `{module}` `{name}`, {ty}")]
    UnknownImport {
        /// The module that imports it.
        importer: Box<str>,
        /// The import's module.
        module: Box<str>,
        /// The import's name.
        name: Box<str>,
        /// What it is to be.
        ty: Box<ExternType>,
    },
    /// A tag of a module that cannot be made before the one that imports it.
    #[error("{importer} and the module that has the tag `{}`, {ty}, need each other's tags", shown(.tag))]
    TagLater {
        /// The module that imports it.
        importer: Box<str>,
        /// The tag.
        tag: Box<str>,
        /// Its type.
        ty: TagType,
    },
    /// A namespace has as many tags of no module's as it may.
    #[error("no more tags can be made: there are {limit} that no module exports")]
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// The program brings no table, and a library needs one.
    #[error("the program exports no table `__indirect_function_table`, which its libraries need")]
    NoTable,
    /// A session has a program already.
    #[error("the session has a program already")]
    SecondProgram,
    /// Something was asked for that needs a program.
    #[error("no program is loaded")]
    NoProgram,
    /// A library was asked for that is not open.
    #[error("not the handle of an open library")]
    Handle,
    /// Flags that there are not, or neither lazy nor now.
    #[error("{flags:#x} is no way to open a library: it is RTLD_LAZY or RTLD_NOW, and other RTLD_ flags with it")]
    Flags {
        /// The flags.
        flags: u32,
    },
    /// A namespace that there is not.
    #[error("there is no namespace {number}")]
    Namespace {
        /// Its number.
        number: i32,
    },
    /// A new namespace was asked for without a library to be in it.
    #[error("a new namespace begins with a library, and none is named")]
    EmptyNamespace,
    /// A string that cannot be read.
    #[error("the name is not in memory, not UTF-8, or longer than 4,095 bytes")]
    Text,
    /// Only a library that is loaded already was to be opened.
    #[error("{} is not loaded", shown(.name))]
    NotLoaded {
        /// Its name.
        name: Box<str>,
    },
    /// A library was to be opened in a sandbox, and there is none.
    #[error("the host has no sandbox to open libraries in")]
    NoSandbox,
    /// A library in a sandbox could not be opened or used.
    #[error("{library}: {source}")]
    Sandboxed {
        /// The library.
        library: Box<str>,
        /// Why not.
        source: Box<vm::Error>,
    },
    /// An open library has no such symbol.
    #[error("{library} has no symbol `{}`", shown(.symbol))]
    Symbol {
        /// The library, or whatever was searched.
        library: Box<str>,
        /// The symbol.
        symbol: Box<str>,
    },
    /// An instance of a module could not be made.
    #[error("{module}: {source}")]
    Instantiate {
        /// The module.
        module: Box<str>,
        /// Why not.
        source: Box<vm::Error>,
    },
    /// A constructor did not return.
    #[error("a constructor of {module} failed: {source}")]
    Constructor {
        /// The module.
        module: Box<str>,
        /// How.
        source: Box<vm::Error>,
    },
    /// A session has loaded as much as it can number.
    #[error("no more libraries can be opened: all handles have been given")]
    NoMoreHandles,
    /// A session was used with another store than its program is in.
    #[error("the session's program is in another store")]
    OtherStore,
    /// The session that made an instance is gone.
    #[error("the session that loaded this module is gone")]
    SessionGone,
    /// There is no room for what a module needs.
    #[error("{module}: {source}")]
    Room {
        /// The module.
        module: Box<str>,
        /// What there is no room for.
        source: Box<vm::Error>,
    },
    /// Something could not be made.
    #[error(transparent)]
    Run(#[from] vm::Error),
}

/// All of them, in one sentence.
fn list(symbols: &[Missing]) -> String {
    let symbols: Vec<String> = symbols.iter().map(Missing::to_string).collect();
    symbols.join("; ")
}
