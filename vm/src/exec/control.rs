//! Control: branches, calls, returns, traps, and the accounting of fuel and
//! call depth.
//!
//! A call's last word holds the distance to the callee's frame and the place
//! of the callee's header, both in bytes; the return address follows it, so a
//! return finds the caller's frame from the return address alone. A frame is
//! `[parameters and results | return address | caller's context | locals |
//! temporaries]`; the context is written only by calls that may leave the
//! instance. Their last word says so ([`LEAVES`]), and the return restores
//! `cx` and `mb`.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::access::{Place, StoreAs, touch_frame};
use super::address::Base;
use super::context::{Cx, FuncRec, Rt};
use super::data::{I32Load, I32Load8U};
use super::dispatch::{Handler, Regs, goto, handler, next, next_taken};
use super::fused::{FIRST, Ld};
use super::operand::{A, At, DST, K, P, Prim, S, SRC, Src};
use super::simd::vector::Vector;
use super::table::TableInst;
use super::{exit, stubs};
use crate::sys;
use crate::trap::Trap;

handler! {
    /// Ends the run with the exit code in `a0`, noting where it happened.
    #[cold]
    #[inline(never)]
    pub(crate) fn raise(s) {
        let rt = (*s.cx).rt;
        (*rt).trap_ip = s.ip;
        (*rt).trap_fp = s.fp;
        (*rt).trap_cx = s.cx;
        // Knowing what this returns, LLVM would turn the jumps here into calls.
        opaque(s.a0)
    }

    /// `unreachable`.
    #[cold]
    pub(crate) fn unreachable(s) {
        trap(s, Trap::UnreachableCodeReached)
    }
}

/// The value itself, by a way that LLVM cannot see.
#[inline(always)]
pub(crate) fn opaque(value: u64) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut value = value;
        // SAFETY: no instruction at all.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(value)
}

/// Raises `trap` at the running instruction.
///
/// # Safety
/// Called in tail position of a handler, with its registers.
#[inline(always)]
pub(crate) unsafe fn trap(mut s: Regs, trap: Trap) -> u64 {
    s.a0 = exit::trap(trap);
    // SAFETY: `raise` works with any instruction's registers.
    unsafe { goto(s, raise) }
}

/// Whether another thread asks for an interruption; polled where faults do
/// not deliver it.
///
/// # Safety
/// `s` are the registers of a running handler.
#[inline(always)]
pub(super) unsafe fn interrupted(s: &Regs) -> bool {
    // SAFETY: the caller's promise; the flag lives as long as the store.
    !sys::FAULT_TRAPS && unsafe { (*(*(*s.cx).rt).interrupt).load(Ordering::Relaxed) }
}

/// Goes `offset` bytes on from the start of the running instruction.
///
/// # Safety
/// An instruction starts there.
#[inline(always)]
pub(crate) unsafe fn branch(mut s: Regs, offset: i32) -> u64 {
    // Not only below 0: a loop may begin with the branch to itself.
    // SAFETY: the caller's promise.
    if offset <= 0 && unsafe { interrupted(&s) } {
        // SAFETY: in tail position of a handler.
        return unsafe { poll(s) };
    }
    s.ip = s.ip.wrapping_offset(offset as isize);
    // SAFETY: the caller's promise.
    unsafe { next_taken(s) }
}

/// How a branch finds its target.
pub(crate) trait Way {
    /// Takes the branch, whose offset is `at` bytes into the instruction.
    ///
    /// # Safety
    /// In tail position of a branch's handler, which has touched the frame.
    unsafe fn take(s: Regs, at: usize) -> u64;
}

/// By its offset.
pub(crate) enum Far {}
/// In the register that holds where the innermost loop begins. Without it, each
/// round of a loop would wait for the last one's instruction pointer and for
/// the offset read there, six cycles at least.
pub(crate) enum Back {}

impl Way for Far {
    #[inline(always)]
    unsafe fn take(s: Regs, at: usize) -> u64 {
        // SAFETY: the caller's promise.
        let offset = unsafe { s.field::<i32>(at) };
        // SAFETY: the caller's promise.
        unsafe { branch(s, offset) }
    }
}

impl Way for Back {
    #[inline(always)]
    unsafe fn take(mut s: Regs, _: usize) -> u64 {
        // SAFETY: the caller's promise.
        if unsafe { interrupted(&s) } {
            // SAFETY: in tail position of a handler.
            return unsafe { poll(s) };
        }
        s.ip = s.loop_start();
        // SAFETY: the loop's beginning put its address there.
        unsafe { next_taken(s) }
    }
}

