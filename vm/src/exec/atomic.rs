//! Atomic memory operators (threads proposal), all sequentially consistent.
//!
//! Operands stand in slots of the frame: the address's at byte 10, the others' at
//! bytes 16 and 18. The result goes to the slot at byte 8. Where memory 0 has guard
//! pages the handler makes the access, one instruction of inline assembly as in
//! `access`, with the static offset at byte 12. For all other memories a function does
//! (`Atomic::run`), which finds the memory at `cx` plus the number at byte 12, and the
//! offset, of 64 bits, at byte 24; so it does for threads that wait and notify.

use std::marker::PhantomData;
use std::time::Duration;

use super::address::AddrType;
use super::context::Cx;
use super::control::{raise, trap};
use super::dispatch::{Handler, Regs, goto, handler, next};
use super::exit;
use super::memory::MemoryInst;
use super::operand::{Prim, SHORT, SRC};
use super::wait::{self, Outcome};
use crate::ir::stack::Ty;
use crate::trap::Trap;

/// Bytes of an instruction that a function carries out.
pub(crate) const CALLED: usize = 32;

/// An atomic operator. Besides the address it has operands `x` and `y`.
pub(crate) trait Atomic {
    /// Operands besides the address.
    const OPERANDS: usize;
    /// Whether it has a result.
    const RESULT: bool;
    /// Whether it may write.
    const WRITES: bool;
    /// The integer it works on.
    type Width: Width;
    /// The handlers for memory 0 with guard pages, if there are any: with 32-bit and
    /// with 64-bit addresses.
    const GUARDED: Option<[Handler; 2]>;

    /// Does it in the memory of the running instruction; an exit code.
    ///
    /// # Safety
    /// `s` are the registers of such an instruction.
    unsafe fn run(s: &Regs) -> u64;
}

/// An atomic operator that takes no more than an access.
pub(crate) trait Access {
    /// See [`Atomic::OPERANDS`].
    const OPERANDS: usize;
    /// See [`Atomic::RESULT`].
    const RESULT: bool;
    /// See [`Atomic::WRITES`].
    const WRITES: bool;
    /// See [`Atomic::Width`].
    type Width: Width;

    /// Does it.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn access(s: &Regs, at: *mut u8, x: u64, y: u64) -> u64;
}

impl<A: Access> Atomic for A {
    const OPERANDS: usize = A::OPERANDS;
    const RESULT: bool = A::RESULT;
    const WRITES: bool = A::WRITES;
    type Width = A::Width;
    const GUARDED: Option<[Handler; 2]> = Some([atomic::<A, u32>, atomic::<A, u64>]);

    #[allow(clippy::multiple_unsafe_ops_per_block)]
    unsafe fn run(s: &Regs) -> u64 {
        // SAFETY: the caller's promise.
        let (memory, at) = match unsafe { place::<Self>(s) } {
            Ok(place) => place,
            Err(trap) => return exit::trap(trap),
        };
        // SAFETY: inside the memory, and aligned; the operands are in their slots.
        unsafe {
            let result = A::access(s, memory.base().wrapping_add(at), x::<Self>(s), y::<Self>(s));
            if A::RESULT {
                s.slot_at(8).write(result);
            }
        }
        exit::DONE
    }
}

/// The operand after the address, if there is one.
///
/// # Safety
/// `s` are the registers of such an operator.
#[inline(always)]
unsafe fn x<O: Atomic>(s: &Regs) -> u64 {
    match O::OPERANDS {
        0 => 0,
        // SAFETY: the caller's promise.
        _ => unsafe { s.slot_at(16).read() },
    }
}

/// The last of three operands.
///
/// # Safety
/// As for [`x`].
#[inline(always)]
unsafe fn y<O: Atomic>(s: &Regs) -> u64 {
    match O::OPERANDS {
        0 | 1 => 0,
        // SAFETY: the caller's promise.
        _ => unsafe { s.slot_at(18).read() },
    }
}

