//! Rust types that stand for wasm types.

use super::any_ref::{AnyRef, EqRef, ExnRef};
use super::context::Caller;
use super::extern_ref::ExternRef;
use super::func::Func;
use super::roots::Rooted;
use super::store::StoreInner;
use super::val::V128;
use crate::error::Error;
use crate::exec::context::FuncRef;
use crate::exec::host::{HostCall, HostDef};
use crate::exec::slow::func_slot;
use crate::types::{FuncType, HeapType, RefType, ValType};

mod sealed {
    /// Keeps the traits of this file to the types of this file.
    pub trait Sealed {}
}
use sealed::Sealed;

/// A Rust type that stands for a wasm value type.
pub trait WasmTy: Sealed + Copy + Send + 'static {
    /// The wasm type.
    #[doc(hidden)]
    fn val_type() -> ValType;
    /// Whether the value may enter the store.
    #[doc(hidden)]
    fn check(self, store: &StoreInner) -> Result<(), Error>;
    /// Whether it takes two slots.
    #[doc(hidden)]
    const TWO_SLOTS: bool = false;
    /// The value as a slot, or its low half.
    #[doc(hidden)]
    fn into_slot(self, store: &StoreInner) -> u64;
    /// The value's high half, if it takes two slots.
    #[doc(hidden)]
    fn into_high_slot(self) -> u64 {
        0
    }
    /// The value of a slot in a store.
    #[doc(hidden)]
    fn from_slot(slot: u64, store: &StoreInner) -> Self;
    /// The value of two slots in a store, if it takes two, or of the first.
    #[doc(hidden)]
    #[inline]
    fn from_slots(low: u64, _high: u64, store: &StoreInner) -> Self {
        Self::from_slot(low, store)
    }
}

/// Writes the slots of a value, if they are there.
#[inline]
fn write_value<'s, T: WasmTy>(value: T, slots: &mut impl Iterator<Item = &'s mut u64>, store: &StoreInner) {
    if let Some(slot) = slots.next() {
        *slot = value.into_slot(store);
    }
    if T::TWO_SLOTS
        && let Some(slot) = slots.next()
    {
        *slot = value.into_high_slot();
    }
}

/// Reads a value; slots that are not there are 0.
#[inline]
fn read_value<T: WasmTy>(slots: &mut impl Iterator<Item = u64>, store: &StoreInner) -> T {
    let mut next = || slots.next().unwrap_or(0);
    let low = next();
    let high = if T::TWO_SLOTS { next() } else { 0 };
    T::from_slots(low, high, store)
}

macro_rules! numbers {
    ($($ty:ident $val:ident |$value:ident| $into:expr, |$slot:ident| $from:expr;)*) => {$(
        impl Sealed for $ty {}
        impl WasmTy for $ty {
            fn val_type() -> ValType {
                ValType::$val
            }
            #[inline]
            fn check(self, _: &StoreInner) -> Result<(), Error> {
                Ok(())
            }
            #[inline]
            fn into_slot(self, _: &StoreInner) -> u64 {
                let $value = self;
                $into
            }
            #[inline]
            fn from_slot($slot: u64, _: &StoreInner) -> Self {
                $from
            }
        }
    )*};
}

// 32-bit values are the low half of their slots.
numbers! {
    i32 I32 |value| u64::from(value.cast_unsigned()), |slot| slot as u32 as i32;
    u32 I32 |value| u64::from(value), |slot| slot as u32;
    i64 I64 |value| value.cast_unsigned(), |slot| slot.cast_signed();
    u64 I64 |value| value, |slot| slot;
    f32 F32 |value| u64::from(value.to_bits()), |slot| f32::from_bits(slot as u32);
    f64 F64 |value| value.to_bits(), |slot| f64::from_bits(slot);
}