/// The handlers of a branch by where it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jump {
    /// Anywhere.
    pub(crate) far: Handler,
    /// Back to the beginning of the innermost loop.
    pub(crate) back: Handler,
}

/// The [`Jump`] of a handler whose last parameter is the [`Way`].
macro_rules! jump {
    ($handler:ident, $($param:ty),+) => {
        $crate::exec::control::Jump {
            far: $handler::<$($param),+, $crate::exec::control::Far>,
            back: $handler::<$($param),+, $crate::exec::control::Back>,
        }
    };
}
pub(crate) use jump;

/// Consumes the request for an interruption and raises it.
#[cold]
#[inline(never)]
pub(super) unsafe fn poll(s: Regs) -> u64 {
    // SAFETY: the control block lives as long as the store.
    unsafe { (*(*(*s.cx).rt).control).take_pending() };
    // SAFETY: in tail position of a handler.
    unsafe { trap(s, Trap::Interrupt) }
}

/// Bytes from the entry in a [`call`] to the call's return address.
pub(crate) const ENTRY_BEFORE_RETURN: usize = 16;
/// The bit in a call's last word, in the place of the header, that says that
/// the call may leave the instance.
pub(crate) const LEAVES: u32 = 1;
/// Bytes of a [`skip`].
pub(crate) const SKIP_BYTES: usize = 16;

/// Byte of a branch's offset.
const OFFSET: usize = 8;

/// Takes so much fuel, or what there is, from what several stores have.
///
/// # Safety
/// `rt` is the block of the running store.
#[inline(never)]
unsafe fn more_fuel(rt: *const Rt, missing: u64) -> u64 {
    // SAFETY: the caller's promise; the store keeps the pool.
    match unsafe { (*rt).fuel_pool.as_ref() } {
        Some(pool) => pool.take(missing),
        None => 0,
    }
}

