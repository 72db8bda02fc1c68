//! References to garbage-collected objects of any type, and to small integers.

use super::array_ref::ArrayRef;
use super::context::{AsContext, AsContextMut};
use super::extern_ref::ExternRef;
use super::roots::{Reference, Root, Rooted};
use super::store::StoreInner;
use super::struct_ref::StructRef;
use crate::error::Error;
use crate::exec::heap::Object;
use crate::types::HeapType;

/// An integer of 31 bits, which a reference can be without an object.
///
/// ```
/// use vm::I31;
///
/// assert_eq!(I31::new_i32(-1).unwrap().get_u32(), 0x7fff_ffff);
/// assert_eq!(I31::new_i32(1 << 30), None);
/// assert_eq!(I31::wrapping_u32(0x8000_0001).get_u32(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct I31(u32);

impl I31 {
    /// The integer with this value, if it has one of 31 bits.
    pub fn new_u32(value: u32) -> Option<Self> {
        let this = Self::wrapping_u32(value);
        (this.get_u32() == value).then_some(this)
    }

    /// The integer with this value, if it has one of 31 bits.
    pub fn new_i32(value: i32) -> Option<Self> {
        let this = Self::wrapping_i32(value);
        (this.get_i32() == value).then_some(this)
    }

    /// The low 31 bits of a value.
    pub fn wrapping_u32(value: u32) -> Self {
        Self(value << 1 >> 1)
    }

    /// The low 31 bits of a value.
    pub fn wrapping_i32(value: i32) -> Self {
        Self::wrapping_u32(value.cast_unsigned())
    }

    /// Its value without sign.
    pub fn get_u32(&self) -> u32 {
        self.0
    }

    /// Its value with its sign.
    pub fn get_i32(&self) -> i32 {
        (self.0 << 1).cast_signed() >> 1
    }

    fn handle(self) -> u32 {
        self.0 << 1 | 1
    }

    fn of_handle(handle: u32) -> Option<Self> {
        (handle & 1 != 0).then_some(Self(handle >> 1))
    }
}

/// A reference to anything but functions: structs, arrays, [`I31`]s, and what was an
/// [`ExternRef`].
///
/// ```
/// use vm::{AnyRef, Engine, ExternRef, I31, Rooted, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut store = Store::new(&Engine::default(), ());
/// let seven = AnyRef::from_i31(&mut store, I31::wrapping_u32(7));
/// assert_eq!(seven.as_i31(&store)?.unwrap().get_u32(), 7);
///
/// let value = ExternRef::new(&mut store, "orca")?;
/// let any = AnyRef::convert_extern(&mut store, value)?;
/// let back = ExternRef::convert_any(&mut store, any)?;
/// assert!(Rooted::ref_eq(&store, &value, &back)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnyRef(Root);

/// A reference to what can be compared: a struct, an array or an [`I31`].
#[derive(Clone, Copy, Debug)]
pub struct EqRef(Root);

/// A reference to an exception.
#[derive(Clone, Copy, Debug)]
pub struct ExnRef(Root);

/// Kinds of references to objects.
macro_rules! references {
    ($($name:ident)*) => {$(
        impl Reference for $name {
            fn of(root: Root) -> Self {
                Self(root)
            }

            fn root(&self) -> Root {
                self.0
            }
        }
    )*};
}

