//! Types of structs and arrays, and of what they hold (Spec 3.0 §2.3.6, §2.3.7).

use std::fmt;

use super::raw::{Kind, RawCompositeType, RawFieldType, RawStorageType, SubType};
use super::registry::DefType;
use super::{Definer, Finality, HeapType, Mutability, ValType};
use crate::error::TypeError;
use crate::runtime::engine::Engine;

/// What a field holds: a value, or an integer of 8 or 16 bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// A value.
    ValType(ValType),
}

impl StorageType {
    /// The type of the value that it is read as.
    pub fn unpack(&self) -> ValType {
        match self {
            Self::I8 | Self::I16 => ValType::I32,
            Self::ValType(ty) => ty.clone(),
        }
    }

    /// Whether it is `other` or a subtype of it.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ValType(own), Self::ValType(other)) => own.matches(other),
            _ => self == other,
        }
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> Self {
        Self::ValType(ty)
    }
}

/// The type of a struct's field, or of an array's elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    element: StorageType,
    mutability: Mutability,
}

impl FieldType {
    /// The type of fields that hold this.
    pub fn new(mutability: Mutability, element: StorageType) -> Self {
        Self { element, mutability }
    }

    /// Whether what it holds can change.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// What it holds.
    pub fn element_type(&self) -> &StorageType {
        &self.element
    }

    /// Whether it is `other` or a subtype of it.
    pub fn matches(&self, other: &Self) -> bool {
        match (self.mutability, other.mutability) {
            (Mutability::Const, Mutability::Const) => self.element.matches(&other.element),
            (Mutability::Var, Mutability::Var) => self.element == other.element,
            _ => false,
        }
    }

    fn raw(&self, definer: &mut Definer<'_>) -> RawFieldType {
        RawFieldType {
            storage: match &self.element {
                StorageType::I8 => RawStorageType::I8,
                StorageType::I16 => RawStorageType::I16,
                StorageType::ValType(ty) => RawStorageType::Val(definer.val(ty)),
            },
            mutable: self.mutability == Mutability::Var,
        }
    }

    /// The type that stands in the definition of `def`.
    fn of(raw: RawFieldType, def: &DefType) -> Self {
        Self {
            element: match raw.storage {
                RawStorageType::I8 => StorageType::I8,
                RawStorageType::I16 => StorageType::I16,
                RawStorageType::Val(ty) => StorageType::ValType(ValType::of(ty, def)),
            },
            mutability: match raw.mutable {
                true => Mutability::Var,
                false => Mutability::Const,
            },
        }
    }
}

