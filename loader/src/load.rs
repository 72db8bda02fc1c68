//! Loading: modules become objects, all of them or none.
//!
//! What is asked for is found, described, placed and bound before anything is made.
//! What is made then is taken back if something fails, up to the last constructor.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tracing::{debug, trace};
use vm::{
    Access, AsContextMut, Domain, Error, Extern, ExternType, Func, FuncType, Global, GlobalType, Instance, Link,
    Memory, MemoryType, Module, Mutability, Permissions, Ref, RefType, Region, StoreContextMut, Table, TableType, Val,
    ValType,
};

use crate::bind::{Binder, Bound, FunctionKey};
use crate::find::shown;
use crate::interface::{MEMORY, STACK_POINTER, TABLE};
use crate::object::{Block, Namespace, NamespaceId, Object, ObjectId, Shared, State, Strings};
use crate::plan::{BYTES, ELEMENTS, PAGE, no_room, place, stack_address};
use crate::session::Session;
use crate::space::Free;
use crate::{
    Binding, Dylink, Found, Import, Interface, LOWEST_ADDRESS, LoadError, Need, NewSlot, Part, Place, PlanError,
    Provider, Room, Search,
};

/// Places of a table that it grows by at least.
const TABLE_CHUNK: u64 = 64;
/// Places that a table can have: what the virtual machine allows.
const MOST_SLOTS: u32 = 10_000_000;
/// The end of the addresses of blocks: nothing is near the end of the address space.
const HIGHEST_ADDRESS: u32 = 0xffff_0000;

/// What is to be loaded, and how.
pub(crate) struct Request<'a> {
    pub(crate) namespace: NamespaceId,
    /// The modules, in the order of search; a program is the first.
    pub(crate) roots: Vec<Found>,
    /// Functions are bound when they are called.
    pub(crate) is_lazy: bool,
    /// They are there for good.
    pub(crate) is_kept: bool,
    /// Their own libraries come before the program's.
    pub(crate) is_deep: bool,
    /// What the guest may do that asks for them, if one does.
    pub(crate) permissions: Option<&'a Permissions>,
    /// Who pays for the memory, if not the program.
    pub(crate) domain: Option<Domain>,
}

/// A module that is to become an object.
struct New {
    id: ObjectId,
    found: Found,
    dylink: Arc<Dylink>,
    interface: Arc<Interface>,
    needs: Vec<ObjectId>,
    place: Place,
    bindings: Vec<Binding>,
}

/// An object, or a module that is to become one, as others are bound to it.
struct Known {
    id: ObjectId,
    found: Found,
    dylink: Arc<Dylink>,
    interface: Arc<Interface>,
    place: Place,
}

/// What was made so far, to be taken back if something fails.
#[derive(Default)]
struct Made {
    blocks: Vec<(ObjectId, Block)>,
    /// Ranges of the table.
    slots: Vec<Range<u32>>,
    /// The modules are objects.
    is_entered: bool,
}

