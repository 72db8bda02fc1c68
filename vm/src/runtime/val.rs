//! Values as the embedder sees them.

use super::any_ref::{AnyRef, EqRef, ExnRef};
use super::extern_ref::ExternRef;
use super::func::Func;
use super::roots::{GcRef, Rooted};
use super::store::StoreInner;
use crate::error::{Error, TypeError};
use crate::exec::context::FuncRef;
use crate::exec::slow::func_slot;
use crate::types::{HeapType, RefType, ValType};

/// A `v128`: 128 bits, of which lane 0 of any shape is the lowest.
///
/// ```
/// use vm::V128;
///
/// let ones = V128::from(u128::from_le_bytes([1; 16]));
/// assert_eq!(ones.as_u128() >> 120, 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct V128(u128);

impl V128 {
    /// Its bits.
    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// The two slots, the low half first.
    pub(crate) fn to_slots(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// The vector in two slots.
    pub(crate) fn from_two([low, high]: [u64; 2]) -> Self {
        Self(u128::from(low) | u128::from(high) << 64)
    }
}

impl From<u128> for V128 {
    fn from(bits: u128) -> Self {
        Self(bits)
    }
}

impl From<V128> for u128 {
    fn from(vector: V128) -> Self {
        vector.0
    }
}

/// A value. Floats are their bits, so that no NaN changes on the way.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
    /// A `v128`.
    V128(V128),
    /// A `funcref`, `None` for null.
    FuncRef(Option<Func>),
    /// An `externref`, `None` for null.
    ExternRef(Option<Rooted<ExternRef>>),
    /// An `anyref`, `None` for null.
    AnyRef(Option<Rooted<AnyRef>>),
    /// An `exnref`, `None` for null.
    ExnRef(Option<Rooted<ExnRef>>),
}

impl Val {
    /// The number of a type with these bits, of which an `i32` or `f32` has the low
    /// half; `None` if the type is no number's.
    ///
    /// ```
    /// use vm::{Val, ValType};
    ///
    /// let number = Val::from_bits(0xffff_ffff, &ValType::I32).unwrap();
    /// assert_eq!((number.i32(), number.to_bits()), (Some(-1), Some(0xffff_ffff)));
    /// assert!(Val::from_bits(0, &ValType::FUNCREF).is_none());
    /// ```
    pub fn from_bits(bits: u64, ty: &ValType) -> Option<Self> {
        match ty {
            ValType::I32 => Some(Self::I32((bits as u32).cast_signed())),
            ValType::I64 => Some(Self::I64(bits.cast_signed())),
            ValType::F32 => Some(Self::F32(bits as u32)),
            ValType::F64 => Some(Self::F64(bits)),
            _ => None,
        }
    }

    /// The bits of a number, zeros above those of an `i32` or `f32`; `None` for
    /// vectors and references.
    pub fn to_bits(&self) -> Option<u64> {
        match self {
            Self::I32(value) => Some(u64::from(value.cast_unsigned())),
            Self::I64(value) => Some(value.cast_unsigned()),
            Self::F32(bits) => Some(u64::from(*bits)),
            Self::F64(bits) => Some(*bits),
            Self::V128(_) | Self::FuncRef(_) | Self::ExternRef(_) | Self::AnyRef(_) | Self::ExnRef(_) => None,
        }
    }

    /// Its type.
    pub fn ty(&self) -> ValType {
        match self {
            Self::I32(_) => ValType::I32,
            Self::I64(_) => ValType::I64,
            Self::F32(_) => ValType::F32,
            Self::F64(_) => ValType::F64,
            Self::V128(_) => ValType::V128,
            Self::FuncRef(_) => ValType::FUNCREF,
            Self::ExternRef(_) => ValType::EXTERNREF,
            Self::AnyRef(_) => ValType::ANYREF,
            Self::ExnRef(_) => ValType::EXNREF,
        }
    }

    /// The value that locals of a type start with; `None` for references that cannot
    /// be null.
    pub fn default_for_ty(ty: &ValType) -> Option<Self> {
        Some(match ty {
            ValType::I32 => Self::I32(0),
            ValType::I64 => Self::I64(0),
            ValType::F32 => Self::F32(0),
            ValType::F64 => Self::F64(0),
            ValType::V128 => Self::V128(V128::default()),
            ValType::Ref(ty) if ty.is_nullable() => Ref::null(ty.heap_type()).into(),
            ValType::Ref(_) => return None,
        })
    }