macro_rules! defined {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $concrete:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(DefType);

        impl $name {
            /// The defined type, which is of this kind.
            pub(crate) fn of(ty: DefType) -> Self {
                debug_assert_eq!(ty.kind(), Kind::$kind);
                Self(ty)
            }

            /// The defined type.
            pub(crate) fn def(&self) -> &DefType {
                &self.0
            }

            /// Whether it can have subtypes.
            pub fn finality(&self) -> Finality {
                Finality::of(Some(&self.0))
            }

            /// The type that it was defined as a subtype of.
            pub fn supertype(&self) -> Option<Self> {
                Some(Self(self.0.named(self.0.def().supertype?)))
            }

            /// Whether it is `other` or a subtype of it.
            pub fn matches(&self, other: &Self) -> bool {
                self.0.matches(&other.0)
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.id().hash(state);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl From<$name> for HeapType {
            fn from(ty: $name) -> Self {
                Self::$concrete(ty)
            }
        }
    };
}

defined! {
    /// The type of structs: their fields. Cheap to clone; it belongs to an engine.
    ///
    /// ```
    /// use vm::{Engine, FieldType, Mutability, StorageType, StructType, ValType};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let fields = [
    ///     FieldType::new(Mutability::Const, StorageType::I8),
    ///     FieldType::new(Mutability::Var, ValType::I64.into()),
    /// ];
    /// let ty = StructType::new(&engine, fields)?;
    /// assert_eq!(ty.fields().len(), 2);
    /// assert_eq!(ty.to_string(), "(struct (field i8) (field (mut i64)))");
    /// # Ok(())
    /// # }
    /// ```
    StructType, Struct, ConcreteStruct
}

defined! {
    /// The type of arrays: that of their elements. Cheap to clone; it belongs to an
    /// engine.
    ArrayType, Array, ConcreteArray
}

impl StructType {
    /// The final type of structs with these fields.
    ///
    /// # Errors
    /// If there are more than 10000 of them.
    ///
    /// # Panics
    /// If a type in it is of another engine.
    pub fn new(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> Result<Self, TypeError> {
        Self::with_finality_and_supertype(engine, Finality::Final, None, fields)
    }

    /// The type of structs with these fields that is a subtype of `supertype`, and
    /// that can have subtypes itself if it is not final.
    ///
    /// # Errors
    /// If there are more than 10000 fields, or it cannot be a subtype: that one is
    /// final, or has fields that these do not match.
    ///
    /// # Panics
    /// If a type in it is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Self>,
        fields: impl IntoIterator<Item = FieldType>,
    ) -> Result<Self, TypeError> {
        let fields: Vec<FieldType> = fields.into_iter().collect();
        if fields.len() > MAX_FIELDS {
            return Err(TypeError::Fields { limit: MAX_FIELDS });
        }
        if let Some(supertype) = supertype {
            let mut pairs = fields.iter().zip(supertype.fields());
            let fits = supertype.fields().len() <= fields.len() && pairs.all(|(own, other)| own.matches(&other));
            if supertype.finality() == Finality::Final || !fits {
                return Err(TypeError::Supertype);
            }
        }
        let mut definer = Definer::new(engine.types());
        let fields = fields.iter().map(|field| field.raw(&mut definer)).collect();
        let def = SubType {
            is_final: finality == Finality::Final,
            supertype: supertype.map(|ty| definer.keep(&ty.0)),
            ..SubType::plain(RawCompositeType::Struct(fields))
        };
        Ok(Self(definer.intern(def)))
    }

    pub(crate) fn raw_fields(&self) -> &[RawFieldType] {
        match &self.0.def().composite {
            RawCompositeType::Struct(fields) => fields,
            RawCompositeType::Func { .. } | RawCompositeType::Array(_) => &[],
        }
    }

    /// The type of a field; none behind the last.
    pub fn field(&self, i: usize) -> Option<FieldType> {
        self.raw_fields().get(i).map(|field| FieldType::of(*field, &self.0))
    }

    /// The types of the fields.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = FieldType> + '_ {
        self.raw_fields().iter().map(|field| FieldType::of(*field, &self.0))
    }
}

/// Fields that a struct may have, in modules too.
const MAX_FIELDS: usize = 10_000;

impl ArrayType {
    /// The final type of arrays with such elements.
    ///
    /// # Panics
    /// If a type in it is of another engine.
    pub fn new(engine: &Engine, element: FieldType) -> Self {
        Self::define(engine, Finality::Final, None, &element)
    }

    /// The type of arrays with such elements that is a subtype of `supertype`, and
    /// that can have subtypes itself if it is not final.
    ///
    /// # Errors
    /// If it cannot be a subtype: that one is final, or has elements that these do
    /// not match.
    ///
    /// # Panics
    /// If a type in it is of another engine.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Self>,
        element: FieldType,
    ) -> Result<Self, TypeError> {
        if let Some(supertype) = supertype
            && (supertype.finality() == Finality::Final || !element.matches(&supertype.field_type()))
        {
            return Err(TypeError::Supertype);
        }
        Ok(Self::define(engine, finality, supertype, &element))
    }

    fn define(engine: &Engine, finality: Finality, supertype: Option<&Self>, element: &FieldType) -> Self {
        let mut definer = Definer::new(engine.types());
        let element = element.raw(&mut definer);
        let def = SubType {
            is_final: finality == Finality::Final,
            supertype: supertype.map(|ty| definer.keep(&ty.0)),
            ..SubType::plain(RawCompositeType::Array(element))
        };
        Self(definer.intern(def))
    }

    /// The type of its elements as fields.
    pub fn field_type(&self) -> FieldType {
        FieldType::of(self.raw_field(), &self.0)
    }

    /// What its elements hold.
    pub fn element_type(&self) -> StorageType {
        self.field_type().element
    }

    /// Whether its elements can change.
    pub fn mutability(&self) -> Mutability {
        self.field_type().mutability
    }

    pub(crate) fn raw_field(&self) -> RawFieldType {
        match &self.0.def().composite {
            RawCompositeType::Array(element) => *element,
            RawCompositeType::Func { .. } | RawCompositeType::Struct(_) => unreachable!("made of array types"),
        }
    }
}
