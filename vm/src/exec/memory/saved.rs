//! The state of a memory at some time, and the way back to it.
//!
//! What a memory's own pages hold is written to a sealed file, but for zeros.
//! The memory, and others that are to begin like it, map that file privately:
//! they have pages of their own only where they write, and the way back is to
//! give those up.

use std::ops::Range;
use std::sync::Arc;

use super::{Guarding, MemoryInst, Storage};
use crate::error::{Error, LimitError, RegionError, ResourceError};
use crate::exec::mappings::{Mapping, Mappings};
use crate::sys::shared::SharedPages;
use crate::sys::{self, Access};

/// Bytes of zeros that are mapped with what is around them, rather than left
/// out. Those that somebody reads become pages of the file.
const GAP: usize = 64 << 10;

/// Mappings of a file that a memory has, unless regions are between them.
const MOST_RUNS: usize = 16;

/// What a memory was.
#[derive(Debug)]
pub(crate) struct SavedMemory {
    /// Bytes.
    size: usize,
    /// The regions that were mapped. Their bytes are no part of the state.
    mappings: Mappings,
    /// Where its own pages were not all zeros, and the file that has them.
    contents: Mappings,
    /// Where no file can be had.
    copies: Vec<Copied>,
}

/// Bytes that were not zeros.
#[derive(Debug)]
struct Copied {
    /// The first one's address.
    at: usize,
    bytes: Box<[u8]>,
}

impl SavedMemory {
    /// Size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The end of all that was accessible.
    fn end(&self) -> usize {
        let mapped = self.mappings.all().last().map_or(0, Mapping::end);
        self.size.max(mapped)
    }
}

impl MemoryInst {
    /// The memory's state.
    ///
    /// # Errors
    /// If neither a file nor the host's memory can hold what is not zero.
    pub(crate) fn save(&self) -> Result<SavedMemory, LimitError> {
        let parts = self.parts();
        let in_file = self.contents_in_file(&parts);
        let (contents, copies) = match in_file {
            Some(contents) => (contents, Vec::new()),
            None => (Mappings::default(), self.copies(&parts)?),
        };
        Ok(SavedMemory {
            size: self.size,
            mappings: self.mappings.clone(),
            contents,
            copies,
        })
    }

    /// The end of its pages: its size, in whole pages of the host where it is
    /// made of such.
    fn end(&self) -> usize {
        match &self.storage {
            Storage::Guarded(_) | Storage::Reserved(_) => self.size.next_multiple_of(sys::page_size()),
            Storage::Allocated { .. } | Storage::Shared(_) => self.size,
        }
    }

    /// Its own pages: those on which no region is mapped.
    fn own_pages(&self) -> Vec<Range<usize>> {
        self.mappings.gaps(&(0..self.end())).collect()
    }

    /// Bytes of own pages.
    fn own_bytes(&self, range: &Range<usize>) -> &[u8] {
        assert!(range.end <= self.end() && self.mappings.meeting(range).is_empty());
        // SAFETY: inside the memory's pages, which are committed, and no others'
        // as no region is mapped there; the store is borrowed, so no guest runs.
        unsafe { std::slice::from_raw_parts(self.base.wrapping_add(range.start), range.len()) }
    }

    /// Bytes of own pages.
    fn own_bytes_mut(&mut self, range: &Range<usize>) -> &mut [u8] {
        assert!(range.end <= self.end() && self.mappings.meeting(range).is_empty());
        // SAFETY: as in `own_bytes`, with the store borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.base.wrapping_add(range.start), range.len()) }
    }

    /// Its own pages that are not all zeros, as far as they are next to each
    /// other.
    fn parts(&self) -> Vec<Range<usize>> {
        let page = sys::page_size();
        let zeros = vec![0; page];
        let mut parts: Vec<Range<usize>> = Vec::new();
        for own in self.own_pages() {
            for start in own.clone().step_by(page) {
                let range = start..(start + page).min(own.end);
                let bytes = self.own_bytes(&range);
                if zeros.get(..bytes.len()) == Some(bytes) {
                    continue;
                }
                match parts.last_mut() {
                    Some(last) if last.end == start => last.end = range.end,
                    _ => parts.push(range),
                }
            }
        }
        parts
    }

