//! Values on their way between a guest and its child, in both directions.
//!
//! A value leaves one store as what it means, [`Carried`], and enters the other as
//! what that is there. Only one of the stores is at hand at a time.

use std::sync::Arc;

use smallvec::SmallVec;
use vm::{DomainId, Func, Mapping, Ref, Table, Val};

use crate::error::{CrossingError, Name, Problem, Slot};
use crate::host::{AnyStore, Lender};
use crate::pointers::{Home, Target, Whose};
use crate::signature::{Extent, Kind, Signature};
use crate::trampoline::{to_child, to_parent};

/// Values in a call; few calls have more.
pub(crate) type Values<V> = SmallVec<[V; 8]>;

/// A value between two stores.
#[derive(Clone, Debug)]
pub(crate) enum Carried {
    /// It is the same everywhere.
    Same(Val),
    /// A function of where it goes, and its place there.
    Home { func: Func, place: Option<(Table, u64)> },
    /// A function of where it comes from.
    Away {
        func: Func,
        place: (Table, u64),
        signature: Arc<Signature>,
    },
    /// An address of so many bytes.
    Address { mapping: Mapping, address: u32, len: u32 },
}

/// Parameters or results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Parameters,
    Results,
}

/// Values of a call that go between a guest, the parent, and one of its children.
pub(crate) struct Passage<'a> {
    pub(crate) signature: &'a Signature,
    pub(crate) name: &'a Name,
    /// What the parent's side has.
    pub(crate) home: Home,
    /// The domain that finds what the parent's side has.
    pub(crate) domain: Option<DomainId>,
    /// The domain whose functions the parent's side may pass; that of what it has, if
    /// none.
    pub(crate) owner: Option<DomainId>,
    /// The child's handle.
    pub(crate) child: i32,
    /// How the child leads to the parent.
    pub(crate) lender: Box<dyn Lender>,
}

/// What a store's side of a passage is.
struct Here<'a> {
    home: Home,
    owner: Option<DomainId>,
    /// Whose functions those are that the other side has.
    there: Whose,
    name: &'a Name,
}

