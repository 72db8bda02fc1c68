//! Loading: modules become objects, all of them or none.
//!
//! What is asked for is found, described, placed and bound before anything is made.
//! What is made then is taken back if something fails, up to the last constructor.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use tracing::debug;
use vm::{Domain, Extern, Func, FuncType, Global, Permissions, StoreContextMut, Val};

use crate::bind::{Binder, Bound, FunctionKey};
use crate::find::shown;
use crate::make::{make_shared, shared_of};
use crate::object::{Block, Namespace, NamespaceId, Object, ObjectId, Shared, State, Strings};
use crate::session::Session;
use crate::{Binding, Dylink, Found, Import, Interface, LoadError, Part, Place, PlanError, Provider, Search};

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
    /// All of the namespace sees them.
    pub(crate) is_global: bool,
    /// What the guest may do that asks for them, if one does.
    pub(crate) permissions: Option<&'a Permissions>,
    /// Who pays for the memory, if not the program.
    pub(crate) domain: Option<Domain>,
}

impl Request<'_> {
    /// How many come before the host where that comes before libraries, if this is a
    /// program: it and what is preloaded, each once.
    fn leaders(&self) -> usize {
        let identities: HashSet<_> = self.roots.iter().map(|root| &root.identity).collect();
        identities.len()
    }
}

