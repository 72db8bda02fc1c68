//! What modules import and export: memories, tables, globals, functions.

use std::ops::Range;
use std::sync::Arc;

use super::context::{AsContext, AsContextMut, StoreContextMut};
use super::domain::{Domain, Resource};
use super::engine::Engine;
use super::func::Func;
use super::region::{Access, Mapping, Region};
use super::store::{StoreId, StoreInner};
use super::tag::Tag;
use super::val::{Ref, Val};
use crate::error::{Error, LimitError, MemoryAccessError, RegionError, TypeError};
use crate::exec::globals::GlobalRef;
use crate::exec::memory::{Guarding, MemoryInst, MemoryRef, SavedMemory, SharedInst};
use crate::exec::slow;
use crate::exec::table::{TableInst, TableRef};
use crate::types::{Definer, ExternType, GlobalType, MemoryType, Mutability, RawGlobalType, TableType};

/// Panics if a handle is used with a store that it does not belong to.
pub(crate) fn check_store(handle: StoreId, store: &StoreInner, what: &str) {
    assert!(handle == store.id, "a {what} of another store was used");
}

/// A memory of a store; one that threads share ([`SharedMemory`](crate::SharedMemory))
/// has a handle in each store that uses it.
///
/// ```
/// use vm::{Engine, Memory, MemoryType, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(2)))?;
/// memory.write(&mut store, 65532, b"orca")?;
/// assert!(memory.write(&mut store, 65533, b"orca").is_err());
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// assert_eq!(&memory.data(&store)[65532..65537], b"orca\0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    store: StoreId,
    memory: MemoryRef,
}

impl Memory {
    /// A memory of the type's minimum size.
    ///
    /// # Errors
    /// If the store's limits or the system do not allow it.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Self, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        inner.check_more(whole, 1, 0)?;
        let domain = inner.current_domain().clone();
        let memory = new_memory(inner, whole, ty, None, &domain)?;
        Ok(Self {
            store: inner.id,
            memory,
        })
    }

    pub(crate) fn handle(store: StoreId, memory: MemoryRef) -> Self {
        Self { store, memory }
    }

    pub(super) fn of<'s>(self, store: &StoreInner) -> &'s MemoryInst {
        check_store(self.store, store, "memory");
        self.memory.get()
    }

    /// The memory's parts.
    pub(crate) fn memory_ref(self) -> MemoryRef {
        self.memory
    }

    /// Its type.
    ///
    /// # Panics
    /// If it belongs to another store, as all methods.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        *self.of(&store.as_context().0.inner).ty()
    }

    /// Its bytes, or those before the first region that is mapped into it:
    /// others may write a region's bytes at any time, so there are no
    /// references to them. Nor are there to those of a shared memory: none are given
    /// here. [`Memory::read`] and [`Memory::write`] reach all.
    pub fn data<'a, T: 'static>(&self, store: &'a impl AsContext<Data = T>) -> &'a [u8] {
        self.of(&store.as_context().0.inner).data()
    }

    /// Its bytes, as far as [`Memory::data`] gives them.
    pub fn data_mut<'a, T: 'static>(&self, store: &'a mut impl AsContextMut<Data = T>) -> &'a mut [u8] {
        check_store(self.store, &store.as_context_mut().0.inner, "memory");
        self.memory.get_mut().data_mut()
    }

    /// Its bytes, as far as [`Memory::data`] gives them, and the embedder's data
    /// beside them.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let store = store.into();
        check_store(self.store, &store.0.inner, "memory");
        (self.memory.get_mut().data_mut(), store.0.data_mut())
    }

    /// Copies bytes out of it, from `offset` on, those of mapped regions too.
    ///
    /// # Errors
    /// If they are not all inside; nothing is copied then.
    pub fn read(&self, store: impl AsContext, offset: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        self.of(&store.as_context().0.inner).read(offset as u64, buffer)
    }

    /// Copies bytes into it, from `offset` on, those of mapped regions too.
    ///
    /// # Errors
    /// If there is no room for all, or a region is mapped read-only there;
    /// nothing is copied then.
    pub fn write(&self, mut store: impl AsContextMut, offset: usize, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        check_store(self.store, &store.as_context_mut().0.inner, "memory");
        self.memory.get_mut().write(offset as u64, buffer)
    }

    /// Whether `len` bytes from `offset` on may be accessed so: whether
    /// [`Memory::read`], or [`Memory::write`], would find them.
    ///
    /// # Errors
    /// If they are not all inside, or a region is mapped read-only there.
    pub fn check(
        &self,
        store: impl AsContext,
        offset: usize,
        len: usize,
        access: Access,
    ) -> Result<(), MemoryAccessError> {
        let memory = self.of(&store.as_context().0.inner);
        memory.range(offset as u64, len as u64, access == Access::ReadWrite)?;
        Ok(())
    }

    /// The address of its first byte in the host, which never changes. To read or
    /// write through it, the caller must know that the bytes are there, and
    /// that the guest and others who share them do not use them meanwhile.
    pub fn data_ptr(&self, store: impl AsContext) -> *mut u8 {
        self.of(&store.as_context().0.inner).base()
    }

    /// Its size, in pages of its page size.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.of(&store.as_context().0.inner).pages()
    }

    /// Its size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.of(&store.as_context().0.inner).size()
    }

    /// Bytes of a page.
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        self.ty(store).page_size()
    }

    /// Whether it belongs to a store: using it with another panics.
    pub fn is_of(&self, store: impl AsContext) -> bool {
        self.store == store.as_context().0.inner.id
    }

    /// Asks the store's limiter whether the memory could be so many bytes larger than
    /// it is: for bytes above its size that are to be mapped, which [`Memory::map`]
    /// itself does not count.
    ///
    /// # Errors
    /// The limiter's error; [`LimitError::MemoryUnavailable`] if it says no.
    pub fn check_growth(&self, mut store: impl AsContextMut, bytes: u64) -> Result<(), Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        check_store(self.store, inner, "memory");
        let memory = self.memory.get();
        let desired = usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .saturating_add(memory.size());
        if inner.allows_memory(whole, memory.ty(), memory.size(), desired)? {
            return Ok(());
        }
        let pages = desired as u64 / memory.ty().page_size();
        Err(LimitError::MemoryUnavailable { pages }.into())
    }

    /// Makes it `delta` pages larger; gives its size before.
    ///
    /// # Errors
    /// If its type, the store's limits or the system do not allow it.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        check_store(self.store, inner, "memory");
        let pages = self.memory.get().pages().saturating_add(delta);
        slow::memory_grow(inner, whole, self.memory, delta)?
            .ok_or_else(|| LimitError::MemoryUnavailable { pages }.into())
    }
}

