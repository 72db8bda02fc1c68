//! Random graphs of objects against a plain model, and heaps at their limits.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::classes::{CLASSES, GRANULE, MAX_SMALL};
use super::shape::{ARRAY_DATA, ARRAY_LEN, HANDLE, Shape};
use super::{Heap, pages};
use crate::error::Error;
use crate::runtime::engine::{Config, Engine};
use crate::runtime::store::{Store, StoreInner};
use crate::trap::Trap;

/// Objects for tests, of shapes that live as long as the process.
struct Objects {
    store: Store<()>,
    pair: &'static Shape,
    handles: &'static Shape,
    bytes: &'static Shape,
}

impl Objects {
    fn new(limit: u64) -> Self {
        let engine = Engine::new(Config::new().max_gc_heap_bytes(limit)).expect("an engine");
        let leak = |shape| &*Box::leak(Box::new(shape));
        Self {
            store: Store::new(&engine, ()),
            // Two handles and a number.
            pair: leak(Shape::of_struct(24, [8, 12])),
            handles: leak(Shape::of_handle_array()),
            bytes: leak(Shape::of_array(1)),
        }
    }

    fn inner(&mut self) -> &mut StoreInner {
        &mut self.store.whole_mut().inner
    }

    fn heap(&mut self) -> &mut Heap {
        self.inner().heap.as_mut().expect("something was allocated")
    }

    fn allocate(&mut self, shape: &'static Shape, len: u32) -> Result<u32, Error> {
        let inner = self.inner();
        let asker = inner.asker(std::ptr::null_mut());
        // SAFETY: 1. the store has no limiter, and nothing runs in it. 2. the shape is
        // leaked, and the length is written below.
        let handle = unsafe { inner.allocate(asker, shape, shape.bytes(len)) }?;
        if len > 0 {
            self.write(handle, ARRAY_LEN, len);
        }
        Ok(handle)
    }

    fn pair(&mut self, first: u32, second: u32, number: u32) -> Result<u32, Error> {
        let handle = self.allocate(self.pair, 0)?;
        self.write(handle, 8, first);
        self.write(handle, 12, second);
        self.write(handle, 16, number);
        Ok(handle)
    }

    fn write(&mut self, handle: u32, at: u32, value: u32) {
        let at = (handle + at) as usize;
        // SAFETY: inside an object, as the tests have it.
        unsafe { self.heap().base().add(at).cast::<u32>().write(value) };
    }

    fn read(&mut self, handle: u32, at: u32) -> u32 {
        let at = (handle + at) as usize;
        // SAFETY: as in `write`.
        unsafe { self.heap().base().add(at).cast::<u32>().read() }
    }

    fn collect(&mut self) {
        self.inner().collect_garbage();
    }

    fn live(&mut self) -> u64 {
        self.heap().stats().live_objects
    }
}

/// What a test does.
#[derive(Clone, Debug)]
enum Step {
    /// Makes an object: so many elements, or a pair.
    Make(Option<u32>),
    /// Writes a handle: to the field or element of one object, of another.
    Link(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    /// Stops holding an object.
    Drop(prop::sample::Index),
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => Just(Step::Make(None)),
        2 => (1..40_u32).prop_map(|len| Step::Make(Some(len))),
        1 => (1000..6000_u32).prop_map(|len| Step::Make(Some(len))),
        8 => (index(), index(), index()).prop_map(|(a, b, c)| Step::Link(a, b, c)),
        5 => index().prop_map(Step::Drop),
        1 => Just(Step::Collect),
    ]
}

/// An object of the model: its handles.
type Links = Vec<u32>;

