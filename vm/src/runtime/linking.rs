//! What dynamic linkers need beyond [`Instance::new`]: imports that are found when
//! they are first called, addresses as constants, and instances that go again.
//!
//! Invariant: what refers to a function or global of an instance stays valid when
//! that is unloaded. Its context and its functions' records stay in the store;
//! they lead to a stub that says that the function is gone. A later instance of
//! the same module takes their place.

use std::sync::{Arc, Weak};

use super::context::{AsContext, AsContextMut, StoreContextMut};
use super::domain::Domain;
use super::externs::Extern;
use super::func::Func;
use super::instance::{Imports, Instance, allocate, initialize};
use super::module::Module;
use super::store::{InstanceId, StoreInner};
use super::val::Val;
use crate::error::{Error, LinkError};
use crate::exec::chain::Chain;
use crate::exec::context::{FuncRec, FuncRef};
use crate::exec::host::Binder;
use crate::ir::translate::listing;
use crate::module::{FuncIdx, ImportKind, ModuleData};
use crate::types::DefType;

/// The smallest module.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

/// What an instance gets for an import.
///
/// ```
/// use vm::{Engine, Error, Func, Instance, Link, Module, Store, Val};
///
/// # fn main() -> Result<(), Error> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "env" "__memory_base" (global $base i32))
///         (import "env" "add" (func $add (param i32 i32) (result i32)))
///         (func (export "run") (result i32) (call $add (global.get $base) (i32.const 2))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let links = [Link::Value(Val::I32(40)), Link::Unbound];
/// let instance = Instance::link(&mut store, &module, &links, |mut store, import| {
///     assert_eq!(import, 1);
///     Ok(Func::wrap(&mut store, |a: i32, b: i32| a + b))
/// })?;
/// let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
/// assert_eq!(run.call(&mut store, ())?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Link {
    /// Something that there is.
    Extern(Extern),
    /// For a global, mutable or not: one that the instance has for itself, with
    /// this value. Code that only reads it has the value as a constant.
    Value(Val),
    /// For a function: it is looked for when it is first called. A function that
    /// the module refers to by value, as by an export or `ref.func`, cannot be
    /// given so ([`ImportType::is_referenced`](crate::ImportType::is_referenced)).
    Unbound,
}

impl<E: Into<Extern>> From<E> for Link {
    fn from(given: E) -> Self {
        Self::Extern(given.into())
    }
}

impl Instance {
    /// An instance of `module` with these links, one for each of the module's
    /// imports, in order, in the domain that [`Instance::new`] would put it in.
    ///
    /// `find` is asked for the function of a [`Link::Unbound`] import when that is
    /// first called, with the import's position among all of the module's; the call
    /// goes on in the function, as all later ones do. If it fails, so does the
    /// call, and the next one asks again. It may run code of the store.
    ///
    /// Where the instance cannot be initialised, nothing of it is left that could
    /// be called.
    ///
    /// # Errors
    /// As [`Instance::new`]; [`LinkError::UnknownImport`] where a link is not for an
    /// import of such a type.
    ///
    /// # Panics
    /// If the module is of another engine than the store.
    pub fn link<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
        links: &[Link],
        find: impl Fn(StoreContextMut<'_, T>, usize) -> Result<Func, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let mut store = store.as_context_mut();
        assert!(
            super::engine::Engine::same(module.engine(), store.engine()),
            "the module and the store are of different engines"
        );
        let data = Arc::downgrade(module.data());
        let binder = Binder::new(move |call| {
            let (mut caller, slots) = call.parts::<T>();
            let Some(slot) = slots.first_mut() else { return Ok(()) };
            let module = data.upgrade();
            let import = module.and_then(|module| module.import_of_func(usize::try_from(*slot).ok()?));
            let func = find(caller.as_context_mut(), import.expect("the instance's module has it"))?;
            *slot = func.within(caller.store_inner())?.to_slot();
            Ok(())
        });
        let inner = &mut store.0.inner;
        let domain = inner.current_domain().clone();
        let imports = Imports::check_links(inner, module.data(), links, binder)?;
        let id = allocate(&mut store, module, imports, None, &domain)?;
        let this = Self::handle(store.0.inner.id, id);
        if let Err(error) = initialize(store.0, id, module.data(), module.image()) {
            store
                .0
                .inner
                .retire(id, module.name().unwrap_or("a module that could not be started"));
            return Err(error);
        }
        Ok(this)
    }

