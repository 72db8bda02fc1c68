//! The garbage-collected heap of a store (Spec 3.0 §4.2.12): structs, arrays,
//! exceptions and values of the host.
//!
//! Objects never move. A reference is a *handle*, 32 bits: 0 for null, an odd number
//! for an i31 (`value << 1 | 1`), otherwise the object's distance from the heap's
//! base in bytes, a multiple of 8. So a running program reaches a field at
//! `Cx::heap + handle + offset`. An object begins with the address of its
//! [`Shape`].
//!
//! | file | owns |
//! |---|---|
//! | `shape` | [`Shape`]: where objects have handles |
//! | `classes` | the sizes of cells |
//! | `space` | address space |
//! | `pages` | what pages are used for |
//! | `alloc` | [`Bump`], and where free cells are found |
//! | `mark` | marking what can be reached |
//! | `collect` | a collection, from roots to free cells |
//! | `limits` | growth, and those who are asked whether it may be |
//! | `guest` | what slow paths of handlers call |
//! | `values` | values of the host |
//!
//! Small objects have cells of one size in a span of pages; the free cells between
//! those in use are given out as runs, which are zeros, from which running code takes
//! objects by itself ([`bump`]). Which cells of a span are in use says a bit of the last
//! collection, where no run has been given out since, and else the word at a cell's
//! start, which is zero as long as there is no object.
//!
//! A collection happens only where something is allocated. It marks what is reached
//! from roots: globals, tables, segments, references of the host, a pending
//! exception, and every word of the value stack that is the handle of an object.
//!
//! Invariants:
//! 1. A handle in a slot, field, element or root is null, an i31, or that of an object
//!    that is there. What holds a handle while something is allocated is one of the
//!    roots, or the object that holds it is reached from them.
//! 2. Beyond the end that an allocation gives for the value stack no slot is read
//!    before it is written.
//! 3. Cells and pages are zeros when they are given out.
//! 4. The collector uses the host's stack and memory for no more than bits and a
//!    stack of bounded size, whatever the objects look like.

pub(crate) mod alloc;
pub(crate) mod classes;
pub(crate) mod collect;
pub(crate) mod guest;
pub(crate) mod limits;
mod mark;
mod pages;
pub(crate) mod shape;
mod space;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use std::io;

pub(crate) use self::alloc::{Bump, Bumps};
pub use self::collect::GcHeapStats;
pub(crate) use self::shape::Shape;

use self::classes::CLASSES;
use self::pages::{PAGE, Pages};
use self::shape::Kind;
use self::space::Space;
use self::values::{HostValue, HostValues};
use crate::types::TypeInfo;

/// Bytes of the largest heap: what handles reach.
pub(crate) const MAX_BYTES: u64 = 1 << 32;
/// Bytes of the smallest limit of a heap.
pub(crate) const MIN_BYTES: u64 = 256 << 10;
/// Limits of heaps are multiples of this.
pub(crate) const BYTES_STEP: u64 = space::STEP as u64;

/// Whether a handle is that of an object: neither null nor an i31.
#[inline(always)]
pub(crate) fn is_object(handle: u32) -> bool {
    handle != 0 && handle & 1 == 0
}

/// A kind of object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object<'h> {
    /// A struct or an array, of this type.
    Defined(&'h TypeInfo),
    /// A value of the host.
    Extern,
    /// An exception.
    Exn,
}

/// The heap of a store.
#[derive(Debug)]
pub(crate) struct Heap {
    space: Space,
    pages: Pages,
    /// The objects that the last collection left, by their first granule.
    live: Vec<u64>,
    /// What the running collection has reached; no meaning otherwise.
    marks: Vec<u64>,
    /// Spans with free cells, in lists through their pages' links.
    partial: [u32; CLASSES],
    /// The spans from which runs are given out.
    current: [u32; CLASSES],
    /// Values of the host that objects stand for.
    values: HostValues,
    /// Bytes given out since the last collection.
    allocated: u64,
    /// How many may be before the next.
    budget: u64,
    /// Whether each allocation collects before, for tests.
    is_zealous: bool,
    /// Objects yet to be scanned, kept for its memory.
    marker: mark::Stack,
    stats: GcHeapStats,
}

