//! Trampolines: functions of another store as host functions of this one, each with
//! a place in a table, so that guests call them as they call any function pointer.
//!
//! Invariants:
//!
//! 1. One function of another store has one place in one table for as long as it is
//!    passed as one signature: pointers to it are equal.
//! 2. A place leads to what it was made for, or to nothing. Once its function is
//!    taken back, it is given to another one as late as can be.
//! 3. A store keeps its host functions for good, so there are never more of them
//!    than a limit, and those that lead to nothing are used again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use orcavm_wasi::Errno;
use vm::{DomainId, Func, FuncType, Memory, Ref, Table};

use crate::ctx::Share;
use crate::error::{Name, Problem};
use crate::host::AnyStore;
use crate::signature::Signature;
use crate::trampoline::Lead;

/// Trampolines that a guest may have.
const MOST: usize = 10_000;
/// Those of them that lead to one child.
const MOST_OF_A_CHILD: usize = 1_000;
/// So many lead to nothing before one of them is used again.
const RESTING: usize = 64;
/// Bytes that one takes, about.
const SIZE: u64 = 512;

/// Where an instance's pointers lead: its memory, and its table of functions.
///
/// [`Home::default`] stands for what the calling instance exports, as `memory` and
/// `__indirect_function_table`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// The memory that addresses are of.
    pub memory: Option<Memory>,
    /// The table that function pointers are places in.
    pub table: Option<Table>,
}

/// A function of another store.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) whose: Whose,
    pub(crate) func: Func,
    /// Where it is in a table of its store.
    pub(crate) place: Option<(Table, u64)>,
    /// What the parent's side has: that of the function if it is the parent's, else
    /// that of its caller.
    pub(crate) home: Option<Home>,
    /// The domain of the parent's side.
    pub(crate) domain: Option<DomainId>,
    pub(crate) signature: Arc<Signature>,
    pub(crate) name: Name,
}

/// Which store a function is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The parent's. As a gate it has its owner's rights.
    Parents { is_gate: bool },
    /// That of the child with this handle.
    Childs(i32),
}

impl Whose {
    /// Whether both are functions of one store.
    pub(crate) fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Parents { .. }, Self::Parents { .. }) => true,
            (Self::Childs(one), Self::Childs(other)) => one == other,
            _ => false,
        }
    }
}

/// A trampoline.
#[derive(Debug)]
struct Record {
    func: Func,
    ty: FuncType,
    /// Its place in a table.
    spot: Option<(Table, u64)>,
    target: Option<Arc<Target>>,
}

/// The trampolines that a guest has.
#[derive(Debug)]
pub(crate) struct Pointers {
    records: Vec<Record>,
    by_func: HashMap<Func, usize>,
    by_target: HashMap<(Func, Arc<Signature>), Vec<usize>>,
    /// Those that lead to nothing, the first to do so first.
    resting: VecDeque<usize>,
    room: Share,
}

impl Pointers {
    /// None; what they count for is added to `room`.
    pub(crate) fn new(room: Share) -> Self {
        Self {
            records: Vec::new(),
            by_func: HashMap::new(),
            by_target: HashMap::new(),
            resting: VecDeque::new(),
            room,
        }
    }

    /// What a trampoline leads to.
    pub(crate) fn target(&self, at: usize) -> Option<&Arc<Target>> {
        self.records.get(at)?.target.as_ref()
    }

    /// What a function leads to, if it is a trampoline that leads somewhere.
    pub(crate) fn behind(&self, func: Func) -> Option<&Arc<Target>> {
        self.target(*self.by_func.get(&func)?)
    }

    /// The trampolines of a table, or of none, that lead to a function as this
    /// signature.
    fn leading_to(&self, target: &Target, table: Option<Table>) -> Option<usize> {
        let key = (target.func, Arc::clone(&target.signature));
        let mut found = self.by_target.get(&key)?.iter().copied();
        found.find(|at| {
            let record = self.records.get(*at);
            record.is_some_and(|record| {
                let is_same = |own: &Arc<Target>| own.whose == target.whose && own.home == target.home;
                record.spot.map(|(table, _)| table) == table && record.target.as_ref().is_some_and(is_same)
            })
        })
    }

    /// Takes a trampoline of this type out of those that rest; of more than rest
    /// anyway, or of all.
    fn wake(&mut self, ty: &FuncType, table: Option<Table>, is_any: bool) -> Option<usize> {
        if !is_any && self.resting.len() <= RESTING {
            return None;
        }
        let fits = |at: &usize| {
            let record = self.records.get(*at);
            record.is_some_and(|record| record.ty == *ty && record.spot.map(|(table, _)| table) == table)
        };
        let i = self.resting.iter().position(fits)?;
        self.resting.remove(i)
    }

    /// Has a trampoline lead to a function.
    ///
    /// # Errors
    /// If there is no room for what is known of it.
    fn lead(&mut self, at: usize, target: Target) -> Result<(), Problem> {
        self.room.add(target.signature.weight).map_err(|_| Problem::TooMany)?;
        let key = (target.func, Arc::clone(&target.signature));
        self.by_target.entry(key).or_default().push(at);
        if let Some(record) = self.records.get_mut(at) {
            record.target = Some(Arc::new(target));
        }
        Ok(())
    }

    /// Has a trampoline lead to nothing.
    fn release_at(&mut self, at: usize) {
        let Some(target) = self.records.get_mut(at).and_then(|record| record.target.take()) else {
            return;
        };
        self.room.give_back(target.signature.weight);
        let key = (target.func, Arc::clone(&target.signature));
        if let Some(same) = self.by_target.get_mut(&key) {
            same.retain(|other| *other != at);
            if same.is_empty() {
                self.by_target.remove(&key);
            }
        }
        self.resting.push_back(at);
    }

