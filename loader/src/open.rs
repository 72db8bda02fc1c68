//! Opening libraries, and what the host has of those that it opened.

use std::sync::Arc;

use bitflags::bitflags;
use tracing::trace;
use vm::{AsContextMut, Func, Instance, StoreContextMut, TypedFunc, WasmParams, WasmResults};

use crate::bind::address;
use crate::find::shown;
use crate::load::Request;
use crate::object::{NamespaceId, ObjectId, State};
use crate::session::Session;
use crate::{Found, LoadError};

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

impl<T: 'static> Session<T> {
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
        if flags.contains(OpenFlags::GLOBAL)
            && let Some(namespace) = state.objects.get(&id).map(|object| object.namespace)
        {
            let all = state.with_needs(id);
            state.show_all(namespace, &all);
        }
        if let Some(object) = state.objects.get_mut(&id) {
            object.opens = object.opens.saturating_add(1);
            object.is_kept |= flags.contains(OpenFlags::NODELETE);
        }
        id
    }
}

/// A library that the host has opened.
///
/// Dropping it does not close it: see [`Opened::close`].
pub struct Opened<T: 'static> {
    pub(crate) session: Session<T>,
    pub(crate) id: ObjectId,
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
