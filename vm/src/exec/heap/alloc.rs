//! Where objects come from: runs of free cells, and pages of their own for large
//! objects.

use super::Heap;
use super::classes::{CELLS, CLASSES, GRANULE};
use super::pages::{NONE, PAGE, SPAN_CELLS, SPAN_PAGES, Use};
use super::shape::Shape;
use crate::exec::context::Cx;

/// A run of free cells of one class, all zeros. Running code takes cells from it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Bump {
    /// The next cell.
    pub(crate) next: u32,
    /// The end of the last: what `next` is when none is left.
    pub(crate) end: u32,
    /// Bytes of a cell.
    pub(crate) cell: u32,
}

/// The runs of all classes.
pub(crate) type Bumps = [Bump; CLASSES];

impl Bump {
    /// No cells of any class.
    pub(crate) const NONE: Bumps = {
        let mut bumps = [Self {
            next: 0,
            end: 0,
            cell: 0,
        }; CLASSES];
        let mut class = 0;
        while class < CLASSES {
            bumps[class].cell = CELLS[class];
            class += 1;
        }
        bumps
    };

    /// Takes a cell; 0 if none is left.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> u32 {
        let at = self.next;
        if at == self.end {
            return 0;
        }
        self.next = at + self.cell;
        at
    }
}

/// A new object of a class for running code, whose bytes after the header are zeros; 0
/// if there is none at hand, and [`super::guest::allocate`] has to be asked.
///
/// # Safety
/// `cx` is the running context, `class` one that holds the object, and `shape` stays
/// there as long as the store.
#[inline(always)]
pub(crate) unsafe fn bump(cx: *mut Cx, class: usize, shape: *const Shape) -> u32 {
    // SAFETY: a live context leads to the block of the running store, which nobody else
    // uses while code runs.
    let at = unsafe { (*(&raw mut (*(*cx).rt).bumps).cast::<Bump>().add(class)).take() };
    if at != 0 {
        // SAFETY: the cell is the caller's, and larger than a header.
        unsafe { (*cx).heap.add(at as usize).cast::<*const Shape>().write(shape) };
    }
    at
}

impl Heap {
    /// A run of free cells of a class; `None` if there are none, and no free pages.
    pub(super) fn refill(&mut self, class: usize) -> Option<Bump> {
        loop {
            let span = self.current[class];
            if let Some(run) = (span != NONE).then(|| self.next_run(span, class)).flatten() {
                return Some(run);
            }
            let partial = self.partial[class];
            if partial == NONE {
                return self.new_span(class);
            }
            self.partial[class] = self.pages.at(partial).link;
            self.current[class] = partial;
        }
    }

    /// The next free cells of a span, one after the other.
    fn next_run(&mut self, span: u32, class: usize) -> Option<Bump> {
        let (cell, base) = (CELLS[class], span * PAGE);
        let end = base + SPAN_CELLS[class] * cell;
        let mut at = base + u32::from(self.pages.at(span).cursor);
        while at < end && self.is_live(at) {
            at += cell;
        }
        let next = at;
        if at < end {
            at = match self.is_zealous {
                true => at + cell,
                false => self.next_live(at, end),
            };
        }
        self.pages.at(span).cursor = (at - base) as u16;
        if at == next {
            return None;
        }
        // SAFETY: accessible, as the span is, and no objects are in free cells.
        unsafe { self.space.clear(next as usize, (at - next) as usize) };
        self.allocated += u64::from(at - next);
        Some(Bump { next, end: at, cell })
    }

    /// Where the next object begins that the last collection left, from `at` on, or
    /// `end`.
    fn next_live(&self, at: u32, end: u32) -> u32 {
        let mut granule = at / GRANULE;
        while granule < end / GRANULE {
            let word = self.live.get((granule / 64) as usize).copied().unwrap_or(0) >> (granule % 64);
            if word != 0 {
                return ((granule + word.trailing_zeros()) * GRANULE).min(end);
            }
            granule = (granule / 64 + 1) * 64;
        }
        end
    }

    /// All cells of a new span.
    fn new_span(&mut self, class: usize) -> Option<Bump> {
        let (span, is_clean) = self.pages.take(SPAN_PAGES)?;
        self.pages.set(span, SPAN_PAGES, |index| Use::Cells {
            class: class as u8,
            index: index as u8,
        });
        if self.is_zealous {
            // One after the other.
            self.current[class] = span;
            return self.next_run(span, class);
        }
        let bytes = SPAN_CELLS[class] * CELLS[class];
        self.pages.at(span).cursor = bytes as u16;
        let next = span * PAGE;
        if !is_clean {
            // SAFETY: the pages were free.
            unsafe { self.space.clear(next as usize, bytes as usize) };
        }
        self.current[class] = NONE;
        self.allocated += u64::from(bytes);
        Some(Bump {
            next,
            end: next + bytes,
            cell: CELLS[class],
        })
    }

    /// Pages for a large object, all zeros; `None` if not so many are free one after
    /// the other.
    pub(super) fn take_large(&mut self, bytes: u64) -> Option<u32> {
        let pages = u32::try_from(bytes.div_ceil(u64::from(PAGE))).ok()?;
        let (first, is_clean) = self.pages.take(pages)?;
        self.pages
            .set(first, pages, |i| if i == 0 { Use::Large } else { Use::LargeRest });
        self.pages.at(first).link = pages;
        if !is_clean {
            // SAFETY: the pages were free.
            unsafe {
                self.space
                    .clear((first * PAGE) as usize, pages as usize * PAGE as usize)
            };
        }
        self.allocated += u64::from(pages) * u64::from(PAGE);
        Some(first * PAGE)
    }
}
