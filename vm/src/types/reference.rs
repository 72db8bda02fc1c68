//! Heap types and reference types (Spec 3.0 §2.3.4, §2.3.5), and which of them match
//! which.

use super::aggregate::{ArrayType, StructType};
use super::func::FuncType;
use super::raw::{Abstract, Kind, RawHeapType};
use super::registry::{DefType, TypeId};

/// What a reference refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeapType {
    /// A host value, or what a guest has made one of.
    Extern,
    /// Nothing, among those.
    NoExtern,
    /// Any function.
    Func,
    /// A function of a type, or of a subtype.
    ConcreteFunc(FuncType),
    /// A function of exactly a type (custom-descriptors proposal).
    ExactFunc(FuncType),
    /// No function.
    NoFunc,
    /// Anything that guests make: structs, arrays, small integers; or a host value
    /// that a guest has made one of those.
    Any,
    /// What can be compared: structs, arrays, small integers.
    Eq,
    /// An integer of 31 bits.
    I31,
    /// Any array.
    Array,
    /// An array of a type, or of a subtype.
    ConcreteArray(ArrayType),
    /// An array of exactly a type (custom-descriptors proposal).
    ExactArray(ArrayType),
    /// Any struct.
    Struct,
    /// A struct of a type, or of a subtype.
    ConcreteStruct(StructType),
    /// A struct of exactly a type (custom-descriptors proposal).
    ExactStruct(StructType),
    /// Nothing, among what guests make.
    None,
    /// An exception.
    Exn,
    /// No exception.
    NoExn,
}

impl HeapType {
    /// The largest type of its hierarchy: `extern`, `func`, `any` or `exn`.
    #[must_use]
    pub fn top(&self) -> Self {
        self.abstract_type().top().into()
    }

    /// Whether it is a defined type.
    pub fn is_concrete(&self) -> bool {
        self.concrete().is_some()
    }

    /// Whether it is `other` or a subtype of it (Spec 3.0 §3.3.3).
    pub fn matches(&self, other: &Self) -> bool {
        match (self.concrete(), other.concrete()) {
            (None, None) => self.abstract_type().matches(other.abstract_type()),
            (None, Some(_)) => self.abstract_type().is_bottom() && self.top() == other.top(),
            (Some(_), None) => self.abstract_type().matches(other.abstract_type()),
            (Some((_, false)), Some((_, true))) => false,
            (Some((own, _)), Some((other, true))) => own == other,
            (Some((own, _)), Some((other, false))) => own.matches(&other),
        }
    }

    /// The smallest abstract type that it matches.
    pub(super) fn abstract_type(&self) -> Abstract {
        match self {
            Self::Extern => Abstract::Extern,
            Self::NoExtern => Abstract::NoExtern,
            Self::Func | Self::ConcreteFunc(_) | Self::ExactFunc(_) => Abstract::Func,
            Self::NoFunc => Abstract::NoFunc,
            Self::Any => Abstract::Any,
            Self::Eq => Abstract::Eq,
            Self::I31 => Abstract::I31,
            Self::Array | Self::ConcreteArray(_) | Self::ExactArray(_) => Abstract::Array,
            Self::Struct | Self::ConcreteStruct(_) | Self::ExactStruct(_) => Abstract::Struct,
            Self::None => Abstract::None,
            Self::Exn => Abstract::Exn,
            Self::NoExn => Abstract::NoExn,
        }
    }

    /// The defined type, if it is one, and whether it is exact.
    pub(super) fn concrete(&self) -> Option<(Concrete<'_>, bool)> {
        Some(match self {
            Self::ConcreteFunc(ty) => (Concrete::Func(ty), false),
            Self::ExactFunc(ty) => (Concrete::Func(ty), true),
            Self::ConcreteArray(ty) => (Concrete::Data(ty.def()), false),
            Self::ExactArray(ty) => (Concrete::Data(ty.def()), true),
            Self::ConcreteStruct(ty) => (Concrete::Data(ty.def()), false),
            Self::ExactStruct(ty) => (Concrete::Data(ty.def()), true),
            _ => return None,
        })
    }