impl Passage<'_> {
    fn kinds(&self, side: Side) -> &[Kind] {
        match side {
            Side::Parameters => &self.signature.params,
            Side::Results => &self.signature.results,
        }
    }

    fn parents(&self) -> Here<'_> {
        Here {
            home: self.home,
            owner: self.owner,
            there: Whose::Childs(self.child),
            name: self.name,
        }
    }

    fn childs(&self, child: &mut dyn AnyStore) -> Here<'_> {
        let ctx = child.ctx();
        Here {
            home: ctx.home.unwrap_or_default(),
            owner: Some(ctx.domain.id()),
            there: Whose::Parents { is_gate: false },
            name: self.name,
        }
    }

    /// Values of the parent's, on their way.
    pub(crate) fn leave_parent(
        &self,
        parent: &mut dyn AnyStore,
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError> {
        self.parents().leave(parent, self.kinds(side), side, values)
    }

    /// Values of the child's, on their way.
    pub(crate) fn leave_child(
        &self,
        child: &mut dyn AnyStore,
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError> {
        self.childs(child).leave(child, self.kinds(side), side, values)
    }

    /// What they are in the parent's store.
    pub(crate) fn enter_parent(
        &self,
        parent: &mut dyn AnyStore,
        side: Side,
        carried: &[Carried],
    ) -> Result<Values<Val>, CrossingError> {
        self.parents().enter(parent, side, carried, &|store, table, target| {
            to_child(store, table, self.target(target))
        })
    }

    /// What they are in the child's store.
    pub(crate) fn enter_child(
        &self,
        child: &mut dyn AnyStore,
        side: Side,
        carried: &[Carried],
    ) -> Result<Values<Val>, CrossingError> {
        let here = self.childs(child);
        here.enter(child, side, carried, &|store, table, target| {
            to_parent(store, &*self.lender, table, self.target(target))
        })
    }

    /// A function that is passed, with what the parent's side has.
    fn target(&self, target: Target) -> Target {
        Target {
            home: Some(self.home),
            domain: self.domain,
            ..target
        }
    }
}

/// Gives the trampoline in a table that leads to a function of the other side, and its
/// place.
type Make<'a> = &'a dyn Fn(&mut dyn AnyStore, Option<Table>, Target) -> Result<(Func, u64), Problem>;

impl Here<'_> {
    fn leave(
        &self,
        store: &mut dyn AnyStore,
        kinds: &[Kind],
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError> {
        let carry = |(i, (kind, value)): (usize, (&Kind, &Val))| {
            let number = value.i32().unwrap_or_default().cast_unsigned();
            let carried = match kind {
                Kind::Number(_) => Ok(Carried::Same(*value)),
                _ if number == 0 => Ok(Carried::Same(Val::I32(0))),
                Kind::Function(signature) => self.leave_function(store, number, signature),
                Kind::Address(extent) => {
                    let next = || values.get(i + 1).and_then(Val::i32).unwrap_or_default();
                    let len = match extent {
                        Extent::Bytes(bytes) => *bytes,
                        Extent::Next => next().cast_unsigned(),
                    };
                    self.leave_address(store, number, len)
                }
            };
            carried.map_err(|problem| self.name.problem((side.slot(i), problem)))
        };
        kinds.iter().zip(values).enumerate().map(carry).collect()
    }

    fn leave_function(
        &self,
        store: &mut dyn AnyStore,
        place: u32,
        signature: &Arc<Signature>,
    ) -> Result<Carried, Problem> {
        let table = self.home.table.ok_or_else(|| self.no_table(store))?;
        let Some(Ref::Func(Some(func))) = store.element(table, place.into()) else {
            return Err(Problem::NoFunction { place });
        };
        let (found, expected) = (store.func_type(func), signature.func_type());
        if found != expected {
            return Err(Problem::WrongType { found, expected });
        }
        let ctx = store.ctx();
        let owner = self.owner.unwrap_or(ctx.domain.id());
        let is_trampoline = match ctx.pointers.behind(func) {
            // Back where it came from, if that is where it goes.
            Some(target) if target.whose.is_same(self.there) => {
                return Ok(Carried::Home {
                    func: target.func,
                    place: target.place,
                });
            }
            behind => behind.is_some(),
        };
        if !is_trampoline && store.func_domain(func).is_none_or(|domain| domain.id() != owner) {
            return Err(Problem::Foreign);
        }
        Ok(Carried::Away {
            func,
            place: (table, place.into()),
            signature: Arc::clone(signature),
        })
    }

    fn leave_address(&self, store: &dyn AnyStore, address: u32, len: u32) -> Result<Carried, Problem> {
        if len == 0 {
            return Ok(Carried::Same(Val::I32(address.cast_signed())));
        }
        let mappings = self
            .home
            .memory
            .map(|memory| store.mappings(memory))
            .unwrap_or_default();
        let (start, end) = (u64::from(address), u64::from(address) + u64::from(len));
        let has_all = |mapping: &Mapping| mapping.address <= start && end <= mapping.address + mapping.len;
        match mappings.into_iter().find(has_all) {
            Some(mapping) => Ok(Carried::Address { mapping, address, len }),
            None => Err(Problem::NotShared { address, len }),
        }
    }

    fn no_table(&self, store: &mut dyn AnyStore) -> Problem {
        let module = store.ctx().domain.name().into();
        Problem::NoTable { module }
    }

    fn enter(
        &self,
        store: &mut dyn AnyStore,
        side: Side,
        carried: &[Carried],
        make: Make<'_>,
    ) -> Result<Values<Val>, CrossingError> {
        let arrive = |(i, carried): (usize, &Carried)| {
            let value = match carried {
                Carried::Same(value) => return Ok(*value),
                Carried::Home { func, place } => self.enter_home(store, *func, *place),
                Carried::Away { func, place, signature } => {
                    let table = self.home.table.ok_or_else(|| self.no_table(store));
                    table.and_then(|table| {
                        let target = Target {
                            whose: self.there,
                            func: *func,
                            place: Some(*place),
                            home: None,
                            domain: None,
                            signature: Arc::clone(signature),
                            name: self.name.of_pointer(side.slot(i)),
                        };
                        let (_, place) = make(store, Some(table), target)?;
                        Ok(u32::try_from(place).unwrap_or_default())
                    })
                }
                Carried::Address { mapping, address, len } => self.enter_address(store, mapping, *address, *len),
            };
            let value = value.map_err(|problem| self.name.problem((side.slot(i), problem)))?;
            Ok(Val::I32(value.cast_signed()))
        };
        carried.iter().enumerate().map(arrive).collect()
    }

    /// The place of a function that comes back to its store.
    fn enter_home(&self, store: &mut dyn AnyStore, func: Func, place: Option<(Table, u64)>) -> Result<u32, Problem> {
        let table = self.home.table.ok_or_else(|| self.no_table(store))?;
        let is_at = |store: &dyn AnyStore, place: u64| matches!(store.element(table, place), Some(Ref::Func(Some(found))) if found == func);
        let found = match place {
            Some((own, place)) => Some(place).filter(|place| own == table && is_at(store, *place)),
            // It was found by its name, and may have no place yet.
            None => (1..store.table_size(table))
                .find(|place| is_at(store, *place))
                .or_else(|| store.add_element(table, Ref::Func(Some(func))).ok()),
        };
        match (found.map(u32::try_from), place) {
            (Some(Ok(place)), _) => Ok(place),
            (_, Some(_)) => Err(Problem::Moved),
            (_, None) => Err(Problem::TableFull {
                module: store.ctx().domain.name().into(),
            }),
        }
    }

    /// Where the same bytes are that are at an address in the other memory: at the
    /// same address, if they are there too.
    fn enter_address(&self, store: &dyn AnyStore, theirs: &Mapping, address: u32, len: u32) -> Result<u32, Problem> {
        let mappings = self
            .home
            .memory
            .map(|memory| store.mappings(memory))
            .unwrap_or_default();
        let start = theirs.offset + (u64::from(address) - theirs.address);
        let has_all = |own: &&Mapping| {
            own.is_of_same(theirs) && own.offset <= start && start + u64::from(len) <= own.offset + own.len
        };
        let here = |own: &Mapping| own.address + (start - own.offset);
        let mut found = mappings.iter().filter(has_all).map(here).collect::<Values<u64>>();
        // The one at the same address first.
        found.sort_by_key(|own| *own != u64::from(address));
        let first = found.first().copied().map(u32::try_from);
        first.and_then(Result::ok).ok_or(Problem::NotShared { address, len })
    }
}

impl Side {
    fn slot(self, i: usize) -> Slot {
        match self {
            Self::Parameters => Slot::Parameter(i),
            Self::Results => Slot::Result(i),
        }
    }
}
