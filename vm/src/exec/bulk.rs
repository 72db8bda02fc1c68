//! Operators on whole memories, tables or segments, and on single elements of
//! tables: their operands stand in consecutive slots, and most are carried out
//! by plain Rust (`slow.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::address::AddrType;
use super::context::Cx;
use super::control::{interrupted, poll, raise};
use super::dispatch::{Handler, goto, handler, next};
use super::machine::Pending;
use super::memory::MemoryRef;
#[cfg(target_arch = "x86_64")]
use super::small;
use super::table::TableRef;
use super::{exit, slow};
use crate::error::Error;
use crate::runtime::store::StoreInner;
use crate::trap::Trap;

handler! {
    /// `memory.copy` within memory 0 with guard pages, whose addresses are of type
    /// `T`: a few bytes are copied here, more by [`bulk`].
    #[cfg(target_arch = "x86_64")]
    fn copy_within<T: AddrType>(s) {
        let args = s.slot_at(8);
        let len = args.add(2).read();
        if len.wrapping_sub(1) >= small::MOST {
            return goto(s, bulk::<MemoryCopy>);
        }
        let to = T::from_slot(args.read()).in_memory(&s, 0).address();
        let from = T::from_slot(args.add(1).read()).in_memory(&s, 0).address();
        small::copy(&s, to, from, len);
        s.ip = s.ip.add(24);
        next(s)
    }

    /// `memory.fill` of memory 0 with guard pages; see [`copy_within`].
    #[cfg(target_arch = "x86_64")]
    fn fill_within<T: AddrType>(s) {
        let args = s.slot_at(8);
        let len = args.add(2).read();
        if len.wrapping_sub(1) >= small::MOST {
            return goto(s, bulk::<MemoryFill>);
        }
        let to = T::from_slot(args.read()).in_memory(&s, 0).address();
        small::fill(&s, to, args.add(1).read() as u8, len);
        s.ip = s.ip.add(24);
        next(s)
    }

    /// An operator whose operands stand in consecutive slots from the one at
    /// byte 8 on, and whose result replaces the first.
    #[inline(never)]
    fn bulk<O: Bulk>(s) {
        let args = s.slot_at(8);
        let code = O::run(s.cx, args, s.field::<u32>(12), s.field::<u32>(16));
        if code == exit::DONE {
            s.ip = s.ip.add(24);
            return next(s);
        }
        if code != exit::AGAIN {
            s.a0 = code;
            return goto(s, raise);
        }
        // Where an interruption takes the frame's access rights, the operator
        // notices that as it begins again.
        if interrupted(&s) {
            return poll(s);
        }
        next(s)
    }
}

/// An operator on whole memories, tables or segments.
pub(crate) trait Bulk {
    /// Mnemonic.
    const NAME: &'static str;
    /// Executes it; `args` are its operands' slots, `x` and `y` its indices.
    ///
    /// # Safety
    /// `cx` is the running context, `args` its operands' slots, and the
    /// indices are valid in its module.
    unsafe fn run(cx: *mut Cx, args: *mut u64, x: u32, y: u32) -> u64;
}

/// The store and its pointer as a whole, of a running context.
///
/// # Safety
/// `cx` is the running context; the result is used for one operator only.
pub(super) unsafe fn store_of<'s>(cx: *mut Cx) -> (&'s mut StoreInner, *mut ()) {
    // SAFETY: a live context leads to the block of the running store.
    let rt = unsafe { (*cx).rt };
    // SAFETY: the entry's borrow of the store is not in use while code runs.
    let inner = unsafe { &mut *(*rt).inner };
    // SAFETY: as above.
    (inner, unsafe { (*rt).store })
}

/// The memory `i` of a running context.
unsafe fn memory(cx: *mut Cx, i: u32) -> MemoryRef {
    // SAFETY: the index is valid in the context's module.
    unsafe { store_of(cx).0.instances[(*cx).instance as usize].memories[i as usize] }
}

/// The table `i` of a running context.
unsafe fn table(cx: *mut Cx, i: u32) -> TableRef {
    // SAFETY: the index is valid in the context's module.
    unsafe { store_of(cx).0.instances[(*cx).instance as usize].tables[i as usize] }
}

