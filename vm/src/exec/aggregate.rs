//! Aggregate operators (Spec 3.0 §4.6.4): fields of structs, elements of arrays, and
//! the making of structs. Arrays are made and filled by `exec/array.rs`.

use super::context::Cx;
use super::control::{raise, trap};
use super::dispatch::{Handler, goto, handler, next};
use super::exit;
use super::heap::alloc::bump;
use super::heap::guest;
use super::heap::shape::{ARRAY_DATA, ARRAY_LEN, Shape};
use super::operand::{A, At, B, Destinations, Dst, PINNED_FLOATS, Prim, S, SHORT, SRC, Src};
use super::simd::vector::Vector;
use crate::trap::Trap;
use crate::types::TypeInfo;

/// How a field or element is read: in memory, and as a value.
pub(crate) trait Field {
    /// What it is in memory.
    type Mem: Copy;
    /// The value.
    type Out: Prim;
    /// The value of what is in memory.
    fn value(memory: Self::Mem) -> Self::Out;
}

/// How a field or element is written.
pub(crate) trait Stored: Prim {
    /// What it is in memory.
    type Mem: Copy;
    /// What stands in memory for a value.
    fn memory(self) -> Self::Mem;
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $mem:ident -> $out:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}
        impl Field for $name {
            type Mem = $mem;
            type Out = $out;
            #[inline(always)]
            fn value(memory: $mem) -> $out {
                $out::from(memory)
            }
        }
    )*};
}

fields! {
    /// `i8`, with its sign.
    I8S i8 -> i32;
    /// `i8`
    I8U u8 -> u32;
    /// `i16`, with its sign.
    I16S i16 -> i32;
    /// `i16`
    I16U u16 -> u32;
    /// `i32`, or a handle.
    Word u32 -> u32;
    /// `i64`, or a reference to a function.
    Long u64 -> u64;
    /// `f32`
    Float f32 -> f32;
    /// `f64`
    Double f64 -> f64;
    /// `v128`
    Wide Vector -> Vector;
}

/// A value of 32 bits of which a field has the low `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Packed<const N: usize>(u32);

macro_rules! stored {
    ($($ty:ty => $mem:ident, |$value:ident| $memory:expr;)*) => {$(
        impl Stored for $ty {
            type Mem = $mem;
            #[inline(always)]
            fn memory(self) -> $mem {
                let $value = self;
                $memory
            }
        }
    )*};
}

stored! {
    Packed<1> => u8, |value| value.0 as u8;
    Packed<2> => u16, |value| value.0 as u16;
    u32 => u32, |value| value;
    u64 => u64, |value| value;
    f32 => f32, |value| value;
    f64 => f64, |value| value;
    Vector => Vector, |value| value;
}

impl<const N: usize> Prim for Packed<N> {
    const WIDE: bool = false;
    const TY: crate::ir::stack::Ty = crate::ir::stack::Ty::I32;
    const FLOAT: bool = false;
    #[inline(always)]
    fn from_slot(slot: u64) -> Self {
        Self(slot as u32)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self.0)
    }
    #[inline(always)]
    fn from_acc(s: &super::dispatch::Regs) -> Self {
        Self::from_slot(s.a0)
    }
    #[inline(always)]
    fn to_acc(self, s: &mut super::dispatch::Regs) {
        s.a0 = self.to_slot();
    }
    #[inline(always)]
    fn from_pin<const P: usize>(s: &super::dispatch::Regs) -> Self {
        Self::from_slot(s.a1)
    }
    #[inline(always)]
    fn to_pin<const P: usize>(self, s: &mut super::dispatch::Regs) {
        s.a1 = self.to_slot();
    }
}

/// An element's address: that of a field's is at an offset known from its type.
///
/// # Safety
/// `cx` is a running context, `handle` that of an array in whose bounds `index` is.
#[inline(always)]
unsafe fn element<M>(cx: *mut Cx, handle: u32, index: u32) -> *mut M {
    // SAFETY: the caller's promise.
    unsafe {
        let elements = (*cx).heap.add(handle as usize).add(ARRAY_DATA as usize);
        elements.add(index as usize * size_of::<M>()).cast()
    }
}

/// The length of an array.
///
/// # Safety
/// `cx` is a running context, `handle` that of an array.
#[inline(always)]
pub(super) unsafe fn array_len_of(cx: *mut Cx, handle: u32) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        (*cx)
            .heap
            .add(handle as usize)
            .add(ARRAY_LEN as usize)
            .cast::<u32>()
            .read()
    }
}

/// Fields of the instruction that makes a struct.
const NEW_COUNT: usize = 10;
const NEW_CLASS: usize = 12;
const NEW_END: usize = 14;
const NEW_INFO: usize = 16;
/// Where its words for fields begin.
pub(crate) const NEW_FIELDS: usize = 24;

/// A class that no object has.
pub(crate) const NO_CLASS: u16 = u16::MAX;

