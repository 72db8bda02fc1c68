//! Errors of linking: modules, and what they were given, do not fit together.

use std::fmt;

use super::Shown;
use crate::types::ExternType;

/// Why a module and what it was given do not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nothing was defined for an import.
    #[error("unknown import `{}` `{}`: the module needs a {} {ty}{}", Shown(.module), Shown(.name), .ty.kind(), DidYouMean(.similar))]
    UnknownImport {
        /// The import's module name.
        module: Box<str>,
        /// The import's field name.
        name: Box<str>,
        /// What the module needs.
        ty: Box<ExternType>,
        /// What is defined under a similar name, if anything.
        similar: Option<Box<str>>,
    },
    /// What was given for an import has another type.
    #[error(
        "import `{}` `{}` does not fit: the module needs a {} {expected}, but was given a {} {found}",
        Shown(.module), Shown(.name), .expected.kind(), .found.kind()
    )]
    IncompatibleImport {
        /// The import's module name.
        module: Box<str>,
        /// The import's field name.
        name: Box<str>,
        /// What the module needs.
        expected: Box<ExternType>,
        /// What it was given.
        found: Box<ExternType>,
    },
    /// A list of imports has the wrong length.
    #[error("the module has {expected} imports, but was given {found}")]
    WrongImportCount {
        /// Imports the module has.
        expected: usize,
        /// Imports it was given.
        found: usize,
    },
    /// An export does not exist, or is something else.
    #[error("no exported {kind} `{}`{}", Shown(.name), Available(.available))]
    MissingExport {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: Box<str>,
        /// The module's exports.
        available: Vec<Box<str>>,
    },
    /// An instance is not there any more.
    #[error("call into unloaded {}", Shown(.module))]
    Unloaded {
        /// What it was called when it was unloaded.
        module: Box<str>,
    },
    /// An instance cannot be unloaded while it is used.
    #[error("{} cannot be unloaded while a function of it is running", Shown(.module))]
    Running {
        /// What it was to be called.
        module: Box<str>,
    },
    /// A name is defined twice in a linker.
    #[error("`{}` `{}` is defined twice; allow shadowing to replace the first", Shown(.module), Shown(.name))]
    DuplicateDefinition {
        /// The definition's module name.
        module: Box<str>,
        /// The definition's field name.
        name: Box<str>,
    },
}

/// Prints what may have been meant.
struct DidYouMean<'a>(&'a Option<Box<str>>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |similar| write!(f, "; there is {}", Shown(similar)))
    }
}

/// Prints a list of exports, not too long a one.
struct Available<'a>(&'a [Box<str>]);

impl fmt::Display for Available<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        if self.0.is_empty() {
            return f.write_str("; the module exports nothing");
        }
        f.write_str("; the module exports ")?;
        for (i, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}`{}`", if i == 0 { "" } else { ", " }, Shown(name))?;
        }
        let more = self.0.len().saturating_sub(SHOWN);
        if more > 0 {
            write!(f, " and {more} more")
        } else {
            Ok(())
        }
    }
}