impl Heap {
    /// A heap of up to `bytes`, a positive multiple of [`BYTES_STEP`] up to
    /// [`MAX_BYTES`]. One that `is_zealous` collects before it makes anything.
    ///
    /// # Errors
    /// If there is no address space for it.
    fn new(bytes: u64, is_zealous: bool) -> io::Result<Self> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            space: Space::new(bytes)?,
            pages: Pages::new(),
            live: Vec::new(),
            marks: Vec::new(),
            partial: [pages::NONE; CLASSES],
            current: [pages::NONE; CLASSES],
            values: HostValues::default(),
            allocated: 0,
            budget: collect::MIN_BUDGET,
            is_zealous,
            marker: mark::Stack::default(),
            stats: GcHeapStats::default(),
        })
    }

    /// The address that handles count from.
    pub(crate) fn base(&self) -> *mut u8 {
        self.space.base()
    }

    /// What the collector knows of an object.
    ///
    /// # Safety
    /// `handle` is that of an object of this heap.
    pub(crate) unsafe fn shape(&self, handle: u32) -> *const Shape {
        // SAFETY: the caller's promise.
        unsafe { self.base().add(handle as usize).cast::<*const Shape>().read() }
    }

    /// The object that a word is the handle of, if it is one's.
    pub(crate) fn object_at(&self, word: u64) -> Option<u32> {
        let at = u32::try_from(word).ok()?;
        let page = at / PAGE;
        let is_object = match self.pages.get(page)?.used {
            pages::Use::Cells { class, index } => {
                let first = page - u32::from(index);
                let offset = at - first * PAGE;
                let class = usize::from(class);
                offset.is_multiple_of(classes::CELLS[class])
                    && offset / classes::CELLS[class] < pages::SPAN_CELLS[class]
                    && if offset < u32::from(self.pages.get(first)?.cursor) {
                        self.word(at) != 0
                    } else {
                        self.is_live(at)
                    }
            }
            pages::Use::Large => at.is_multiple_of(PAGE) && self.word(at) != 0,
            pages::Use::Free { .. } | pages::Use::LargeRest => false,
        };
        is_object.then_some(at)
    }

    /// The word at a multiple of 8 in pages that there are.
    fn word(&self, at: u32) -> u64 {
        debug_assert!(at / PAGE < self.pages.len() && at.is_multiple_of(classes::GRANULE));
        // SAFETY: the pages that there are are accessible.
        unsafe { self.base().add(at as usize).cast::<u64>().read() }
    }

    /// Whether the last collection left an object there.
    fn is_live(&self, at: u32) -> bool {
        let granule = at / classes::GRANULE;
        let word = self.live.get((granule / 64) as usize);
        word.is_some_and(|word| word >> (granule % 64) & 1 != 0)
    }

    /// What kind of object a handle is of; `None` if it is of none.
    pub(crate) fn object(&self, handle: u32) -> Option<Object<'_>> {
        let handle = self.object_at(handle.into())?;
        // SAFETY: an object of this heap.
        let shape = unsafe { self.shape(handle) };
        // SAFETY: shapes are there as long as objects.
        Some(match unsafe { (*shape).kind() } {
            Kind::Extern => Object::Extern,
            Kind::Exn => Object::Exn,
            // SAFETY: shapes of these kinds are the first fields of types' records.
            Kind::Struct | Kind::Array | Kind::HandleArray => Object::Defined(unsafe { &*shape.cast() }),
        })
    }

    /// The number of the value of the host that an object stands for; `None` for other
    /// objects, and for what is no object.
    fn value_of(&self, handle: u32) -> Option<u64> {
        let handle = self.object_at(handle.into())?;
        let is_extern = self.word(handle) == (&raw const shape::EXTERN).addr() as u64;
        is_extern.then(|| self.word(handle + shape::HEADER))
    }

    /// The value of the host that a handle stands for; `None` for others.
    pub(crate) fn host_value(&self, handle: u32) -> Option<&HostValue> {
        self.values.get(self.value_of(handle)?)
    }

    /// The value of the host that a handle stands for; `None` for others.
    pub(crate) fn host_value_mut(&mut self, handle: u32) -> Option<&mut HostValue> {
        let value = self.value_of(handle)?;
        self.values.get_mut(value)
    }
}
