//! Memory instances (Spec 3.0 §4.2.8).
//!
//! A memory with guard pages reserves so much address space that `base + index
//! + offset` of any access stays inside and faults when it lies beyond the
//! memory's size: all that 32 bits reach, or with 64-bit addresses [`REACH_64`]
//! bytes, where an index beyond is taken for that one. Other memories are checked
//! at each access by their length. Either way `base` never moves.
//!
//! A memory that threads share ([`SharedInst`]) has one of these in each store that
//! uses it. Its bytes are never borrowed as slices, as a region's are not.

mod saved;
mod shared;
mod storage;

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use self::saved::SavedMemory;
pub(crate) use self::shared::SharedInst;
pub(crate) use self::storage::{Guarding, REACH_64};
use self::storage::{Storage, grown_bytes, minimum_bytes};
use super::mappings::{Mapping, Mappings};
use super::wait;
use crate::error::{LimitError, MemoryAccessError, PermissionError, RegionError};
use crate::runtime::domain::Charge;
use crate::sys::shared::{SharedPages, copy, fill, load};
use crate::sys::{self, Access};
use crate::types::MemoryType;

/// A memory instance.
#[derive(Debug)]
pub(crate) struct MemoryInst {
    base: *mut u8,
    /// Bytes at the start that are the memory's own: up to its size, or to the
    /// first mapping. Handlers that check accesses check by this. Of a shared memory,
    /// which may have grown meanwhile, it is a size that it has had.
    own: AtomicUsize,
    /// Size in bytes, unless the memory is shared.
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

impl MemoryInst {
    /// A memory of the type's minimum size.
    ///
    /// # Errors
    /// If the address space or memory cannot be had.
    pub(crate) fn new(ty: MemoryType, guarding: Guarding) -> Result<Box<Self>, LimitError> {
        let (storage, base, capacity) = Storage::new(&ty, guarding)?;
        let mut this = Self::of(storage, base, capacity, ty);
        match this.extend(minimum_bytes(&ty)?) {
            true => Ok(this),
            false => Err(LimitError::MemoryUnavailable { pages: ty.minimum() }),
        }
    }

    /// A store's part of a shared memory.
    pub(crate) fn shared(memory: Arc<SharedInst>) -> Box<Self> {
        let (base, capacity, ty) = (memory.base(), memory.capacity(), *memory.ty());
        let this = Self::of(Storage::Shared(memory), base, capacity, ty);
        this.find_own();
        this
    }

    fn of(storage: Storage, base: *mut u8, capacity: usize, ty: MemoryType) -> Box<Self> {
        Box::new(Self {
            base,
            own: AtomicUsize::new(0),
            size: 0,
            capacity,
            ty,
            storage,
            mappings: Mappings::default(),
            contents: Mappings::default(),
            charge: None,
        })
    }

    /// Makes `bytes` in all accessible; false if the system refuses.
    fn extend(&mut self, bytes: usize) -> bool {
        if bytes > self.capacity {
            return false;
        }
        // Never onto a mapping.
        let is_mapped = bytes > self.size && !self.mappings.meeting(&(self.size..bytes)).is_empty();
        if is_mapped || !self.storage.commit(self.size, bytes) {
            return false;
        }
        self.size = bytes;
        self.find_own();
        true
    }

    /// Finds out anew which bytes are the memory's own.
    fn find_own(&self) {
        let mapped = self.mappings.all().first().map_or(usize::MAX, |mapping| mapping.start);
        self.own.store(self.size().min(mapped), Ordering::Relaxed);
    }

    /// Lets handlers that check accesses find what a shared memory has grown by.
    #[inline]
    pub(crate) fn catch_up(&self) {
        if self.is_shared() {
            self.find_own();
        }
    }

    /// Grows by `delta` pages; the old size in pages, or `None` if the type's
    /// maximum, the index type, the domain's quota or the system does not allow it.
    pub(crate) fn grow(&mut self, delta: u64) -> Option<u64> {
        if let Storage::Shared(shared) = &self.storage {
            let old = shared.grow(delta);
            self.catch_up();
            return old;
        }
        let old = self.pages();
        let bytes = grown_bytes(&self.ty, old, delta)?;
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
        self.size() as u64 / self.ty.page_size()
    }

