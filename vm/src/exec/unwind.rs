//! What throws exceptions, and the way from there to what catches them.
//!
//! The frames are read off the value stack, innermost first, as backtraces do; each
//! function's table says what it catches ([`Catches`](crate::ir::catches::Catches)).
//! Only when a clause is found anything is changed: the machine goes on there, with
//! the frames above forgotten, as a branch forgets operands. If there is none down
//! to the frame where the run began, the run ends with an error, which the host
//! gets; a host function that returns it goes on throwing in its caller.
//!
//! Where code counts its fuel, a throw takes one unit more for each frame that it
//! leaves and each clause that it asks.

use std::ptr::NonNull;

use super::context::{Cx, Rt};
use super::control::{LEAVES, raise};
use super::dispatch::{Regs, goto, handler, next};
use super::exception::Exception;
use super::heap::guest;
use super::heap::limits::Asker;
use super::machine::Pending;
use super::tag::{TagInst, TagRef};
use super::tail::stub;
use super::{exit, stubs};
use crate::error::Error;
use crate::ir::catches::Clause;
use crate::runtime::store::StoreInner;
use crate::trap::Trap;

handler! {
    /// `throw`: what the exception carries is in consecutive slots from the one at
    /// byte 8 on; at byte 12 stands where contexts have the pointer to the tag.
    #[cold]
    pub(crate) fn throw(s) {
        let tag = s.cx.byte_add(s.field::<u32>(12) as usize).cast::<NonNull<TagInst>>().read();
        let code = throw_slow(s.ip, s.fp, s.cx, tag, s.slot_at(8));
        go_on(s, code)
    }

    /// `throw_ref` of the slot at byte 8.
    #[cold]
    pub(crate) fn throw_ref(s) {
        let code = throw_ref_slow(s.ip, s.fp, s.cx, s.slot_at(8));
        go_on(s, code)
    }

    /// Goes on throwing what the host has left in the store, at the last word of the
    /// call that led to it.
    #[cold]
    #[inline(never)]
    pub(crate) fn throw_pending(s) {
        let code = throw_pending_slow(s.ip, s.fp, s.cx);
        go_on(s, code)
    }
}

/// Goes on where the runtime block says: at what catches something, or, with the exit
/// code, at what ends the run.
///
/// # Safety
/// In tail position of a handler, with its registers.
#[inline(always)]
unsafe fn go_on(mut s: Regs, code: u64) -> u64 {
    // SAFETY: a live context leads to the block of the running store.
    let rt = unsafe { (*s.cx).rt };
    // SAFETY: written by `throw_at`.
    (s.ip, s.fp, s.cx) = unsafe { ((*rt).trap_ip, (*rt).trap_fp, (*rt).trap_cx) };
    if code != exit::DONE {
        s.a0 = code;
        // SAFETY: the caller's promise.
        return unsafe { goto(s, raise) };
    }
    // SAFETY: the context of a frame on the stack is live.
    s.mb = unsafe { (*s.cx).mem0_base };
    // SAFETY: a clause's landing is an instruction of the frame's function.
    unsafe { next(s) }
}

/// Where a search begins: the instruction that throws, or the last word of a call,
/// with its frame and context.
#[derive(Clone, Copy)]
struct Place {
    ip: *const u8,
    fp: *mut u64,
    cx: *mut Cx,
}

/// What is thrown.
#[derive(Clone, Copy)]
enum Thrown {
    /// An exception that is still to be made: its tag, and what it carries.
    Parts(TagRef, *const u64),
    /// One that there is.
    Made(Exception),
}

/// A clause that catches.
struct Caught {
    /// Where it goes on.
    place: Place,
    clause: Clause,
    /// Frames that are left.
    frames: u32,
    /// Frames that are left, and clauses that were asked.
    cost: u64,
}

/// What to throw, and the error that the host has returned for it, if it has.
type What = (Thrown, Option<Error>);

