//! Which regions are mapped where in a memory.
//!
//! A list of ranges in ascending order that do not overlap. It only says what
//! is mapped; [`super::memory::MemoryInst`] makes it so.

use std::ops::Range;
use std::sync::Arc;

use crate::sys::Access;
use crate::sys::shared::SharedPages;

/// A range of a memory where pages of a region are.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    /// First byte in the memory.
    pub(crate) start: usize,
    /// Bytes.
    pub(crate) len: usize,
    /// The region's pages.
    pub(crate) pages: Arc<SharedPages>,
    /// First byte in the region.
    pub(crate) offset: usize,
    /// What may be done there.
    pub(crate) access: Access,
    /// What [`Mappings::protect`] may allow.
    pub(crate) most: Access,
}

impl Mapping {
    /// The byte after the last one, in the memory.
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }

    /// The part of it in `range`, which meets it.
    pub(crate) fn part(&self, range: &Range<usize>) -> Self {
        let start = self.start.max(range.start);
        Self {
            start,
            len: self.end().min(range.end) - start,
            offset: self.offset + (start - self.start),
            ..self.clone()
        }
    }

    /// Whether the other one is the same in all.
    fn is_same(&self, other: &Self) -> bool {
        let place = |mapping: &Self| (mapping.start, mapping.len, mapping.offset);
        place(self) == place(other)
            && (self.access, self.most) == (other.access, other.most)
            && Arc::ptr_eq(&self.pages, &other.pages)
    }
}

/// The mappings of a memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mappings(Vec<Mapping>);

impl Mappings {
    /// All, in ascending order.
    pub(crate) fn all(&self) -> &[Mapping] {
        &self.0
    }

    /// Those that meet `range`, in ascending order.
    pub(crate) fn meeting(&self, range: &Range<usize>) -> &[Mapping] {
        let first = self.0.partition_point(|mapping| mapping.end() <= range.start);
        let last = self.0.partition_point(|mapping| mapping.start < range.end);
        self.0.get(first..last).unwrap_or_default()
    }

    /// The first byte of `range` that is not mapped, if there is one.
    pub(crate) fn first_gap(&self, range: &Range<usize>) -> Option<usize> {
        let mut to = range.start;
        for mapping in self.meeting(range) {
            if mapping.start > to {
                break;
            }
            to = mapping.end();
        }
        (to < range.end).then_some(to)
    }

    /// The parts of `range` that are not mapped, in ascending order.
    pub(crate) fn gaps(&self, range: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mapped = self.meeting(range).iter().map(|mapping| mapping.start..mapping.end());
        let mut from = range.start;
        let gaps = mapped.chain(std::iter::once(range.end..range.end)).map(move |mapped| {
            let gap = from..mapped.start.max(from);
            from = mapped.end;
            gap
        });
        gaps.filter(|gap| !gap.is_empty())
    }

    /// Whether a mapping is one of them, not only a part of one.
    pub(crate) fn has(&self, mapping: &Mapping) -> bool {
        let at = self.0.partition_point(|other| other.start < mapping.start);
        self.0.get(at).is_some_and(|other| other.is_same(mapping))
    }

    /// Adds a mapping that meets no other.
    pub(crate) fn insert(&mut self, mapping: Mapping) {
        let at = self.0.partition_point(|other| other.start < mapping.start);
        self.0.insert(at, mapping);
    }

    /// How many there are once those in `range` are apart from the rest.
    pub(crate) fn count_split(&self, range: &Range<usize>) -> usize {
        let is_cut = |at: usize| self.meeting(&(at..at + 1)).iter().any(|mapping| mapping.start < at);
        self.0.len() + usize::from(is_cut(range.start)) + usize::from(is_cut(range.end))
    }

    /// Forgets what is mapped in `range`.
    pub(crate) fn remove(&mut self, range: &Range<usize>) {
        let inside = self.split_out(range);
        self.0.drain(inside);
    }

    /// Notes that `range` may be accessed so.
    pub(crate) fn protect(&mut self, range: &Range<usize>, access: Access) {
        let inside = self.split_out(range);
        for mapping in self.0.get_mut(inside).unwrap_or_default() {
            mapping.access = access;
        }
    }

