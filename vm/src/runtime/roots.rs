//! References that the host holds to objects of a store's heap, and all else that
//! keeps such objects.
//!
//! A [`Rooted`] reference is good as long as the scope it was made in: the call of a
//! host function, a [`RootScope`], or else the store. An [`OwnedRooted`] one is good
//! as long as it is there. Names and rules are wasmtime's.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::context::{AsContext, AsContextMut, StoreContext, StoreContextMut};
use super::store::{InstanceId, StoreId, StoreInner};
use crate::error::{Error, TypeError};
use crate::module::GlobalIdx;

/// Owned roots after which those that are gone are looked for.
const OWNED: usize = 64;

/// The references that the host holds.
#[derive(Debug, Default)]
pub(crate) struct RootSet {
    /// Locked where the store is borrowed for reading only: a value that is read may be
    /// one more reference.
    held: Mutex<Held>,
    /// The exception that the store's guests have not caught; 0 if there is none.
    pub(crate) pending_exception: u32,
}

#[derive(Debug, Default)]
struct Held {
    /// Those of scopes, innermost last.
    scoped: Vec<Scoped>,
    /// How often a scope has ended that had references.
    generation: u64,
    /// Those that are owned, by number.
    owned: HashMap<u64, Owned>,
    /// The number of the last of them.
    last_owned: u64,
    /// How many of them there may be before those that are gone are looked for.
    owned_limit: usize,
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
    holder: Weak<()>,
}

/// Where a scope began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopeStart(usize);

/// Where a reference is in its store's set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    store: StoreId,
    /// When it was made, or the number of one that is owned.
    stamp: u64,
    /// Where among those of scopes, or [`IS_OWNED`].
    index: u32,
}

/// See [`Root`].
const IS_OWNED: u32 = u32::MAX;

impl RootSet {
    /// Begins a scope.
    #[inline]
    pub(crate) fn enter(&mut self) -> ScopeStart {
        ScopeStart(self.held_mut().scoped.len())
    }

    /// Ends a scope, and all that began since it did.
    #[inline]
    pub(crate) fn exit(&mut self, start: ScopeStart) {
        let held = self.held_mut();
        if held.scoped.len() > start.0 {
            held.scoped.truncate(start.0);
            held.generation += 1;
        }
    }

    /// Keeps an object until the scope ends.
    #[allow(dead_code, reason = "GC instructions are yet to use it")]
    pub(crate) fn push(&mut self, handle: u32) {
        self.held_mut().push(handle);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn held_mut(&mut self) -> &mut Held {
        self.held.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, store: StoreId, handle: u32) -> Root {
        let mut held = self.held();
        let index = u32::try_from(held.scoped.len()).ok().filter(|index| *index != IS_OWNED);
        let index = index.expect("fewer references than 2^32 are in scopes");
        held.push(handle);
        Root {
            store,
            stamp: held.generation,
            index,
        }
    }

    fn get(&self, root: Root) -> Option<u32> {
        let held = self.held();
        if root.index == IS_OWNED {
            let owned = held.owned.get(&root.stamp)?;
            return (owned.holder.strong_count() > 0).then_some(owned.handle);
        }
        let scoped = held.scoped.get(root.index as usize)?;
        (scoped.generation == root.stamp).then_some(scoped.handle)
    }

    fn each(&self, mut see: impl FnMut(u64)) {
        let held = self.held();
        held.scoped.iter().for_each(|scoped| see(scoped.handle.into()));
        let owned = held.owned.values().filter(|owned| owned.holder.strong_count() > 0);
        owned.for_each(|owned| see(owned.handle.into()));
        see(self.pending_exception.into());
    }
}

impl Held {
    fn push(&mut self, handle: u32) {
        let generation = self.generation;
        self.scoped.push(Scoped { generation, handle });
    }

    fn own(&mut self, store: StoreId, handle: u32) -> (Root, Arc<()>) {
        if self.owned.len() >= self.owned_limit {
            self.owned.retain(|_, owned| owned.holder.strong_count() > 0);
            self.owned_limit = (2 * self.owned.len()).max(OWNED);
        }
        self.last_owned += 1;
        let life = Arc::new(());
        let holder = Arc::downgrade(&life);
        self.owned.insert(self.last_owned, Owned { handle, holder });
        let root = Root {
            store,
            stamp: self.last_owned,
            index: IS_OWNED,
        };
        (root, life)
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
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        for snapshot in snapshots.iter().filter_map(Weak::upgrade) {
            snapshot.iter().for_each(|handle| see((*handle).into()));
        }
    }
}

mod sealed {
    use super::Root;