handler! {
    /// `br`; copies from slot to slot go before, see [`copy_slots`].
    fn br<C: Copies, W: Way>(s) {
        copy_slots(&s, 16, C::COUNT);
        if C::COUNT == 0 {
            touch_frame(&s);
        }
        W::take(s, OFFSET)
    }

    /// `br_if`: taken if the i32 in the slot at byte 12 is not zero.
    pub(crate) fn br_if<I: Src, W: Way>(s) {
        if I::get::<u32>(&s, At::slot(12)) != 0 {
            if I::SLOTS == 0 {
                touch_frame(&s);
            }
            W::take(s, OFFSET)
        } else {
            s.ip = s.ip.add(16);
            next(s)
        }
    }

    /// The inverse of [`br_if`].
    pub(crate) fn br_if_zero<I: Src, W: Way>(s) {
        if I::get::<u32>(&s, At::slot(12)) == 0 {
            if I::SLOTS == 0 {
                touch_frame(&s);
            }
            W::take(s, OFFSET)
        } else {
            s.ip = s.ip.add(16);
            next(s)
        }
    }

    /// `br_table`: the index is in the slot at byte 8 or has its own word at
    /// byte 16, at byte 12 stands the number of offsets that follow, the last
    /// of them the default's.
    pub(crate) fn br_table<I: Src>(s) {
        let index = I::get::<u32>(&s, At { slot: 8, imm: 0, word: 16 });
        let last = s.field::<u32>(12) - 1;
        touch_frame(&s);
        let offsets = s.ip.add(const { 16 + 8 * I::WORDS }).cast::<i32>();
        if index < last {
            branch(s, offsets.add(index as usize).read())
        } else {
            branch(s, offsets.add(opaque(u64::from(last)) as usize).read())
        }
    }

    /// Sets the locals of a function to zero, `N` slots from the one at byte 8
    /// on.
    fn enter[N](s) {
        let locals = s.slot_at(8);
        let mut i = 0;
        while i < N {
            locals.add(i).write(0);
            i += 1;
        }
        s.ip = s.ip.add(16);
        next(s)
    }

    /// [`enter`] for the number of slots at byte 10.
    fn enter_many(s) {
        let n = usize::from(s.field::<u16>(10));
        let mut local = s.slot_at(8);
        let end = local.add(n);
        // Opaque, or it would become a call, whose fault at the end of the stack
        // would not tell which function's frame has no room.
        while local != end {
            local.write(0);
            local = opaque(local.add(1) as u64) as *mut u64;
        }
        s.ip = s.ip.add(16);
        next(s)
    }

    /// A call of a function of the same module. `N` copies to its arguments'
    /// slots go before (see [`copy_slots`]), whose words are from byte 8 on; the
    /// address of its first instruction follows, or of its cell's (see
    /// [`CodeSet::bind_call`](crate::ir::code::CodeSet::bind_call)).
    fn call[N](s) {
        copy_slots(&s, 8, N);
        let words = const { copy_bytes(N) };
        let callee = s.fp.byte_add(s.field::<u32>(16 + words) as usize);
        let header = s.field::<u32>(20 + words) as usize;
        if out_of_stack(&s, callee) {
            return trap(s, Trap::StackOverflow);
        }
        if interrupted(&s) {
            return poll(s);
        }
        let ret = s.ip.add(24 + words);
        write_return(&s, callee, header, ret);
        s.fp = callee;
        s.ip = entry(ret);
        next(s)
    }

    /// A call of an imported function, whose record stands at `cx` plus the
    /// number after the words of the copies; otherwise as [`call`].
    ///
    /// The entry in the instruction is the one the record had when the call
    /// was bound, and is the record's still where one instance runs the code.
    /// What follows need not wait for the record then.
    fn call_import[N](s) {
        copy_slots(&s, 8, N);
        let words = const { copy_bytes(N) };
        let callee = s.fp.byte_add(s.field::<u32>(24 + words) as usize);
        let header = s.field::<u32>(28 + words) as usize - LEAVES as usize;
        if out_of_stack(&s, callee) {
            return trap(s, Trap::StackOverflow);
        }
        let ret = s.ip.add(32 + words);
        write_return(&s, callee, header, ret);
        callee.byte_add(header).add(1).write(s.cx as u64);
        let rec = s.cx.byte_add(s.field::<u32>(8 + words) as usize).cast::<FuncRec>();
        s.fp = callee;
        s.a0 = rec as u64;
        let entry = opaque(entry(ret) as u64) as *const u8;
        if entry != (*rec).ip.get() {
            s.ip = ret;
            return goto(s, call_other);
        }
        s.ip = entry;
        s.cx = (*rec).cx;
        s.mb = (*s.cx).mem0_base;
        next(s)
    }

    /// Goes on with a call through the record in `a0` where the entry in the
    /// call, which ends at `ip`, is not the record's.
    #[inline(never)]
    fn call_other(s) {
        let rec = s.a0 as *const FuncRec;
        let target = (*rec).ip.get();
        if target != stubs::unbound_entry() && (target == stubs::bind_entry() || entry(s.ip).is_null()) {
            return goto(s, stubs::bind_call);
        }
        s.ip = target;
        s.cx = (*rec).cx;
        s.mb = (*s.cx).mem0_base;
        next(s)
    }

    /// `call_indirect`: the index is in the slot at byte 8 or has its own word
    /// at byte 24; the pointer to the table stands at `cx` plus the number at
    /// byte 12; at byte 16 stands the type's identity. The words of the copies
    /// made before follow.
    pub(crate) fn call_indirect<I: Src, C: Copies>(s) {
        // Whole, for tables of either index type: 32 bits are zero-extended.
        let index = I::get::<u64>(&s, At { slot: 8, imm: 0, word: 24 });
        let table = s.cx.byte_add(s.field::<u32>(12) as usize).cast::<*const TableInst>().read();
        if index >= (*table).len {
            return trap(s, Trap::UndefinedElement);
        }
        let rec = (*table).base.add(index as usize).cast::<*const FuncRec>().read();
        if rec.is_null() {
            return trap(s, Trap::IndirectCallToNull);
        }
        if (*rec).ty.as_u32() != s.field::<u32>(16) {
            return trap(s, Trap::BadSignature);
        }
        let copies = const { 24 + 8 * I::WORDS };
        let end = const { 24 + 8 * I::WORDS + copy_bytes(C::COUNT) };
        copy_slots(&s, copies, C::COUNT);
        call_record(s, rec, end)
    }

    /// `call_ref`: the reference is in the slot at byte 8. The words of the copies
    /// made before follow.
    pub(crate) fn call_ref<I: Src, C: Copies>(s) {
        let rec = I::get::<u64>(&s, At::slot(8)) as *const FuncRec;
        if rec.is_null() {
            return trap(s, Trap::NullFuncReference);
        }
        copy_slots(&s, 16, C::COUNT);
        call_record(s, rec, const { 16 + copy_bytes(C::COUNT) })
    }

    /// Follows a call through a reference, whose last word says that it may leave the
    /// instance: calls that did return here. Those that did not return behind
    /// the second of this instruction's words, which says that they stay.
    pub(crate) fn skip(s) {
        s.ip = s.ip.add(SKIP_BYTES);
        next(s)
    }

    /// A return whose results are in place.
    fn ret<H: Header>(s) {
        leave::<H>(s)
    }

    /// A return of one value: its slot is at byte 10, a constant or the word of
    /// one that is computed at byte 16.
    pub(crate) fn ret_one<T: Prim, I: Src, H: Header>(s) {
        let value = I::get::<T>(&s, At { slot: SRC, imm: 16, word: 16 });
        value.write(s.fp);
        leave::<H>(s)
    }

    /// Takes the fuel of the code that follows, the number at byte 8.
    pub(crate) fn fuel(s) {
        let rt = (*s.cx).rt;
        let cost = u64::from(s.field::<u32>(8));
        if (*rt).fuel < cost {
            return goto(s, out_of_fuel);
        }
        (*rt).fuel -= cost;
        s.ip = s.ip.add(16);
        next(s)
    }

    /// [`fuel`] where the store has not enough: takes more, if there is any that several
    /// stores have.
    #[cold]
    #[inline(never)]
    fn out_of_fuel(s) {
        let rt = (*s.cx).rt;
        let missing = u64::from(s.field::<u32>(8)) - (*rt).fuel;
        let taken = more_fuel(rt, missing);
        (*rt).fuel += taken;
        if taken < missing {
            return trap(s, Trap::OutOfFuel);
        }
        goto(s, fuel)
    }

    /// Counts a frame entered.
    pub(crate) fn count_enter(s) {
        let rt = (*s.cx).rt;
        if (*rt).depth >= (*rt).max_depth {
            return trap(s, Trap::StackOverflow);
        }
        (*rt).depth += 1;
        s.ip = s.ip.add(8);
        next(s)
    }

    /// Counts a frame left.
    pub(crate) fn count_leave(s) {
        (*(*s.cx).rt).depth -= 1;
        s.ip = s.ip.add(8);
        next(s)
    }
}