    pub(super) fn from_raw(raw: RawHeapType, defined: impl Fn(TypeId) -> DefType) -> Self {
        match raw {
            RawHeapType::Abstract(ty) => ty.into(),
            RawHeapType::Concrete { kind, exact, id } => Self::of(defined(id), kind, exact),
        }
    }

    /// Exactly a defined type.
    pub(crate) fn exact(ty: DefType) -> Self {
        let kind = ty.kind();
        Self::of(ty, kind, true)
    }

    /// A defined type of a kind.
    pub(super) fn of(ty: DefType, kind: Kind, exact: bool) -> Self {
        match (kind, exact) {
            (Kind::Func, false) => Self::ConcreteFunc(FuncType::of(ty)),
            (Kind::Func, true) => Self::ExactFunc(FuncType::of(ty)),
            (Kind::Array, false) => Self::ConcreteArray(ArrayType::of(ty)),
            (Kind::Array, true) => Self::ExactArray(ArrayType::of(ty)),
            (Kind::Struct, false) => Self::ConcreteStruct(StructType::of(ty)),
            (Kind::Struct, true) => Self::ExactStruct(StructType::of(ty)),
        }
    }

    /// Whether it is a type of functions.
    pub(crate) fn is_func(&self) -> bool {
        self.abstract_type().top() == Abstract::Func
    }
}

impl std::hash::Hash for HeapType {
    /// Of defined types, which may name themselves, only what kind they are of.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}

impl From<Abstract> for HeapType {
    fn from(ty: Abstract) -> Self {
        match ty {
            Abstract::Extern => Self::Extern,
            Abstract::NoExtern => Self::NoExtern,
            Abstract::Func => Self::Func,
            Abstract::NoFunc => Self::NoFunc,
            Abstract::Any => Self::Any,
            Abstract::Eq => Self::Eq,
            Abstract::I31 => Self::I31,
            Abstract::Array => Self::Array,
            Abstract::Struct => Self::Struct,
            Abstract::None => Self::None,
            Abstract::Exn => Self::Exn,
            Abstract::NoExn => Self::NoExn,
        }
    }
}

/// A defined type in a heap type.
#[derive(PartialEq)]
pub(super) enum Concrete<'a> {
    Func(&'a FuncType),
    Data(&'a DefType),
}

impl Concrete<'_> {
    fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Func(own), Self::Func(other)) => own.matches(other),
            (Self::Data(own), Self::Data(other)) => own.matches(other),
            _ => false,
        }
    }
}

impl HeapType {
    /// Whether slots with references to it hold handles of the store's heap: those with
    /// references to functions hold addresses.
    pub(crate) fn is_handle(&self) -> bool {
        !self.is_func()
    }
}

/// A reference type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    pub(super) heap: HeapType,
    pub(super) nullable: bool,
}

impl RefType {
    /// `funcref`, a reference to any function, or null.
    pub const FUNCREF: Self = Self::new(true, HeapType::Func);
    /// `externref`, a reference to a host value, or null.
    pub const EXTERNREF: Self = Self::new(true, HeapType::Extern);
    /// `anyref`
    pub const ANYREF: Self = Self::new(true, HeapType::Any);
    /// `eqref`
    pub const EQREF: Self = Self::new(true, HeapType::Eq);
    /// `i31ref`
    pub const I31REF: Self = Self::new(true, HeapType::I31);
    /// `structref`
    pub const STRUCTREF: Self = Self::new(true, HeapType::Struct);
    /// `arrayref`
    pub const ARRAYREF: Self = Self::new(true, HeapType::Array);
    /// `exnref`
    pub const EXNREF: Self = Self::new(true, HeapType::Exn);

    /// The type of references to this, and of null if it is nullable.
    pub const fn new(nullable: bool, heap: HeapType) -> Self {
        Self { heap, nullable }
    }

    /// What it refers to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap
    }

    /// Whether null is one of its values.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether it is `other` or a subtype of it (Spec 3.0 §3.3.3).
    pub fn matches(&self, other: &Self) -> bool {
        (other.nullable || !self.nullable) && self.heap.matches(&other.heap)
    }
}
