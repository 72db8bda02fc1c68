//! From wasmparser's types to this crate's. Not by `TryFrom`, so that
//! wasmparser is no part of the public interface.

use super::memory::DEFAULT_PAGE_LOG2;
use super::{FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType, TableType, ValType};

/// What a type of a proposal that this crate does not run needs: the proposal,
/// as in `… is not supported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) &'static str);

impl RefType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: wasmparser::RefType) -> Result<Self, Unsupported> {
        use wasmparser::{AbstractHeapType as Abstract, HeapType as Wasm};
        let heap = match ty.heap_type() {
            Wasm::Abstract { shared: true, .. } => return Err(Unsupported("the shared-everything-threads proposal")),
            Wasm::Abstract { ty: Abstract::Func, .. } => HeapType::Func,
            Wasm::Abstract {
                ty: Abstract::Extern, ..
            } => HeapType::Extern,
            Wasm::Abstract {
                ty: Abstract::Exn | Abstract::NoExn,
                ..
            } => {
                return Err(Unsupported("the exception-handling proposal"));
            }
            Wasm::Abstract {
                ty: Abstract::Cont | Abstract::NoCont,
                ..
            } => {
                return Err(Unsupported("the stack-switching proposal"));
            }
            Wasm::Abstract { .. } => return Err(Unsupported("the gc proposal")),
            Wasm::Concrete(_) => return Err(Unsupported("the function-references proposal")),
            Wasm::Exact(_) => return Err(Unsupported("the custom-descriptors proposal")),
        };
        if ty.is_nullable() {
            Ok(Self { heap, nullable: true })
        } else {
            Err(Unsupported("the function-references proposal"))
        }
    }
}

impl ValType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: wasmparser::ValType) -> Result<Self, Unsupported> {
        Ok(match ty {
            wasmparser::ValType::I32 => Self::I32,
            wasmparser::ValType::I64 => Self::I64,
            wasmparser::ValType::F32 => Self::F32,
            wasmparser::ValType::F64 => Self::F64,
            wasmparser::ValType::V128 => Self::V128,
            wasmparser::ValType::Ref(ty) => Self::Ref(RefType::from_wasm(ty)?),
        })
    }
}

impl FuncType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: &wasmparser::FuncType) -> Result<Self, Unsupported> {
        let both = ty.params().iter().chain(ty.results());
        let types = both.map(|ty| ValType::from_wasm(*ty)).collect::<Result<_, _>>()?;
        Ok(Self {
            types,
            params: ty.params().len(),
        })
    }
}

impl GlobalType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: wasmparser::GlobalType) -> Result<Self, Unsupported> {
        if ty.shared {
            return Err(Unsupported("the shared-everything-threads proposal"));
        }
        let mutability = if ty.mutable { Mutability::Var } else { Mutability::Const };
        Ok(Self::new(ValType::from_wasm(ty.content_type)?, mutability))
    }
}

impl TableType {
    /// The type as wasmparser has it.
    pub(crate) fn from_wasm(ty: wasmparser::TableType) -> Result<Self, Unsupported> {
        if ty.shared {
            return Err(Unsupported("the shared-everything-threads proposal"));
        }
        let element = RefType::from_wasm(ty.element_type)?;
        Ok(Self {
            element,
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
