//! Binding: who provides what modules import, and where functions are in the table.

use std::collections::HashMap;

use vm::{FuncType, TagType};

use crate::interface::Element;
use crate::plan::{ELEMENTS, HostFunctions, Missing, NewSlot, no_room};
use crate::{Binding, Import, Interface, Need, Part, Place, PlanError, Provider};

/// Binds what modules need to who provides it.
pub(crate) struct Binder<'a> {
    /// All modules: those that are there, and those that are new.
    pub(crate) parts: &'a [Part<'a>],
    /// Where each is.
    pub(crate) places: &'a [Place],
    /// Places of functions in the table that are known.
    pub(crate) known: KnownSlots<'a>,
    /// The first that is new.
    pub(crate) from: usize,
    /// Where the new modules' symbols are looked for, in order.
    pub(crate) scope: &'a [usize],
    /// For a function that the host provides before others: how many of the scope
    /// come before the host still.
    pub(crate) reserved: &'a dyn Fn(&str) -> Option<usize>,
    /// Functions are looked for when they are called.
    pub(crate) is_lazy: bool,
    /// Addresses that the linker itself gives.
    pub(crate) addresses: &'a dyn Fn(&str) -> Option<u32>,
    /// What the host provides.
    pub(crate) host: HostFunctions<'a>,
    /// Takes one more place in the table, for a function of a provider.
    pub(crate) take_slot: &'a mut dyn FnMut(Provider) -> Option<u32>,
}

/// The place of a function in the table, if it has one.
pub(crate) type KnownSlots<'a> = &'a dyn Fn(Provider, &FunctionKey) -> Option<u32>;

/// What a function is told from others of its provider by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FunctionKey {
    /// A module's: its index.
    Index(u32),
    /// The host's: its name.
    Name(Box<str>),
}

/// What [`Binder::bind`] gives.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// For each new module, what its imports are bound to.
    pub(crate) bindings: Vec<Vec<Binding>>,
    /// Places in the table for functions of new and old modules.
    pub(crate) slots: Vec<NewSlot>,
    /// What nobody provides and is not weak.
    pub(crate) missing: Vec<Missing>,
}

