//! Values on their way between a guest and its child, in both directions.
//!
//! A value leaves one store as what it means, [`Carried`], and enters the other as
//! what that is there. Only one of the stores is at hand at a time.

use std::sync::Arc;

use smallvec::SmallVec;
use vm::{AsContextMut, DomainId, Func, Mapping, Ref, StoreContextMut, Table, Val};

use crate::SandboxCtx;
use crate::error::{CrossingError, Name, Problem, Slot};
use crate::pointers::{Home, Target, Whose};
use crate::signature::{Extent, Kind, Signature};
use crate::trampoline::{to_child, to_parent};

/// How a store's data leads to what a guest has: by its domain, where a store has
/// several.
pub(crate) trait Get<T>: Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static {}

impl<T, G: Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static> Get<T> for G {}

/// Whose pointers they are, in the data of a store.
pub(crate) trait Find<X>: Copy {
    fn ctx(self, data: &mut X) -> &mut SandboxCtx;
}

/// The child's whose store it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own;

impl Find<SandboxCtx> for Own {
    fn ctx(self, data: &mut SandboxCtx) -> &mut SandboxCtx {
        data
    }
}

/// Those of a domain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfDomain<G>(pub(crate) G, pub(crate) Option<DomainId>);

impl<T, G: Get<T>> Find<T> for OfDomain<G> {
    fn ctx(self, data: &mut T) -> &mut SandboxCtx {
        (self.0)(data, self.1)
    }
}

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
pub(crate) struct Passage<'a, T, G> {
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
    pub(crate) get: G,
    pub(crate) data: std::marker::PhantomData<fn(T)>,
}

/// What a store's side of a passage is.
struct Here<'a, F> {
    find: F,
    home: Home,
    owner: Option<DomainId>,
    /// Whose functions those are that the other side has.
    there: Whose,
    name: &'a Name,
}

impl<T: Send + 'static, G: Get<T>> Passage<'_, T, G> {
    fn kinds(&self, side: Side) -> &[Kind] {
        match side {
            Side::Parameters => &self.signature.params,
            Side::Results => &self.signature.results,
        }
    }

