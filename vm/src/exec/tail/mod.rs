//! Tail calls (Spec 3.0 §4.4.8, `return_call` and its like): the callee's frame
//! takes the place of the caller's.
//!
//! Arguments are moved to the start of the frame, the header to where the callee
//! has it. The return address stays what it was, and so does what the return
//! restores: if the call was one that may leave its instance ([`LEAVES`]), the
//! context in the header. Where that is not enough, a stub frame comes between
//! ([`stub`]).
//!
//! What may end the call is looked at while the caller's frame is whole.

pub(crate) mod stub;

use super::access::{LoadAs, Place, touch_frame};
use super::context::{Cx, FuncRec};
use super::control::{LEAVES, entry_at, interrupted, poll, trap};
use super::dispatch::{Handler, Regs, goto, handler, next};
use super::operand::{A, At, S, Src};
use super::table::TableInst;
use super::{control, exit, stubs};
use crate::trap::Trap;

/// Slots above the callee's header that must be there for a tail call that leaves
/// the instance: most stub frames fit in there.
const ROOM: usize = 64;

/// Byte of the number of moves that the instruction makes.
const COUNT: usize = 8;
/// Byte of the slot where the header is.
const FROM: usize = 10;
/// Byte of the slot where the callee has it.
const TO: usize = 12;
/// Byte of the number of slots that are moved from [`BLOCK`] to the frame's start.
const BLOCK_COUNT: usize = 14;
/// Byte of the first of them.
const BLOCK: usize = 16;
/// Byte of the number of slots that the results take.
const RESULTS: usize = 18;
/// Byte of the slot of the index or of the reference.
const OPERAND: usize = 20;
/// Byte of the table's or the import's place in the context.
const AT_CX: usize = 24;
/// Byte of the type's identity.
const TYPE: usize = 28;
/// Byte of the word that a call would have as its last; in a call of a function of
/// the module it is the function's index, and its entry stands before.
const LAST: usize = 32;
/// Byte of the moves.
const MOVES: usize = 40;

/// The fields of an instruction that all tail calls have in common, but for
/// [`return_call`] with few moves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    /// How many moves stand at its end.
    pub(crate) moves: u16,
    /// The slot where the header is.
    pub(crate) from: u16,
    /// The slot where the callee has it.
    pub(crate) to: u16,
    /// Slots that are moved to the frame's start together, and the first of them.
    pub(crate) block: (u16, u16),
    /// Slots of the results.
    pub(crate) results: u16,
    /// The slot of the index or of the reference.
    pub(crate) operand: u16,
    /// The word at byte 24.
    pub(crate) what: u64,
    /// The word at byte 32.
    pub(crate) last: u64,
}

impl Fields {
    /// Words of the fields and the handler.
    pub(crate) const WORDS: usize = MOVES / 8;

    /// The words after the handler's.
    pub(crate) fn words(&self) -> [u64; Self::WORDS - 1] {
        let word = |fields: [u16; 4]| {
            fields
                .iter()
                .rev()
                .fold(0, |word, field| word << 16 | u64::from(*field))
        };
        [
            word([self.moves, self.from, self.to, self.block.0]),
            word([self.block.1, self.results, self.operand, 0]),
            self.what,
            self.last,
        ]
    }
}

/// How a tail call makes its moves.
trait Moves {
    /// Touches the frame, so that interruptions are noticed, and what the callee's
    /// header needs that the caller's frame may not have had.
    ///
    /// # Safety
    /// `s` are the registers of such a tail call.
    unsafe fn touch(s: &Regs);
    /// Makes them. Of the registers, the base of the memory and what locals may be
    /// pinned in are free for that.
    ///
    /// # Safety
    /// As for [`Moves::touch`], after that.
    unsafe fn make(s: &mut Regs);
}

/// `N` moves from slot to slot; the header stays where it is.
enum Few<const N: usize> {}
/// As many as the instruction says; the header is moved.
enum Listed {}

impl<const N: usize> Moves for Few<N> {
    #[inline(always)]
    unsafe fn touch(s: &Regs) {
        // SAFETY: the running frame.
        unsafe { touch_frame(s) }
    }

    #[inline(always)]
    unsafe fn make(s: &mut Regs) {
        // SAFETY: the caller's promise.
        unsafe { control::copy_slots(s, MOVES, N) }
    }
}

impl Moves for Listed {
    #[inline(always)]
    unsafe fn touch(s: &Regs) {
        // SAFETY: the caller's promise.
        unsafe { touch_header(s, 0) }
    }

