//! Snapshots: what an instance was, for it to become that again and for others
//! to begin so.
//!
//! The bytes of memories are kept by `exec/memory/saved.rs`; what is cheap to
//! copy is copied here. References stay as they are in a snapshot: it is of use
//! in its own store only, where what they refer to lives as long as the store.

use std::fmt;
use std::sync::{Arc, PoisonError};

use super::constant;
use super::context::{AsContext, AsContextMut};
use super::instance::{Imports, Instance, allocate};
use super::module::Module;
use super::store::{InstanceEntity, InstanceId, StoreId, StoreInner};
use crate::error::{Error, LimitError, SnapshotError};
use crate::exec::globals::{GivenValues, GlobalRef};
use crate::exec::heap;
use crate::exec::memory::{MemoryRef, SavedMemory};
use crate::exec::table::{TableInst, TableRef};
use crate::module::GlobalIdx;
use crate::types::ValType;

/// The state of an instance at some time.
///
/// It is the state of what the instance itself defines: memories (their sizes,
/// their bytes, and which regions are mapped into them), globals, tables, and
/// which segments are dropped. What the instance imports is no part of it, nor
/// are the bytes of regions: others share those.
///
/// A clone is the same snapshot. It outlives its instance's store, but is of use
/// in that store only. What it keeps counts for no domain's quota.
///
/// ```
/// use vm::{Engine, Instance, Module, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (memory 1)
///         (func (export "next") (result i32)
///             (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
///             (i32.load (i32.const 8))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let next = instance.get_typed_func::<(), i32>(&mut store, "next")?;
/// assert_eq!(next.call(&mut store, ())?, 1);
///
/// let snapshot = instance.snapshot(&store)?;
/// assert_eq!(next.call(&mut store, ())?, 2);
/// instance.restore(&mut store, &snapshot)?;
/// assert_eq!(next.call(&mut store, ())?, 2);
///
/// // Instances that begin so share its pages until they write them.
/// let fork = snapshot.instantiate(&mut store)?;
/// let next = fork.get_typed_func::<(), i32>(&mut store, "next")?;
/// assert_eq!(next.call(&mut store, ())?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("instance", &self.0.instance)
            .finish_non_exhaustive()
    }
}

struct Inner {
    store: StoreId,
    /// The instance it is of.
    instance: InstanceId,
    module: Module,
    saved: Saved,
    /// The objects that what is saved refers to: the store keeps them as long as this.
    #[allow(dead_code, reason = "held for its count")]
    kept: Arc<[u32]>,
}

/// The state of what an instance defines itself.
pub(super) struct Saved {
    /// Its own memories.
    pub(super) memories: Vec<SavedMemory>,
    /// Elements of its own tables, as slots.
    pub(super) tables: Vec<Vec<u64>>,
    /// Values of its own globals, as slots.
    globals: Vec<[u64; 2]>,
    /// Values of the globals that it was given by value.
    given: Vec<[u64; 2]>,
    /// Which element segments have elements: always those they had at first.
    has_elems: Vec<bool>,
    /// Which data segments are dropped.
    dropped_data: Vec<bool>,
}