impl Sealed for V128 {}
impl WasmTy for V128 {
    fn val_type() -> ValType {
        ValType::V128
    }
    #[inline]
    fn check(self, _: &StoreInner) -> Result<(), Error> {
        Ok(())
    }
    const TWO_SLOTS: bool = true;
    #[inline]
    fn into_slot(self, _: &StoreInner) -> u64 {
        self.to_slots()[0]
    }
    #[inline]
    fn into_high_slot(self) -> u64 {
        self.to_slots()[1]
    }
    #[inline]
    fn from_slot(slot: u64, store: &StoreInner) -> Self {
        Self::from_slots(slot, 0, store)
    }
    #[inline]
    fn from_slots(low: u64, high: u64, _: &StoreInner) -> Self {
        Self::from_two([low, high])
    }
}

impl Sealed for Option<Func> {}
impl WasmTy for Option<Func> {
    fn val_type() -> ValType {
        ValType::FUNCREF
    }
    fn check(self, store: &StoreInner) -> Result<(), Error> {
        self.map_or(Ok(()), |func| func.within(store).map(|_| ()))
    }
    fn into_slot(self, _: &StoreInner) -> u64 {
        func_slot(self.map(Func::func_ref))
    }
    fn from_slot(slot: u64, store: &StoreInner) -> Self {
        FuncRef::from_slot(slot).map(|func| Func::new_handle(store.id, func))
    }
}

/// References to objects, as `Option`s where null is one of the values, and without.
macro_rules! references {
    ($($reference:ident $heap:ident;)*) => {$(
        impl Sealed for Option<Rooted<$reference>> {}
        impl WasmTy for Option<Rooted<$reference>> {
            fn val_type() -> ValType {
                ValType::Ref(RefType::new(true, HeapType::$heap))
            }
            fn check(self, store: &StoreInner) -> Result<(), Error> {
                self.map_or(Ok(()), |value| Ok(value.handle(store).map(|_| ())?))
            }
            fn into_slot(self, store: &StoreInner) -> u64 {
                let handle = self.map(|value| value.handle(store).expect("it was checked"));
                handle.unwrap_or(0).into()
            }
            fn from_slot(slot: u64, store: &StoreInner) -> Self {
                Rooted::from_slot(slot, store)
            }
        }

        impl Sealed for Rooted<$reference> {}
        impl WasmTy for Rooted<$reference> {
            fn val_type() -> ValType {
                ValType::Ref(RefType::new(false, HeapType::$heap))
            }
            fn check(self, store: &StoreInner) -> Result<(), Error> {
                Ok(self.handle(store).map(|_| ())?)
            }
            fn into_slot(self, store: &StoreInner) -> u64 {
                self.handle(store).expect("it was checked").into()
            }
            fn from_slot(slot: u64, store: &StoreInner) -> Self {
                Rooted::from_slot(slot, store).expect("the type has no null")
            }
        }
    )*};
}

references! {
    ExternRef Extern;
    AnyRef Any;
    EqRef Eq;
    ExnRef Exn;
}

/// Parameters: one [`WasmTy`], or a tuple of up to 17.
pub trait WasmParams: Sealed + Send + 'static {
    /// Their wasm types.
    #[doc(hidden)]
    fn types() -> impl Iterator<Item = ValType>;
    /// Whether the values may enter the store.
    #[doc(hidden)]
    fn check(&self, store: &StoreInner) -> Result<(), Error>;
    /// Writes the values to a call's slots.
    #[doc(hidden)]
    fn write(self, slots: &mut [u64], store: &StoreInner);
}

/// Results: nothing, one [`WasmTy`], or a tuple of up to 17.
pub trait WasmResults: WasmParams {
    /// Reads the values from a call's slots.
    #[doc(hidden)]
    fn read(slots: &[u64], store: &StoreInner) -> Self;
}

/// What closures of host functions give: [`WasmResults`], or a `Result` of
/// those.
pub trait WasmRet: Sealed + 'static {
    /// The values.
    #[doc(hidden)]
    type Values: WasmResults;
    /// The values, or the error that ends the caller.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Values, Error>;
}

impl<T: WasmTy> WasmParams for T {
    fn types() -> impl Iterator<Item = ValType> {
        std::iter::once(T::val_type())
    }
    #[inline]
    fn check(&self, store: &StoreInner) -> Result<(), Error> {
        T::check(*self, store)
    }
    #[inline]
    fn write(self, slots: &mut [u64], store: &StoreInner) {
        write_value(self, &mut slots.iter_mut(), store);
    }
}

