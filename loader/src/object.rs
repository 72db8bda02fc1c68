//! What is loaded: objects, the namespaces they are in, and the scopes in which their
//! symbols are looked for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use vm::{Extern, Func, FuncType, Global, Instance, Memory, Region, Table, Tag};

use crate::bind::first;
use crate::space::Free;
use crate::{Dylink, Found, Identity, Interface, LoadError, Place, RESERVED};

/// The last number of an object or namespace: numbers of namespaces are `int` to
/// guests, and what follows is no handle.
const MOST_IDS: u32 = u32::MAX >> 1;
/// Unloaded libraries whose places in the table are kept.
const MOST_TOMBS: usize = 1 << 16;

/// What an object is known by; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectId(pub(crate) u32);

/// A namespace: objects that see each other's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamespaceId(pub(crate) u32);

impl NamespaceId {
    /// The program's.
    pub(crate) const BASE: Self = Self(0);
}

/// Addresses of an object's own, outside the program's first memory.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its addresses.
    pub(crate) range: Range<u32>,
    /// Its pages; none where the memory was made larger for it.
    pub(crate) region: Option<Region>,
}

/// A module that is loaded.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) found: Found,
    pub(crate) dylink: Arc<Dylink>,
    pub(crate) interface: Arc<Interface>,
    /// Once it is made.
    pub(crate) instance: Option<Instance>,
    pub(crate) namespace: NamespaceId,
    pub(crate) place: Place,
    pub(crate) block: Option<Block>,
    /// What it needs, in order.
    pub(crate) needs: Vec<ObjectId>,
    /// What was loaded with it, in the order of search.
    pub(crate) local: Arc<[ObjectId]>,
    /// Others whose symbols it uses, beyond those it needs.
    pub(crate) uses: BTreeSet<ObjectId>,
    /// Places of its functions in the table, by index.
    pub(crate) slots: HashMap<u32, u32>,
    /// Those of them that are not in its range of the table.
    pub(crate) extra: Vec<u32>,
    /// How often it was opened and not closed.
    pub(crate) opens: u32,
    /// It is there for good: it is the program's, or was opened so.
    pub(crate) is_kept: bool,
    /// Its own libraries come before the program's.
    pub(crate) is_deep: bool,
    /// It is being unloaded: nobody can open it.
    pub(crate) is_leaving: bool,
    /// Strings of it that the guest can have.
    pub(crate) strings: Strings,
    /// Functions that stand for those it imports.
    pub(crate) stand_ins: Vec<StandIn>,
}

/// A host function that stands for one that an object imports. A store keeps its host
/// functions for good, so the library gets it again when it is loaded again.
#[derive(Debug)]
pub(crate) struct StandIn {
    /// The import's name.
    pub(crate) name: Box<str>,
    pub(crate) ty: FuncType,
    pub(crate) func: Func,
    /// The object, by its number.
    pub(crate) of: Arc<AtomicU32>,
}

/// Bytes in the guest's memory that stay there, zero at their end.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    pub(crate) known: HashMap<Box<str>, u32>,
    pub(crate) free: Range<u32>,
    pub(crate) blocks: Vec<Block>,
}

/// What all modules of a program share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared {
    pub(crate) memory: Memory,
    pub(crate) table: Option<Table>,
    pub(crate) stack_pointer: Option<Global>,
}

/// The objects of a namespace that all of it see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    /// In the order in which they are searched.
    pub(crate) global: Vec<ObjectId>,
    /// Tags that nobody of it exports, by name: the linker has made them.
    pub(crate) tags: HashMap<Box<str>, Tag>,
    /// How many of them, from the first on, come before the host where the host comes
    /// before libraries.
    pub(crate) leaders: usize,
}

/// A destructor that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) owner: ObjectId,
    /// Its place in the table.
    pub(crate) slot: u32,
    /// What it is called with, if with anything.
    pub(crate) argument: Option<u32>,
}

/// Who has a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Object(ObjectId),
    Host,
}

/// Places in the table that unloaded libraries had. Whoever calls one is told of what
/// it was, so they become others' only when there are no more; the same library gets
/// them again.
#[derive(Debug, Default)]
pub(crate) struct Tombs {
    ranges: HashMap<Identity, Vec<Range<u32>>>,
    extra: HashMap<Identity, Vec<u32>>,
}

impl Tombs {
    /// Adds what a library had.
    pub(crate) fn add(&mut self, identity: &Identity, range: Range<u32>, extra: &[u32]) {
        if !range.is_empty() {
            self.ranges.entry(identity.clone()).or_default().push(range);
        }
        if !extra.is_empty() {
            self.extra.entry(identity.clone()).or_default().extend_from_slice(extra);
        }
    }

