//! Stores (Spec 3.0 §4.2.4): all that exists at run time, and the embedder's
//! data beside it.

use std::collections::HashMap;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

pub(crate) use super::context::Caller;
use smallvec::SmallVec;

use super::context::{AsContext, AsContextMut};
use super::domain::{self, Charge, Domain};
use super::engine::Engine;
use super::interrupt::InterruptHandle;
use super::limits::{DEFAULT_COUNT, ResourceLimiter};
use super::module::Module;
use super::permissions::{Capabilities, Capability, Permissions};
use super::roots::RootSet;
use crate::error::{Error, LimitError, ThrownId};
use crate::exec::chain::{self, Chain};
use crate::exec::context::{FuncRef, InstanceCx};
use crate::exec::globals::{GivenValues, GlobalRef, HostGlobal};
use crate::exec::heap::{GcHeapStats, Heap};
use crate::exec::host::{Binder, HostDef, HostFunc, LimiterOf};
use crate::exec::lend::Lender;
use crate::exec::machine::Machine;
use crate::exec::memory::{MemoryInst, MemoryRef, SharedInst};
use crate::exec::table::{TableInst, TableRef};
use crate::exec::tag::{TagInst, TagRef, TagShape};
use crate::module::{DataKind, ModuleData};
use crate::sys;
use crate::types::registry::RecGroup;
use crate::types::{CompositeType, DefType, FuncType, MemoryType, TableType, TypeId};

/// Which store a handle belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreId(NonZero<u64>);

impl StoreId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NonZero::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("fewer stores than 2^64 are made"))
    }
}

/// Index of an instance in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InstanceId(u32);

