//! Sessions: a program and what it has loaded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bitflags::bitflags;
use tracing::{debug, trace};
use vm::{
    AsContext, AsContextMut, Error, Extern, Func, Instance, Linker, Ref, StoreContextMut, TypedFunc, WasmParams,
    WasmResults,
};

use crate::bind::address;
use crate::find::shown;
use crate::load::Request;
use crate::object::{Holder, NamespaceId, ObjectId, State};
use crate::sandboxed::Entry;
use crate::{Finder, Found, Image, Import, LoadError, Need, NoFinder, PlanError, Sandbox, functions};

/// Bytes of a program's stack, if nothing else is said.
pub const DEFAULT_STACK: u32 = 1 << 20;

bitflags! {
    /// How a library is opened: the `RTLD_` constants of `dlfcn.h`, with musl's values,
    /// glibc's for `DEEPBIND`, and one of our own.
    ///
    /// ```
    /// use orcavm_loader::OpenFlags;
    ///
    /// assert_eq!((OpenFlags::NOW | OpenFlags::GLOBAL).bits(), 0x102);
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct OpenFlags: u32 {
        /// Functions are looked for when they are first called.
        const LAZY = 1;
        /// All functions are looked for at once, and none may be missing.
        const NOW = 2;
        /// Nothing is loaded: only what is there already is opened.
        const NOLOAD = 4;
        /// The library's own symbols come before the program's.
        const DEEPBIND = 8;
        /// Others find its symbols from now on.
        const GLOBAL = 0x100;
        /// It is there for good.
        const NODELETE = 0x1000;
        /// It has a memory, a table and permissions of its own; for guests only.
        const SANDBOX = 0x10000;
    }
}

/// What a session was told at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) bind_now: bool,
    pub(crate) stack_size: u32,
}

/// A program and what it has loaded, in a store.
///
/// A clone is the same session. A session is of use with one store.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use orcavm_loader::{Found, OpenFlags, Session};
/// use vm::{Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let program = Module::new(&engine, r#"(module (@dylink.0)
///     (import "env" "memory" (memory 0))
///     (func (export "seven") (result i32) (i32.const 7)))"#)?;
/// let plugin = Module::new(&engine, r#"(module (@dylink.0)
///     (import "env" "seven" (func $seven (result i32)))
///     (func (export "scaled") (param i32) (result i32) (i32.mul (local.get 0) (call $seven))))"#)?;
/// let finder = BTreeMap::from([("plugin.so".to_owned(), plugin)]);
///
/// let mut store = Store::new(&engine, ());
/// let session = Session::builder(Linker::new(&engine)).finder(finder).build();
/// session.load(&mut store, Found::new("app", program))?;
/// let plugin = session.open(&mut store, "plugin.so", OpenFlags::NOW)?;
/// let scaled = plugin.get_typed_func::<i32, i32>(&mut store, "scaled")?;
/// assert_eq!(scaled.call(&mut store, 6)?, 42);
/// plugin.close(&mut store)?;
/// let error = scaled.call(&mut store, 6).unwrap_err();
/// assert_eq!(error.to_string(), "call into unloaded plugin.so");
/// # Ok(())
/// # }
/// ```
pub struct Session<T: 'static>(Arc<Inner<T>>);

impl<T> Clone for Session<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.libraries();
        f.debug_struct("Session")
            .field("libraries", &names)
            .finish_non_exhaustive()
    }
}

struct Inner<T: 'static> {
    /// What the embedder provides.
    linker: Linker<T>,
    /// What the session itself provides.
    own: Linker<T>,
    finder: Arc<dyn Finder>,
    preloads: Vec<Found>,
    sandbox: Option<Arc<dyn Sandbox<T>>>,
    options: Options,
    /// Libraries in sandboxes, by their handles.
    sandboxed: Mutex<BTreeMap<u32, Entry<T>>>,
    /// Nothing runs while it is locked.
    state: Mutex<State>,
}

/// A session that functions of its own know without keeping it.
pub(crate) struct WeakSession<T: 'static>(Weak<Inner<T>>);

impl<T> Clone for WeakSession<T> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<T> WeakSession<T> {
    /// The session, if it is there.
    pub(crate) fn upgrade(&self) -> Option<Session<T>> {
        self.0.upgrade().map(Session)
    }