#[inline(never)]
unsafe fn throw_slow(ip: *const u8, fp: *mut u64, cx: *mut Cx, tag: NonNull<TagInst>, payload: *mut u64) -> u64 {
    let tag = TagRef::new(tag);
    let end = payload.wrapping_add(tag.shape().slots as usize);
    // SAFETY: the registers of a running handler, and the end of what is in use.
    unsafe { throw_at(Place { ip, fp, cx }, end, |_| Ok((Thrown::Parts(tag, payload), None))) }
}

#[inline(never)]
unsafe fn throw_ref_slow(ip: *const u8, fp: *mut u64, cx: *mut Cx, slot: *mut u64) -> u64 {
    let made = |_: &mut StoreInner| {
        // SAFETY: the operand's slot.
        let exception = Exception::from_slot(unsafe { slot.read() }).ok_or(Trap::NullReference)?;
        Ok((Thrown::Made(exception), None))
    };
    // SAFETY: as above.
    unsafe { throw_at(Place { ip, fp, cx }, slot.wrapping_add(1), made) }
}

#[inline(never)]
unsafe fn throw_pending_slow(ip: *const u8, fp: *mut u64, cx: *mut Cx) -> u64 {
    let pending = |inner: &mut StoreInner| {
        let (Some(exception), Some(Pending::Error(error))) = (inner.take_thrown(), inner.machine.pending.take()) else {
            unreachable!("the host has left both");
        };
        Ok((Thrown::Made(exception), Some(error)))
    };
    // SAFETY: the last word of a call says where the callee's frame begins; what is
    // there is not needed any more.
    let end = fp.wrapping_byte_add(unsafe { ip.cast::<u32>().read() } as usize);
    // SAFETY: as above.
    unsafe { throw_at(Place { ip, fp, cx }, end, pending) }
}

/// Throws what `what` gives; the exit code, [`exit::DONE`] if it is caught. The
/// runtime block says where that is, or else where it was thrown.
///
/// # Safety
/// `place` is where a handler runs; the value stack is in use up to `end`.
unsafe fn throw_at(place: Place, end: *mut u64, what: impl FnOnce(&mut StoreInner) -> Result<What, Trap>) -> u64 {
    // SAFETY: a live context leads to the block of the running store.
    let rt = unsafe { (*place.cx).rt };
    // SAFETY: nobody else uses the block meanwhile.
    unsafe { ((*rt).trap_ip, (*rt).trap_fp, (*rt).trap_cx) = (place.ip, place.fp, place.cx) };
    let work = |inner: &mut StoreInner, asker| {
        let (thrown, error) = what(inner)?;
        // SAFETY: the caller's promise.
        unsafe { unwind(rt, inner, place, asker, thrown, error) }
    };
    // SAFETY: the caller's promise.
    match unsafe { guest::with_store(place.cx, end, work) } {
        Ok(()) => exit::DONE,
        Err(code) => code,
    }
}