impl InstanceId {
    pub(crate) fn new(i: u32) -> Self {
        Self(i)
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An instance in a store.
#[derive(Debug)]
pub(crate) struct InstanceEntity {
    pub(crate) cx: InstanceCx,
    pub(crate) module: Module,
    /// All memories: imported, then defined.
    pub(crate) memories: Vec<MemoryRef>,
    /// All tables: imported, then defined.
    pub(crate) tables: Vec<TableRef>,
    /// Index of its domain in the store.
    pub(crate) domain: u32,
    /// Count it as one of its domain's, and its context where that is large.
    pub(crate) charges: (Option<Charge>, Charge),
    /// Elements of passive segments; empty once dropped, and for others.
    pub(crate) elems: Vec<Box<[u64]>>,
    /// Which data segments are dropped; active ones are from the start.
    pub(crate) dropped_data: Vec<bool>,
    /// Its globals that may hold handles of the store's heap, imported ones too. They stay
    /// when it is unloaded, as their cells do.
    pub(crate) handle_globals: Vec<GlobalRef>,
    /// Finds the functions of imports that are not bound.
    pub(crate) binder: Option<Binder>,
    /// Globals that it was given by value: the last are those it has.
    pub(crate) values: Vec<GivenValues>,
    /// What it was called when it was unloaded, if it was.
    pub(crate) unloaded: Option<Box<str>>,
    /// The types of functions that are gone, whose identities references have.
    pub(crate) kept_types: Vec<CompositeType>,
}

impl InstanceEntity {
    /// The bytes of a data segment; none once it is dropped.
    pub(crate) fn data(&self, segment: u32) -> &[u8] {
        let i = segment as usize;
        let module = self.module.data();
        match (self.dropped_data.get(i), module.datas.get(i)) {
            (Some(false), Some(segment)) => module.bytes.get(segment.range.clone()).unwrap_or_default(),
            _ => &[],
        }
    }

    /// The elements of an element segment; none once it is dropped.
    pub(crate) fn elem(&self, segment: u32) -> &[u64] {
        self.elems.get(segment as usize).map_or(&[], |elems| elems)
    }

    /// `data.drop`
    pub(crate) fn drop_data(&mut self, segment: u32) {
        if let Some(dropped) = self.dropped_data.get_mut(segment as usize) {
            *dropped = true;
        }
    }

    /// `elem.drop`
    pub(crate) fn drop_elem(&mut self, segment: u32) {
        if let Some(elems) = self.elems.get_mut(segment as usize) {
            *elems = Box::default();
        }
    }

    /// The state of data segments before any is dropped.
    pub(crate) fn fresh_data(module: &ModuleData) -> Vec<bool> {
        module
            .datas
            .iter()
            .map(|segment| matches!(segment.kind, DataKind::Active { .. }))
            .collect()
    }
}

/// The part of a store that does not depend on the embedder's data.
#[derive(Debug)]
pub struct StoreInner {
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) machine: Machine,
    pub(crate) instances: Vec<InstanceEntity>,
    /// How often an instance was made.
    pub(super) instances_made: u64,
    /// Instances that were unloaded, by their former modules.
    pub(super) retired: Vec<(Weak<ModuleData>, InstanceId)>,
    /// A module without anything: that of unloaded instances.
    pub(super) empty: Option<Module>,
    /// References of the host to objects.
    pub(crate) roots: RootSet,
    /// Garbage-collected objects; none before the first is made.
    pub(crate) heap: Option<Box<Heap>>,
    /// What live snapshots refer to.
    pub(super) snapshots: Mutex<Vec<Weak<[u32]>>>,
    /// Count the heap's bytes as those of the domains for which it grew.
    pub(crate) heap_charges: Vec<Charge>,
    /// The store that is lent to this one.
    pub(crate) lender: Lender,
    /// The domain of what is made without one.
    domain: Domain,
    /// Domains of instances.
    domains: Vec<Domain>,
    /// What nothing is allowed beyond, while [`StoreContextMut::limited`] runs.
    limit: Capabilities,
    /// Whether it does.
    is_limited: bool,
    limiter_of: Option<LimiterOf>,
    #[allow(clippy::vec_box, reason = "running code has their addresses")]
    memories: Vec<Box<MemoryInst>>,
    /// Those of `memories` that other threads may have too, with their indices.
    shared_memories: Vec<(usize, MemoryRef)>,
    #[allow(clippy::vec_box, reason = "running code has their addresses")]
    pub(super) tables: Vec<Box<TableInst>>,
    #[allow(clippy::vec_box, reason = "running code has their addresses")]
    host_funcs: Vec<Box<HostFunc>>,
    pub(super) host_globals: Vec<HostGlobal>,
    #[allow(clippy::vec_box, reason = "running code has their addresses")]
    host_tags: Vec<Box<TagInst>>,
    /// What is known of tags, by the identity of their type.
    tag_shapes: HashMap<TypeId, Box<TagShape>>,
    /// Which exception the host has of those that guests did not catch: the one that
    /// `roots` has.
    pub(super) thrown: Option<ThrownId>,
    /// How many exceptions have been kept so.
    pub(super) exceptions_kept: u64,
    /// Types of objects and functions that the host has made.
    kept_types: HashMap<TypeId, DefType>,
}

impl StoreInner {
    fn new(engine: &Engine) -> Result<Self, Error> {
        let config = engine.config();
        let machine = Machine::new(config.stack_bytes, config.max_depth).map_err(|_| LimitError::StackUnavailable {
            bytes: config.stack_bytes,
        })?;
        Ok(Self {
            id: StoreId::next(),
            engine: engine.clone(),
            machine,
            instances: Vec::new(),
            instances_made: 0,
            retired: Vec::new(),
            empty: None,
            roots: RootSet::default(),
            heap: None,
            snapshots: Mutex::default(),
            heap_charges: Vec::new(),
            lender: Lender::default(),
            domain: Domain::default(),
            domains: Vec::new(),
            limit: Capabilities::all(),
            is_limited: false,
            limiter_of: None,
            memories: Vec::new(),
            shared_memories: Vec::new(),
            tables: Vec::new(),
            host_funcs: Vec::new(),
            host_globals: Vec::new(),
            host_tags: Vec::new(),
            tag_shapes: HashMap::new(),
            thrown: None,
            exceptions_kept: 0,
            kept_types: HashMap::new(),
        })
    }

    /// The limiter of the store whose whole is at `store`.
    pub(crate) fn limiter<'s>(&mut self, store: *mut ()) -> Option<&'s mut dyn ResourceLimiter> {
        self.limiter_of?.get(store)
    }

    /// The domain for what is made without one: that of the instance which is
    /// calling a host function, or else the store's first.
    pub(crate) fn current_domain(&self) -> &Domain {
        Chain::caller(self).map_or(&self.domain, |instance| self.domain_of(instance))
    }

    /// Replaces the store's first domain.
    pub(crate) fn set_domain(&mut self, domain: Domain) -> Result<(), Error> {
        domain.bind(self.id)?;
        self.domain = domain;
        Ok(())
    }

    /// The domain of an instance.
    pub(crate) fn domain_of(&self, instance: u32) -> &Domain {
        self.domain_at(self.instances[instance as usize].domain)
    }