/// The memory of a running instruction that a function carries out, and which bytes of
/// it are accessed.
///
/// # Safety
/// `s` are the registers of such an instruction.
unsafe fn place<'s, O: Atomic + ?Sized>(s: &Regs) -> Result<(&'s MemoryInst, usize), Trap> {
    // SAFETY: the caller's promise; the context leads to live memories.
    let memory = unsafe { &**s.cx.byte_add(s.field::<u32>(12) as usize).cast::<*const MemoryInst>() };
    // SAFETY: the caller's promise. Addresses of 32 bits are zero-extended.
    let (index, offset) = unsafe { (s.slot_at(SRC).read(), s.field::<u64>(24)) };
    let at = index.checked_add(offset).ok_or(Trap::MemoryOutOfBounds)?;
    let bytes = O::Width::BYTES as u64;
    if !at.is_multiple_of(bytes) {
        return Err(Trap::HeapMisaligned);
    }
    Ok((memory, memory.range(at, bytes, O::WRITES)?.start))
}

/// An integer in memory. Values are zero-extended; of operands, the low bits count.
pub(crate) trait Width {
    /// Bytes.
    const BYTES: usize;
    /// Reads it.
    ///
    /// # Safety
    /// 1. `at` is inside an accessible memory, or inside a guarded reservation while
    ///    the run is set up to turn faults into traps.
    /// 2. It is a multiple of [`Width::BYTES`].
    unsafe fn load(s: &Regs, at: *mut u8) -> u64;
    /// Writes it.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn store(s: &Regs, at: *mut u8, x: u64);
    /// Adds to it; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn add(s: &Regs, at: *mut u8, x: u64) -> u64;
    /// Clears bits that are not in `x`; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn and(s: &Regs, at: *mut u8, x: u64) -> u64;
    /// Sets the bits of `x`; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn or(s: &Regs, at: *mut u8, x: u64) -> u64;
    /// Inverts the bits of `x`; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn xor(s: &Regs, at: *mut u8, x: u64) -> u64;
    /// Replaces it; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn xchg(s: &Regs, at: *mut u8, x: u64) -> u64;
    /// Replaces it by `y` if it is `x`; the value before.
    ///
    /// # Safety
    /// As for [`Width::load`].
    unsafe fn cmpxchg(s: &Regs, at: *mut u8, x: u64, y: u64) -> u64;
}

/// A block of inline assembly with the machine's state in its registers.
#[cfg(target_arch = "x86_64")]
macro_rules! block {
    ($s:ident, [$($asm:expr),+], $($operands:tt)*) => {
        // SAFETY: accesses what the caller vouches for; a fault leaves the handler
        // for good.
        unsafe {
            std::arch::asm!(
                $($asm),+,
                $($operands)*
                in("rdi") $s.ip, in("rsi") $s.fp, in("rcx") $s.cx,
                options(nostack),
            );
        }
    };
}