impl<T: 'static> Session<T> {
    /// Loads modules and all they need, and runs their constructors. The objects of
    /// the roots, in order.
    pub(crate) fn load_objects(
        &self,
        store: &mut StoreContextMut<'_, T>,
        request: &Request<'_>,
    ) -> Result<Vec<ObjectId>, LoadError> {
        let (mut new, roots) = self.gather(request)?;
        if new.is_empty() {
            return Ok(roots);
        }
        let host = self.host_functions(store, &new);
        let mut made = Made::default();
        let stack_pointer = self.stack_pointer(store);
        let result = self.make(store, request, &mut new, &roots, &host, &mut made);
        let result = result.and_then(|()| self.construct(store, &new, &roots));
        match result {
            Ok(()) => {
                for object in &new {
                    debug!(name = shown(&object.found.name), "loaded");
                }
                Ok(roots)
            }
            Err(error) => {
                debug!(%error, "taken back");
                if let (Some(global), Some(value)) = stack_pointer {
                    // It is the type that it had.
                    let _ = global.set(&mut *store, value);
                }
                self.take_back(store, &new, made);
                Err(error)
            }
        }
    }

    /// The stack pointer as it is now.
    fn stack_pointer(&self, store: &mut StoreContextMut<'_, T>) -> (Option<Global>, Option<Val>) {
        let global = self.state().shared.and_then(|shared| shared.stack_pointer);
        (global, global.map(|global| global.get(&*store)))
    }

    /// The modules that are to become objects, and the objects of the roots.
    fn gather(&self, request: &Request<'_>) -> Result<(Vec<New>, Vec<ObjectId>), LoadError> {
        let (ids, loaded): (Vec<ObjectId>, Vec<Found>) = {
            let state = self.state();
            let there = state
                .objects
                .iter()
                .filter(|(_, object)| object.namespace == request.namespace);
            there.map(|(id, object)| (*id, object.found.clone())).unzip()
        };
        let mut search = Search::new(self.finder()).loaded(loaded);
        if let Some(permissions) = request.permissions {
            search = search.permitted(permissions);
        }
        let mut gathered = search.gather(request.roots.clone());
        if !gathered.errors.is_empty() {
            return Err(gathered.errors.swap_remove(0).into());
        }
        let mut state = self.state();
        let new_ids = gathered
            .libraries
            .iter()
            .skip(ids.len())
            .map(|_| ObjectId(state.next_id()));
        let ids: Vec<ObjectId> = ids.iter().copied().chain(new_ids).collect();
        drop(state);
        let id_of = |at: usize| ids.get(at).copied();
        let roots = request.roots.iter().filter_map(|root| {
            let at = gathered
                .libraries
                .iter()
                .position(|found| found.identity == root.identity)?;
            id_of(at)
        });
        let roots = roots.collect();
        let needs = gathered.needs.iter().map(|needs| {
            let needs = needs.iter().filter_map(|needed| id_of(needed.library?));
            needs.collect::<Vec<ObjectId>>()
        });
        let all = gathered.libraries.iter().zip(&ids).zip(needs).skip(gathered.loaded);
        let new = all.map(|((found, id), needs)| {
            let is_program = self.state().main.is_none() && gathered.loaded == 0 && Some(*id) == id_of(0);
            let (dylink, interface) = describe(found, is_program)?;
            Ok(New {
                id: *id,
                found: found.clone(),
                dylink: Arc::new(dylink),
                interface: Arc::new(interface),
                needs,
                place: Place::default(),
                bindings: Vec::new(),
            })
        });
        Ok((new.collect::<Result<_, LoadError>>()?, roots))
    }

    /// What the host has of what new modules import from `env`, and its types.
    fn host_functions(&self, store: &mut StoreContextMut<'_, T>, new: &[New]) -> HashMap<Box<str>, (Func, FuncType)> {
        let imports = new.iter().flat_map(|new| &new.interface.imports);
        let names = imports.filter(|import| import.need.is_symbol());
        let mut all = HashMap::new();
        for Import { name, .. } in names {
            if all.contains_key(name) {
                continue;
            }
            if let Some(func) = self.host(store, "env", name).and_then(Extern::into_func) {
                all.insert(name.clone(), (func, func.ty(&*store)));
            }
        }
        all
    }

    /// Makes objects of new modules, short of running code of theirs but start
    /// functions.
    fn make(
        &self,
        store: &mut StoreContextMut<'_, T>,
        request: &Request<'_>,
        new: &mut [New],
        roots: &[ObjectId],
        host: &HashMap<Box<str>, (Func, FuncType)>,
        made: &mut Made,
    ) -> Result<(), LoadError> {
        let is_program = self.state().shared.is_none();
        let memory_size = match is_program {
            true => self.place_program(new, made)?,
            false => self.place_libraries(store, new, made)?,
        };
        let local: Arc<[ObjectId]> = local_scope(&self.state().objects, new, roots);
        let (bound, known) = self.bind(request, new, &local, host, made)?;
        for (new, bindings) in new.iter_mut().zip(bound.bindings) {
            new.bindings = bindings;
        }
        if !bound.missing.is_empty() {
            return Err(LoadError::Missing { symbols: bound.missing });
        }
        let domain = request.domain.clone();
        let domain = domain.or_else(|| Some(self.main_instance()?.domain(&*store)));
        let is_static = new.first().is_some_and(|main| main.interface.is_static);
        self.enter(request, new, &local, &known, made);
        if is_program && !is_static {
            let stack_end = self.state().own.get("__stack_high").copied().unwrap_or(0);
            let shared = make_shared(store, new, memory_size, self.table_end(), stack_end)?;
            self.state().shared = Some(shared);
        }
        for at in order(new, roots, is_program) {
            let Some(module) = new.get(at) else { continue };
            if self.state().shared.is_some() {
                self.make_room(store, module, domain.as_ref())?;
            }
            let instance = self.instantiate(store, module, host)?;
            if let Some(object) = self.state().objects.get_mut(&module.id) {
                object.instance = Some(instance);
            }
            if self.state().shared.is_none() {
                let shared = shared_of(store, instance, module)?;
                self.state().shared = Some(shared);
            }
        }
        self.complete(store, request, new, &known, &bound.slots, host)
    }

    /// Makes the objects known.
    fn enter(&self, request: &Request<'_>, new: &[New], local: &Arc<[ObjectId]>, known: &[ObjectId], made: &mut Made) {
        let mut state = self.state();
        let mut blocks: HashMap<ObjectId, Block> = made.blocks.drain(..).collect();
        for module in new {
            let imported = module.interface.imports.iter().filter(|import| import.is_function());
            let imported = imported.count();
            let elements = module.interface.elements.iter();
            let slots = elements.filter(|(index, _)| **index as usize >= imported);
            let slots = slots.map(|(index, element)| (*index, element.slot(&module.place.table)));
            let uses = module.bindings.iter().filter_map(|binding| match *binding {
                Binding::Function(Provider::Part(at)) | Binding::Data(Provider::Part(at), _) => Some(at),
                Binding::Slot(Provider::Part(at), _) => Some(at),
                _ => None,
            });
            let uses = uses
                .filter_map(|at| known.get(at).copied())
                .filter(|id| *id != module.id);
            let object = Object {
                found: module.found.clone(),
                dylink: Arc::clone(&module.dylink),
                interface: Arc::clone(&module.interface),
                instance: None,
                namespace: request.namespace,
                place: module.place.clone(),
                block: blocks.remove(&module.id),
                needs: module.needs.clone(),
                local: Arc::clone(local),
                uses: uses.collect(),
                slots: slots.collect(),
                extra: Vec::new(),
                opens: 0,
                is_kept: request.is_kept,
                is_deep: request.is_deep,
                is_leaving: false,
                strings: Strings::default(),
            };
            state.objects.insert(module.id, object);
            state.loaded += 1;
        }
        let is_first = state.main.is_none();
        if is_first {
            state.main = new.first().map(|main| main.id);
        }
        state.namespaces.entry(request.namespace).or_insert_with(|| Namespace {
            global: local.to_vec(),
            leaders: if is_first { request.roots.len() } else { 0 },
        });
        made.is_entered = true;
    }

    /// Places the modules of a program, and its stack; bytes of its memory.
    fn place_program(&self, new: &mut [New], made: &mut Made) -> Result<u64, LoadError> {
        let pages = new.iter().flat_map(|new| memory_type(&new.found.module));
        let pages = pages.map(|ty| ty.minimum()).max().unwrap_or(0);
        let mut state = self.state();
        if new.first().is_some_and(|main| main.interface.is_static) {
            let size = pages.saturating_mul(u64::from(PAGE));
            let lowest = u32::try_from(size).unwrap_or(HIGHEST_ADDRESS).max(LOWEST_ADDRESS);
            state.addresses = Free::new(lowest..HIGHEST_ADDRESS.max(lowest));
            let elements = new
                .first()
                .and_then(|main| table_minimum(&main.found.module))
                .unwrap_or(0);
            state.slots = Free::new(u32::try_from(elements).unwrap_or(MOST_SLOTS).max(1)..MOST_SLOTS);
            drop(state);
            let [_, libraries @ ..] = new else { return Ok(size) };
            self.place_each(libraries, made)?;
            return Ok(size);
        }
        let mut room = Room {
            memory: 0..HIGHEST_ADDRESS,
            // A null pointer to a function is no function's.
            table: 1..MOST_SLOTS,
            stack_size: self.options().stack_size,
        };
        let parts: Vec<Part<'_>> = new.iter().map(New::part).collect();
        let (places, stack) = place(&parts, &mut room, self.options().stack_size)?;
        for (new, place) in new.iter_mut().zip(places) {
            new.place = place;
        }
        made.slots.push(1..room.table.start);
        for name in ["__heap_base", "__stack_high", "__stack_low"] {
            state
                .own
                .extend(stack_address(&stack, name).map(|address| (name, address)));
        }
        let pages = pages.max(u64::from(stack.end.div_ceil(PAGE)));
        let size = pages.saturating_mul(u64::from(PAGE));
        let end = u32::try_from(size).unwrap_or(u32::MAX);
        state.own.insert("__heap_end", end);
        state.addresses = Free::new(end.min(HIGHEST_ADDRESS)..HIGHEST_ADDRESS);
        state.slots = Free::new(room.table);
        Ok(size)
    }

    /// Places libraries in blocks; bytes of the memory.
    fn place_libraries(
        &self,
        store: &mut StoreContextMut<'_, T>,
        new: &mut [New],
        made: &mut Made,
    ) -> Result<u64, LoadError> {
        self.place_each(new, made)?;
        let size = self
            .state()
            .shared
            .map_or(0, |shared| shared.memory.data_size(&*store) as u64);
        Ok(size)
    }

    /// Places modules in blocks of their own.
    fn place_each(&self, new: &mut [New], made: &mut Made) -> Result<(), LoadError> {
        let mut state = self.state();
        let host_page = u32::try_from(Region::page_size()).unwrap_or(PAGE);
        for new in new {
            let name = &*new.found.name;
            if new.interface.is_static {
                return Err(PlanError::NotTheProgram { module: name.into() }.into());
            }
            let Dylink {
                memory_size,
                memory_alignment,
                table_size,
                table_alignment,
                ..
            } = *new.dylink;
            let tls = new.interface.tls;
            let (tls_size, tls_alignment) = tls.map_or((0, 1), |tls| (tls.size, tls.alignment.max(1)));
            let whole = || {
                let tls_at = memory_size.checked_next_multiple_of(tls_alignment)?;
                let size = tls_at.checked_add(tls_size)?;
                Some((tls_at, size, size.checked_next_multiple_of(host_page)?))
            };
            let alignment = memory_alignment.max(tls_alignment).max(host_page);
            let free = state.addresses.bounds();
            let full = || no_room(name, BYTES, memory_size, memory_alignment, &free);
            let (tls_at, size, bytes) = whole().ok_or_else(full)?;
            if size == 0 {
                // No object is at the address, but none may be at 0 either.
                let at = LOWEST_ADDRESS.checked_next_multiple_of(alignment).ok_or_else(full)?;
                new.place.memory = at..at;
                new.place.tls = at..at;
            } else {
                let range = state.addresses.take_highest(bytes, alignment).ok_or_else(full)?;
                let start = range.start;
                new.place.memory = start..start + memory_size;
                new.place.tls = start + tls_at..start + size;
                let region = None;
                made.blocks.push((new.id, Block { range, region }));
            }
            let table = state.slots.take_lowest(table_size, table_alignment);
            let free = state.slots.bounds();
            new.place.table = table.ok_or_else(|| no_room(name, ELEMENTS, table_size, table_alignment, &free))?;
            made.slots.push(new.place.table.clone());
            trace!(
                name = shown(name),
                memory = ?new.place.memory,
                table = ?new.place.table,
                "placed"
            );
        }
        Ok(())
    }

    /// Binds what new modules import.
    fn bind(
        &self,
        request: &Request<'_>,
        new: &[New],
        local: &[ObjectId],
        host: &HashMap<Box<str>, (Func, FuncType)>,
        made: &mut Made,
    ) -> Result<(Bound, Vec<ObjectId>), LoadError> {
        let mut state = self.state();
        let there = state
            .objects
            .iter()
            .filter(|(_, object)| object.namespace == request.namespace);
        let mut known: Vec<Known> = there.map(|(id, object)| Known::of(*id, object)).collect();
        let from = known.len();
        known.extend(new.iter().map(Known::new));
        let parts: Vec<Part<'_>> = known.iter().map(Known::part).collect();
        let places: Vec<Place> = known.iter().map(|known| known.place.clone()).collect();
        let at: HashMap<ObjectId, usize> = known.iter().zip(0..).map(|(known, at)| (known.id, at)).collect();
        // What a program is loaded with is what all of it sees.
        let scope = state.scope(request.namespace, local, request.is_deep);
        let scope: Vec<usize> = scope.iter().filter_map(|id| at.get(id).copied()).collect();
        let mut slots = state.slots.clone();
        let leaders = match state.main {
            None => Some(request.roots.len()),
            Some(_) => None,
        };
        let own = state.own.clone();
        let mut taken = Vec::new();
        let bound = {
            let state = &*state;
            Binder {
                parts: &parts,
                places: &places,
                known: &|provider, key| match (provider, key) {
                    (Provider::Part(at), FunctionKey::Index(index)) => {
                        let object = state.objects.get(&known.get(at)?.id)?;
                        object.slots.get(index).copied()
                    }
                    (Provider::Host, FunctionKey::Name(name)) => state.host_slots.get(name).copied(),
                    _ => None,
                },
                from,
                scope: &|_| scope.clone(),
                reserved: &|_, name| {
                    let reserved = state.reserved(request.namespace, request.is_kept, name)?;
                    Some(leaders.unwrap_or(reserved))
                },
                is_lazy: request.is_lazy,
                addresses: &|name| own.get(name).copied(),
                host: &|name| Some(host.get(name)?.1.clone()),
                take_slot: &mut || {
                    let slot = slots.take_lowest(1, 1)?;
                    taken.push(slot.clone());
                    Some(slot.start)
                },
            }
            .bind()
        }?;
        state.slots = slots;
        // Those that become the host's are kept.
        let is_hosts = |slot: u32| {
            let new = bound.slots.iter().find(|new| new.slot == slot);
            new.is_some_and(|new| new.provider == Provider::Host)
        };
        made.slots
            .extend(taken.into_iter().filter(|slot| !is_hosts(slot.start)));
        let known = known.iter().map(|known| known.id).collect();
        Ok((bound, known))
    }

    /// Where the part of the table ends that is in use.
    fn table_end(&self) -> u32 {
        self.state().slots.bounds().start
    }

    /// Makes sure of the memory and of the table that a module is to have.
    fn make_room(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &New,
        domain: Option<&Domain>,
    ) -> Result<(), LoadError> {
        let Some(shared) = self.state().shared else {
            return Ok(());
        };
        if let Some(ty) = memory_type(&module.found.module) {
            let more = ty.minimum().saturating_sub(shared.memory.size(&*store));
            if more > 0 {
                shared.memory.grow(&mut *store, more)?;
            }
        }
        let block = |object: &mut Object| object.block.as_ref().map(|block| block.range.clone());
        let range = self.state().objects.get_mut(&module.id).and_then(block);
        if let Some(range) = range {
            let region = self.map_region(store, shared.memory, range, domain)?;
            let mut state = self.state();
            if let Some(block) = state
                .objects
                .get_mut(&module.id)
                .and_then(|object| object.block.as_mut())
            {
                block.region = Some(region);
            }
        }
        let end = module.place.table.end;
        let wanted = u64::from(end).max(table_minimum(&module.found.module).unwrap_or(0));
        self.grow_table(store, wanted)
    }

    /// Gives addresses memory of their own.
    pub(crate) fn map_region(
        &self,
        store: &mut StoreContextMut<'_, T>,
        memory: Memory,
        range: Range<u32>,
        domain: Option<&Domain>,
    ) -> Result<Region, LoadError> {
        let bytes = u64::from(range.end - range.start);
        let region = Region::new(bytes).map_err(Error::from)?;
        if let Some(domain) = domain {
            region.hold(domain.charge_memory(bytes)?);
        }
        let at = u64::from(range.start);
        let mapped = memory.map(&mut *store, at, &region, 0..bytes, Access::ReadWrite);
        mapped.map_err(Error::from)?;
        Ok(region)
    }

    /// Makes the table have so many places at least.
    pub(crate) fn grow_table(&self, store: &mut StoreContextMut<'_, T>, wanted: u64) -> Result<(), LoadError> {
        let Some(table) = self.state().shared.and_then(|shared| shared.table) else {
            return match wanted {
                0 | 1 => Ok(()),
                _ => Err(LoadError::NoTable),
            };
        };
        let more = wanted.saturating_sub(table.size(&*store));
        if more == 0 {
            return Ok(());
        }
        let chunk = more.max(TABLE_CHUNK);
        if table.grow(&mut *store, chunk, Ref::Func(None)).is_err() {
            table.grow(&mut *store, more, Ref::Func(None))?;
        }
        Ok(())
    }

    /// Makes the instance of a module.
    fn instantiate(
        &self,
        store: &mut StoreContextMut<'_, T>,
        module: &New,
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
                ty: theirs.ty(),
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
                (Need::Other(_), _) => {
                    let given = self.host(store, theirs.module(), theirs.name());
                    given.ok_or_else(missing)?.into()
                }
                (_, Binding::Own | Binding::Lazy | Binding::Function(_)) => return Err(missing()),
            });
        }
        // So the store keeps the session.
        let (session, id) = (self.clone(), module.id);
        let find =
            move |mut store: StoreContextMut<'_, T>, import: usize| session.bind_function(&mut store, id, import);
        let instance = Instance::link(&mut *store, &module.found.module, &links, find);
        instance.map_err(|error| refused(error, &module.found))
    }

    /// A function that stands for an imported one and calls it: where a module refers
    /// to one by value before it is there.
    fn stand_in(&self, store: &mut StoreContextMut<'_, T>, importer: ObjectId, import: &Import, ty: FuncType) -> Func {
        let (session, name) = (self.clone(), import.name.clone());
        Func::new(&mut *store, ty, move |mut caller, args, results| {
            let func = session.function_for(&mut caller.as_context_mut(), importer, &name)?;
            func.call(&mut caller, args, results)
        })
    }

    /// Binds what is to be bound at once, and fills the places of the table.
    fn complete(
        &self,
        store: &mut StoreContextMut<'_, T>,
        request: &Request<'_>,
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
                let is_now = matches!(binding, Binding::Function(Provider::Part(_)));
                if is_now && (!request.is_lazy || import.is_referenced) {
                    let func = self.function_for(store, module.id, &import.name)?;
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
    fn patch_elements(&self, store: &mut StoreContextMut<'_, T>, new: &[New]) -> Result<(), LoadError> {
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
                    && let Ok(func) = self.function_for(store, module.id, &import.name)
                {
                    let slot = element.slot(&module.place.table);
                    table.set(&mut *store, u64::from(slot), Ref::Func(Some(func)))?;
                }
            }
        }
        Ok(())
    }

    /// Runs relocations of all, then constructors, those of what is needed first.
    fn construct(&self, store: &mut StoreContextMut<'_, T>, new: &[New], roots: &[ObjectId]) -> Result<(), LoadError> {
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
                true if is_main && exports("_start") => None,
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
    fn run(
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

    /// Undoes what was made.
    fn take_back(&self, store: &mut StoreContextMut<'_, T>, new: &[New], made: Made) {
        let ids: Vec<ObjectId> = new.iter().map(|new| new.id).collect();
        let is_program = {
            let mut state = self.state();
            state.exits.retain(|exit| !ids.contains(&exit.owner));
            for id in &ids {
                // These are given back below, whoever got them.
                if let Some(object) = state.objects.get_mut(id) {
                    object.place.table = 0..0;
                    object.extra.clear();
                }
            }
            state.main.is_none_or(|main| ids.contains(&main))
        };
        self.remove(store, &ids);
        for (_, block) in made.blocks {
            self.give_back(store, block);
        }
        let mut state = self.state();
        let taken = |slot: &Range<u32>| state.objects.values().any(|object| object.extra.contains(&slot.start));
        let free: Vec<Range<u32>> = made.slots.into_iter().filter(|slot| !taken(slot)).collect();
        free.into_iter().for_each(|slots| state.slots.give_back(slots));
        if is_program {
            // Nothing else is there yet.
            let busy = state.busy;
            *state = State::default();
            state.busy = busy;
        }
    }

    /// Gives back the addresses of a block.
    pub(crate) fn give_back(&self, store: &mut StoreContextMut<'_, T>, block: Block) {
        let memory = self.state().shared.map(|shared| shared.memory);
        if let (Some(memory), Some(_)) = (memory, &block.region) {
            let range = u64::from(block.range.start)..u64::from(block.range.end);
            // It was mapped there; whatever the guest did to it since, nothing is after.
            let _ = memory.unmap(&mut *store, range);
        }
        self.state().addresses.give_back(block.range);
    }
}

impl New {
    fn part(&self) -> Part<'_> {
        Part {
            name: &self.found.name,
            dylink: &self.dylink,
            interface: &self.interface,
        }
    }
}

