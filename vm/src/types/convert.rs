//! From wasmparser's types to this crate's. Not by `TryFrom`, so that
//! wasmparser is no part of the public interface.

use std::sync::Arc;

use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};

use super::memory::DEFAULT_PAGE_LOG2;
use super::raw::{
    Abstract, Kind, RawCompositeType, RawFieldType, RawHeapType, RawRefType, RawStorageType, RawValType, SubType,
};
use super::registry::{RecGroup, types_of};
use super::{
    CompositeType, GlobalType, HeapType, MemoryType, Mutability, RefType, TableType, TypeId, TypeRegistry, ValType,
};

/// What a type of a proposal that this crate does not run needs: the proposal,
/// as in `… is not supported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) &'static str);

const SHARED: Unsupported = Unsupported("the shared-everything-threads proposal");
const STACKS: Unsupported = Unsupported("the stack-switching proposal");

/// The type index space of a module, as far as it has been read.
#[derive(Clone, Copy)]
pub(crate) struct TypeSpace<'a> {
    /// Types of groups that are complete.
    types: &'a [CompositeType],
    /// Those of the group that is being read, which follow.
    own: &'a [Kind],
}

impl<'a> TypeSpace<'a> {
    /// The types of a module.
    pub(crate) fn new(types: &'a [CompositeType]) -> Self {
        Self { types, own: &[] }
    }

    /// The type with an index that validation has seen.
    fn get(self, index: UnpackedIndex) -> (Kind, TypeId) {
        let index = index.as_module_index().expect("a module names types by their indices") as usize;
        if let Some(ty) = self.types.get(index) {
            return (ty.def().kind(), ty.def().id());
        }
        let own = index - self.types.len();
        let kind = self.own.get(own).expect("validation bounds indices of types");
        (
            *kind,
            TypeId::own(u32::try_from(own).expect("validation bounds the number of types")),
        )
    }

    fn id(self, index: UnpackedIndex) -> TypeId {
        self.get(index).1
    }

    fn heap(self, ty: wasmparser::HeapType) -> Result<RawHeapType, Unsupported> {
        use wasmparser::HeapType as Wasm;
        let concrete = |index, exact| {
            let (kind, id) = self.get(index);
            RawHeapType::Concrete { kind, exact, id }
        };
        Ok(match ty {
            Wasm::Abstract { shared: true, .. } => return Err(SHARED),
            Wasm::Abstract { ty, shared: false } => RawHeapType::Abstract(match ty {
                AbstractHeapType::Func => Abstract::Func,
                AbstractHeapType::Extern => Abstract::Extern,
                AbstractHeapType::Any => Abstract::Any,
                AbstractHeapType::None => Abstract::None,
                AbstractHeapType::NoExtern => Abstract::NoExtern,
                AbstractHeapType::NoFunc => Abstract::NoFunc,
                AbstractHeapType::Eq => Abstract::Eq,
                AbstractHeapType::Struct => Abstract::Struct,
                AbstractHeapType::Array => Abstract::Array,
                AbstractHeapType::I31 => Abstract::I31,
                AbstractHeapType::Exn => Abstract::Exn,
                AbstractHeapType::NoExn => Abstract::NoExn,
                AbstractHeapType::Cont | AbstractHeapType::NoCont => return Err(STACKS),
            }),
            Wasm::Concrete(index) => concrete(index, false),
            Wasm::Exact(index) => concrete(index, true),
        })
    }

    fn reference(self, ty: wasmparser::RefType) -> Result<RawRefType, Unsupported> {
        Ok(RawRefType {
            nullable: ty.is_nullable(),
            heap: self.heap(ty.heap_type())?,
        })
    }

    fn val(self, ty: wasmparser::ValType) -> Result<RawValType, Unsupported> {
        Ok(match ty {
            wasmparser::ValType::I32 => RawValType::I32,
            wasmparser::ValType::I64 => RawValType::I64,
            wasmparser::ValType::F32 => RawValType::F32,
            wasmparser::ValType::F64 => RawValType::F64,
            wasmparser::ValType::V128 => RawValType::V128,
            wasmparser::ValType::Ref(ty) => RawValType::Ref(self.reference(ty)?),
        })
    }

    fn field(self, ty: wasmparser::FieldType) -> Result<RawFieldType, Unsupported> {
        Ok(RawFieldType {
            storage: match ty.element_type {
                wasmparser::StorageType::I8 => RawStorageType::I8,
                wasmparser::StorageType::I16 => RawStorageType::I16,
                wasmparser::StorageType::Val(ty) => RawStorageType::Val(self.val(ty)?),
            },
            mutable: ty.mutable,
        })
    }

