//! The types of the specification (Spec 3.0 §2.3), as values that compare,
//! hash and print in the text format's form.

mod convert;
pub(crate) mod memory;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::convert::Unsupported;
pub use self::memory::MemoryType;

/// A value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
    /// A reference type.
    Ref(RefType),
}

impl ValType {
    /// `funcref`
    pub const FUNCREF: Self = Self::Ref(RefType::FUNCREF);
    /// `externref`
    pub const EXTERNREF: Self = Self::Ref(RefType::EXTERNREF);

    /// Slots that a value takes: two of a `v128`, one of all others.
    pub(crate) fn slots(&self) -> u32 {
        1 + u32::from(matches!(self, Self::V128))
    }
}

/// What a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeapType {
    /// Any function.
    Func,
    /// A host value.
    Extern,
}

impl HeapType {
    /// Whether slots with references to it hold handles of the store's heap: those with
    /// references to functions hold addresses.
    pub(crate) fn is_handle(self) -> bool {
        match self {
            Self::Func => false,
            Self::Extern => true,
        }
    }
}

/// A reference type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    heap: HeapType,
    nullable: bool,
}

impl RefType {
    /// `funcref`, a reference to any function, or null.
    pub const FUNCREF: Self = Self {
        heap: HeapType::Func,
        nullable: true,
    };
    /// `externref`, a reference to a host value, or null.
    pub const EXTERNREF: Self = Self {
        heap: HeapType::Extern,
        nullable: true,
    };

    /// What it refers to.
    pub fn heap_type(&self) -> HeapType {
        self.heap
    }

    /// Whether null is one of its values.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }
}

/// A function type: what a function takes and gives. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    /// Parameters, then results.
    types: Arc<[ValType]>,
    params: usize,
}

impl FuncType {
    /// How many have this type: it and its clones.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.types)
    }

    /// The type of functions with these parameters and results.
    pub fn new(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> Self {
        let mut types: Vec<ValType> = params.into_iter().collect();
        let params = types.len();
        types.extend(results);
        Self {
            types: types.into(),
            params,
        }
    }

    /// Types of the parameters.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + DoubleEndedIterator + '_ {
        self.types[..self.params].iter().copied()
    }

    /// Types of the results.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + DoubleEndedIterator + '_ {
        self.types[self.params..].iter().copied()
    }

    /// Slots that a call passes values in: those of the parameters or of the results,
    /// whichever are more.
    pub(crate) fn slots(&self) -> u32 {
        let (params, results) = self.types.split_at(self.params);
        slots_of(params).max(slots_of(results))
    }
}

/// Slots that values of these types take.
///
/// # Panics
/// If there are 2^31 of them; validation bounds parameters and results.
fn slots_of(types: &[ValType]) -> u32 {
    types.iter().map(ValType::slots).sum()
}

/// Whether a global can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// It keeps its first value.
    Const,
    /// `mut`
    Var,
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

impl GlobalType {
    /// The type of globals with values of type `content`.
    pub fn new(content: ValType, mutability: Mutability) -> Self {
        Self { content, mutability }
    }

    /// The type of its value.
    pub fn content(&self) -> ValType {
        self.content
    }

    /// Whether it can change.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// Whether its cell may hold a handle of the store's heap.
    pub(crate) fn is_handle(&self) -> bool {
        match self.content() {
            ValType::Ref(ty) => ty.heap_type().is_handle(),
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => false,
        }
    }

    /// Whether it is a number that never changes.
    pub(crate) fn is_constant_number(&self) -> bool {
        let number = matches!(
            self.content(),
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64
        );
        number && self.mutability() == Mutability::Const
    }
}

/// The type of a table: its elements' type, and its size in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    element: RefType,
    minimum: u64,
    maximum: Option<u64>,
    is_64: bool,
}

impl TableType {
    /// A table of at least `minimum` and at most `maximum` elements.
    pub fn new(element: RefType, minimum: u32, maximum: Option<u32>) -> Self {
        Self {
            element,
            minimum: minimum.into(),
            maximum: maximum.map(u64::from),
            is_64: false,
        }
    }

    /// As [`TableType::new`], with indices of type `i64`.
    pub fn new64(element: RefType, minimum: u64, maximum: Option<u64>) -> Self {
        Self {
            element,
            minimum,
            maximum,
            is_64: true,
        }
    }

    /// The type of its elements.
    pub fn element(&self) -> RefType {
        self.element
    }

    /// The type with another minimum size.
    pub(crate) fn with_minimum(self, minimum: u64) -> Self {
        Self { minimum, ..self }
    }

    /// Elements it has at first.
    pub fn minimum(&self) -> u64 {
        self.minimum
    }

    /// Elements it can never exceed, if the type says so.
    pub fn maximum(&self) -> Option<u64> {
        self.maximum
    }

    /// Whether its indices are of type `i64`.
    pub fn is_64(&self) -> bool {
        self.is_64
    }
}

/// The type of something a module imports or exports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A global.
    Global(GlobalType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
}

impl ExternType {
    /// What it is the type of: `function`, `global`, `table` or `memory`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Func(_) => "function",
            Self::Global(_) => "global",
            Self::Table(_) => "table",
            Self::Memory(_) => "memory",
        }
    }
}

impl From<FuncType> for ExternType {
    fn from(ty: FuncType) -> Self {
        Self::Func(ty)
    }
}

impl From<GlobalType> for ExternType {
    fn from(ty: GlobalType) -> Self {
        Self::Global(ty)
    }
}

impl From<TableType> for ExternType {
    fn from(ty: TableType) -> Self {
        Self::Table(ty)
    }
}

impl From<MemoryType> for ExternType {
    fn from(ty: MemoryType) -> Self {
        Self::Memory(ty)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::V128 => f.write_str("v128"),
            Self::Ref(ty) => ty.fmt(f),
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Func => "func",
            Self::Extern => "extern",
        })
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nullable {
            write!(f, "{}ref", self.heap)
        } else {
            write!(f, "(ref {})", self.heap)
        }
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, word: &str, types: &[ValType]| {
            if types.is_empty() {
                return Ok(());
            }
            write!(f, " ({word}")?;
            types.iter().try_for_each(|ty| write!(f, " {ty}"))?;
            f.write_str(")")
        };
        f.write_str("(func")?;
        list(f, "param", &self.types[..self.params])?;
        list(f, "result", &self.types[self.params..])?;
        f.write_str(")")
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => write!(f, "(global {})", self.content),
            Mutability::Var => write!(f, "(global (mut {}))", self.content),
        }
    }
}

/// Prints `minimum maximum`, the latter if there is one.
fn limits(f: &mut fmt::Formatter<'_>, minimum: u64, maximum: Option<u64>) -> fmt::Result {
    write!(f, " {minimum}")?;
    maximum.map_or(Ok(()), |maximum| write!(f, " {maximum}"))
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_64 { "(table i64" } else { "(table" })?;
        limits(f, self.minimum, self.maximum)?;
        write!(f, " {})", self.element)
    }
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Func(ty) => ty.fmt(f),
            Self::Global(ty) => ty.fmt(f),
            Self::Table(ty) => ty.fmt(f),
            Self::Memory(ty) => ty.fmt(f),
        }
    }
}
