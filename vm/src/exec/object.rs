//! Structs and arrays as the host makes and looks into them.
//!
//! All under the invariants of the heap: a handle is that of an object of this store,
//! and places are those of the object's type.

use super::heap::limits::Asker;
use super::heap::shape::{ARRAY_DATA, ARRAY_LEN, Kind};
use crate::error::Error;
use crate::runtime::store::StoreInner;
use crate::types::DefType;
use crate::types::raw::RawStorageType;

impl StoreInner {
    /// A new object of a type, all zeros; of `len` elements if it is an array. The store
    /// keeps the type; `whole` is the store's whole.
    ///
    /// # Errors
    /// If there is no room for it.
    pub(crate) fn new_object(&mut self, whole: *mut (), ty: &DefType, len: u32) -> Result<u32, Error> {
        self.keep_type(ty);
        let shape = &raw const ty.info().shape;
        let bytes = ty.info().shape.bytes(len);
        let asker = Asker {
            store: whole,
            end: self.machine.stack_top(),
            instance: None,
        };
        // SAFETY: the asker is this store, the type stays, and the length is written now.
        let handle = unsafe { self.allocate(asker, shape, bytes) }?;
        if matches!(ty.info().shape.kind(), Kind::Array | Kind::HandleArray) {
            // SAFETY: arrays have their length there.
            unsafe { self.place(handle, ARRAY_LEN).cast::<u32>().write(len) };
        }
        Ok(handle)
    }

    /// The address of a byte of an object.
    fn place(&self, handle: u32, offset: u32) -> *mut u8 {
        let heap = self.heap.as_ref().expect("there are no objects without a heap");
        heap.base().wrapping_add(handle as usize + offset as usize)
    }

    /// The length of an array.
    pub(crate) fn array_len(&self, handle: u32) -> u32 {
        // SAFETY: arrays have their length there.
        unsafe { self.place(handle, ARRAY_LEN).cast::<u32>().read() }
    }

    /// Where an element of an array is, which is in its bounds.
    pub(crate) fn element_place(storage: RawStorageType, index: u32) -> usize {
        ARRAY_DATA as usize + index as usize * storage.bytes() as usize
    }

    /// The slots of what a field or element holds; integers of 8 and 16 bits without
    /// sign.
    pub(crate) fn read_field(&self, handle: u32, offset: usize, storage: RawStorageType) -> [u64; 2] {
        let at = self.place(handle, 0).wrapping_add(offset);
        // SAFETY: the place is that of such a field of the object.
        let slot = unsafe {
            match storage.bytes() {
                1 => u64::from(at.read()),
                2 => u64::from(at.cast::<u16>().read()),
                4 => u64::from(at.cast::<u32>().read()),
                8 => at.cast::<u64>().read(),
                _ => return at.cast::<[u64; 2]>().read(),
            }
        };
        [slot, 0]
    }

    /// Writes a field or element.
    pub(crate) fn write_field(&mut self, handle: u32, offset: usize, storage: RawStorageType, slots: [u64; 2]) {
        let at = self.place(handle, 0).wrapping_add(offset);
        let [slot, _] = slots;
        // SAFETY: the place is that of such a field of the object.
        unsafe {
            match storage.bytes() {
                1 => at.write(slot as u8),
                2 => at.cast::<u16>().write(slot as u16),
                4 => at.cast::<u32>().write(slot as u32),
                8 => at.cast::<u64>().write(slot),
                _ => at.cast::<[u64; 2]>().write(slots),
            }
        }
    }
}