/// Throws: the runtime block says where the machine goes on.
///
/// # Errors
/// If nothing catches it; the store has the exception then. If there is no fuel for
/// it, or no memory.
///
/// # Safety
/// As [`throw_at`]; `rt` and `inner` are those of the running store.
unsafe fn unwind(
    rt: *mut Rt,
    inner: &mut StoreInner,
    place: Place,
    asker: Asker,
    thrown: Thrown,
    error: Option<Error>,
) -> Result<(), Error> {
    let tag = match thrown {
        Thrown::Parts(tag, _) => tag,
        Thrown::Made(exception) => exception.tag(inner),
    };
    let slots = tag.shape().slots as usize;
    let make = |inner: &mut StoreInner| match thrown {
        Thrown::Made(exception) => Ok(exception),
        // SAFETY: the operands' slots, below the end of what is in use.
        Thrown::Parts(tag, from) => unsafe {
            Exception::new(inner, asker, tag, std::slice::from_raw_parts(from, slots))
        },
    };
    // SAFETY: the caller's promise.
    let Some(caught) = (unsafe { search(rt, place, tag) }) else {
        // SAFETY: the control block lives as long as the store.
        if unsafe { (*(*rt).control).is_pending() } {
            return Err(Trap::Interrupt.into());
        }
        let exception = make(inner)?;
        // SAFETY: a live context.
        let instance = unsafe { (*place.cx).instance };
        let name = |inner: &StoreInner| inner.tag_name(instance, tag);
        return Err(match error {
            Some(mut error) => {
                inner.keep_thrown_again(&mut error, exception, name);
                error
            }
            None => {
                let name = name(inner);
                inner.keep_thrown(exception, name).into()
            }
        });
    };
    let Caught {
        place: to,
        clause,
        frames,
        cost,
    } = caught;
    // SAFETY: the context of a frame on the stack is live.
    let options = unsafe { (*(*to.cx).code).options() };
    // SAFETY: the running store's block.
    let rt = unsafe { &mut *rt };
    if options.fuel {
        rt.fuel = rt.fuel.checked_sub(cost).ok_or(Trap::OutOfFuel)?;
    }
    let reference = clause
        .exception
        .map(|slot| Ok::<_, Error>((slot, make(inner)?)))
        .transpose()?;
    if clause.tag.is_some() {
        let from = match thrown {
            Thrown::Parts(_, from) => from,
            Thrown::Made(exception) => exception.payload(inner).as_ptr(),
        };
        // SAFETY: so many slots were thrown, and the frame has room for them at the
        // clause's label. It may be the frame they come from.
        unsafe { std::ptr::copy(from, to.fp.add(clause.payload.into()), slots) };
    }
    if let Some((slot, exception)) = reference {
        // SAFETY: the frame has room for it at the clause's label.
        unsafe { to.fp.add(slot.into()).write(exception.to_slot()) };
    }
    if options.depth {
        rt.depth -= frames;
    }
    (rt.trap_ip, rt.trap_fp, rt.trap_cx) = (to.ip, to.fp, to.cx);
    Ok(())
}

/// Looks for a clause that catches what is thrown; none if there is none in this
/// run, or an interruption is asked for.
///
/// # Safety
/// As [`throw_at`].
unsafe fn search(rt: *mut Rt, place: Place, tag: TagRef) -> Option<Caught> {
    let Place { mut ip, mut fp, mut cx } = place;
    let (mut frames, mut asked) = (0_u32, 0_u64);
    // SAFETY: the control block lives as long as the store.
    let control = unsafe { &*(*rt).control };
    while !control.is_pending() {
        // SAFETY: the context of a frame on the stack is live.
        let code = unsafe { &*(*cx).code };
        let (func, clause) = code.catches_at(ip as usize, |catches, offset| {
            let clause = catches.at(offset).find(|clause| {
                asked += 1;
                // SAFETY: contexts of the code have the pointer to the tag there.
                clause
                    .tag
                    .is_none_or(|at| unsafe { cx.byte_add(at as usize).cast::<*mut TagInst>().read() } == tag.as_ptr())
            })?;
            Some((*clause, ip.wrapping_sub(offset).wrapping_add(clause.landing as usize)))
        })?;
        if let Some((clause, ip)) = clause {
            return Some(Caught {
                place: Place { ip, fp, cx },
                clause,
                frames,
                cost: u64::from(frames) + asked,
            });
        }
        let header = fp.wrapping_add(code.module().func_type(func).slots() as usize);
        // SAFETY: each frame has a header.
        let mut ret = unsafe { header.read() };
        // SAFETY: the frame of a function that was called.
        let beneath = unsafe { stub::beneath(ret, fp) };
        if let Some(beneath) = &beneath {
            (ret, fp) = (beneath.ret, beneath.frame);
        }
        if ret == stubs::exit_ip() as u64 {
            return None;
        }
        // SAFETY: a call's last word precedes its return address.
        let word = unsafe { (ret as *const u64).sub(1).read() };
        if let Some(beneath) = &beneath {
            cx = beneath.second as *mut Cx;
        } else if (word >> 32) as u32 & LEAVES != 0 {
            // SAFETY: such a call has saved its context.
            cx = unsafe { header.add(1).cast::<*mut Cx>().read() };
        }
        fp = fp.wrapping_byte_sub(word as u32 as usize);
        ip = (ret as *const u8).wrapping_sub(8);
        frames += 1;
    }
    None
}
