//! Which addresses are guests', answered without locks or allocation.
//!
//! The fault handler asks; it may have interrupted any code, so the answer is
//! made of atomic loads alone. Each 8 GiB granule of the address space has a
//! list of the memories and value stacks that touch it. Memories are larger
//! than a granule, so a list is short unless a process has very many stacks.
//!
//! Invariants:
//! 1. A range is in the list of each granule it touches, from before anything
//!    can run into it until nothing can any more.
//! 2. List nodes are never freed or moved to another list, only used again, so
//!    the handler may follow a list at any time. A node whose version is odd, or
//!    changes while it is read, is being rewritten and is not the reader's:
//!    the mapping that a thread is touching is alive and its nodes at rest.

use std::collections::BTreeMap;
use std::io;
use std::ptr::{from_ref, null, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::StackControl;

/// log2 of a granule's bytes: 8 GiB.
const GRANULE_SHIFT: u32 = 33;
/// Granules in the 47 bits of user address space.
const GRANULES: usize = 1 << (47 - GRANULE_SHIFT);

/// Addresses that guest code may run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first byte.
    pub(super) base: usize,
    /// The end of a value stack's usable part; of a memory, `end`.
    pub(super) usable_end: usize,
    /// The end, of a value stack including the guard.
    pub(super) end: usize,
    /// How a value stack is interrupted, live as long as it; null for a memory.
    pub(super) control: *const StackControl,
}

/// An element of a granule's list.
#[derive(Debug)]
struct Node {
    /// Odd while the fields below are being written.
    version: AtomicUsize,
    base: AtomicUsize,
    usable_end: AtomicUsize,
    end: AtomicUsize,
    control: AtomicPtr<StackControl>,
    /// Written once, before the node can be reached.
    next: *const Node,
}

// SAFETY: all but `next` is atomic, and that is not written once shared.
unsafe impl Sync for Node {}
// SAFETY: as above.
unsafe impl Send for Node {}

impl Node {
    /// Writes the fields; the caller has locked [`UNUSED`].
    fn write(&self, range: Range) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.base.store(range.base, Ordering::Relaxed);
        self.usable_end.store(range.usable_end, Ordering::Relaxed);
        self.end.store(range.end, Ordering::Relaxed);
        self.control.store(range.control.cast_mut(), Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The fields; `None` while they are being written.
    fn read(&self) -> Option<Range> {
        let version = self.version.load(Ordering::Acquire);
        let range = Range {
            base: self.base.load(Ordering::Relaxed),
            usable_end: self.usable_end.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
            control: self.control.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        (version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version).then_some(range)
    }
}

/// The first nodes of the granules' lists.
static LISTS: [AtomicPtr<Node>; GRANULES] = [const { AtomicPtr::new(null_mut()) }; GRANULES];

/// Nodes that no range uses, by granule.
type Unused = BTreeMap<usize, Vec<&'static Node>>;
/// The lock for all changes.
static UNUSED: Mutex<Unused> = Mutex::new(BTreeMap::new());

fn lock() -> MutexGuard<'static, Unused> {
    UNUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A range's presence in the lists, ended by dropping it.
#[derive(Debug)]
pub(crate) struct Entry(Vec<(usize, &'static Node)>);

impl Entry {
    /// Enters the linear memory of `len` bytes at `base`.
    ///
    /// # Errors
    /// `Unsupported` for addresses of more than 47 bits, which the kernel gives
    /// only to those who ask.
    pub(crate) fn memory(base: usize, len: usize) -> io::Result<Self> {
        let end = base.checked_add(len).ok_or(io::ErrorKind::Unsupported)?;
        Self::new(Range {
            base,
            usable_end: end,
            end,
            control: null(),
        })
    }

    /// Enters the value stack of `usable` bytes and a guard of `guard` bytes at
    /// `base`. The entry must be dropped before `control`.
    ///
    /// # Errors
    /// As for [`Entry::memory`].
    pub(crate) fn stack(base: usize, usable: usize, guard: usize, control: &StackControl) -> io::Result<Self> {
        let usable_end = base.checked_add(usable).ok_or(io::ErrorKind::Unsupported)?;
        let end = usable_end.checked_add(guard).ok_or(io::ErrorKind::Unsupported)?;
        Self::new(Range {
            base,
            usable_end,
            end,
            control,
        })
    }

    fn new(range: Range) -> io::Result<Self> {
        let first = range.base >> GRANULE_SHIFT;
        let last = range.end.saturating_sub(1) >> GRANULE_SHIFT;
        let lists = LISTS.get(first..=last).ok_or(io::ErrorKind::Unsupported)?;
        let mut unused = lock();
        let enter = |(granule, list): (usize, &AtomicPtr<Node>)| {
            if let Some(node) = unused.get_mut(&granule).and_then(Vec::pop) {
                node.write(range);
                return (granule, node);
            }
            let node: &'static Node = Box::leak(Box::new(Node {
                version: AtomicUsize::new(0),
                base: AtomicUsize::new(range.base),
                usable_end: AtomicUsize::new(range.usable_end),
                end: AtomicUsize::new(range.end),
                control: AtomicPtr::new(range.control.cast_mut()),
                next: list.load(Ordering::Relaxed),
            }));
            list.store(from_ref(node).cast_mut(), Ordering::Release);
            (granule, node)
        };
        Ok(Self((first..).zip(lists).map(enter).collect()))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut unused = lock();
        for (granule, node) in self.0.drain(..) {
            node.write(Range {
                base: 0,
                usable_end: 0,
                end: 0,
                control: null(),
            });
            unused.entry(granule).or_default().push(node);
        }
    }
}

/// The memory or value stack at `addr`. Async-signal-safe.
pub(super) fn find(addr: usize) -> Option<Range> {
    nodes(LISTS.get(addr >> GRANULE_SHIFT)?)
        .filter_map(Node::read)
        .find(|r| (r.base..r.end).contains(&addr))
}

/// The nodes of `list`.
fn nodes(list: &AtomicPtr<Node>) -> impl Iterator<Item = &'static Node> {
    let mut next = list.load(Ordering::Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: invariant 2. Changes are made under a lock, each after those
        // it found; so having acquired the first node we see all of the others.
        let node: &'static Node = unsafe { next.as_ref() }?;
        next = node.next;
        Some(node)
    })
}

/// How many nodes tell of memories and of value stacks.
#[cfg(test)]
pub(super) fn census() -> (usize, usize) {
    let live = || {
        LISTS
            .iter()
            .flat_map(nodes)
            .filter_map(Node::read)
            .filter(|r| r.end != 0)
    };
    (
        live().filter(|r| r.control.is_null()).count(),
        live().filter(|r| !r.control.is_null()).count(),
    )
}