impl Known {
    fn of(id: ObjectId, object: &Object) -> Self {
        Self {
            id,
            found: object.found.clone(),
            dylink: Arc::clone(&object.dylink),
            interface: Arc::clone(&object.interface),
            place: object.place.clone(),
        }
    }

    fn new(new: &New) -> Self {
        Self {
            id: new.id,
            found: new.found.clone(),
            dylink: Arc::clone(&new.dylink),
            interface: Arc::clone(&new.interface),
            place: new.place.clone(),
        }
    }

    fn part(&self) -> Part<'_> {
        Part {
            name: &self.found.name,
            dylink: &self.dylink,
            interface: &self.interface,
        }
    }
}

/// What a module says of itself.
fn describe(found: &Found, is_program: bool) -> Result<(Dylink, Interface), LoadError> {
    let name = || Box::from(&*found.name);
    let dylink = Dylink::read(&found.module).map_err(|source| LoadError::Dylink { module: name(), source })?;
    let says = dylink.is_some();
    let dylink = dylink.unwrap_or_default();
    let interface = Interface::of(&found.module, &dylink);
    let interface = interface.map_err(|source| LoadError::Interface { module: name(), source })?;
    match says || (is_program && interface.is_static) {
        true => Ok((dylink, interface)),
        false => Err(LoadError::NotDynamic { module: name() }),
    }
}