/// The exit code of an operator's outcome.
fn done(result: Result<(), Trap>) -> u64 {
    result.map_or_else(exit::trap, |()| exit::DONE)
}

/// Bytes that an operator writes at once. It can be interrupted in between.
const PART: u64 = 64 << 20;

/// The exit code of a part of an operator, whose operands become those of the rest, of
/// `len` bytes.
///
/// # Safety
/// `args` are the slots of the operator's three operands.
unsafe fn rest(part: Result<(), Trap>, args: *mut u64, len: u64, first: u64, second: u64) -> u64 {
    if len == 0 || part.is_err() {
        return done(part);
    }
    // SAFETY: the caller's promise.
    unsafe { args.cast::<[u64; 3]>().write([first, second, len]) };
    exit::AGAIN
}

/// Grows something, which asks the embedder's limiter; the result, the old size
/// or -1 of the address type, replaces `arg`. Gives the exit code.
///
/// # Safety
/// `cx` is the running context, `arg` the operator's result slot.
unsafe fn grown(
    cx: *mut Cx,
    arg: *mut u64,
    is_64: bool,
    grow: impl FnOnce(&mut StoreInner, *mut ()) -> Result<Option<u64>, Error>,
) -> u64 {
    // SAFETY: the caller's promise.
    let (inner, store) = unsafe { store_of(cx) };
    // SAFETY: the running activation outlives the run.
    let act = unsafe { &*(*(*cx).rt).act };
    act.set_in_guest(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| grow(inner, store)));
    act.set_in_guest(true);
    let pending = match outcome {
        Ok(Ok(old)) => {
            // SAFETY: the caller's promise.
            unsafe { arg.write(old.unwrap_or(if is_64 { u64::MAX } else { u64::from(u32::MAX) })) };
            return exit::DONE;
        }
        Ok(Err(error)) => Pending::Error(error),
        Err(payload) => Pending::Panic(payload),
    };
    // SAFETY: the caller's promise.
    unsafe { store_of(cx) }.0.machine.pending = Some(pending);
    exit::HOST
}

macro_rules! bulk_ops {
    ($($name:ident $text:literal |$cx:ident, $args:ident, $x:ident, $y:ident| $body:expr;)*) => {$(
        #[doc = $text]
        pub(crate) enum $name {}
        impl Bulk for $name {
            const NAME: &'static str = $text;
            // Locals of its own would keep the handler from jumping to the next.
            #[inline(never)]
            #[allow(clippy::multiple_unsafe_ops_per_block, unused_variables)]
            unsafe fn run($cx: *mut Cx, $args: *mut u64, $x: u32, $y: u32) -> u64 {
                // SAFETY: the caller's promise: operands are in their slots,
                // and validation has checked the indices.
                unsafe { $body }
            }
        }
    )*};
}

