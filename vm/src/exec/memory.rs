//! Memory instances (Spec 3.0 §4.2.8).
//!
//! A memory with guard pages reserves so much address space that `base + index
//! + offset` of any access stays inside and faults when it lies beyond the
//! memory's size: all that 32 bits reach, or with 64-bit addresses [`REACH_64`]
//! bytes, where an index beyond is taken for that one. Other memories are checked
//! at each access by their length. Either way `base` never moves.

mod saved;

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

pub(crate) use self::saved::SavedMemory;
use super::mappings::{Mapping, Mappings};
use crate::error::{LimitError, MemoryAccessError, PermissionError, RegionError};
use crate::runtime::domain::Charge;
use crate::sys::shared::{self, SharedPages};
use crate::sys::{self, Access};
use crate::types::MemoryType;

/// What 32-bit indices reach.
const REACH_32: u64 = 1 << 32;

/// Bytes that a memory with 64-bit addresses can have where it has guard pages.
/// More than most hosts have, and few enough for many such memories.
pub(crate) const REACH_64: u64 = 1 << 38;

/// What a guarded memory reserves beyond the indices' reach: 4 GiB of offset,
/// and a page for accesses that begin at the last byte.
const GUARD_BYTES: usize = (4 << 30) + (64 << 10);

/// A memory instance.
#[derive(Debug)]
pub(crate) struct MemoryInst {
    base: *mut u8,
    /// Bytes at the start that are the memory's own: up to its size, or to the
    /// first mapping. Handlers that check accesses check by this.
    own: usize,
    /// Size in bytes.
    size: usize,
    /// Bytes that neither `size` nor a mapping can exceed in this reservation.
    capacity: usize,
    ty: MemoryType,
    storage: Storage,
    mappings: Mappings,
    /// Where its own pages are those of a file until they are written, not zeros.
    contents: Mappings,
    /// Counts its bytes as its domain's.
    pub(crate) charge: Option<Charge>,
}

/// Mappings a memory may have.
const MOST_MAPPINGS: usize = 4096;

/// Bytes of a memory, all of the same kind.
struct Span<'a> {
    at: *mut u8,
    len: usize,
    /// Pages that may vanish meanwhile, and the place in their file.
    file: Option<(&'a SharedPages, u64)>,
}

#[derive(Debug)]
enum Storage {
    Guarded(sys::Reservation),
    Reserved(sys::Reservation),
    /// Where address space cannot be reserved: all capacity is allocated.
    Allocated {
        _bytes: Box<[u8]>,
    },
}

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

impl MemoryInst {
    /// A memory of the type's minimum size.
    ///
    /// # Errors
    /// If the address space or memory cannot be had.
    pub(crate) fn new(ty: MemoryType, guarding: Guarding) -> Result<Box<Self>, LimitError> {
        let page = ty.page_size();
        let refused = |_| LimitError::MemoryUnavailable { pages: ty.minimum() };
        let bytes = |pages: u64| pages.checked_mul(page).and_then(|b| usize::try_from(b).ok());
        let min = bytes(ty.minimum()).ok_or(LimitError::MemoryUnavailable { pages: ty.minimum() })?;
        let reach = if ty.is_64() { REACH_64 } else { REACH_32 };
        let reach = usize::try_from(reach).unwrap_or(usize::MAX);
        let (storage, base, capacity) = match guarding {
            Guarding::Guarded => {
                if min > reach {
                    return Err(LimitError::MemoryUnavailable { pages: ty.minimum() });
                }
                let r = sys::Reservation::new_guest(reach + GUARD_BYTES, ty.is_64()).map_err(refused)?;
                let base = r.base();
                (Storage::Guarded(r), base, reach)
            }
            Guarding::Checked => {
                let needed = ty.maximum().and_then(bytes).unwrap_or(usize::MAX).min(reach).max(min);
                // Room for mappings besides, unless address space is short.
                let mut want = if ty.is_64() { needed } else { reach.max(min) };
                loop {
                    if want == 0 {
                        break (
                            Storage::Allocated { _bytes: Box::default() },
                            NonNull::dangling().as_ptr(),
                            0,
                        );
                    }
                    match sys::Reservation::new(want) {
                        Ok(r) => {
                            let base = r.base();
                            break (Storage::Reserved(r), base, want);
                        }
                        Err(e) if e.kind() == std::io::ErrorKind::Unsupported => {
                            let mut bytes = Vec::new();
                            bytes
                                .try_reserve_exact(min)
                                .map_err(|_| LimitError::MemoryUnavailable { pages: ty.minimum() })?;
                            bytes.resize(min, 0_u8);
                            let mut bytes = bytes.into_boxed_slice();
                            let base = bytes.as_mut_ptr();
                            break (Storage::Allocated { _bytes: bytes }, base, min);
                        }
                        Err(e) if want == min => return Err(refused(e)),
                        Err(_) if want > needed => want = needed,
                        Err(_) => want = (want / 2).max(min),
                    }
                }
            }
        };
        let mut this = Box::new(Self {
            base,
            own: 0,
            size: 0,
            capacity,
            ty,
            storage,
            mappings: Mappings::default(),
            contents: Mappings::default(),
            charge: None,
        });
        if !this.extend(min) {
            return Err(LimitError::MemoryUnavailable {
                pages: this.ty.minimum(),
            });
        }
        Ok(this)
    }