    /// The `i32`, if it is one.
    pub fn i32(&self) -> Option<i32> {
        if let Self::I32(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The `i64`, if it is one.
    pub fn i64(&self) -> Option<i64> {
        if let Self::I64(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The `f32`, if it is one.
    pub fn f32(&self) -> Option<f32> {
        if let Self::F32(bits) = self {
            Some(f32::from_bits(*bits))
        } else {
            None
        }
    }

    /// The `f64`, if it is one.
    pub fn f64(&self) -> Option<f64> {
        if let Self::F64(bits) = self {
            Some(f64::from_bits(*bits))
        } else {
            None
        }
    }

    /// The `v128`, if it is one.
    pub fn v128(&self) -> Option<V128> {
        if let Self::V128(vector) = self {
            Some(*vector)
        } else {
            None
        }
    }

    /// The reference, if it is one.
    pub fn as_ref(&self) -> Option<Ref> {
        match self {
            Self::FuncRef(func) => Some(Ref::Func(*func)),
            Self::ExternRef(value) => Some(Ref::Extern(*value)),
            Self::AnyRef(value) => Some(Ref::Any(*value)),
            Self::ExnRef(value) => Some(Ref::Exn(*value)),
            _ => None,
        }
    }

    /// The slots of the value; the second is 0 but for `v128`.
    ///
    /// # Errors
    /// If it is not of type `ty`, or a reference of another store.
    pub(crate) fn to_slots(self, ty: &ValType, store: &StoreInner) -> Result<[u64; 2], Error> {
        let mismatch = |found| {
            Err(TypeError::Value {
                expected: ty.clone(),
                found,
            }
            .into())
        };
        let own = self.ty();
        let (Some(own_ref), Some(wanted)) = (own.as_ref(), ty.as_ref()) else {
            return match self {
                _ if own != *ty => mismatch(own),
                Self::V128(vector) => Ok(vector.to_slots()),
                number => Ok([number.to_bits().unwrap_or(0), 0]),
            };
        };
        if own_ref.heap_type().top() != wanted.heap_type().top() {
            return mismatch(own);
        }
        let slot = match self {
            Self::I32(_) | Self::I64(_) | Self::F32(_) | Self::F64(_) | Self::V128(_) => {
                unreachable!("they are no references")
            }
            Self::FuncRef(func) => func_slot(func.map(|func| func.within(store)).transpose()?),
            Self::ExternRef(value) => handle_slot(value, store)?,
            Self::AnyRef(value) => handle_slot(value, store)?,
            Self::ExnRef(value) => handle_slot(value, store)?,
        };
        // What the value itself is of, which its static type need not say.
        let found = match self {
            Self::FuncRef(Some(_)) if *wanted.heap_type() == HeapType::Func => RefType::new(false, HeapType::Func),
            Self::FuncRef(Some(func)) => RefType::new(false, HeapType::ExactFunc(func.ty_in(store))),
            Self::FuncRef(None) => RefType::new(true, HeapType::NoFunc),
            Self::ExternRef(None) => RefType::new(true, HeapType::NoExtern),
            Self::AnyRef(None) => RefType::new(true, HeapType::None),
            Self::AnyRef(Some(_)) => RefType::new(false, store.heap_type_of(slot as u32)),
            Self::ExnRef(None) => RefType::new(true, HeapType::NoExn),
            _ => RefType::new(false, own_ref.heap_type().clone()),
        };
        match found.matches(wanted) {
            true => Ok([slot, 0]),
            false => mismatch(ValType::Ref(found)),
        }
    }

    /// The value of type `ty` in a slot, or in two if it is a `v128`.
    pub(crate) fn from_slots(slots: [u64; 2], ty: &ValType, store: &StoreInner) -> Self {
        let [slot, _] = slots;
        if let Some(number) = Self::from_bits(slot, ty) {
            return number;
        }
        match ty {
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 => unreachable!("they are numbers"),
            ValType::V128 => Self::V128(V128::from_two(slots)),
            ValType::Ref(ty) => match ty.heap_type().top() {
                HeapType::Func => Self::FuncRef(FuncRef::from_slot(slot).map(|func| Func::new_handle(store.id, func))),
                HeapType::Extern => Self::ExternRef(Rooted::from_slot(slot, store)),
                HeapType::Exn => Self::ExnRef(Rooted::from_slot(slot, store)),
                _ => Self::AnyRef(Rooted::from_slot(slot, store)),
            },
        }
    }
}

/// The slot of a reference to an object.
fn handle_slot<T: GcRef>(value: Option<Rooted<T>>, store: &StoreInner) -> Result<u64, Error> {
    let handle = value.map(|value| value.handle(store)).transpose()?;
    Ok(handle.unwrap_or(0).into())
}

impl From<i32> for Val {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Self {
        Self::F32(value.to_bits())
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Self::F64(value.to_bits())
    }
}

impl From<u128> for Val {
    fn from(value: u128) -> Self {
        Self::V128(value.into())
    }
}

impl From<V128> for Val {
    fn from(value: V128) -> Self {
        Self::V128(value)
    }
}

impl From<Func> for Val {
    fn from(func: Func) -> Self {
        Self::FuncRef(Some(func))
    }
}

macro_rules! from_rooted {
    ($($reference:ident $val:ident $kind:ident;)*) => {$(
        impl From<Rooted<$reference>> for Val {
            fn from(value: Rooted<$reference>) -> Self {
                Self::$val(Some(value.into()))
            }
        }

        impl From<Rooted<$reference>> for Ref {
            fn from(value: Rooted<$reference>) -> Self {
                Self::$kind(Some(value.into()))
            }
        }
    )*};
}

from_rooted! {
    ExternRef ExternRef Extern;
    AnyRef AnyRef Any;
    EqRef AnyRef Any;
    ExnRef ExnRef Exn;
}

impl From<Ref> for Val {
    fn from(value: Ref) -> Self {
        match value {
            Ref::Func(func) => Self::FuncRef(func),
            Ref::Extern(value) => Self::ExternRef(value),
            Ref::Any(value) => Self::AnyRef(value),
            Ref::Exn(value) => Self::ExnRef(value),
        }
    }
}

/// A reference: what tables hold.
#[derive(Clone, Copy, Debug)]
pub enum Ref {
    /// A `funcref`, `None` for null.
    Func(Option<Func>),
    /// An `externref`, `None` for null.
    Extern(Option<Rooted<ExternRef>>),
    /// An `anyref`, `None` for null.
    Any(Option<Rooted<AnyRef>>),
    /// An `exnref`, `None` for null.
    Exn(Option<Rooted<ExnRef>>),
}

impl Ref {
    /// The null reference of a type.
    pub fn null(ty: &HeapType) -> Self {
        match ty.top() {
            HeapType::Func => Self::Func(None),
            HeapType::Extern => Self::Extern(None),
            HeapType::Exn => Self::Exn(None),
            _ => Self::Any(None),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(
            self,
            Self::Func(None) | Self::Extern(None) | Self::Any(None) | Self::Exn(None)
        )
    }

    /// The slot of the reference, which must be of type `ty`.
    pub(crate) fn to_slot(self, ty: &RefType, store: &StoreInner) -> Result<u64, Error> {
        let [slot, _] = Val::from(self).to_slots(&ValType::Ref(ty.clone()), store)?;
        Ok(slot)
    }

    /// The reference in a slot of type `ty`.
    pub(crate) fn from_slot(slot: u64, ty: &RefType, store: &StoreInner) -> Self {
        Val::from_slots([slot, 0], &ValType::Ref(ty.clone()), store)
            .as_ref()
            .expect("the type is a reference type")
    }
}

/// Values of types in the slots of a call, in order.
pub(crate) fn read_slots<'a>(
    slots: &'a [u64],
    types: impl Iterator<Item = ValType> + 'a,
    store: &'a StoreInner,
) -> impl Iterator<Item = Val> + 'a {
    let mut slots = slots.iter().copied();
    types.map(move |ty| {
        let mut next = || slots.next().unwrap_or(0);
        let low = next();
        let high = if ty.slots() == 2 { next() } else { 0 };
        Val::from_slots([low, high], &ty, store)
    })
}

/// Writes the slots of values of types, in order.
///
/// # Errors
/// If a value is of another type than it should be, or a reference of another store.
pub(crate) fn write_slots(
    values: &[Val],
    types: impl Iterator<Item = ValType>,
    store: &StoreInner,
    mut write: impl FnMut(u64),
) -> Result<(), Error> {
    for (value, ty) in values.iter().zip(types) {
        let [low, high] = value.to_slots(&ty, store)?;
        write(low);
        if ty.slots() == 2 {
            write(high);
        }
    }
    Ok(())
}

impl From<Func> for Ref {
    fn from(func: Func) -> Self {
        Self::Func(Some(func))
    }
}
