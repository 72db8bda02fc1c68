//! The pages of a heap: what each is used for, and which are free.
//!
//! A *span* is four pages whose cells are of one size. An object that is too large
//! for a cell has pages of its own.

use super::classes::{CELLS, CLASSES};

/// Bytes of a page of a heap, whatever a page of the host has.
pub(super) const PAGE: u32 = 4096;
/// Pages of a span.
pub(super) const SPAN_PAGES: u32 = 4;
/// Bytes of a span.
pub(super) const SPAN: u32 = SPAN_PAGES * PAGE;

/// What a page is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing; `is_clean` if it is all zeros.
    Free { is_clean: bool },
    /// Cells of a class. It is page `index` of its span.
    Cells { class: u8, index: u8 },
    /// The beginning of a large object.
    Large,
    /// The rest of one.
    LargeRest,
}

/// A page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) used: Use,
    /// Objects that begin here were marked, but what they refer to was not.
    pub(super) is_unscanned: bool,
    /// In the first page of a span: where, in bytes, the cells begin that have not
    /// been given out since the last collection. They hold objects where bits say so.
    pub(super) cursor: u16,
    /// In the first page of a span: the next span with free cells, or [`NONE`]. In the
    /// first page of a large object: how many pages that has.
    pub(super) link: u32,
}

/// No span: objects never begin in the first page.
pub(super) const NONE: u32 = 0;

/// Free pages one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    len: u32,
}

/// How many lists of free runs there are: by length, as powers of two.
const BINS: usize = 21;
/// How many runs of a list are looked at for one that is long enough.
const TRIES: usize = 16;

/// All pages that are accessible.
#[derive(Debug)]
pub(super) struct Pages {
    all: Vec<Page>,
    /// Free runs by length: in list `i` those of `2^i` pages or more, but less than twice
    /// as many.
    bins: [Vec<Run>; BINS],
    free: u32,
}

