//! A collection: from roots to free cells.

use std::time::{Duration, Instant};

use super::Heap;
use super::alloc::Bump;
use super::classes::{CELLS, CLASSES, GRANULE};
use super::mark::{Marker, Stopped};
use super::pages::{NONE, PAGE, SPAN, SPAN_CELLS, SPAN_PAGES, Use};
use super::values::HostValue;
use crate::runtime::store::StoreInner;
use crate::sys;

/// Bytes that are given out between two collections at least.
pub(super) const MIN_BUDGET: u64 = 4 << 20;

/// What the collector of a store has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcHeapStats {
    /// Collections.
    pub collections: u64,
    /// Time that they took together.
    pub total_pause: Duration,
    /// Time that the longest took.
    pub longest_pause: Duration,
    /// Bytes of objects that the last collection left, with what their sizes are rounded
    /// up to.
    pub live_bytes: u64,
    /// Objects that the last collection left.
    pub live_objects: u64,
    /// Bytes that have been given out for objects since the store was made, those of cells
    /// that are yet to be used included.
    pub allocated_bytes: u64,
    /// Bytes of the heap that are in use or have been: what it takes of the host's memory
    /// at most, but for bits.
    pub heap_bytes: u64,
}

impl StoreInner {
    /// Frees the objects that cannot be reached. `end` is where the value stack ends: no
    /// slot from there on is read before it is written.
    ///
    /// # Errors
    /// If `stop` says so, which is asked now and then. Nothing is freed then.
    pub(super) fn collect(&mut self, end: *const u64, stop: impl Fn(&Self) -> bool) -> Result<Vec<HostValue>, Stopped> {
        // Not in the store meanwhile, which is asked for roots.
        let Some(mut heap) = self.heap.take() else {
            return Ok(Vec::new());
        };
        let start = Instant::now();
        self.machine.set_bumps(Bump::NONE);
        let result = heap.mark_from(self, end, || stop(self));
        let result = result.map(|()| heap.sweep());
        heap.stats.count(start.elapsed());
        self.heap = Some(heap);
        result
    }
}

impl GcHeapStats {
    fn count(&mut self, pause: Duration) {
        self.collections += 1;
        self.total_pause += pause;
        self.longest_pause = self.longest_pause.max(pause);
    }
}

impl Heap {
    fn mark_from(&mut self, store: &StoreInner, end: *const u64, stop: impl Fn() -> bool) -> Result<(), Stopped> {
        let mut marker = Marker::new(self);
        store.machine.each_slot_to(end, |word| marker.mark_word(word));
        store.each_root(|word| marker.mark_word(word));
        marker.finish(stop)
    }

    /// Frees what is not marked.
    fn sweep(&mut self) -> Vec<HostValue> {
        std::mem::swap(&mut self.live, &mut self.marks);
        self.stats.allocated_bytes += self.allocated;
        self.stats.live_bytes = 0;
        self.stats.live_objects = 0;
        self.allocated = 0;
        self.partial = [NONE; CLASSES];
        self.current = [NONE; CLASSES];
        let mut page = self.pages.len();
        // From above, so that the lists begin with the lowest.
        while page > 0 {
            page -= 1;
            match self.pages.at(page).used {
                Use::Cells { class, index: 0 } => self.sweep_span(page, class.into()),
                Use::Large => self.sweep_large(page),
                Use::Cells { .. } | Use::LargeRest | Use::Free { .. } => {}
            }
        }
        self.pages.find_free();
        self.budget = self.stats.live_bytes.max(MIN_BUDGET);
        let live = &self.live;
        let is_live = |handle: u32| {
            let granule = handle / GRANULE;
            let word = live.get((granule / 64) as usize);
            word.is_some_and(|word| word >> (granule % 64) & 1 != 0)
        };
        self.values.sweep(is_live)
    }

    fn sweep_span(&mut self, span: u32, class: usize) {
        let words = (span * (PAGE / GRANULE / 64)) as usize;
        let bits = &self.live[words..][..(SPAN / GRANULE / 64) as usize];
        let live: u32 = bits.iter().map(|word| word.count_ones()).sum();
        if live == 0 {
            self.pages.release(span, SPAN_PAGES);
            return;
        }
        self.stats.live_objects += u64::from(live);
        self.stats.live_bytes += u64::from(live) * u64::from(CELLS[class]);
        let page = self.pages.at(span);
        if live == SPAN_CELLS[class] {
            page.cursor = (live * CELLS[class]) as u16;
        } else {
            page.cursor = 0;
            page.link = std::mem::replace(&mut self.partial[class], span);
        }
    }

    fn sweep_large(&mut self, first: u32) {
        let pages = self.pages.at(first).link;
        if self.is_live(first * PAGE) {
            self.stats.live_objects += 1;
            self.stats.live_bytes += u64::from(pages) * u64::from(PAGE);
        } else {
            self.pages.release(first, pages);
        }
    }

    /// Gives the memory of free pages back to the system.
    pub(super) fn trim(&mut self) {
        let step = sys::page_size().max(PAGE as usize) as u32 / PAGE;
        let runs: Vec<(u32, u32)> = self.pages.runs().collect();
        for (first, len) in runs {
            // Whole pages of the host.
            let (from, to) = (first.next_multiple_of(step), (first + len) / step * step);
            let is_clean = |page: u32| {
                self.pages
                    .get(page)
                    .is_some_and(|page| page.used == Use::Free { is_clean: true })
            };
            if from >= to || (from..to).all(is_clean) {
                continue;
            }
            // SAFETY: accessible, and free.
            if unsafe {
                self.space
                    .give_back((from * PAGE) as usize, (to - from) as usize * PAGE as usize)
            } {
                self.pages.set(from, to - from, |_| Use::Free { is_clean: true });
            }
        }
    }

    /// What the collector has done so far.
    pub(crate) fn stats(&self) -> GcHeapStats {
        GcHeapStats {
            allocated_bytes: self.stats.allocated_bytes + self.allocated,
            heap_bytes: self.space.accessible() as u64,
            ..self.stats
        }
    }
}
