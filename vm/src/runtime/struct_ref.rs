//! Structs of the garbage-collected heap.

use super::any_ref::{AnyRef, EqRef};
use super::context::{AsContext, AsContextMut};
use super::roots::{Reference, Root, Rooted};
use super::store::{StoreId, StoreInner};
use super::val::Val;
use crate::error::{Error, TypeError};
use crate::exec::heap::Object;
use crate::types::raw::RawStorageType;
use crate::types::{FieldType, Mutability, StructType};

/// A struct's type in a store, prepared for making structs of it.
///
/// ```
/// use vm::{Engine, FieldType, Mutability, StorageType, Store, StructRef, StructRefPre, StructType, Val, ValType};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let fields = [
///     FieldType::new(Mutability::Const, StorageType::I8),
///     FieldType::new(Mutability::Var, ValType::ANYREF.into()),
/// ];
/// let pre = StructRefPre::new(&mut store, StructType::new(&engine, fields)?);
/// let one = StructRef::new(&mut store, &pre, &[Val::I32(0x107), Val::AnyRef(None)])?;
/// let two = StructRef::new(&mut store, &pre, &[Val::I32(8), one.to_anyref().into()])?;
/// assert_eq!(one.field(&mut store, 0)?.i32(), Some(7));
/// one.set_field(&mut store, 1, two.to_anyref().into())?;
/// assert!(matches!(one.field(&mut store, 1)?, Val::AnyRef(Some(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StructRefPre {
    store: StoreId,
    ty: StructType,
}

impl StructRefPre {
    /// Prepares a type.
    ///
    /// # Panics
    /// If the type is of another engine.
    pub fn new(mut store: impl AsContextMut, ty: StructType) -> Self {
        let inner = &mut store.as_context_mut().0.inner;
        assert!(ty.def().is_of(inner.engine.types()), "the type is of another engine");
        inner.keep_type(ty.def());
        Self { store: inner.id, ty }
    }

    /// The type.
    pub fn ty(&self) -> &StructType {
        &self.ty
    }
}

/// A reference to a struct.
#[derive(Clone, Copy, Debug)]
pub struct StructRef(Root);

impl Reference for StructRef {
    fn of(root: Root) -> Self {
        Self(root)
    }

    fn root(&self) -> Root {
        self.0
    }
}

/// What a field holds, where it is in its object, and its type.
struct Place {
    storage: RawStorageType,
    offset: usize,
    ty: FieldType,
}

impl StructRef {
    /// A new struct with these fields.
    ///
    /// # Errors
    /// [`Error::Type`] if there are more or fewer values than fields, or one is of another
    /// type or store; [`Trap::HeapExhausted`](crate::Trap::HeapExhausted) if there is no
    /// room for it, or the limiter's error.
    ///
    /// # Panics
    /// If the prepared type is of another store.
    pub fn new(mut store: impl AsContextMut, pre: &StructRefPre, fields: &[Val]) -> Result<Rooted<Self>, Error> {
        let mut store = store.as_context_mut();
        let whole = store.whole();
        let inner = &mut store.0.inner;
        assert!(pre.store == inner.id, "the type was prepared for another store");
        let types = pre.ty.fields();
        if types.len() != fields.len() {
            let (expected, found) = (types.len(), fields.len());
            return Err(TypeError::FieldCount { expected, found }.into());
        }
        let values = types.zip(fields);
        let values = values.map(|(ty, value)| value.to_slots(&ty.element_type().unpack(), inner));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let handle = inner.new_object(whole, pre.ty.def(), 0)?;
        for (i, slots) in values.into_iter().enumerate() {
            if let Some(place) = place(&pre.ty, i) {
                inner.write_field(handle, place.offset, place.storage, slots);
            }
        }
        Ok(Rooted::new(inner, handle))
    }

    /// The handle, and the type.
    fn parts(&self, store: &StoreInner) -> Result<(u32, StructType), Error> {
        let handle = self.0.handle(store)?;
        let object = store.heap.as_ref().and_then(|heap| heap.object(handle));
        let Some(Object::Defined(info)) = object else {
            unreachable!("made of structs only");
        };
        Ok((handle, StructType::of(store.engine.types().get(info.id))))
    }

    /// Its type.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store, as all methods.
    pub fn ty(&self, store: impl AsContext) -> Result<StructType, Error> {
        Ok(self.parts(&store.as_context().0.inner)?.1)
    }

    /// Whether it is of a type or a subtype of that.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &StructType) -> Result<bool, Error> {
        Ok(self.ty(store)?.matches(ty))
    }

    /// What a field holds; integers of 8 and 16 bits without sign.
    ///
    /// # Errors
    /// [`TypeError::FieldIndex`] if there is no such field; if its scope has ended, or it is
    /// of another store.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val, Error> {
        let inner = &store.as_context_mut().0.inner;
        let (handle, ty) = self.parts(inner)?;
        let place = place(&ty, index).ok_or_else(|| no_field(&ty, index))?;
        let slots = inner.read_field(handle, place.offset, place.storage);
        Ok(Val::from_slots(slots, &place.ty.element_type().unpack(), inner))
    }

    /// What all fields hold.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn fields(&self, mut store: impl AsContextMut) -> Result<std::vec::IntoIter<Val>, Error> {
        let (_, ty) = self.parts(&store.as_context_mut().0.inner)?;
        let fields = (0..ty.fields().len()).map(|i| self.field(&mut store, i));
        Ok(fields.collect::<Result<Vec<Val>, Error>>()?.into_iter())
    }

    /// Sets a field.
    ///
    /// # Errors
    /// [`TypeError::FieldIndex`] if there is no such field, [`TypeError::ImmutableField`] if
    /// it cannot change, [`TypeError::Value`] if the value is of another type; if a scope has
    /// ended, or something is of another store.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<(), Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let (handle, ty) = self.parts(inner)?;
        let place = place(&ty, index).ok_or_else(|| no_field(&ty, index))?;
        if place.ty.mutability() == Mutability::Const {
            return Err(TypeError::ImmutableField.into());
        }
        let slots = value.to_slots(&place.ty.element_type().unpack(), inner)?;
        inner.write_field(handle, place.offset, place.storage, slots);
        Ok(())
    }
}

fn no_field(ty: &StructType, index: usize) -> TypeError {
    let fields = ty.fields().len();
    TypeError::FieldIndex { index, fields }
}

/// Where a field is.
fn place(ty: &StructType, index: usize) -> Option<Place> {
    Some(Place {
        storage: ty.raw_fields().get(index)?.storage,
        offset: *ty.def().info().layout.fields.get(index)? as usize,
        ty: ty.field(index)?,
    })
}

impl Rooted<StructRef> {
    /// The same reference as one to anything.
    pub fn to_anyref(self) -> Rooted<AnyRef> {
        self.cast()
    }

    /// The same reference as one to what can be compared.
    pub fn to_eqref(self) -> Rooted<EqRef> {
        self.cast()
    }
}

impl From<Rooted<StructRef>> for Rooted<AnyRef> {
    fn from(value: Rooted<StructRef>) -> Self {
        value.to_anyref()
    }
}

impl From<Rooted<StructRef>> for Rooted<EqRef> {
    fn from(value: Rooted<StructRef>) -> Self {
        value.to_eqref()
    }
}

impl From<Rooted<StructRef>> for Val {
    fn from(value: Rooted<StructRef>) -> Self {
        value.to_anyref().into()
    }
}