/// A module that is to become an object.
pub(crate) struct New {
    pub(crate) id: ObjectId,
    pub(crate) found: Found,
    pub(crate) dylink: Arc<Dylink>,
    pub(crate) interface: Arc<Interface>,
    pub(crate) needs: Vec<ObjectId>,
    pub(crate) place: Place,
    pub(crate) bindings: Vec<Binding>,
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
pub(crate) struct Made {
    pub(crate) blocks: Vec<(ObjectId, Block)>,
    /// Ranges of the table.
    pub(crate) slots: Vec<Range<u32>>,
    /// The modules are objects.
    pub(crate) is_entered: bool,
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
        let mut result = self.make(store, request, &mut new, &roots, &host, &mut made);
        let is_full = matches!(
            result,
            Err(LoadError::Run(_) | LoadError::Plan(PlanError::NoRoom { .. }))
        );
        if is_full && !made.is_entered && self.forget_tombs() {
            // There may be room now; no code has run yet.
            self.take_back(store, &new, std::mem::take(&mut made));
            result = self.make(store, request, &mut new, &roots, &host, &mut made);
        }
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
                if let Some((global, value)) = stack_pointer {
                    // It is the type that it had.
                    let _ = global.set(&mut *store, value);
                }
                self.take_back(store, &new, made);
                Err(error)
            }
        }
    }

    /// The stack pointer as it is now.
    pub(crate) fn stack_pointer(&self, store: &mut StoreContextMut<'_, T>) -> Option<(Global, Val)> {
        let global = self.state().shared.and_then(|shared| shared.stack_pointer)?;
        Some((global, global.get(&*store)))
    }

    /// The modules that are to become objects, and the objects of the roots.
    pub(crate) fn gather(&self, request: &Request<'_>) -> Result<(Vec<New>, Vec<ObjectId>), LoadError> {
        let (ids, loaded): (Vec<ObjectId>, Vec<Found>) = {
            let state = self.state();
            let there = state
                .objects
                .iter()
                .filter(|(_, object)| object.namespace == request.namespace && !object.is_leaving);
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
            .map(|_| state.next_id().map(ObjectId));
        let ids = ids.iter().copied().map(Ok).chain(new_ids);
        let ids: Vec<ObjectId> = ids.collect::<Result<_, LoadError>>()?;
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
    pub(crate) fn host_functions(
        &self,
        store: &mut StoreContextMut<'_, T>,
        new: &[New],
    ) -> HashMap<Box<str>, (Func, FuncType)> {
        let imports = new.iter().flat_map(|new| &new.interface.imports);
        let names = imports.filter(|import| import.need.is_symbol());
        let mut all = HashMap::new();
        for Import { name, .. } in names {
            // Most names are those of other modules.
            if all.contains_key(name) || !self.has_host(name) {
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
    pub(crate) fn make(
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
            true => self.place_program(&*store, new, made)?,
            false => self.place_each(&*store, new, made).map(|()| 0)?,
        };
        let local: Arc<[ObjectId]> = local_scope(&self.state().objects, new, roots);
        let (bound, known) = self.bind(request, new, &local, host, made)?;
        if !is_program {
            // Before any code runs that could take places itself.
            let ends = new.iter().map(|new| new.place.table.end);
            let end = ends.chain(bound.slots.iter().map(|new| new.slot + 1)).max();
            self.grow_table(store, end.map_or(0, u64::from))?;
        }
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
            self.set_shared(store, shared);
        }
        for at in tags_first(new, order(new, roots, is_program), &known) {
            let Some(module) = new.get(at) else { continue };
            if self.state().shared.is_some() {
                let room = self.make_room(store, module, domain.as_ref());
                room.map_err(|error| match error {
                    LoadError::Run(source) => LoadError::Room {
                        module: (&*module.found.name).into(),
                        source: Box::new(source),
                    },
                    error => error,
                })?;
            }
            let instance = self.instantiate(store, module, &known, host)?;
            if let Some(object) = self.state().objects.get_mut(&module.id) {
                object.instance = Some(instance);
            }
            if self.state().shared.is_none() {
                let shared = shared_of(store, instance, module)?;
                self.set_shared(store, shared);
            }
        }
        self.complete(store, new, &known, &bound.slots, host)
    }

    /// Has what the program's modules share.
    fn set_shared(&self, store: &StoreContextMut<'_, T>, shared: Shared) {
        let mut state = self.state();
        state.table_size = shared.table.map_or(0, |table| table.size(store));
        state.shared = Some(shared);
    }

    /// Makes the objects known.
    pub(crate) fn enter(
        &self,
        request: &Request<'_>,
        new: &[New],
        local: &Arc<[ObjectId]>,
        known: &[ObjectId],
        made: &mut Made,
    ) {
        let mut state = self.state();
        let mut blocks: HashMap<ObjectId, Block> = made.blocks.drain(..).collect();
        for module in new {
            let elements = module.interface.own_elements();
            let slots = elements.map(|(index, element)| (index, element.slot(&module.place.table)));
            let uses = module.bindings.iter().filter_map(|binding| match *binding {
                Binding::Function(Provider::Part(at)) | Binding::Data(Provider::Part(at), _) => Some(at),
                Binding::Slot(Provider::Part(at), _) | Binding::Tag(Provider::Part(at)) => Some(at),
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
                stand_ins: Vec::new(),
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
            leaders: if is_first { request.leaders() } else { 0 },
            tags: HashMap::new(),
        });
        if request.is_global {
            state.show_all(request.namespace, local);
        }
        made.is_entered = true;
    }

    /// Binds what new modules import.
    pub(crate) fn bind(
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
            .filter(|(_, object)| object.namespace == request.namespace && !object.is_leaving);
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
        let mut tombs = std::mem::take(&mut state.tombs);
        let leaders = match state.main {
            None => Some(request.leaders()),
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
                scope: &scope,
                reserved: &|name| {
                    let reserved = state.reserved(request.namespace, request.is_kept, name)?;
                    Some(leaders.unwrap_or(reserved))
                },
                is_lazy: request.is_lazy,
                // The heap is the program's: a C library in another namespace has none yet.
                addresses: &|name| match name {
                    "__heap_base" if request.namespace != NamespaceId::BASE => own.get("__heap_end").copied(),
                    _ => own.get(name).copied(),
                },
                host: &|name| Some(host.get(name)?.1.clone()),
                take_slot: &mut |provider| {
                    let known = match provider {
                        Provider::Part(at) => known.get(at),
                        _ => None,
                    };
                    let tomb = known.and_then(|known| tombs.take_extra(&known.found.identity));
                    let slot = match tomb {
                        Some(slot) => slot..slot + 1,
                        None => slots.take_lowest(1, 1)?,
                    };
                    taken.push(slot.clone());
                    Some(slot.start)
                },
            }
            .bind()
        };
        state.slots = slots;
        state.tombs = tombs;
        made.slots.extend(taken);
        let bound = bound?;
        let known = known.iter().map(|known| known.id).collect();
        Ok((bound, known))
    }

    /// Undoes what was made.
    pub(crate) fn take_back(&self, store: &mut StoreContextMut<'_, T>, new: &[New], made: Made) {
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
        // Those of functions of the host, and of modules that were there, are kept.
        let extra = state.objects.values().flat_map(|object| &object.extra);
        let taken: HashSet<u32> = extra.chain(state.host_slots.values()).copied().collect();
        let free: Vec<Range<u32>> = made
            .slots
            .into_iter()
            .filter(|slot| !taken.contains(&slot.start))
            .collect();
        free.into_iter().for_each(|slots| state.slots.give_back(slots));
        if is_program {
            // Nothing else is there yet.
            let busy = state.busy;
            *state = State::default();
            state.busy = busy;
        }
    }
}

impl New {
    pub(crate) fn part(&self) -> Part<'_> {
        Part {
            name: &self.found.name,
            dylink: &self.dylink,
            interface: &self.interface,
        }
    }
}

impl Known {
    pub(crate) fn of(id: ObjectId, object: &Object) -> Self {
        Self {
            id,
            found: object.found.clone(),
            dylink: Arc::clone(&object.dylink),
            interface: Arc::clone(&object.interface),
            place: object.place.clone(),
        }
    }

    pub(crate) fn new(new: &New) -> Self {
        Self {
            id: new.id,
            found: new.found.clone(),
            dylink: Arc::clone(&new.dylink),
            interface: Arc::clone(&new.interface),
            place: new.place.clone(),
        }
    }

    pub(crate) fn part(&self) -> Part<'_> {
        Part {
            name: &self.found.name,
            dylink: &self.dylink,
            interface: &self.interface,
        }
    }
}

