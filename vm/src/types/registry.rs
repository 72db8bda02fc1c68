//! The defined types of an engine (Spec 3.0 §3.1.1, §3.3.4): recursion groups that
//! are equal are one, so each of their types has one identity.
//!
//! A group stays as long as something has one of its types ([`DefType`]), which
//! whoever keeps an identity or a record therefore does. Guests load modules of ever
//! new types; what nothing has any more is forgotten, and its identities are given
//! to others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::info::TypeInfo;
use super::raw::{Kind, SubType};

/// Identity of a defined type in an engine: equal types have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TypeId(u32);

impl TypeId {
    /// No type's.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// What [`TypeId::own`] marks.
    const OWN: u32 = 1 << 31;

    /// In a definition, the type with this index of the definition's own group.
    pub(crate) fn own(index: u32) -> Self {
        Self(index | Self::OWN)
    }

    /// The index, if it is [`TypeId::own`]'s.
    pub(crate) fn as_own(self) -> Option<u32> {
        (self.0 & Self::OWN != 0).then_some(self.0 & !Self::OWN)
    }

    /// The identity as a number, for code.
    pub(crate) fn as_u32(self) -> u32 {
        self.0
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A recursion group of an engine.
#[derive(Debug)]
pub(crate) struct RecGroup {
    registry: TypeRegistry,
    defs: Arc<[SubType]>,
    infos: Box<[TypeInfo]>,
    /// The groups of the types that its definitions name.
    named: Vec<Arc<RecGroup>>,
}

impl Drop for RecGroup {
    fn drop(&mut self) {
        self.registry.forget(&self.defs, &self.infos);
        // One after another: guests make chains of groups of any length.
        let mut named = std::mem::take(&mut self.named);
        while let Some(group) = named.pop() {
            if let Some(mut group) = Arc::into_inner(group) {
                named.append(&mut group.named);
            }
        }
    }
}

/// A defined type: it keeps its group.
#[derive(Clone)]
pub(crate) struct DefType {
    group: Arc<RecGroup>,
    index: u32,
}

impl std::fmt::Debug for DefType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DefType").field(&self.id()).finish()
    }
}

impl PartialEq for DefType {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.group, &other.group) && self.index == other.index
    }
}

impl Eq for DefType {}

impl DefType {
    /// Its group.
    pub(crate) fn group(&self) -> &Arc<RecGroup> {
        &self.group
    }

    /// Its identity.
    pub(crate) fn id(&self) -> TypeId {
        self.info().id
    }

    /// Its record.
    pub(crate) fn info(&self) -> &TypeInfo {
        &self.group.infos[self.index as usize]
    }

    /// Its definition; see [`SubType`] for how that names types.
    pub(crate) fn def(&self) -> &SubType {
        &self.group.defs[self.index as usize]
    }

    /// What it is the type of.
    pub(crate) fn kind(&self) -> Kind {
        self.def().composite.kind()
    }

    /// Whether it is `other` or a subtype of it.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.info().is_subtype_of(other.info()) && self.is_of(&other.group.registry)
    }

    /// Whether it is one of this registry's.
    pub(crate) fn is_of(&self, registry: &TypeRegistry) -> bool {
        Arc::ptr_eq(&self.group.registry.0, &registry.0)
    }

    /// The registry that it is in.
    pub(crate) fn registry(&self) -> &TypeRegistry {
        &self.group.registry
    }

    /// Whether nothing but its structure makes it what it is: a final type without
    /// a supertype, in a group of its own that does not name itself.
    pub(crate) fn is_plain(&self) -> bool {
        let def = self.def();
        self.group.defs.len() == 1
            && def.is_final
            && [def.supertype, def.descriptor, def.describes] == [None; 3]
            && !def.names_own()
    }

    /// The type that a definition of its group names.
    pub(crate) fn named(&self, id: TypeId) -> Self {
        match id.as_own() {
            Some(index) => Self {
                group: Arc::clone(&self.group),
                index,
            },
            None => self.group.registry.get(id),
        }
    }
}

/// The defined types of an engine, each with its identity. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeRegistry(Arc<Mutex<Registered>>);

