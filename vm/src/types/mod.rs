//! The types of the specification (Spec 3.0 §2.3), as values that compare,
//! hash and print in the text format's form.

mod aggregate;
mod convert;
mod func;
mod info;
pub(crate) mod memory;
mod print;
pub(crate) mod raw;
mod reference;
pub(crate) mod registry;
mod tag;
#[cfg(test)]
mod tests;

pub use self::aggregate::{ArrayType, FieldType, StorageType, StructType};
pub(crate) use self::convert::{TypeSpace, Unsupported};
pub use self::func::FuncType;
pub(crate) use self::info::TypeInfo;
pub use self::memory::MemoryType;
use self::raw::{Kind, RawCompositeType, RawFieldType, RawHeapType, RawRefType, RawStorageType, RawValType, SubType};
use self::reference::Concrete;
pub use self::reference::{HeapType, RefType};
use self::registry::RecGroup;
pub(crate) use self::registry::{DefType, TypeId, TypeRegistry};
pub use self::tag::TagType;

use std::sync::Arc;

/// A value type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// `anyref`
    pub const ANYREF: Self = Self::Ref(RefType::ANYREF);
    /// `eqref`
    pub const EQREF: Self = Self::Ref(RefType::EQREF);
    /// `i31ref`
    pub const I31REF: Self = Self::Ref(RefType::I31REF);
    /// `structref`
    pub const STRUCTREF: Self = Self::Ref(RefType::STRUCTREF);
    /// `arrayref`
    pub const ARRAYREF: Self = Self::Ref(RefType::ARRAYREF);
    /// `exnref`
    pub const EXNREF: Self = Self::Ref(RefType::EXNREF);

    /// The reference type, if it is one.
    pub fn as_ref(&self) -> Option<&RefType> {
        match self {
            Self::Ref(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether it is `other` or a subtype of it (Spec 3.0 §3.3.4).
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ref(own), Self::Ref(other)) => own.matches(other),
            _ => self == other,
        }
    }

    /// The type that stands in the definition of `def`.
    fn of(raw: RawValType, def: &DefType) -> Self {
        Self::from_raw(raw, |id| def.named(id))
    }

    /// The type, with defined types by their identities.
    fn from_raw(raw: RawValType, defined: impl Fn(TypeId) -> DefType) -> Self {
        match raw {
            RawValType::I32 => Self::I32,
            RawValType::I64 => Self::I64,
            RawValType::F32 => Self::F32,
            RawValType::F64 => Self::F64,
            RawValType::V128 => Self::V128,
            RawValType::Ref(ty) => Self::Ref(RefType {
                nullable: ty.nullable,
                heap: HeapType::from_raw(ty.heap, defined),
            }),
        }
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> Self {
        Self::Ref(ty)
    }
}

/// Whether a defined type can have subtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finality {
    /// It cannot.
    Final,
    /// It can.
    NonFinal,
}

impl Finality {
    /// That of a type; what is of no engine is final.
    fn of(ty: Option<&DefType>) -> Self {
        match ty.is_none_or(|ty| ty.def().is_final) {
            true => Self::Final,
            false => Self::NonFinal,
        }
    }
}

/// Makes types of values those of a registry, for a definition there.
pub(crate) struct Definer<'a> {
    registry: &'a TypeRegistry,
    /// What the definition names.
    named: Vec<Arc<RecGroup>>,
}

impl<'a> Definer<'a> {
    pub(crate) fn new(registry: &'a TypeRegistry) -> Self {
        Self {
            registry,
            named: Vec::new(),
        }
    }

    /// Keeps a type for the definition; its identity.
    ///
    /// # Panics
    /// If it is of another engine.
    fn keep(&mut self, ty: &DefType) -> TypeId {
        assert!(ty.is_of(self.registry), "the type is of another engine");
        if !self.named.iter().any(|group| Arc::ptr_eq(group, ty.group())) {
            self.named.push(Arc::clone(ty.group()));
        }
        ty.id()
    }

    /// The value type in the registry.
    pub(crate) fn val(&mut self, ty: &ValType) -> RawValType {
        match ty {
            ValType::I32 => RawValType::I32,
            ValType::I64 => RawValType::I64,
            ValType::F32 => RawValType::F32,
            ValType::F64 => RawValType::F64,
            ValType::V128 => RawValType::V128,
            ValType::Ref(ty) => RawValType::Ref(RawRefType {
                nullable: ty.nullable,
                heap: self.heap(&ty.heap),
            }),
        }
    }