    /// The session.
    ///
    /// # Errors
    /// If it is gone.
    pub(crate) fn get(&self) -> Result<Session<T>, Error> {
        self.upgrade().ok_or_else(|| Error::host(LoadError::SessionGone))
    }
}

/// What a session is made of.
pub struct SessionBuilder<T: 'static> {
    linker: Linker<T>,
    finder: Arc<dyn Finder>,
    preloads: Vec<Found>,
    sandbox: Option<Arc<dyn Sandbox<T>>>,
    options: Options,
}

impl<T> std::fmt::Debug for SessionBuilder<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> SessionBuilder<T> {
    /// Who finds libraries; nobody does if nothing is said.
    #[must_use]
    pub fn finder(self, finder: impl Finder + 'static) -> Self {
        let finder = Arc::new(finder);
        Self { finder, ..self }
    }

    /// A library that comes right after the program in the order of search, before
    /// what that needs, and after those preloaded before.
    #[must_use]
    pub fn preload(mut self, found: Found) -> Self {
        self.preloads.push(found);
        self
    }

    /// Who runs libraries that guests open with `RTLD_SANDBOX`; they cannot if nothing is
    /// said.
    #[must_use]
    pub fn sandbox(self, sandbox: impl Sandbox<T> + 'static) -> Self {
        let sandbox: Option<Arc<dyn Sandbox<T>>> = Some(Arc::new(sandbox));
        Self { sandbox, ..self }
    }

    /// Whether all functions are looked for when a program or library is loaded, not
    /// each when it is first called.
    #[must_use]
    pub fn bind_now(mut self, now: bool) -> Self {
        self.options.bind_now = now;
        self
    }

    /// Bytes of the program's stack in its memory ([`DEFAULT_STACK`]), if that is
    /// position-independent. Others bring theirs.
    #[must_use]
    pub fn stack_size(mut self, bytes: u32) -> Self {
        self.options.stack_size = bytes;
        self
    }

    /// The session.
    pub fn build(self) -> Session<T> {
        let Self {
            linker,
            finder,
            preloads,
            sandbox,
            options,
        } = self;
        Session(Arc::new_cyclic(|weak| {
            let own = functions::linker(linker.engine(), &WeakSession(Weak::clone(weak)));
            Inner {
                linker,
                own,
                finder,
                preloads,
                sandbox,
                options,
                sandboxed: Mutex::default(),
                state: Mutex::default(),
            }
        }))
    }
}