impl Instance {
    /// The instance's state, as it is now.
    ///
    /// The bytes of its memories are copied once, those of pages that are all
    /// zeros not at all. While the snapshot is in use it has a file descriptor
    /// for each memory, or copies in the host's memory where there are none.
    ///
    /// A host function may take a snapshot of an instance that is calling it:
    /// it has what the call has done so far. A fork does not go on with the call.
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store, Val};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (global (export "x") (mut i32) (i32.const 1)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let snapshot = instance.snapshot(&store)?;
    /// let x = instance.get_global(&mut store, "x").unwrap();
    /// x.set(&mut store, Val::I32(2))?;
    /// instance.restore(&mut store, &snapshot)?;
    /// assert_eq!(x.get(&store).i32(), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] if there is no memory for it; [`SnapshotError::Objects`] if its own
    /// globals or tables refer to garbage-collected objects other than values of the
    /// host; [`SnapshotError::SharedMemory`] if it has a shared memory of its own, which
    /// others may be writing.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn snapshot(&self, store: impl AsContext) -> Result<Snapshot, Error> {
        let inner = &store.as_context().0.inner;
        let id = self.within(inner);
        let instance = &inner.instances[id.index()];
        let saved = Saved::of(instance)?;
        let kept = inner.keep(saved.handles(instance).chain(element_handles(instance)))?;
        Ok(Snapshot(Arc::new(Inner {
            store: inner.id,
            instance: id,
            module: instance.module.clone(),
            saved,
            kept,
        })))
    }

    /// Puts the instance into the state of a snapshot, which is of this or of
    /// another instance of its module in this store.
    ///
    /// What its memories have grown by is inaccessible then, regions are mapped
    /// where they were, tables have their former size, and dropped segments are
    /// back. Quotas are charged for the sizes as they are then. The second time
    /// that an instance gets a snapshot's state, it takes time in proportion to
    /// the pages written since and to the tables, not to the memory's size.
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store, Trap};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (memory (export "memory") 1)
    ///         (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let snapshot = instance.snapshot(&store)?;
    ///
    /// let memory = instance.get_memory(&mut store, "memory").unwrap();
    /// memory.grow(&mut store, 1)?;
    /// memory.write(&mut store, 0x1_0000, b"orca")?;
    /// instance.restore(&mut store, &snapshot)?;
    /// let load = instance.get_typed_func::<i32, i32>(&mut store, "load")?;
    /// assert_eq!(load.call(&mut store, 0x1_0000).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    /// memory.grow(&mut store, 1)?;
    /// assert_eq!(load.call(&mut store, 0x1_0000)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Snapshot`] if the snapshot is of another store or module, or of an
    /// instance that was linked with other addresses, or a function of the store is
    /// running; [`Error::Permission`], [`Error::Limit`]
    /// or the limiter's error if memories or tables were larger than they are
    /// and may not be now; [`Error::Region`] if a region cannot be mapped into a
    /// memory without guard pages. Nothing has changed then.
    ///
    /// [`Error::Region`], [`Error::Limit`] or [`Error::Resource`] if the
    /// operating system refuses to map something: memories may have some of
    /// their former sizes, regions and bytes then, and all else is as it was. A
    /// fresh attempt is possible.
    ///
    /// # Panics
    /// If the instance belongs to another store.
    pub fn restore(&self, mut store: impl AsContextMut, snapshot: &Snapshot) -> Result<(), Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let id = self.within(inner);
        snapshot.check_store(inner)?;
        let instance = &inner.instances[id.index()];
        let module = instance.module.data();
        if !Arc::ptr_eq(module, snapshot.0.module.data()) {
            return Err(SnapshotError::OtherModule.into());
        }
        snapshot.check_settled(instance)?;
        if inner.machine.is_running() {
            return Err(SnapshotError::Running.into());
        }
        let memories = instance.memories[module.num_imported_memories..].to_vec();
        let tables = instance.tables[module.num_imported_tables..].to_vec();
        let saved = &snapshot.0.saved;
        let restored = saved
            .admit(inner, whole, &memories, &tables)
            .and_then(|()| saved.restore(&memories, &tables));
        for memory in &memories {
            memory.get_mut().settle();
        }
        for table in &tables {
            table.get_mut().settle();
        }
        restored?;
        snapshot.adopt(inner, id);
        Ok(())
    }

    /// A copy of the instance, in the same domain and with the same imports,
    /// that shares the pages of its memories until one of them writes.
    ///
    /// References to the instance's own functions, in its own tables and
    /// globals, are references to the copy's functions there. The start
    /// function does not run.
    ///
    /// This makes a snapshot for one copy. Several copies of one state cost
    /// less, in time and in file descriptors, as one snapshot's
    /// ([`Snapshot::instantiate`]).
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (memory (export "memory") 1))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let memory = instance.get_memory(&mut store, "memory").unwrap();
    /// memory.write(&mut store, 0, b"orca")?;
    ///
    /// let fork = instance.fork(&mut store)?;
    /// memory.write(&mut store, 0, b"blue")?;
    /// let memory = fork.get_memory(&mut store, "memory").unwrap();
    /// assert_eq!(&memory.data(&store)[..4], b"orca");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Instance::snapshot`] and [`Snapshot::instantiate`].
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn fork(&self, mut store: impl AsContextMut) -> Result<Self, Error> {
        self.snapshot(&store)?.instantiate(&mut store)
    }
}

