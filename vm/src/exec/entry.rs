//! Calls from the host into functions of a store.

use std::panic::resume_unwind;
use std::ptr;

use super::chain::Mark;
use super::context::{FuncRef, Rt};
use super::machine::{Machine, Pending};
use super::{backtrace, dispatch, exit, host, stubs};
use crate::error::{Error, HostError, TrapError};
use crate::runtime::store::{StoreData, StoreInner};
use crate::sys;
use crate::trap::Trap;

/// Host stack that must be left for a guest call to begin: handlers use little,
/// host functions and their callees the rest.
const HOST_STACK_RESERVE: usize = 256 << 10;

/// Calls `func`: `write` fills its slots with the parameters, `read` takes the
/// results from there. Both see the larger of the two numbers of slots.
///
/// # Errors
/// The trap or host error that ended the call, with a backtrace.
pub(crate) fn call<T, R>(
    store: &mut StoreData<T>,
    func: FuncRef,
    write: impl FnOnce(&mut [u64], &StoreInner),
    read: impl FnOnce(&[u64], &StoreInner) -> R,
) -> Result<R, Error> {
    let whole: *mut StoreData<T> = store;
    // SAFETY: `whole` is a live exclusive borrow; the field's address is taken
    // without making a reference.
    let inner: *mut StoreInner = unsafe { &raw mut (*whole).inner };
    // SAFETY: as above; only the runtime block's address is read.
    let rt = unsafe { (*inner).machine.rt() }.as_ptr();
    let slots = func.rec().slots as usize;
    // SAFETY: the block of a live store.
    let fp = unsafe { frame_for(rt, slots) }?;
    // SAFETY: `slots` fit below the end of the value stack, and everything from
    // `next_frame` on is free for this entry.
    let frame = unsafe { std::slice::from_raw_parts_mut(fp, slots) };
    // SAFETY: as above; no reference to it is left when the run begins.
    write(frame, unsafe { &*inner });
    // SAFETY: as above.
    unsafe { run(whole.cast(), inner, func, fp, slots, (*rt).mark) }?;
    // SAFETY: as above; the run has ended and left the results here.
    let frame = unsafe { std::slice::from_raw_parts(fp, slots) };
    // SAFETY: as above.
    Ok(read(frame, unsafe { &*inner }))
}

/// Calls `func` as if nothing had called the caller; parameters and results
/// are in `slots`.
///
/// # Safety
/// `store` is the whole of the store that `func` belongs to, which the caller
/// has borrowed exclusively and does not use during the call.
pub(crate) unsafe fn call_as_gate(store: *mut (), func: FuncRef, slots: &mut [u64]) -> Result<(), Error> {
    let rec = func.rec();
    // SAFETY: a record's context is live.
    let rt = unsafe { (*rec.cx).rt };
    let count = rec.slots as usize;
    // SAFETY: the block of a live store.
    let fp = unsafe { frame_for(rt, count) }?;
    // SAFETY: as in `call`.
    let frame = unsafe { std::slice::from_raw_parts_mut(fp, count) };
    frame.iter_mut().zip(&*slots).for_each(|(slot, value)| *slot = *value);
    // SAFETY: the caller's promise; the inner part is that of the running entry.
    unsafe { run(store, (*rt).inner, func, fp, count, Mark::Gate.word()) }?;
    // SAFETY: as in `call`.
    let frame = unsafe { std::slice::from_raw_parts(fp, count) };
    slots.iter_mut().zip(frame).for_each(|(slot, value)| *slot = *value);
    Ok(())
}

/// Where a frame of so many slots and a header can be.
///
/// # Safety
/// `rt` is the block of a live store of this thread.
unsafe fn frame_for(rt: *mut Rt, slots: usize) -> Result<*mut u64, Error> {
    // SAFETY: the caller's promise.
    let (fp, end) = unsafe { ((*rt).next_frame, (*rt).stack_end) };
    let room = (end as usize).saturating_sub(fp as usize) / size_of::<u64>();
    if room < slots + 2 || sys::remaining_host_stack() < HOST_STACK_RESERVE {
        return Err(Trap::StackOverflow.into());
    }
    Ok(fp)
}

