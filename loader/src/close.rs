//! Closing: objects that nobody has open and nothing needs are unloaded.

use std::collections::BTreeSet;

use tracing::debug;
use vm::{AsContextMut, Error, Ref, StoreContextMut, Val};

use crate::LoadError;
use crate::find::shown;
use crate::functions::check_type;
use crate::object::{Exit, ObjectId, State};
use crate::session::{Busy, Session};

impl<T: 'static> Session<T> {
    /// Undoes one opening of an object.
    pub(crate) fn close_object(&self, store: &mut StoreContextMut<'_, T>, id: ObjectId) -> Result<(), LoadError> {
        self.check_store(&*store)?;
        {
            let mut state = self.state();
            let object = state.objects.get_mut(&id).filter(|object| object.opens > 0);
            object.ok_or(LoadError::Handle)?.opens -= 1;
        }
        self.busy(store, |_| Ok(()))
    }

    /// Unloads what nobody has open and nothing needs, unless a function of it is
    /// running: it stays until another library is opened or closed then.
    ///
    /// # Errors
    /// If a destructor does not return. What is to go is gone nevertheless.
    pub(crate) fn collect(&self, store: &mut StoreContextMut<'_, T>) -> Result<(), LoadError> {
        loop {
            let garbage = self.state().garbage();
            let instances: Vec<_> = garbage.iter().filter_map(|id| self.instance_of(*id)).collect();
            if garbage.is_empty() || instances.iter().any(|instance| instance.is_running(&*store)) {
                return Ok(());
            }
            let busy = Busy::begin(self);
            {
                let mut state = self.state();
                for id in &garbage {
                    if let Some(object) = state.objects.get_mut(id) {
                        object.is_leaving = true;
                    }
                }
            }
            let result = self.run_exits(store, |owner| garbage.contains(&owner));
            drop(busy);
            {
                let mut state = self.state();
                // Where one failed, those before it do not run.
                state.exits.retain(|exit| !garbage.contains(&exit.owner));
                for namespace in state.namespaces.values_mut() {
                    namespace.global.retain(|id| !garbage.contains(id));
                }
            }
            for id in &garbage {
                debug!(name = shown(&self.name_of(*id)), "unloaded");
            }
            self.remove(store, &garbage);
            result?;
        }
    }

    /// Runs destructors, the last registered first, of those owners that `is_due`.
    ///
    /// # Errors
    /// What ends one of them early.
    pub(crate) fn run_exits(
        &self,
        store: &mut StoreContextMut<'_, T>,
        is_due: impl Fn(ObjectId) -> bool,
    ) -> Result<(), Error> {
        loop {
            let exit = {
                let mut state = self.state();
                let last = state.exits.iter().rposition(|exit| is_due(exit.owner));
                last.map(|last| state.exits.remove(last))
            };
            let Some(Exit { slot, argument, .. }) = exit else {
                return Ok(());
            };
            let table = self.state().shared.and_then(|shared| shared.table);
            let func = table.and_then(|table| table.get(&*store, u64::from(slot)));
            if let Some(Ref::Func(Some(func))) = func {
                check_type(&func.ty(&*store), usize::from(argument.is_some()), 0)?;
                let argument = argument.map(|argument| Val::I32(argument.cast_signed()));
                func.call(store.as_context_mut(), argument.as_slice(), &mut [])?;
            }
        }
    }

    /// Takes objects away, and all that they had. No function of theirs is running.
    pub(crate) fn remove(&self, store: &mut StoreContextMut<'_, T>, ids: &[ObjectId]) {
        for id in ids {
            let object = {
                let mut state = self.state();
                let object = state.objects.remove(id);
                if let Some(object) = &object {
                    state.unloaded += 1;
                    let (identity, table) = (&object.found.identity, object.place.table.clone());
                    state.tombs.add(identity, table, &object.extra);
                    if state.tombs.is_full() {
                        let state = &mut *state;
                        state.tombs.clear(&mut state.slots);
                    }
                }
                for namespace in state.namespaces.values_mut() {
                    namespace.global.retain(|other| other != id);
                }
                object
            };
            let Some(mut object) = object else { continue };
            if !object.stand_ins.is_empty() {
                let mut state = self.state();
                let known = state.stand_ins.entry(object.found.identity.clone()).or_default();
                for stand_in in object.stand_ins.drain(..) {
                    known.entry(stand_in.name.clone()).or_default().push(stand_in);
                }
            }
            if let Some(instance) = object.instance {
                // It was seen that nothing of it is running; what is then, stays callable.
                let _ = instance.unload(&mut *store, &object.found.name);
            }
            for block in object.block.into_iter().chain(object.strings.blocks) {
                self.give_back(store, block);
            }
        }
        let mut state = self.state();
        // Some may have come to use what went while it did.
        for object in state.objects.values_mut() {
            object.needs.retain(|id| !ids.contains(id));
            object.uses.retain(|id| !ids.contains(id));
        }
        state.drop_empty_namespaces();
    }
}

impl State {
    /// What nobody has open and nothing that stays needs or uses.
    fn garbage(&self) -> Vec<ObjectId> {
        if self.busy > 0 {
            return Vec::new();
        }
        let roots = self
            .objects
            .iter()
            .filter(|(_, object)| object.opens > 0 || object.is_kept);
        let mut stays: BTreeSet<ObjectId> = roots.map(|(id, _)| *id).collect();
        let mut waiting: Vec<ObjectId> = stays.iter().copied().collect();
        while let Some(id) = waiting.pop() {
            let Some(object) = self.objects.get(&id) else { continue };
            for id in object.needs.iter().chain(&object.uses) {
                if stays.insert(*id) {
                    waiting.push(*id);
                }
            }
        }
        self.objects.keys().filter(|id| !stays.contains(id)).copied().collect()
    }

    /// Forgets namespaces in which nothing is.
    fn drop_empty_namespaces(&mut self) {
        let used: BTreeSet<_> = self.objects.values().map(|object| object.namespace).collect();
        self.namespaces.retain(|id, _| used.contains(id));
    }
}
