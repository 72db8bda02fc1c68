//! How embedders and host functions get at a store: borrowed contexts, and the
//! caller of a host function.

use super::domain::{Domain, DomainId};
use super::engine::Engine;
use super::externs::{Extern, Memory, Table};
use super::instance::{Instance, export_of};
use super::interrupt::InterruptHandle;
use super::permissions::{Capabilities, Capability, Permissions};
use super::store::{InstanceId, OuterLimit, Store, StoreData, StoreInner};
use crate::error::{Error, LimitError};
use crate::exec::lend;
use crate::types::ExternType;

/// A store, borrowed.
#[derive(Clone, Copy)]
pub struct StoreContext<'a, T: 'static>(pub(crate) &'a StoreData<T>);

/// A store, borrowed exclusively.
pub struct StoreContextMut<'a, T: 'static>(pub(crate) &'a mut StoreData<T>);

impl<'a, T> StoreContext<'a, T> {
    /// The embedder's data.
    pub fn data(&self) -> &'a T {
        self.0.data()
    }

    /// The store's engine.
    pub fn engine(&self) -> &'a Engine {
        &self.0.inner.engine
    }

    /// The fuel left.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64, Error> {
        if self.engine().config().fuel {
            Ok(self.0.inner.machine.fuel())
        } else {
            Err(LimitError::NoFuel.into())
        }
    }
}

impl<T> StoreContextMut<'_, T> {
    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.0.data()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.0.data_mut()
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        &self.0.inner.engine
    }

    /// The fuel left.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64, Error> {
        self.as_context().get_fuel()
    }

    /// Sets the fuel that code may use.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), Error> {
        if !self.engine().config().fuel {
            return Err(LimitError::NoFuel.into());
        }
        self.0.inner.machine.set_fuel(fuel);
        Ok(())
    }

    /// Frees the objects that neither guests nor the host can reach: see [`Store::gc`].
    pub fn gc(&mut self) {
        self.0.inner.collect_garbage();
    }

    /// A handle by which another thread stops what runs in the store.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(self.0.inner.machine.control())
    }

    /// Runs `f`, during which functions called from here are allowed nothing
    /// that `permissions` do not allow. Within them a [gate](crate::Func::gate)
    /// is not held to that.
    ///
    /// ```
    /// use vm::{AsContextMut, Capability, Engine, Func, Linker, Permissions, Requirement, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let mut linker = Linker::new(&engine);
    /// linker.func_wrap_requiring("host", "now", Requirement::new(Capability::Clock), || 1_234_u64)?;
    /// let mut store = Store::new(&engine, ());
    /// let now = linker.get(&mut store, "host", "now").and_then(vm::Extern::into_func).unwrap();
    /// let now = now.typed::<(), u64>(&store)?;
    /// assert!(now.call(&mut store, ()).is_ok());
    /// let limit = Permissions::all().drop(Capability::Clock);
    /// assert!(store.as_context_mut().limited(&limit, |store| now.call(store, ())).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn limited<R>(&mut self, permissions: &Permissions, f: impl FnOnce(StoreContextMut<'_, T>) -> R) -> R {
        let inner = &mut self.0.inner;
        let both = inner.machine.limit().map(|outer| outer.intersection(permissions));
        let permissions = both.as_ref().unwrap_or(permissions);
        let outer = inner.begin_limit(permissions);
        let limited = Limited { store: self, outer };
        f(StoreContextMut(limited.store.0))
    }

    /// Runs `f`, during which functions are called from here as if nothing had called
    /// the caller: as a [gate](crate::Func::gate) calls one, with what their own
    /// domains are allowed.
    ///
    /// ```
    /// use vm::{AsContextMut, Capability, Engine, Linker, Permissions, Requirement, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let mut linker = Linker::new(&engine);
    /// linker.func_wrap_requiring("host", "now", Requirement::new(Capability::Clock), || 1_234_u64)?;
    /// let mut store = Store::new(&engine, ());
    /// let now = linker.get(&mut store, "host", "now").and_then(vm::Extern::into_func).unwrap();
    /// let now = now.typed::<(), u64>(&store)?;
    /// let called = store.as_context_mut().limited(&Permissions::none(), |mut store| {
    ///     store.gated(|store| now.call(store, ()))
    /// });
    /// assert_eq!(called?, 1_234);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gated<R>(&mut self, f: impl FnOnce(StoreContextMut<'_, T>) -> R) -> R {
        let outer = self.0.inner.begin_gate();
        let limited = Limited { store: self, outer };
        f(StoreContextMut(limited.store.0))
    }

    /// Runs `f` with another store, whose host functions can use this one
    /// meanwhile: [`Caller::lender`].
    ///
    /// So a host function can call a guest of another store which calls back.
    /// Whoever [interrupts](crate::InterruptHandle) this store meanwhile
    /// interrupts the other too. Where calls are counted, those in the other count
    /// against what this one has left.
    ///
    /// ```
    /// use vm::{AsContextMut, Caller, Engine, Func, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let mut parent = Store::new(&engine, 1);
    /// let mut child = Store::new(&engine, ());
    /// let back = Func::wrap(&mut child, |mut caller: Caller<'_, ()>| {
    ///     let mut parent = caller.lender::<i32>().expect("it is lent");
    ///     *parent.data_mut() += 1;
    /// });
    /// let back = back.typed::<(), ()>(&child)?;
    /// parent.as_context_mut().lend(&mut child, |mut child| back.call(&mut child, ()))?;
    /// assert_eq!(*parent.data(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lend<U: 'static, R>(&mut self, other: &mut Store<U>, f: impl FnOnce(StoreContextMut<'_, U>) -> R) -> R
    where
        T: Send,
    {
        lend::lend(self.0, other.whole_mut(), |other| f(StoreContextMut(other)))
    }

    /// Runs `f` with a store that this one was lent to, and that runs this one by
    /// [`Caller::in_lender`]: the last of those whose data is a `U` that `is` the
    /// one. This store is lent to it, as by [`StoreContextMut::lend`]. `None` if
    /// there is no such store, or it is in use by this function already.
    ///
    /// So guests of two stores can call each other to and fro, while neither of
    /// them has returned.
    ///
    /// ```
    /// use vm::{AsContextMut, Caller, Engine, Func, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let mut parent = Store::new(&engine, ());
    /// let mut child = Store::new(&engine, 1);
    /// let back = Func::wrap(&mut child, |mut caller: Caller<'_, i32>| {
    ///     let found = caller.in_lender::<(), _>(|mut parent| {
    ///         parent.reenter(|_: &i32| true, |mut child| *child.data_mut() += 1)
    ///     });
    ///     assert_eq!(found, Some(Some(())));
    /// });
    /// let back = back.typed::<(), ()>(&child)?;
    /// parent.as_context_mut().lend(&mut child, |mut child| back.call(&mut child, ()))?;
    /// assert_eq!(*child.data(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reenter<U: 'static, R>(
        &mut self,
        is: impl Fn(&U) -> bool,
        f: impl FnOnce(StoreContextMut<'_, U>) -> R,
    ) -> Option<R>
    where
        T: Send,
    {
        lend::reenter(self.0, is, |other| f(StoreContextMut(other)))
    }

    /// The whole store as code that runs sees it.
    pub(crate) fn whole(&mut self) -> *mut () {
        std::ptr::from_mut(self.0).cast()
    }
}

