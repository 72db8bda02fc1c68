//! Who has what a module calls, and where functions are in the table.

use std::sync::Arc;

use tracing::debug;
use vm::{Error, Extern, Func, Ref, StoreContextMut};

use crate::find::shown;
use crate::object::{Holder, ObjectId, State};
use crate::session::Session;
use crate::{Import, LoadError, Need, PlanError, functions};

impl<T: 'static> Session<T> {
    /// What the session's linkers have by a name: made once. What they have not is not
    /// kept: guests' modules import any names.
    pub(crate) fn host(&self, store: &mut StoreContextMut<'_, T>, module: &str, name: &str) -> Option<Extern> {
        let key = (Box::from(module), Box::from(name));
        if let Some(known) = self.state().host.get(&key) {
            return Some(*known);
        }
        let (linker, own) = self.linkers();
        let own = own.get(&mut *store, module, name);
        // What the embedder defines comes before what the session has.
        let given = linker.get(&mut *store, module, name).or(own)?;
        self.state().host.insert(key, given);
        Some(given)
    }

    /// Whether the linkers have a function by a name.
    pub(crate) fn has_host(&self, name: &str) -> bool {
        functions::session_function(name).is_some() || self.linkers().0.has("env", name)
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

/// A function was called that nobody provides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{symbol}` was called by {importer}, and nobody provides it")]
pub struct Unbound {
    /// The function.
    pub symbol: Arc<str>,
    /// The module that called it.
    pub importer: Arc<str>,
}