impl Memory {
    /// Maps `range` of a region's bytes at `address`, where the guest and the
    /// host then access the region's own pages.
    ///
    /// `address` may be inside or above the memory's size, and all numbers are
    /// multiples of the host page. Inside, the memory's own bytes there are
    /// given up; [`Memory::unmap`] leaves zeros. Above, the memory gets an
    /// island of bytes that [`Memory::size`] does not count, onto which it
    /// never grows. A region can be mapped at several addresses of several
    /// memories, of any stores.
    ///
    /// ```
    /// use vm::{Access, Engine, Memory, MemoryType, Region, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let mut store = Store::new(&Engine::default(), ());
    /// let region = Region::new(64 << 10)?;
    /// let [a, b] = [(); 2].map(|()| Memory::new(&mut store, MemoryType::new(1, None)).unwrap());
    /// a.map(&mut store, 0x10000, &region, 0..0x10000, Access::ReadWrite)?;
    /// b.map(&mut store, 0x8000_0000, &region, 0..0x10000, Access::Read)?;
    /// a.write(&mut store, 0x10004, b"orca")?;
    /// let mut seen = [0; 4];
    /// b.read(&store, 0x8000_0004, &mut seen)?;
    /// assert_eq!(&seen, b"orca");
    /// assert!(b.write(&mut store, 0x8000_0004, b"blue").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the numbers do not fit, something is mapped there already, or
    /// the region may not be accessed so; nothing has changed then.
    pub fn map(
        &self,
        mut store: impl AsContextMut,
        address: u64,
        region: &Region,
        range: Range<u64>,
        access: Access,
    ) -> Result<(), RegionError> {
        check_store(self.store, &store.as_context_mut().0.inner, "memory");
        region.check(access)?;
        let len = range.end.saturating_sub(range.start);
        let (access, most) = (access.of_pages(), region.access().of_pages());
        self.memory
            .get_mut()
            .map(address, region.pages(), range.start, len, access, most)
    }