    /// What references of all kinds are.
    pub trait Reference: Copy {
        /// One that is in its store's set there.
        #[doc(hidden)]
        fn of(root: Root) -> Self;
        /// Where it is.
        #[doc(hidden)]
        fn root(&self) -> Root;
    }
}
pub(super) use sealed::Reference;

/// A kind of references to garbage-collected objects.
pub trait GcRef: Reference {}

impl<R: Reference> GcRef for R {}

/// [`Rooted`] or [`OwnedRooted`].
pub trait RootedGcRef<T: GcRef>: Deref<Target = T> {}

impl<T: GcRef> RootedGcRef<T> for Rooted<T> {}
impl<T: GcRef> RootedGcRef<T> for OwnedRooted<T> {}

impl Root {
    /// The handle.
    ///
    /// # Errors
    /// If it is of another store, or its scope has ended.
    pub(super) fn handle(self, store: &StoreInner) -> Result<u32, TypeError> {
        if self.store != store.id {
            return Err(TypeError::OtherStore { what: "reference" });
        }
        store.roots.get(self).ok_or(TypeError::Unrooted)
    }
}

/// A reference to a garbage-collected object, which keeps the object until its scope
/// ends: the call of the host function in which it was made, or the innermost
/// [`RootScope`], or else the store. What is done with it later is an error,
/// [`TypeError::Unrooted`].
///
/// ```
/// use vm::{AsContextMut, Engine, ExternRef, RootScope, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let (inner, outer) = {
///     let mut scope = RootScope::new(&mut store);
///     let value = ExternRef::new(&mut scope, "orca")?;
///     (value, value.to_owned_rooted(&mut scope)?)
/// };
/// assert!(inner.data(&store).is_err());
/// assert!(outer.data(&store)?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rooted<T: GcRef> {
    reference: T,
}

impl<T: GcRef> Rooted<T> {
    /// One to what a handle refers to, in the innermost scope.
    pub(crate) fn new(store: &StoreInner, handle: u32) -> Self {
        Self {
            reference: T::of(store.roots.add(store.id, handle)),
        }
    }

    /// One that is in its store's set there.
    pub(super) fn at(root: Root) -> Self {
        Self { reference: T::of(root) }
    }

    /// One to what the handle in a slot refers to, unless that is null.
    pub(crate) fn from_slot(slot: u64, store: &StoreInner) -> Option<Self> {
        // Handles have the low half of their slots.
        let handle = slot as u32;
        (handle != 0).then(|| Self::new(store, handle))
    }

    /// The handle.
    ///
    /// # Errors
    /// If it is of another store, or its scope has ended.
    pub(crate) fn handle(&self, store: &StoreInner) -> Result<u32, TypeError> {
        self.reference.root().handle(store)
    }

    /// The same reference as one of another kind, which what it refers to is of.
    pub(super) fn cast<U: GcRef>(self) -> Rooted<U> {
        Rooted::at(self.reference.root())
    }

    /// A reference to the same object that does not end with the scope.
    ///
    /// # Errors
    /// If its own scope has ended, or it is of another store.
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>, Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let handle = self.handle(inner)?;
        let (root, life) = inner.roots.held_mut().own(inner.id, handle);
        Ok(OwnedRooted {
            reference: T::of(root),
            life,
        })
    }

    /// Whether both refer to the same object, or are the same [`I31`](crate::I31).
    ///
    /// # Errors
    /// If the scope of one has ended, or one is of another store.
    pub fn ref_eq(store: impl AsContext, a: &impl RootedGcRef<T>, b: &impl RootedGcRef<T>) -> Result<bool, Error> {
        let inner = &store.as_context().0.inner;
        Ok(a.root().handle(inner)? == b.root().handle(inner)?)
    }

    /// Whether both are the same reference, made at one time.
    pub fn rooted_eq(a: Self, b: Self) -> bool {
        a.reference.root() == b.reference.root()
    }
}

impl<T: GcRef> Deref for Rooted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.reference
    }
}

/// A reference to a garbage-collected object, which keeps the object as long as the
/// reference, or a clone of it, is there.
///
/// An object that refers to itself by way of the host's data is never freed.
#[derive(Clone, Debug)]
pub struct OwnedRooted<T: GcRef> {
    reference: T,
    /// The store sees by it whether the reference is there.
    #[allow(dead_code, reason = "held for its count")]
    life: Arc<()>,
}

impl<T: GcRef> OwnedRooted<T> {
    /// A reference to the same object in the innermost scope.
    ///
    /// # Panics
    /// If it is of another store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Rooted<T> {
        let inner = &mut store.as_context_mut().0.inner;
        let handle = self.reference.root().handle(inner);
        Rooted::new(inner, handle.expect("an owned reference was used with its store"))
    }
}

impl<T: GcRef> Deref for OwnedRooted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.reference
    }
}

/// A scope of references: those made by way of it end with it.
///
/// It leads to the store as what it was made of does.
#[derive(Debug)]
pub struct RootScope<C: AsContextMut> {
    store: C,
    start: ScopeStart,
}

impl<C: AsContextMut> RootScope<C> {
    /// A scope that begins now.
    pub fn new(mut store: C) -> Self {
        let start = store.as_context_mut().0.inner.roots.enter();
        Self { store, start }
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        let start = self.start;
        self.store.as_context_mut().0.inner.roots.exit(start);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}