    #[inline(always)]
    unsafe fn make(s: &mut Regs) {
        // SAFETY: the caller's promise; slots that the instruction names are in the
        // frame or in the callee's.
        unsafe {
            let from = s.slot_at(FROM);
            // Both are as good as dead, and the processor's registers few.
            s.a1 = from.read();
            s.mb = from.add(1).read() as *mut u8;
            let mut at = s.ip.add(MOVES).cast::<[u16; 2]>();
            let end = at.add(usize::from(s.field::<u16>(COUNT)));
            while at != end {
                let [to, from] = at.read();
                s.slot(to).write(s.slot(from).read());
                at = at.add(1);
            }
            let count = usize::from(s.field::<u16>(BLOCK_COUNT));
            if count != 0 {
                let block = s.slot_at(BLOCK);
                let mut i = 0;
                while i < count {
                    // Volatile, or it would become a call: what is copied may overlap.
                    s.fp.add(i).write_volatile(block.add(i).read_volatile());
                    i += 1;
                }
            }
            let to = s.slot_at(TO);
            to.write(s.a1);
            to.add(1).write(s.mb as u64);
            s.a1 = 0;
            s.mb = (*s.cx).mem0_base;
        }
    }
}

/// Touches the slot `above` the callee's header.
///
/// # Safety
/// `s` are the registers of a tail call.
#[inline(always)]
unsafe fn touch_header(s: &Regs, above: usize) {
    // SAFETY: the caller's promise; a fault is that of a frame beyond the stack.
    unsafe {
        let at = Place {
            base: s.fp.cast(),
            index: (usize::from(s.field::<u16>(TO)) + 1 + above) * 8,
        };
        let _touched = <u64 as LoadAs<u64>>::load(s, at);
    }
}

handler! {
    /// `return_call` of a function of the module whose header is where the caller's
    /// is. `N` moves stand from byte 8 on; then the address of the function's first
    /// instruction, null as long as it is not translated, and its index.
    fn return_call[N](s) {
        let entry = entry_at(s.ip.add(const { 8 + control::copy_bytes(N) }));
        if entry.is_null() {
            s.a0 = s.ip.add(const { 8 + control::copy_bytes(N) }) as u64;
            return goto(s, return_call_lazy);
        }
        touch_frame(&s);
        if interrupted(&s) {
            return poll(s);
        }
        control::copy_slots(&s, 8, N);
        s.ip = entry;
        next(s)
    }

    /// [`return_call`] of any function of the module.
    fn return_call_listed(s) {
        let entry = entry_at(s.ip.add(AT_CX));
        if entry.is_null() {
            s.a0 = s.ip.add(AT_CX) as u64;
            return goto(s, return_call_lazy);
        }
        Listed::touch(&s);
        if interrupted(&s) {
            return poll(s);
        }
        Listed::make(&mut s);
        s.ip = entry_at(s.ip.add(AT_CX));
        next(s)
    }

    /// Translates the function whose entry is to be at `a0`, puts it there, and begins
    /// the tail call again.
    #[cold]
    #[inline(never)]
    fn return_call_lazy(s) {
        if !stubs::bind_tail_call_slow(s.cx, s.a0 as *const u8) {
            s.a0 = exit::HOST;
            return goto(s, control::raise);
        }
        next(s)
    }

    /// `return_call` of an imported function.
    fn return_call_import(s) {
        s.a0 = s.cx.byte_add(s.field::<u32>(AT_CX) as usize) as u64;
        goto(s, tail_out)
    }

    /// `return_call_indirect`: the index is in a slot or the accumulator.
    fn return_call_indirect<I: Src, M: Moves>(s) {
        let index = I::get::<u64>(&s, At::slot(OPERAND));
        let table = s.cx.byte_add(s.field::<u32>(AT_CX) as usize).cast::<*const TableInst>().read();
        if index >= (*table).len {
            return trap(s, Trap::UndefinedElement);
        }
        let rec = (*table).base.add(index as usize).cast::<*const FuncRec>().read();
        if rec.is_null() {
            return trap(s, Trap::IndirectCallToNull);
        }
        if (*rec).ty.as_u32() != s.field::<u32>(TYPE) {
            return trap(s, Trap::BadSignature);
        }
        s.a0 = rec as u64;
        if (*rec).cx != s.cx {
            return goto(s, tail_out);
        }
        M::touch(&s);
        if interrupted(&s) {
            return poll(s);
        }
        M::make(&mut s);
        s.ip = (*(s.a0 as *const FuncRec)).ip.get();
        next(s)
    }

    /// `return_call_ref`: the reference is in a slot or the accumulator.
    fn return_call_ref<I: Src, M: Moves>(s) {
        s.a0 = I::get::<u64>(&s, At::slot(OPERAND));
        let rec = s.a0 as *const FuncRec;
        if rec.is_null() {
            return trap(s, Trap::NullFuncReference);
        }
        if (*rec).cx != s.cx {
            return goto(s, tail_out);
        }
        M::touch(&s);
        if interrupted(&s) {
            return poll(s);
        }
        M::make(&mut s);
        s.ip = (*(s.a0 as *const FuncRec)).ip.get();
        next(s)
    }

    /// A tail call through the record in `a0`, which may leave the instance.
    #[inline(never)]
    fn tail_out(s) {
        if stubs::is_special((*(s.a0 as *const FuncRec)).ip.get()) {
            return goto(s, tail_special);
        }
        touch_header(&s, ROOM);
        if interrupted(&s) {
            return poll(s);
        }
        Listed::make(&mut s);
        let ret = s.slot_at(TO).cast::<*const u8>().read();
        let callee = (*(s.a0 as *const FuncRec)).cx;
        // Host functions' heads have a domain that no instance has.
        if ret.sub(4).cast::<u32>().read() & LEAVES == 0 || (*callee).domain != (*s.cx).domain {
            return goto(s, tail_settle);
        }
        s.ip = (*(s.a0 as *const FuncRec)).ip.get();
        s.cx = callee;
        s.mb = (*s.cx).mem0_base;
        next(s)
    }

    /// Goes on with [`tail_out`] where there may have to be a stub frame.
    #[inline(never)]
    fn tail_settle(s) {
        let rec = s.a0 as *const FuncRec;
        let fp = stub::settle(s.cx, s.fp, rec, s.field::<u16>(RESULTS));
        s.ip = (*rec).ip.get();
        s.cx = (*rec).cx;
        if fp.is_null() {
            return trap(s, Trap::StackOverflow);
        }
        s.mb = (*s.cx).mem0_base;
        s.fp = fp;
        next(s)
    }

    /// Goes on with [`tail_out`] where the record's function is not bound yet, not
    /// translated, or gone. The caller's frame is as it was.
    #[cold]
    #[inline(never)]
    fn tail_special(s) {
        let code = special_slow(s.ip, s.fp, s.cx, s.a0 as *const FuncRec);
        if code != exit::DONE {
            s.ip = s.ip.add(LAST);
            s.a0 = code;
            return goto(s, control::raise);
        }
        goto(s, tail_out)
    }

}

