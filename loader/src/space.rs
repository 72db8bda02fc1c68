//! Room that is taken and given back while a program runs: addresses, and places in
//! its table.

use std::ops::Range;

/// What is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Free {
    /// In ascending order, none empty, and none next to another.
    ranges: Vec<Range<u32>>,
}

impl Free {
    /// All of a range.
    pub(crate) fn new(range: Range<u32>) -> Self {
        let mut this = Self::default();
        this.give_back(range);
        this
    }

    /// Takes the lowest room of a size.
    pub(crate) fn take_lowest(&mut self, size: u32, alignment: u32) -> Option<Range<u32>> {
        let fit = |free: &Range<u32>| {
            let start = free.start.checked_next_multiple_of(alignment.max(1))?;
            let end = start.checked_add(size).filter(|end| *end <= free.end)?;
            Some(start..end)
        };
        let taken = self.ranges.iter().find_map(fit)?;
        self.take(&taken);
        Some(taken)
    }

    /// Takes the highest room of a size.
    pub(crate) fn take_highest(&mut self, size: u32, alignment: u32) -> Option<Range<u32>> {
        let fit = |free: &Range<u32>| {
            let start = free.end.checked_sub(size)?;
            let start = start - start % alignment.max(1);
            (start >= free.start).then(|| start..start + size)
        };
        let taken = self.ranges.iter().rev().find_map(fit)?;
        self.take(&taken);
        Some(taken)
    }

    /// Takes a range that is free.
    fn take(&mut self, taken: &Range<u32>) {
        if taken.is_empty() {
            return;
        }
        let at = self.ranges.partition_point(|free| free.end <= taken.start);
        let Some(free) = self.ranges.get(at).cloned() else {
            return;
        };
        let rest = [free.start..taken.start, taken.end..free.end];
        self.ranges
            .splice(at..=at, rest.into_iter().filter(|rest| !rest.is_empty()));
    }

    /// Gives a range back that was taken.
    pub(crate) fn give_back(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let at = self.ranges.partition_point(|free| free.end < range.start);
        let mut whole = range;
        while let Some(next) = self.ranges.get(at).filter(|next| next.start <= whole.end) {
            whole = whole.start.min(next.start)..whole.end.max(next.end);
            self.ranges.remove(at);
        }
        self.ranges.insert(at, whole);
    }

    /// Takes what of a range is free, which may be nothing: the parts that were.
    pub(crate) fn hide(&mut self, range: &Range<u32>) -> Vec<Range<u32>> {
        let parts = self
            .ranges
            .iter()
            .map(|free| free.start.max(range.start)..free.end.min(range.end));
        let parts: Vec<Range<u32>> = parts.filter(|part| !part.is_empty()).collect();
        for part in &parts {
            self.take(part);
        }
        parts
    }

    /// The lowest free room.
    pub(crate) fn first(&self) -> Range<u32> {
        self.ranges.first().cloned().unwrap_or_default()
    }

    /// The highest free room.
    pub(crate) fn last(&self) -> Range<u32> {
        self.ranges.last().cloned().unwrap_or_default()
    }

    /// Where free room ends, and where it begins.
    pub(crate) fn bounds(&self) -> Range<u32> {
        match (self.ranges.first(), self.ranges.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn room_is_taken_from_both_ends() {
        let mut free = Free::new(10..100);
        assert_eq!(free.take_lowest(5, 8), Some(16..21));
        assert_eq!(free.take_highest(10, 16), Some(80..90));
        assert_eq!(free.take_highest(10, 1), Some(90..100));
        assert_eq!(free.take_lowest(6, 1), Some(10..16));
        assert_eq!(free.take_lowest(60, 1), None);
        assert_eq!(free.take_lowest(0, 4), Some(24..24));
        assert_eq!(free.bounds(), 21..80);
        free.give_back(16..21);
        free.give_back(80..100);
        free.give_back(10..16);
        assert_eq!(free, Free::new(10..100));
        assert_eq!(free.take_lowest(90, 1), Some(10..100));
        assert_eq!(free.bounds(), 0..0);
        assert_eq!(free.take_highest(1, 1), None);
    }

    #[test]
    fn what_is_hidden_is_not_taken() {
        let mut free = Free::new(10..100);
        assert_eq!(free.take_lowest(10, 1), Some(10..20));
        let hidden = [
            free.hide(&(0..30)),
            free.hide(&(25..40)),
            free.hide(&(90..200)),
            free.hide(&(50..50)),
        ];
        assert_eq!(hidden.concat(), [20..30, 30..40, 90..100]);
        assert_eq!(
            (free.take_lowest(1, 1), free.take_highest(1, 1)),
            (Some(40..41), Some(89..90))
        );
        hidden.into_iter().flatten().for_each(|part| free.give_back(part));
        assert_eq!(free.bounds(), 20..100);
    }

    #[test]
    fn the_ends_of_the_address_space_are_no_harm() {
        let mut free = Free::new(0..u32::MAX);
        assert_eq!(free.clone().take_lowest(u32::MAX, 1 << 31), Some(0..u32::MAX));
        assert_eq!(free.take_highest(1, 1 << 31), Some(1 << 31..(1 << 31) + 1));
        assert_eq!(free.take_highest(1, 1 << 31), Some(0..1));
        assert_eq!(free.take_highest(1, 1 << 31), None);
    }

    proptest! {
        /// What is taken is aligned and free, and all of it can be given back.
        #[test]
        fn nothing_is_taken_twice(asks in prop::collection::vec((0..200_u32, 0..6_u32, any::<bool>(), any::<bool>()), 1..80)) {
            let mut free = Free::new(7..2000);
            let mut taken: Vec<Range<u32>> = Vec::new();
            for (size, alignment, high, back) in asks {
                let alignment = 1 << alignment;
                let range = match high {
                    true => free.take_highest(size, alignment),
                    false => free.take_lowest(size, alignment),
                };
                if let Some(range) = range.filter(|range| !range.is_empty()) {
                    prop_assert!(range.start % alignment == 0 && range.start >= 7 && range.end <= 2000);
                    prop_assert_eq!(range.end - range.start, size);
                    let meets = |other: &Range<u32>| other.start < range.end && range.start < other.end;
                    prop_assert!(!taken.iter().any(meets));
                    taken.push(range);
                }
                if back && !taken.is_empty() {
                    free.give_back(taken.swap_remove(taken.len() / 2));
                }
            }
            for range in taken {
                free.give_back(range);
            }
            prop_assert_eq!(free, Free::new(7..2000));
        }
    }
}