/// Bytes of the instruction.
///
/// # Safety
/// `ip` is at such an instruction.
#[inline(always)]
unsafe fn new_len(ip: *const u8) -> usize {
    // SAFETY: the caller's promise.
    NEW_FIELDS + 8 * usize::from(unsafe { ip.add(NEW_COUNT).cast::<u16>().read() })
}

/// Writes the fields of a new struct. Each has a word in the instruction at `ip`: the
/// value's slot, the logarithm of its bytes, and its offset.
///
/// # Safety
/// `ip` is at such an instruction, of which `fp` is the frame; the object is of its type.
#[inline(always)]
unsafe fn write_fields(ip: *const u8, fp: *const u64, object: *mut u8) {
    // SAFETY: the caller's promise; the instruction's slots are in the frame and its
    // offsets in the object.
    unsafe {
        let count = usize::from(ip.add(NEW_COUNT).cast::<u16>().read());
        let mut field = ip.add(NEW_FIELDS).cast::<u64>();
        let end = field.add(count);
        while field != end {
            let word = field.read();
            let value = fp.add(usize::from(word as u16));
            let to = object.add((word >> 32) as usize);
            match word as u32 >> 16 {
                0 => to.write(value.read() as u8),
                1 => to.cast::<u16>().write(value.read() as u16),
                2 => to.cast::<u32>().write(value.read() as u32),
                3 => to.cast::<u64>().write(value.read()),
                _ => Vector::read(value).write(to.cast()),
            }
            field = field.add(1);
        }
    }
}

/// A new struct for the instruction at `ip`, where none is at hand: its handle, or an
/// exit code with the bit above.
#[cold]
#[inline(never)]
unsafe fn new_slow(ip: *const u8, fp: *mut u64, cx: *mut Cx) -> u64 {
    let mut handle = 0;
    // SAFETY: `ip` is at such an instruction, `fp` its frame and `cx` the running
    // context. The frame is in use up to the slot that the instruction names, and its
    // operands stand before that.
    unsafe {
        let info = ip.add(NEW_INFO).cast::<*const TypeInfo>().read();
        let end = fp.add(usize::from(ip.add(NEW_END).cast::<u16>().read()));
        let shape: *const Shape = &raw const (*info).shape;
        let code = guest::allocate(cx, end, shape, u64::from((*shape).size()), &mut handle);
        if code != exit::DONE {
            return code | 1 << 32;
        }
        write_fields(ip, fp, (*cx).heap.add(handle as usize));
    }
    handle
}