    /// Makes `bytes` in all accessible; false if the system refuses.
    fn extend(&mut self, bytes: usize) -> bool {
        if bytes > self.capacity {
            return false;
        }
        if let Storage::Guarded(r) | Storage::Reserved(r) = &self.storage {
            let from = self.size.next_multiple_of(sys::page_size());
            let to = bytes.next_multiple_of(sys::page_size());
            // Never onto a mapping.
            let is_mapped = bytes > self.size && !self.mappings.meeting(&(self.size..bytes)).is_empty();
            if is_mapped || to > from && r.commit(from, to - from).is_err() {
                return false;
            }
        }
        self.size = bytes;
        self.find_own();
        true
    }

    /// Finds out anew which bytes are the memory's own.
    fn find_own(&mut self) {
        let mapped = self.mappings.all().first().map_or(usize::MAX, |mapping| mapping.start);
        self.own = self.size.min(mapped);
    }

    /// Grows by `delta` pages; the old size in pages, or `None` if the type's
    /// maximum, the index type, the domain's quota or the system does not allow it.
    pub(crate) fn grow(&mut self, delta: u64) -> Option<u64> {
        let old = self.pages();
        let new = old.checked_add(delta)?;
        // What `memory.size` can say.
        let sizes = if self.ty.is_64() { u64::MAX } else { u64::from(u32::MAX) };
        let most = self.ty.maximum().unwrap_or(u64::MAX).min(sizes);
        let bytes = usize::try_from(new.checked_mul(self.ty.page_size())?).ok()?;
        if new > most {
            return None;
        }
        self.charge_for(bytes).ok()?;
        if !self.extend(bytes) {
            self.settle();
            return None;
        }
        Some(old)
    }

    /// Charges its domain for this many bytes.
    ///
    /// # Errors
    /// If a quota does not allow them; nothing has changed then.
    pub(crate) fn charge_for(&mut self, bytes: usize) -> Result<(), PermissionError> {
        let charge = self.charge.as_mut();
        charge.map_or(Ok(()), |charge| charge.resize(bytes as u64))
    }

    /// Charges its domain for the bytes that it has, after a charge for more.
    pub(crate) fn settle(&mut self) {
        let settled = self.charge_for(self.size);
        debug_assert!(settled.is_ok(), "fewer bytes are always allowed");
    }

    /// Size in pages of the memory's page size.
    pub(crate) fn pages(&self) -> u64 {
        self.size as u64 / self.ty.page_size()
    }

    /// Base address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Bytes at the start that are the memory's own: all, or those before the
    /// first mapping.
    #[inline(always)]
    pub(crate) fn own(&self) -> usize {
        self.own
    }

    /// The type it was made with.
    pub(crate) fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// Whether accesses are checked by the MMU.
    pub(crate) fn guarding(&self) -> Guarding {
        if matches!(self.storage, Storage::Guarded(_)) {
            Guarding::Guarded
        } else {
            Guarding::Checked
        }
    }