    /// The parts, with the zeros between them where that makes few of many.
    fn runs(&self, parts: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut gap = GAP;
        loop {
            let mut runs: Vec<Range<usize>> = Vec::new();
            for part in parts {
                match runs.last_mut() {
                    Some(last)
                        if part.start - last.end <= gap
                            && self.mappings.meeting(&(last.end..part.start)).is_empty() =>
                    {
                        last.end = part.end;
                    }
                    _ => runs.push(part.clone()),
                }
            }
            if runs.len() <= MOST_RUNS || gap >= self.size {
                return runs;
            }
            gap *= 2;
        }
    }

    /// A file with what `parts` hold, and which of its pages are whose contents;
    /// `None` where there can be no such file, or it could not be mapped.
    fn contents_in_file(&self, parts: &[Range<usize>]) -> Option<Mappings> {
        if matches!(self.storage, Storage::Allocated { .. } | Storage::Shared(_)) {
            return None;
        }
        let runs = self.runs(parts);
        let len = runs.iter().map(ExactSizeIterator::len).sum();
        if len == 0 {
            return Some(Mappings::default());
        }
        let pages = SharedPages::create_constant(len, |file| {
            let mut parts = parts.iter().peekable();
            let mut offset = 0;
            for run in &runs {
                while let Some(part) = parts.next_if(|part| part.end <= run.end) {
                    let at = offset + part.start - run.start;
                    file.write_at(at as u64, self.own_bytes(part))?;
                }
                offset += run.len();
            }
            Ok(())
        });
        let pages = Arc::new(pages.ok()?);
        let mut contents = Mappings::default();
        let mut offset = 0;
        for run in runs {
            contents.insert(Mapping {
                start: run.start,
                len: run.len(),
                pages: Arc::clone(&pages),
                offset,
                access: Access::ReadWrite,
                most: Access::ReadWrite,
            });
            offset += run.len();
        }
        Some(contents)
    }

    /// Copies of what `parts` hold.
    fn copies(&self, parts: &[Range<usize>]) -> Result<Vec<Copied>, LimitError> {
        let copy = |part: &Range<usize>| {
            let mut copy = Vec::new();
            let room = copy.try_reserve_exact(part.len());
            room.map_err(|_| LimitError::MemoryUnavailable { pages: self.pages() })?;
            copy.extend_from_slice(self.own_bytes(part));
            Ok(Copied {
                at: part.start,
                bytes: copy.into(),
            })
        };
        parts.iter().map(copy).collect()
    }

    /// Whether the memory can have a state, if the system allows it.
    ///
    /// # Errors
    /// If it has not enough address space, or cannot have a region that was
    /// mapped.
    pub(crate) fn check_saved(&self, saved: &SavedMemory) -> Result<(), Error> {
        if saved.end() > self.capacity {
            let pages = saved.size as u64 / self.ty.page_size();
            return Err(LimitError::MemoryUnavailable { pages }.into());
        }
        let regions = saved.mappings.all();
        if !regions.is_empty() {
            self.reservation()?;
        }
        let may_shrink = regions.iter().any(|mapping| mapping.pages.can_shrink());
        if may_shrink && self.guarding() == Guarding::Checked {
            return Err(RegionError::MayShrink.into());
        }
        Ok(())
    }

    /// Makes the memory what it, or another one of its type, was.
    ///
    /// # Errors
    /// As for [`MemoryInst::check_saved`]; nothing has changed then. If the
    /// system refuses something, some of the size, the regions and the bytes may
    /// be those of the state.
    pub(crate) fn restore(&mut self, saved: &SavedMemory) -> Result<(), Error> {
        self.check_saved(saved)?;
        let page = sys::page_size();
        let (less, more) = (self.size.min(saved.size), self.size.max(saved.size));
        let resized = less.next_multiple_of(page)..more.next_multiple_of(page);
        let stays = |mapping: &&Mapping| {
            let apart = mapping.end() <= resized.start || mapping.start >= resized.end;
            apart && saved.mappings.has(mapping)
        };
        let regions = self.mappings.all().iter();
        let gone: Vec<Range<usize>> = regions
            .filter(|mapping| !stays(mapping))
            .map(|mapping| mapping.start..mapping.end())
            .collect();
        for range in gone {
            self.unmap(range.start as u64, range.len() as u64)?;
        }
        if saved.size < self.size {
            self.shrink(saved.size)?;
        } else if !self.extend(saved.size) {
            let pages = saved.size as u64 / self.ty.page_size();
            return Err(LimitError::MemoryUnavailable { pages }.into());
        }
        for mapping in saved.mappings.all() {
            if !self.mappings.has(mapping) {
                let (address, offset, len) = (mapping.start as u64, mapping.offset as u64, mapping.len as u64);
                self.map(address, &mapping.pages, offset, len, mapping.access, mapping.most)?;
            }
        }
        self.restore_contents(saved)
    }