impl Snapshot {
    /// The module of the instance that it is of.
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module $counter)"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let snapshot = Instance::new(&mut store, &module, &[])?.snapshot(&store)?;
    /// drop((store, module));
    /// assert_eq!(snapshot.module().name(), Some("counter"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn module(&self) -> &Module {
        &self.0.module
    }

    /// An instance with this state, in the domain and with the imports of the
    /// instance that the snapshot is of; see [`Instance::fork`].
    ///
    /// Its memories share the snapshot's pages, and have pages of their own only
    /// where they write.
    ///
    /// ```
    /// use vm::{Engine, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let text = r#"(module
    ///     (global $calls (mut i32) (i32.const 40))
    ///     (func (export "call") (result i32)
    ///         (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    ///         (global.get $calls)))"#;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
    /// let snapshot = instance.snapshot(&store)?;
    /// for _ in 0..3 {
    ///     let fork = snapshot.instantiate(&mut store)?;
    ///     assert_eq!(fork.get_typed_func::<(), i32>(&mut store, "call")?.call(&mut store, ())?, 41);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Snapshot`] if it is of another store, or what it is of is unloaded;
    /// [`Error::Limit`] (or the
    /// limiter's error), [`Error::Permission`], [`Error::Region`] or
    /// [`Error::Resource`] if limits, quotas or the system do not allow one more
    /// such instance. Nothing has happened then.
    pub fn instantiate(&self, mut store: impl AsContextMut) -> Result<Instance, Error> {
        let mut store = store.as_context_mut();
        let inner = &store.0.inner;
        self.check_store(inner)?;
        let original = &inner.instances[self.0.instance.index()];
        if !Arc::ptr_eq(original.module.data(), self.0.module.data()) {
            // It was unloaded.
            return Err(SnapshotError::OtherModule.into());
        }
        self.check_settled(original)?;
        let domain = inner.domain_at(original.domain).clone();
        let imports = Imports::of(original);
        let id = allocate(&mut store, &self.0.module, imports, Some(&self.0.saved), &domain)?;
        self.adopt(&mut store.0.inner, id);
        Ok(Instance::handle(self.0.store, id))
    }

    fn check_store(&self, store: &StoreInner) -> Result<(), SnapshotError> {
        if self.0.store == store.id {
            Ok(())
        } else {
            Err(SnapshotError::OtherStore)
        }
    }

    /// Checks that globals whose values the instance's code has as constants have the
    /// same in the snapshot.
    fn check_settled(&self, instance: &InstanceEntity) -> Result<(), SnapshotError> {
        let module = self.0.module.data();
        let constants = &instance.cx.code().options().constants;
        let differs = |global: GlobalIdx| {
            let constant = constants.get(global.index()).copied().flatten();
            let own = global.index().checked_sub(module.num_imported_globals);
            let saved = own.and_then(|own| self.0.saved.globals.get(own));
            constant.is_some_and(|constant| saved.is_none_or(|[saved, _]| *saved != constant))
        };
        match module.settled.iter().any(|(global, _)| differs(*global)) {
            true => Err(SnapshotError::OtherAddresses),
            false => Ok(()),
        }
    }

    /// Gives an instance whose memories and tables have this state the rest of
    /// it, and its own functions for those of the instance that the snapshot is
    /// of.
    fn adopt(&self, store: &mut StoreInner, id: InstanceId) {
        let saved = &self.0.saved;
        let module = self.0.module.data();
        let mut elems = std::mem::take(&mut store.instances[id.index()].elems);
        elems.resize_with(saved.has_elems.len(), Box::default);
        let original = &store.instances[self.0.instance.index()].cx;
        let instance = &store.instances[id.index()];
        let own = |slot: u64| match original.own_func(slot) {
            Some(func) => instance.cx.func_ref(func).to_slot(),
            None => slot,
        };
        for (global, value) in module.own_globals().zip(&saved.globals) {
            let is_func = match module.globals[global.index()].content() {
                ValType::Ref(ty) => ty.heap_type().is_func(),
                _ => false,
            };
            let value = if is_func { [own(value[0]), 0] } else { *value };
            instance.cx.global(global).set(value);
        }
        let constants = &instance.cx.code().options().constants;
        let given = instance.values.last().into_iter();
        let given = given.flat_map(|values| values.globals().zip(values.cells()));
        for ((global, cell), value) in given.zip(&saved.given) {
            // Code does not look the others up: they are the instance's own for good.
            if constants.get(global).copied().flatten().is_none() {
                cell.set(*value);
            }
        }
        let tables = instance.tables.iter().skip(module.num_imported_tables);
        for table in tables.filter(|_| id != self.0.instance) {
            let table = table.get_mut();
            if table.ty().element().heap_type().is_func() {
                table.elems_mut().iter_mut().for_each(|slot| *slot = own(*slot));
            }
        }
        for ((elems, segment), has_elems) in elems.iter_mut().zip(&module.elems).zip(&saved.has_elems) {
            match has_elems {
                false => *elems = Box::default(),
                true if elems.is_empty() => *elems = constant::settled_elements(instance, &segment.items),
                true => {}
            }
        }
        let instance = &mut store.instances[id.index()];
        instance.elems = elems;
        instance.dropped_data.clone_from(&saved.dropped_data);
    }
}

/// The handles in the element segments of an instance, nulls too.
fn element_handles(instance: &InstanceEntity) -> impl Iterator<Item = u32> {
    let module = instance.module.data();
    let segments = instance.elems.iter().zip(&module.elems);
    let of_handles = segments.filter(|(_, segment)| segment.is_handle);
    // Handles have the low half of their slots.
    of_handles.flat_map(|(elems, _)| elems.iter().map(|slot| *slot as u32))
}