    /// The memory's own bytes before the first mapping.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: `own` bytes from `base` are committed, and no others' pages;
        // `&self` comes from a shared borrow of the store, so no guest runs.
        unsafe { std::slice::from_raw_parts(self.base, self.own) }
    }

    /// The memory's own bytes before the first mapping.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, with the store borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.base, self.own) }
    }

    /// The bytes `at..at + len`, if all of them may be read, or written.
    ///
    /// # Errors
    /// If not all may.
    pub(crate) fn range(&self, at: u64, len: u64, write: bool) -> Result<Range<usize>, MemoryAccessError> {
        use MemoryAccessError::{OutOfBounds, ReadOnly};
        let start = usize::try_from(at).map_err(|_| OutOfBounds)?;
        let len = usize::try_from(len).map_err(|_| OutOfBounds)?;
        let range = start..start.checked_add(len).ok_or(OutOfBounds)?;
        if range.end <= self.own {
            return Ok(range);
        }
        if range.is_empty() {
            let mut mappings = self.mappings.all().iter();
            let is_edge = start <= self.size || mappings.any(|m| (m.start..=m.end()).contains(&start));
            return if is_edge { Ok(range) } else { Err(OutOfBounds) };
        }
        let mut reached = range.start;
        let mut refused = None;
        for mapping in self.mappings.meeting(&range) {
            if mapping.start > reached && mapping.start > self.size {
                return Err(OutOfBounds);
            }
            if write && mapping.access != Access::ReadWrite {
                refused = Some(ReadOnly);
            }
            reached = mapping.end();
        }
        if reached < range.end && range.end > self.size {
            return Err(OutOfBounds);
        }
        match refused {
            Some(error) => Err(error),
            None => Ok(range),
        }
    }

    /// The parts of a range that [`MemoryInst::range`] gave, in ascending order.
    fn spans(&self, range: Range<usize>) -> impl Iterator<Item = Span<'_>> {
        let mut at = range.start;
        let mut mappings = self.mappings.meeting(&range).iter().peekable();
        std::iter::from_fn(move || {
            let start = at;
            if start >= range.end {
                return None;
            }
            let mut file = None;
            if let Some(here) = mappings.next_if(|mapping| mapping.start <= start) {
                at = here.end().min(range.end);
                if here.pages.can_shrink() {
                    file = Some((&*here.pages, (here.offset + start - here.start) as u64));
                }
            } else {
                at = mappings.peek().map_or(range.end, |later| later.start);
            }
            Some(Span {
                at: self.base.wrapping_add(start),
                len: at - start,
                file,
            })
        })
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// If they are not all accessible; nothing is copied then, unless a file
    /// has become shorter at that moment.
    pub(crate) fn read(&self, at: u64, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let range = self.range(at, buffer.len() as u64, false)?;
        if let Some(own) = self.data().get(range.clone()) {
            buffer.copy_from_slice(own);
            return Ok(());
        }
        self.read_spans(range, buffer)
    }

    fn read_spans(&self, range: Range<usize>, mut buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        for span in self.spans(range) {
            let (part, rest) = buffer.split_at_mut(span.len);
            match &span.file {
                Some((pages, offset)) => pages
                    .read_at(*offset, part)
                    .map_err(|_| MemoryAccessError::OutOfBounds)?,
                // SAFETY: the span is accessible, and not the buffer's.
                None => unsafe { shared::copy(part.as_mut_ptr(), span.at, span.len) },
            }
            buffer = rest;
        }
        Ok(())
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// As for [`MemoryInst::read`].
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), MemoryAccessError> {
        let range = self.range(at, bytes.len() as u64, true)?;
        if let Some(own) = self.data_mut().get_mut(range.clone()) {
            own.copy_from_slice(bytes);
            return Ok(());
        }
        self.write_spans(range, bytes)
    }

    fn write_spans(&self, range: Range<usize>, mut bytes: &[u8]) -> Result<(), MemoryAccessError> {
        for span in self.spans(range) {
            let (part, rest) = bytes.split_at(span.len);
            match &span.file {
                Some((pages, offset)) => pages
                    .write_at(*offset, part)
                    .map_err(|_| MemoryAccessError::OutOfBounds)?,
                // SAFETY: the span is accessible, and not the bytes'.
                None => unsafe { shared::copy(span.at, part.as_ptr(), span.len) },
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Writes `len` bytes of `value`.
    ///
    /// # Errors
    /// As for [`MemoryInst::read`].
    pub(crate) fn fill(&mut self, at: u64, value: u8, len: u64) -> Result<(), MemoryAccessError> {
        let range = self.range(at, len, true)?;
        if let Some(own) = self.data_mut().get_mut(range.clone()) {
            own.fill(value);
            return Ok(());
        }
        let bytes = [value; CHUNK];
        for span in self.spans(range) {
            let Some((pages, offset)) = &span.file else {
                // SAFETY: the span is accessible.
                unsafe { shared::fill(span.at, value, span.len) };
                continue;
            };
            for done in (0..span.len).step_by(CHUNK) {
                let part = bytes.get(..CHUNK.min(span.len - done)).unwrap_or_default();
                let written = pages.write_at(offset + done as u64, part);
                written.map_err(|_| MemoryAccessError::OutOfBounds)?;
            }
        }
        Ok(())
    }

    /// Copies `len` bytes from another memory or this one, as if all were read
    /// before any is written, unless they are the same bytes of a region at two
    /// addresses. `to` or `from` have mappings there.
    ///
    /// # Errors
    /// As for [`MemoryInst::read`].
    pub(crate) fn copy_mapped(to: &Self, from: &Self, dst: u64, src: u64, len: u64) -> Result<(), MemoryAccessError> {
        let source = from.range(src, len, false)?;
        let target = to.range(dst, len, true)?;
        let len = source.len();
        let mut buffer = [0; CHUNK];
        // Upwards would overwrite what is still to be read.
        let down = std::ptr::eq(to, from) && target.start > source.start;
        for done in (0..len).step_by(CHUNK) {
            let n = CHUNK.min(len - done);
            let at = if down { len - done - n } else { done };
            let part = buffer.get_mut(..n).unwrap_or_default();
            from.read_spans(source.start + at..source.start + at + n, part)?;
            to.write_spans(target.start + at..target.start + at + n, part)?;
        }
        Ok(())
    }

    /// What is mapped, in ascending order.
    pub(crate) fn mappings(&self) -> &[Mapping] {
        self.mappings.all()
    }

    /// The reservation, into which regions can be mapped.
    fn reservation(&self) -> Result<&sys::Reservation, RegionError> {
        match &self.storage {
            Storage::Guarded(r) | Storage::Reserved(r) => Ok(r),
            Storage::Allocated { .. } => Err(RegionError::Unsupported {
                reason: "this system has no address space to reserve",
            }),
        }
    }

    /// The pages from `address` on, if they are pages of this memory.
    fn pages_at(&self, address: u64, len: u64) -> Result<Range<usize>, RegionError> {
        for (what, value) in [("address", address), ("size", len)] {
            if !value.is_multiple_of(sys::page_size() as u64) {
                return Err(RegionError::Misaligned { what, value });
            }
        }
        if len == 0 {
            return Err(RegionError::Empty);
        }
        let capacity = self.capacity as u64;
        match address.checked_add(len) {
            Some(end) if end <= capacity => Ok(address as usize..end as usize),
            _ => Err(RegionError::OutsideMemory { address, len, capacity }),
        }
    }

    /// Maps `len` bytes of `pages` from `offset` on at `address`; `most` is what
    /// [`MemoryInst::protect`] may allow later.
    ///
    /// # Errors
    /// If that is not possible; nothing has changed then.
    pub(crate) fn map(
        &mut self,
        address: u64,
        pages: &Arc<SharedPages>,
        offset: u64,
        len: u64,
        access: Access,
        most: Access,
    ) -> Result<(), RegionError> {
        let range = self.pages_at(address, len)?;
        if !offset.is_multiple_of(sys::page_size() as u64) {
            return Err(RegionError::Misaligned {
                what: "offset",
                value: offset,
            });
        }
        let size = pages.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(RegionError::OutsideRegion { offset, len, size });
        }
        if let Some(other) = self.mappings.meeting(&range).first() {
            let at = other.start.max(range.start) as u64;
            return Err(RegionError::Occupied { at });
        }
        if self.mappings.all().len() >= MOST_MAPPINGS {
            return Err(RegionError::TooMany { limit: MOST_MAPPINGS });
        }
        if pages.can_shrink() && self.guarding() == Guarding::Checked {
            return Err(RegionError::MayShrink);
        }
        self.reservation()?
            .map(range.start, range.len(), pages, offset, access)
            .map_err(|source| RegionError::System {
                what: "the mapping",
                source,
            })?;
        self.contents.remove(&range);
        self.mappings.insert(Mapping {
            start: range.start,
            len: range.len(),
            pages: Arc::clone(pages),
            offset: offset as usize,
            access,
            most,
        });
        self.find_own();
        Ok(())
    }

    /// Puts pages with their first contents, which nobody writes any more, in
    /// place of a new memory's zeros from `at` on. What the memory's users write
    /// there is theirs alone. False if that cannot be done.
    pub(crate) fn map_image(&mut self, at: usize, pages: &Arc<SharedPages>) -> bool {
        let contents = Mapping {
            start: at,
            len: pages.len(),
            pages: Arc::clone(pages),
            offset: 0,
            access: Access::ReadWrite,
            most: Access::ReadWrite,
        };
        at.checked_add(pages.len()).is_some_and(|end| end <= self.own) && self.map_contents(&contents)
    }

    /// Says that regions are mapped at all of `range`.
    fn mapped(&self, range: &Range<usize>) -> Result<(), RegionError> {
        match self.mappings.first_gap(range) {
            Some(at) => Err(RegionError::NotMapped { at: at as u64 }),
            None => Ok(()),
        }
    }

    /// Says that the memory may have as many mappings as there are with `range`
    /// apart from the rest, less some that go.
    fn check_split(&self, range: &Range<usize>, less: usize) -> Result<(), RegionError> {
        match self.mappings.count_split(range).saturating_sub(less) > MOST_MAPPINGS {
            true => Err(RegionError::TooMany { limit: MOST_MAPPINGS }),
            false => Ok(()),
        }
    }

    /// Unmaps what is mapped at `address`: there are zeros inside the memory's
    /// size, and nothing outside.
    ///
    /// # Errors
    /// If not all of it is mapped, or there would be too many mappings; nothing has
    /// changed then. If the system refuses, what is outside the memory's size may be
    /// unmapped.
    pub(crate) fn unmap(&mut self, address: u64, len: u64) -> Result<(), RegionError> {
        let range = self.pages_at(address, len)?;
        self.mapped(&range)?;
        self.check_split(&range, self.mappings.meeting(&range).len())?;
        let inside = self
            .size
            .next_multiple_of(sys::page_size())
            .clamp(range.start, range.end);
        for (part, access) in [
            (inside..range.end, Access::None),
            (range.start..inside, Access::ReadWrite),
        ] {
            if part.is_empty() {
                continue;
            }
            self.reservation()?
                .renew(part.start, part.len(), access)
                .map_err(|source| RegionError::System {
                    what: "to end the mapping",
                    source,
                })?;
            self.mappings.remove(&part);
            self.find_own();
        }
        Ok(())
    }

    /// Changes what may be done with what is mapped at `address`.
    ///
    /// # Errors
    /// If not all of it is mapped, more is asked for than the region allows, there
    /// would be too many mappings, or the system refuses; nothing has changed then.
    pub(crate) fn protect(&mut self, address: u64, len: u64, access: Access) -> Result<(), RegionError> {
        let range = self.pages_at(address, len)?;
        self.mapped(&range)?;
        if self.mappings.meeting(&range).iter().any(|m| !m.most.includes(access)) {
            return Err(RegionError::ReadOnly);
        }
        self.check_split(&range, 0)?;
        let reservation = self.reservation()?;
        if let Err(source) = reservation.protect(range.start, range.len(), access) {
            // Part of it may have changed.
            for mapping in self.mappings.meeting(&range) {
                let part = mapping.part(&range);
                let _best_effort = reservation.protect(part.start, part.len, mapping.access);
            }
            return Err(RegionError::System {
                what: "the protection",
                source,
            });
        }
        self.mappings.protect(&range, access);
        Ok(())
    }

    /// Whether a region is mapped read-only at an address of the host.
    pub(crate) fn is_read_only_at(&self, host: usize) -> bool {
        let Some(at) = host.checked_sub(self.base as usize) else {
            return false;
        };
        let here = at..at.saturating_add(1);
        self.mappings.meeting(&here).iter().any(|m| m.access == Access::Read)
    }
}

/// Bytes that pass through a buffer at once.
const CHUNK: usize = 16 << 10;

/// A memory that lives as long as its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryRef(NonNull<MemoryInst>);

impl MemoryRef {
    /// A reference to a memory the store keeps alive.
    pub(crate) fn new(inst: &mut MemoryInst) -> Self {
        Self(NonNull::from(inst))
    }

    /// The instance's address.
    pub(crate) fn as_ptr(self) -> *mut MemoryInst {
        self.0.as_ptr()
    }

    /// Base address.
    pub(crate) fn base(self) -> *mut u8 {
        self.get().base
    }

    /// The instance; the caller has the store borrowed.
    pub(crate) fn get<'s>(self) -> &'s MemoryInst {
        // SAFETY: lives as long as its store, whose borrow the caller holds.
        unsafe { self.0.as_ref() }
    }

    /// The instance; the caller has the store borrowed exclusively.
    pub(crate) fn get_mut<'s>(mut self) -> &'s mut MemoryInst {
        // SAFETY: lives as long as its store, whose exclusive borrow the caller
        // holds.
        unsafe { self.0.as_mut() }
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for MemoryInst {}
// SAFETY: shared references only read.
unsafe impl Sync for MemoryInst {}
// SAFETY: as for `MemoryInst`.
unsafe impl Send for MemoryRef {}
// SAFETY: as for `MemoryInst`.
unsafe impl Sync for MemoryRef {}