    /// Makes what is beyond `size` inaccessible; no region is mapped there.
    fn shrink(&mut self, size: usize) -> Result<(), Error> {
        if let Storage::Guarded(r) | Storage::Reserved(r) = &self.storage {
            let tail = size.next_multiple_of(sys::page_size())..self.end();
            let refused = if self.contents.meeting(&tail).is_empty() {
                r.decommit(tail.start, tail.len())
            } else {
                r.renew(tail.start, tail.len(), Access::None)
            };
            refused.map_err(|source| ResourceError::new("to make a memory smaller", source))?;
            self.contents.remove(&tail);
        }
        self.size = size;
        self.find_own();
        Ok(())
    }

    /// Makes its own pages hold what they held; size and regions are there.
    fn restore_contents(&mut self, saved: &SavedMemory) -> Result<(), Error> {
        for range in self.own_pages() {
            self.discard(&range)?;
        }
        let others = self.contents.all().iter().filter(|other| !saved.contents.has(other));
        let others: Vec<Range<usize>> = others.map(|other| other.start..other.end()).collect();
        for range in &others {
            self.clear_contents(range);
        }
        for contents in saved.contents.all() {
            if !self.contents.has(contents) && !self.map_contents(contents) {
                self.write_contents(contents)?;
            }
        }
        for Copied { at, bytes } in &saved.copies {
            self.own_bytes_mut(&(*at..at + bytes.len())).copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Gives up what was written to own pages: they hold what their file has, or
    /// zeros.
    fn discard(&mut self, range: &Range<usize>) -> Result<(), Error> {
        if let Storage::Guarded(r) | Storage::Reserved(r) = &self.storage
            && r.discard(range.start, range.len()).is_ok()
        {
            return Ok(());
        }
        self.own_bytes_mut(range).fill(0);
        let contents = self.contents.meeting(range).to_vec();
        contents.iter().try_for_each(|contents| self.write_contents(contents))
    }

    /// Puts zeros in place of contents.
    fn clear_contents(&mut self, range: &Range<usize>) {
        if let Storage::Guarded(r) | Storage::Reserved(r) = &self.storage
            && r.renew(range.start, range.len(), Access::ReadWrite).is_ok()
        {
            self.contents.remove(range);
        } else {
            self.own_bytes_mut(range).fill(0);
        }
    }

    /// Puts contents in place of own pages; false if the system refuses.
    pub(super) fn map_contents(&mut self, contents: &Mapping) -> bool {
        let (Storage::Guarded(r) | Storage::Reserved(r)) = &self.storage else {
            return false;
        };
        let (start, len) = (contents.start, contents.len);
        let is_mapped = r
            .map_private(start, len, &contents.pages, contents.offset as u64)
            .is_ok();
        if is_mapped {
            self.contents.remove(&(start..contents.end()));
            self.contents.insert(contents.clone());
        }
        is_mapped
    }

    /// Writes contents to own pages.
    fn write_contents(&mut self, contents: &Mapping) -> Result<(), Error> {
        let bytes = self.own_bytes_mut(&(contents.start..contents.end()));
        let copied = contents.pages.read_at(contents.offset as u64, bytes);
        Ok(copied.map_err(|source| ResourceError::new("to copy a memory", source))?)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::types::MemoryType;

    fn memory(ty: MemoryType, guarding: Guarding) -> Box<MemoryInst> {
        MemoryInst::new(ty, guarding).expect("memory")
    }

    /// A memory of three pages with bytes in some, and what it holds.
    fn written(guarding: Guarding) -> (Box<MemoryInst>, Vec<u8>) {
        let mut memory = memory(MemoryType::new(3, None), guarding);
        for at in [0x1800, 0x2fff, 0x1_0000, 0x2_f000] {
            memory.write(at, &[7; 300]).expect("inside");
        }
        let bytes = memory.data().to_vec();
        (memory, bytes)
    }

    fn spoil(memory: &mut MemoryInst) {
        memory.data_mut().fill(9);
        memory.grow(2).expect("room");
        memory.data_mut()[0x3_0000..].fill(9);
    }

    #[test]
    fn runs_leave_large_gaps_out() {
        let (memory, _) = written(Guarding::Checked);
        assert_eq!(memory.parts(), [0x1000..0x4000, 0x1_0000..0x1_1000, 0x2_f000..0x3_0000]);
        assert_eq!(memory.runs(&memory.parts()), [0x1000..0x1_1000, 0x2_f000..0x3_0000]);
        let far: Vec<Range<usize>> = (0..1000).map(|i| i * 0x2_0000..i * 0x2_0000 + 0x1000).collect();
        let (mut memory, _) = written(Guarding::Checked);
        memory.grow(3000).expect("room");
        assert!(memory.runs(&far).len() <= MOST_RUNS);
        let saved = memory.save().expect("memory");
        assert_eq!(saved.contents.all().len(), 2);
        assert_eq!(saved.contents.all()[1].pages.len(), 0x1_1000);
    }

    #[test]
    fn without_a_file_bytes_are_copied() {
        for guarding in [Guarding::Guarded, Guarding::Checked] {
            let (mut memory, bytes) = written(guarding);
            let parts = memory.parts();
            let mapped = memory.save().expect("memory");
            let copied = SavedMemory {
                contents: Mappings::default(),
                copies: memory.copies(&parts).expect("memory"),
                size: memory.size,
                mappings: Mappings::default(),
            };
            for saved in [&copied, &mapped, &copied, &copied] {
                spoil(&mut memory);
                memory.restore(saved).expect("memory");
                assert!(memory.data() == bytes);
            }
            assert!(memory.contents.all().is_empty());
        }
    }

    #[test]
    fn what_cannot_be_mapped_is_copied() {
        for guarding in [Guarding::Guarded, Guarding::Checked] {
            let (mut memory, bytes) = written(guarding);
            let mut saved = memory.save().expect("memory");
            // The same bytes of a file that begins in the middle of a page.
            let pages = SharedPages::create_constant(0x1_3000, |file| file.write_at(8, &bytes[0x1000..0x1_1000]));
            let first = &saved.contents.all()[0];
            let first = Mapping {
                offset: 8,
                pages: Arc::new(pages.expect("memory")),
                ..first.clone()
            };
            saved.contents.remove(&(first.start..first.end()));
            saved.contents.insert(first);
            for _ in 0..3 {
                spoil(&mut memory);
                memory.restore(&saved).expect("memory");
                assert!(memory.data() == bytes);
                assert_eq!(memory.contents.all().len(), 1);
            }
        }
    }

    /// The system gives no locked pages back.
    #[test]
    fn locked_pages_are_written() {
        let (mut memory, bytes) = written(Guarding::Guarded);
        let saved = memory.save().expect("memory");
        for _ in 0..3 {
            spoil(&mut memory);
            // SAFETY: pages of the memory, whose contents this does not change.
            unsafe { rustix::mm::mlock(memory.base().cast(), 0x3_0000) }.expect("a few pages");
            memory.restore(&saved).expect("memory");
            assert!(memory.data() == bytes);
            assert_eq!(memory.grow(1), Some(3));
            assert!(memory.data()[0x3_0000..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn small_pages_and_wide_addresses() {
        let small = MemoryType::builder().page_size_log2(0).min(0x1801).max(Some(0x9000));
        let wide = MemoryType::builder().memory64(true).min(2).max(Some(5));
        for (ty, less) in [(small, 0x1801), (wide, 0x2_0000)] {
            let ty = ty.build().expect("valid");
            let mut own = memory(ty, Guarding::Checked);
            own.data_mut().fill(1);
            let small = own.save().expect("memory");
            own.grow(2).expect("room");
            own.data_mut().fill(2);
            let large = own.save().expect("memory");
            let mut other = memory(ty, Guarding::Checked);
            for _ in 0..2 {
                for memory in [&mut own, &mut other] {
                    memory.restore(&small).expect("memory");
                    assert!(memory.data() == vec![1; less]);
                    memory.grow(1).expect("room");
                    assert!(memory.data()[less..].iter().all(|byte| *byte == 0));
                    memory.restore(&large).expect("memory");
                    assert_eq!(memory.size(), large.size());
                    assert!(memory.data().iter().all(|byte| *byte == 2));
                }
            }
        }
    }
}
