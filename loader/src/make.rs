//! What is made of modules that are placed and bound: instances, whose relocations and
//! constructors run.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::{debug, trace};
use vm::{
    AsContextMut, Error, Extern, ExternType, Func, FuncType, Global, GlobalType, Instance, Link, Memory, MemoryType,
    Mutability, Ref, RefType, StoreContextMut, Table, TableType, Tag, TagType, Val, ValType,
};

use crate::find::shown;
use crate::interface::{ENV, MEMORY, STACK_POINTER, TABLE};
use crate::load::{New, order};
use crate::object::{ObjectId, Shared, StandIn};
use crate::plan::PAGE;
use crate::room::memory_type;
use crate::session::Session;
use crate::{Binding, Found, Import, LoadError, Need, NewSlot, PlanError, Provider};

/// Tags that the linker makes for a namespace: a store keeps them for good.
const MOST_TAGS: usize = 1000;

impl<T: 'static> Session<T> {
    /// Makes the instance of a module.
    pub(crate) fn instantiate(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &New,
        known: &[ObjectId],
        host: &HashMap<Box<str>, (Func, FuncType)>,
    ) -> Result<Instance, LoadError> {
        let shared = self.state().shared;
        let mut links = Vec::with_capacity(module.bindings.len());
        let imports = module.interface.imports.iter().zip(&module.bindings);
        for ((import, binding), theirs) in imports.zip(module.found.module.imports()) {
            let missing = || LoadError::UnknownImport {
                importer: (&*module.found.name).into(),
                module: theirs.module().into(),
                name: theirs.name().into(),
                ty: theirs.ty().into(),
            };
            let address = |address: u32| Link::Value(Val::I32(address.cast_signed()));
            links.push(match (&import.need, binding) {
                (Need::Memory, _) => shared.ok_or_else(missing)?.memory.into(),
                (Need::Table, _) => shared.and_then(|shared| shared.table).ok_or_else(missing)?.into(),
                (Need::StackPointer, _) => {
                    let global = shared.and_then(|shared| shared.stack_pointer);
                    global.ok_or_else(missing)?.into()
                }
                (Need::MemoryBase, _) => address(module.place.memory.start),
                (Need::TableBase, _) => address(module.place.table.start),
                (_, Binding::Data(_, at)) => address(*at),
                (_, Binding::Slot(_, slot)) => address(*slot),
                (Need::Function { .. }, Binding::Function(Provider::Host)) => host
                    .get(&import.name)
                    .map(|(func, _)| *func)
                    .ok_or_else(missing)?
                    .into(),
                (Need::Function { ty, .. }, _) if import.is_referenced => {
                    self.stand_in(store, module.id, import, ty.clone()).into()
                }
                (Need::Function { .. }, _) => Link::Unbound,
                (Need::Tag { ty }, Binding::Tag(Provider::Part(provider))) => {
                    let tag = known.get(*provider).and_then(|id| self.instance_of(*id));
                    let tag = tag.and_then(|instance| instance.get_tag(&mut *store, &import.name));
                    let tag = tag.ok_or_else(|| LoadError::TagLater {
                        importer: (&*module.found.name).into(),
                        tag: import.name.clone(),
                        ty: ty.clone(),
                    })?;
                    tag.into()
                }
                (Need::Tag { ty }, _) => self.tag(store, module, &import.name, ty)?.into(),
                (Need::Other(_), _) => {
                    let given = self.host(store, theirs.module(), theirs.name());
                    given.ok_or_else(missing)?.into()
                }
                (_, Binding::Own | Binding::Lazy | Binding::Function(_) | Binding::Tag(_)) => return Err(missing()),
            });
        }
        // So the store keeps the session.
        let (session, id) = (self.clone(), module.id);
        let find =
            move |mut store: StoreContextMut<'_, T>, import: usize| session.bind_function(&mut store, id, import);
        let instance = Instance::link(&mut *store, &module.found.module, &links, find);
        instance.map_err(|error| refused(error, &module.found))
    }

    /// The tag that all of a module's namespace have by a name which none of them
    /// exports: the host's, or one that is made when it is first needed.
    fn tag(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &New,
        name: &str,
        ty: &TagType,
    ) -> Result<Tag, LoadError> {
        let (namespace, known) = {
            let state = self.state();
            let namespace = state.objects.get(&module.id).map(|object| object.namespace);
            let namespace = namespace.ok_or(LoadError::Handle)?;
            let tags = state.namespaces.get(&namespace).map(|namespace| &namespace.tags);
            let known = tags.and_then(|tags| tags.get(name)).copied();
            if known.is_none() && tags.is_some_and(|tags| tags.len() >= MOST_TAGS) {
                return Err(LoadError::TooManyTags { limit: MOST_TAGS });
            }
            (namespace, known)
        };
        let (tag, provider) = match known {
            Some(tag) => (tag, "another module"),
            None => match self.host(store, ENV, name).and_then(Extern::into_tag) {
                Some(tag) => (tag, "the host"),
                None => (Tag::new(&mut *store, ty)?, "the linker"),
            },
        };
        let found = tag.ty(&*store);
        if found != *ty {
            return Err(PlanError::TagType {
                importer: (&*module.found.name).into(),
                provider: provider.into(),
                symbol: name.into(),
                expected: ty.clone(),
                found,
            }
            .into());
        }
        let mut state = self.state();
        if let Some(namespace) = state.namespaces.get_mut(&namespace) {
            namespace.tags.insert(name.into(), tag);
        }
        Ok(tag)
    }

    /// A function that stands for an imported one and calls it: where a module refers
    /// to one by value before it is there.
    pub(crate) fn stand_in(
        &self,
        store: &mut StoreContextMut<'_, T>,
        importer: ObjectId,
        import: &Import,
        ty: FuncType,
    ) -> Func {
        let known = self.state().take_stand_in(importer, &import.name, &ty);
        let stand_in = known.unwrap_or_else(|| {
            let (session, own) = (self.clone(), import.clone());
            let of = Arc::new(AtomicU32::new(importer.0));
            let importer = Arc::clone(&of);
            let func = Func::new(&mut *store, ty.clone(), move |mut caller, args, results| {
                let importer = ObjectId(importer.load(Ordering::Relaxed));
                let func = session.function_for(&mut caller.as_context_mut(), importer, &own)?;
                func.call(&mut caller, args, results)
            });
            let name = import.name.clone();
            StandIn { name, ty, func, of }
        });
        stand_in.of.store(importer.0, Ordering::Relaxed);
        let func = stand_in.func;
        if let Some(object) = self.state().objects.get_mut(&importer) {
            object.stand_ins.push(stand_in);
        }
        func
    }

    /// Binds what is to be bound at once, and fills the places of the table.
    pub(crate) fn complete(
        &self,
        store: &mut StoreContextMut<'_, T>,
        new: &[New],
        known: &[ObjectId],
        slots: &[NewSlot],
        host: &HashMap<Box<str>, (Func, FuncType)>,
    ) -> Result<(), LoadError> {
        for module in new {
            let Some(instance) = self.instance_of(module.id) else {
                continue;
            };
            for (at, (import, binding)) in module.interface.imports.iter().zip(&module.bindings).enumerate() {
                let Binding::Function(Provider::Part(provider)) = binding else {
                    continue;
                };
                let Some(provider) = known.get(*provider).copied() else {
                    continue;
                };
                if let Some(func) = self.own_func(store, provider, &import.name) {
                    debug!(
                        symbol = shown(&import.name),
                        importer = shown(&module.found.name),
                        provider = shown(&self.name_of(provider)),
                        "bound"
                    );
                    instance.rebind(&mut *store, at, func)?;
                }
            }
        }
        let highest = slots.iter().map(|new| u64::from(new.slot) + 1).max();
        self.grow_table(store, highest.unwrap_or(0))?;
        let Some(shared) = self.state().shared else {
            return Ok(());
        };
        for new in slots {
            let func = match new.provider {
                Provider::Part(at) => known.get(at).and_then(|id| self.own_func(store, *id, &new.symbol)),
                _ => host.get(&new.symbol).map(|(func, _)| *func),
            };
            let Some(table) = shared.table else {
                return Err(LoadError::NoTable);
            };
            table.set(&mut *store, u64::from(new.slot), Ref::Func(func))?;
            let mut state = self.state();
            match new.provider {
                Provider::Part(at) => {
                    let provider = known.get(at).and_then(|id| state.objects.get_mut(id));
                    if let Some(provider) = provider
                        && let Some(function) = provider.interface.functions.get(&new.symbol)
                    {
                        provider.slots.insert(function.index, new.slot);
                        provider.extra.push(new.slot);
                    }
                }
                _ => {
                    state.host_slots.insert(new.symbol.clone(), new.slot);
                }
            }
        }
        self.patch_elements(store, new)
    }

    /// Puts functions themselves where elements have those that stand for them.
    pub(crate) fn patch_elements(&self, store: &mut StoreContextMut<'_, T>, new: &[New]) -> Result<(), LoadError> {
        let Some(table) = self.state().shared.and_then(|shared| shared.table) else {
            return Ok(());
        };
        for module in new {
            let functions = module.interface.imports.iter().filter(|import| import.is_function());
            for (index, import) in (0..).zip(functions) {
                let Some(element) = module.interface.elements.get(&index) else {
                    continue;
                };
                if matches!(import.need, Need::Function { .. })
                    && let Ok(func) = self.function_for(store, module.id, import)
                {
                    let slot = element.slot(&module.place.table);
                    table.set(&mut *store, u64::from(slot), Ref::Func(Some(func)))?;
                    self.state().adopt_slot(module.id, &import.name, slot);
                }
            }
        }
        Ok(())
    }

    /// Runs relocations of all, then constructors, those of what is needed first.
    pub(crate) fn construct(
        &self,
        store: &mut StoreContextMut<'_, T>,
        new: &[New],
        roots: &[ObjectId],
    ) -> Result<(), LoadError> {
        for module in new.iter().rev() {
            let Some(instance) = self.instance_of(module.id) else {
                continue;
            };
            if module.interface.tls.is_some() {
                let base = Val::I32(module.place.tls.start.cast_signed());
                self.run(store, instance, "__wasm_init_tls", &[base], &module.found)?;
            }
            for name in [
                "__wasm_apply_global_relocs",
                "__wasm_apply_data_relocs",
                "__wasm_apply_tls_relocs",
            ] {
                self.run(store, instance, name, &[], &module.found)?;
            }
        }
        let main = self.state().main;
        for at in order(new, roots, false) {
            let Some(module) = new.get(at) else { continue };
            let Some(instance) = self.instance_of(module.id) else {
                continue;
            };
            let exports = |name| module.found.module.get_export(name).is_some();
            // A program's own start calls its constructors, and a reactor's is called
            // by whoever runs it.
            let is_main = Some(module.id) == main;
            let name = match exports("__wasm_call_ctors") {
                true if is_main && (exports("_start") || exports("_initialize")) => None,
                true => Some("__wasm_call_ctors"),
                false if is_main => None,
                false => Some("_initialize"),
            };
            if let Some(name) = name {
                trace!(name = shown(&module.found.name), "constructed");
                self.run(store, instance, name, &[], &module.found)?;
            }
        }
        Ok(())
    }

    /// Calls a function that a module exports, if it does.
    pub(crate) fn run(
        &self,
        store: &mut StoreContextMut<'_, T>,
        instance: Instance,
        name: &str,
        args: &[Val],
        found: &Found,
    ) -> Result<(), LoadError> {
        let Some(func) = instance.get_func(&mut *store, name) else {
            return Ok(());
        };
        let called = func.call(store.as_context_mut(), args, &mut []);
        called.map_err(|source| LoadError::Constructor {
            module: (&*found.name).into(),
            source: Box::new(source),
        })
    }
}