/// The memory that a module has to have: the one it imports, or brings as a program.
fn memory_type(module: &Module) -> Option<MemoryType> {
    let imported = module.imports().find_map(|import| match import.ty() {
        ExternType::Memory(ty) => Some(ty),
        _ => None,
    });
    imported.or_else(|| match module.get_export(MEMORY) {
        Some(ExternType::Memory(ty)) => Some(ty),
        _ => None,
    })
}

/// Elements that the table of a module has to have.
fn table_minimum(module: &Module) -> Option<u64> {
    let imported = module.imports().find_map(|import| match import.ty() {
        ExternType::Table(ty) => Some(ty.minimum()),
        _ => None,
    });
    imported.or_else(|| match module.get_export(TABLE) {
        Some(ExternType::Table(ty)) => Some(ty.minimum()),
        _ => None,
    })
}

/// The scope of objects that are loaded together.
fn local_scope(
    objects: &std::collections::BTreeMap<ObjectId, Object>,
    new: &[New],
    roots: &[ObjectId],
) -> Arc<[ObjectId]> {
    let mut all: Vec<ObjectId> = Vec::new();
    for root in roots {
        if !all.contains(root) {
            all.push(*root);
        }
    }
    let mut at = 0;
    while let Some(id) = all.get(at).copied() {
        at += 1;
        let needs = match new.iter().find(|new| new.id == id) {
            Some(new) => &new.needs,
            None => match objects.get(&id) {
                Some(object) => &object.needs,
                None => continue,
            },
        };
        for need in needs {
            if !all.contains(need) {
                all.push(*need);
            }
        }
    }
    all.into()
}