/// Sees to it that the record `rec` leads to a function, for the tail call at `ip` in
/// the frame at `fp`: an exit code, 0 to go on.
#[cold]
#[inline(never)]
unsafe fn special_slow(ip: *const u8, fp: *mut u64, cx: *mut Cx, rec: *const FuncRec) -> u64 {
    // SAFETY: called by a handler whose registers these are.
    unsafe {
        let entry = (*rec).ip.get();
        if entry == stubs::unbound_entry() {
            // As an ordinary call would: what runs now finds its caller.
            let word = ip.add(LAST).cast::<[u32; 2]>().read();
            let callee = fp.byte_add(word[0] as usize);
            let header = callee.add((*rec).slots as usize);
            if header.add(2) > (*(*cx).rt).stack_end {
                return exit::trap(Trap::StackOverflow);
            }
            header.write(ip.add(MOVES) as u64);
            header.add(1).write(cx as u64);
            return stubs::bind_import_slow(rec, callee);
        }
        if entry == stubs::unloaded_entry() {
            let canonical = (*(*rec).canonical.get()).ip.get();
            if canonical == entry {
                stubs::leave_unloaded((*rec).cx);
                return exit::HOST;
            }
            // An import's record, whose function is there again.
            (*rec).ip.set(canonical);
            return exit::DONE;
        }
        match stubs::bind_slow(cx, rec).is_null() {
            true => exit::HOST,
            false => exit::DONE,
        }
    }
}

/// `return_call` of a function of the module whose header is where the caller's is, by
/// the number of moves.
pub(crate) static RETURN_CALL: [Handler; 5] = [
    return_call::<0>,
    return_call::<1>,
    return_call::<2>,
    return_call::<3>,
    return_call::<4>,
];
/// `return_call` of any function of the module.
pub(crate) const RETURN_CALL_LISTED: Handler = return_call_listed;
/// `return_call` of an imported function.
pub(crate) const RETURN_CALL_IMPORT: Handler = return_call_import;

macro_rules! by_moves {
    ($handler:ident, $operand:ty) => {
        [
            $handler::<$operand, Few<0>>,
            $handler::<$operand, Few<1>>,
            $handler::<$operand, Few<2>>,
            $handler::<$operand, Few<3>>,
            $handler::<$operand, Few<4>>,
            $handler::<$operand, Listed>,
        ]
    };
}

/// `return_call_indirect` by [index in slot, accumulator][number of moves while the
/// header stays; otherwise].
pub(crate) static RETURN_CALL_INDIRECT: [[Handler; 6]; 2] =
    [by_moves!(return_call_indirect, S), by_moves!(return_call_indirect, A)];
/// `return_call_ref` likewise.
pub(crate) static RETURN_CALL_REF: [[Handler; 6]; 2] = [by_moves!(return_call_ref, S), by_moves!(return_call_ref, A)];