impl<T: 'static> Session<T> {
    /// A session whose programs can have what `linker` defines: imports of other
    /// modules than `env`, and functions of `env` that no module provides.
    pub fn builder(linker: Linker<T>) -> SessionBuilder<T> {
        SessionBuilder {
            linker,
            finder: Arc::new(NoFinder),
            preloads: Vec::new(),
            sandbox: None,
            options: Options {
                bind_now: false,
                stack_size: DEFAULT_STACK,
            },
        }
    }

    /// Loads a program and the libraries it needs; their constructors have run. Its
    /// `_start` or `_initialize` is still to be called.
    ///
    /// # Errors
    /// If there is a program, if a library or symbol is missing, if something does not
    /// fit or cannot be made, or if a constructor fails. Nothing is loaded then.
    pub fn load(&self, mut store: impl AsContextMut<Data = T>, program: Found) -> Result<Image, LoadError> {
        let mut store = store.as_context_mut();
        if self.state().main.is_some() {
            return Err(LoadError::SecondProgram);
        }
        let roots = std::iter::once(program).chain(self.0.preloads.iter().cloned());
        let request = Request {
            namespace: NamespaceId::BASE,
            roots: roots.collect(),
            is_lazy: !self.options().bind_now,
            is_kept: true,
            is_deep: false,
            is_global: true,
            permissions: None,
            domain: None,
        };
        self.busy(&mut store, |store| self.load_objects(store, &request))?;
        self.image().ok_or(LoadError::NoProgram)
    }

    /// Opens a library, which is loaded if it is not there: by the name or path by
    /// which the session's finder finds it, with all permissions.
    ///
    /// # Errors
    /// As [`Session::load`]; also if there is no program yet.
    pub fn open(
        &self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        flags: OpenFlags,
    ) -> Result<Opened<T>, LoadError> {
        let mut store = store.as_context_mut();
        let id = self.busy_opening(&mut store, |store| {
            self.open_object(store, name, flags, NamespaceId::BASE, None, None)
        })?;
        Ok(Opened {
            session: self.clone(),
            id,
        })
    }

    /// Runs the destructors that wait: for a program whose own exit does not, as one
    /// without a C library. Those of libraries come in the reverse order of their
    /// registration.
    ///
    /// # Errors
    /// What ends one of them early. The others are not run then.
    pub fn finish(&self, mut store: impl AsContextMut<Data = T>) -> Result<(), Error> {
        let mut store = store.as_context_mut();
        self.check_store(&store).map_err(Error::host)?;
        // The program's exit has run them, or means not to.
        if self.state().exits_are_programs {
            return Ok(());
        }
        self.run_exits(&mut store, |_| true)
    }

    /// The names of what is loaded, in the order in which it was loaded.
    pub fn libraries(&self) -> Vec<Arc<str>> {
        let state = self.state();
        state
            .objects
            .values()
            .map(|object| Arc::clone(&object.found.name))
            .collect()
    }

    /// What the program's modules share, once it is loaded.
    pub fn image(&self) -> Option<Image> {
        let state = self.state();
        let shared = state.shared?;
        let main = state.main?;
        // It is still being made.
        state.objects.get(&main)?.instance?;
        let rest = state.objects.iter().filter(|(id, _)| **id != main);
        let all = state
            .objects
            .get(&main)
            .into_iter()
            .chain(rest.map(|(_, object)| object));
        Some(Image {
            instances: all.filter_map(|object| object.instance).collect(),
            memory: shared.memory,
            table: shared.table,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sandbox(&self) -> Option<&dyn Sandbox<T>> {
        self.0.sandbox.as_deref()
    }

    pub(crate) fn sandboxed(&self) -> MutexGuard<'_, BTreeMap<u32, Entry<T>>> {
        self.0.sandboxed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn finder(&self) -> &dyn Finder {
        &*self.0.finder
    }

    pub(crate) fn main_instance(&self) -> Option<Instance> {
        let state = self.state();
        state.objects.get(&state.main?)?.instance
    }

    pub(crate) fn instance_of(&self, id: ObjectId) -> Option<Instance> {
        self.state().objects.get(&id)?.instance
    }

    /// That the program is in a store, if there is one.
    ///
    /// # Errors
    /// If it is in another.
    pub(crate) fn check_store(&self, store: impl AsContext<Data = T>) -> Result<(), LoadError> {
        let shared = self.state().shared;
        match shared.is_none_or(|shared| shared.memory.is_of(store)) {
            true => Ok(()),
            false => Err(LoadError::OtherStore),
        }
    }

    /// Does something that loads or unloads. What is closed meanwhile goes when all of
    /// that is over.
    pub(crate) fn busy<R>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        work: impl FnOnce(&mut StoreContextMut<'_, T>) -> Result<R, LoadError>,
    ) -> Result<R, LoadError> {
        self.check_store(&*store)?;
        // What could not go while it was running may have returned since.
        self.collect(store)?;
        let busy = Busy::begin(self);
        let result = work(store);
        drop(busy);
        if self.state().busy == 0 {
            self.collect(store)?;
        }
        result
    }

    /// Does something that opens an object: it is open only if all went well that
    /// waited for the end of it.
    pub(crate) fn busy_opening(
        &self,
        store: &mut StoreContextMut<'_, T>,
        work: impl FnOnce(&mut StoreContextMut<'_, T>) -> Result<ObjectId, LoadError>,
    ) -> Result<ObjectId, LoadError> {
        let mut opened = None;
        let result = self.busy(store, |store| {
            let id = work(store)?;
            opened = Some(id);
            Ok(id)
        });
        if let (Err(_), Some(id)) = (&result, opened) {
            if let Some(object) = self.state().objects.get_mut(&id) {
                object.opens = object.opens.saturating_sub(1);
            }
            // What went wrong first is told.
            let _ = self.collect(store);
        }
        result
    }

    /// What the session's linkers have by a name: made once. What they have not is not
    /// kept: guests' modules import any names.
    pub(crate) fn host(&self, store: &mut StoreContextMut<'_, T>, module: &str, name: &str) -> Option<Extern> {
        let key = (Box::from(module), Box::from(name));
        if let Some(known) = self.state().host.get(&key) {
            return Some(*known);
        }
        let own = self.0.own.get(&mut *store, module, name);
        // What the embedder defines comes before what the session has.
        let given = self.0.linker.get(&mut *store, module, name).or(own)?;
        self.state().host.insert(key, given);
        Some(given)
    }

    /// Whether the linkers have a function by a name.
    pub(crate) fn has_host(&self, name: &str) -> bool {
        functions::session_function(name).is_some() || self.0.linker.has("env", name)
    }

    /// A function that an object exports, by its symbol.
    pub(crate) fn own_func(&self, store: &mut StoreContextMut<'_, T>, id: ObjectId, name: &str) -> Option<Func> {
        self.instance_of(id)?.get_func(&mut *store, name)
    }

    /// The function of an unbound import, for its first call.
    pub(crate) fn bind_function(
        &self,
        store: &mut StoreContextMut<'_, T>,
        id: ObjectId,
        import: usize,
    ) -> Result<Func, Error> {
        let interface = {
            let state = self.state();
            state.objects.get(&id).map(|object| Arc::clone(&object.interface))
        };
        let import = interface.as_ref().and_then(|interface| interface.imports.get(import));
        let import = import.ok_or_else(|| Error::host(LoadError::Handle))?;
        self.function_for(store, id, import)
    }

    /// The function that an object imports, and whose type fits.
    pub(crate) fn function_for(
        &self,
        store: &mut StoreContextMut<'_, T>,
        id: ObjectId,
        import: &Import,
    ) -> Result<Func, Error> {
        let name = &*import.name;
        let (holder, importer) = {
            let mut state = self.state();
            let holder = state.holder_for(id, name);
            if let (Some(Holder::Object(provider)), Some(object)) = (holder, state.objects.get_mut(&id))
                && provider != id
            {
                object.uses.insert(provider);
            }
            let object = state.objects.get(&id).ok_or_else(|| Error::host(LoadError::Handle))?;
            (holder, Arc::clone(&object.found.name))
        };
        let (func, provider) = match holder {
            Some(Holder::Object(provider)) => (self.own_func(store, provider, name), Some(provider)),
            _ => (self.host(store, "env", name).and_then(Extern::into_func), None),
        };
        let func = func.ok_or_else(|| {
            Error::host(Unbound {
                symbol: name.into(),
                importer: Arc::clone(&importer),
            })
        })?;
        let found = func.ty(&*store);
        let provider = match provider {
            Some(provider) => self.name_of(provider),
            None => "the host".into(),
        };
        if let Need::Function { ty: expected, .. } = &import.need
            && *expected != found
        {
            let error = PlanError::Type {
                importer: (&*importer).into(),
                provider: (&*provider).into(),
                symbol: name.into(),
                expected: expected.clone(),
                found,
            };
            return Err(Error::host(LoadError::from(error)));
        }
        debug!(
            symbol = shown(name),
            importer = shown(&importer),
            provider = shown(&provider),
            "bound"
        );
        Ok(func)
    }

    /// What an object is called.
    pub(crate) fn name_of(&self, id: ObjectId) -> Arc<str> {
        let state = self.state();
        state
            .objects
            .get(&id)
            .map_or_else(|| "nobody".into(), |object| Arc::clone(&object.found.name))
    }

    /// The place of an object's function in the table, which it gets if it has none.
    pub(crate) fn slot_of(
        &self,
        store: &mut StoreContextMut<'_, T>,
        id: ObjectId,
        name: &str,
    ) -> Result<Option<u32>, LoadError> {
        let index = {
            let state = self.state();
            let Some(object) = state.objects.get(&id) else {
                return Ok(None);
            };
            let Some(function) = object.interface.functions.get(name) else {
                return Ok(None);
            };
            if let Some(slot) = object.slots.get(&function.index) {
                return Ok(Some(*slot));
            }
            function.index
        };
        let Some(func) = self.own_func(store, id, name) else {
            return Ok(None);
        };
        let tomb = {
            let mut state = self.state();
            let identity = state.objects.get(&id).map(|object| object.found.identity.clone());
            identity.and_then(|identity| state.tombs.take_extra(&identity))
        };
        let slot = self.new_slot(store, func, tomb)?;
        let mut state = self.state();
        if let Some(object) = state.objects.get_mut(&id) {
            object.slots.insert(index, slot);
            object.extra.push(slot);
        }
        Ok(Some(slot))
    }

    /// A place in the table for a function that has none.
    pub(crate) fn new_slot(
        &self,
        store: &mut StoreContextMut<'_, T>,
        func: Func,
        tomb: Option<u32>,
    ) -> Result<u32, LoadError> {
        self.adopt_table(&*store);
        let slot = match tomb {
            Some(tomb) => Some(tomb..tomb + 1),
            None => self.state().take_slot(),
        };
        let Some(slot) = slot else {
            return Err(LoadError::NoTable);
        };
        let wanted = u64::from(slot.end);
        let table = self.grow_table(store, wanted).and_then(|()| {
            let table = self.state().shared.and_then(|shared| shared.table);
            table.ok_or(LoadError::NoTable)
        });
        let set = table.and_then(|table| {
            let func = Ref::Func(Some(func));
            Ok(table.set(&mut *store, u64::from(slot.start), func)?)
        });
        if let Err(error) = set {
            self.state().slots.give_back(slot);
            return Err(error);
        }
        Ok(slot.start)
    }

    /// Opens a library for the host or a guest.
    pub(crate) fn open_object(
        &self,
        store: &mut StoreContextMut<'_, T>,
        name: &str,
        flags: OpenFlags,
        namespace: NamespaceId,
        importer: Option<ObjectId>,
        guest: Option<(&vm::Permissions, vm::Domain)>,
    ) -> Result<ObjectId, LoadError> {
        trace!(name = shown(name), ?flags, "opened");
        self.state().main.ok_or(LoadError::NoProgram)?;
        if let Some(id) = self.named(namespace, name) {
            return Ok(self.open_again(id, flags));
        }
        let found = self.find(name, importer, guest.as_ref().map(|(permissions, _)| *permissions))?;
        let (permissions, domain) = guest.unzip();
        let identity = found.identity.clone();
        let there = |state: &State| {
            let mut objects = state.objects.iter();
            let is_it = |object: &crate::object::Object| {
                object.namespace == namespace && object.found.identity == identity && !object.is_leaving
            };
            objects.find(|(_, object)| is_it(object)).map(|(id, _)| *id)
        };
        let known = there(&self.state());
        if let Some(id) = known {
            return Ok(self.open_again(id, flags));
        }
        if flags.contains(OpenFlags::NOLOAD) {
            return Err(LoadError::NotLoaded { name: name.into() });
        }
        let is_kept = flags.contains(OpenFlags::NODELETE);
        let roots = self.load_objects(
            store,
            &Request {
                namespace,
                roots: vec![found],
                is_lazy: !(flags.contains(OpenFlags::NOW) || self.options().bind_now),
                is_kept,
                is_deep: flags.contains(OpenFlags::DEEPBIND),
                is_global: flags.contains(OpenFlags::GLOBAL),
                permissions,
                domain,
            },
        )?;
        let root = roots.first().copied().ok_or(LoadError::Handle)?;
        Ok(self.open_again(root, flags))
    }

    /// Finds a library for an object, or for the program.
    pub(crate) fn find(
        &self,
        name: &str,
        importer: Option<ObjectId>,
        permissions: Option<&vm::Permissions>,
    ) -> Result<Found, LoadError> {
        let (importer_name, runtime_path, origin) = {
            let state = self.state();
            let object = importer
                .and_then(|id| state.objects.get(&id))
                .or_else(|| state.objects.get(&state.main?));
            let object = object.ok_or(LoadError::NoProgram)?;
            let origin = object.found.origin().map(std::path::Path::to_owned);
            (
                Arc::clone(&object.found.name),
                object.dylink.runtime_path.clone(),
                origin,
            )
        };
        let request = crate::Request::new(name, &importer_name)
            .in_runtime_path(&runtime_path, origin.as_deref())
            .permitted(permissions);
        self.finder().find(&request).map_err(|source| LoadError::Find {
            name: name.into(),
            source,
        })
    }

    /// The object of a namespace that is called by a name.
    fn named(&self, namespace: NamespaceId, name: &str) -> Option<ObjectId> {
        if name.contains('/') {
            return None;
        }
        let state = self.state();
        let is_it = |object: &crate::object::Object| {
            object.namespace == namespace && !object.is_leaving && object.found.is_called(name)
        };
        let found = state.objects.iter().find(|(_, object)| is_it(object));
        found.map(|(id, _)| *id)
    }

    /// Counts one more opening of what is there.
    fn open_again(&self, id: ObjectId, flags: OpenFlags) -> ObjectId {
        let mut state = self.state();
        let all = state.with_needs(id);
        if flags.contains(OpenFlags::GLOBAL) {
            let namespace = state.objects.get(&id).map(|object| object.namespace);
            if let Some(namespace) = namespace.and_then(|namespace| state.namespaces.get_mut(&namespace)) {
                let new = all.iter().filter(|id| !namespace.global.contains(id)).copied();
                let new: Vec<ObjectId> = new.collect();
                namespace.global.extend(new);
            }
        }
        if let Some(object) = state.objects.get_mut(&id) {
            object.opens = object.opens.saturating_add(1);
            object.is_kept |= flags.contains(OpenFlags::NODELETE);
        }
        id
    }
}

impl State {
    /// A place in the table.
    pub(crate) fn take_slot(&mut self) -> Option<std::ops::Range<u32>> {
        if let Some(slot) = self.slots.take_lowest(1, 1) {
            return Some(slot);
        }
        self.tombs.clear(&mut self.slots);
        self.slots.take_lowest(1, 1)
    }

    /// Who has the function that an object imports by a name.
    pub(crate) fn holder_for(&self, id: ObjectId, name: &str) -> Option<Holder> {
        let object = self.objects.get(&id)?;
        let provider = match self.reserved(object.namespace, object.is_kept, name) {
            Some(before) => self.function(self.scope_of(id).iter().take(before), name),
            None => {
                // What is searched twice is found the first time, or not at all.
                let [first, second] = self.scope_parts(object.namespace, &object.local, object.is_deep);
                let is_there = |id: &&ObjectId| object.is_leaving || self.is_staying(**id);
                self.function(first.iter().chain(second).filter(is_there), name)
            }
        };
        Some(match provider {
            Some(provider) => Holder::Object(provider),
            None => Holder::Host,
        })
    }
}

/// That something loads or unloads, until this is dropped: also where a host function
/// that it called panics.
pub(crate) struct Busy<'a, T: 'static>(&'a Session<T>);

impl<'a, T: 'static> Busy<'a, T> {
    /// From now on.
    pub(crate) fn begin(session: &'a Session<T>) -> Self {
        session.state().busy += 1;
        Self(session)
    }
}

impl<T: 'static> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy = state.busy.saturating_sub(1);
    }
}

/// A library that the host has opened.
///
/// Dropping it does not close it: see [`Opened::close`].
pub struct Opened<T: 'static> {
    session: Session<T>,
    id: ObjectId,
}