    /// Unmaps the regions at `range`: the memory has zeros there inside its
    /// size, and nothing above.
    ///
    /// # Errors
    /// If not all of `range` is mapped; nothing has changed then.
    pub fn unmap(&self, mut store: impl AsContextMut, range: Range<u64>) -> Result<(), RegionError> {
        check_store(self.store, &store.as_context_mut().0.inner, "memory");
        let len = range.end.saturating_sub(range.start);
        self.memory.get_mut().unmap(range.start, len)
    }

    /// Changes how the regions mapped at `range` may be accessed.
    ///
    /// # Errors
    /// If not all of `range` is mapped, or a region there may not be accessed
    /// so; nothing has changed then.
    pub fn protect(&self, mut store: impl AsContextMut, range: Range<u64>, access: Access) -> Result<(), RegionError> {
        check_store(self.store, &store.as_context_mut().0.inner, "memory");
        let len = range.end.saturating_sub(range.start);
        self.memory.get_mut().protect(range.start, len, access.of_pages())
    }

    /// How many regions, or parts of them, are mapped.
    pub fn mapping_count(&self, store: impl AsContext) -> usize {
        self.of(&store.as_context().0.inner).mappings().len()
    }

    /// What is mapped, in ascending order.
    pub fn mappings(&self, store: impl AsContext) -> Vec<Mapping> {
        let mappings = self.of(&store.as_context().0.inner).mappings();
        mappings.iter().map(Mapping::new).collect()
    }
}

/// Makes a memory for a domain, in a store whose counts have been checked. It is
/// what another one was if that is given, or of its type's minimum size.
pub(crate) fn new_memory(
    inner: &mut StoreInner,
    whole: *mut (),
    ty: MemoryType,
    saved: Option<&SavedMemory>,
    domain: &Domain,
) -> Result<MemoryRef, Error> {
    let bytes = |pages: u64| usize::try_from(pages.saturating_mul(ty.page_size())).unwrap_or(usize::MAX);
    let pages = saved.map_or(ty.minimum(), |saved| saved.size() as u64 / ty.page_size());
    let size = bytes(pages);
    if !inner.allows_memory(whole, &ty, 0, size)? {
        return Err(LimitError::MemoryUnavailable { pages }.into());
    }
    let charge = domain.charge(Resource::Memory, size as u64)?;
    if ty.is_shared() {
        let memory = shared_inst(&inner.engine, ty)?;
        memory.charge(charge)?;
        return Ok(inner.add_memory(MemoryInst::shared(Arc::new(memory))));
    }
    let make = |guarding| -> Result<Box<MemoryInst>, Error> {
        let mut memory = MemoryInst::new(ty, guarding)?;
        saved.map_or(Ok(()), |saved| memory.restore(saved))?;
        Ok(memory)
    };
    let mut memory = guarded_or_checked(&inner.engine, &ty, make)?;
    memory.charge = Some(charge);
    Ok(inner.add_memory(memory))
}

/// Makes a memory, with guard pages if that is possible.
fn guarded_or_checked<M, E>(engine: &Engine, ty: &MemoryType, make: impl Fn(Guarding) -> Result<M, E>) -> Result<M, E> {
    let guarding = Guarding::of(ty, engine.config().guard);
    make(guarding).or_else(|error| match guarding {
        // Address space may be short while memory is not.
        Guarding::Guarded => make(Guarding::Checked),
        Guarding::Checked => Err(error),
    })
}

/// A memory for several stores of an engine.
pub(super) fn shared_inst(engine: &Engine, ty: MemoryType) -> Result<SharedInst, LimitError> {
    guarded_or_checked(engine, &ty, |guarding| SharedInst::new(ty, guarding))
}