    /// Has a function that is a trampoline lead to nothing.
    ///
    /// # Errors
    /// [`Errno::Inval`] if it is none that leads into such a store.
    pub(crate) fn release(&mut self, func: Func, whose: impl Fn(Whose) -> bool) -> Result<(), Errno> {
        let is_such = |target: &Arc<Target>| whose(target.whose);
        if !self.behind(func).is_some_and(is_such) {
            return Err(Errno::Inval);
        }
        let at = self.by_func.get(&func).copied();
        self.release_at(at.ok_or(Errno::Inval)?);
        Ok(())
    }

    /// Has all that lead to a child lead to nothing.
    pub(crate) fn release_child(&mut self, child: i32) {
        for at in 0..self.records.len() {
            if self
                .target(at)
                .is_some_and(|target| target.whose == Whose::Childs(child))
            {
                self.release_at(at);
            }
        }
    }

    /// How many lead into a store.
    fn count(&self, whose: Whose) -> usize {
        let targets = self.records.iter().filter_map(|record| record.target.as_ref());
        targets.filter(|target| target.whose.is_same(whose)).count()
    }
}

/// The trampoline in `table`, or in none, that leads to `target`, and its place.
/// `lead` has a trampoline call what the one with a number leads to.
///
/// # Errors
/// If there can be no more.
pub(crate) fn trampoline(
    store: &mut dyn AnyStore,
    table: Option<Table>,
    target: Target,
    lead: impl FnOnce(usize) -> Lead,
) -> Result<(Func, u64), Problem> {
    let pointers = &mut store.ctx().pointers;
    if let Some(at) = pointers.leading_to(&target, table)
        && let Some(record) = pointers.records.get(at)
    {
        let (func, spot) = (record.func, record.spot);
        if is_there(store, func, spot) {
            return Ok((func, spot.map_or(0, |(_, place)| place)));
        }
        // The guest has put something else in its place, which leads there no longer.
        store.ctx().pointers.release_at(at);
    }
    let pointers = &mut store.ctx().pointers;
    if matches!(target.whose, Whose::Childs(_)) && pointers.count(target.whose) >= MOST_OF_A_CHILD {
        return Err(Problem::TooMany);
    }
    let ty = target.signature.func_type();
    while let Some(at) = store.ctx().pointers.wake(&ty, table, false) {
        if let Some(found) = reuse(store, at, &target) {
            return Ok(found);
        }
    }
    let made = add(store, table, &target, &ty, lead);
    made.or_else(|problem| {
        // None rests as long as there is no room for another one.
        while let Some(at) = store.ctx().pointers.wake(&ty, table, true) {
            if let Some(found) = reuse(store, at, &target) {
                return Ok(found);
            }
        }
        Err(problem)
    })
}

/// Whether a trampoline is where it was put.
fn is_there(store: &dyn AnyStore, func: Func, spot: Option<(Table, u64)>) -> bool {
    let Some((table, place)) = spot else { return true };
    matches!(store.element(table, place), Some(Ref::Func(Some(found))) if found == func)
}

/// Has a trampoline that rested lead to a function, if it is still in its place.
fn reuse(store: &mut dyn AnyStore, at: usize, target: &Target) -> Option<(Func, u64)> {
    let record = store.ctx().pointers.records.get(at)?;
    let (func, spot) = (record.func, record.spot);
    if !is_there(store, func, spot) {
        return None;
    }
    store.ctx().pointers.lead(at, target.clone()).ok()?;
    Some((func, spot.map_or(0, |(_, place)| place)))
}

/// A place in a table that has grown by one.
fn new_place(store: &mut dyn AnyStore, table: Table) -> Option<u64> {
    if store.table_type(table) != vm::RefType::FUNCREF {
        return None;
    }
    let place = store.add_element(table, Ref::Func(None)).ok()?;
    u32::try_from(place).is_ok().then_some(place)
}

/// Makes one more trampoline.
fn add(
    store: &mut dyn AnyStore,
    table: Option<Table>,
    target: &Target,
    ty: &FuncType,
    lead: impl FnOnce(usize) -> Lead,
) -> Result<(Func, u64), Problem> {
    let pointers = &mut store.ctx().pointers;
    let at = pointers.records.len();
    if at >= MOST || pointers.room.add(SIZE).is_err() {
        return Err(Problem::TooMany);
    }
    // The place comes first: a function cannot be taken back.
    let spot = match table.map(|table| (table, new_place(store, table))) {
        None => None,
        Some((table, Some(place))) => Some((table, place)),
        Some((_, None)) => {
            let ctx = store.ctx();
            ctx.pointers.room.give_back(SIZE);
            let module = ctx.domain.name().into();
            return Err(Problem::TableFull { module });
        }
    };
    let func = store.new_func(ty.clone(), lead(at));
    if let Some((table, place)) = spot {
        let set = store.set_element(table, place, Ref::Func(Some(func)));
        set.map_err(|_| Problem::Moved)?;
    }
    let pointers = &mut store.ctx().pointers;
    pointers.records.push(Record {
        func,
        ty: ty.clone(),
        spot,
        target: None,
    });
    pointers.by_func.insert(func, at);
    if let Err(problem) = pointers.lead(at, target.clone()) {
        pointers.resting.push_back(at);
        return Err(problem);
    }
    Ok((func, spot.map_or(0, |(_, place)| place)))
}
