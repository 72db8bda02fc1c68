//! Indices of a module's index spaces (Spec 3.0 §2.5.1), and the identity of
//! function types across modules.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::FuncType;

macro_rules! indices {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(u32);

        #[allow(dead_code, reason = "one set of methods for all indices")]
        impl $name {
            /// The index `i`.
            pub(crate) fn new(i: u32) -> Self {
                Self(i)
            }

            /// The index, for lists.
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }

            /// The index as the binary format has it.
            pub(crate) fn as_u32(self) -> u32 {
                self.0
            }
        }
    )*};
}

indices! {
    /// Index of a type.
    TypeIdx;
    /// Index of a function.
    FuncIdx;
    /// Index of a table.
    TableIdx;
    /// Index of a memory.
    MemoryIdx;
    /// Index of a global.
    GlobalIdx;
    /// Identity of a function type in an engine: equal types have one.
    TypeId;
}

/// The function types of an engine, each with its identity.
#[derive(Debug, Default)]
pub(crate) struct TypeRegistry(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    ids: HashMap<FuncType, TypeId>,
    types: Vec<FuncType>,
}

impl TypeRegistry {
    /// The identity of a type.
    pub(crate) fn intern(&self, ty: &FuncType) -> TypeId {
        let mut this = self.lock();
        if let Some(id) = this.ids.get(ty) {
            return *id;
        }
        let id = TypeId(u32::try_from(this.types.len()).expect("fewer types than bytes of modules in memory"));
        this.types.push(ty.clone());
        this.ids.insert(ty.clone(), id);
        id
    }

    /// The type with this identity.
    ///
    /// # Panics
    /// If the identity comes from another engine.
    pub(crate) fn get(&self, id: TypeId) -> FuncType {
        self.lock()
            .types
            .get(id.index())
            .expect("identities are given by `intern` only")
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