    /// Base address.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        match &self.storage {
            Storage::Shared(shared) => shared.size(),
            _ => self.size,
        }
    }

    /// What other stores use of it too, if it is shared.
    pub(crate) fn shared_inst(&self) -> Option<&Arc<SharedInst>> {
        match &self.storage {
            Storage::Shared(shared) => Some(shared),
            _ => None,
        }
    }

    /// Whether other threads may use it at the same time.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.storage, Storage::Shared(_))
    }

    /// Bytes at the start that are accessible and no region's.
    #[inline(always)]
    pub(crate) fn own(&self) -> usize {
        self.own.load(Ordering::Relaxed)
    }

    /// The same for handlers, which compare it where it stands: an atomic read would
    /// take a register more than they have.
    #[inline(always)]
    pub(crate) fn own_in_place(&self) -> usize {
        // SAFETY: only the thread that has the store writes it, and it is the caller's.
        unsafe { self.own.as_ptr().read() }
    }

    /// Bytes at the start that nobody else has: all, those before the first mapping,
    /// or none of a shared memory.
    pub(crate) fn unshared(&self) -> usize {
        if self.is_shared() { 0 } else { self.own() }
    }

    /// The type it was made with.
    pub(crate) fn ty(&self) -> &MemoryType {
        &self.ty
    }

    /// Whether accesses are checked by the MMU.
    pub(crate) fn guarding(&self) -> Guarding {
        match &self.storage {
            Storage::Guarded(_) => Guarding::Guarded,
            Storage::Shared(shared) => shared.guarding(),
            Storage::Reserved(_) | Storage::Allocated { .. } => Guarding::Checked,
        }
    }

    /// The memory's own bytes before the first mapping; none of a shared memory.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: so many bytes from `base` are committed, and no others' pages;
        // `&self` comes from a shared borrow of the store, so no guest runs.
        unsafe { std::slice::from_raw_parts(self.base, self.unshared()) }
    }

    /// The memory's own bytes before the first mapping; none of a shared memory.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `data`, with the store borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.base, self.unshared()) }
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
        if range.end <= self.own() {
            return Ok(range);
        }
        let size = self.size();
        if range.is_empty() {
            let mut mappings = self.mappings.all().iter();
            let is_edge = start <= size || mappings.any(|m| (m.start..=m.end()).contains(&start));
            return if is_edge { Ok(range) } else { Err(OutOfBounds) };
        }
        let mut reached = range.start;
        let mut refused = None;
        for mapping in self.mappings.meeting(&range) {
            if mapping.start > reached && mapping.start > size {
                return Err(OutOfBounds);
            }
            if write && mapping.access != Access::ReadWrite {
                refused = Some(ReadOnly);
            }
            reached = mapping.end();
        }
        if reached < range.end && range.end > size {
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
                None => unsafe { copy(part.as_mut_ptr(), span.at, span.len) },
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
                None => unsafe { copy(span.at, part.as_ptr(), span.len) },
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
                unsafe { fill(span.at, value, span.len) };
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
    /// addresses. `to` or `from` have mappings there, or are shared.
    ///
    /// # Errors
    /// As for [`MemoryInst::read`].
    pub(crate) fn copy_mapped(to: &Self, from: &Self, dst: u64, src: u64, len: u64) -> Result<(), MemoryAccessError> {
        let source = from.range(src, len, false)?;
        let target = to.range(dst, len, true)?;
        let len = source.len();
        // Upwards would overwrite what is still to be read.
        let down = std::ptr::eq(to.base, from.base) && target.start > source.start;
        let is_plain = |memory: &Self| memory.mappings.all().is_empty();
        if is_plain(to) && is_plain(from) && (!down || target.start >= source.end) {
            // SAFETY: both ranges are accessible, and one of the memories is shared:
            // nobody has references to bytes of either, since those of an unshared one
            // are taken with its store borrowed, and the running operator borrows it.
            unsafe {
                copy(
                    to.base.wrapping_add(target.start),
                    from.base.wrapping_add(source.start),
                    len,
                )
            };
            return Ok(());
        }
        let mut buffer = [0; CHUNK];
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
            // Other stores would know nothing of it.
            Storage::Shared(_) => Err(RegionError::Unsupported {
                reason: "threads share it",
            }),
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
        at.checked_add(pages.len()).is_some_and(|end| end <= self.unshared()) && self.map_contents(&contents)
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

    /// Where threads wait that wait at the byte `at`, which is accessible; `None` if no
    /// other thread can access it.
    pub(crate) fn waiting_place(&self, at: usize) -> Option<wait::Place> {
        if let Storage::Shared(shared) = &self.storage {
            return Some(shared.waiting_place(at));
        }
        let mapping = self.mappings.meeting(&(at..at + 1)).first()?;
        let offset = mapping.offset + (at - mapping.start);
        Some(wait::Place::Region(mapping.pages.identity(), offset as u64))
    }

    /// The integer of `width` bytes, 4 or 8, at `at`, which is accessible, and a multiple
    /// of that; `None` if a file has become too short for it at that moment.
    pub(crate) fn load_aligned(&self, at: usize, width: usize) -> Option<u64> {
        let span = self.spans(at..at + width).next()?;
        if let Some((pages, offset)) = &span.file {
            let mut bytes = [0; 8];
            pages.read_at(*offset, bytes.get_mut(..width)?).ok()?;
            return Some(u64::from_le_bytes(bytes));
        }
        // SAFETY: accessible and aligned, as the caller says and memories begin at pages;
        // nobody has references there while a guest waits.
        Some(unsafe { load(span.at, width) })
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