impl Binder<'_> {
    /// Binds all that the new modules import.
    ///
    /// # Errors
    /// If the table is full, or a function is called as another type than it has.
    pub(crate) fn bind(&mut self) -> Result<Bound, PlanError> {
        let mut bound = Bound::default();
        let mut slots = self.elements();
        for part in self.parts.iter().skip(self.from) {
            let mut bindings = Vec::with_capacity(part.interface.imports.len());
            for import in &part.interface.imports {
                bindings.push(self.one(part, import, &mut slots, &mut bound)?);
            }
            bound.bindings.push(bindings);
        }
        Ok(bound)
    }

    /// Places that functions have in the table by the elements of new modules.
    fn elements(&self) -> HashMap<(Provider, FunctionKey), u32> {
        let mut slots = HashMap::new();
        let new = || (self.from..).zip(self.parts.iter().skip(self.from));
        let slot = |at: usize, element: Element| Some(element.slot(&self.places.get(at)?.table));
        // A program at fixed addresses knows places of what it imports.
        for (at, part) in new() {
            let functions = part.interface.imports.iter().filter(|import| import.is_function());
            for (index, import) in (0..).zip(functions) {
                let element = part.interface.elements.get(&index);
                let Some(slot) = element.and_then(|element| slot(at, *element)) else {
                    continue;
                };
                if import.need.is_symbol()
                    && let Some((provider, key, _)) = self.function(&import.name)
                {
                    slots.entry((provider, key)).or_insert(slot);
                }
            }
        }
        for (at, part) in new() {
            for (index, element) in part.interface.own_elements() {
                if let Some(slot) = slot(at, element) {
                    slots
                        .entry((Provider::Part(at), FunctionKey::Index(index)))
                        .or_insert(slot);
                }
            }
        }
        slots
    }

    /// What an import is bound to.
    fn one(
        &mut self,
        importer: &Part<'_>,
        import: &Import,
        slots: &mut HashMap<(Provider, FunctionKey), u32>,
        bound: &mut Bound,
    ) -> Result<Binding, PlanError> {
        let Import { name, need, .. } = import;
        let (binding, is_missing, ty) = match need {
            Need::Function { .. } if self.is_lazy && !import.is_referenced => return Ok(Binding::Lazy),
            Need::Function { ty, is_weak } => {
                let found = self.function(name);
                let provider = found.as_ref().map_or(Provider::Nobody, |(provider, ..)| *provider);
                if let Some((_, _, found)) = found.filter(|(_, _, found)| found != ty) {
                    return Err(PlanError::Type {
                        importer: importer.name.into(),
                        provider: crate::plan::name_of(self.parts, provider).into(),
                        symbol: name.clone(),
                        expected: ty.clone(),
                        found,
                    });
                }
                let is_missing = provider == Provider::Nobody && !is_weak;
                (Binding::Function(provider), is_missing, Some(ty))
            }
            Need::FunctionAddress { is_weak } => match self.function(name) {
                Some((provider, key, _)) => {
                    let known = (self.known)(provider, &key);
                    let known = known.or_else(|| slots.get(&(provider, key.clone())).copied());
                    let slot = match known {
                        Some(slot) => slot,
                        None => {
                            let slot = (self.take_slot)(provider);
                            let slot = slot.ok_or_else(|| no_room(importer.name, ELEMENTS, 1, 1, &(0..u32::MAX)))?;
                            slots.insert((provider, key), slot);
                            let symbol = name.clone();
                            bound.slots.push(NewSlot { provider, symbol, slot });
                            slot
                        }
                    };
                    (Binding::Slot(provider, slot), false, None)
                }
                None => (Binding::Slot(Provider::Nobody, 0), !is_weak, None),
            },
            Need::DataAddress { is_weak } => match (self.data(name), (self.addresses)(name)) {
                (Some((provider, address)), _) => (Binding::Data(provider, address), false, None),
                (None, Some(address)) => (Binding::Data(Provider::Host, address), false, None),
                (None, None) => (Binding::Data(Provider::Nobody, 0), !is_weak, None),
            },
            Need::Tag { ty } => return self.tag(importer, name, ty),
            _ => return Ok(Binding::Own),
        };
        if is_missing {
            bound.missing.push(Missing {
                importer: importer.name.into(),
                symbol: name.clone(),
                ty: ty.cloned(),
            });
        }
        Ok(binding)
    }

    /// Who provides a function.
    fn function(&self, name: &str) -> Option<(Provider, FunctionKey, FuncType)> {
        let scope = match (self.reserved)(name) {
            Some(before) if (self.host)(name).is_some() => self.scope.get(..before).unwrap_or(self.scope),
            _ => self.scope,
        };
        let is_weak = |at: usize| Some(self.parts.get(at)?.interface.functions.get(name)?.is_weak);
        if let Some(i) = first(scope.iter().copied(), is_weak) {
            let function = self.parts.get(i)?.interface.functions.get(name)?;
            return Some((
                Provider::Part(i),
                FunctionKey::Index(function.index),
                function.ty.clone(),
            ));
        }
        Some((Provider::Host, FunctionKey::Name(name.into()), (self.host)(name)?))
    }

    /// Who provides a tag; nobody does where all who need it have it of the linker.
    fn tag(&self, importer: &Part<'_>, name: &str, ty: &TagType) -> Result<Binding, PlanError> {
        let of = |at: &usize| Some((*at, self.parts.get(*at)?.interface.tags.get(name)?));
        let Some((provider, found)) = self.scope.iter().find_map(of) else {
            return Ok(Binding::Tag(Provider::Nobody));
        };
        let provider = Provider::Part(provider);
        if found == ty {
            return Ok(Binding::Tag(provider));
        }
        Err(PlanError::TagType {
            importer: importer.name.into(),
            provider: crate::plan::name_of(self.parts, provider).into(),
            symbol: name.into(),
            expected: ty.clone(),
            found: found.clone(),
        })
    }

    /// Who provides data, and its address.
    fn data(&self, name: &str) -> Option<(Provider, u32)> {
        let is_weak = |at: usize| Some(self.parts.get(at)?.interface.data.get(name)?.is_weak);
        let i = first(self.scope.iter().copied(), is_weak)?;
        let address = address(self.parts.get(i)?.interface, self.places.get(i)?, name)?;
        Some((Provider::Part(i), address))
    }
}

/// The address of data that a module at a place has.
pub(crate) fn address(interface: &Interface, place: &Place, name: &str) -> Option<u32> {
    let data = interface.data.get(name)?;
    Some(match (data.is_absolute, data.is_tls) {
        (true, _) => data.offset,
        (false, true) => place.tls.start.wrapping_add(data.offset),
        (false, false) => place.memory.start.wrapping_add(data.offset),
    })
}

/// The first module of a scope that has something which is not weak, else the first
/// that has it; `is_weak` says whether it is, of those that have it.
pub(crate) fn first<M: Copy>(scope: impl IntoIterator<Item = M>, is_weak: impl Fn(M) -> Option<bool>) -> Option<M> {
    let mut weak = None;
    for at in scope {
        match is_weak(at) {
            Some(false) => return Some(at),
            Some(true) => weak = weak.or(Some(at)),
            None => {}
        }
    }
    weak
}