    /// A domain by its index.
    pub(crate) fn domain_at(&self, index: u32) -> &Domain {
        &self.domains[index as usize]
    }

    /// The index of a domain that an instance is to belong to.
    pub(crate) fn add_domain(&mut self, domain: &Domain) -> Result<u32, Error> {
        domain.bind(self.id)?;
        let known = self.domains.iter().position(|known| known.is_same(domain));
        let index = known.unwrap_or_else(|| {
            self.domains.push(domain.clone());
            self.find_granted();
            self.domains.len() - 1
        });
        Ok(u32::try_from(index).expect("instances are limited"))
    }

    /// Finds out anew which capabilities all have.
    pub(crate) fn find_granted(&self) {
        let drops = domain::drops();
        let all = self.domains.iter().map(Domain::capabilities);
        let granted = all.fold(self.limit, Capabilities::intersection);
        self.machine.set_granted(granted, drops);
    }

    /// Allows functions that the host calls next nothing beyond `limit`.
    pub(crate) fn begin_limit(&mut self, limit: &Permissions) -> OuterLimit {
        let outer = OuterLimit {
            limit: self.limit,
            is_limited: std::mem::replace(&mut self.is_limited, true),
            mark: self.machine.replace_mark(chain::Mark::Limited(limit).word()),
        };
        self.limit = self.limit.intersection(limit.capabilities());
        self.find_granted();
        outer
    }

    /// Has functions that the host calls next begin a chain of their own. What all
    /// callers are known to be allowed is not more by that.
    pub(crate) fn begin_gate(&mut self) -> OuterLimit {
        OuterLimit {
            limit: self.limit,
            is_limited: self.is_limited,
            mark: self.machine.replace_mark(chain::Mark::Gate.word()),
        }
    }

    /// Undoes [`StoreInner::begin_limit`] or [`StoreInner::begin_gate`].
    pub(crate) fn end_limit(&mut self, outer: &OuterLimit) {
        self.limit = outer.limit;
        self.is_limited = outer.is_limited;
        self.machine.replace_mark(outer.mark);
        self.find_granted();
    }

    /// What the running call chain is allowed.
    pub(crate) fn permissions(&self) -> Permissions {
        let chain = Chain::of(self);
        if chain.is_broken {
            return Permissions::none();
        }
        let domains = self.domains_on(&chain).into_iter();
        let all = domains.map(|domain| self.domains[domain as usize].permissions());
        let all = all
            .reduce(|all, one| all.intersection(&one))
            .unwrap_or_else(Permissions::all);
        chain.limits.iter().fold(all, |all, limit| all.intersection(limit))
    }

    /// The one domain of the running call chain.
    pub(crate) fn lone_domain(&self) -> Option<&Domain> {
        if let [domain] = &self.domains[..]
            && !self.is_limited
        {
            return Chain::caller(self).map(|_| domain);
        }
        let chain = Chain::of(self);
        if chain.is_broken || !chain.limits.is_empty() {
            return None;
        }
        match self.domains_on(&chain)[..] {
            [domain] => Some(self.domain_at(domain)),
            _ => None,
        }
    }

    /// The capabilities of the running call chain.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let chain = Chain::of(self);
        if chain.is_broken {
            return Capabilities::none();
        }
        let domains = self.domains_on(&chain).into_iter();
        let all = domains.map(|domain| self.domains[domain as usize].capabilities());
        let limits = chain.limits.iter().map(|limit| limit.capabilities());
        all.chain(limits).fold(Capabilities::all(), Capabilities::intersection)
    }

    /// The name of the innermost domain on the call chain without a capability.
    pub(crate) fn lacking(&self, capability: Capability) -> Option<Box<str>> {
        let chain = Chain::of(self);
        if chain.is_broken {
            return Some("a caller that cannot be told".into());
        }
        let domains = self.domains_on(&chain);
        let mut domains = domains.iter().map(|domain| &self.domains[*domain as usize]);
        let lacking = domains.find(|domain| !domain.capabilities().contains(capability));
        let limited = || chain.limits.iter().any(|limit| !limit.allows(capability));
        match lacking {
            Some(domain) => Some(domain.name().into()),
            None => limited().then(|| "the caller's caller".into()),
        }
    }