/// New modules in the order in which they are made: what is needed comes first, and
/// in cycles what was loaded first. A program that brings the memory comes before all.
fn order(new: &[New], roots: &[ObjectId], is_program: bool) -> Vec<usize> {
    let at: HashMap<ObjectId, usize> = new.iter().zip(0..).map(|(new, at)| (new.id, at)).collect();
    let mut order = Vec::with_capacity(new.len());
    let mut seen = vec![false; new.len()];
    if is_program && new.first().is_some_and(|main| main.interface.is_static) {
        order.push(0);
        if let Some(seen) = seen.first_mut() {
            *seen = true;
        }
    }
    // A program comes after what is preloaded for it.
    let roots = roots.iter().rev();
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    for root in roots.filter_map(|root| at.get(root)).copied().chain(0..new.len()) {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        waiting.push((root, 0));
        while let Some((module, next)) = waiting.last_mut() {
            let need = new.get(*module).and_then(|new| new.needs.get(*next));
            *next += 1;
            match need {
                Some(need) => {
                    if let Some(need) = at.get(need)
                        && !std::mem::replace(&mut seen[*need], true)
                    {
                        waiting.push((*need, 0));
                    }
                }
                None => {
                    order.push(*module);
                    waiting.pop();
                }
            }
        }
    }
    order
}

/// The memory, the table and the stack pointer for a position-independent program.
fn make_shared<T: 'static>(
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
fn shared_of<T: 'static>(
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

/// What instantiation failed with; a trap there is the module's.
fn refused(error: Error, found: &Found) -> LoadError {
    match error.trap() {
        Some(_) => LoadError::Constructor {
            module: (&*found.name).into(),
            source: Box::new(error),
        },
        None => LoadError::Instantiate {
            module: (&*found.name).into(),
            source: Box::new(error),
        },
    }
}
