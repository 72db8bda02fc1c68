//! Sessions: a program and what it has loaded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use vm::{AsContext, AsContextMut, Error, Instance, Linker, StoreContextMut};

use crate::load::Request;
use crate::object::{NamespaceId, ObjectId, State};
use crate::sandboxed::Entry;
use crate::{Finder, Found, Image, LoadError, NoFinder, OpenFlags, Opened, Sandbox, functions};

/// Bytes of a program's stack, if nothing else is said.
pub const DEFAULT_STACK: u32 = 1 << 20;

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

    /// What the embedder provides, and what the session itself provides.
    pub(crate) fn linkers(&self) -> (&Linker<T>, &Linker<T>) {
        (&self.0.linker, &self.0.own)
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