impl<T> std::fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T: 'static> Opened<T> {
    /// Its instance; `None` once it is unloaded.
    pub fn instance(&self) -> Option<Instance> {
        self.session.instance_of(self.id)
    }

    /// A function of it or of a library that it needs; `None` too if the store is not
    /// its own.
    pub fn get_func(&self, mut store: impl AsContextMut<Data = T>, name: &str) -> Option<Func> {
        self.session.check_store(&store).ok()?;
        let provider = {
            let state = self.session.state();
            state.objects.get(&self.id)?;
            state.function(&state.with_needs(self.id), name)?
        };
        self.session.own_func(&mut store.as_context_mut(), provider, name)
    }

    /// A function of it or of a library that it needs, with Rust types.
    ///
    /// # Errors
    /// If there is none, its type is another, or the store is.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
    ) -> Result<TypedFunc<P, R>, LoadError> {
        self.session.check_store(&store)?;
        let func = self.get_func(&mut store, name).ok_or_else(|| LoadError::Symbol {
            library: (&*self.session.name_of(self.id)).into(),
            symbol: name.into(),
        })?;
        Ok(func.typed(&store)?)
    }

    /// The address of data of it or of a library that it needs.
    pub fn get_address(&self, name: &str) -> Option<u32> {
        let state = self.session.state();
        let provider = state.data(&state.with_needs(self.id), name)?;
        let object = state.objects.get(&provider)?;
        address(&object.interface, &object.place, name)
    }

    /// Closes it. It is unloaded once nobody has it open and nothing that is loaded
    /// needs it; its destructors have run then.
    ///
    /// # Errors
    /// If it is closed already by others as often as it was opened, or a destructor
    /// fails.
    pub fn close(self, mut store: impl AsContextMut<Data = T>) -> Result<(), LoadError> {
        self.session.close_object(&mut store.as_context_mut(), self.id)
    }
}

/// A function was called that nobody provides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{symbol}` was called by {importer}, and nobody provides it")]
pub struct Unbound {
    /// The function.
    pub symbol: Arc<str>,
    /// The module that called it.
    pub importer: Arc<str>,
}
