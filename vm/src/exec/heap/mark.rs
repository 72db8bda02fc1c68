//! Marking: which objects can be reached.
//!
//! Each object is scanned once. Those that are to be scanned stand on a stack of
//! limited size; where it is full, the page of an object is noted instead, and its
//! marked objects are scanned again later. So deep and wide structures cost no more
//! of the host's memory than others do.

use super::Heap;
use super::classes::GRANULE;
use super::pages::PAGE;
use super::shape::{ARRAY_DATA, ARRAY_LEN, HANDLE, HEADER, Kind, Shape};

/// Objects that the stack may hold.
const MOST: usize = 1 << 18;
/// Objects that the stack keeps memory for between collections.
const KEPT: usize = 1 << 14;
/// Elements of an array that are scanned at once.
const CHUNK: u32 = 1 << 12;
/// Objects that are fetched before they are scanned: a power of two.
const AHEAD: usize = 8;
/// Objects after which a collection looks whether it is to stop.
const PATIENCE: u32 = 1 << 16;

/// What is yet to be scanned.
#[derive(Debug)]
pub(super) struct Stack {
    objects: Vec<u32>,
    /// Arrays of handles that are scanned in part, and the elements to go on from.
    arrays: Vec<(u32, u32)>,
    /// How many of each there may be.
    pub(super) most: usize,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            arrays: Vec::new(),
            most: MOST,
        }
    }
}

impl Stack {
    fn clear(&mut self) {
        self.objects.clear();
        self.objects.shrink_to(KEPT);
        self.arrays.clear();
        self.arrays.shrink_to(KEPT);
    }
}

/// Asks the processor to have the bytes at an address in its cache soon.
#[inline(always)]
fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// A collection was told to stop.
#[derive(Debug)]
pub(super) struct Stopped;

/// Marks objects.
#[derive(Debug)]
pub(super) struct Marker<'h> {
    heap: &'h mut Heap,
    base: *const u8,
    /// The heap's, which it gets back when the marker is dropped.
    marks: Vec<u64>,
    /// The heap's too.
    stack: Stack,
    /// Objects from the stack that are scanned next, from `taken` up to `coming`, modulo
    /// their number.
    ahead: [u32; AHEAD],
    taken: usize,
    coming: usize,
    /// Whether some page's objects are to be scanned again.
    has_unscanned: bool,
    /// Objects to go until it looks whether it is to stop.
    patience: u32,
}

impl<'h> Marker<'h> {
    /// One for a heap, nothing of which is marked.
    pub(super) fn new(heap: &'h mut Heap) -> Self {
        let mut marks = std::mem::take(&mut heap.marks);
        marks.fill(0);
        // Null is never to be scanned.
        if let Some(first) = marks.first_mut() {
            *first = 1;
        }
        let mut stack = std::mem::take(&mut heap.marker);
        stack.clear();
        Self {
            base: heap.space.base(),
            marks,
            stack,
            heap,
            ahead: [0; AHEAD],
            taken: 0,
            coming: 0,
            has_unscanned: false,
            patience: PATIENCE,
        }
    }

    /// Marks the object that a word is the handle of, if it is one's.
    #[inline(always)]
    pub(super) fn mark_word(&mut self, word: u64) {
        // Most words are none's.
        if word.wrapping_sub(1) < self.heap.space.accessible() as u64
            && let Some(handle) = self.heap.object_at(word)
        {
            self.mark(handle);
        }
    }

    /// Marks what a handle refers to, for [`Marker::finish`] to go on from.
    #[inline(always)]
    pub(super) fn mark(&mut self, handle: u32) {
        if handle & 1 != 0 {
            return;
        }
        let granule = handle / GRANULE;
        let word = &mut self.marks[(granule / 64) as usize];
        let bit = 1 << (granule % 64);
        if *word & bit == 0 {
            *word |= bit;
            self.push(handle);
        }
    }

    #[inline(always)]
    fn push(&mut self, handle: u32) {
        if self.stack.objects.len() < self.stack.most {
            self.stack.objects.push(handle);
        } else {
            self.leave(handle);
        }
    }

    /// Notes that an object is to be scanned some time.
    #[cold]
    fn leave(&mut self, handle: u32) {
        self.heap.pages.at(handle / PAGE).is_unscanned = true;
        self.has_unscanned = true;
    }

