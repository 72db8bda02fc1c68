//! Operations of running code that work on the store through safe Rust: bulk
//! memory, tables, growth. Each returns an exit code, 0 to go on.
//!
//! They are called by one handler each (see `data`), and by the runtime
//! where instantiation does the same (Spec 3.0 §4.7.2).

use super::context::FuncRef;
use super::memory::{MemoryInst, MemoryRef};
use super::table::TableRef;
use crate::error::Error;
use crate::runtime::store::StoreInner;
use crate::trap::Trap;

/// `memory.grow`: the old size in pages, or `None` where it is refused.
///
/// # Errors
/// If the store's limiter says that refusal is to be an error.
pub(crate) fn memory_grow(
    inner: &mut StoreInner,
    store: *mut (),
    memory: MemoryRef,
    delta: u64,
) -> Result<Option<u64>, Error> {
    let inst = memory.get_mut();
    let page = inst.ty().page_size();
    let wanted = inst.pages().saturating_add(delta).saturating_mul(page);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    if delta > 0 && !inner.allows_memory(store, inst.ty(), inst.size(), wanted)? {
        return Ok(None);
    }
    match inst.grow(delta) {
        Some(old) => Ok(Some(old)),
        None => {
            if let Some(limiter) = inner.limiter(store) {
                limiter.memory_grow_failed()?;
            }
            Ok(None)
        }
    }
}

/// `table.grow`: the old size, or `None` where it is refused.
///
/// # Errors
/// If the store's limiter says that refusal is to be an error.
pub(crate) fn table_grow(
    inner: &mut StoreInner,
    store: *mut (),
    table: TableRef,
    delta: u64,
    init: u64,
) -> Result<Option<u64>, Error> {
    let inst = table.get_mut();
    if delta > 0 && !inner.allows_table(store, inst.ty(), inst.len, inst.len.saturating_add(delta))? {
        return Ok(None);
    }
    match inst.grow(delta, init) {
        Some(old) => Ok(Some(old)),
        None => {
            if let Some(limiter) = inner.limiter(store) {
                limiter.table_grow_failed()?;
            }
            Ok(None)
        }
    }
}

/// `memory.fill`.
pub(crate) fn memory_fill(memory: MemoryRef, at: u64, value: u8, len: u64) -> Result<(), Trap> {
    Ok(memory.get_mut().fill(at, value, len)?)
}

/// `memory.copy`.
pub(crate) fn memory_copy(to: MemoryRef, from: MemoryRef, dst: u64, src: u64, len: u64) -> Result<(), Trap> {
    let range = |memory: MemoryRef, at: u64| {
        let start = usize::try_from(at).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= memory.get().unshared()).then_some(start..end)
    };
    let (Some(source), Some(target)) = (range(from, src), range(to, dst)) else {
        return Ok(MemoryInst::copy_mapped(to.get(), from.get(), dst, src, len)?);
    };
    if to == from {
        to.get_mut().data_mut().copy_within(source, target.start);
    } else {
        // Two memories share no bytes of their own, so these borrows do not
        // overlap.
        let (from, to) = (from.get(), to.get_mut());
        if let (Some(to), Some(from)) = (to.data_mut().get_mut(target), from.data().get(source)) {
            to.copy_from_slice(from);
        }
    }
    Ok(())
}

/// `memory.init`.
pub(crate) fn memory_init(memory: MemoryRef, data: &[u8], dst: u64, src: u64, len: u64) -> Result<(), Trap> {
    let from = range_of(data, src, len).ok_or(Trap::MemoryOutOfBounds)?;
    Ok(memory.get_mut().write(dst, from)?)
}

/// `table.init`.
pub(crate) fn table_init(table: TableRef, elems: &[u64], dst: u64, src: u64, len: u64) -> Result<(), Trap> {
    let from = range_of(elems, src, len).ok_or(Trap::TableOutOfBounds)?;
    table
        .get_mut()
        .slice_mut(dst, len)
        .ok_or(Trap::TableOutOfBounds)?
        .copy_from_slice(from);
    Ok(())
}

/// `table.fill`.
pub(crate) fn table_fill(table: TableRef, at: u64, value: u64, len: u64) -> Result<(), Trap> {
    table
        .get_mut()
        .slice_mut(at, len)
        .ok_or(Trap::TableOutOfBounds)?
        .fill(value);
    Ok(())
}

/// `table.copy`.
pub(crate) fn table_copy(to: TableRef, from: TableRef, dst: u64, src: u64, len: u64) -> Result<(), Trap> {
    if to == from {
        let elems = to.get_mut().elems_mut();
        let start = usize::try_from(src).map_err(|_| Trap::TableOutOfBounds)?;
        let at = usize::try_from(dst).map_err(|_| Trap::TableOutOfBounds)?;
        let len = usize::try_from(len).map_err(|_| Trap::TableOutOfBounds)?;
        let fits = |at: usize| at.checked_add(len).is_some_and(|end| end <= elems.len());
        if !fits(start) || !fits(at) {
            return Err(Trap::TableOutOfBounds);
        }
        elems.copy_within(start..start + len, at);
        return Ok(());
    }
    let from = range_of(from.get().elems(), src, len).ok_or(Trap::TableOutOfBounds)?;
    to.get_mut()
        .slice_mut(dst, len)
        .ok_or(Trap::TableOutOfBounds)?
        .copy_from_slice(from);
    Ok(())
}

/// The elements `at..at + len` of a slice.
pub(super) fn range_of<V>(slice: &[V], at: u64, len: u64) -> Option<&[V]> {
    let start = usize::try_from(at).ok()?;
    slice.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}

/// The slot value of an optional function reference.
pub(crate) fn func_slot(func: Option<FuncRef>) -> u64 {
    func.map_or(0, FuncRef::to_slot)
}
