//! What can go wrong when modules are linked.

use vm::ExternType;

use crate::{DylinkError, InterfaceError, Missing, PlanError};

/// Why modules could not be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
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
        ty: ExternType,
    },
    /// Something could not be made, or a constructor failed.
    #[error(transparent)]
    Run(#[from] vm::Error),
}

/// All of them, in one sentence.
fn list(symbols: &[Missing]) -> String {
    let symbols: Vec<String> = symbols.iter().map(Missing::to_string).collect();
    symbols.join("; ")
}
