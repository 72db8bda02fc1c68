//! Operators on whole arrays (Spec 3.0 §4.6.4): making, filling and copying them. Their
//! operands stand in consecutive slots ([`super::bulk`]).

use std::ptr;

use super::aggregate::array_len_of;
use super::bulk::{Bulk, store_of};
use super::context::Cx;
use super::exit;
use super::heap::alloc::bump;
use super::heap::classes::class_of;
use super::heap::guest;
use super::heap::shape::{ARRAY_DATA, ARRAY_LEN, Shape};
use super::slow::range_of;
use crate::trap::Trap;

/// The shape of a type of the running context's module.
///
/// # Safety
/// `cx` is a running context, whose module has the type.
unsafe fn shape(cx: *mut Cx, ty: u32) -> *const Shape {
    // SAFETY: the caller's promise; a running context's code is there.
    unsafe { &raw const (&(*(*cx).code).module().types)[ty as usize].def().info().shape }
}

/// A new array, all zeros; the frame is in use up to `end`.
///
/// # Errors
/// The exit code of the run that ends.
///
/// # Safety
/// As for [`guest::allocate`].
unsafe fn new(cx: *mut Cx, end: *const u64, shape: *const Shape, len: u32) -> Result<u32, u64> {
    // SAFETY: a type's record stays as long as the store.
    let bytes = unsafe { (*shape).bytes(len) };
    let mut handle = 0;
    if let Some(class) = class_of(bytes) {
        // SAFETY: the caller's promise.
        handle = u64::from(unsafe { bump(cx, class, shape) });
    }
    if handle == 0 {
        // SAFETY: the caller's promise; the length is written below.
        let code = unsafe { guest::allocate(cx, end, shape, bytes, &mut handle) };
        if code != exit::DONE {
            return Err(code);
        }
    }
    let handle = handle as u32;
    // SAFETY: the array's length stands there.
    unsafe {
        (*cx)
            .heap
            .add(handle as usize)
            .add(ARRAY_LEN as usize)
            .cast::<u32>()
            .write(len)
    };
    Ok(handle)
}

/// The address of an array's elements from `index` on.
///
/// # Safety
/// `cx` is a running context, `handle` that of an array in whose bounds `index` is, or
/// its end.
unsafe fn elements(cx: *mut Cx, handle: u32, shape: *const Shape, index: u32) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        let bytes = index as usize * (*shape).element_size() as usize;
        (*cx).heap.add(handle as usize).add(ARRAY_DATA as usize).add(bytes)
    }
}

/// Whether `len` elements from `at` on are in an array, or the exit code of the trap.
///
/// # Safety
/// `cx` is a running context, `slot` that of a reference to an array.
unsafe fn check(cx: *mut Cx, slot: u64, at: u32, len: u32) -> Result<u32, u64> {
    let handle = slot as u32;
    if handle == 0 {
        return Err(exit::trap(Trap::NullArrayReference));
    }
    // SAFETY: the caller's promise.
    let has = unsafe { array_len_of(cx, handle) };
    match at.checked_add(len).is_some_and(|end| end <= has) {
        true => Ok(handle),
        false => Err(exit::trap(Trap::ArrayOutOfBounds)),
    }
}

/// Writes the value in a slot (two of a `v128`) to `len` elements.
///
/// # Safety
/// `to` is that of so many elements of a shape's arrays, `value` that of a slot.
unsafe fn fill(to: *mut u8, shape: *const Shape, value: *const u64, len: u32) {
    let len = len as usize;
    // SAFETY: the caller's promise.
    unsafe {
        match (*shape).element_size() {
            1 => to.write_bytes(value.read() as u8, len),
            2 => (0..len).for_each(|i| to.cast::<u16>().add(i).write(value.read() as u16)),
            4 => (0..len).for_each(|i| to.cast::<u32>().add(i).write(value.read() as u32)),
            8 => (0..len).for_each(|i| to.cast::<u64>().add(i).write(value.read())),
            _ => (0..len).for_each(|i| to.cast::<[u64; 2]>().add(i).write(value.cast::<[u64; 2]>().read())),
        }
    }
}

/// Writes references, as slots, to elements.
///
/// # Safety
/// `to` is that of so many elements of a shape's arrays.
unsafe fn write_slots(to: *mut u8, shape: *const Shape, slots: &[u64]) {
    // SAFETY: the caller's promise.
    unsafe {
        match (*shape).element_size() {
            4 => (slots.iter().enumerate()).for_each(|(i, slot)| to.cast::<u32>().add(i).write(*slot as u32)),
            _ => ptr::copy_nonoverlapping(slots.as_ptr(), to.cast(), slots.len()),
        }
    }
}

/// Slots that an element takes as a value.
///
/// # Safety
/// `shape` is that of a type.
unsafe fn slots_of(shape: *const Shape) -> usize {
    // SAFETY: the caller's promise.
    match unsafe { (*shape).element_size() } {
        16 => 2,
        _ => 1,
    }
}

/// The exit code of an operator, whose result, if it has one, goes to its first slot.
///
/// # Safety
/// `args` are the operator's operands.
unsafe fn give(args: *mut u64, result: Result<u32, u64>) -> u64 {
    match result {
        Ok(handle) => {
            // SAFETY: the caller's promise.
            unsafe { args.write(handle.into()) };
            exit::DONE
        }
        Err(code) => code,
    }
}