handler! {
    /// `struct.get`: the object is in the slot at byte 10 or the accumulator, the
    /// field's offset stands at byte 12.
    fn struct_get<F: Field, I: Src, D: Dst>(s) {
        let handle = I::get::<u32>(&s, At::slot(SRC));
        if handle == 0 {
            return trap(s, Trap::NullStructReference);
        }
        let offset = s.field::<u32>(12) as usize;
        let memory = (*s.cx).heap.add(handle as usize).add(offset).cast::<F::Mem>().read_unaligned();
        D::put(&mut s, F::value(memory));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `struct.set`: the object is in the slot at byte 8, the value in that at byte 10
    /// or the accumulator, the field's offset stands at byte 12.
    fn struct_set<T: Stored, V: Src>(s) {
        let value = V::get::<T>(&s, At::slot(10));
        let handle = s.slot_at(8).read() as u32;
        if handle == 0 {
            return trap(s, Trap::NullStructReference);
        }
        let offset = s.field::<u32>(12) as usize;
        (*s.cx).heap.add(handle as usize).add(offset).cast::<T::Mem>().write_unaligned(value.memory());
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `array.get`: the array is in the slot at byte 10, the index in that at byte 12 or
    /// the accumulator.
    fn array_get<F: Field, I: Src, D: Dst>(s) {
        let index = I::get::<u32>(&s, At::slot(12));
        let handle = s.slot_at(SRC).read() as u32;
        if handle == 0 {
            return trap(s, Trap::NullArrayReference);
        }
        if index >= array_len_of(s.cx, handle) {
            return trap(s, Trap::ArrayOutOfBounds);
        }
        let memory = element::<F::Mem>(s.cx, handle, index).read_unaligned();
        D::put(&mut s, F::value(memory));
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `array.set`: the array is in the slot at byte 8, the index in that at byte 10,
    /// the value in that at byte 12 or the accumulator.
    fn array_set<T: Stored, V: Src>(s) {
        let value = V::get::<T>(&s, At::slot(12));
        let index = s.slot_at(10).read() as u32;
        let handle = s.slot_at(8).read() as u32;
        if handle == 0 {
            return trap(s, Trap::NullArrayReference);
        }
        if index >= array_len_of(s.cx, handle) {
            return trap(s, Trap::ArrayOutOfBounds);
        }
        element::<T::Mem>(s.cx, handle, index).write_unaligned(value.memory());
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `array.len`
    fn array_len<I: Src, D: Dst>(s) {
        let handle = I::get::<u32>(&s, At::slot(SRC));
        if handle == 0 {
            return trap(s, Trap::NullArrayReference);
        }
        let len = array_len_of(s.cx, handle);
        D::put(&mut s, len);
        s.ip = s.ip.add(SHORT);
        next(s)
    }

    /// `struct.new`: at byte 10 stands the number of fields that have values, at 12 the
    /// class of the object's size, at 14 the end of the part of the frame that is in use,
    /// at 16 the type's record, then a word for each field ([`write_fields`]).
    fn struct_new<D: Dst>(s) {
        let info = s.field::<*const TypeInfo>(NEW_INFO);
        let handle = bump(s.cx, usize::from(s.field::<u16>(NEW_CLASS)), &raw const (*info).shape);
        if handle == 0 {
            return goto(s, struct_new_slow::<D>);
        }
        write_fields(s.ip, s.fp, (*s.cx).heap.add(handle as usize));
        D::put(&mut s, handle);
        s.ip = s.ip.add(new_len(s.ip));
        next(s)
    }

    /// [`struct_new`] where no object is at hand.
    #[inline(never)]
    fn struct_new_slow<D: Dst>(s) {
        let handle = new_slow(s.ip, s.fp, s.cx);
        if handle >> 32 != 0 {
            s.a0 = u64::from(handle as u32);
            return goto(s, raise);
        }
        D::put(&mut s, handle as u32);
        s.ip = s.ip.add(new_len(s.ip));
        next(s)
    }
}

/// The [`Destinations`] of a handler whose last parameter is the destination, without
/// pinned locals.
macro_rules! few_destinations {
    ($handler:ident, $($params:ty),*) => {
        Destinations {
            slot: $handler::<$($params,)* S>,
            acc: $handler::<$($params,)* A>,
            both: $handler::<$($params,)* B>,
            pinned: [None; PINNED_FLOATS],
        }
    };
}

/// What the translator knows of how fields and elements are read.
#[derive(Debug)]
pub(crate) struct GetInfo {
    /// `struct.get` by the object: in a slot, the accumulator.
    pub(crate) field: [Destinations; 2],
    /// `array.get` by the index: in a slot, the accumulator.
    pub(crate) element: [Destinations; 2],
}

impl GetInfo {
    const fn of<F: Field>() -> Self {
        Self {
            field: [few_destinations!(struct_get, F, S), few_destinations!(struct_get, F, A)],
            element: [few_destinations!(array_get, F, S), few_destinations!(array_get, F, A)],
        }
    }
}

/// What the translator knows of how fields and elements are written: by the value, in a
/// slot or the accumulator.
#[derive(Debug)]
pub(crate) struct SetInfo {
    /// `struct.set`
    pub(crate) field: [Handler; 2],
    /// `array.set`
    pub(crate) element: [Handler; 2],
}

impl SetInfo {
    const fn of<T: Stored>() -> Self {
        Self {
            field: [struct_set::<T, S>, struct_set::<T, A>],
            element: [array_set::<T, S>, array_set::<T, A>],
        }
    }
}

/// [`I8S`]
pub(crate) static GET_I8_S: GetInfo = GetInfo::of::<I8S>();
/// [`I8U`]
pub(crate) static GET_I8_U: GetInfo = GetInfo::of::<I8U>();
/// [`I16S`]
pub(crate) static GET_I16_S: GetInfo = GetInfo::of::<I16S>();
/// [`I16U`]
pub(crate) static GET_I16_U: GetInfo = GetInfo::of::<I16U>();
/// [`Word`]
pub(crate) static GET_WORD: GetInfo = GetInfo::of::<Word>();
/// [`Long`]
pub(crate) static GET_LONG: GetInfo = GetInfo::of::<Long>();
/// [`Float`]
pub(crate) static GET_FLOAT: GetInfo = GetInfo::of::<Float>();
/// [`Double`]
pub(crate) static GET_DOUBLE: GetInfo = GetInfo::of::<Double>();
/// [`Wide`]
pub(crate) static GET_VECTOR: GetInfo = GetInfo::of::<Wide>();

/// One byte.
pub(crate) static SET_I8: SetInfo = SetInfo::of::<Packed<1>>();
/// Two bytes.
pub(crate) static SET_I16: SetInfo = SetInfo::of::<Packed<2>>();
/// Four bytes.
pub(crate) static SET_WORD: SetInfo = SetInfo::of::<u32>();
/// Eight bytes.
pub(crate) static SET_LONG: SetInfo = SetInfo::of::<u64>();
/// `f32`
pub(crate) static SET_FLOAT: SetInfo = SetInfo::of::<f32>();
/// `f64`
pub(crate) static SET_DOUBLE: SetInfo = SetInfo::of::<f64>();
/// `v128`
pub(crate) static SET_VECTOR: SetInfo = SetInfo::of::<Vector>();

/// `array.len` by the array: in a slot, the accumulator.
pub(crate) static ARRAY_LENGTH: [Destinations; 2] = [few_destinations!(array_len, S), few_destinations!(array_len, A)];
/// `struct.new`
pub(crate) static STRUCT_NEW: Destinations = few_destinations!(struct_new,);
/// `struct.new` of an object that is too large to be at hand.
pub(crate) static STRUCT_NEW_LARGE: Destinations = few_destinations!(struct_new_slow,);
