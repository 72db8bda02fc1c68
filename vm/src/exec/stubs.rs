//! Code that stands where a function's own is not (yet): the end of a run,
//! translation on the first call, and calls of host functions.

use super::context::{Cx, FuncRec};
use super::control::{ENTRY_BEFORE_RETURN, raise};
use super::dispatch::{Handler, Regs, goto, handler, next};
use super::machine::Pending;
use super::tail::stub;
use super::{exit, host, unwind};
use crate::error::Error;
use crate::ir::code::Cell;
use crate::module::FuncIdx;
use crate::runtime::store::StoreInner;

/// Code of one instruction that follows a call's last word.
#[repr(C)]
struct AfterCall {
    /// Distance to the caller's frame and place of the header: none.
    call: u64,
    handler: Handler,
}

/// What entries from the host return to.
static EXIT: AfterCall = AfterCall {
    call: 0,
    handler: finish,
};
/// Entries of records that lead to no code yet or any more.
static SPECIAL: [Handler; 3] = [bind, bind_import, unloaded];
/// Handler of a function's [`Cell`].
pub(crate) const LAZY: Handler = lazy;

/// The return address of entries from the host.
pub(crate) fn exit_ip() -> *const u8 {
    (&raw const EXIT.handler).cast()
}

/// Entry of an unbound record.
pub(crate) fn bind_entry() -> *const u8 {
    SPECIAL.as_ptr().cast()
}

/// Entry of an import's record that nobody has given a function yet.
pub(crate) fn unbound_entry() -> *const u8 {
    (&raw const SPECIAL[1]).cast()
}

/// Entry of a record whose function is gone.
pub(crate) fn unloaded_entry() -> *const u8 {
    (&raw const SPECIAL[2]).cast()
}

/// Whether an entry is one of the three above.
#[inline(always)]
pub(crate) fn is_special(entry: *const u8) -> bool {
    (entry as usize).wrapping_sub(bind_entry() as usize) < size_of_val(&SPECIAL)
}

/// Code of a host function with `slots` slots before its header, and where it returns
/// to if it has been tail-called.
pub(crate) fn host_call_code(slots: u32) -> [u64; 4] {
    [
        host_call as Handler as usize as u64,
        u64::from(slots),
        stub::stub_call_word(slots),
        stub::RETURN as usize as u64,
    ]
}

/// Bytes from a host function's code to where it returns to if it has been
/// tail-called.
pub(crate) const HOST_RETURN: usize = 24;

/// The entry of the function behind `rec`, translated if need be.
///
/// # Errors
/// If the function cannot be translated.
pub(crate) fn resolve(rec: &FuncRec) -> Result<*const u8, Error> {
    if rec.ip.get() == bind_entry() {
        // SAFETY: an unbound record belongs to a function of an instance; its
        // context and code live as long as the store.
        let code = unsafe { &*(*rec.cx).code };
        rec.ip.set(code.entry(FuncIdx::new(rec.func))?);
        let canonical = rec.canonical.get();
        // SAFETY: the record of the function's own instance, or this one.
        unsafe { (*canonical).ip.set(rec.ip.get()) };
    }
    Ok(rec.ip.get())
}

/// Resolves `rec` and binds the call before `ret`, made in `cx`, to what it
/// leads to; null where the error is left in the store.
#[cold]
#[inline(never)]
unsafe fn bind_call_slow(cx: *mut Cx, rec: *const FuncRec, ret: *const u8) -> *const u8 {
    // SAFETY: calls through a record pass it on in `a0`.
    match resolve(unsafe { &*rec }) {
        Ok(entry) => {
            // SAFETY: the code of the calling instance.
            unsafe { &*(*cx).code }.bind_call(ret as usize, entry);
            entry
        }
        // SAFETY: `cx` is a live context.
        Err(error) => unsafe { leave_error(cx, error) },
    }
}

/// [`resolve`] for a handler: null where the error is left in the store.
#[cold]
#[inline(never)]
pub(super) unsafe fn bind_slow(cx: *mut Cx, rec: *const FuncRec) -> *const u8 {
    // SAFETY: calls through a record pass it on in `a0`.
    match resolve(unsafe { &*rec }) {
        Ok(ip) => ip,
        // SAFETY: `cx` is the callee's live context.
        Err(error) => unsafe { leave_error(cx, error) },
    }
}