    fn heap(&mut self, ty: &HeapType) -> RawHeapType {
        let Some((concrete, exact)) = ty.concrete() else {
            return RawHeapType::Abstract(ty.abstract_type());
        };
        let def = match concrete {
            Concrete::Func(ty) => ty.define(self.registry),
            Concrete::Data(ty) => ty.clone(),
        };
        RawHeapType::Concrete {
            kind: def.kind(),
            exact,
            id: self.keep(&def),
        }
    }

    /// What keeps the identities that it has given.
    pub(crate) fn into_named(self) -> Vec<Arc<RecGroup>> {
        self.named
    }

    /// The type of this definition.
    fn intern(self, def: SubType) -> DefType {
        self.registry.intern_one(def, self.named)
    }
}

/// A module's type (Spec 3.0 §2.3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompositeType {
    Func(FuncType),
    Array(ArrayType),
    Struct(StructType),
}

impl CompositeType {
    pub(crate) fn of(ty: DefType) -> Self {
        match ty.kind() {
            Kind::Func => Self::Func(FuncType::of(ty)),
            Kind::Array => Self::Array(ArrayType::of(ty)),
            Kind::Struct => Self::Struct(StructType::of(ty)),
        }
    }

    /// The defined type.
    pub(crate) fn def(&self) -> &DefType {
        match self {
            Self::Func(ty) => ty.def().expect("a module's types are defined"),
            Self::Array(ty) => ty.def(),
            Self::Struct(ty) => ty.def(),
        }
    }

    /// Whether a `v128` is among what it is made of.
    pub(crate) fn has_vectors(&self) -> bool {
        let is_vector = |field: &RawFieldType| field.storage == RawStorageType::Val(RawValType::V128);
        match &self.def().def().composite {
            RawCompositeType::Func { types, .. } => types.contains(&RawValType::V128),
            RawCompositeType::Array(element) => is_vector(element),
            RawCompositeType::Struct(fields) => fields.iter().any(is_vector),
        }
    }

    /// The function type, if it is one.
    pub(crate) fn as_func(&self) -> Option<&FuncType> {
        match self {
            Self::Func(ty) => Some(ty),
            Self::Array(_) | Self::Struct(_) => None,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    pub fn content(&self) -> &ValType {
        &self.content
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

    /// Whether a global of this type can be given for one of `other` (Spec 3.0
    /// §3.3.12).
    pub(crate) fn matches(&self, other: &Self) -> bool {
        match (self.mutability, other.mutability) {
            (Mutability::Const, Mutability::Const) => self.content.matches(&other.content),
            (Mutability::Var, Mutability::Var) => self.content == other.content,
            _ => false,
        }
    }

    /// The type for a handle; `definer` keeps what it names.
    pub(crate) fn raw(&self, definer: &mut Definer<'_>) -> RawGlobalType {
        RawGlobalType {
            content: definer.val(&self.content),
            mutability: self.mutability,
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

/// The type of a global in a handle; the store keeps what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawGlobalType {
    content: RawValType,
    mutability: Mutability,
}

impl RawGlobalType {
    /// The type.
    pub(crate) fn get(self, registry: &TypeRegistry) -> GlobalType {
        let content = ValType::from_raw(self.content, |id| registry.get(id));
        GlobalType::new(content, self.mutability)
    }
}

/// The type of a table: its elements' type, and its size in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    pub fn element(&self) -> &RefType {
        &self.element
    }

    /// The type with its elements' type as one of an engine.
    pub(crate) fn defined(self, registry: &TypeRegistry) -> Self {
        let mut definer = Definer::new(registry);
        let heap = definer.heap(&self.element.heap);
        let heap = HeapType::from_raw(heap, |id| registry.get(id));
        let element = RefType::new(self.element.nullable, heap);
        Self { element, ..self }
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
    /// A tag.
    Tag(TagType),
}

impl ExternType {
    /// What it is the type of: `function`, `global`, `table`, `memory` or `tag`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Func(_) => "function",
            Self::Global(_) => "global",
            Self::Table(_) => "table",
            Self::Memory(_) => "memory",
            Self::Tag(_) => "tag",
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

impl From<TagType> for ExternType {
    fn from(ty: TagType) -> Self {
        Self::Tag(ty)
    }
}

impl From<MemoryType> for ExternType {
    fn from(ty: MemoryType) -> Self {
        Self::Memory(ty)
    }
}