/// Writes the return address into the callee's frame, where accesses that may
/// be beyond the value stack fault; `header` is in bytes.
///
/// # Safety
/// `s` are the registers of a call, with the stack's guard pages or checked.
#[inline(always)]
unsafe fn write_return(s: &Regs, callee: *mut u64, header: usize, ret: *const u8) {
    let at = Place {
        base: callee.cast(),
        index: header,
    };
    // SAFETY: the caller's promise.
    unsafe { <u64 as StoreAs<u64>>::store(s, at, ret as u64) };
}

/// Calls what `rec` leads to, which may be in another instance; a call's last word
/// is `end` bytes into the instruction, and a [`skip`] follows it.
///
/// # Safety
/// In tail position of the call's handler.
#[inline(always)]
unsafe fn call_record(mut s: Regs, rec: *const FuncRec, end: usize) -> u64 {
    // SAFETY: the caller's promise; a record leads to a live context, and the callee's
    // frame begins in the caller's.
    unsafe {
        let callee = s.fp.byte_add(s.field::<u32>(end) as usize);
        let header = s.field::<u32>(end + 4) as usize - LEAVES as usize;
        if out_of_stack(&s, callee) {
            return trap(s, Trap::StackOverflow);
        }
        if interrupted(&s) {
            return poll(s);
        }
        s.a0 = rec as u64;
        if (*rec).cx == s.cx {
            write_return(&s, callee, header, s.ip.add(end + 8 + SKIP_BYTES));
            s.fp = callee;
            s.ip = (*rec).ip.get();
            next(s)
        } else {
            write_return(&s, callee, header, s.ip.add(end + 8));
            callee.byte_add(header).add(1).write(s.cx as u64);
            s.fp = callee;
            s.ip = (*rec).ip.get();
            s.cx = (*rec).cx;
            s.mb = (*s.cx).mem0_base;
            next(s)
        }
    }
}

/// The entry in the call that ends at `ret`.
///
/// # Safety
/// Such a call does.
#[inline(always)]
unsafe fn entry(ret: *const u8) -> *const u8 {
    // SAFETY: the caller's promise.
    unsafe { entry_at(ret.sub(ENTRY_BEFORE_RETURN)) }
}

/// The entry in a call.
///
/// # Safety
/// It stands there.
#[inline(always)]
pub(super) unsafe fn entry_at(at: *const u8) -> *const u8 {
    // SAFETY: the caller's promise; threads that share the code bind it.
    unsafe { (*at.cast::<AtomicPtr<u8>>()).load(Ordering::Acquire) }
}

