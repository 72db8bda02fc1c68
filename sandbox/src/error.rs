//! What keeps values from crossing the border between two modules.

use std::fmt;
use std::sync::Arc;

use orcavm_wasi::Errno;
use vm::{Error, FuncType, ValType};

use crate::guest::Refusal;
use crate::module::TABLE;

/// Whose parameters and results they are, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) function: Arc<str>,
    pub(crate) module: Arc<str>,
}

impl Name {
    pub(crate) fn new(function: &str, module: &str) -> Self {
        Self {
            function: format!("`{function}`").into(),
            module: module.into(),
        }
    }

    /// A function that is passed to this one, or given by it.
    pub(crate) fn of_pointer(&self, slot: Slot) -> Self {
        Self {
            function: format!("the function in {slot} of {}", self.function).into(),
            module: Arc::clone(&self.module),
        }
    }

    /// What keeps a pointer to it from crossing.
    pub(crate) fn pointer_problem(&self, problem: Problem) -> CrossingError {
        let name = Self {
            function: format!("the pointer to {}", self.function).into(),
            module: Arc::clone(&self.module),
        };
        name.problem((Slot::Whole, problem))
    }

    /// What keeps one of its values from crossing.
    pub(crate) fn problem(&self, (slot, problem): (Slot, Problem)) -> CrossingError {
        let name = self.clone();
        CrossingError(Box::new(Crossing { name, slot, problem }))
    }
}

/// A parameter or a result, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Parameter(usize),
    Result(usize),
    /// The function itself.
    Whole,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(i) => write!(f, "parameter {}", i + 1),
            Self::Result(i) => write!(f, "result {}", i + 1),
            Self::Whole => f.write_str("the function"),
        }
    }
}

/// Why a value cannot cross.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "is of type {ty}, which modules with memories of their own cannot pass each other: pass numbers, \
         addresses in a region that both have mapped (`&`), or function pointers (`*`)"
    )]
    Unpassable { ty: ValType },
    #[error("is an {found}, and is declared as something that is an {declared}")]
    Declared { declared: ValType, found: ValType },
    #[error("has {found} {what}, and {declared} are declared")]
    Count {
        what: &'static str,
        declared: usize,
        found: usize,
    },
    #[error("is to be a function pointer, but place {place} of the table holds no function")]
    NoFunction { place: u32 },
    #[error("points to a {found}, and is declared as pointing to a {expected}")]
    WrongType { found: FuncType, expected: FuncType },
    #[error("points to a function of the host's or of another domain, and only a module's own can be passed")]
    Foreign,
    #[error("points to a function that is not any more where it was in its module's table")]
    Moved,
    #[error("is a function pointer, but `{module}` exports no table {TABLE:?}: link it with --export-table")]
    NoTable { module: Arc<str> },
    #[error(
        "is a function pointer, but the table of `{module}` cannot have one more function: link it with \
         --growable-table, or allow it more table elements"
    )]
    TableFull { module: Arc<str> },
    #[error("is one function pointer more than can be passed; take some back that are not used any more")]
    TooMany,
    #[error("is an address of {len} bytes at {address:#x}, which are in no region that both modules have mapped")]
    NotShared { address: u32, len: u32 },
}

/// A value that cannot cross.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Crossing {
    name: Name,
    slot: Slot,
    problem: Problem,
}

/// What a function takes or gives cannot be passed between two modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossingError(Box<Crossing>);

impl fmt::Display for CrossingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crossing { name, slot, problem } = &*self.0;
        if *slot != Slot::Whole {
            write!(f, "{slot} of ")?;
        }
        write!(f, "{} of `{}` {problem}", name.function, name.module)
    }
}

impl std::error::Error for CrossingError {}

impl CrossingError {
    /// The error number for it.
    fn errno(&self) -> Errno {
        match &self.0.problem {
            Problem::Unpassable { .. } => Errno::Notsup,
            Problem::Declared { .. } | Problem::Count { .. } => Errno::Nolink,
            Problem::NoFunction { .. } | Problem::WrongType { .. } | Problem::Moved | Problem::NoTable { .. } => {
                Errno::Inval
            }
            Problem::Foreign => Errno::Perm,
            Problem::TableFull { .. } => Errno::Nomem,
            Problem::TooMany => Errno::Nfile,
            Problem::NotShared { .. } => Errno::Fault,
        }
    }
}

impl From<CrossingError> for Refusal {
    fn from(error: CrossingError) -> Self {
        Self::new(error.errno(), error)
    }
}

impl From<CrossingError> for Error {
    fn from(error: CrossingError) -> Self {
        Self::host(error)
    }
}

/// Why a call into another module by a function pointer, or by what the host has of
/// it, has not returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A function of the parent's that its child calls was called, and no parent
    /// runs the child.
    #[error("a function of the parent was called while the parent does not run the child")]
    NobodyRunsIt,
    /// The call of a parent's function has failed; the error is for the parent.
    #[error("a function of the parent failed")]
    ParentFailed,
    /// The function was taken back, or its module is gone.
    #[error("a function pointer was called whose function was taken back, or whose module is gone")]
    Gone,
    /// The function is not where it was when it was passed.
    #[error("{function} of `{module}` was called, which is not any more where it was in its module's table")]
    Moved {
        /// The function.
        function: Arc<str>,
        /// The child, or its parent's part.
        module: Arc<str>,
    },
    /// What the function takes or gives cannot cross.
    #[error(transparent)]
    Crossing(#[from] CrossingError),
    /// The child is being run by its owner's caller, which does not let others in.
    #[error("{function} of `{module}` was called while the module is in use")]
    Busy {
        /// The function.
        function: Arc<str>,
        /// The child.
        module: Arc<str>,
    },
    /// The child exited.
    #[error("{function} of `{module}` ended its module with code {code}")]
    Exited {
        /// The function.
        function: Arc<str>,
        /// The child.
        module: Arc<str>,
        /// The code.
        code: i32,
    },
    /// The child failed.
    #[error("{function} of `{module}` failed: {error}")]
    Failed {
        /// The function.
        function: Arc<str>,
        /// The child.
        module: Arc<str>,
        /// What ended it.
        error: Error,
    },
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        Self::host(error)
    }
}
