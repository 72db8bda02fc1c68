//! Exceptions as objects of the heap (Spec 3.0 §4.2.15): after the header the address
//! of their tag, then the slots of what they carry.

use super::heap::limits::Asker;
use super::heap::shape::HEADER;
use super::tag::{TagInst, TagRef};
use crate::error::Error;
use crate::runtime::store::StoreInner;

/// Where what an exception carries begins.
pub(super) const PAYLOAD: u32 = HEADER + 8;

/// An exception of a store, never null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exception(u32);

impl Exception {
    /// The exception in a slot of its type; none for null.
    pub(crate) fn from_slot(slot: u64) -> Option<Self> {
        let handle = slot as u32;
        (handle != 0).then_some(Self(handle))
    }

    /// The slot value of the reference.
    pub(crate) fn to_slot(self) -> u64 {
        self.0.into()
    }

    /// Its handle.
    pub(crate) fn handle(self) -> u32 {
        self.0
    }

    /// An exception of a tag of the store, which carries as many slots as its type
    /// says.
    ///
    /// # Errors
    /// As [`StoreInner::allocate`].
    ///
    /// # Safety
    /// `asker` is the store's; handles in `payload` are kept while it allocates.
    pub(crate) unsafe fn new(
        inner: &mut StoreInner,
        asker: Asker,
        tag: TagRef,
        payload: &[u64],
    ) -> Result<Self, Error> {
        let shape = &tag.shape().object;
        debug_assert_eq!(shape.size() as usize, PAYLOAD as usize + size_of_val(payload));
        // SAFETY: 1. The caller's promise. 2. Shapes of tags stay with their store.
        let this = Self(unsafe { inner.allocate(asker, shape, shape.bytes(0)) }?);
        // SAFETY: the object's first word after the header.
        unsafe { this.at(inner, HEADER).write(tag.as_ptr() as u64) };
        // SAFETY: the object is as large as its shape says.
        unsafe {
            this.at(inner, PAYLOAD)
                .copy_from_nonoverlapping(payload.as_ptr(), payload.len())
        };
        Ok(this)
    }

    /// The address of a place in it.
    fn at(self, inner: &StoreInner, offset: u32) -> *mut u64 {
        let heap = inner.heap.as_ref().expect("the exception is in the heap");
        heap.base().wrapping_add(self.0 as usize + offset as usize).cast()
    }

    /// Its tag.
    pub(crate) fn tag(self, inner: &StoreInner) -> TagRef {
        // SAFETY: written by `new`; the store keeps its exceptions and tags.
        let tag = unsafe { self.at(inner, HEADER).cast::<std::ptr::NonNull<TagInst>>().read() };
        TagRef::new(tag)
    }

    /// The slots of what it carries.
    pub(crate) fn payload(self, inner: &StoreInner) -> &[u64] {
        let slots = self.tag(inner).shape().slots as usize;
        // SAFETY: the object is as large as its tag's shape says, and nothing changes
        // it.
        unsafe { std::slice::from_raw_parts(self.at(inner, PAYLOAD), slots) }
    }
}

impl StoreInner {
    /// An exception that the host makes, of a tag of this store; `payload` has the
    /// slots of what it carries, whose handles the host holds. `whole` is the store.
    ///
    /// # Errors
    /// As [`StoreInner::allocate`].
    ///
    /// # Panics
    /// If there are not as many slots as the tag's type says.
    pub(crate) fn new_exception(&mut self, whole: *mut (), tag: TagRef, payload: &[u64]) -> Result<Exception, Error> {
        assert_eq!(payload.len(), tag.shape().slots as usize, "what the tag's type says");
        let asker = self.asker(whole);
        // SAFETY: the host holds what the handles refer to.
        unsafe { Exception::new(self, asker, tag, payload) }
    }
}
