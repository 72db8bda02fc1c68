//! Where a memory's bytes are: reserved address space, with or without guard pages,
//! or what is allocated where there is none.

use std::ptr::NonNull;
use std::sync::Arc;

use super::SharedInst;
use crate::error::LimitError;
use crate::sys::{self, Share};
use crate::types::MemoryType;

/// What 32-bit indices reach.
const REACH_32: u64 = 1 << 32;

/// Bytes that a memory with 64-bit addresses can have where it has guard pages.
/// More than most hosts have, and few enough for many such memories.
pub(crate) const REACH_64: u64 = 1 << 38;

/// What a guarded memory reserves beyond the indices' reach: 4 GiB of offset,
/// and a page for accesses that begin at the last byte.
const GUARD_BYTES: usize = (4 << 30) + (64 << 10);

/// How a memory is to be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarding {
    /// Accesses are checked by the MMU.
    Guarded,
    /// Accesses are checked by the handlers.
    Checked,
}

impl Guarding {
    /// What a memory of type `ty` gets if the engine allows guard pages.
    pub(crate) fn of(ty: &MemoryType, allowed: bool) -> Self {
        if allowed && sys::FAULT_TRAPS && ty.page_size() == 65536 {
            Self::Guarded
        } else {
            Self::Checked
        }
    }
}

/// Where a memory's bytes are.
#[derive(Debug)]
pub(super) enum Storage {
    /// Address space, and guard pages behind it.
    Guarded(sys::Reservation),
    /// Address space.
    Reserved(sys::Reservation),
    /// Where address space cannot be reserved: all capacity is allocated.
    Allocated { _bytes: Box<[u8]> },
    /// Another's, whom other threads have it from too.
    Shared(Arc<SharedInst>),
}

/// Bytes of a memory of its type's minimum size.
pub(super) fn minimum_bytes(ty: &MemoryType) -> Result<usize, LimitError> {
    let bytes = ty.minimum().checked_mul(ty.page_size());
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or(LimitError::MemoryUnavailable { pages: ty.minimum() })
}

/// Bytes of a memory of `old` pages that has grown by `delta`, if its type allows that.
pub(super) fn grown_bytes(ty: &MemoryType, old: u64, delta: u64) -> Option<usize> {
    let new = old.checked_add(delta)?;
    // What `memory.size` can say.
    let sizes = if ty.is_64() { u64::MAX } else { u64::from(u32::MAX) };
    let most = ty.maximum().unwrap_or(u64::MAX).min(sizes);
    let bytes = usize::try_from(new.checked_mul(ty.page_size())?).ok()?;
    (new <= most).then_some(bytes)
}

/// What part of the address space a memory with such a reservation leaves to others: a
/// few large ones could take all there is.
fn share(bytes: usize) -> Share {
    match bytes as u64 > 2 * REACH_32 + GUARD_BYTES as u64 {
        true => Share::Half,
        false => Share::All,
    }
}

impl Storage {
    /// Address space for a memory, of which nothing is accessible; its base, and how
    /// many bytes can be made accessible.
    ///
    /// # Errors
    /// If the address space or memory cannot be had.
    pub(super) fn new(ty: &MemoryType, guarding: Guarding) -> Result<(Self, *mut u8, usize), LimitError> {
        let unavailable = || LimitError::MemoryUnavailable { pages: ty.minimum() };
        let min = minimum_bytes(ty)?;
        let reach = if ty.is_64() { REACH_64 } else { REACH_32 };
        let reach = usize::try_from(reach).unwrap_or(usize::MAX);
        if guarding == Guarding::Guarded {
            if min > reach {
                return Err(unavailable());
            }
            let r = sys::Reservation::within(reach + GUARD_BYTES, share(reach + GUARD_BYTES))
                .and_then(sys::Reservation::for_guest)
                .map_err(|_| unavailable())?;
            let base = r.base();
            return Ok((Self::Guarded(r), base, reach));
        }
        let bytes = |pages: u64| pages.checked_mul(ty.page_size()).and_then(|b| usize::try_from(b).ok());
        let needed = ty.maximum().and_then(bytes).unwrap_or(usize::MAX).min(reach).max(min);
        // Room for mappings besides, unless address space is short.
        let mut want = if ty.is_64() { needed } else { reach.max(min) };
        loop {
            if want == 0 {
                let nothing = Self::Allocated { _bytes: Box::default() };
                return Ok((nothing, NonNull::dangling().as_ptr(), 0));
            }
            match sys::Reservation::within(want, share(want)) {
                Ok(r) => {
                    let base = r.base();
                    return Ok((Self::Reserved(r), base, want));
                }
                Err(e) if e.kind() == std::io::ErrorKind::Unsupported => {
                    let mut bytes = Vec::new();
                    bytes.try_reserve_exact(min).map_err(|_| unavailable())?;
                    bytes.resize(min, 0_u8);
                    let mut bytes = bytes.into_boxed_slice();
                    let base = bytes.as_mut_ptr();
                    return Ok((Self::Allocated { _bytes: bytes }, base, min));
                }
                Err(_) if want == min => return Err(unavailable()),
                Err(_) if want > needed => want = needed,
                Err(_) => want = (want / 2).max(min),
            }
        }
    }

    /// Makes bytes up to `to` accessible, of which those up to `from` are already;
    /// false if the system refuses.
    pub(super) fn commit(&self, from: usize, to: usize) -> bool {
        let (Self::Guarded(r) | Self::Reserved(r)) = self else {
            return true;
        };
        let page = sys::page_size();
        let (from, to) = (from.next_multiple_of(page), to.next_multiple_of(page));
        to <= from || r.commit(from, to - from).is_ok()
    }
}