    /// The domains on a chain, innermost first.
    fn domains_on(&self, chain: &Chain<'_>) -> SmallVec<[u32; 4]> {
        let mut domains = SmallVec::new();
        let of_instances = chain.instances.iter().map(|i| self.instances[*i as usize].domain);
        for domain in of_instances.chain(chain.domains.iter().copied()) {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        domains
    }

    /// Takes a memory in.
    pub(crate) fn add_memory(&mut self, mut memory: Box<MemoryInst>) -> MemoryRef {
        let memory_ref = MemoryRef::new(&mut memory);
        if memory.is_shared() {
            self.shared_memories.push((self.memories.len(), memory_ref));
        }
        self.memories.push(memory);
        memory_ref
    }

    /// What is here of a shared memory, if it was taken in.
    pub(crate) fn find_shared(&self, shared: &Arc<SharedInst>) -> Option<MemoryRef> {
        let is_it = |memory: &MemoryRef| memory.get().shared_inst().is_some_and(|own| Arc::ptr_eq(own, shared));
        self.shared_memories.iter().map(|(_, memory)| *memory).find(is_it)
    }

    /// Takes a table in.
    pub(crate) fn add_table(&mut self, mut table: Box<TableInst>) -> TableRef {
        let table_ref = TableRef::new(&mut table);
        self.tables.push(table);
        table_ref
    }

    /// What there is of parts that an instantiation makes before it can fail.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            memories: self.memories.len(),
            tables: self.tables.len(),
            host_funcs: self.host_funcs.len(),
            instances: self.instances_made,
        }
    }

    /// Whether a fault was a write to a region that is mapped read-only.
    pub(crate) fn is_read_only_write(&self, fault: &sys::Fault) -> bool {
        fault.write && self.memories.iter().any(|memory| memory.is_read_only_at(fault.address))
    }

    /// Drops the memories and tables made since `mark`, to which nothing has
    /// been given a reference yet.
    pub(crate) fn roll_back(&mut self, mark: &Mark) {
        self.memories.truncate(mark.memories);
        self.shared_memories.retain(|(index, _)| *index < mark.memories);
        self.tables.truncate(mark.tables);
    }

    /// Drops the host functions made since `mark` for an instance, if that was not
    /// made: nothing else has been given a reference to them.
    pub(crate) fn roll_back_funcs(&mut self, mark: &Mark) {
        if self.instances_made == mark.instances {
            self.host_funcs.truncate(mark.host_funcs);
        }
    }

    /// Makes a host function.
    pub(crate) fn add_host_func(&mut self, def: Arc<HostDef>) -> FuncRef {
        let func = HostFunc::new(def, self.engine.types(), self.machine.rt());
        let func_ref = func.func_ref();
        self.host_funcs.push(func);
        func_ref
    }

    /// Keeps a type as long as the store.
    pub(crate) fn keep_type(&mut self, ty: &DefType) {
        self.kept_types.entry(ty.id()).or_insert_with(|| ty.clone());
    }

    /// Whether a host function of the store is at an address.
    pub(crate) fn has_host_func(&self, address: u64) -> bool {
        let at = |func: &HostFunc| std::ptr::from_ref(func).addr() as u64;
        self.host_funcs
            .iter()
            .any(|func| (at(func)..at(func) + size_of::<HostFunc>() as u64).contains(&address))
    }

    /// Where host functions return to that have been tail-called, and the slots before
    /// their headers.
    pub(crate) fn host_tail_returns(&self) -> impl Iterator<Item = (u64, usize)> {
        self.host_funcs.iter().map(|func| func.tail_return())
    }

    /// Makes a global that belongs to no instance, whose type names types of these
    /// groups.
    pub(crate) fn add_global(&mut self, slots: [u64; 2], is_handle: bool, named: Vec<Arc<RecGroup>>) -> GlobalRef {
        let global = HostGlobal::new(slots, is_handle, named);
        let cell = global.cell();
        self.host_globals.push(global);
        cell
    }

    /// Makes a tag that belongs to no instance.
    pub(crate) fn add_tag(&mut self, ty: &FuncType) -> TagRef {
        let ty = ty.define(self.engine.types());
        let mut tag = Box::new(TagInst::new(self.tag_shape(&ty)));
        let tag_ref = TagRef::new(NonNull::from(&mut *tag));
        self.host_tags.push(tag);
        tag_ref
    }

    /// What is known of tags of a function type.
    pub(crate) fn tag_shape(&mut self, ty: &DefType) -> &TagShape {
        self.tag_shapes
            .entry(ty.id())
            .or_insert_with(|| Box::new(TagShape::new(ty.clone())))
    }

    /// Whether the limiter allows a memory of type `ty` to grow from `current` to
    /// `desired` bytes.
    pub(crate) fn allows_memory(
        &mut self,
        store: *mut (),
        ty: &MemoryType,
        current: usize,
        desired: usize,
    ) -> Result<bool, Error> {
        let bytes = |pages: u64| usize::try_from(pages.saturating_mul(ty.page_size())).unwrap_or(usize::MAX);
        let allows =
            |limiter: &mut dyn ResourceLimiter| limiter.memory_growing(current, desired, ty.maximum().map(bytes));
        self.limiter(store).map_or(Ok(true), allows)
    }

    /// Whether the limiter allows a table of type `ty` to grow from `current` to
    /// `desired` elements.
    pub(crate) fn allows_table(
        &mut self,
        store: *mut (),
        ty: &TableType,
        current: u64,
        desired: u64,
    ) -> Result<bool, Error> {
        let to_usize = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let allows = |limiter: &mut dyn ResourceLimiter| {
            limiter.table_growing(to_usize(current), to_usize(desired), ty.maximum().map(to_usize))
        };
        self.limiter(store).map_or(Ok(true), allows)
    }

    /// Whether one more instance with this many memories and tables of its own
    /// may be made; `is_again` where it is to be in the place of a former one.
    pub(crate) fn check_counts(
        &mut self,
        store: *mut (),
        is_again: bool,
        memories: usize,
        tables: usize,
    ) -> Result<(), LimitError> {
        let limit = self.limiter(store).map_or(DEFAULT_COUNT, |limiter| limiter.instances());
        if self.instances.len() >= limit && !is_again {
            return Err(LimitError::TooMany {
                what: "instances",
                limit,
            });
        }
        self.check_more(store, memories, tables)
    }

    /// Whether this many more memories and tables may be made.
    pub(crate) fn check_more(&mut self, store: *mut (), memories: usize, tables: usize) -> Result<(), LimitError> {
        let (memory_limit, table_limit) = self.limiter(store).map_or((DEFAULT_COUNT, DEFAULT_COUNT), |limiter| {
            (limiter.memories(), limiter.tables())
        });
        if self.memories.len() + memories > memory_limit {
            return Err(LimitError::TooMany {
                what: "memories",
                limit: memory_limit,
            });
        }
        if self.tables.len() + tables > table_limit {
            return Err(LimitError::TooMany {
                what: "tables",
                limit: table_limit,
            });
        }
        Ok(())
    }
}