/// Whether a callee's frame at `callee` would pass the end of the value stack;
/// checked where faults do not tell. `stack_end` leaves room for any frame.
///
/// # Safety
/// `s` are the registers of a running handler.
#[inline(always)]
unsafe fn out_of_stack(s: &Regs, callee: *mut u64) -> bool {
    // SAFETY: the caller's promise.
    !sys::FAULT_TRAPS && callee >= unsafe { (*(*s.cx).rt).stack_end }
}

/// Where the header of the returning function's frame is.
pub(crate) trait Header {
    /// Its slot.
    ///
    /// # Safety
    /// `s` are the registers of a return.
    unsafe fn slot(s: &Regs) -> *mut u64;
}

/// In slot `N`: the return need not wait for its own address to read there
/// where it goes.
pub(crate) enum HeaderAt<const N: usize> {}
/// In the slot named at [`DST`].
pub(crate) enum HeaderFar {}

impl<const N: usize> Header for HeaderAt<N> {
    #[inline(always)]
    unsafe fn slot(s: &Regs) -> *mut u64 {
        s.fp.wrapping_add(N)
    }
}

impl Header for HeaderFar {
    #[inline(always)]
    unsafe fn slot(s: &Regs) -> *mut u64 {
        // SAFETY: the caller's promise.
        unsafe { s.slot_at(DST) }
    }
}

/// The handlers of a return by the slot of the frame's header.
pub(crate) struct Return(pub(crate) [Handler; 6]);

impl Return {
    /// That of a header in slot `header`.
    pub(crate) fn of(&self, header: u16) -> Handler {
        let last = self.0.len() - 1;
        self.0[last.min(usize::from(header))]
    }
}

/// The [`Return`] of a handler whose last parameter is the [`Header`], of one
/// value: so the header is not in slot 0.
macro_rules! returns {
    ($handler:ident, $($param:ty),+) => {
        $crate::exec::control::Return([
            $handler::<$($param,)+ $crate::exec::control::HeaderFar>,
            $handler::<$($param,)+ $crate::exec::control::HeaderAt<1>>,
            $handler::<$($param,)+ $crate::exec::control::HeaderAt<2>>,
            $handler::<$($param,)+ $crate::exec::control::HeaderAt<3>>,
            $handler::<$($param,)+ $crate::exec::control::HeaderAt<4>>,
            $handler::<$($param,)+ $crate::exec::control::HeaderFar>,
        ])
    };
}
pub(crate) use returns;

/// Returns to the caller.
///
/// # Safety
/// In tail position of a return handler.
#[inline(always)]
unsafe fn leave<H: Header>(mut s: Regs) -> u64 {
    // SAFETY: the caller's promise.
    let header = unsafe { H::slot(&s) };
    // SAFETY: the header holds the return address the call wrote.
    let ip = unsafe { header.cast::<*const u8>().read() };
    // SAFETY: the call's last word precedes the return address.
    let delta = unsafe { ip.sub(8).cast::<u32>().read() };
    s.ip = ip;
    // SAFETY: as above.
    if unsafe { ip.sub(4).cast::<u32>().read() } & LEAVES != 0 {
        s.fp = s.fp.wrapping_byte_sub(delta as usize);
        // SAFETY: such a call wrote its context after the return address.
        s.cx = unsafe { header.add(1).cast::<*mut Cx>().read() };
        // SAFETY: a live context: its code waits for the call to return.
        s.mb = unsafe { (*s.cx).mem0_base };
        // SAFETY: the instruction after the call, in the caller's frame.
        return unsafe { next_taken(s) };
    }
    s.fp = s.fp.wrapping_byte_sub(delta as usize);
    // SAFETY: as above.
    unsafe { next(s) }
}

/// Bytes of the words of `n` copies.
pub(crate) const fn copy_bytes(n: usize) -> usize {
    n.div_ceil(2) * 8
}

/// Makes `n` copies from slot to slot: from `at` bytes into the instruction on
/// stand the slots of each, destination first.
///
/// # Safety
/// `s` are the registers of such an instruction.
#[inline(always)]
pub(super) unsafe fn copy_slots(s: &Regs, at: usize, n: usize) {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller's promise; slots named by instructions are in the
        // frame.
        let value = unsafe { s.slot_at(at + 4 * i + 2).read() };
        // SAFETY: as above.
        unsafe { s.slot_at(at + 4 * i).write(value) };
        i += 1;
    }
}

