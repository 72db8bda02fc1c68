//! References that the host holds to objects of a store's heap, and all else that
//! keeps such objects.
//!
//! A [`Rooted`] reference is good as long as the scope it was made in: the call of a
//! host function, a [`RootScope`], or else the store. An [`OwnedRooted`] one is good
//! as long as it is there. Names and rules are wasmtime's.

use std::sync::{Arc, Weak};

use super::store::{InstanceId, StoreId, StoreInner};
use crate::module::GlobalIdx;

/// Owned roots after which those that are gone are looked for.
const OWNED: usize = 64;

/// The references that the host holds.
#[derive(Debug, Default)]
pub(crate) struct RootSet {
    /// Those of scopes, innermost last.
    scoped: Vec<Scoped>,
    /// How often a scope has ended that had references.
    generation: u64,
    owned: Vec<Owned>,
    /// How many owned ones there may be before those that are gone are looked for.
    owned_limit: usize,
    /// The exception that the store's guests have not caught; 0 if there is none.
    pub(crate) pending_exception: u32,
}

#[derive(Debug)]
struct Scoped {
    /// When it was made.
    generation: u64,
    handle: u32,
}

#[derive(Debug)]
struct Owned {
    handle: u32,
    holder: Weak<OwnedRoot>,
}

/// What the clones of an [`OwnedRooted`] have in common.
#[derive(Debug)]
struct OwnedRoot {
    store: StoreId,
    handle: u32,
}

/// Where a scope began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeStart(usize);

impl RootSet {
    /// Begins a scope.
    #[inline]
    pub(crate) fn enter(&self) -> ScopeStart {
        ScopeStart(self.scoped.len())
    }

    /// Ends a scope, and all that began since it did.
    #[inline]
    pub(crate) fn exit(&mut self, start: ScopeStart) {
        if self.scoped.len() > start.0 {
            self.scoped.truncate(start.0);
            self.generation += 1;
        }
    }

    /// Keeps an object until the scope ends.
    pub(crate) fn push(&mut self, handle: u32) -> RootIndex {
        let generation = self.generation;
        self.scoped.push(Scoped { generation, handle });
        RootIndex {
            generation,
            index: self.scoped.len() - 1,
        }
    }

    fn get(&self, root: RootIndex) -> Option<u32> {
        let scoped = self.scoped.get(root.index)?;
        (scoped.generation == root.generation).then_some(scoped.handle)
    }

    fn own(&mut self, store: StoreId, handle: u32) -> Arc<OwnedRoot> {
        if self.owned.len() >= self.owned_limit {
            self.owned.retain(|owned| owned.holder.strong_count() > 0);
            self.owned_limit = (2 * self.owned.len()).max(OWNED);
        }
        let root = Arc::new(OwnedRoot { store, handle });
        let holder = Arc::downgrade(&root);
        self.owned.push(Owned { handle, holder });
        root
    }

    fn each(&self, mut see: impl FnMut(u64)) {
        self.scoped.iter().for_each(|scoped| see(scoped.handle.into()));
        let owned = self.owned.iter().filter(|owned| owned.holder.strong_count() > 0);
        owned.for_each(|owned| see(owned.handle.into()));
        see(self.pending_exception.into());
    }
}

impl StoreInner {
    /// Finds the globals of a new instance that may hold handles.
    pub(super) fn note_handle_globals(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(id.index()) else {
            return;
        };
        let module = instance.module.data();
        for (i, _) in (0..).zip(&module.globals).filter(|(_, ty)| ty.is_handle()) {
            let cell = instance.cx.global(GlobalIdx::new(i));
            instance.handle_globals.push(cell);
        }
        // An instance that is made again has many of the same cells.
        instance.handle_globals.sort_unstable_by_key(|cell| cell.as_ptr());
        instance.handle_globals.dedup();
    }

    /// The slots outside the value stack and the heap that may hold handles; some hold
    /// other references.
    pub(crate) fn each_root(&self, mut see: impl FnMut(u64)) {
        self.roots.each(&mut see);
        let tables = self.tables.iter();
        let tables = tables.filter(|table| table.ty().element().heap_type().is_handle());
        tables.for_each(|table| table.elems().iter().for_each(|slot| see(*slot)));
        let globals = self.host_globals.iter().filter(|global| global.is_handle());
        globals.for_each(|global| see(global.cell().get()));
        for instance in &self.instances {
            instance.handle_globals.iter().for_each(|cell| see(cell.get()));
            instance.elems.iter().flatten().for_each(|slot| see(*slot));
        }
    }
}

/// Where a scoped reference is in its store's set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RootIndex {
    generation: u64,
    index: usize,
}