/// Bytes of a value stack that [`Store::trim_stack`] leaves, a multiple of any host page.
const TRIMMED_STACK: usize = 64 << 10;

/// What was the limit before [`StoreInner::begin_limit`].
pub(crate) struct OuterLimit {
    limit: Capabilities,
    is_limited: bool,
    mark: u64,
}

/// See [`StoreInner::mark`].
pub(crate) struct Mark {
    memories: usize,
    tables: usize,
    host_funcs: usize,
    instances: u64,
}

/// What finds the limiter in the embedder's data.
type LimiterFn<T> = Box<dyn FnMut(&mut T) -> &mut (dyn ResourceLimiter) + Send + Sync>;

/// A store as one block of memory.
pub(crate) struct StoreData<T> {
    pub(crate) inner: StoreInner,
    limiter: Option<LimiterFn<T>>,
    data: T,
}

impl<T> StoreData<T> {
    pub(crate) fn limiter(&mut self) -> Option<&mut dyn ResourceLimiter> {
        self.limiter.as_mut().map(|limiter| limiter(&mut self.data))
    }

    pub(crate) fn data(&self) -> &T {
        &self.data
    }

    pub(crate) fn data_mut(&mut self) -> &mut T {
        &mut self.data
    }
}

/// All that exists at run time: instances, memories, tables, globals and
/// functions, and the embedder's data of type `T`.
///
/// What is made in a store lives as long as the store. Handles (`Func`,
/// `Memory`, …) are plain values; using one with another store panics.
///
/// ```
/// use vm::{Engine, Store};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, 5);
/// *store.data_mut() += 1;
/// assert_eq!(store.into_data(), 6);
/// ```
pub struct Store<T: 'static>(Box<StoreData<T>>);

impl<T> Store<T> {
    /// A store with `data` beside it.
    ///
    /// # Panics
    /// If the system has no memory for its value stack; see
    /// [`Store::try_new`].
    pub fn new(engine: &Engine, data: T) -> Self {
        Self::try_new(engine, data).expect("a value stack can be had")
    }

