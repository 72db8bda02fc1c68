//! Exceptions that nobody in the guest has caught.

use std::fmt;

use super::Shown;
use crate::runtime::store::StoreId;
use crate::trap::{FrameInfo, WasmBacktrace};
use crate::types::{TagType, ValType};

/// An exception was thrown that a store keeps for the host: what its tag is called,
/// and what it carries.
///
/// A host function that returns it goes on throwing in its caller. The exception
/// itself is had with [`Store::take_pending_exception`](crate::Store::take_pending_exception).
#[derive(Debug, thiserror::Error)]
#[error("uncaught exception{}", Carried(.0))]
pub struct ThrownException(Box<Details>);

/// Which exception of which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThrownId {
    pub(crate) store: StoreId,
    /// How many exceptions the store had kept before.
    pub(crate) serial: u64,
}

#[derive(Debug)]
struct Details {
    id: ThrownId,
    tag: Option<Box<str>>,
    ty: TagType,
    /// The slots of what it carries.
    slots: Box<[u64]>,
}

impl ThrownException {
    /// An exception of a tag with a name and type, which carries these slots.
    pub(crate) fn new(id: ThrownId, tag: Option<&str>, ty: TagType, slots: &[u64]) -> Self {
        Self(Box::new(Details {
            id,
            tag: tag.map(Into::into),
            ty,
            slots: slots.into(),
        }))
    }

    /// Which exception it is.
    pub(crate) fn id(&self) -> ThrownId {
        self.0.id
    }

    /// What its tag is called where it was thrown, as far as the module says.
    pub fn tag_name(&self) -> Option<&str> {
        self.0.tag.as_deref()
    }

    /// The type of its tag.
    pub fn tag_type(&self) -> &TagType {
        &self.0.ty
    }

    /// Names the tag, if it has no name yet.
    pub(crate) fn name(&mut self, name: impl FnOnce() -> Option<Box<str>>) {
        if self.0.tag.is_none() {
            self.0.tag = name();
        }
    }
}

/// Prints the name of the tag and what an exception carries; references by their type.
struct Carried<'a>(&'a Details);

impl fmt::Display for Carried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { tag, ty, slots, .. } = self.0;
        match tag {
            Some(tag) => write!(f, " `{}`", Shown(tag))?,
            None => f.write_str(" of a tag without a name")?,
        }
        let mut slots = slots.iter().copied();
        let mut between = " with ";
        for ty in ty.ty().params() {
            write!(f, "{between}{ty}")?;
            between = ", ";
            let mut slot = || slots.next().unwrap_or_default();
            let low = slot();
            match ty {
                ValType::I32 => write!(f, " {}", (low as u32).cast_signed())?,
                ValType::I64 => write!(f, " {}", low.cast_signed())?,
                ValType::F32 => write!(f, " {}", f32::from_bits(low as u32))?,
                ValType::F64 => write!(f, " {}", f64::from_bits(low))?,
                ValType::V128 => write!(f, " 0x{:016x}{low:016x}", slot())?,
                ValType::Ref(_) => {}
            }
        }
        Ok(())
    }
}

/// An exception that nobody in the guest has caught, and where it was thrown.
#[derive(Debug, thiserror::Error)]
#[error("{thrown}")]
pub struct ExceptionError {
    pub(super) thrown: ThrownException,
    backtrace: WasmBacktrace,
}

impl ExceptionError {
    /// An exception that has been thrown where no guest stood.
    pub(crate) fn new(thrown: ThrownException) -> Self {
        Self {
            thrown,
            backtrace: WasmBacktrace::default(),
        }
    }

    pub(crate) fn extend_backtrace(&mut self, frames: Vec<FrameInfo>) {
        self.backtrace.extend(frames);
    }

    /// What was thrown.
    pub fn thrown(&self) -> &ThrownException {
        &self.thrown
    }

    /// What was thrown, to be completed.
    pub(crate) fn thrown_mut(&mut self) -> &mut ThrownException {
        &mut self.thrown
    }

    /// Where it was thrown.
    pub fn backtrace(&self) -> &WasmBacktrace {
        &self.backtrace
    }
}