    /// The range that a library had, if it is what it needs.
    pub(crate) fn take(&mut self, identity: &Identity, dylink: &Dylink) -> Option<Range<u32>> {
        let ranges = self.ranges.get_mut(identity)?;
        let fits = |range: &Range<u32>| {
            range.end - range.start == dylink.table_size && range.start.is_multiple_of(dylink.table_alignment.max(1))
        };
        let at = ranges.iter().position(fits)?;
        let range = ranges.swap_remove(at);
        if ranges.is_empty() {
            self.ranges.remove(identity);
        }
        Some(range)
    }

    /// A place that a library had beyond its range.
    pub(crate) fn take_extra(&mut self, identity: &Identity) -> Option<u32> {
        let extra = self.extra.get_mut(identity)?;
        let slot = extra.pop();
        if extra.is_empty() {
            self.extra.remove(identity);
        }
        slot
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.extra.is_empty()
    }

    /// Whether places of more libraries are kept than are to be.
    pub(crate) fn is_full(&self) -> bool {
        self.ranges.len().max(self.extra.len()) > MOST_TOMBS
    }

    /// Gives all back.
    pub(crate) fn clear(&mut self, slots: &mut Free) {
        let ranges = self.ranges.drain().flat_map(|(_, ranges)| ranges);
        ranges.for_each(|range| slots.give_back(range));
        let extra = self.extra.drain().flat_map(|(_, extra)| extra);
        extra.for_each(|slot| slots.give_back(slot..slot + 1));
    }
}

/// All that is loaded.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) shared: Option<Shared>,
    pub(crate) main: Option<ObjectId>,
    /// In the order in which they were loaded.
    pub(crate) objects: BTreeMap<ObjectId, Object>,
    pub(crate) namespaces: BTreeMap<NamespaceId, Namespace>,
    /// Addresses that blocks can have.
    pub(crate) addresses: Free,
    /// Places in the table.
    pub(crate) slots: Free,
    /// The table's size when it was last seen: what is above is others'.
    pub(crate) table_size: u64,
    /// Those of libraries that were unloaded.
    pub(crate) tombs: Tombs,
    /// Functions that stand for what unloaded libraries imported, by name.
    pub(crate) stand_ins: HashMap<Identity, HashMap<Box<str>, Vec<StandIn>>>,
    /// Bytes of all blocks.
    pub(crate) block_bytes: u64,
    /// Symbols that the linker gives: where the stack and the heap are.
    pub(crate) own: HashMap<&'static str, u32>,
    /// What the linker has by name, once it was asked.
    pub(crate) host: HashMap<(Box<str>, Box<str>), Extern>,
    /// Places of the host's functions in the table.
    pub(crate) host_slots: HashMap<Box<str>, u32>,
    /// Destructors, in the order in which they were registered.
    pub(crate) exits: Vec<Exit>,
    /// That the program's own exit runs them was tried to see to.
    pub(crate) exits_hooked: bool,
    /// It was.
    pub(crate) exits_are_programs: bool,
    /// Calls of `dl_iterate_phdr`, one inside the other.
    pub(crate) iterating: u32,
    /// What went wrong last, until it is asked for.
    pub(crate) error: Option<String>,
    /// Where that is in the guest's memory, and other things that pass.
    pub(crate) scratch: Option<Block>,
    /// How many loads and unloads are going on, one inside the other.
    pub(crate) busy: u32,
    next: u32,
    /// How many objects were loaded, and unloaded.
    pub(crate) loaded: u64,
    pub(crate) unloaded: u64,
}

impl State {
    /// An identifier for a new object or namespace.
    ///
    /// # Errors
    /// If there are no more: what was given is not given again.
    pub(crate) fn next_id(&mut self) -> Result<u32, LoadError> {
        if self.next == MOST_IDS {
            return Err(LoadError::NoMoreHandles);
        }
        self.next += 1;
        Ok(self.next)
    }

    /// A function that stood for an import of a library when that was loaded before.
    pub(crate) fn take_stand_in(&mut self, importer: ObjectId, name: &str, ty: &FuncType) -> Option<StandIn> {
        let object = self.objects.get(&importer)?;
        let known = self.stand_ins.get_mut(&object.found.identity)?.get_mut(name)?;
        let at = known.iter().position(|stand_in| stand_in.ty == *ty)?;
        Some(known.swap_remove(at))
    }

    /// Where an object's symbols are looked for, in order.
    pub(crate) fn scope_of(&self, id: ObjectId) -> Vec<ObjectId> {
        let Some(object) = self.objects.get(&id) else {
            return Vec::new();
        };
        let mut scope = self.scope(object.namespace, &object.local, object.is_deep);
        if !object.is_leaving {
            // It would be left with what is gone.
            scope.retain(|id| self.is_staying(*id));
        }
        scope
    }