/// The widths by name, bytes, type, atomic, the word for its size, the modifier of
/// registers, the register `rax`, and how values in it and in other registers are
/// zero-extended.
macro_rules! widths {
    ($($name:ident $bytes:literal $int:ident $atomic:ident
        $size:literal $part:literal $rax:literal $extend_rax:literal $extend:literal;)*) => {$(
        #[doc = concat!("An integer of ", $size, " size.")]
        pub(crate) enum $name {}

        #[cfg(target_arch = "x86_64")]
        impl Width for $name {
            const BYTES: usize = $bytes;

            #[inline(always)]
            unsafe fn load(s: &Regs, at: *mut u8) -> u64 {
                let value: u64;
                block!(
                    s,
                    [concat!("mov {x", $part, "}, ", $size, " ptr [{at}]"), $extend],
                    x = lateout(reg) value, at = in(reg) at,
                );
                value
            }

            #[inline(always)]
            unsafe fn store(s: &Regs, at: *mut u8, x: u64) {
                block!(
                    s,
                    [concat!("xchg ", $size, " ptr [{at}], {x", $part, "}")],
                    x = inout(reg) x => _, at = in(reg) at,
                );
            }

            #[inline(always)]
            unsafe fn add(s: &Regs, at: *mut u8, mut x: u64) -> u64 {
                block!(
                    s,
                    [concat!("lock xadd ", $size, " ptr [{at}], {x", $part, "}"), $extend],
                    x = inout(reg) x, at = in(reg) at,
                );
                x
            }

            #[inline(always)]
            unsafe fn xchg(s: &Regs, at: *mut u8, mut x: u64) -> u64 {
                block!(
                    s,
                    [concat!("xchg ", $size, " ptr [{at}], {x", $part, "}"), $extend],
                    x = inout(reg) x, at = in(reg) at,
                );
                x
            }

            #[inline(always)]
            unsafe fn cmpxchg(s: &Regs, at: *mut u8, mut x: u64, y: u64) -> u64 {
                block!(
                    s,
                    [concat!("lock cmpxchg ", $size, " ptr [{at}], {y", $part, "}"), $extend_rax],
                    y = in(reg) y, at = in(reg) at, inout("rax") x,
                );
                x
            }

            widths!(@loop and "and" $size $part $rax $extend_rax);
            widths!(@loop or "or" $size $part $rax $extend_rax);
            widths!(@loop xor "xor" $size $part $rax $extend_rax);
        }

        #[cfg(not(target_arch = "x86_64"))]
        impl Width for $name {
            const BYTES: usize = $bytes;

            widths!(@atomic $int $atomic
                fn load() -> u64 |cell| cell.load(SeqCst);
                fn add(x) -> u64 |cell| cell.fetch_add(x as $int, SeqCst);
                fn and(x) -> u64 |cell| cell.fetch_and(x as $int, SeqCst);
                fn or(x) -> u64 |cell| cell.fetch_or(x as $int, SeqCst);
                fn xor(x) -> u64 |cell| cell.fetch_xor(x as $int, SeqCst);
                fn xchg(x) -> u64 |cell| cell.swap(x as $int, SeqCst);
                fn cmpxchg(x, y) -> u64 |cell| {
                    let (Ok(before) | Err(before)) = cell.compare_exchange(x as $int, y as $int, SeqCst, SeqCst);
                    before
                };
            );

            #[inline(always)]
            unsafe fn store(s: &Regs, at: *mut u8, x: u64) {
                // SAFETY: the caller's promise.
                unsafe { Self::xchg(s, at, x) };
            }
        }
    )*};
    // The flags say after `cmpxchg` whether the value was still the one read.
    (@loop $name:ident $op:literal $size:literal $part:literal $rax:literal $extend_rax:literal) => {
        #[inline(always)]
        unsafe fn $name(s: &Regs, at: *mut u8, x: u64) -> u64 {
            let before: u64;
            block!(
                s,
                [
                    concat!("mov ", $rax, ", ", $size, " ptr [{at}]"),
                    "2:",
                    "mov {new}, rax",
                    concat!($op, " {new}, {x}"),
                    concat!("lock cmpxchg ", $size, " ptr [{at}], {new", $part, "}"),
                    "jne 2b",
                    $extend_rax
                ],
                x = in(reg) x, at = in(reg) at, new = out(reg) _, out("rax") before,
            );
            before
        }
    };
    (@atomic $int:ident $atomic:ident $(fn $name:ident($($x:ident),*) -> u64 |$cell:ident| $value:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name(_: &Regs, at: *mut u8, $($x: u64),*) -> u64 {
            use std::sync::atomic::Ordering::SeqCst;
            // SAFETY: the caller's promise; others access it atomically or by
            // instructions of theirs.
            let $cell = unsafe { &*at.cast::<std::sync::atomic::$atomic>() };
            u64::from($value)
        }
    )*};
}

