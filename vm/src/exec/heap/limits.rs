//! Allocation, and growth as far as limits allow it.

use super::Heap;
use super::classes::{GRANULE, class_of};
use super::mark::Stopped;
use super::pages::{PAGE, SPAN};
use super::shape::{EXTERN, HEADER, Shape};
use super::space::STEP;
use super::values::HostValue;
use crate::error::{Error, LimitError};
use crate::runtime::domain::Resource;
use crate::runtime::store::StoreInner;
use crate::trap::Trap;

/// Bytes that a heap begins with.
const FIRST: usize = 256 << 10;
/// The part of the heap's size by which it grows at least.
const GROWTH: usize = 8;
/// The part of a heap that has to be free after a collection where it cannot grow: with
/// less, ever more time would go into collections.
const SLACK: u64 = 16;

/// Bytes that a value of the host counts for besides its own, when it is found out
/// whether it is time for a collection.
const VALUE_BYTES: usize = 48;

/// Who asks for an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    /// `*mut StoreData<T>` of the store.
    pub(crate) store: *mut (),
    /// The end of the value stack's part that is in use. No slot from there on is read
    /// before it is written.
    pub(crate) end: *const u64,
    /// The instance whose code asks, by its index; none for the host.
    pub(crate) instance: Option<u32>,
}

impl StoreInner {
    /// A new object with a shape, of so many bytes, header included. Bytes after the
    /// header are zeros.
    ///
    /// # Errors
    /// [`Trap::AllocationTooLarge`] if no heap of the store can hold it,
    /// [`Trap::HeapExhausted`] if the heap has not so much left, [`Trap::Interrupt`] if
    /// that is asked for meanwhile, and the limiter's error.
    ///
    /// # Safety
    /// 1. `asker` is this store's, with the end of its value stack.
    /// 2. `shape` stays there as long as the store, and `bytes` is what it says for some
    ///    length, which the caller writes at once if it is not 0.
    pub(crate) unsafe fn allocate(&mut self, asker: Asker, shape: *const Shape, bytes: u64) -> Result<u32, Error> {
        let (base, handle) = self.find_room(asker, bytes)?;
        // SAFETY: the room is for this object, and larger than a header.
        unsafe { base.add(handle as usize).cast::<*const Shape>().write(shape) };
        Ok(handle)
    }

    /// A new object that stands for a value of the host, for a host function that runs or
    /// outside all code.
    ///
    /// # Errors
    /// As for [`StoreInner::allocate`].
    pub(crate) fn add_host_value(&mut self, store: *mut (), value: HostValue) -> Result<u32, Error> {
        let asker = self.asker(store);
        // SAFETY: 1. see `asker`. 2. the shape is there always, and says so.
        let handle = unsafe { self.allocate(asker, &EXTERN, EXTERN.bytes(0)) }?;
        let bytes = size_of_val(&*value) + VALUE_BYTES;
        let heap = self.heap()?;
        heap.allocated += bytes as u64;
        let number = heap.values.add(handle, value);
        let at = heap.base().wrapping_add((handle + HEADER) as usize);
        // SAFETY: inside the new object.
        unsafe { at.cast::<u64>().write(number) };
        Ok(handle)
    }

    /// Frees the objects that cannot be reached, for a host function that runs or outside
    /// all code, and gives memory that is free back to the system.
    pub(crate) fn collect_garbage(&mut self) {
        let end = self.machine.stack_top();
        // Values of the host are dropped where the store is whole.
        let dead = self.collect(end, |_| false);
        if let Some(heap) = &mut self.heap {
            heap.trim();
        }
        drop(dead);
    }

    /// The host, as far as a host function runs or no code at all.
    pub(crate) fn asker(&self, store: *mut ()) -> Asker {
        Asker {
            store,
            end: self.machine.stack_top(),
            instance: None,
        }
    }

    /// Room for an object, all zeros: the heap's base, and the object's handle.
    fn find_room(&mut self, asker: Asker, bytes: u64) -> Result<(*mut u8, u32), Error> {
        let class = class_of(bytes);
        let mut may_collect = true;
        loop {
            if let Some(handle) = class.and_then(|class| self.machine.bump(class)) {
                return Ok((self.heap()?.base(), handle));
            }
            if self.heap()?.is_due() && may_collect {
                self.collect_for(asker)?;
                may_collect = false;
                continue;
            }
            let heap = self.heap()?;
            match class {
                Some(class) => {
                    if let Some(run) = heap.refill(class) {
                        self.machine.set_bump(class, run);
                        continue;
                    }
                }
                None if bytes > heap.most() => return Err(Trap::AllocationTooLarge.into()),
                None => {
                    if let Some(handle) = heap.take_large(bytes) {
                        return Ok((heap.base(), handle));
                    }
                }
            }
            if self.grow_heap(asker, bytes.max(SPAN.into()))? {
                continue;
            }
            if !may_collect {
                return Err(Trap::HeapExhausted.into());
            }
            self.collect_for(asker)?;
            may_collect = false;
            if self.heap()?.is_full() {
                return Err(Trap::HeapExhausted.into());
            }
        }
    }