    /// Takes the instance out of the store. Whoever calls a function of it is told
    /// [`LinkError::Unloaded`] from now on, whether the reference is in a table, a
    /// global, another instance's imports or the host's; `name` says of what.
    ///
    /// Its module, its code and its segments are free to go; its context stays. What it exports can
    /// no longer be asked for. Memories and tables that it defines, and its globals,
    /// stay for those who have them. If its module is linked again ([`Instance::link`]) in
    /// the same domain, the new instance takes its place in the store: old references,
    /// and this handle, are references to the new one then.
    ///
    /// ```
    /// use vm::{Engine, Error, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, r#"(module (func (export "f")))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let f = instance.get_typed_func::<(), ()>(&mut store, "f")?;
    /// f.call(&mut store, ())?;
    /// instance.unload(&mut store, "plugin.so")?;
    /// assert_eq!(f.call(&mut store, ()).unwrap_err().to_string(), "call into unloaded plugin.so");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LinkError::Running`] if a function of it has been called and has not
    /// returned. Nothing has happened then.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn unload(&self, mut store: impl AsContextMut, name: &str) -> Result<(), LinkError> {
        if self.is_running(&store) {
            return Err(LinkError::Running { module: name.into() });
        }
        let inner = &mut store.as_context_mut().0.inner;
        inner.retire(self.within(inner), name);
        Ok(())
    }

    /// The interpreter's code of a function as [`Module::code_listing`] has it, as it
    /// is for this instance: with the values of what it was linked with.
    ///
    /// ```
    /// use vm::{Engine, Error, Instance, Link, Module, Store, Val};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (import "env" "__memory_base" (global $base i32))
    ///         (func (result i32) (i32.add (global.get $base) (i32.const 2))))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let links = [Link::Value(Val::I32(1024))];
    /// let instance = Instance::link(&mut store, &module, &links, |_, _| unreachable!())?;
    /// let code = instance.code_listing(&store, 0)?.unwrap();
    /// assert!(code.contains("0x402"), "{code}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the function cannot be translated.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn code_listing(&self, store: impl AsContext, func_index: u32) -> Result<Option<String>, Error> {
        let inner = &store.as_context().0.inner;
        let instance = &inner.instances[self.within(inner).index()];
        let data = instance.module.data();
        let defined = (func_index as usize).checked_sub(data.num_imported_funcs);
        if defined.is_none_or(|i| i >= data.bodies.len()) {
            return Ok(None);
        }
        listing(instance.cx.code(), FuncIdx::new(func_index)).map(Some)
    }

    /// Whether a function of it has been called and has not returned.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn is_running(&self, store: impl AsContext) -> bool {
        let inner = &store.as_context().0.inner;
        let index = u32::try_from(self.within(inner).index()).expect("made from one");
        Chain::is_running(inner, index)
    }
}

/// Whether a function can be given for an import of a type.
pub(super) fn func_fits(given: FuncRef, wanted: &DefType, is_exact: bool) -> bool {
    let (given, wanted_id) = (given.ty(), wanted.id());
    given == wanted_id || !is_exact && wanted.registry().matches(given, wanted_id)
}

impl StoreInner {
    /// An unloaded instance whose place one of `module` can take, in the domain in which
    /// it was: who has its functions gets those of the new one.
    pub(super) fn former(&self, module: &Arc<ModuleData>, domain: &Domain) -> Option<InstanceId> {
        let fits = |(former, id): &&(Weak<ModuleData>, InstanceId)| {
            let instance = self.instances.get(id.index());
            former.as_ptr() == Arc::as_ptr(module)
                && instance.is_some_and(|instance| self.domain_at(instance.domain).is_same(domain))
        };
        self.retired.iter().find(fits).map(|(_, id)| *id)
    }

    /// Lets nothing of an instance be called from now on, none of whose functions is
    /// running.
    fn retire(&mut self, id: InstanceId, name: &str) {
        let engine = self.engine.clone();
        let empty = self
            .empty
            .get_or_insert_with(|| Module::from_binary(&engine, EMPTY).expect("a module without sections is valid"));
        let empty = empty.clone();
        let Some(instance) = self.instances.get_mut(id.index()) else {
            return;
        };
        if instance.unloaded.is_some() {
            return;
        }
        let module = std::mem::replace(&mut instance.module, empty.clone());
        instance.cx.retire(empty.code(empty.own_options()));
        instance.memories = Vec::new();
        instance.tables = Vec::new();
        instance.elems = Vec::new();
        instance.dropped_data = Vec::new();
        // Its context stays, and counts.
        instance.charges.0 = None;
        instance.binder = None;
        instance.unloaded = Some(name.into());
        instance.kept_types.clone_from(&module.data().types);
        self.retired.retain(|(module, _)| module.strong_count() > 0);
        self.retired.push((Arc::downgrade(module.data()), id));
        let gone = |func: FuncRef| {
            self.instances
                .get(id.index())
                .is_some_and(|gone| gone.cx.has_func(func))
        };
        for instance in &self.instances {
            instance.cx.forget_imports(gone);
        }
    }

    /// That an instance, by its index, is not there any more.
    pub(crate) fn unloaded(&self, instance: u32) -> Error {
        let instance = self.instances.get(instance as usize);
        let module = instance.and_then(|instance| instance.unloaded.clone());
        LinkError::Unloaded {
            module: module.unwrap_or_default(),
        }
        .into()
    }

    /// What finds the function of an unbound import of an instance, and the
    /// function's index, by its record.
    pub(crate) fn binder_of(&self, instance: u32, rec: *const FuncRec) -> (Binder, usize) {
        let instance = &self.instances[instance as usize];
        let binder = instance.binder.clone().expect("who has unbound imports has a binder");
        (binder, instance.cx.import_at(rec))
    }

    /// Makes an imported function of an instance this one.
    ///
    /// # Errors
    /// If it has another type.
    pub(crate) fn bind(&mut self, instance: u32, func: usize, given: FuncRef) -> Result<(), Error> {
        let instance = &mut self.instances[instance as usize];
        let module = instance.module.data();
        let wanted = module
            .import_of_func(func)
            .and_then(|import| module.imports.get(import));
        let Some(wanted) = wanted else { return Ok(()) };
        let fits = match wanted.ty {
            ImportKind::Func(ty) => func_fits(given, module.types[ty.index()].def(), wanted.is_exact),
            _ => false,
        };
        if !fits {
            return Err(LinkError::IncompatibleImport {
                module: wanted.module.clone(),
                name: wanted.name.clone(),
                expected: Box::new(module.import_type(wanted)),
                found: Box::new(Func::new_handle(self.id, given).ty_in(self).into()),
            }
            .into());
        }
        instance.cx.rebind(func, given);
        Ok(())
    }
}
