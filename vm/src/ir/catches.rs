//! Which exceptions a function catches, and where: a table beside its code, which
//! is looked at only when something is thrown.
//!
//! Ranges of code nest as the blocks do that they are made of. An exception that is
//! thrown in a range, or in a call there, goes to the first of the range's clauses
//! that catches it, or else on to the next range.

/// A range that has been opened, by its place among all of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RangeIdx(u32);

/// A range of code whose exceptions are caught.
#[derive(Clone, Copy, Debug)]
struct Range {
    /// In bytes from the start of the code.
    start: u32,
    /// The end, in bytes; that of the code as long as the range is open.
    end: u32,
    /// The innermost range around it.
    outer: Option<RangeIdx>,
    /// Where exceptions go on that none of its clauses catches.
    next: Option<RangeIdx>,
    /// The first clause.
    clauses: Option<u32>,
    /// The last clause.
    last: Option<u32>,
}

/// A clause of a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clause {
    /// Bytes from the start of contexts to the pointer to the tag that it catches;
    /// none where it catches all.
    pub(crate) tag: Option<u32>,
    /// The slot for what the exception carries, if there is a tag.
    pub(crate) payload: u16,
    /// The slot for a reference to the exception, if one is wanted.
    pub(crate) exception: Option<u16>,
    /// Where it goes on, in bytes from the start of the code.
    pub(crate) landing: u32,
    /// The next clause of the range.
    next: Option<u32>,
}

/// A clause that has been added, by its place among all of the function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClauseIdx(u32);

/// The ranges of a function, and their clauses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catches {
    /// In the order of their starts, outer ones first.
    ranges: Vec<Range>,
    clauses: Vec<Clause>,
}

/// A place in code that instructions can name, or a count: translation fails before
/// there are more than 2^31 bytes of code, and what a table has takes code too.
fn small(n: usize) -> u32 {
    n as u32
}

impl Catches {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        self.clauses.clear();
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Opens a range at `start` bytes, in the range `outer`.
    pub(crate) fn open(&mut self, start: usize, outer: Option<RangeIdx>) -> RangeIdx {
        self.ranges.push(Range {
            start: small(start),
            end: u32::MAX,
            outer,
            next: outer,
            clauses: None,
            last: None,
        });
        RangeIdx(small(self.ranges.len() - 1))
    }

    /// Closes a range at `end` bytes, if it is open.
    pub(crate) fn close(&mut self, range: RangeIdx, end: usize) {
        let range = &mut self.ranges[range.0 as usize];
        range.end = range.end.min(small(end));
    }

    /// Lets what a range does not catch go on to another, if any.
    pub(crate) fn delegate(&mut self, range: RangeIdx, next: Option<RangeIdx>) {
        self.ranges[range.0 as usize].next = next;
    }

    /// Adds a clause to a range, after those it has; where it goes on is said by
    /// [`Catches::land`].
    pub(crate) fn add(&mut self, range: RangeIdx, tag: Option<u32>, payload: u16, exception: Option<u16>) -> ClauseIdx {
        let index = small(self.clauses.len());
        self.clauses.push(Clause {
            tag,
            payload,
            exception,
            landing: 0,
            next: None,
        });
        let range = &mut self.ranges[range.0 as usize];
        match range.last.replace(index) {
            Some(last) => self.clauses[last as usize].next = Some(index),
            None => range.clauses = Some(index),
        }
        ClauseIdx(index)
    }

    /// Says where a clause goes on, in bytes.
    pub(crate) fn land(&mut self, clause: ClauseIdx, landing: usize) {
        self.clauses[clause.0 as usize].landing = small(landing);
    }

    /// The table of code that does without its first `skipped` bytes; none if there
    /// is nothing in it.
    pub(crate) fn finish(&self, skipped: usize) -> Option<Box<Self>> {
        if self.is_empty() {
            return None;
        }
        let skipped = small(skipped);
        let ranges = self.ranges.iter().map(|range| Range {
            start: range.start.saturating_sub(skipped),
            end: range.end.saturating_sub(skipped),
            ..*range
        });
        let clauses = self.clauses.iter().map(|clause| Clause {
            landing: clause.landing.saturating_sub(skipped),
            ..*clause
        });
        Some(Box::new(Self {
            ranges: ranges.collect(),
            clauses: clauses.collect(),
        }))
    }

    /// The clauses that an exception meets which is thrown at `offset` bytes, or in
    /// a call there, in order.
    pub(crate) fn at(&self, offset: usize) -> impl Iterator<Item = &Clause> {
        let last = self.ranges.partition_point(|range| range.start as usize <= offset);
        let mut range = last.checked_sub(1).and_then(|at| self.ranges.get(at));
        let get = |index: RangeIdx| self.ranges.get(index.0 as usize);
        // Ranges that begin before and have ended, and then those around them.
        while let Some(ended) = range.filter(|range| range.end as usize <= offset) {
            range = ended.outer.and_then(get);
        }
        let ranges = std::iter::successors(range, move |range| range.next.and_then(get));
        ranges.flat_map(|range| {
            let get = |index: u32| self.clauses.get(index as usize);
            std::iter::successors(range.clauses.and_then(get), move |clause| clause.next.and_then(get))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where exceptions that are thrown at an offset go, of those without a tag.
    fn landings(catches: &Catches, offset: usize) -> Vec<u32> {
        catches.at(offset).map(|clause| clause.landing).collect()
    }

    /// Adds a clause to a range.
    fn add(catches: &mut Catches, range: RangeIdx, landing: usize) {
        let clause = catches.add(range, None, 0, None);
        catches.land(clause, landing);
    }

    #[test]
    fn the_innermost_range_comes_first() {
        let mut catches = Catches::default();
        let outer = catches.open(16, None);
        add(&mut catches, outer, 1000);
        let first = catches.open(32, Some(outer));
        add(&mut catches, first, 1008);
        add(&mut catches, first, 1016);
        catches.close(first, 64);
        let second = catches.open(64, Some(outer));
        add(&mut catches, second, 1024);
        catches.close(second, 64);
        catches.close(outer, 96);
        assert_eq!(landings(&catches, 8), []);
        assert_eq!(landings(&catches, 16), [1000]);
        assert_eq!(landings(&catches, 40), [1008, 1016, 1000]);
        assert_eq!(landings(&catches, 64), [1000]);
        assert_eq!(landings(&catches, 96), []);
        let finished = catches.finish(16).unwrap();
        assert_eq!(landings(&finished, 24), [992, 1000, 984]);
    }

    #[test]
    fn what_is_delegated_passes_over_ranges_between() {
        let mut catches = Catches::default();
        let far = catches.open(0, None);
        add(&mut catches, far, 1);
        let near = catches.open(8, Some(far));
        add(&mut catches, near, 2);
        let inner = catches.open(16, Some(near));
        catches.close(inner, 24);
        catches.delegate(inner, Some(far));
        catches.close(near, 32);
        catches.close(far, 40);
        assert_eq!(landings(&catches, 16), [1]);
        assert_eq!(landings(&catches, 24), [2, 1]);
        catches.delegate(inner, None);
        assert_eq!(landings(&catches, 16), []);
    }
}