/// The memory, the table and the stack pointer for a position-independent program.
pub(crate) fn make_shared<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    new: &[New],
    memory_size: u64,
    table_end: u32,
    stack_end: u32,
) -> Result<Shared, LoadError> {
    let modules = || new.iter().map(|new| &new.found.module);
    let types = modules().filter_map(memory_type);
    let most = types.filter_map(|ty| ty.maximum()).min();
    let pages = memory_size.div_ceil(u64::from(PAGE));
    let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let memory = Memory::new(&mut *store, MemoryType::new(size(pages), most.map(size)))?;
    let tables = modules().flat_map(|module| module.imports().map(|import| import.ty()).collect::<Vec<_>>());
    let tables = tables.filter_map(|ty| match ty {
        ExternType::Table(ty) => Some(ty),
        _ => None,
    });
    let (mut least, mut most) = (u64::from(table_end), None::<u64>);
    for ty in tables {
        least = least.max(ty.minimum());
        most = most.into_iter().chain(ty.maximum()).min();
    }
    let ty = TableType::new(RefType::FUNCREF, size(least), most.map(size));
    let table = Table::new(&mut *store, ty, Ref::Func(None))?;
    let stack_pointer = GlobalType::new(ValType::I32, Mutability::Var);
    let stack_pointer = Global::new(&mut *store, stack_pointer, Val::I32(stack_end.cast_signed()))?;
    Ok(Shared {
        memory,
        table: Some(table),
        stack_pointer: Some(stack_pointer),
    })
}

/// The memory, the table and the stack pointer that a program brings.
pub(crate) fn shared_of<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    instance: Instance,
    module: &New,
) -> Result<Shared, LoadError> {
    let memory = instance.get_memory(&mut *store, MEMORY);
    let memory = memory.ok_or_else(|| LoadError::NotDynamic {
        module: (&*module.found.name).into(),
    })?;
    Ok(Shared {
        memory,
        table: instance.get_table(&mut *store, TABLE),
        stack_pointer: instance.get_global(&mut *store, STACK_POINTER),
    })
}

/// What instantiation failed with; a trap or exception there is the module's.
pub(crate) fn refused(error: Error, found: &Found) -> LoadError {
    match error {
        Error::Trap(_) | Error::Exception(_) => LoadError::Constructor {
            module: (&*found.name).into(),
            source: Box::new(error),
        },
        _ => LoadError::Instantiate {
            module: (&*found.name).into(),
            source: Box::new(error),
        },
    }
}
