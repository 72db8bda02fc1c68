//! Guests and their stores, whatever the stores' data is: [`Host`] and [`AnyStore`].
//!
//! What the functions do is written for these traits, so that it is compiled once, and
//! not for each type of store data. [`HostOf`] is all that depends on the type.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;

use vm::{
    Access, AsContextMut, Caller, Capabilities, Capability, Domain, DomainId, Engine, Error, Extern, Func, FuncType,
    Mapping, Memory, MemoryAccessError, Permissions, Ref, RefType, Region, RegionError, Store, StoreContextMut, Table,
    Val,
};

use crate::SandboxCtx;
use crate::access::{ReachFn, reach};
use crate::trampoline::Lead;

/// How a store's data leads to what a guest has: by its domain, where a store has
/// several.
pub(crate) trait Get<T>: Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static {}

impl<T, G: Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static> Get<T> for G {}

/// How a child's store's data leads to what the child has: it is that.
pub(crate) fn own(ctx: &mut SandboxCtx, _: Option<DomainId>) -> &mut SandboxCtx {
    ctx
}

/// What is done with a child's store.
pub(crate) type InChild<'a> = &'a mut dyn FnMut(StoreContextMut<'_, SandboxCtx>);

/// What is done with a parent's store.
pub(crate) type InParent<'a> = &'a mut dyn FnMut(&mut dyn AnyStore);

/// A store, with what one of its guests has. What has no explanation is as in
/// [`vm::StoreContextMut`], [`vm::Memory`], [`vm::Table`] or [`vm::Func`].
pub(crate) trait AnyStore {
    /// What the guest has.
    fn ctx(&mut self) -> &mut SandboxCtx;
    fn engine(&self) -> &Engine;

    fn read(&self, memory: Memory, at: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError>;
    fn write(&mut self, memory: Memory, at: usize, bytes: &[u8]) -> Result<(), MemoryAccessError>;
    fn check(&self, memory: Memory, at: usize, len: usize, access: Access) -> Result<(), MemoryAccessError>;
    fn data_size(&self, memory: Memory) -> usize;
    fn mappings(&self, memory: Memory) -> Vec<Mapping>;
    fn mapping_count(&self, memory: Memory) -> usize;
    fn map(
        &mut self,
        memory: Memory,
        address: u64,
        region: &Region,
        range: Range<u64>,
        access: Access,
    ) -> Result<(), RegionError>;
    fn unmap(&mut self, memory: Memory, range: Range<u64>) -> Result<(), RegionError>;
    fn protect(&mut self, memory: Memory, range: Range<u64>, access: Access) -> Result<(), RegionError>;

    fn table_type(&self, table: Table) -> RefType;
    fn table_size(&self, table: Table) -> u64;
    fn element(&self, table: Table, place: u64) -> Option<Ref>;
    fn set_element(&mut self, table: Table, place: u64, value: Ref) -> Result<(), Error>;
    /// Grows a table by this element; its place.
    fn add_element(&mut self, table: Table, value: Ref) -> Result<u64, Error>;

    fn func_type(&self, func: Func) -> FuncType;
    fn func_domain(&self, func: Func) -> Option<Domain>;
    /// A host function that leads where `lead` says, for the guest.
    fn new_func(&mut self, ty: FuncType, lead: Lead) -> Func;
    /// Calls a function with no more rights than these; as a gate, if none are said.
    fn call(&mut self, func: Func, limit: Option<&Permissions>, args: &[Val], results: &mut [Val])
    -> Result<(), Error>;

    /// The fuel left, if fuel is counted.
    fn fuel(&self) -> Option<u64>;
    /// Sets the fuel, if fuel is counted.
    fn set_fuel(&mut self, fuel: u64) -> Result<(), Error>;
    /// Runs something with a child, which this store is lent to.
    fn lend(&mut self, child: &mut Store<SandboxCtx>, run: InChild<'_>);
    /// Runs something with a child that `is` the one and that runs already, if there is
    /// one.
    fn reenter(&mut self, is: &dyn Fn(&SandboxCtx) -> bool, run: InChild<'_>);
    /// How the stores that this one is lent to lead to it.
    fn lender(&self) -> Box<dyn Lender>;
    /// How they access its memories.
    fn reach(&self) -> ReachFn;
}

/// A guest that calls a host function, in its store. What has no explanation is as in
/// [`vm::Caller`].
pub(crate) trait Host: AnyStore {
    fn export(&mut self, name: &str) -> Option<Extern>;
    fn imported_memory(&self) -> Option<Memory>;
    fn imported_table(&self, name: &str) -> Option<Table>;
    fn domain(&self) -> Option<&Domain>;
    fn permissions(&self) -> Permissions;
    fn lone_domain(&self) -> Option<(DomainId, Capabilities)>;
    fn allows(&self, capability: Capability) -> bool;
    fn drop_capabilities(&mut self, domain: &Domain, capabilities: Capabilities) -> Result<(), Error>;
    /// Runs something with the guest if its store may be a child's: if that has a
    /// child's data.
    fn as_child(&mut self, run: &mut dyn FnMut(&mut Caller<'_, SandboxCtx>));
}

/// How a child that calls leads to the store of its parent.
pub(crate) trait Lender: Send + Sync {
    /// The same once more; what has no captured variables takes no memory.
    fn boxed(&self) -> Box<dyn Lender>;
    /// Runs something with the parent's store, if that runs the child; see
    /// [`Caller::lender`]. The domain finds what the parent has.
    fn with(&self, child: &mut dyn Host, domain: Option<DomainId>, run: InParent<'_>);
    /// As [`Lender::with`], for what may call the child; see [`Caller::in_lender`].
    fn run(&self, child: &mut dyn Host, domain: Option<DomainId>, run: InParent<'_>);
}

/// What leads to a store, and to the data in it.
pub(crate) trait InStore: AsContextMut {
    fn data_mut(&mut self) -> &mut Self::Data;
}

impl<T: 'static> InStore for Caller<'_, T> {
    fn data_mut(&mut self) -> &mut T {
        Caller::data_mut(self)
    }
}

impl<T: 'static> InStore for StoreContextMut<'_, T> {
    fn data_mut(&mut self) -> &mut T {
        StoreContextMut::data_mut(self)
    }
}

/// A store with data of type `T`, as a [`Caller`] or a [`StoreContextMut`].
pub(crate) struct HostOf<'a, S, G> {
    pub(crate) store: &'a mut S,
    pub(crate) get: G,
    /// The domain that finds what the guest has.
    pub(crate) domain: Option<DomainId>,
}

impl<'a, 'b, T: 'static, G: Get<T>> HostOf<'a, Caller<'b, T>, G> {
    /// The guest that calls.
    pub(crate) fn calling(caller: &'a mut Caller<'b, T>, get: G) -> Self {
        let domain = caller.domain().map(Domain::id);
        Self {
            store: caller,
            get,
            domain,
        }
    }
}

/// A child's store.
pub(crate) fn of_child<'a>(store: &'a mut StoreContextMut<'_, SandboxCtx>) -> impl AnyStore + 'a {
    HostOf {
        store,
        get: own,
        domain: None,
    }
}

impl<T: Send + 'static, S: InStore<Data = T>, G: Get<T>> AnyStore for HostOf<'_, S, G> {
    fn ctx(&mut self) -> &mut SandboxCtx {
        (self.get)(self.store.data_mut(), self.domain)
    }

    fn engine(&self) -> &Engine {
        self.store.as_context().engine()
    }

    fn read(&self, memory: Memory, at: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        memory.read(&*self.store, at, buffer)
    }

    fn write(&mut self, memory: Memory, at: usize, bytes: &[u8]) -> Result<(), MemoryAccessError> {
        memory.write(&mut *self.store, at, bytes)
    }

    fn check(&self, memory: Memory, at: usize, len: usize, access: Access) -> Result<(), MemoryAccessError> {
        memory.check(&*self.store, at, len, access)
    }

    fn data_size(&self, memory: Memory) -> usize {
        memory.data_size(&*self.store)
    }

    fn mappings(&self, memory: Memory) -> Vec<Mapping> {
        memory.mappings(&*self.store)
    }

    fn mapping_count(&self, memory: Memory) -> usize {
        memory.mapping_count(&*self.store)
    }

    fn map(
        &mut self,
        memory: Memory,
        address: u64,
        region: &Region,
        range: Range<u64>,
        access: Access,
    ) -> Result<(), RegionError> {
        memory.map(&mut *self.store, address, region, range, access)
    }

    fn unmap(&mut self, memory: Memory, range: Range<u64>) -> Result<(), RegionError> {
        memory.unmap(&mut *self.store, range)
    }

    fn protect(&mut self, memory: Memory, range: Range<u64>, access: Access) -> Result<(), RegionError> {
        memory.protect(&mut *self.store, range, access)
    }

    fn table_type(&self, table: Table) -> RefType {
        table.ty(&*self.store).element().clone()
    }

    fn table_size(&self, table: Table) -> u64 {
        table.size(&*self.store)
    }

    fn element(&self, table: Table, place: u64) -> Option<Ref> {
        table.get(&*self.store, place)
    }

    fn set_element(&mut self, table: Table, place: u64, value: Ref) -> Result<(), Error> {
        table.set(&mut *self.store, place, value)
    }

    fn add_element(&mut self, table: Table, value: Ref) -> Result<u64, Error> {
        table.grow(&mut *self.store, 1, value)
    }

    fn func_type(&self, func: Func) -> FuncType {
        func.ty(&*self.store)
    }

    fn func_domain(&self, func: Func) -> Option<Domain> {
        func.domain(&*self.store)
    }

    fn new_func(&mut self, ty: FuncType, lead: Lead) -> Func {
        let (get, domain) = (self.get, self.domain);
        let call = move |mut caller: Caller<'_, T>, args: &[Val], results: &mut [Val]| {
            let store = &mut caller;
            lead.call(&mut HostOf { store, get, domain }, args, results)
        };
        Func::new(&mut *self.store, ty, call)
    }

    fn call(
        &mut self,
        func: Func,
        limit: Option<&Permissions>,
        args: &[Val],
        results: &mut [Val],
    ) -> Result<(), Error> {
        let mut store = self.store.as_context_mut();
        match limit {
            Some(limit) => store.limited(limit, |store| func.call(store, args, results)),
            None => store.gated(|store| func.call(store, args, results)),
        }
    }

    fn fuel(&self) -> Option<u64> {
        self.store.as_context().get_fuel().ok()
    }

    fn set_fuel(&mut self, fuel: u64) -> Result<(), Error> {
        self.store.as_context_mut().set_fuel(fuel)
    }

    fn lend(&mut self, child: &mut Store<SandboxCtx>, run: InChild<'_>) {
        self.store.as_context_mut().lend(child, run);
    }

    fn reenter(&mut self, is: &dyn Fn(&SandboxCtx) -> bool, run: InChild<'_>) {
        self.store.as_context_mut().reenter(is, run);
    }

    fn lender(&self) -> Box<dyn Lender> {
        let data = PhantomData::<fn(T)>;
        Box::new(LenderOf { get: self.get, data })
    }

    fn reach(&self) -> ReachFn {
        reach::<T>
    }
}

impl<T: Send + 'static, G: Get<T>> Host for HostOf<'_, Caller<'_, T>, G> {
    fn export(&mut self, name: &str) -> Option<Extern> {
        self.store.get_export(name)
    }

    fn imported_memory(&self) -> Option<Memory> {
        self.store.imported_memory()
    }

    fn imported_table(&self, name: &str) -> Option<Table> {
        self.store.imported_table(name)
    }

    fn domain(&self) -> Option<&Domain> {
        self.store.domain()
    }

    fn permissions(&self) -> Permissions {
        self.store.permissions()
    }

    fn lone_domain(&self) -> Option<(DomainId, Capabilities)> {
        self.store.lone_domain()
    }

    fn allows(&self, capability: Capability) -> bool {
        self.store.allows(capability)
    }

    fn drop_capabilities(&mut self, domain: &Domain, capabilities: Capabilities) -> Result<(), Error> {
        domain.drop_capabilities(&mut *self.store, capabilities)
    }

    fn as_child(&mut self, run: &mut dyn FnMut(&mut Caller<'_, SandboxCtx>)) {
        type Pass<X> = fn(&mut Caller<'_, X>, &mut dyn FnMut(&mut Caller<'_, SandboxCtx>));
        let pass: Pass<SandboxCtx> = |caller, run| run(caller);
        // It is that for this type of data too, if that is a child's.
        if let Some(pass) = (&pass as &dyn Any).downcast_ref::<Pass<T>>() {
            pass(self.store, run);
        }
    }
}

/// A parent whose store has data of type `T`.
struct LenderOf<T, G> {
    get: G,
    data: PhantomData<fn(T)>,
}

impl<T: Send + 'static, G: Get<T>> Lender for LenderOf<T, G> {
    fn boxed(&self) -> Box<dyn Lender> {
        let Self { get, data } = *self;
        Box::new(Self { get, data })
    }

    fn with(&self, child: &mut dyn Host, domain: Option<DomainId>, run: InParent<'_>) {
        let get = self.get;
        child.as_child(&mut |caller| {
            if let Some(store) = &mut caller.lender::<T>() {
                run(&mut HostOf { store, get, domain });
            }
        });
    }

    fn run(&self, child: &mut dyn Host, domain: Option<DomainId>, run: InParent<'_>) {
        let get = self.get;
        child.as_child(&mut |caller| {
            caller.in_lender::<T, _>(|mut store| {
                let store = &mut store;
                run(&mut HostOf { store, get, domain });
            });
        });
    }
}