impl Pages {
    /// None at first.
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            bins: std::array::from_fn(|_| Vec::new()),
            free: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.all.len() as u32
    }

    /// How many of them are free.
    pub(super) fn free(&self) -> u32 {
        self.free
    }

    /// A page.
    #[inline(always)]
    pub(super) fn get(&self, page: u32) -> Option<&Page> {
        self.all.get(page as usize)
    }

    /// A page that there is.
    #[inline(always)]
    pub(super) fn at(&mut self, page: u32) -> &mut Page {
        &mut self.all[page as usize]
    }

    /// Adds pages that are zeros, up to `len` in all. The first of all is never free.
    pub(super) fn extend(&mut self, len: u32) {
        let first = self.len().max(1);
        let page = Page {
            used: Use::Free { is_clean: true },
            is_unscanned: false,
            cursor: 0,
            link: NONE,
        };
        let tail = self.tail();
        self.all.resize(len as usize, page);
        if let Some(zero) = self.all.first_mut() {
            zero.used = Use::LargeRest;
        }
        match tail {
            0 => self.add(first, len.saturating_sub(first)),
            // One run with those before.
            _ => self.find_free(),
        }
    }

    /// How many pages are free at the end.
    pub(super) fn tail(&self) -> u32 {
        let is_free = |page: &&Page| matches!(page.used, Use::Free { .. });
        self.all.iter().rev().take_while(is_free).count() as u32
    }

    fn add(&mut self, first: u32, len: u32) {
        if len > 0 {
            self.free += len;
            self.bins[len.ilog2() as usize].push(Run { first, len });
        }
    }

    /// Takes `len` free pages one after the other, `len` above 0; the first, and
    /// whether all are zeros.
    pub(super) fn take(&mut self, len: u32) -> Option<(u32, bool)> {
        let own = len.ilog2() as usize;
        let run = self.take_from(own, len, TRIES).or_else(|| {
            let larger = self.bins.get_mut(own + 1..)?;
            larger.iter_mut().find_map(Vec::pop)
        });
        // Rather than to grow or to collect: all that may be long enough.
        let run = run.or_else(|| self.take_from(own, len, usize::MAX))?;
        self.free -= run.len;
        self.add(run.first + len, run.len - len);
        let pages = &self.all[run.first as usize..][..len as usize];
        let is_clean = |page: &Page| page.used == Use::Free { is_clean: true };
        Some((run.first, pages.iter().all(is_clean)))
    }

    /// Takes a run of `len` pages or more from a list, if one of the last `tries` is.
    fn take_from(&mut self, bin: usize, len: u32, tries: usize) -> Option<Run> {
        let runs = self.bins.get_mut(bin)?;
        let from = runs.len().saturating_sub(tries);
        let found = runs[from..].iter().rposition(|run| run.len >= len)?;
        Some(runs.swap_remove(from + found))
    }

    /// Says what pages are used for that were taken.
    pub(super) fn set(&mut self, first: u32, len: u32, used: impl Fn(u32) -> Use) {
        for (i, page) in (0..).zip(&mut self.all[first as usize..][..len as usize]) {
            *page = Page {
                used: used(i),
                is_unscanned: false,
                cursor: 0,
                link: NONE,
            };
        }
    }

    /// Frees pages that were used. They can be taken after [`Pages::find_free`].
    pub(super) fn release(&mut self, first: u32, len: u32) {
        self.set(first, len, |_| Use::Free { is_clean: false });
    }

    /// Finds the runs of free pages anew.
    pub(super) fn find_free(&mut self) {
        self.bins.iter_mut().for_each(Vec::clear);
        self.free = 0;
        let mut end = self.len();
        // From above, so that the lowest are taken first.
        while end > 0 {
            let is_free = |page: u32| matches!(self.all[page as usize].used, Use::Free { .. });
            let mut first = end;
            while first > 0 && is_free(first - 1) {
                first -= 1;
            }
            self.add(first, end - first);
            end = first.saturating_sub(1);
        }
    }

    /// The runs of free pages: the first, and how many.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.bins.iter().flatten().map(|run| (run.first, run.len))
    }

    /// Bytes of the host's memory that this takes.
    #[cfg(test)]
    pub(super) fn overhead(&self) -> usize {
        self.all.capacity() * size_of::<Page>()
    }
}

/// How many cells of a class a span has.
pub(super) const SPAN_CELLS: [u32; CLASSES] = {
    let mut cells = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        cells[class] = SPAN / CELLS[class];
        class += 1;
    }
    cells
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_taken_and_freed_again() {
        let mut pages = Pages::new();
        pages.extend(64);
        assert_eq!(pages.free(), 63);
        let (first, is_clean) = pages.take(60).expect("63 are free");
        assert!(first >= 1 && is_clean);
        pages.set(first, 60, |_| Use::LargeRest);
        assert!(pages.take(4).is_none());
        pages.extend(80);
        assert_eq!((pages.free(), pages.tail()), (19, 19));
        assert_eq!(pages.take(19), Some((61, true)), "one run");
        pages.find_free();
        pages.release(first, 60);
        pages.find_free();
        assert_eq!((pages.free(), pages.runs().collect::<Vec<_>>()), (79, vec![(1, 79)]));
        assert_eq!(pages.take(79), Some((1, false)));
        assert_eq!(pages.take(1), None);
    }

    #[test]
    fn the_last_long_run_of_many_short_ones_is_found() {
        let mut pages = Pages::new();
        pages.extend(401);
        let (first, _) = pages.take(400).expect("all of them");
        pages.set(first, 400, |_| Use::LargeRest);
        // Runs of four pages, one of them of seven.
        for i in 0..40 {
            pages.release(first + 10 * i, if i == 20 { 7 } else { 4 });
        }
        pages.find_free();
        assert_eq!(pages.take(7).map(|(first, _)| first), Some(201));
        assert_eq!(pages.take(5), None);
        assert_eq!(pages.free(), 39 * 4);
    }
}