/// A table.
///
/// ```
/// use vm::{Engine, Func, Ref, RefType, Store, Table, TableType};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None))?;
/// let func = Func::wrap(&mut store, |x: i32| x + 1);
/// table.set(&mut store, 1, func.into())?;
/// assert!(table.get(&store, 0).unwrap().is_null());
/// assert!(matches!(table.get(&store, 1), Some(Ref::Func(Some(same))) if same == func));
/// assert!(table.get(&store, 2).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    store: StoreId,
    table: TableRef,
}

impl Table {
    /// A table of the type's minimum size, each element `init`.
    ///
    /// # Errors
    /// If `init` has another type, or the store's limits or the system do not
    /// allow it.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Self, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let ty = ty.defined(inner.engine.types());
        let init = init.to_slot(ty.element(), inner)?;
        inner.check_more(whole, 0, 1)?;
        let domain = inner.current_domain().clone();
        let table = new_table(inner, whole, ty, init, None, &domain)?;
        Ok(Self { store: inner.id, table })
    }

    pub(crate) fn handle(store: StoreId, table: TableRef) -> Self {
        Self { store, table }
    }

    fn of<'s>(self, store: &StoreInner) -> &'s TableInst {
        check_store(self.store, store, "table");
        self.table.get()
    }

    /// The table's parts.
    pub(crate) fn table_ref(self) -> TableRef {
        self.table
    }

    /// Its type.
    ///
    /// # Panics
    /// If it belongs to another store, as all methods.
    pub fn ty(&self, store: impl AsContext) -> TableType {
        self.of(&store.as_context().0.inner).ty().clone()
    }

    /// Its size in elements.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.of(&store.as_context().0.inner).len
    }

    /// An element; `None` beyond the end.
    pub fn get(&self, store: impl AsContext, index: u64) -> Option<Ref> {
        let inner = &store.as_context().0.inner;
        let table = self.of(inner);
        let slot = *table.elems().get(usize::try_from(index).ok()?)?;
        Some(Ref::from_slot(slot, table.ty().element(), inner))
    }

    /// Sets an element.
    ///
    /// # Errors
    /// If it is beyond the end, or the value has another type.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Ref) -> Result<(), Error> {
        let inner = &store.as_context_mut().0.inner;
        let table = self.of(inner);
        let slot = value.to_slot(table.ty().element(), inner)?;
        let size = table.len;
        let elements = self.table.get_mut().elems_mut();
        let element = usize::try_from(index).ok().and_then(|i| elements.get_mut(i));
        *element.ok_or(TypeError::TableIndex { index, size })? = slot;
        Ok(())
    }

    /// Makes it `delta` elements of value `init` larger; gives its size before.
    ///
    /// # Errors
    /// If `init` has another type, or the table's type, the store's limits or
    /// the system do not allow it.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let table = self.of(inner);
        let init = init.to_slot(table.ty().element(), inner)?;
        let elements = table.len.saturating_add(delta);
        slow::table_grow(inner, whole, self.table, delta, init)?
            .ok_or_else(|| LimitError::TableUnavailable { elements }.into())
    }
}

/// Makes a table for a domain, in a store whose counts have been checked. It has
/// the elements of another one if they are given, or of its type's minimum size.
pub(crate) fn new_table(
    inner: &mut StoreInner,
    whole: *mut (),
    ty: TableType,
    init: u64,
    saved: Option<&[u64]>,
    domain: &Domain,
) -> Result<TableRef, Error> {
    let elements = saved.map_or(ty.minimum(), |saved| saved.len() as u64);
    if !inner.allows_table(whole, &ty, 0, elements)? {
        return Err(LimitError::TableUnavailable { elements }.into());
    }
    let charge = domain.charge(Resource::TableElements, elements)?;
    let mut table = TableInst::new(ty, init)?;
    if let Some(saved) = saved {
        table.replace(TableInst::copy(saved)?);
    }
    table.charge = Some(charge);
    Ok(inner.add_table(table))
}

/// A global.
///
/// ```
/// use vm::{Engine, Global, GlobalType, Mutability, Store, Val, ValType};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let global = Global::new(&mut store, GlobalType::new(ValType::I64, Mutability::Var), Val::I64(1))?;
/// global.set(&mut store, Val::I64(2))?;
/// assert_eq!(global.get(&store).i64(), Some(2));
/// assert!(global.set(&mut store, Val::I32(2)).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    store: StoreId,
    cell: GlobalRef,
    ty: RawGlobalType,
}

