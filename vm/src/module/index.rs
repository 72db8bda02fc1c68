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
///
/// A type stays as long as something has the type itself, which whoever keeps an
/// identity therefore does: modules and host functions. Guests load modules of
/// ever new types; what nothing has any more makes room for others.
#[derive(Debug, Default)]
pub(crate) struct TypeRegistry(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    ids: HashMap<FuncType, TypeId>,
    /// By identity; those in `free` mean nothing.
    types: Vec<FuncType>,
    free: Vec<TypeId>,
    /// How many types there are when it is next looked for those that can go.
    next_sweep: usize,
}

impl Registered {
    /// Types for which nothing is looked for.
    const FEW: usize = 1000;

    /// Forgets the types that nothing has but this, if there are twice as many as
    /// the last time.
    fn sweep(&mut self) {
        if self.ids.len() < self.next_sweep.max(Self::FEW) {
            return;
        }
        let Self { ids, types, free, .. } = self;
        ids.retain(|ty, id| {
            // One is the key; others are in `types` and in use.
            let is_used = ty.holders() > 2;
            if !is_used && let Some(own) = types.get_mut(id.index()) {
                *own = FuncType::new([], []);
                free.push(*id);
            }
            is_used
        });
        self.next_sweep = 2 * self.ids.len();
    }
}

impl TypeRegistry {
    /// The identity of a type, and the type to keep with it.
    pub(crate) fn intern(&self, ty: &FuncType) -> (TypeId, FuncType) {
        let mut this = self.lock();
        if let Some((own, id)) = this.ids.get_key_value(ty) {
            return (*id, own.clone());
        }
        this.sweep();
        let id = match this.free.pop() {
            Some(id) => id,
            None => TypeId(u32::try_from(this.types.len()).expect("fewer types than bytes of modules in memory")),
        };
        match this.types.get_mut(id.index()) {
            Some(free) => *free = ty.clone(),
            None => this.types.push(ty.clone()),
        }
        this.ids.insert(ty.clone(), id);
        (id, ty.clone())
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