    /// The heap, which is made if there is none.
    fn heap(&mut self) -> Result<&mut Heap, Error> {
        if self.heap.is_none() {
            let config = self.engine.config();
            let bytes = config.gc_heap;
            let heap = Heap::new(bytes, config.gc_zeal).map_err(|_| LimitError::HeapUnavailable { bytes })?;
            self.machine.set_heap(heap.base());
            for instance in &self.instances {
                instance.cx.set_heap(heap.base());
            }
            self.heap = Some(Box::new(heap));
        }
        Ok(self.heap.as_mut().expect("it was made"))
    }

    fn collect_for(&mut self, asker: Asker) -> Result<(), Error> {
        let is_guest = asker.instance.is_some();
        let stop = |store: &Self| is_guest && store.machine.control().is_pending();
        match self.collect(asker.end, stop) {
            Ok(dead) => drop(dead),
            Err(Stopped) => return Err(Trap::Interrupt.into()),
        }
        Ok(())
    }

    /// Makes the heap larger, so that there is room for `bytes` one after the other;
    /// whether it may be.
    ///
    /// # Errors
    /// The limiter's.
    fn grow_heap(&mut self, asker: Asker, bytes: u64) -> Result<bool, Error> {
        let heap = self.heap()?;
        let (current, most) = (heap.space.accessible(), heap.space.bytes());
        // Without the free pages at the end, which those that are added belong to.
        let used = current - heap.pages.tail() as usize * PAGE as usize;
        let Some(needed) = usize::try_from(bytes).ok().and_then(|bytes| {
            // The first page is no object's.
            let bytes = bytes.checked_next_multiple_of(PAGE as usize)?;
            let end = used.max(PAGE as usize).checked_add(bytes)?;
            let end = end.checked_next_multiple_of(STEP)?.max(current + STEP);
            (end <= most).then_some(end)
        }) else {
            return Ok(false);
        };
        let wanted = current + (current / GROWTH).max(FIRST);
        let wanted = wanted.next_multiple_of(STEP).min(most).max(needed);
        for desired in [wanted, needed] {
            let admitted = self.admit_heap(asker, current, desired, most);
            // More than is needed is only asked for.
            let admitted = if desired == needed {
                admitted?
            } else {
                admitted.unwrap_or(false)
            };
            if admitted {
                if self.heap()?.grow(desired) {
                    return Ok(true);
                }
                self.charge_heap(asker, |charged| charged - (desired - current) as u64)?;
                if let Some(limiter) = self.limiter(asker.store) {
                    limiter.memory_grow_failed()?;
                }
            }
        }
        Ok(false)
    }

    /// Asks the limiter and the domain of who asks for so many bytes.
    fn admit_heap(&mut self, asker: Asker, current: usize, desired: usize, most: usize) -> Result<bool, Error> {
        if let Some(limiter) = self.limiter(asker.store)
            && !limiter.memory_growing(current, desired, Some(most))?
        {
            return Ok(false);
        }
        let more = (desired - current) as u64;
        Ok(self.charge_heap(asker, |charged| charged.saturating_add(more)).is_ok())
    }

    /// Changes what the domain of who asks is charged with: the bytes by which the heap
    /// grew for it.
    fn charge_heap(&mut self, asker: Asker, change: impl Fn(u64) -> u64) -> Result<(), Error> {
        let domain = match asker.instance {
            Some(instance) => self.domain_of(instance),
            None => self.current_domain(),
        };
        let domain = domain.clone();
        let i = self
            .heap_charges
            .iter()
            .position(|charge| charge.domain().is_same(&domain));
        let i = match i {
            Some(i) => i,
            None => {
                self.heap_charges.push(domain.charge(Resource::Memory, 0)?);
                self.heap_charges.len() - 1
            }
        };
        let charge = &mut self.heap_charges[i];
        Ok(charge.resize(change(charge.amount()))?)
    }
}

impl Heap {
    /// Bytes of the largest object.
    fn most(&self) -> u64 {
        self.space.bytes() as u64 - u64::from(PAGE)
    }

    /// Makes the first `bytes` accessible; whether the system allows it.
    fn grow(&mut self, bytes: usize) -> bool {
        let words = bytes / GRANULE as usize / 64;
        let bits = [&mut self.live, &mut self.marks];
        for bits in bits {
            if bits.try_reserve(words.saturating_sub(bits.len())).is_err() {
                return false;
            }
            bits.resize(words, 0);
        }
        if self.space.grow(bytes).is_err() {
            return false;
        }
        self.pages.extend((bytes / PAGE as usize) as u32);
        true
    }

    /// Whether so much has been given out that it is time for a collection.
    fn is_due(&self) -> bool {
        self.allocated >= self.budget || self.is_zealous
    }

    /// Whether the last collection has left too little room.
    fn is_full(&self) -> bool {
        let all = self.space.accessible() as u64;
        all - self.stats().live_bytes < all / SLACK
    }
}
