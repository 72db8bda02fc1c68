//! Tag instances (Spec 3.0 §4.2.11): a tag is its address. Those that a module
//! defines stand in its instance's context, those of the host by themselves.

use std::ptr::NonNull;

use super::exception::PAYLOAD;
use super::heap::Shape;
use crate::types::{DefType, FuncType, TagType, TypeId, ValType};

/// What is known of all tags of one type; a store keeps it to its end.
#[derive(Debug)]
pub(crate) struct TagShape {
    /// The type's identity.
    pub(crate) id: TypeId,
    /// The function type whose parameters exceptions carry.
    pub(crate) ty: FuncType,
    /// Slots of what an exception carries.
    pub(crate) slots: u32,
    /// The shape of its exceptions.
    pub(crate) object: Shape,
}

impl TagShape {
    /// That of tags of a function type.
    pub(crate) fn new(ty: DefType) -> Self {
        let id = ty.id();
        let ty = FuncType::of(ty);
        let slots = ty.params().map(|ty| ty.slots()).sum();
        let mut at = PAYLOAD;
        let mut handles = Vec::new();
        for ty in ty.params() {
            if matches!(&ty, ValType::Ref(ty) if ty.heap_type().is_handle()) {
                handles.push(at);
            }
            at += 8 * ty.slots();
        }
        let object = Shape::of_exn(at, handles);
        Self { id, ty, slots, object }
    }
}

/// A tag instance.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct TagInst {
    shape: NonNull<TagShape>,
}

impl TagInst {
    /// A tag of a type whose shape lives as long as the store.
    pub(crate) fn new(shape: &TagShape) -> Self {
        Self {
            shape: NonNull::from(shape),
        }
    }
}

/// A tag that lives as long as its store. Equal ones are the same tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TagRef(NonNull<TagInst>);

impl TagRef {
    /// The tag at an address, which the store keeps alive.
    pub(crate) fn new(tag: NonNull<TagInst>) -> Self {
        Self(tag)
    }

    /// The tag's address.
    pub(crate) fn as_ptr(self) -> *mut TagInst {
        self.0.as_ptr()
    }

    /// What its type says; the caller has the store borrowed.
    pub(crate) fn shape<'s>(self) -> &'s TagShape {
        // SAFETY: the tag lives as long as its store, whose borrow the caller holds.
        let shape = unsafe { self.0.as_ref() }.shape;
        // SAFETY: as above.
        unsafe { shape.as_ref() }
    }

    /// Its type.
    pub(crate) fn ty(self) -> TagType {
        TagType::new(self.shape().ty.clone())
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for TagInst {}
// SAFETY: shared references only read.
unsafe impl Sync for TagInst {}
// SAFETY: as for `TagInst`.
unsafe impl Send for TagRef {}
// SAFETY: as for `TagInst`.
unsafe impl Sync for TagRef {}