    fn definition(self, ty: &wasmparser::SubType) -> Result<SubType, Unsupported> {
        let composite = &ty.composite_type;
        if composite.shared {
            return Err(SHARED);
        }
        let id = |index: &wasmparser::PackedIndex| self.id(index.unpack());
        Ok(SubType {
            is_final: ty.is_final,
            supertype: ty.supertype_idxs.first().map(id),
            descriptor: composite.descriptor_idx.as_ref().map(id),
            describes: composite.describes_idx.as_ref().map(id),
            composite: match &composite.inner {
                CompositeInnerType::Func(ty) => RawCompositeType::Func {
                    types: (ty.params().iter().chain(ty.results()))
                        .map(|ty| self.val(*ty))
                        .collect::<Result<_, _>>()?,
                    params: ty.params().len(),
                },
                CompositeInnerType::Array(ty) => RawCompositeType::Array(self.field(ty.0)?),
                CompositeInnerType::Struct(ty) => {
                    RawCompositeType::Struct((ty.fields.iter()).map(|ty| self.field(*ty)).collect::<Result<_, _>>()?)
                }
                CompositeInnerType::Cont(_) => return Err(STACKS),
            },
        })
    }
}

impl CompositeType {
    /// Adds the types of a recursion group to those of its module.
    pub(crate) fn add_group(
        types: &mut Vec<Self>,
        group: &wasmparser::RecGroup,
        registry: &TypeRegistry,
    ) -> Result<(), Unsupported> {
        let kind = |ty: &wasmparser::SubType| match ty.composite_type.inner {
            CompositeInnerType::Func(_) => Ok(Kind::Func),
            CompositeInnerType::Array(_) => Ok(Kind::Array),
            CompositeInnerType::Struct(_) => Ok(Kind::Struct),
            CompositeInnerType::Cont(_) => Err(STACKS),
        };
        let own = group.types().map(kind).collect::<Result<Vec<_>, _>>()?;
        if own.is_empty() {
            return Ok(());
        }
        let space = TypeSpace { types, own: &own };
        let defs = group.types().map(|ty| space.definition(ty));
        let defs = defs.collect::<Result<Vec<_>, _>>()?;
        let mut named = Vec::new();
        let mut keep = |id: TypeId| {
            if id.as_own().is_none() {
                named.push(Arc::clone(registry.get(id).group()));
            }
        };
        defs.iter().for_each(|def| def.for_each_named(&mut keep));
        named.sort_unstable_by_key(|group: &Arc<RecGroup>| Arc::as_ptr(group));
        named.dedup_by(|a, b| Arc::ptr_eq(a, b));
        types.extend(types_of(&registry.intern(defs, named)).map(Self::of));
        Ok(())
    }
}

impl RefType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(
        ty: wasmparser::RefType,
        space: TypeSpace<'_>,
        registry: &TypeRegistry,
    ) -> Result<Self, Unsupported> {
        let raw = space.reference(ty)?;
        let heap = HeapType::from_raw(raw.heap, |id| registry.get(id));
        Ok(Self::new(raw.nullable, heap))
    }
}

impl GlobalType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(
        ty: wasmparser::GlobalType,
        space: TypeSpace<'_>,
        registry: &TypeRegistry,
    ) -> Result<Self, Unsupported> {
        if ty.shared {
            return Err(SHARED);
        }
        let mutability = if ty.mutable { Mutability::Var } else { Mutability::Const };
        let content = ValType::from_raw(space.val(ty.content_type)?, |id| registry.get(id));
        Ok(Self::new(content, mutability))
    }
}

impl TableType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(
        ty: wasmparser::TableType,
        space: TypeSpace<'_>,
        registry: &TypeRegistry,
    ) -> Result<Self, Unsupported> {
        if ty.shared {
            return Err(SHARED);
        }
        Ok(Self {
            element: RefType::from_wasm(ty.element_type, space, registry)?,
            minimum: ty.initial,
            maximum: ty.maximum,
            is_64: ty.table64,
        })
    }
}

impl MemoryType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: wasmparser::MemoryType) -> Self {
        Self {
            minimum: ty.initial,
            maximum: ty.maximum,
            page_size_log2: ty.page_size_log2.unwrap_or(DEFAULT_PAGE_LOG2),
            is_64: ty.memory64,
            shared: ty.shared,
        }
    }
}
