//! Libraries that are opened with `RTLD_SANDBOX`: modules with memories of their own,
//! run by whoever the session's [`Sandbox`] is. What a program has of them is functions.

use std::collections::HashMap;
use std::sync::Arc;

use tracing::debug;
use vm::{AsContextMut, Caller, Error, Func, Memory, Ref, StoreContextMut, Table};

use crate::find::shown;
use crate::object::ObjectId;
use crate::session::Session;
use crate::{Found, LoadError};

/// Handles of these are as many above the sandbox's own.
pub const SANDBOXED_HANDLES: u32 = 0x4000_0000;

/// Whoever runs libraries in sandboxes.
pub trait Sandbox<T: 'static>: Send + Sync {
    /// Opens a library for the guest that calls, with less than that may do.
    ///
    /// # Errors
    /// If the guest may not, or it cannot be run.
    fn open(&self, caller: &mut Caller<'_, T>, found: &Found) -> Result<Arc<dyn Sandboxed<T>>, Error>;
}

/// A library in a sandbox.
pub trait Sandboxed<T: 'static>: Send + Sync {
    /// What the guest that opened it knows it by, below 2^30.
    fn handle(&self) -> u32;

    /// A function that it exports, as one of the program's store. Addresses and function
    /// pointers that it takes are of the program's memory and table.
    ///
    /// # Errors
    /// If there is none that could be called so.
    fn function(
        &self,
        store: StoreContextMut<'_, T>,
        name: &str,
        memory: Memory,
        table: Option<Table>,
    ) -> Result<Func, Error>;

    /// Ends it; nothing happens if it has ended.
    ///
    /// # Errors
    /// If it is running.
    fn close(&self, store: StoreContextMut<'_, T>) -> Result<(), Error>;
}

/// A sandboxed library that is open.
pub(crate) struct Entry<T: 'static> {
    name: Arc<str>,
    module: Arc<dyn Sandboxed<T>>,
    /// Places of its functions in the table, by name.
    slots: HashMap<Box<str>, u32>,
}

impl<T: 'static> Session<T> {
    /// Opens a library in a sandbox of its own; its handle.
    pub(crate) fn open_sandboxed(&self, caller: &mut Caller<'_, T>, found: &Found) -> Result<ObjectId, LoadError> {
        let sandbox = self.sandbox().ok_or(LoadError::NoSandbox)?;
        let opened = sandbox.open(caller, found);
        let module = opened.map_err(|source| refused(&found.name, source))?;
        debug!(name = shown(&found.name), "opened in a sandbox");
        let handle = SANDBOXED_HANDLES.saturating_add(module.handle());
        let entry = Entry {
            name: Arc::clone(&found.name),
            module,
            slots: HashMap::new(),
        };
        self.sandboxed().insert(handle, entry);
        Ok(ObjectId(handle))
    }

    /// Whether a handle is a sandboxed library's.
    pub(crate) fn is_sandboxed(&self, handle: u32) -> bool {
        handle >= SANDBOXED_HANDLES && self.sandboxed().contains_key(&handle)
    }

    /// The place of a sandboxed library's function in the table.
    pub(crate) fn sandboxed_symbol(
        &self,
        store: &mut StoreContextMut<'_, T>,
        handle: u32,
        name: &str,
    ) -> Result<u32, LoadError> {
        let (module, library) = {
            let all = self.sandboxed();
            let entry = all.get(&handle).ok_or(LoadError::Handle)?;
            if let Some(slot) = entry.slots.get(name) {
                return Ok(*slot);
            }
            (Arc::clone(&entry.module), Arc::clone(&entry.name))
        };
        let shared = self.state().shared.ok_or(LoadError::NoProgram)?;
        let func = module.function(store.as_context_mut(), name, shared.memory, shared.table);
        let func = func.map_err(|source| refused(&library, source))?;
        let slot = self.new_slot(store, func, None)?;
        if let Some(entry) = self.sandboxed().get_mut(&handle) {
            entry.slots.insert(name.into(), slot);
        }
        Ok(slot)
    }

    /// Ends a sandboxed library. Places of its functions in the table are empty then.
    pub(crate) fn close_sandboxed(&self, store: &mut StoreContextMut<'_, T>, handle: u32) -> Result<(), LoadError> {
        let (module, library) = {
            let all = self.sandboxed();
            let entry = all.get(&handle).ok_or(LoadError::Handle)?;
            (Arc::clone(&entry.module), Arc::clone(&entry.name))
        };
        let closed = module.close(store.as_context_mut());
        closed.map_err(|source| refused(&library, source))?;
        let Some(entry) = self.sandboxed().remove(&handle) else {
            return Ok(());
        };
        let table = self.state().shared.and_then(|shared| shared.table);
        for slot in entry.slots.into_values() {
            if let Some(table) = table {
                // It was there, and tables do not become smaller.
                let _ = table.set(&mut *store, u64::from(slot), Ref::Func(None));
            }
            self.state().slots.give_back(slot..slot + 1);
        }
        Ok(())
    }
}

/// That something of a sandboxed library failed.
fn refused(library: &str, source: Error) -> LoadError {
    LoadError::Sandboxed {
        library: library.into(),
        source: Box::new(source),
    }
}