#[derive(Debug, Default)]
struct Registered {
    /// By definition, with the identity of the first type.
    groups: HashMap<Arc<[SubType]>, (Weak<RecGroup>, TypeId)>,
    /// By identity: group, and index in it. Those in `free` mean nothing.
    types: Vec<(Weak<RecGroup>, u32)>,
    free: Vec<TypeId>,
}

impl Registered {
    /// An identity for the type at `index` of a group that is being made.
    fn add(&mut self, group: &Weak<RecGroup>, index: u32) -> TypeId {
        let entry = (Weak::clone(group), index);
        if let Some(id) = self.free.pop()
            && let Some(free) = self.types.get_mut(id.index())
        {
            *free = entry;
            return id;
        }
        let id = u32::try_from(self.types.len()).expect("fewer types than bytes of modules in memory");
        assert!(id < TypeId::OWN, "fewer types than bytes of modules in memory");
        self.types.push(entry);
        TypeId(id)
    }
}

impl TypeRegistry {
    /// The group with these definitions, at least one, which name other groups'
    /// types by the identities that `named` keep.
    pub(crate) fn intern(&self, defs: Vec<SubType>, named: Vec<Arc<RecGroup>>) -> Arc<RecGroup> {
        let mut this = self.lock();
        if let Some((group, _)) = this.groups.get(&*defs)
            && let Some(group) = group.upgrade()
        {
            return group;
        }
        let defs: Arc<[SubType]> = defs.into();
        let mut first = TypeId::NONE;
        let group = Arc::new_cyclic(|weak| {
            let mut infos: Vec<TypeInfo> = Vec::with_capacity(defs.len());
            for (index, def) in (0..).zip(&*defs) {
                let id = this.add(weak, index);
                let info = match def.supertype.map(|ty| (ty, ty.as_own())) {
                    None => TypeInfo::new(def, id, None),
                    Some((_, Some(own))) => TypeInfo::new(def, id, infos.get(own as usize)),
                    Some((other, None)) => {
                        // Not the last to have it: `named` has it too.
                        let other = this.get(other);
                        TypeInfo::new(def, id, Some(other.info()))
                    }
                };
                infos.push(info);
            }
            first = infos.first().map_or(TypeId::NONE, |info| info.id);
            RecGroup {
                registry: self.clone(),
                defs: Arc::clone(&defs),
                infos: infos.into(),
                named,
            }
        });
        this.groups.insert(defs, (Arc::downgrade(&group), first));
        group
    }

    /// The only type of the group with this definition, as [`TypeRegistry::intern`].
    pub(crate) fn intern_one(&self, def: SubType, named: Vec<Arc<RecGroup>>) -> DefType {
        DefType {
            group: self.intern(vec![def], named),
            index: 0,
        }
    }

    /// The type with this identity, which something keeps.
    ///
    /// # Panics
    /// If nothing does.
    pub(crate) fn get(&self, id: TypeId) -> DefType {
        self.lock().get(id)
    }

    /// Whether the type with one identity is that with the other or a subtype of
    /// it. Something keeps both.
    pub(crate) fn matches(&self, a: TypeId, b: TypeId) -> bool {
        a == b || self.get(a).matches(&self.get(b))
    }

    /// How many types there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let this = self.lock();
        this.types.len() - this.free.len()
    }

    /// Forgets a group that nothing has any more.
    fn forget(&self, defs: &Arc<[SubType]>, infos: &[TypeInfo]) {
        let mut this = self.lock();
        let first = infos.first().map(|info| info.id);
        // An equal one may have taken its place meanwhile.
        if this.groups.get(defs).map(|(_, id)| *id) == first {
            this.groups.remove(defs);
        }
        this.free.extend(infos.iter().map(|info| info.id));
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// See [`TypeRegistry::get`].
    fn get(&self, id: TypeId) -> DefType {
        let known = self.types.get(id.index());
        let (group, index) = known.expect("identities are given by `intern` only");
        DefType {
            group: group.upgrade().expect("who has an identity keeps its type"),
            index: *index,
        }
    }
}

/// The types of a group, in order.
pub(crate) fn types_of(group: &Arc<RecGroup>) -> impl Iterator<Item = DefType> + '_ {
    let len = u32::try_from(group.defs.len()).expect("validation bounds the number of types");
    (0..len).map(|index| DefType {
        group: Arc::clone(group),
        index,
    })
}
