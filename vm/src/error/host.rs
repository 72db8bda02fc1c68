//! Errors on the host's side: limits, refusals of the system, and values of the
//! wrong type from the embedder.

use crate::types::{FuncType, TagType, ValType};

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
    /// The heap of garbage-collected objects cannot be had.
    #[error("no address space for a heap of {bytes} bytes can be had from the system")]
    HeapUnavailable {
        /// Its limit.
        bytes: u64,
    },
    /// Fuel was set or read where the engine does not count it.
    #[error("the engine does not count fuel; set `Config::consume_fuel`")]
    NoFuel,
    /// Calls were limited where the engine does not count them.
    #[error("the engine does not count calls; set `Config::max_call_depth`")]
    NoDepth,
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
    /// No memory can have this type.
    #[error("not a valid memory type: {reason}")]
    InvalidMemory {
        /// Why not.
        reason: &'static str,
    },
    /// A defined type cannot be a subtype of what it is to be one of.
    #[error("the supertype is final, or the type does not match it")]
    Supertype,
    /// A struct type has too many fields.
    #[error("more than {limit} fields, which is the limit")]
    Fields {
        /// Fields that it may have.
        limit: usize,
    },
    /// No tag can have this type.
    #[error("not a valid tag type: {ty} has results")]
    InvalidTag {
        /// The type.
        ty: TagType,
    },
    /// A struct was to have more or fewer fields than its type.
    #[error("the type has {expected} fields, but {found} values were given")]
    FieldCount {
        /// Fields that it has.
        expected: usize,
        /// Values that were given.
        found: usize,
    },
    /// A field behind the last of a struct.
    #[error("no field {index} in a struct of {fields}")]
    FieldIndex {
        /// Which.
        index: usize,
        /// Fields that there are.
        fields: usize,
    },
    /// A field or element that cannot change was to.
    #[error("the field or element is immutable")]
    ImmutableField,
    /// An index beyond the end of an array.
    #[error("no element {index} in an array of {len}")]
    ArrayIndex {
        /// The index.
        index: u32,
        /// The array's length.
        len: u32,
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
    /// A reference was used after its scope had ended.
    #[error("a reference to a garbage-collected object was used after its scope had ended")]
    Unrooted,
    /// An index beyond the end of a table.
    #[error("no element {index} in a table of {size}")]
    TableIndex {
        /// The index.
        index: u64,
        /// The table's size.
        size: u64,
    },
}

/// An access from the host that a memory does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryAccessError {
    /// Not all bytes are in the memory or in a region mapped into it.
    #[error("out of bounds memory access")]
    OutOfBounds,
    /// Bytes to be written are of a region that is mapped read-only.
    #[error("write to read-only memory")]
    ReadOnly,
}

/// Something the operating system refused.
#[derive(Debug, thiserror::Error)]
#[error("the system refused {what}: {source}")]
pub struct ResourceError {
    what: &'static str,
    source: std::io::Error,
}

impl ResourceError {
    /// The system refused `what`, a noun phrase, with `source`.
    pub fn new(what: &'static str, source: std::io::Error) -> Self {
        Self { what, source }
    }

    /// What the system refused.
    pub fn what(&self) -> &'static str {
        self.what
    }
}