/// Ends [`StoreContextMut::limited`] or [`StoreContextMut::gated`], however it ends.
struct Limited<'a, 'b, T: 'static> {
    store: &'a mut StoreContextMut<'b, T>,
    outer: OuterLimit,
}

impl<T> Drop for Limited<'_, '_, T> {
    fn drop(&mut self) {
        self.store.0.inner.end_limit(&self.outer);
    }
}

/// Something that leads to a store.
pub trait AsContext {
    /// The embedder's data in the store.
    type Data: 'static;
    /// The store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Something that leads to a store exclusively.
pub trait AsContextMut: AsContext {
    /// The store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.whole())
    }
}

impl<T> AsContextMut for Store<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.whole_mut())
    }
}

impl<'a, T> From<&'a mut Store<T>> for StoreContextMut<'a, T> {
    fn from(store: &'a mut Store<T>) -> Self {
        store.as_context_mut()
    }
}

impl<'a, T> From<&'a mut StoreContextMut<'_, T>> for StoreContextMut<'a, T> {
    fn from(store: &'a mut StoreContextMut<'_, T>) -> Self {
        store.as_context_mut()
    }
}

impl<'a, T> From<&'a mut Caller<'_, T>> for StoreContextMut<'a, T> {
    fn from(caller: &'a mut Caller<'_, T>) -> Self {
        caller.as_context_mut()
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0)
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        C::as_context(self)
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        C::as_context_mut(self)
    }
}

/// A host function's view of its call: the store, and the calling instance.
pub struct Caller<'a, T: 'static> {
    store: StoreContextMut<'a, T>,
    instance: Option<InstanceId>,
}