/// Translates the function whose cell is `cell` and binds the call that led
/// there, whose frame is at `fp`; null where the error is left in the store.
#[cold]
#[inline(never)]
unsafe fn lazy_slow(cx: *mut Cx, cell: *const Cell, fp: *const u64) -> *const u8 {
    // SAFETY: the code of a running instance.
    let code = unsafe { &*(*cx).code };
    // SAFETY: only calls within this code lead to its cells.
    let cell = unsafe { &*cell };
    match code.entry_of_cell(cell) {
        Ok(entry) => {
            let slots = code.module().func_type(code.func_of_cell(cell)).slots();
            // SAFETY: the call has written its return address there.
            let ret = unsafe { fp.add(slots as usize).read() };
            code.bind_call(ret as usize, entry);
            entry
        }
        // SAFETY: `cx` is the running context.
        Err(error) => unsafe { leave_error(cx, error) },
    }
}

/// Translates the function that the tail call leads to whose entry stands at `at`, with
/// the function's index after it, and writes the entry; false where the error is left
/// in the store.
#[cold]
#[inline(never)]
pub(super) unsafe fn bind_tail_call_slow(cx: *mut Cx, at: *const u8) -> bool {
    // SAFETY: the code of a running instance.
    let code = unsafe { &*(*cx).code };
    // SAFETY: the instruction has it there.
    let func = FuncIdx::new(unsafe { at.add(8).cast::<u32>().read() });
    match code.entry(func) {
        Ok(entry) => {
            code.bind_call(at as usize + ENTRY_BEFORE_RETURN, entry);
            true
        }
        Err(error) => {
            // SAFETY: `cx` is the running context.
            unsafe { leave_error(cx, error) };
            false
        }
    }
}

/// Gives the import whose record is `rec` its function, for the call whose frame is
/// at `fp`; an exit code, 0 to go on.
#[cold]
#[inline(never)]
pub(super) unsafe fn bind_import_slow(rec: *const FuncRec, fp: *mut u64) -> u64 {
    // SAFETY: calls through a record pass it on in `a0`.
    let (cx, slots) = unsafe { ((*rec).cx, (*rec).slots as usize) };
    // SAFETY: an unbound record leads to the importing instance's context.
    let (rt, instance) = unsafe { ((*cx).rt, (*cx).instance) };
    let bind = |store: *mut (), inner: *mut StoreInner| {
        // SAFETY: the entry's borrow of the store is not in use meanwhile.
        let (binder, import) = unsafe { (*inner).binder_of(instance, rec) };
        // SAFETY: the binder is of this store, which is not in use meanwhile.
        let func = unsafe { binder.find(store, import) }?;
        // SAFETY: as above.
        unsafe { (*inner).bind(instance, import, func) }
    };
    // SAFETY: the registers of a guest's call, and a frame's end.
    unsafe { host::outside(rt, fp.add(slots + 2), bind) }
}

/// Says that the function whose context is `cx` is gone.
#[cold]
#[inline(never)]
pub(super) unsafe fn leave_unloaded(cx: *mut Cx) {
    // SAFETY: a context leads to the block of the running store, retired or not.
    let (inner, instance) = unsafe { ((*(*cx).rt).inner, (*cx).instance) };
    // SAFETY: the entry's borrow of the store is not in use while code runs.
    let error = unsafe { (*inner).unloaded(instance) };
    // SAFETY: `cx` is a context of the running store.
    unsafe { leave_error(cx, error) };
}

/// Leaves `error` for the entry that is running.
unsafe fn leave_error(cx: *mut Cx, error: Error) -> *const u8 {
    // SAFETY: a live context leads to the block of the running store.
    let inner = unsafe { (*(*cx).rt).inner };
    // SAFETY: the entry's borrow of the store is not in use while code runs.
    unsafe { (*inner).machine.pending = Some(Pending::Error(error)) };
    std::ptr::null()
}