    /// Cuts mappings at both ends of `range`; gives which then lie inside.
    fn split_out(&mut self, range: &Range<usize>) -> Range<usize> {
        for at in [range.start, range.end] {
            let index = self.0.partition_point(|mapping| mapping.end() <= at);
            if let Some(mapping) = self.0.get(index).filter(|mapping| mapping.start < at) {
                let (low, high) = (mapping.part(&(0..at)), mapping.part(&(at..usize::MAX)));
                self.0.splice(index..=index, [low, high]);
            }
        }
        let first = self.0.partition_point(|mapping| mapping.start < range.start);
        let last = self.0.partition_point(|mapping| mapping.start < range.end);
        first..last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings() -> Mappings {
        let pages = Arc::new(SharedPages::create(0x10000).expect("memfd"));
        let mut mappings = Mappings::default();
        for (start, len, offset) in [(0x8000, 0x1000, 0), (0x2000, 0x3000, 0x1000), (0x5000, 0x1000, 0x9000)] {
            mappings.insert(Mapping {
                start,
                len,
                pages: Arc::clone(&pages),
                offset,
                access: Access::ReadWrite,
                most: Access::ReadWrite,
            });
        }
        mappings
    }

    fn ranges(mappings: &[Mapping]) -> Vec<(usize, usize, usize)> {
        mappings.iter().map(|m| (m.start, m.len, m.offset)).collect()
    }

    #[test]
    fn they_are_found_by_range() {
        let all = mappings();
        assert_eq!(
            ranges(all.all()),
            [(0x2000, 0x3000, 0x1000), (0x5000, 0x1000, 0x9000), (0x8000, 0x1000, 0)]
        );
        assert_eq!(ranges(all.meeting(&(0..0x2000))), []);
        assert_eq!(ranges(all.meeting(&(0x2fff..0x3000))), [(0x2000, 0x3000, 0x1000)]);
        assert_eq!(all.meeting(&(0x4fff..0x5001)).len(), 2);
        assert_eq!(ranges(all.meeting(&(0x6000..0x8000))), []);
        assert_eq!(all.first_gap(&(0x2000..0x6000)), None);
        assert_eq!(all.first_gap(&(0x3000..0x5800)), None);
        assert_eq!(all.first_gap(&(0x2000..0x6001)), Some(0x6000));
        assert_eq!(all.first_gap(&(0x1fff..0x3000)), Some(0x1fff));
        assert_eq!(all.first_gap(&(0x6000..0x7000)), Some(0x6000));
    }

    #[test]
    fn gaps_are_what_is_between_them() {
        let all = mappings();
        let gaps = |range| all.gaps(&range).map(|gap| (gap.start, gap.end)).collect::<Vec<_>>();
        assert_eq!(gaps(0..0xa000), [(0, 0x2000), (0x6000, 0x8000), (0x9000, 0xa000)]);
        assert_eq!(gaps(0x3000..0x5800), []);
        assert_eq!(gaps(0x3000..0x7000), [(0x6000, 0x7000)]);
        assert_eq!(gaps(0x7000..0x8800), [(0x7000, 0x8000)]);
        assert_eq!(gaps(0x6000..0x6000), []);
    }

    #[test]
    fn a_part_of_one_is_another() {
        let (all, mut cut) = (mappings(), mappings());
        assert!(all.all().iter().all(|mapping| all.has(mapping)));
        assert!(!cut.has(&all.all()[0]), "pages of another region");
        cut = all.clone();
        cut.protect(&(0x2000..0x3000), Access::Read);
        let same: Vec<bool> = all.all().iter().map(|mapping| cut.has(mapping)).collect();
        assert_eq!(same, [false, true, true]);
    }

    #[test]
    fn parts_are_removed_and_protected() {
        let mut all = mappings();
        all.remove(&(0x3000..0x5000));
        assert_eq!(
            ranges(all.all()),
            [(0x2000, 0x1000, 0x1000), (0x5000, 0x1000, 0x9000), (0x8000, 0x1000, 0)]
        );
        let mut all = mappings();
        all.protect(&(0x3000..0x4000), Access::Read);
        assert_eq!(
            ranges(&all.all()[..3]),
            [
                (0x2000, 0x1000, 0x1000),
                (0x3000, 0x1000, 0x2000),
                (0x4000, 0x1000, 0x3000)
            ]
        );
        let access: Vec<Access> = all.all().iter().map(|m| m.access).collect();
        use Access::{Read, ReadWrite};
        assert_eq!(access, [ReadWrite, Read, ReadWrite, ReadWrite, ReadWrite]);
        assert_eq!(all.count_split(&(0x3000..0x4000)), 5);
        assert_eq!(all.count_split(&(0x5000..0x9000)), 5);
        assert_eq!(all.count_split(&(0x2800..0x8800)), 7);
        all.remove(&(0x2000..0x9000));
        assert!(all.all().is_empty());
    }
}