widths! {
    Bits8 1 u8 AtomicU8 "byte" ":l" "al" "movzx eax, al" "movzx {x:e}, {x:l}";
    Bits16 2 u16 AtomicU16 "word" ":x" "ax" "movzx eax, ax" "movzx {x:e}, {x:x}";
    Bits32 4 u32 AtomicU32 "dword" ":e" "eax" "mov eax, eax" "mov {x:e}, {x:e}";
    Bits64 8 u64 AtomicU64 "qword" ":r" "rax" "" "";
}

/// The operators by name, operands besides the address, and whether they have a
/// result and may write.
macro_rules! operators {
    ($($name:ident $operands:literal $result:literal $writes:literal |$s:ident, $at:ident, $x:ident, $y:ident| $access:expr;)*) => {$(
        #[doc = concat!("The atomic operator `", stringify!($name), "` on an integer of a width.")]
        pub(crate) struct $name<W>(PhantomData<W>);

        impl<W: Width> Access for $name<W> {
            const OPERANDS: usize = $operands;
            const RESULT: bool = $result;
            const WRITES: bool = $writes;
            type Width = W;

            #[inline(always)]
            #[allow(unused_variables)]
            unsafe fn access($s: &Regs, $at: *mut u8, $x: u64, $y: u64) -> u64 {
                // SAFETY: the caller's promise.
                unsafe { $access }
            }
        }
    )*};
}

operators! {
    Load 0 true false |s, at, x, y| W::load(s, at);
    Store 1 false true |s, at, x, y| {
        W::store(s, at, x);
        0
    };
    Add 1 true true |s, at, x, y| W::add(s, at, x);
    Sub 1 true true |s, at, x, y| W::add(s, at, x.wrapping_neg());
    And 1 true true |s, at, x, y| W::and(s, at, x);
    Or 1 true true |s, at, x, y| W::or(s, at, x);
    Xor 1 true true |s, at, x, y| W::xor(s, at, x);
    Xchg 1 true true |s, at, x, y| W::xchg(s, at, x);
    Cmpxchg 2 true true |s, at, x, y| W::cmpxchg(s, at, x, y);
}

/// Waits until another thread notifies this one: the expected value, and how long at
/// most, in nanoseconds, if that is not negative.
pub(crate) struct Wait<W>(PhantomData<W>);
/// Notifies as many threads as its operand says.
pub(crate) struct Notify<W>(PhantomData<W>);

impl<W: Width> Atomic for Wait<W> {
    const OPERANDS: usize = 2;
    const RESULT: bool = true;
    const WRITES: bool = false;
    type Width = W;
    const GUARDED: Option<[Handler; 2]> = None;

    #[allow(clippy::multiple_unsafe_ops_per_block)]
    unsafe fn run(s: &Regs) -> u64 {
        // SAFETY: the caller's promise.
        let (memory, at) = match unsafe { place::<Self>(s) } {
            Ok(place) => place,
            Err(trap) => return exit::trap(trap),
        };
        let Some(place) = memory.waiting_place(at) else {
            return exit::trap(Trap::AtomicWaitNonSharedMemory);
        };
        // SAFETY: the operands are in their slots.
        let (expected, timeout) = unsafe { (x::<Self>(s), y::<Self>(s).cast_signed()) };
        let timeout = u64::try_from(timeout).ok().map(Duration::from_nanos);
        // SAFETY: the running store's block, activation and control outlive the run.
        let (act, control) = unsafe { (&*(*(*s.cx).rt).act, &*(*(*s.cx).rt).control) };
        act.set_in_guest(false);
        let is_expected = || memory.load_aligned(at, W::BYTES) == Some(expected);
        let is_interrupted = || control.is_pending();
        let outcome = wait::wait(place, timeout, control.bell(), is_expected, is_interrupted);
        act.set_in_guest(true);
        let result = match outcome {
            Outcome::Notified => 0,
            Outcome::Mismatch => 1,
            Outcome::TimedOut => 2,
            Outcome::Interrupted => {
                control.take_pending();
                return exit::INTERRUPT;
            }
        };
        // SAFETY: the caller's promise.
        unsafe { s.slot_at(8).write(result) };
        exit::DONE
    }
}