/// Runs `func` on the frame at `fp`.
///
/// # Safety
/// 1. `store` and `inner` are the whole and the inner part of a store that the
///    caller has borrowed exclusively and does not use during the call.
/// 2. `fp` is the store's `next_frame`, with `slots + 2` usable slots.
unsafe fn run(
    store: *mut (),
    inner: *mut StoreInner,
    func: FuncRef,
    fp: *mut u64,
    slots: usize,
    mark: u64,
) -> Result<(), Error> {
    // SAFETY: 1.
    let rt = unsafe { (*inner).machine.rt() }.as_ptr();
    // SAFETY: 1.
    let _outer = unsafe { Outer::save(rt, fp) };
    // SAFETY: 1. Calls from inside this one begin above this frame, and are no
    // part of what was marked.
    unsafe {
        (*rt).next_frame = fp.add(slots + 2);
        (*rt).mark = Mark::Open.word();
    }
    if func.is_host() {
        // SAFETY: 1 and 2; what a chain finds instead of a call.
        unsafe {
            (*rt).store = store;
            (*rt).inner = inner;
            fp.add(slots).write(fp as u64);
            fp.add(slots + 1).write(mark);
        }
        // SAFETY: 2; the slots are this call's alone.
        let frame = unsafe { std::slice::from_raw_parts_mut(fp, slots) };
        // SAFETY: 1.
        return unsafe { host::call_direct(func, store, inner, frame) };
    }
    let cx = func.rec().cx;
    if func.rec().ip.get() == stubs::unloaded_entry() {
        // SAFETY: 1; contexts stay, also of instances that are gone.
        return Err(unsafe { (*inner).unloaded((*cx).instance) });
    }
    let ip = stubs::resolve(func.rec())?;
    // SAFETY: 2; the header of the entry's frame.
    unsafe { fp.add(slots).write(stubs::exit_ip() as u64) };
    // SAFETY: 2; no context to return to, but the mark.
    unsafe { fp.add(slots + 1).write(mark) };
    let (code, fault) = {
        // SAFETY: 1.
        let machine: &Machine = unsafe { &(*inner).machine };
        let activation = sys::Activation::new(machine.stack());
        // SAFETY: 1.
        unsafe {
            (*rt).act = &raw const activation;
            (*rt).store = store;
            (*rt).inner = inner;
            (*rt).trap_ip = ptr::null();
            (*rt).trap_fp = ptr::null_mut();
            (*rt).trap_cx = ptr::null_mut();
        }
        if machine.control().take_pending() {
            (exit::INTERRUPT, None)
        } else {
            // SAFETY: `ip` starts a translated function of the instance `cx`.
            let first = unsafe { dispatch::first_handler(ip) };
            // SAFETY: a live context.
            let mb = unsafe { (*cx).mem0_base };
            // SAFETY: the registers are what the function's first instruction
            // expects, and the frame's header leads back to the exit stub.
            let code = unsafe { sys::enter(&activation, first, ip, fp, mb, cx.cast()) };
            let fault = activation.fault(code);
            if let Some(fault) = &fault {
                // SAFETY: 1.
                unsafe { note_fault(rt, fault) };
            }
            (code, fault)
        }
    };
    match code {
        exit::DONE => Ok(()),
        exit::HOST => {
            // SAFETY: 1; nothing runs any more.
            match unsafe { (*inner).machine.pending.take() } {
                Some(Pending::Panic(payload)) => resume_unwind(payload),
                // SAFETY: as for the trap below.
                Some(Pending::Error(error)) => Err(with_frames(error, unsafe { backtrace::capture(inner, fp) })),
                None => Err(Trap::UnreachableCodeReached.into()),
            }
        }
        code => {
            let mut trap = exit::to_trap(code).expect("handlers return the codes of `exit` only");
            // SAFETY: 1; nothing runs any more.
            if fault.is_some_and(|fault| unsafe { &*inner }.is_read_only_write(&fault)) {
                trap = Trap::ReadOnlyMemory;
            }
            // SAFETY: 1; the frames above `fp` are as the run left them.
            let frames = unsafe { backtrace::capture(inner, fp) };
            Err(Error::Trap(Box::new(TrapError::new(trap, frames))))
        }
    }
}

/// What the runtime block said before a run, and says again however that ends.
struct Outer {
    rt: *mut Rt,
    next_frame: *mut u64,
    act: *const sys::Activation,
    store: *mut (),
    inner: *mut StoreInner,
    depth: u32,
    mark: u64,
}

impl Outer {
    /// # Safety
    /// `rt` is the block of a store that outlives the value, and its runs' frames
    /// begin at `next_frame` again when it is dropped.
    unsafe fn save(rt: *mut Rt, next_frame: *mut u64) -> Self {
        // SAFETY: the caller's promise; plain values.
        unsafe {
            Self {
                rt,
                next_frame,
                act: (*rt).act,
                store: (*rt).store,
                inner: (*rt).inner,
                depth: (*rt).depth,
                mark: (*rt).mark,
            }
        }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        // SAFETY: `save`'s caller promised it.
        unsafe {
            let rt = self.rt;
            (*rt).next_frame = self.next_frame;
            (*rt).act = self.act;
            (*rt).store = self.store;
            (*rt).inner = self.inner;
            (*rt).depth = self.depth;
            (*rt).mark = self.mark;
        }
    }
}

/// Notes where a fault happened, for the backtrace.
///
/// # Safety
/// `rt` is the block of the store whose run has just ended.
unsafe fn note_fault(rt: *mut Rt, fault: &sys::Fault) {
    #[cfg(orcavm_tail_calls)]
    let (ip, fp, cx) = (
        fault.ip as *const u8,
        fault.fp as *mut u64,
        fault.cx as *mut super::context::Cx,
    );
    // Unoptimised handlers keep the machine's registers anywhere, but the loop
    // that calls them has noted them for each.
    #[cfg(not(orcavm_tail_calls))]
    // SAFETY: the caller's promise.
    let (ip, fp, cx) = unsafe {
        let _ = fault;
        ((*rt).scratch.ip, (*rt).scratch.fp, (*rt).scratch.cx)
    };
    // SAFETY: the caller's promise.
    unsafe {
        (*rt).trap_ip = ip;
        (*rt).trap_fp = fp;
        (*rt).trap_cx = cx;
    }
}

/// Adds the frames of this run to what an inner one recorded.
fn with_frames(error: Error, frames: Vec<crate::trap::FrameInfo>) -> Error {
    match error {
        Error::Trap(mut trap) => {
            trap.extend_backtrace(frames);
            Error::Trap(trap)
        }
        Error::Exception(mut error) => {
            error.extend_backtrace(frames);
            Error::Exception(error)
        }
        Error::Host(mut host) => {
            host.extend_backtrace(frames);
            Error::Host(host)
        }
        other => Error::Host(Box::new(HostError::with_frames(other, frames))),
    }
}