handler! {
    /// Ends the run.
    fn finish(s) {
        let _ = s.ip;
        exit::DONE
    }

    /// Resolves the record in `a0` and goes on at its function.
    #[cold]
    fn bind(s) {
        let ip = bind_slow(s.cx, s.a0 as *const FuncRec);
        if ip.is_null() {
            s.a0 = exit::HOST;
            return goto(s, raise);
        }
        s.ip = ip;
        next(s)
    }

    /// Binds the call that ends at `ip` to where its record, in `a0`, leads,
    /// and goes on there.
    #[cold]
    pub(crate) fn bind_call(s) {
        let rec = s.a0 as *const FuncRec;
        let entry = bind_call_slow(s.cx, rec, s.ip);
        if entry.is_null() {
            s.ip = s.ip.sub(8);
            s.fp = s.fp.byte_sub(s.field::<u32>(0) as usize);
            s.a0 = exit::HOST;
            return goto(s, raise);
        }
        s.ip = entry;
        s.cx = (*rec).cx;
        s.mb = (*s.cx).mem0_base;
        next(s)
    }

    /// Finds the function of the import whose record is in `a0`, and goes on there.
    #[cold]
    fn bind_import(s) {
        let rec = s.a0 as *const FuncRec;
        let slots = (*rec).slots as usize;
        let code = bind_import_slow(rec, s.fp);
        if code != exit::DONE {
            return raise_in_caller(s, slots, code);
        }
        s.ip = (*rec).ip.get();
        s.cx = (*rec).cx;
        s.mb = (*s.cx).mem0_base;
        next(s)
    }

    /// Stands where functions were that are gone: `a0` has the record that the call
    /// went through.
    #[cold]
    fn unloaded(s) {
        let rec = s.a0 as *const FuncRec;
        let canonical = (*(*rec).canonical.get()).ip.get();
        if canonical != unloaded_entry() {
            // An import's record, whose function is there again.
            (*rec).ip.set(canonical);
            s.ip = canonical;
            return next(s);
        }
        let slots = (*rec).slots as usize;
        leave_unloaded(s.cx);
        raise_in_caller(s, slots, exit::HOST)
    }

    /// The instruction in a function's [`Cell`]: translates it and goes on there.
    #[cold]
    fn lazy(s) {
        let ip = lazy_slow(s.cx, s.ip.cast::<Cell>(), s.fp);
        if ip.is_null() {
            s.a0 = exit::HOST;
            return goto(s, raise);
        }
        s.ip = ip;
        next(s)
    }

    /// Calls the host function whose head is `cx`, and returns to the guest.
    fn host_call(s) {
        let slots = s.field::<u64>(8) as usize;
        let code = host::call_from_guest(s.cx, s.fp, slots);
        if code != exit::DONE {
            return raise_in_caller(s, slots, code);
        }
        s = caller_of(s, slots);
        s.mb = (*s.cx).mem0_base;
        next(s)
    }
}

/// The registers of the guest that called what has the frame at `fp` and so many
/// slots before its header, with `ip` at what follows the call.
///
/// # Safety
/// The call may leave its instance: it has saved its context.
#[inline(always)]
unsafe fn caller_of(mut s: Regs, slots: usize) -> Regs {
    let header = s.fp.wrapping_add(slots);
    // SAFETY: the caller's promise; the call has written both, and the word before
    // a return address is the call's last.
    unsafe {
        s.ip = header.cast::<*const u8>().read();
        s.cx = header.add(1).cast::<*mut Cx>().read();
        s.fp = s.fp.byte_sub(s.ip.sub(8).cast::<u32>().read() as usize);
    }
    s
}

/// Ends the run with an exit code as if the call had ended it, or throws what the
/// host has left.
///
/// # Safety
/// As [`caller_of`].
#[cold]
#[inline(always)]
unsafe fn raise_in_caller(s: Regs, slots: usize, code: u64) -> u64 {
    // SAFETY: the caller's promise.
    let mut s = unsafe { caller_of(s, slots) };
    // SAFETY: the word before a return address is the call's last.
    if unsafe { s.ip.cast::<u32>().sub(1).read() } & stub::TAIL != 0 {
        // SAFETY: that word says so.
        s = unsafe { stub::leave_stub(s) };
    }
    s.ip = s.ip.wrapping_sub(8);
    if code == exit::THROWN {
        // SAFETY: in tail position of a handler, at the last word of a call.
        return unsafe { goto(s, unwind::throw_pending) };
    }
    s.a0 = code;
    // SAFETY: in tail position of a handler.
    unsafe { goto(s, raise) }
}
