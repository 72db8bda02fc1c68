//! Arrays of the garbage-collected heap.

use super::any_ref::{AnyRef, EqRef};
use super::context::{AsContext, AsContextMut};
use super::roots::{Reference, Root, Rooted};
use super::store::{StoreId, StoreInner};
use super::val::Val;
use crate::error::{Error, TypeError};
use crate::exec::heap::Object;
use crate::types::{ArrayType, Mutability};

/// An array's type in a store, prepared for making arrays of it.
///
/// ```
/// use vm::{ArrayRef, ArrayRefPre, ArrayType, Engine, FieldType, Mutability, StorageType, Store, Val};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = ArrayType::new(&engine, FieldType::new(Mutability::Var, StorageType::I16));
/// let pre = ArrayRefPre::new(&mut store, ty);
/// let array = ArrayRef::new(&mut store, &pre, &Val::I32(7), 1000)?;
/// array.set(&mut store, 999, Val::I32(-1))?;
/// assert_eq!(array.len(&store)?, 1000);
/// assert_eq!(array.get(&mut store, 998)?.i32(), Some(7));
/// assert_eq!(array.get(&mut store, 999)?.i32(), Some(0xffff));
/// assert!(array.get(&mut store, 1000).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ArrayRefPre {
    store: StoreId,
    ty: ArrayType,
}

impl ArrayRefPre {
    /// Prepares a type.
    ///
    /// # Panics
    /// If the type is of another engine.
    pub fn new(mut store: impl AsContextMut, ty: ArrayType) -> Self {
        let inner = &mut store.as_context_mut().0.inner;
        assert!(ty.def().is_of(inner.engine.types()), "the type is of another engine");
        inner.keep_type(ty.def());
        Self { store: inner.id, ty }
    }

    /// The type.
    pub fn ty(&self) -> &ArrayType {
        &self.ty
    }
}

/// A reference to an array.
#[derive(Clone, Copy, Debug)]
pub struct ArrayRef(Root);

impl Reference for ArrayRef {
    fn of(root: Root) -> Self {
        Self(root)
    }

    fn root(&self) -> Root {
        self.0
    }
}

impl ArrayRef {
    /// A new array of `len` elements, all the same.
    ///
    /// # Errors
    /// [`Error::Type`] if the value is of another type or store;
    /// [`Trap::AllocationTooLarge`](crate::Trap::AllocationTooLarge) or
    /// [`Trap::HeapExhausted`](crate::Trap::HeapExhausted) if there is no room for it, or the
    /// limiter's error.
    ///
    /// # Panics
    /// If the prepared type is of another store.
    pub fn new(
        mut store: impl AsContextMut,
        pre: &ArrayRefPre,
        element: &Val,
        len: u32,
    ) -> Result<Rooted<Self>, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        assert!(pre.store == inner.id, "the type was prepared for another store");
        let slots = element.to_slots(&pre.ty.element_type().unpack(), inner)?;
        let handle = inner.new_object(whole, pre.ty.def(), len)?;
        let storage = pre.ty.raw_field().storage;
        for i in 0..len {
            inner.write_field(handle, StoreInner::element_place(storage, i), storage, slots);
        }
        Ok(Rooted::new(inner, handle))
    }

    /// A new array of these elements.
    ///
    /// # Errors
    /// As [`ArrayRef::new`].
    ///
    /// # Panics
    /// If the prepared type is of another store, or there are 2^32 elements.
    pub fn new_fixed(mut store: impl AsContextMut, pre: &ArrayRefPre, elements: &[Val]) -> Result<Rooted<Self>, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        assert!(pre.store == inner.id, "the type was prepared for another store");
        let ty = pre.ty.element_type().unpack();
        let values = elements.iter().map(|value| value.to_slots(&ty, inner));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let len = u32::try_from(values.len()).expect("an array has fewer than 2^32 elements");
        let handle = inner.new_object(whole, pre.ty.def(), len)?;
        let storage = pre.ty.raw_field().storage;
        for (i, slots) in (0..).zip(values) {
            inner.write_field(handle, StoreInner::element_place(storage, i), storage, slots);
        }
        Ok(Rooted::new(inner, handle))
    }

    /// The handle, and the type.
    fn parts(&self, store: &StoreInner) -> Result<(u32, ArrayType), Error> {
        let handle = self.0.handle(store)?;
        let object = store.heap.as_ref().and_then(|heap| heap.object(handle));
        let Some(Object::Defined(info)) = object else {
            unreachable!("made of arrays only");
        };
        Ok((handle, ArrayType::of(store.engine.types().get(info.id))))
    }

    /// Its type.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store, as all methods.
    pub fn ty(&self, store: impl AsContext) -> Result<ArrayType, Error> {
        Ok(self.parts(&store.as_context().0.inner)?.1)
    }

    /// Whether it is of a type or a subtype of that.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &ArrayType) -> Result<bool, Error> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// How many elements it has.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn len(&self, store: impl AsContext) -> Result<u32, Error> {
        let inner = &store.as_context().0.inner;
        Ok(inner.array_len(self.0.handle(inner)?))
    }

    /// Where an element is that the array with a handle has.
    fn place(store: &StoreInner, handle: u32, ty: &ArrayType, index: u32) -> Result<usize, TypeError> {
        let len = store.array_len(handle);
        match index < len {
            true => Ok(StoreInner::element_place(ty.raw_field().storage, index)),
            false => Err(TypeError::ArrayIndex { index, len }),
        }
    }

    /// An element; integers of 8 and 16 bits without sign.
    ///
    /// # Errors
    /// [`TypeError::ArrayIndex`] beyond the end; if its scope has ended, or it is of another
    /// store.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val, Error> {
        let inner = &store.as_context_mut().0.inner;
        let (handle, ty) = self.parts(inner)?;
        let at = Self::place(inner, handle, &ty, index)?;
        let slots = inner.read_field(handle, at, ty.raw_field().storage);
        Ok(Val::from_slots(slots, &ty.element_type().unpack(), inner))
    }

    /// Sets an element.
    ///
    /// # Errors
    /// [`TypeError::ArrayIndex`] beyond the end, [`TypeError::ImmutableField`] if elements
    /// cannot change, [`TypeError::Value`] if the value is of another type; if a scope has
    /// ended, or something is of another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<(), Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let (handle, ty) = self.parts(inner)?;
        let at = Self::place(inner, handle, &ty, index)?;
        if ty.mutability() == Mutability::Const {
            return Err(TypeError::ImmutableField.into());
        }
        let slots = value.to_slots(&ty.element_type().unpack(), inner)?;
        inner.write_field(handle, at, ty.raw_field().storage, slots);
        Ok(())
    }
}

impl Rooted<ArrayRef> {
    /// The same reference as one to anything.
    pub fn to_anyref(self) -> Rooted<AnyRef> {
        self.cast()
    }

    /// The same reference as one to what can be compared.
    pub fn to_eqref(self) -> Rooted<EqRef> {
        self.cast()
    }
}

impl From<Rooted<ArrayRef>> for Rooted<AnyRef> {
    fn from(value: Rooted<ArrayRef>) -> Self {
        value.to_anyref()
    }
}

impl From<Rooted<ArrayRef>> for Rooted<EqRef> {
    fn from(value: Rooted<ArrayRef>) -> Self {
        value.to_eqref()
    }
}

impl From<Rooted<ArrayRef>> for Val {
    fn from(value: Rooted<ArrayRef>) -> Self {
        value.to_anyref().into()
    }
}