    fn parents(&self) -> Here<'_, OfDomain<G>> {
        Here {
            find: OfDomain(self.get, self.domain),
            home: self.home,
            owner: self.owner,
            there: Whose::Childs(self.child),
            name: self.name,
        }
    }

    fn childs(&self, child: &StoreContextMut<'_, SandboxCtx>) -> Here<'_, Own> {
        let ctx = child.data();
        Here {
            find: Own,
            home: ctx.home.unwrap_or_default(),
            owner: Some(ctx.domain.id()),
            there: Whose::Parents { is_gate: false },
            name: self.name,
        }
    }

    /// Values of the parent's, on their way.
    pub(crate) fn leave_parent(
        &self,
        parent: &mut StoreContextMut<'_, T>,
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError> {
        self.parents().leave(parent, self.kinds(side), side, values)
    }

    /// Values of the child's, on their way.
    pub(crate) fn leave_child(
        &self,
        child: &mut StoreContextMut<'_, SandboxCtx>,
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError> {
        self.childs(child).leave(child, self.kinds(side), side, values)
    }

    /// What they are in the parent's store.
    pub(crate) fn enter_parent(
        &self,
        parent: &mut StoreContextMut<'_, T>,
        side: Side,
        carried: &[Carried],
    ) -> Result<Values<Val>, CrossingError> {
        let (get, domain) = (self.get, self.domain);
        self.parents().enter(parent, side, carried, |store, table, target| {
            let target = Target {
                whose: Whose::Childs(self.child),
                home: Some(self.home),
                domain,
                ..target
            };
            to_child(store, get, table, target)
        })
    }

    /// What they are in the child's store.
    pub(crate) fn enter_child(
        &self,
        child: &mut StoreContextMut<'_, SandboxCtx>,
        side: Side,
        carried: &[Carried],
    ) -> Result<Values<Val>, CrossingError> {
        let get = self.get;
        let here = self.childs(child);
        here.enter(child, side, carried, |store, table, target| {
            let target = Target {
                whose: Whose::Parents { is_gate: false },
                home: Some(self.home),
                domain: self.domain,
                ..target
            };
            to_parent::<T>(store, get, table, target)
        })
    }
}

impl<F> Here<'_, F> {
    fn leave<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        kinds: &[Kind],
        side: Side,
        values: &[Val],
    ) -> Result<Values<Carried>, CrossingError>
    where
        F: Find<X>,
    {
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

    fn leave_function<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        place: u32,
        signature: &Arc<Signature>,
    ) -> Result<Carried, Problem>
    where
        F: Find<X>,
    {
        let table = self.home.table.ok_or_else(|| self.no_table(store))?;
        let Some(Ref::Func(Some(func))) = table.get(&*store, place.into()) else {
            return Err(Problem::NoFunction { place });
        };
        let (found, expected) = (func.ty(&*store), signature.func_type());
        if found != expected {
            return Err(Problem::WrongType { found, expected });
        }
        let ctx = self.find.ctx(store.data_mut());
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
        if !is_trampoline && func.domain(&*store).is_none_or(|domain| domain.id() != owner) {
            return Err(Problem::Foreign);
        }
        Ok(Carried::Away {
            func,
            place: (table, place.into()),
            signature: Arc::clone(signature),
        })
    }

    fn leave_address<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        address: u32,
        len: u32,
    ) -> Result<Carried, Problem> {
        if len == 0 {
            return Ok(Carried::Same(Val::I32(address.cast_signed())));
        }
        let mappings = self
            .home
            .memory
            .map(|memory| memory.mappings(&*store))
            .unwrap_or_default();
        let (start, end) = (u64::from(address), u64::from(address) + u64::from(len));
        let has_all = |mapping: &Mapping| mapping.address <= start && end <= mapping.address + mapping.len;
        match mappings.into_iter().find(has_all) {
            Some(mapping) => Ok(Carried::Address { mapping, address, len }),
            None => Err(Problem::NotShared { address, len }),
        }
    }

    fn no_table<X: 'static>(&self, store: &mut StoreContextMut<'_, X>) -> Problem
    where
        F: Find<X>,
    {
        let module = self.find.ctx(store.data_mut()).domain.name().into();
        Problem::NoTable { module }
    }

    /// `make` gives the place of a trampoline to a function of the other side.
    fn enter<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        side: Side,
        carried: &[Carried],
        make: impl Fn(&mut StoreContextMut<'_, X>, Option<Table>, Target) -> Result<(Func, u64), Problem>,
    ) -> Result<Values<Val>, CrossingError>
    where
        F: Find<X>,
    {
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
    fn enter_home<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        func: Func,
        place: Option<(Table, u64)>,
    ) -> Result<u32, Problem>
    where
        F: Find<X>,
    {
        let table = self.home.table.ok_or_else(|| self.no_table(store))?;
        let is_at = |store: &StoreContextMut<'_, X>, place: u64| matches!(table.get(store, place), Some(Ref::Func(Some(found))) if found == func);
        let found = match place {
            Some((own, place)) => Some(place).filter(|place| own == table && is_at(store, *place)),
            // It was found by its name, and may have no place yet.
            None => (1..table.size(&*store)).find(|place| is_at(store, *place)).or_else(|| {
                let grown = table.grow(store.as_context_mut(), 1, Ref::Func(Some(func)));
                grown.ok()
            }),
        };
        match (found.map(u32::try_from), place) {
            (Some(Ok(place)), _) => Ok(place),
            (_, Some(_)) => Err(Problem::Moved),
            (_, None) => Err(Problem::TableFull {
                module: self.find.ctx(store.data_mut()).domain.name().into(),
            }),
        }
    }

    /// Where the same bytes are that are at an address in the other memory: at the
    /// same address, if they are there too.
    fn enter_address<X: 'static>(
        &self,
        store: &mut StoreContextMut<'_, X>,
        theirs: &Mapping,
        address: u32,
        len: u32,
    ) -> Result<u32, Problem> {
        let mappings = self
            .home
            .memory
            .map(|memory| memory.mappings(&*store))
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