/// `br` by the number of copies before it.
pub(crate) static BR: [Jump; 3] = [jump!(br, Copy<0>), jump!(br, Copy<1>), jump!(br, Copy<2>)];
/// `call` of a function of the module by the number of copies before it.
pub(crate) static CALL: [Handler; 5] = [call::<0>, call::<1>, call::<2>, call::<3>, call::<4>];
/// `call` of an imported function by the number of copies before it.
pub(crate) static CALL_IMPORT: [Handler; 5] = [
    call_import::<0>,
    call_import::<1>,
    call_import::<2>,
    call_import::<3>,
    call_import::<4>,
];

/// The handler that sets `n` locals to zero.
pub(crate) fn enter_handler(n: usize) -> Handler {
    const FEW: [Handler; 9] = [
        enter::<0>, enter::<1>, enter::<2>, enter::<3>, enter::<4>, enter::<5>, enter::<6>, enter::<7>, enter::<8>,
    ];
    FEW.get(n).copied().unwrap_or(enter_many)
}

/// `br_if` by operand: slot, accumulator.
pub(crate) static BR_IF: [Jump; 2] = [jump!(br_if, S), jump!(br_if, A)];
/// The inverse of [`BR_IF`].
pub(crate) static BR_IF_ZERO: [Jump; 2] = [jump!(br_if_zero, S), jump!(br_if_zero, A)];
/// `br_table` by operand: slot, accumulator.
pub(crate) static BR_TABLE: [Handler; 2] = [br_table::<S>, br_table::<A>];
/// `br_table` by a loaded index: by [i32.load, i32.load8_u][address in slot,
/// accumulator, pinned].
pub(crate) static BR_TABLE_LOADED: [[Handler; FIRST]; 2] = [
    [
        br_table::<Ld<I32Load, Base<S>>>,
        br_table::<Ld<I32Load, Base<A>>>,
        br_table::<Ld<I32Load, Base<P<0>>>>,
    ],
    [
        br_table::<Ld<I32Load8U, Base<S>>>,
        br_table::<Ld<I32Load8U, Base<A>>>,
        br_table::<Ld<I32Load8U, Base<P<0>>>>,
    ],
];
/// How many copies from slot to slot an instruction makes.
pub(crate) trait Copies {
    /// That.
    const COUNT: usize;
}

/// `N` copies.
pub(crate) enum Copy<const N: usize> {}

impl<const N: usize> Copies for Copy<N> {
    const COUNT: usize = N;
}

/// `call_indirect` by [index in slot, accumulator, loaded from an address in
/// slot, accumulator][number of copies before it].
pub(crate) static CALL_INDIRECT: [[Handler; 4]; 4] = {
    macro_rules! of {
        ($index:ty) => {
            [
                call_indirect::<$index, Copy<0>>,
                call_indirect::<$index, Copy<1>>,
                call_indirect::<$index, Copy<2>>,
                call_indirect::<$index, Copy<3>>,
            ]
        };
    }
    [of!(S), of!(A), of!(Ld<I32Load, Base<S>>), of!(Ld<I32Load, Base<A>>)]
};
/// `call_ref` by [reference in slot, accumulator][number of copies before it].
pub(crate) static CALL_REF: [[Handler; 4]; 2] = {
    macro_rules! of {
        ($reference:ty) => {
            [
                call_ref::<$reference, Copy<0>>,
                call_ref::<$reference, Copy<1>>,
                call_ref::<$reference, Copy<2>>,
                call_ref::<$reference, Copy<3>>,
            ]
        };
    }
    [of!(S), of!(A)]
};
/// Return of one value by [integer, float or vector][slot, accumulator, constant].
pub(crate) static RET_ONE: [[Return; 3]; 3] = [
    [
        returns!(ret_one, u64, S),
        returns!(ret_one, u64, A),
        returns!(ret_one, u64, K),
    ],
    [
        returns!(ret_one, f64, S),
        returns!(ret_one, f64, A),
        returns!(ret_one, f64, K),
    ],
    [
        returns!(ret_one, Vector, S),
        returns!(ret_one, Vector, A),
        returns!(ret_one, Vector, S),
    ],
];
/// Return whose results are in place.
pub(crate) static RET: Return = Return([
    ret::<HeaderAt<0>>,
    ret::<HeaderAt<1>>,
    ret::<HeaderAt<2>>,
    ret::<HeaderAt<3>>,
    ret::<HeaderAt<4>>,
    ret::<HeaderFar>,
]);
