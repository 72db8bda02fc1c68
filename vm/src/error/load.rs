//! Errors of loading: the bytes are bad. Each says where, in bytes from their
//! start.

use std::fmt;

use super::Shown;
use crate::proposal::Proposal;

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
    /// A proposal that the engine's [`Config`](crate::Config) does not allow, or one
    /// that it builds on.
    #[error("the {0} proposal is switched off")]
    Disabled(Proposal),
    /// A proposal that this version does not run.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    /// A function needs more slots than a frame can have.
    #[error(
        "function {func}{} needs a frame of {slots} slots of 8 bytes, but {} is the limit; \
         give it fewer locals or operands, or split it",
        Named(.name),
        crate::module::MAX_FRAME_SLOTS
    )]
    FrameTooLarge {
        /// Index of the function.
        func: u32,
        /// Its name, if the module has one for it.
        name: Option<Box<str>>,
        /// Slots it needs.
        slots: usize,
    },
    /// The module is larger than offsets can say.
    #[error("a module of {0} bytes is too large; 4 GiB is the limit")]
    TooLarge(usize),
    /// The module has more of something than any needs.
    #[error("more than {limit} {what}, which is the limit")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
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

    /// What is wrong.
    pub(crate) fn into_kind(self) -> LoadErrorKind {
        self.kind
    }
}

/// Prints a function's name after its index.
struct Named<'a>(&'a Option<Box<str>>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, " (`{}`)", Shown(name)))
    }
}

impl From<wasmparser::BinaryReaderError> for LoadError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::new(LoadErrorKind::Invalid(error.message().into()), Some(error.offset()))
    }
}