/// Modules in this order, but each after those whose tags it has: unlike functions,
/// tags have to be there when an instance is made. In cycles some are not.
fn tags_first(new: &[New], order: Vec<usize>, known: &[ObjectId]) -> Vec<usize> {
    let places: HashMap<ObjectId, usize> = new.iter().zip(0..).map(|(new, at)| (new.id, at)).collect();
    let mut first = Vec::with_capacity(order.len());
    let (mut seen, mut done) = (vec![false; new.len()], vec![false; new.len()]);
    // What waits, and what comes after it.
    let mut waiting: Vec<usize> = order.into_iter().rev().collect();
    while let Some(at) = waiting.pop() {
        let Some(module) = new.get(at) else { continue };
        if done[at] {
            continue;
        }
        let is_new = !std::mem::replace(&mut seen[at], true);
        let providers = module.bindings.iter().filter_map(|binding| match binding {
            Binding::Tag(Provider::Part(provider)) => places.get(known.get(*provider)?).copied(),
            _ => None,
        });
        let providers: Vec<usize> = providers.filter(|provider| !seen[*provider]).collect();
        if is_new && !providers.is_empty() {
            waiting.push(at);
            waiting.extend(providers);
            continue;
        }
        done[at] = true;
        first.push(at);
    }
    first
}

/// What a module says of itself.
pub(crate) fn describe(found: &Found, is_program: bool) -> Result<(Dylink, Interface), LoadError> {
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

/// The scope of objects that are loaded together.
pub(crate) fn local_scope(
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
pub(crate) fn order(new: &[New], roots: &[ObjectId], is_program: bool) -> Vec<usize> {
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