impl<W: Width> Atomic for Notify<W> {
    const OPERANDS: usize = 1;
    const RESULT: bool = true;
    const WRITES: bool = false;
    type Width = W;
    const GUARDED: Option<[Handler; 2]> = None;

    #[allow(clippy::multiple_unsafe_ops_per_block)]
    unsafe fn run(s: &Regs) -> u64 {
        // SAFETY: the caller's promise.
        let (memory, at) = match unsafe { place::<Self>(s) } {
            Ok(place) => place,
            Err(trap) => return exit::trap(trap),
        };
        // SAFETY: the operand is in its slot.
        let count = u32::from_slot(unsafe { x::<Self>(s) });
        // SAFETY: the running activation outlives the run.
        let act = unsafe { &*(*(*s.cx).rt).act };
        // It takes locks.
        act.set_in_guest(false);
        let notified = memory.waiting_place(at).map_or(0, |place| wait::notify(place, count));
        act.set_in_guest(true);
        // SAFETY: the caller's promise.
        unsafe { s.slot_at(8).write(notified.into()) };
        exit::DONE
    }
}

handler! {
    /// An atomic operator in memory 0, which has guard pages and addresses of type `T`.
    /// The accumulator is anybody's: nothing before this instruction can be meant for
    /// one after it.
    fn atomic<O: Access, T: AddrType>(s) {
        let place = T::from_slot(s.slot_at(SRC).read()).in_memory(&s, s.field::<u32>(12));
        // Memories begin at a page.
        let at = place.base.wrapping_add(place.index);
        if at as usize & const { <O as Access>::Width::BYTES - 1 } != 0 {
            return trap(s, Trap::HeapMisaligned);
        }
        s.a0 = O::access(&s, at, x::<O>(&s), y::<O>(&s));
        if const { <O as Access>::RESULT } {
            s.slot_at(8).write(s.a0);
        }
        s.ip = s.ip.add(const { SHORT + if <O as Access>::OPERANDS > 0 { 8 } else { 0 } });
        next(s)
    }

    /// An atomic operator that a function carries out.
    #[inline(never)]
    fn atomic_called<O: Atomic>(s) {
        let code = run::<O>(s.ip, s.fp, s.cx);
        if code != exit::DONE {
            s.a0 = code;
            return goto(s, raise);
        }
        s.ip = s.ip.add(CALLED);
        next(s)
    }

    /// `atomic.fence`
    pub(crate) fn atomic_fence(s) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        s.ip = s.ip.add(8);
        next(s)
    }
}

/// [`Atomic::run`] with registers of its own: locals of a handler would keep it from
/// jumping to the next one.
///
/// # Safety
/// They are those of a running instruction of this operator that a function carries
/// out.
#[inline(never)]
unsafe fn run<O: Atomic>(ip: *const u8, fp: *mut u64, cx: *mut Cx) -> u64 {
    let s = Regs {
        ip,
        fp,
        cx,
        ..Regs::zero()
    };
    // SAFETY: the caller's promise.
    unsafe { O::run(&s) }
}

/// What the translator knows of an atomic operator.
#[derive(Debug)]
pub(crate) struct AtomicInfo {
    /// Mnemonic.
    pub(crate) name: &'static str,
    /// The handlers for memory 0 with guard pages, if there are any: with 32-bit and
    /// with 64-bit addresses.
    pub(crate) guarded: Option<[Handler; 2]>,
    /// The handler for any memory.
    pub(crate) called: Handler,
    /// Operands besides the address.
    pub(crate) operands: usize,
    /// Type of the result.
    pub(crate) result: Option<Ty>,
}

impl AtomicInfo {
    /// What is to be known of `O`.
    pub(crate) const fn of<O: Atomic>(name: &'static str, result: Option<Ty>) -> Self {
        assert!(result.is_some() == O::RESULT);
        Self {
            name,
            guarded: O::GUARDED,
            called: atomic_called::<O>,
            operands: O::OPERANDS,
            result,
        }
    }
}