impl StoreInner {
    /// Keeps objects as long as what this gives: values of the host.
    ///
    /// # Errors
    /// If there are others among them.
    fn keep(&self, handles: impl Iterator<Item = u32>) -> Result<Arc<[u32]>, SnapshotError> {
        let handles: Arc<[u32]> = handles.filter(|handle| heap::is_object(*handle)).collect();
        let is_value = |handle: &u32| {
            self.heap
                .as_ref()
                .is_some_and(|heap| heap.host_value(*handle).is_some())
        };
        if !handles.iter().all(is_value) {
            return Err(SnapshotError::Objects);
        }
        if !handles.is_empty() {
            let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
            snapshots.retain(|kept| kept.strong_count() > 0);
            snapshots.push(Arc::downgrade(&handles));
        }
        Ok(handles)
    }
}

impl Saved {
    /// The handles of the store's heap among what is saved, nulls too.
    fn handles(&self, instance: &InstanceEntity) -> impl Iterator<Item = u32> {
        let module = instance.module.data();
        let globals = module.own_globals().zip(&self.globals);
        let globals = globals.filter(|(global, _)| module.globals[global.index()].is_handle());
        let given = instance.values.last().into_iter().flat_map(GivenValues::globals);
        let given = given.zip(&self.given).filter(|(i, _)| module.globals[*i].is_handle());
        let tables = module.tables.iter().skip(module.num_imported_tables).zip(&self.tables);
        let tables = tables.filter(|(ty, _)| ty.element().heap_type().is_handle());
        let cells = globals.map(|(_, cell)| cell).chain(given.map(|(_, cell)| cell));
        let slots = cells.map(|cell| cell[0]);
        slots
            .chain(tables.flat_map(|(_, elems)| elems.iter().copied()))
            .map(|slot| slot as u32)
    }

    fn of(instance: &InstanceEntity) -> Result<Self, Error> {
        let module = instance.module.data();
        let memories = instance.memories.iter().skip(module.num_imported_memories);
        if memories.clone().any(|memory| memory.get().is_shared()) {
            return Err(SnapshotError::SharedMemory.into());
        }
        let tables = instance.tables.iter().skip(module.num_imported_tables);
        let globals = module.own_globals();
        Ok(Self {
            memories: memories.map(|memory| memory.get().save()).collect::<Result<_, _>>()?,
            tables: tables
                .map(|table| TableInst::copy(table.get().elems()))
                .collect::<Result<_, _>>()?,
            globals: globals.map(|global| instance.cx.global(global).slots()).collect(),
            given: instance
                .values
                .last()
                .map_or_else(Vec::new, |values| values.cells().map(GlobalRef::slots).collect()),
            has_elems: instance.elems.iter().map(|elems| !elems.is_empty()).collect(),
            dropped_data: instance.dropped_data.clone(),
        })
    }

    /// Asks for what memories and tables are to grow by, and charges for it.
    ///
    /// # Errors
    /// If something is not allowed. Charges may be higher than sizes then.
    fn admit(
        &self,
        store: &mut StoreInner,
        whole: *mut (),
        memories: &[MemoryRef],
        tables: &[TableRef],
    ) -> Result<(), Error> {
        for (memory, saved) in memories.iter().zip(&self.memories) {
            let memory = memory.get_mut();
            memory.check_saved(saved)?;
            let (current, desired) = (memory.size(), saved.size());
            if desired <= current {
                continue;
            }
            if !store.allows_memory(whole, memory.ty(), current, desired)? {
                let pages = desired as u64 / memory.ty().page_size();
                return Err(LimitError::MemoryUnavailable { pages }.into());
            }
            memory.charge_for(desired)?;
        }
        for (table, saved) in tables.iter().zip(&self.tables) {
            let table = table.get_mut();
            let elements = saved.len() as u64;
            if elements <= table.len {
                continue;
            }
            if !store.allows_table(whole, table.ty(), table.len, elements)? {
                return Err(LimitError::TableUnavailable { elements }.into());
            }
            table.charge_for(elements)?;
        }
        Ok(())
    }

    /// Makes memories and tables what they were.
    ///
    /// # Errors
    /// If the system refuses something. The tables are as they were then.
    fn restore(&self, memories: &[MemoryRef], tables: &[TableRef]) -> Result<(), Error> {
        let elems = self.tables.iter().map(|elems| TableInst::copy(elems));
        let elems = elems.collect::<Result<Vec<_>, _>>()?;
        for (memory, saved) in memories.iter().zip(&self.memories) {
            memory.get_mut().restore(saved)?;
        }
        for (table, elems) in tables.iter().zip(elems) {
            table.get_mut().replace(elems);
        }
        Ok(())
    }
}