    /// Notes that a function has its place where a program at fixed addresses has it,
    /// which imports it by a name.
    pub(crate) fn adopt_slot(&mut self, importer: ObjectId, name: &str, slot: u32) {
        if !self
            .objects
            .get(&importer)
            .is_some_and(|object| object.interface.is_static)
        {
            return;
        }
        match self.holder_for(importer, name) {
            Some(Holder::Object(provider)) => {
                if let Some(provider) = self.objects.get_mut(&provider)
                    && let Some(function) = provider.interface.functions.get(name)
                {
                    provider.slots.insert(function.index, slot);
                }
            }
            _ => {
                self.host_slots.entry(name.into()).or_insert(slot);
            }
        }
    }

    /// Has all of a namespace see objects, behind those that it sees.
    pub(crate) fn show_all(&mut self, namespace: NamespaceId, ids: &[ObjectId]) {
        let Some(Namespace { global, .. }) = self.namespaces.get_mut(&namespace) else {
            return;
        };
        for id in ids {
            if !global.contains(id) {
                global.push(*id);
            }
        }
    }

    /// Whether an object is there and is not being unloaded.
    pub(crate) fn is_staying(&self, id: ObjectId) -> bool {
        self.objects.get(&id).is_some_and(|object| !object.is_leaving)
    }

    /// Where the symbols of objects that were loaded together are looked for.
    pub(crate) fn scope(&self, namespace: NamespaceId, local: &[ObjectId], is_deep: bool) -> Vec<ObjectId> {
        let [first, second] = self.scope_parts(namespace, local, is_deep);
        let seen: HashSet<&ObjectId> = first.iter().collect();
        let rest = second.iter().filter(|id| !seen.contains(id));
        first.iter().chain(rest).copied().collect()
    }

    /// [`State::scope`] as two parts; what is in both is in that twice.
    pub(crate) fn scope_parts<'a>(
        &'a self,
        namespace: NamespaceId,
        local: &'a [ObjectId],
        is_deep: bool,
    ) -> [&'a [ObjectId]; 2] {
        let namespace = self.namespaces.get(&namespace);
        let global = namespace.map_or(&[][..], |namespace| &namespace.global);
        if is_deep { [local, global] } else { [global, local] }
    }

    /// For a function that the host provides before others: how many of the scope of
    /// an object come before the host still. `is_kept` says whether that is there for
    /// good.
    pub(crate) fn reserved(&self, namespace: NamespaceId, is_kept: bool, name: &str) -> Option<usize> {
        if RESERVED.contains(&name) {
            let namespace = self.namespaces.get(&namespace);
            return Some(namespace.map_or(0, |namespace| namespace.leaders));
        }
        // Destructors of what can be unloaded run then.
        (!is_kept && ["__cxa_atexit", "atexit"].contains(&name)).then_some(0)
    }

    /// The first of these objects that has something which is not weak, else the
    /// first that has it.
    pub(crate) fn first<'a>(
        &self,
        scope: impl IntoIterator<Item = &'a ObjectId>,
        is_weak: impl Fn(&Interface) -> Option<bool>,
    ) -> Option<ObjectId> {
        first(scope.into_iter().copied(), |id| {
            is_weak(&self.objects.get(&id)?.interface)
        })
    }

    /// The one of these objects that provides a function.
    pub(crate) fn function<'a>(&self, scope: impl IntoIterator<Item = &'a ObjectId>, name: &str) -> Option<ObjectId> {
        self.first(scope, |interface| Some(interface.functions.get(name)?.is_weak))
    }

    /// The one of these objects that provides data.
    pub(crate) fn data(&self, scope: &[ObjectId], name: &str) -> Option<ObjectId> {
        self.first(scope, |interface| Some(interface.data.get(name)?.is_weak))
    }

    /// An object and all it needs, breadth first.
    pub(crate) fn with_needs(&self, root: ObjectId) -> Vec<ObjectId> {
        let mut all = vec![root];
        let mut seen = BTreeSet::from([root]);
        let mut at = 0;
        while let Some(object) = all.get(at).map(|id| self.objects.get(id)) {
            at += 1;
            let needs = object.map_or(&[][..], |object| &object.needs);
            all.extend(needs.iter().filter(|id| seen.insert(**id)));
        }
        all
    }

    /// The object that an instance is of.
    pub(crate) fn of_instance(&self, instance: Instance) -> Option<ObjectId> {
        let mut objects = self.objects.iter();
        objects
            .find(|(_, object)| object.instance == Some(instance))
            .map(|(id, _)| *id)
    }
}