impl Global {
    /// A global with a first value.
    ///
    /// # Errors
    /// If the value has another type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Self, Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let slots = value.to_slots(ty.content(), inner)?;
        let engine = inner.engine.clone();
        let mut definer = Definer::new(engine.types());
        let raw = ty.raw(&mut definer);
        let cell = inner.add_global(slots, ty.is_handle(), definer.into_named());
        let ty = raw;
        Ok(Self {
            store: inner.id,
            cell,
            ty,
        })
    }

    pub(crate) fn handle(store: StoreId, cell: GlobalRef, ty: RawGlobalType) -> Self {
        Self { store, cell, ty }
    }

    /// The global's cell.
    pub(crate) fn cell(self) -> GlobalRef {
        self.cell
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        self.ty_in(&store.as_context().0.inner)
    }

    pub(crate) fn ty_in(self, store: &StoreInner) -> GlobalType {
        check_store(self.store, store, "global");
        self.ty.get(store.engine.types())
    }

    /// Its value.
    ///
    /// # Panics
    /// If it belongs to another store, as all methods.
    pub fn get(&self, store: impl AsContext) -> Val {
        let inner = &store.as_context().0.inner;
        Val::from_slots(self.cell.slots(), self.ty_in(inner).content(), inner)
    }

    /// Sets its value.
    ///
    /// # Errors
    /// If it is immutable, or the value has another type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<(), Error> {
        let inner = &store.as_context_mut().0.inner;
        let ty = self.ty_in(inner);
        if ty.mutability() == Mutability::Const {
            return Err(TypeError::Immutable.into());
        }
        self.cell.set(value.to_slots(ty.content(), inner)?);
        Ok(())
    }
}

/// Something a module imports or exports.
#[derive(Clone, Copy, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A tag.
    Tag(Tag),
}

impl Extern {
    /// Its type; for tables and memories with their present size as minimum.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        self.ty_in(&store.as_context().0.inner)
    }

    pub(crate) fn ty_in(&self, store: &StoreInner) -> ExternType {
        match self {
            Self::Func(func) => func.ty_in(store).into(),
            Self::Global(global) => global.ty_in(store).into(),
            Self::Table(table) => {
                let table = table.of(store);
                table.ty().clone().with_minimum(table.len).into()
            }
            Self::Memory(memory) => {
                let memory = memory.of(store);
                memory.ty().with_minimum(memory.pages()).into()
            }
            Self::Tag(tag) => tag.ty_in(store).into(),
        }
    }

    /// Checks that it belongs to a store. What does not may be gone already,
    /// so this comes before anything else.
    ///
    /// # Errors
    /// If it belongs to another.
    pub(crate) fn check_in(&self, store: &StoreInner) -> Result<(), TypeError> {
        let (own, what) = match self {
            Self::Func(func) => (func.store(), "function"),
            Self::Global(global) => (global.store, "global"),
            Self::Table(table) => (table.store, "table"),
            Self::Memory(memory) => (memory.store, "memory"),
            Self::Tag(tag) => (tag.store(), "tag"),
        };
        if own == store.id {
            Ok(())
        } else {
            Err(TypeError::OtherStore { what })
        }
    }

    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        if let Self::Func(func) = self { Some(func) } else { None }
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        if let Self::Global(global) = self {
            Some(global)
        } else {
            None
        }
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        if let Self::Table(table) = self {
            Some(table)
        } else {
            None
        }
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        if let Self::Memory(memory) = self {
            Some(memory)
        } else {
            None
        }
    }
}

impl Extern {
    /// The tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        if let Self::Tag(tag) = self { Some(tag) } else { None }
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Func> for Extern {
    fn from(func: Func) -> Self {
        Self::Func(func)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Self {
        Self::Global(global)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Self {
        Self::Memory(memory)
    }
}

/// An export of an instance.
#[derive(Clone, Debug)]
pub struct Export {
    name: Box<str>,
    value: Extern,
}

impl Export {
    pub(crate) fn new(name: &str, value: Extern) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is exported.
    pub fn into_extern(self) -> Extern {
        self.value
    }
}
