//! What can go wrong, in families that are never mixed: the bytes are bad
//! ([`LoadError`]), modules do not fit together ([`LinkError`]), the guest
//! faulted ([`TrapError`]), a host function failed ([`HostError`]), a limit was
//! met ([`LimitError`]), or the embedder passed the wrong types
//! ([`TypeError`]).

use std::error::Error as StdError;
use std::fmt;

use crate::trap::{FrameInfo, Trap, WasmBacktrace};
use crate::types::{ExternType, FuncType, ValType};

/// Any error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a module that can be run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The module and what it was given do not fit together.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The guest trapped.
    #[error(transparent)]
    Trap(Box<TrapError>),
    /// A host function failed.
    #[error(transparent)]
    Host(Box<HostError>),
    /// A limit was met, or the system has no more to give.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Values or items of the wrong type were passed.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// An access from the host beyond the end of a memory.
    #[error(transparent)]
    Memory(#[from] MemoryAccessError),
}

impl Error {
    /// The error of a host function that failed with `source`.
    ///
    /// It keeps its type on its way through guest frames: see
    /// [`Error::downcast_ref`].
    pub fn host(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::Host(Box::new(HostError {
            source: Box::new(source),
            backtrace: WasmBacktrace::default(),
        }))
    }

    /// The trap, if the guest trapped.
    pub fn trap(&self) -> Option<Trap> {
        match self {
            Self::Trap(error) => Some(error.trap),
            Self::Host(error) => error.source.downcast_ref::<Self>().and_then(Self::trap),
            _ => None,
        }
    }

    /// Where the guest stood, if it did.
    pub fn backtrace(&self) -> Option<&WasmBacktrace> {
        match self {
            Self::Trap(error) => Some(&error.backtrace),
            Self::Host(error) => Some(&error.backtrace),
            _ => None,
        }
    }

    /// The error a host function failed with, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match self {
            Self::Host(error) => match error.source.downcast_ref::<Self>() {
                Some(inner) => inner.downcast_ref(),
                None => error.source.downcast_ref(),
            },
            _ => None,
        }
    }
}

impl From<Trap> for Error {
    /// A host function that fails with a trap is a trap of its caller.
    fn from(trap: Trap) -> Self {
        Self::Trap(Box::new(TrapError::new(trap, Vec::new())))
    }
}

/// A trap and where the guest stood.
#[derive(Debug, thiserror::Error)]
#[error("{trap}")]
pub struct TrapError {
    trap: Trap,
    backtrace: WasmBacktrace,
}

impl TrapError {
    pub(crate) fn new(trap: Trap, frames: Vec<FrameInfo>) -> Self {
        Self {
            trap,
            backtrace: WasmBacktrace::new(frames),
        }
    }

    pub(crate) fn extend_backtrace(&mut self, frames: Vec<FrameInfo>) {
        self.backtrace.extend(frames);
    }

    /// The trap.
    pub fn trap(&self) -> Trap {
        self.trap
    }

    /// Where the guest stood.
    pub fn backtrace(&self) -> &WasmBacktrace {
        &self.backtrace
    }
}

/// The error of a host function, and where its caller stood.
#[derive(Debug)]
pub struct HostError {
    source: Box<dyn StdError + Send + Sync>,
    backtrace: WasmBacktrace,
}

impl HostError {
    pub(crate) fn with_frames(error: Error, frames: Vec<FrameInfo>) -> Self {
        Self {
            source: Box::new(error),
            backtrace: WasmBacktrace::new(frames),
        }
    }

    pub(crate) fn extend_backtrace(&mut self, frames: Vec<FrameInfo>) {
        self.backtrace.extend(frames);
    }

    /// The error itself.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.source
    }

    /// Where the caller stood.
    pub fn backtrace(&self) -> &WasmBacktrace {
        &self.backtrace
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl StdError for HostError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.source()
    }
}

/// Why bytes are not a module that can be run.
#[derive(Debug, thiserror::Error)]
#[error("{kind}{}", At(*.offset))]
pub struct LoadError {
    offset: Option<u64>,
    kind: LoadErrorKind,
}

/// Prints the place of an error after its sentence.
struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(f, " (at byte {offset:#x})"))
    }
}

/// What is wrong with the bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// They are no valid module; the sentence is the validator's.
    #[error("not a valid WebAssembly module: {0}")]
    Invalid(Box<str>),
    /// They are a component.
    #[error("this is a WebAssembly component, not a core module; extract its core module first")]
    Component,
    /// They are neither a module nor text of one.
    #[error("not a WebAssembly module: it does not begin with the magic bytes `\\0asm`")]
    NotWasm,
    /// The text is wrong.
    #[error("not a valid module in the text format: {0}")]
    Text(Box<str>),
    /// A proposal that this version does not run.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// A function needs more slots than a frame can have.
    #[error(
        "function {func} needs a frame of {slots} slots, more than the {} that are possible; split it",
        crate::ir::translate::MAX_FRAME_SLOTS
    )]
    FrameTooLarge {
        /// Index of the function.
        func: u32,
        /// Slots it needs.
        slots: usize,
    },
    /// The module is larger than offsets can say.
    #[error("a module of {0} bytes is too large; 4 GiB is the limit")]
    TooLarge(usize),
}

