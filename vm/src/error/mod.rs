//! What can go wrong, in families that are never mixed: the bytes are bad
//! ([`LoadError`]), modules do not fit together ([`LinkError`]), the guest
//! faulted ([`TrapError`]) or did not catch an exception
//! ([`ExceptionError`]), a host function failed ([`HostError`]), a limit was
//! met ([`LimitError`]), a permission is missing ([`PermissionError`]), the
//! system refused something ([`ResourceError`]), or the embedder passed wrong
//! types ([`TypeError`]), addresses ([`MemoryAccessError`]) or snapshots
//! ([`SnapshotError`]).

mod exception;
mod host;
mod link;
mod load;
mod permission;
mod region;
mod shown;
mod snapshot;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;

pub(crate) use self::exception::ThrownId;
pub use self::exception::{ExceptionError, ThrownException};
pub use self::host::{LimitError, MemoryAccessError, ResourceError, TypeError};
pub use self::link::LinkError;
pub use self::load::{LoadError, LoadErrorKind};
pub use self::permission::{PermissionError, QuotaError};
pub use self::region::RegionError;
pub(crate) use self::shown::Shown;
pub use self::snapshot::SnapshotError;
use crate::trap::{FrameInfo, Trap, WasmBacktrace};

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
    /// An exception was thrown that the guest did not catch.
    #[error(transparent)]
    Exception(Box<ExceptionError>),
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
    /// A region could not be made, mapped or changed.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// An instance cannot have the state of a snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A permission is missing, or a quota used up.
    #[error(transparent)]
    Permission(#[from] PermissionError),
    /// The operating system refused something.
    #[error(transparent)]
    Resource(#[from] ResourceError),
}

impl Error {
    /// The error of a host function that failed with `source`.
    ///
    /// It keeps its type on its way through guest frames: see
    /// [`Error::downcast_ref`]. A [`Trap`] becomes a trap of the guest, an
    /// `Error` stays what it is.
    pub fn host(source: impl StdError + Send + Sync + 'static) -> Self {
        let source: Box<dyn StdError + Send + Sync> = Box::new(source);
        let source = match source.downcast::<Self>() {
            Ok(error) => return *error,
            Err(source) => source,
        };
        let source = match source.downcast::<ThrownException>() {
            Ok(thrown) => return (*thrown).into(),
            Err(source) => source,
        };
        match source.downcast::<Trap>() {
            Ok(trap) => (*trap).into(),
            Err(source) => Self::Host(Box::new(HostError {
                source,
                backtrace: WasmBacktrace::default(),
            })),
        }
    }

    /// The trap, if the guest trapped.
    pub fn trap(&self) -> Option<Trap> {
        self.downcast_ref().copied()
    }

    /// The trap, if it has not been told yet where the guest stood.
    pub(crate) fn own_trap(&self) -> Option<Trap> {
        match self {
            Self::Trap(error) if error.backtrace.frames().is_empty() => Some(error.trap),
            _ => None,
        }
    }

    /// Where the guest stood, if it did.
    pub fn backtrace(&self) -> Option<&WasmBacktrace> {
        match self {
            Self::Trap(error) => Some(&error.backtrace),
            Self::Exception(error) => Some(error.backtrace()),
            Self::Host(error) => Some(&error.backtrace),
            _ => None,
        }
    }

    /// The error a host function failed with, if it is an `E`; for other
    /// families the family's error ([`LinkError`] and so on; [`Trap`] for
    /// traps, [`ThrownException`] for exceptions).
    ///
    /// ```
    /// use vm::{Error, Trap};
    ///
    /// let error = Error::host(std::io::Error::other("the disk is on fire"));
    /// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().to_string(), "the disk is on fire");
    /// assert!(error.downcast_ref::<Trap>().is_none());
    /// ```
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        let inner: &(dyn StdError + 'static) = match self {
            Self::Load(error) => error,
            Self::Link(error) => error,
            Self::Trap(error) => &error.trap,
            Self::Exception(error) => &error.thrown,
            Self::Host(error) => match error.source.downcast_ref::<Self>() {
                Some(inner) => return inner.downcast_ref(),
                None => &*error.source,
            },
            Self::Limit(error) => error,
            Self::Type(error) => error,
            Self::Memory(error) => error,
            Self::Region(error) => error,
            Self::Snapshot(error) => error,
            Self::Permission(error) => error,
            Self::Resource(error) => error,
        };
        inner.downcast_ref()
    }
}

impl From<ThrownException> for Error {
    /// A host function that fails with an exception throws it in its caller.
    fn from(thrown: ThrownException) -> Self {
        Self::Exception(Box::new(ExceptionError::new(thrown)))
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