/// The bytes of a data segment from `at` on, for `len` elements of a type.
///
/// # Safety
/// `cx` is a running context, whose module has the segment; `shape` is that of a type.
unsafe fn data<'a>(cx: *mut Cx, shape: *const Shape, segment: u32, at: u32, len: u32) -> Result<&'a [u8], u64> {
    // SAFETY: the caller's promise.
    unsafe {
        let data = store_of(cx).0.instances[(*cx).instance as usize].data(segment);
        let bytes = u64::from(len) * u64::from((*shape).element_size());
        range_of(data, at.into(), bytes).ok_or_else(|| exit::trap(Trap::MemoryOutOfBounds))
    }
}

/// The elements of an element segment from `at` on.
///
/// # Safety
/// `cx` is a running context, whose module has the segment.
unsafe fn elems<'a>(cx: *mut Cx, segment: u32, at: u32, len: u32) -> Result<&'a [u64], u64> {
    // SAFETY: the caller's promise.
    let elems = unsafe { store_of(cx).0.instances[(*cx).instance as usize].elem(segment) };
    range_of(elems, at.into(), len.into()).ok_or_else(|| exit::trap(Trap::TableOutOfBounds))
}

macro_rules! array_ops {
    ($($name:ident $text:literal |$cx:ident, $args:ident, $x:ident, $y:ident| $body:block)*) => {$(
        #[doc = $text]
        pub(crate) enum $name {}
        impl Bulk for $name {
            const NAME: &'static str = $text;
            #[inline(never)]
            #[allow(clippy::multiple_unsafe_ops_per_block, unused_variables)]
            unsafe fn run($cx: *mut Cx, $args: *mut u64, $x: u32, $y: u32) -> u64 {
                // SAFETY: the caller's promise: operands are in their slots, nothing that
                // is read later stands behind them, and validation has checked types and
                // indices.
                let result = unsafe { (|| -> Result<Option<u32>, u64> { $body })() };
                match result {
                    Ok(None) => exit::DONE,
                    // SAFETY: the caller's promise.
                    Ok(Some(handle)) => unsafe { give($args, Ok(handle)) },
                    Err(code) => code,
                }
            }
        }
    )*};
}

array_ops! {
    ArrayNew "array.new" |cx, args, x, y| {
        let shape = shape(cx, x);
        let slots = slots_of(shape);
        let len = args.add(slots).read() as u32;
        let array = new(cx, args.add(slots + 1), shape, len)?;
        fill(elements(cx, array, shape, 0), shape, args, len);
        Ok(Some(array))
    }
    ArrayNewDefault "array.new_default" |cx, args, x, y| {
        Ok(Some(new(cx, args.add(1), shape(cx, x), args.read() as u32)?))
    }
    ArrayNewFixed "array.new_fixed" |cx, args, x, y| {
        let shape = shape(cx, x);
        let slots = slots_of(shape);
        let array = new(cx, args.add(slots * y as usize), shape, y)?;
        for i in 0..y {
            fill(elements(cx, array, shape, i), shape, args.add(slots * i as usize), 1);
        }
        Ok(Some(array))
    }
    ArrayNewData "array.new_data" |cx, args, x, y| {
        let shape = shape(cx, x);
        let (at, len) = (args.read() as u32, args.add(1).read() as u32);
        data(cx, shape, y, at, len)?;
        let array = new(cx, args.add(2), shape, len)?;
        let data = data(cx, shape, y, at, len)?;
        ptr::copy_nonoverlapping(data.as_ptr(), elements(cx, array, shape, 0), data.len());
        Ok(Some(array))
    }
    ArrayNewElem "array.new_elem" |cx, args, x, y| {
        let shape = shape(cx, x);
        let (at, len) = (args.read() as u32, args.add(1).read() as u32);
        elems(cx, y, at, len)?;
        let array = new(cx, args.add(2), shape, len)?;
        write_slots(elements(cx, array, shape, 0), shape, elems(cx, y, at, len)?);
        Ok(Some(array))
    }
    ArrayFill "array.fill" |cx, args, x, y| {
        let shape = shape(cx, x);
        let slots = slots_of(shape);
        let (at, len) = (args.add(1).read() as u32, args.add(2 + slots).read() as u32);
        let array = check(cx, args.read(), at, len)?;
        fill(elements(cx, array, shape, at), shape, args.add(2), len);
        Ok(None)
    }
    ArrayCopy "array.copy" |cx, args, x, y| {
        let shape = shape(cx, x);
        let (to, from) = (args.add(1).read() as u32, args.add(3).read() as u32);
        let len = args.add(4).read() as u32;
        // Both are looked at for null first.
        let target = check(cx, args.read(), 0, 0)?;
        check(cx, args.add(2).read(), 0, 0)?;
        check(cx, u64::from(target), to, len)?;
        let source = check(cx, args.add(2).read(), from, len)?;
        let bytes = len as usize * (*shape).element_size() as usize;
        ptr::copy(elements(cx, source, shape, from), elements(cx, target, shape, to), bytes);
        Ok(None)
    }
    ArrayInitData "array.init_data" |cx, args, x, y| {
        let shape = shape(cx, x);
        let (to, from, len) = (args.add(1).read() as u32, args.add(2).read() as u32, args.add(3).read() as u32);
        let array = check(cx, args.read(), to, len)?;
        let data = data(cx, shape, y, from, len)?;
        ptr::copy_nonoverlapping(data.as_ptr(), elements(cx, array, shape, to), data.len());
        Ok(None)
    }
    ArrayInitElem "array.init_elem" |cx, args, x, y| {
        let shape = shape(cx, x);
        let (to, from, len) = (args.add(1).read() as u32, args.add(2).read() as u32, args.add(3).read() as u32);
        let array = check(cx, args.read(), to, len)?;
        write_slots(elements(cx, array, shape, to), shape, elems(cx, y, from, len)?);
        Ok(None)
    }
}