bulk_ops! {
    MemorySize "memory.size" |cx, args, x, y| {
        args.write(memory(cx, x).get().pages());
        exit::DONE
    };
    MemoryGrow "memory.grow" |cx, args, x, y| {
        let (memory, delta) = (memory(cx, x), args.read());
        grown(cx, args, memory.get().ty().is_64(), |inner, store| slow::memory_grow(inner, store, memory, delta))
    };
    MemoryFill "memory.fill" |cx, args, x, y| {
        let (memory, at, len) = (memory(cx, x), args.read(), args.add(2).read());
        let part = len.min(PART);
        if part < len && memory.get().range(at, len, true).is_err() {
            return done(slow::memory_fill(memory, at, 0, len));
        }
        let filled = slow::memory_fill(memory, at, args.add(1).read() as u8, part);
        rest(filled, args, len - part, at.wrapping_add(part), args.add(1).read())
    };
    MemoryCopy "memory.copy" |cx, args, x, y| {
        let (to, from) = (memory(cx, x), memory(cx, y));
        let (dst, src, len) = (args.read(), args.add(1).read(), args.add(2).read());
        let part = len.min(PART);
        let inside = |memory: MemoryRef, at, write| memory.get().range(at, len, write).is_ok();
        if part < len && !(inside(from, src, false) && inside(to, dst, true)) {
            return done(slow::memory_copy(to, from, dst, src, len));
        }
        // Downwards where upwards would overwrite what is still to be read.
        let ahead = if to == from && dst > src { len - part } else { 0 };
        let copied = slow::memory_copy(to, from, dst.wrapping_add(ahead), src.wrapping_add(ahead), part);
        let ahead = if ahead > 0 { 0 } else { part };
        rest(copied, args, len - part, dst.wrapping_add(ahead), src.wrapping_add(ahead))
    };
    MemoryInit "memory.init" |cx, args, x, y| {
        let data = store_of(cx).0.instances[(*cx).instance as usize].data(y);
        done(slow::memory_init(memory(cx, x), data, args.read(), args.add(1).read(), args.add(2).read()))
    };
    DataDrop "data.drop" |cx, args, x, y| {
        store_of(cx).0.instances[(*cx).instance as usize].drop_data(x);
        exit::DONE
    };
    TableGet "table.get" |cx, args, x, y| {
        match table_slot(table(cx, x), args.read()) {
            Some(slot) => {
                args.write(*slot);
                exit::DONE
            }
            None => exit::trap(Trap::TableOutOfBounds),
        }
    };
    TableSet "table.set" |cx, args, x, y| {
        match table_slot(table(cx, x), args.read()) {
            Some(slot) => {
                *slot = args.add(1).read();
                exit::DONE
            }
            None => exit::trap(Trap::TableOutOfBounds),
        }
    };
    TableSize "table.size" |cx, args, x, y| {
        args.write(table(cx, x).get().len);
        exit::DONE
    };
    TableGrow "table.grow" |cx, args, x, y| {
        let (table, delta, init) = (table(cx, x), args.add(1).read(), args.read());
        grown(cx, args, table.get().ty().is_64(), |inner, store| slow::table_grow(inner, store, table, delta, init))
    };
    TableFill "table.fill" |cx, args, x, y| {
        done(slow::table_fill(table(cx, x), args.read(), args.add(1).read(), args.add(2).read()))
    };
    TableCopy "table.copy" |cx, args, x, y| {
        done(slow::table_copy(table(cx, x), table(cx, y), args.read(), args.add(1).read(), args.add(2).read()))
    };
    TableInit "table.init" |cx, args, x, y| {
        let elems = store_of(cx).0.instances[(*cx).instance as usize].elem(y);
        done(slow::table_init(table(cx, x), elems, args.read(), args.add(1).read(), args.add(2).read()))
    };
    ElemDrop "elem.drop" |cx, args, x, y| {
        store_of(cx).0.instances[(*cx).instance as usize].drop_elem(x);
        exit::DONE
    };
    RefFunc "ref.func" |cx, args, x, y| {
        args.write(cx.byte_add(x as usize).cast::<u64>().read());
        exit::DONE
    };
}

/// The element `i` of a table.
fn table_slot<'s>(table: TableRef, i: u64) -> Option<&'s mut u64> {
    table.get_mut().elems_mut().get_mut(usize::try_from(i).ok()?)
}

/// The handler of a bulk operator.
pub(crate) fn bulk_handler<O: Bulk>() -> Handler {
    bulk::<O>
}

/// The handler of `memory.copy` within memory 0 with guard pages, whose
/// addresses are of type `T`.
pub(crate) fn copy_within_handler<T: AddrType>() -> Handler {
    #[cfg(target_arch = "x86_64")]
    return copy_within::<T>;
    #[cfg(not(target_arch = "x86_64"))]
    bulk::<MemoryCopy>
}

/// The handler of `memory.fill` of memory 0 with guard pages, whose addresses
/// are of type `T`.
pub(crate) fn fill_within_handler<T: AddrType>() -> Handler {
    #[cfg(target_arch = "x86_64")]
    return fill_within::<T>;
    #[cfg(not(target_arch = "x86_64"))]
    bulk::<MemoryFill>
}