/// What those can be asked that may be integers.
macro_rules! may_be_i31 {
    ($($name:ident)*) => {$(
        impl $name {
            /// The reference that is an [`I31`].
            pub fn from_i31(mut store: impl AsContextMut, value: I31) -> Rooted<Self> {
                Rooted::new(&store.as_context_mut().0.inner, value.handle())
            }

            /// Whether it is an [`I31`].
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store, as all methods.
            pub fn is_i31(&self, store: impl AsContext) -> Result<bool, Error> {
                Ok(self.as_i31(store)?.is_some())
            }

            /// The [`I31`], if it is one.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>, Error> {
                Ok(I31::of_handle(self.0.handle(&store.as_context().0.inner)?))
            }

            /// The [`I31`].
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            ///
            /// # Panics
            /// If it is none.
            pub fn unwrap_i31(&self, store: impl AsContext) -> Result<I31, Error> {
                Ok(self.as_i31(store)?.expect("the reference is an i31"))
            }

            /// Whether it is a struct.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn is_struct(&self, store: impl AsContext) -> Result<bool, Error> {
                self.matches_ty(store, &HeapType::Struct)
            }

            /// The struct, if it is one.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn as_struct(&self, store: impl AsContext) -> Result<Option<Rooted<StructRef>>, Error> {
                Ok(self.is_struct(store)?.then(|| Rooted::at(self.0)))
            }

            /// Whether it is an array.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn is_array(&self, store: impl AsContext) -> Result<bool, Error> {
                self.matches_ty(store, &HeapType::Array)
            }

            /// The array, if it is one.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn as_array(&self, store: impl AsContext) -> Result<Option<Rooted<ArrayRef>>, Error> {
                Ok(self.is_array(store)?.then(|| Rooted::at(self.0)))
            }

            /// The type of what it refers to.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn ty(&self, store: impl AsContext) -> Result<HeapType, Error> {
                let inner = &store.as_context().0.inner;
                Ok(inner.heap_type_of(self.0.handle(inner)?))
            }

            /// Whether what it refers to is of a type.
            ///
            /// # Errors
            /// If its scope has ended, or it is of another store.
            pub fn matches_ty(&self, store: impl AsContext, ty: &HeapType) -> Result<bool, Error> {
                Ok(self.ty(store)?.matches(ty))
            }
        }
    )*};
}

references! { AnyRef EqRef ExnRef }
may_be_i31! { AnyRef EqRef }

impl StoreInner {
    /// The type of what a handle refers to, which is null's only if that is.
    pub(super) fn heap_type_of(&self, handle: u32) -> HeapType {
        if I31::of_handle(handle).is_some() {
            return HeapType::I31;
        }
        let Some(heap) = &self.heap else {
            return HeapType::None;
        };
        match heap.object(handle) {
            Some(Object::Defined(info)) => HeapType::exact(self.engine.types().get(info.id)),
            Some(Object::Extern) => HeapType::Any,
            Some(Object::Exn) => HeapType::Exn,
            None => HeapType::None,
        }
    }
}

impl AnyRef {
    /// The reference that a guest would have after `any.convert_extern`.
    ///
    /// # Errors
    /// If the reference's scope has ended, or it is of another store.
    pub fn convert_extern(store: impl AsContext, value: Rooted<ExternRef>) -> Result<Rooted<Self>, Error> {
        value.handle(&store.as_context().0.inner)?;
        Ok(value.cast())
    }

    /// Whether it is one to what can be compared.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn is_eqref(&self, store: impl AsContext) -> Result<bool, Error> {
        self.matches_ty(store, &HeapType::Eq)
    }

    /// The same reference as one to what can be compared, if it is one.
    ///
    /// # Errors
    /// If its scope has ended, or it is of another store.
    pub fn as_eqref(&self, store: impl AsContext) -> Result<Option<Rooted<EqRef>>, Error> {
        Ok(self.is_eqref(store)?.then(|| Rooted::at(self.0)))
    }
}

impl Rooted<EqRef> {
    /// The same reference as one to anything.
    pub fn to_anyref(self) -> Rooted<AnyRef> {
        self.cast()
    }
}

impl From<Rooted<EqRef>> for Rooted<AnyRef> {
    fn from(value: Rooted<EqRef>) -> Self {
        value.to_anyref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31s_are_odd_handles() {
        for value in [0, 1, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff] {
            let i31 = I31::new_u32(value).expect("31 bits");
            assert_eq!(I31::of_handle(i31.handle()), Some(i31));
            assert_eq!(I31::new_i32(i31.get_i32()), Some(i31));
        }
        assert_eq!(I31::of_handle(16), None);
        assert_eq!(I31::new_u32(0x8000_0000), None);
        assert_eq!(I31::new_i32(-0x4000_0000).map(|i31| i31.get_i32()), Some(-0x4000_0000));
    }
}