impl<'a, T> Caller<'a, T> {
    pub(crate) fn new(store: &'a mut StoreData<T>, instance: Option<InstanceId>) -> Self {
        Self {
            store: StoreContextMut(store),
            instance,
        }
    }

    /// The same caller for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Caller<'_, T> {
        Caller {
            store: StoreContextMut(self.store.0),
            instance: self.instance,
        }
    }

    pub(crate) fn store_inner(&self) -> &StoreInner {
        &self.store.0.inner
    }

    /// The embedder's data.
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The embedder's data.
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The store's engine.
    pub fn engine(&self) -> &Engine {
        self.store.engine()
    }

    /// What the calling instance exports under a name. There is no instance,
    /// and so no export, where the host itself called the function.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        export_of(&mut self.store.0.inner, self.instance?, name)
    }

    /// The calling instance; `None` where the host itself called the function.
    pub fn instance(&self) -> Option<Instance> {
        Some(Instance::handle(self.store_inner().id, self.instance?))
    }

    /// Memory 0 of the calling instance, if it has imported it. That it has is no
    /// secret, unlike a memory of its own.
    pub fn imported_memory(&self) -> Option<Memory> {
        let inner = self.store_inner();
        let instance = inner.instances.get(self.instance?.index())?;
        if instance.module.data().num_imported_memories == 0 {
            return None;
        }
        Some(Memory::handle(inner.id, *instance.memories.first()?))
    }

    /// The function table of the calling instance, if it has imported one: the first
    /// table that it imports as a module of dynamic linking does, by this name.
    pub fn imported_table(&self, name: &str) -> Option<Table> {
        let inner = self.store_inner();
        let instance = inner.instances.get(self.instance?.index())?;
        let imports = instance.module.imports();
        let mut tables = imports.filter(|import| matches!(import.ty(), ExternType::Table(_)));
        let at = tables.position(|import| import.name() == name)?;
        Some(Table::handle(inner.id, *instance.tables.get(at)?))
    }

    /// The domain of the calling instance; `None` where the host itself called
    /// the function.
    pub fn domain(&self) -> Option<&Domain> {
        let inner = self.store_inner();
        let index = u32::try_from(self.instance?.index()).expect("made from one");
        Some(inner.domain_of(index))
    }

    /// What the call may do: what the domains of all instances on the call chain
    /// are allowed. A [gate](crate::Func::gate) begins a new chain.
    ///
    /// A function that does different things for different arguments asks for
    /// what it needs here; what it always needs is its
    /// [`Requirement`](crate::Requirement).
    pub fn permissions(&self) -> Permissions {
        self.store_inner().permissions()
    }

    /// The capabilities among [`Caller::permissions`], at less cost.
    pub fn capabilities(&self) -> Capabilities {
        self.store_inner().capabilities()
    }

    /// The one domain of all that is on the call chain, and its capabilities now:
    /// [`Caller::permissions`] are its own then. `None` if there are several, or
    /// none, or a [limit](StoreContextMut::limited).
    pub fn lone_domain(&self) -> Option<(DomainId, Capabilities)> {
        let domain = self.store_inner().lone_domain()?;
        Some((domain.id(), domain.capabilities()))
    }

    /// Whether the call may do something.
    pub fn allows(&self, capability: Capability) -> bool {
        self.store_inner().lacking(capability).is_none()
    }

    /// The store that is [lent](StoreContextMut::lend) to this one, if one is, and
    /// its data is an `L`.
    pub fn lender<L: 'static>(&mut self) -> Option<StoreContextMut<'_, L>> {
        lend::lender(self.store.0).map(StoreContextMut)
    }

    /// Runs `f` with the store that is [lent](StoreContextMut::lend) to this one, if
    /// one is, and its data is an `L`. Unlike what [`Caller::lender`] gives, it can
    /// [use](StoreContextMut::reenter) this one meanwhile.
    pub fn in_lender<L: 'static, R>(&mut self, f: impl FnOnce(StoreContextMut<'_, L>) -> R) -> Option<R>
    where
        T: Send,
    {
        lend::in_lender(self.store.0, |lender| f(StoreContextMut(lender)))
    }

    /// The fuel left.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn get_fuel(&self) -> Result<u64, Error> {
        self.store.get_fuel()
    }

    /// Sets the fuel that code may use.
    ///
    /// # Errors
    /// If the engine does not count fuel.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<(), Error> {
        self.store.set_fuel(fuel)
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;
    fn as_context(&self) -> StoreContext<'_, T> {
        self.store.as_context()
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.store.as_context_mut()
    }
}
