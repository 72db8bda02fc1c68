//! Types as a registry keeps them: defined types by their identity, so that they
//! are small, copied freely, and compare at once.
//!
//! An identity means something only as long as something else keeps its type: the
//! group that the raw type is part of, a module, or a store.

use super::registry::TypeId;

/// A heap type that is no defined type (Spec 3.0 §2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Abstract {
    Extern,
    NoExtern,
    Func,
    NoFunc,
    Any,
    Eq,
    I31,
    Array,
    Struct,
    None,
    Exn,
    NoExn,
}

impl Abstract {
    /// The largest heap type of its hierarchy.
    pub(crate) fn top(self) -> Self {
        match self {
            Self::Extern | Self::NoExtern => Self::Extern,
            Self::Func | Self::NoFunc => Self::Func,
            Self::Any | Self::Eq | Self::I31 | Self::Array | Self::Struct | Self::None => Self::Any,
            Self::Exn | Self::NoExn => Self::Exn,
        }
    }

    /// Whether it is the type of nothing but null.
    pub(crate) fn is_bottom(self) -> bool {
        matches!(self, Self::NoExtern | Self::NoFunc | Self::None | Self::NoExn)
    }

    /// Whether it is a subtype of `other` (Spec 3.0 §3.3.3).
    pub(crate) fn matches(self, other: Self) -> bool {
        self == other
            || self.top() == other.top()
                && (self.is_bottom()
                    || other == self.top()
                    || other == Self::Eq && matches!(self, Self::I31 | Self::Array | Self::Struct))
    }
}

/// What a defined type is the type of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
    Func,
    Array,
    Struct,
}

impl Kind {
    /// The smallest abstract type above all defined types of this kind.
    pub(crate) fn abstract_type(self) -> Abstract {
        match self {
            Self::Func => Abstract::Func,
            Self::Array => Abstract::Array,
            Self::Struct => Abstract::Struct,
        }
    }
}

/// A heap type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RawHeapType {
    Abstract(Abstract),
    /// A defined type; without its subtypes if it is exact (custom-descriptors
    /// proposal).
    Concrete {
        kind: Kind,
        exact: bool,
        id: TypeId,
    },
}

impl RawHeapType {
    /// The largest heap type of its hierarchy.
    pub(crate) fn top(self) -> Abstract {
        match self {
            Self::Abstract(ty) => ty.top(),
            Self::Concrete { kind, .. } => kind.abstract_type().top(),
        }
    }
}

/// A reference type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RawRefType {
    pub(crate) nullable: bool,
    pub(crate) heap: RawHeapType,
}

/// A value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RawValType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Ref(RawRefType),
}

impl RawValType {
    /// Slots that a value takes.
    pub(crate) fn slots(self) -> u32 {
        1 + u32::from(self == Self::V128)
    }
}

/// The type of what a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RawStorageType {
    I8,
    I16,
    Val(RawValType),
}

impl RawStorageType {
    /// Bytes that a field takes: references to functions are addresses, others
    /// handles of 32 bits.
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::Val(RawValType::I32 | RawValType::F32) => 4,
            Self::Val(RawValType::I64 | RawValType::F64) => 8,
            Self::Val(RawValType::V128) => 16,
            Self::Val(RawValType::Ref(ty)) if ty.heap.top() == Abstract::Func => 8,
            Self::Val(RawValType::Ref(_)) => 4,
        }
    }

    /// Whether a field holds a handle, which keeps an object.
    pub(crate) fn is_handle(self) -> bool {
        matches!(self, Self::Val(RawValType::Ref(ty)) if ty.heap.top() != Abstract::Func)
    }
}

/// The type of a field of a struct, or of the elements of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RawFieldType {
    pub(crate) storage: RawStorageType,
    pub(crate) mutable: bool,
}

/// What a type is defined as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RawCompositeType {
    Func {
        /// Parameters, then results.
        types: Box<[RawValType]>,
        params: usize,
    },
    Array(RawFieldType),
    Struct(Box<[RawFieldType]>),
}

impl RawCompositeType {
    /// What it is the type of.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Func { .. } => Kind::Func,
            Self::Array(_) => Kind::Array,
            Self::Struct(_) => Kind::Struct,
        }
    }
}

/// A type's definition in a recursion group (Spec 3.0 §2.3.9). In it, types of
/// the same group are named by [`TypeId::own`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SubType {
    pub(crate) is_final: bool,
    pub(crate) supertype: Option<TypeId>,
    /// The type of the descriptors of its objects (custom-descriptors proposal).
    pub(crate) descriptor: Option<TypeId>,
    /// The type whose objects its own describe (custom-descriptors proposal).
    pub(crate) describes: Option<TypeId>,
    pub(crate) composite: RawCompositeType,
}

impl SubType {
    /// A type of its own: final, with no supertype.
    pub(crate) fn plain(composite: RawCompositeType) -> Self {
        Self {
            is_final: true,
            supertype: None,
            descriptor: None,
            describes: None,
            composite,
        }
    }

    /// Gives each type that it names to `f`, as often as it does.
    pub(crate) fn for_each_named(&self, f: &mut impl FnMut(TypeId)) {
        [self.supertype, self.descriptor, self.describes]
            .into_iter()
            .flatten()
            .for_each(&mut *f);
        let mut val = |ty: RawValType| {
            if let RawValType::Ref(ty) = ty
                && let RawHeapType::Concrete { id, .. } = ty.heap
            {
                f(id);
            }
        };
        let mut field = |ty: &RawFieldType| {
            if let RawStorageType::Val(ty) = ty.storage {
                val(ty);
            }
        };
        match &self.composite {
            RawCompositeType::Func { types, .. } => types.iter().for_each(|ty| val(*ty)),
            RawCompositeType::Array(ty) => field(ty),
            RawCompositeType::Struct(fields) => fields.iter().for_each(field),
        }
    }

    /// Whether it names a type of its own group.
    pub(crate) fn names_own(&self) -> bool {
        let mut names_own = false;
        self.for_each_named(&mut |id| names_own |= id.as_own().is_some());
        names_own
    }
}