impl LoadError {
    pub(crate) fn new(kind: LoadErrorKind, offset: Option<u64>) -> Self {
        Self { offset, kind }
    }

    /// Bytes from the start of the module to where it is wrong.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// What is wrong.
    pub fn kind(&self) -> &LoadErrorKind {
        &self.kind
    }
}

impl From<wasmparser::BinaryReaderError> for LoadError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::new(LoadErrorKind::Invalid(error.message().into()), Some(error.offset()))
    }
}

/// Why a module and what it was given do not fit together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nothing was defined for an import.
    #[error("unknown import `{module}` `{name}`: the module needs a {} {ty}{}", .ty.kind(), DidYouMean(.similar))]
    UnknownImport {
        /// The import's module name.
        module: Box<str>,
        /// The import's field name.
        name: Box<str>,
        /// What the module needs.
        ty: ExternType,
        /// What is defined under a similar name, if anything.
        similar: Option<Box<str>>,
    },
    /// What was given for an import has another type.
    #[error("import `{module}` `{name}` does not fit: the module needs a {} {expected}, but was given a {} {found}", .expected.kind(), .found.kind())]
    IncompatibleImport {
        /// The import's module name.
        module: Box<str>,
        /// The import's field name.
        name: Box<str>,
        /// What the module needs.
        expected: ExternType,
        /// What it was given.
        found: ExternType,
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
    #[error("no exported {kind} `{name}`{}", Available(.available))]
    MissingExport {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: Box<str>,
        /// The module's exports.
        available: Vec<Box<str>>,
    },
    /// A name is defined twice in a linker.
    #[error("`{module}` `{name}` is defined twice; allow shadowing to replace the first")]
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
            .map_or(Ok(()), |similar| write!(f, "; there is {similar}"))
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
            write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
        }
        let more = self.0.len().saturating_sub(SHOWN);
        if more > 0 {
            write!(f, " and {more} more")
        } else {
            Ok(())
        }
    }
}

/// A limit that was met, or a resource the system refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A memory cannot be had.
    #[error("no memory of {pages} pages can be had: the system or a limit refuses it")]
    MemoryUnavailable {
        /// Its first size.
        pages: u64,
    },
    /// A table cannot be had.
    #[error("no table of {elements} elements can be had: the system or a limit refuses it")]
    TableUnavailable {
        /// Its first size.
        elements: u64,
    },
    /// A function is larger than its code can be.
    #[error("the code of function {func} is too large to be run")]
    FunctionTooLarge {
        /// Index of the function.
        func: u32,
    },
    /// A store has as many of something as it may.
    #[error("the store's limit of {limit} {what} is reached")]
    TooMany {
        /// What there would be too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A growth was refused, and the limiter asked for a trap.
    #[error("growth of a {what} from {current} to {desired} is beyond the store's limit")]
    GrowthRefused {
        /// `memory` or `table`.
        what: &'static str,
        /// Its size, in bytes or elements.
        current: usize,
        /// The size it was to have.
        desired: usize,
    },
    /// The value stack cannot be had.
    #[error("no value stack of {bytes} bytes can be had from the system")]
    StackUnavailable {
        /// Its size.
        bytes: usize,
    },
    /// Fuel was set or read where the engine does not count it.
    #[error("the engine does not count fuel; set `Config::consume_fuel`")]
    NoFuel,
}

/// Values or items of the wrong type passed by the embedder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The number of arguments or results is wrong.
    #[error("a {ty} takes {expected} {what}, but was given {found}")]
    Count {
        /// The function's type.
        ty: FuncType,
        /// `arguments` or `results`.
        what: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A value has the wrong type.
    #[error("expected a value of type {expected}, found one of type {found}")]
    Value {
        /// The type it should have.
        expected: ValType,
        /// The type it has.
        found: ValType,
    },
    /// A function has another type than the Rust types say.
    #[error("the function's type is {found}, not {expected}")]
    Func {
        /// The type the Rust types stand for.
        expected: FuncType,
        /// The type it has.
        found: FuncType,
    },
    /// A global that cannot change was to.
    #[error("the global is immutable")]
    Immutable,
    /// Something from another store was passed.
    #[error("a {what} of another store was passed")]
    OtherStore {
        /// What was passed.
        what: &'static str,
    },
    /// An index beyond the end of a table.
    #[error("no element {index} in a table of {size}")]
    TableIndex {
        /// The index.
        index: u64,
        /// The table's size.
        size: u64,
    },
}

/// An access from the host beyond the end of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of bounds memory access")]
pub struct MemoryAccessError;