    /// Marks all that can be reached from what is marked.
    ///
    /// # Errors
    /// If `stop` says so, which is asked now and then.
    pub(super) fn finish(&mut self, stop: impl Fn() -> bool) -> Result<(), Stopped> {
        self.drain(&stop)?;
        while std::mem::take(&mut self.has_unscanned) {
            for page in 0..self.heap.pages.len() {
                if std::mem::take(&mut self.heap.pages.at(page).is_unscanned) {
                    self.scan_page(page, &stop)?;
                }
            }
        }
        Ok(())
    }

    /// Scans the marked objects that begin in a page.
    fn scan_page(&mut self, page: u32, stop: &impl Fn() -> bool) -> Result<(), Stopped> {
        const WORDS: u32 = PAGE / GRANULE / 64;
        for word in page * WORDS..(page + 1) * WORDS {
            let mut bits = self.marks[word as usize];
            if word == 0 {
                bits &= !1;
            }
            while bits != 0 {
                let granule = word * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                self.scan(granule * GRANULE);
                self.drain(stop)?;
            }
        }
        Ok(())
    }

    /// Scans until nothing is left on the stack.
    fn drain(&mut self, stop: &impl Fn() -> bool) -> Result<(), Stopped> {
        loop {
            while let Some(handle) = self.next() {
                self.scan(handle);
                self.spend(1, stop)?;
            }
            let Some((array, from)) = self.stack.arrays.pop() else {
                return Ok(());
            };
            self.scan_elements(array, from);
            self.spend(CHUNK, stop)?;
        }
    }

    /// The object to be scanned next. Those that come soon are being fetched.
    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        while self.coming < self.taken + AHEAD {
            let Some(handle) = self.stack.objects.pop() else { break };
            prefetch(self.base.wrapping_add(handle as usize));
            self.ahead[self.coming % AHEAD] = handle;
            self.coming += 1;
        }
        let handle = (self.taken < self.coming).then(|| self.ahead[self.taken % AHEAD])?;
        self.taken += 1;
        Some(handle)
    }

    /// Looks whether to stop, once in a while.
    #[inline(always)]
    fn spend(&mut self, objects: u32, stop: &impl Fn() -> bool) -> Result<(), Stopped> {
        self.patience = self.patience.saturating_sub(objects);
        if self.patience == 0 {
            self.patience = PATIENCE;
            if stop() {
                return Err(Stopped);
            }
        }
        Ok(())
    }

    /// Marks what an object refers to.
    #[inline(always)]
    fn scan(&mut self, handle: u32) {
        // SAFETY: what is marked is an object, which begins with its shape.
        let shape = unsafe { &*self.base.add(handle as usize).cast::<*const Shape>().read() };
        match shape.kind() {
            Kind::Struct | Kind::Exn => {
                let (mut near, far) = shape.handles();
                while near != 0 {
                    let at = HEADER + HANDLE * near.trailing_zeros();
                    near &= near - 1;
                    self.mark_at(handle, at);
                }
                for at in far {
                    self.mark_at(handle, *at);
                }
            }
            Kind::HandleArray => self.scan_elements(handle, 0),
            Kind::Array | Kind::Extern => {}
        }
    }

    /// Marks what the handle refers to that stands `at` bytes from an object's start.
    #[inline(always)]
    fn mark_at(&mut self, handle: u32, at: u32) {
        // SAFETY: inside the object, says its shape.
        let other = unsafe { self.base.add(handle as usize + at as usize).cast::<u32>().read() };
        self.mark(other);
    }

    /// Marks what elements of an array of handles refer to, not too many at once.
    fn scan_elements(&mut self, array: u32, from: u32) {
        // SAFETY: arrays have their length there.
        let len = unsafe { self.base.add((array + ARRAY_LEN) as usize).cast::<u32>().read() };
        let to = len.min(from.saturating_add(CHUNK));
        if to < len {
            if self.stack.arrays.len() < self.stack.most {
                self.stack.arrays.push((array, to));
            } else {
                self.leave(array);
            }
        }
        for i in from..to {
            self.mark_at(array, ARRAY_DATA + i * HANDLE);
        }
    }
}

impl Drop for Marker<'_> {
    fn drop(&mut self) {
        self.heap.marks = std::mem::take(&mut self.marks);
        self.heap.marker = std::mem::take(&mut self.stack);
        if self.has_unscanned {
            // It was stopped.
            (0..self.heap.pages.len()).for_each(|page| self.heap.pages.at(page).is_unscanned = false);
        }
    }
}