    /// A store with `data` beside it.
    ///
    /// # Errors
    /// If the system has no memory for its value stack.
    pub fn try_new(engine: &Engine, data: T) -> Result<Self, Error> {
        Ok(Self(Box::new(StoreData {
            inner: StoreInner::new(engine)?,
            limiter: None,
            data,
        })))
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    pub(crate) fn whole(&self) -> &StoreData<T> {
        &self.0
    }

    pub(crate) fn whole_mut(&mut self) -> &mut StoreData<T> {
        &mut self.0
    }

    /// Drops the store but for the embedder's data.
    pub fn into_data(self) -> T {
        self.0.data
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.0.inner.engine
    }

    /// Sets the fuel that code may use.
    ///
    /// ```
    /// use vm::{Config, Engine, Instance, Module, Store, Trap};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// store.set_fuel(1000)?;
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    /// assert_eq!(spin.call(&mut store, ()).unwrap_err().trap(), Some(Trap::OutOfFuel));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), Error> {
        self.as_context_mut().set_fuel(fuel)
    }

    /// The fuel left.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64, Error> {
        self.as_context().get_fuel()
    }

    /// Lets no more than so many calls of guest functions be active at once, as
    /// [`Config::max_call_depth`](crate::Config::max_call_depth) does for all
    /// stores of an engine; it cannot allow more than that.
    ///
    /// # Errors
    /// If the engine does not count calls.
    pub fn limit_call_depth(&mut self, calls: u32) -> Result<(), Error> {
        let Some(most) = self.engine().config().max_depth else {
            return Err(LimitError::NoDepth.into());
        };
        self.0.inner.machine.set_depth_limit(calls.min(most));
        Ok(())
    }

    /// Gives the system back the memory that frames of calls have taken, but for 64
    /// KiB; what calls take otherwise stays with the store, for those that follow.
    /// For stores that are many, and wait.
    pub fn trim_stack(&mut self) {
        // Nothing runs: a run has the store borrowed.
        self.0.inner.machine.stack().trim(TRIMMED_STACK);
    }

    /// Frees the objects that neither guests nor the host can reach, and drops the values of
    /// the host among them. That happens by itself as objects are made; this is for those
    /// who want it now. Memory of the heap that is free then goes back to the system.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use vm::{Engine, ExternRef, RootScope, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let mut store = Store::new(&Engine::default(), ());
    /// let value = Arc::new(5);
    /// ExternRef::new(RootScope::new(&mut store), Arc::clone(&value))?;
    /// assert_eq!(Arc::strong_count(&value), 2);
    /// store.gc();
    /// assert_eq!(Arc::strong_count(&value), 1);
    /// assert_eq!(store.gc_heap_stats().live_objects, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gc(&mut self) {
        self.0.inner.collect_garbage();
    }

    /// What the collector has done so far.
    pub fn gc_heap_stats(&self) -> GcHeapStats {
        let heap = self.0.inner.heap.as_ref();
        heap.map_or_else(GcHeapStats::default, |heap| heap.stats())
    }

    /// Sets the limiter, found in the embedder's data by `limiter`.
    pub fn limiter(&mut self, limiter: impl FnMut(&mut T) -> &mut (dyn ResourceLimiter) + Send + Sync + 'static) {
        self.0.limiter = Some(Box::new(limiter));
        self.0.inner.limiter_of = Some(LimiterOf::new::<T>());
    }

    /// The domain that instances made without one belong to, unless an instance
    /// is calling the host then: what that makes belongs to its own domain.
    pub fn domain(&self) -> &Domain {
        &self.0.inner.domain
    }

    /// Sets the domain that instances made from now on belong to.
    ///
    /// # Errors
    /// If instances of another store belong to it.
    pub fn set_domain(&mut self, domain: Domain) -> Result<(), Error> {
        self.0.inner.set_domain(domain)
    }

    /// A handle by which another thread stops what runs in the store.
    ///
    /// ```
    /// use std::time::Duration;
    /// use vm::{Engine, Instance, Module, Store, Trap};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    /// let handle = store.interrupt_handle();
    /// std::thread::spawn(move || {
    ///     std::thread::sleep(Duration::from_millis(20));
    ///     handle.interrupt();
    /// });
    /// assert_eq!(spin.call(&mut store, ()).unwrap_err().trap(), Some(Trap::Interrupt));
    /// # Ok(())
    /// # }
    /// ```
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(self.0.inner.machine.control())
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("data", &self.0.data)
            .finish_non_exhaustive()
    }
}