impl<T: WasmTy> WasmResults for T {
    #[inline]
    fn read(slots: &[u64], store: &StoreInner) -> Self {
        read_value(&mut slots.iter().copied(), store)
    }
}

impl<T: WasmTy> WasmRet for T {
    type Values = Self;
    #[inline]
    fn into_result(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<R: WasmResults> Sealed for Result<R, Error> {}
impl<R: WasmResults> WasmRet for Result<R, Error> {
    type Values = R;
    #[inline]
    fn into_result(self) -> Self {
        self
    }
}

/// A closure that can be a host function of stores with data of type `T`.
///
/// `P` and `R` only tell closures of different forms apart.
pub trait IntoFunc<T, P, R>: Send + Sync + 'static {
    /// The definition of the function.
    #[doc(hidden)]
    fn into_def(self) -> HostDef;
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: WasmTy),*> Sealed for ($($name,)*) {}

        #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
            fn types() -> impl Iterator<Item = ValType> {
                let types: [ValType; tuples!(@count $($name)*)] = [$($name::val_type()),*];
                types.into_iter()
            }
            #[inline]
            fn check(&self, store: &StoreInner) -> Result<(), Error> {
                let ($($name,)*) = *self;
                $(WasmTy::check($name, store)?;)*
                Ok(())
            }
            #[inline]
            fn write(self, slots: &mut [u64], store: &StoreInner) {
                let ($($name,)*) = self;
                let mut slots = slots.iter_mut();
                $(write_value($name, &mut slots, store);)*
            }
        }

        #[allow(unused_variables, unused_mut, clippy::unused_unit)]
        impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
            #[inline]
            fn read(slots: &[u64], store: &StoreInner) -> Self {
                let mut slots = slots.iter().copied();
                ($(read_value::<$name>(&mut slots, store),)*)
            }
        }

        impl<$($name: WasmTy),*> WasmRet for ($($name,)*) {
            type Values = Self;
            #[inline]
            fn into_result(self) -> Result<Self, Error> {
                Ok(self)
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<T: 'static, F, R, $($name: WasmTy),*> IntoFunc<T, ($($name,)*), R> for F
        where
            F: Fn($($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn into_def(self) -> HostDef {
                define::<T, ($($name,)*), R>(move |_, ($($name,)*)| self($($name),*))
            }
        }

        #[allow(non_snake_case, unused_variables)]
        impl<T: 'static, F, R, $($name: WasmTy),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
        where
            F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            R: WasmRet,
        {
            fn into_def(self) -> HostDef {
                define::<T, ($($name,)*), R>(move |caller, ($($name,)*)| self(caller, $($name),*))
            }
        }
    };
    (@count) => { 0 };
    (@count $head:ident $($tail:ident)*) => { 1 + tuples!(@count $($tail)*) };
}

/// The definition of a host function from a closure over its parameters.
fn define<T: 'static, P: WasmResults, R: WasmRet>(
    func: impl Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
) -> HostDef {
    let ty = FuncType::new(P::types(), R::Values::types());
    let call = move |call: HostCall<'_>| {
        let (mut caller, slots) = call.parts::<T>();
        let params = P::read(slots, caller.store_inner());
        let values = func(caller.reborrow(), params).into_result()?;
        values.check(caller.store_inner())?;
        values.write(slots, caller.store_inner());
        Ok(())
    };
    HostDef {
        ty,
        call: Box::new(call),
        need: None,
    }
}

tuples!();
tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E G);
tuples!(A B C D E G H);
tuples!(A B C D E G H I);
tuples!(A B C D E G H I J);
tuples!(A B C D E G H I J K);
tuples!(A B C D E G H I J K L);
tuples!(A B C D E G H I J K L M);
tuples!(A B C D E G H I J K L M N);
tuples!(A B C D E G H I J K L M N O);
tuples!(A B C D E G H I J K L M N O Q);
tuples!(A B C D E G H I J K L M N O Q S);
tuples!(A B C D E G H I J K L M N O Q S U);