/// Those that can be reached.
fn reachable(model: &HashMap<u32, Links>, held: &[u32]) -> HashSet<u32> {
    let mut seen = HashSet::new();
    let mut next = held.to_vec();
    while let Some(handle) = next.pop() {
        if seen.insert(handle) {
            next.extend(model[&handle].iter().filter(|other| **other != 0));
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_can_be_reached_stays_and_nothing_else(steps in prop::collection::vec(step(), 1..300), most in 1..20_usize) {
        let mut objects = Objects::new(1 << 20);
        objects.allocate(objects.pair, 0).expect("room");
        objects.heap().marker.most = most;
        let mut model: HashMap<u32, Links> = HashMap::new();
        let mut held: Vec<u32> = Vec::new();
        for step in steps.into_iter().chain([Step::Collect]) {
            match step {
                Step::Make(len) => {
                    let start = objects.inner().roots.enter();
                    held.iter().for_each(|handle| { objects.inner().roots.push(*handle); });
                    let made = match len {
                        None => objects.pair(0, 0, 77),
                        Some(len) => objects.allocate(objects.handles, len),
                    };
                    objects.inner().roots.exit(start);
                    let Ok(handle) = made else { continue };
                    let links = vec![0; len.unwrap_or(2) as usize];
                    // A collection may have been needed.
                    let reached = reachable(&model, &held);
                    model.retain(|other, _| reached.contains(other) || *other != handle);
                    prop_assert!(!reached.contains(&handle), "in the place of a live object");
                    model.insert(handle, links);
                    held.push(handle);
                }
                Step::Link(from, to, field) if !held.is_empty() => {
                    let (from, to) = (*from.get(&held), *to.get(&held));
                    let links = model.get_mut(&from).expect("in the model");
                    let field = field.index(links.len());
                    links[field] = to;
                    let first = if objects.read_shape(from) == objects.pair { 8 } else { ARRAY_DATA };
                    objects.write(from, first + field as u32 * HANDLE, to);
                }
                Step::Drop(index) if !held.is_empty() => {
                    held.swap_remove(index.index(held.len()));
                }
                Step::Link(..) | Step::Drop(_) => {}
                Step::Collect => {
                    let start = objects.inner().roots.enter();
                    held.iter().for_each(|handle| { objects.inner().roots.push(*handle); });
                    objects.collect();
                    objects.inner().roots.exit(start);
                    let reached = reachable(&model, &held);
                    prop_assert_eq!(objects.live(), reached.len() as u64);
                    model.retain(|handle, _| reached.contains(handle));
                    for (handle, links) in &model {
                        prop_assert_eq!(objects.heap().object_at(u64::from(*handle)), Some(*handle));
                        let is_pair = objects.read_shape(*handle) == objects.pair;
                        let first = if is_pair { 8 } else { ARRAY_DATA };
                        for (i, link) in (0..).zip(links) {
                            prop_assert_eq!(objects.read(*handle, first + i * HANDLE), *link);
                        }
                        prop_assert!(!is_pair || objects.read(*handle, 16) == 77);
                    }
                }
            }
        }
    }
}

impl Objects {
    fn read_shape(&mut self, handle: u32) -> *const Shape {
        // SAFETY: the tests have handles of objects only.
        unsafe { self.heap().shape(handle) }
    }
}

#[test]
fn words_that_are_no_object_s_handle_are_none_s() {
    let mut objects = Objects::new(1 << 20);
    let pair = objects.pair(0, 0, 0).expect("room");
    let large = objects.allocate(objects.bytes, 100_000).expect("room");
    let heap = objects.heap();
    for word in [pair, large] {
        assert_eq!(heap.object_at(word.into()), Some(word));
    }
    let next = u64::from(pair) + 24;
    for word in [
        0,
        1,
        8,
        u64::from(pair) + 8,
        u64::from(pair) + 1,
        u64::from(pair) | 1 << 32,
        next,
        u64::from(large) + 4096,
        u64::from(large) - 4096,
        1 << 20,
        u64::MAX,
    ] {
        assert_eq!(heap.object_at(word), None, "{word:#x}");
    }
}

#[test]
fn a_long_list_and_a_wide_tree_take_little_to_mark() {
    let mut objects = Objects::new(64 << 20);
    objects.allocate(objects.pair, 0).expect("room");
    for most in [1, 100, 1 << 18] {
        objects.heap().marker.most = most;
        let start = objects.inner().roots.enter();
        // A list of 30,000, each with a leaf: what is pushed last is scanned first, so
        // all leaves or the whole list wait.
        let mut list = 0;
        for i in 0..30_000 {
            let start = objects.inner().roots.enter();
            objects.inner().roots.push(list);
            let leaf = objects.pair(0, 0, i).expect("room");
            objects.inner().roots.push(leaf);
            list = match i % 2 {
                0 => objects.pair(list, leaf, i),
                _ => objects.pair(leaf, list, i),
            }
            .expect("room");
            objects.inner().roots.exit(start);
        }
        objects.inner().roots.push(list);
        objects.collect();
        assert_eq!(objects.live(), 60_000, "with a stack of {most}");
        objects.inner().roots.exit(start);
        objects.collect();
        assert_eq!(objects.live(), 0);
    }
}

#[test]
fn what_cannot_be_freed_ends_in_a_trap_and_what_can_is_used_again() {
    let mut objects = Objects::new(2 << 20);
    let start = objects.inner().roots.enter();
    let mut list = 0;
    let mut made = 0_u32;
    let error = loop {
        match objects.pair(list, 0, made) {
            Ok(pair) => list = pair,
            Err(error) => break error,
        }
        objects.inner().roots.exit(start);
        objects.inner().roots.push(list);
        made += 1;
    };
    assert_eq!(error.trap(), Some(Trap::HeapExhausted));
    let bytes = made * 24;
    assert!(bytes > (2 << 20) * 14 / 16 && bytes <= 2 << 20, "{bytes}");
    objects.inner().roots.exit(start);
    // All is garbage now.
    for i in 0..10 * made {
        objects.pair(0, 0, i).expect("room");
    }
    let stats = objects.heap().stats();
    assert!(stats.collections >= 10 && stats.heap_bytes <= 2 << 20, "{stats:?}");
    assert!(stats.total_pause >= stats.longest_pause);
}

#[test]
fn arrays_that_no_heap_can_hold_are_a_trap_at_once() {
    let mut objects = Objects::new(1 << 20);
    for (shape, len) in [
        (objects.bytes, u32::MAX),
        (objects.handles, u32::MAX),
        (objects.bytes, 1 << 20),
    ] {
        let error = objects.allocate(shape, len).expect_err("too large");
        assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
    }
    assert!(objects.allocate(objects.bytes, 900_000).is_ok());
    // It is garbage, and in the way of the next.
    assert!(objects.allocate(objects.bytes, 900_000).is_ok());
    let kept = objects.allocate(objects.bytes, 900_000).expect("room");
    let start = objects.inner().roots.enter();
    objects.inner().roots.push(kept);
    let error = objects.allocate(objects.bytes, 900_000).expect_err("no room");
    assert_eq!(error.trap(), Some(Trap::HeapExhausted));
    objects.inner().roots.exit(start);
}

#[test]
fn cells_of_all_sizes_are_zeros_when_they_are_given_out() {
    let mut objects = Objects::new(8 << 20);
    let sizes = (1..MAX_SMALL + 2000).step_by(509);
    for round in 0..6 {
        for len in sizes.clone() {
            let start = objects.inner().roots.enter();
            let array = objects.allocate(objects.bytes, len).expect("room");
            for at in (ARRAY_DATA..ARRAY_DATA + len.next_multiple_of(4)).step_by(4) {
                assert_eq!(objects.read(array, at), 0, "round {round}, {len} bytes, at {at}");
                objects.write(array, at, u32::MAX);
            }
            objects.inner().roots.exit(start);
        }
        objects.collect();
    }
}

#[test]
fn bits_and_pages_take_little_of_the_host_s_memory() {
    let mut objects = Objects::new(64 << 20);
    objects.allocate(objects.bytes, 60 << 20).expect("room");
    let heap = objects.heap();
    let bits = (heap.live.capacity() + heap.marks.capacity()) * size_of::<u64>();
    let bytes = heap.space.accessible();
    assert!(bits + heap.pages.overhead() <= bytes / 16, "{bits} bytes of bits");
    assert_eq!(heap.live.len() * 64 * GRANULE as usize, bytes);
    assert_eq!(heap.partial, [pages::NONE; CLASSES]);
}

#[test]
fn pages_that_are_given_back_are_zeros_and_can_be_used_again() {
    let mut objects = Objects::new(8 << 20);
    let start = objects.inner().roots.enter();
    for round in 0..3_u32 {
        let kept = objects.pair(0, 0, round).expect("room");
        objects.inner().roots.push(kept);
        for len in [100, 3000, 9000, 500_000] {
            let array = objects.allocate(objects.bytes, len).expect("room");
            for at in (ARRAY_DATA..ARRAY_DATA + len.next_multiple_of(4)).step_by(4) {
                assert_eq!(objects.read(array, at), 0, "round {round}, {len} bytes, at {at}");
                objects.write(array, at, u32::MAX);
            }
        }
        objects.collect();
        assert_eq!(objects.live(), u64::from(round) + 1);
        assert_eq!(objects.read(kept, 16), round);
    }
    objects.inner().roots.exit(start);
}
