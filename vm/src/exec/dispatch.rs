//! The machine's registers and how one handler passes control to the next.
//!
//! Every handler has the type [`Handler`]: its parameters are the machine's
//! registers and stay in the host's registers from handler to handler. A
//! handler ends in a call of the next one, which LLVM turns into a jump from
//! optimisation level 1 on (`orcavm_tail_calls`, set by build.rs). Below that
//! level [`next`] stores the registers and returns to [`trampoline`].
//!
//! A function that a handler calls on a slow path must be `#[inline(never)]`:
//! locals of its own in the handler's frame keep LLVM from making the last call
//! a jump (`tests/handlers` finds that in the machine code).
//!
//! Never add a seventh integer parameter: it would live on the host stack, and
//! no call of a handler could become a jump.

use super::context::Cx;
use super::float::Float;

/// The machine's registers.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Regs {
    /// The running instruction.
    pub(crate) ip: *const u8,
    /// Slot 0 of the running frame.
    pub(crate) fp: *mut u64,
    /// Base address of memory 0 of the running instance.
    pub(crate) mb: *mut u8,
    /// Context of the running instance.
    pub(crate) cx: *mut Cx,
    /// Integer accumulator.
    pub(crate) a0: u64,
    /// Pinned integer local.
    pub(crate) a1: u64,
    /// Accumulator of floats and vectors.
    pub(crate) f0: Float,
    /// Pinned float locals and temporaries.
    pub(crate) f1: Float,
    /// See `f1`.
    pub(crate) f2: Float,
    /// See `f1`.
    pub(crate) f3: Float,
    /// See `f1`.
    pub(crate) f4: Float,
    /// The bits of the address where the innermost loop begins: a branch back
    /// to it need not wait for an offset to be read (see [`super::control::Back`]).
    pub(crate) f5: f64,
}

impl Regs {
    /// Goes `bytes` on, to where a loop begins, and keeps that address.
    #[inline(always)]
    pub(crate) fn begin_loop(&mut self, bytes: usize) {
        self.ip = self.ip.wrapping_add(bytes);
        self.f5 = f64::from_bits(self.ip as u64);
    }

    /// Where the innermost loop begins.
    #[inline(always)]
    pub(crate) fn loop_start(&self) -> *const u8 {
        self.f5.to_bits() as usize as *const u8
    }

    /// All registers zero or null.
    pub(crate) const fn zero() -> Self {
        use std::ptr::{null, null_mut};
        Self {
            ip: null(),
            fp: null_mut(),
            mb: null_mut(),
            cx: null_mut(),
            a0: 0,
            a1: 0,
            f0: Float::zero(),
            f1: Float::zero(),
            f2: Float::zero(),
            f3: Float::zero(),
            f4: Float::zero(),
            f5: 0.0,
        }
    }
}

/// Declares handlers: `fn name<params>(s) { … }`, or `fn name[N](s) { … }` with
/// a number `N` as parameter, where `s` is the register
/// file and the body's value is a call of [`next`], [`goto`] or an exit code.
macro_rules! handler {
    ($( $(#[$meta:meta])* $vis:vis fn $name:ident $(<$($g:ident : $bound:path),+>)? $([$n:ident])? ($s:ident) $body:block )*) => {$(
        $(#[$meta])*
        #[cfg(target_arch = "x86_64")]
        #[allow(clippy::too_many_arguments, clippy::multiple_unsafe_ops_per_block, unused_mut, unused_unsafe)]
        #[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
        $vis unsafe extern "sysv64" fn $name $(<$($g: $bound),+>)? $(<const $n: usize>)? (
            ip: *const u8, fp: *mut u64, mb: *mut u8, cx: *mut $crate::exec::context::Cx,
            a0: u64, a1: u64, f0: $crate::exec::float::Float, f1: $crate::exec::float::Float,
            f2: $crate::exec::float::Float, f3: $crate::exec::float::Float, f4: $crate::exec::float::Float, f5: f64,
        ) -> u64 {
            let mut $s = $crate::exec::dispatch::Regs { ip, fp, mb, cx, a0, a1, f0, f1, f2, f3, f4, f5 };
            // SAFETY: a handler runs only where the translator put it, in a
            // frame as large as the translator computed and with the context
            // of an instance of the translated module. So the fields it reads
            // are in the instruction, the slots it names in the frame, and
            // `cx` and all it leads to are live and this thread's.
            unsafe { $body }
        }
        $(#[$meta])*
        #[cfg(not(target_arch = "x86_64"))]
        #[allow(clippy::too_many_arguments, clippy::multiple_unsafe_ops_per_block, unused_mut, unused_unsafe)]
        #[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
        $vis unsafe extern "C" fn $name $(<$($g: $bound),+>)? $(<const $n: usize>)? (
            ip: *const u8, fp: *mut u64, mb: *mut u8, cx: *mut $crate::exec::context::Cx,
            a0: u64, a1: u64, f0: $crate::exec::float::Float, f1: $crate::exec::float::Float,
            f2: $crate::exec::float::Float, f3: $crate::exec::float::Float, f4: $crate::exec::float::Float, f5: f64,
        ) -> u64 {
            let mut $s = $crate::exec::dispatch::Regs { ip, fp, mb, cx, a0, a1, f0, f1, f2, f3, f4, f5 };
            // SAFETY: a handler runs only where the translator put it, in a
            // frame as large as the translator computed and with the context
            // of an instance of the translated module. So the fields it reads
            // are in the instruction, the slots it names in the frame, and
            // `cx` and all it leads to are live and this thread's.
            unsafe { $body }
        }
    )*};
}
pub(crate) use handler;

/// A handler: executes the instruction at `ip` and passes control on. Its
/// value is the exit code of the whole run, 0 for a normal end.
#[cfg(target_arch = "x86_64")]
#[allow(improper_ctypes_definitions, reason = "the host's vectors go in registers")]
pub(crate) type Handler = unsafe extern "sysv64" fn(
    *const u8,
    *mut u64,
    *mut u8,
    *mut Cx,
    u64,
    u64,
    Float,
    Float,
    Float,
    Float,
    Float,
    f64,
) -> u64;
/// A handler: executes the instruction at `ip` and passes control on. Its
/// value is the exit code of the whole run, 0 for a normal end.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type Handler = unsafe extern "C" fn(
    *const u8,
    *mut u64,
    *mut u8,
    *mut Cx,
    u64,
    u64,
    Float,
    Float,
    Float,
    Float,
    Float,
    f64,
) -> u64;

/// Exit code that asks [`trampoline`] to go on.
#[cfg(not(orcavm_tail_calls))]
const CONTINUE: u64 = u64::MAX;

/// Passes control to handler `h`, which sees the registers `s`.
///
/// # Safety
/// `h` must be the handler of the instruction at `s.ip`, or a slow path of it.
#[inline(always)]
pub(crate) unsafe fn goto(s: Regs, h: Handler) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { h(s.ip, s.fp, s.mb, s.cx, s.a0, s.a1, s.f0, s.f1, s.f2, s.f3, s.f4, s.f5) }
}

/// Passes control to the instruction at `s.ip`.
///
/// # Safety
/// `s.ip` must be the start of an instruction made by the translator, and the
/// other registers what that instruction expects.
#[inline(always)]
pub(crate) unsafe fn next(s: Regs) -> u64 {
    #[cfg(orcavm_tail_calls)]
    {
        // SAFETY: instructions begin with their handler's address.
        let h = unsafe { s.ip.cast::<Handler>().read() };
        // SAFETY: the caller's promise.
        unsafe { goto(s, h) }
    }
    #[cfg(not(orcavm_tail_calls))]
    {
        // SAFETY: `cx` is a live context or host function head; both lead to
        // their store's runtime block.
        let rt = unsafe { (*s.cx).rt };
        // SAFETY: as above; the running thread owns the block.
        unsafe { (*rt).scratch = s };
        CONTINUE
    }
}

/// [`next`] at the target of a branch.
///
/// The two ways of a conditional branch each end in a jump of their own, which
/// the processor predicts apart. LLVM would merge them into one, choosing the
/// target by a conditional move; it does not where more than one value
/// differs, so the handler's address is made one that it cannot see through.
///
/// # Safety
/// As for [`next`].
#[inline(always)]
pub(crate) unsafe fn next_taken(s: Regs) -> u64 {
    #[cfg(all(orcavm_tail_calls, target_arch = "x86_64"))]
    {
        // SAFETY: instructions begin with their handler's address.
        let mut h = unsafe { s.ip.cast::<usize>().read() };
        // SAFETY: no instruction at all.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) h, options(nomem, nostack, preserves_flags)) };
        // SAFETY: the value is the handler's address still.
        let h = unsafe { std::mem::transmute::<usize, Handler>(h) };
        // SAFETY: the caller's promise.
        unsafe { goto(s, h) }
    }
    #[cfg(not(all(orcavm_tail_calls, target_arch = "x86_64")))]
    // SAFETY: the caller's promise.
    unsafe {
        next(s)
    }
}

/// The handler with which a run begins at `ip`: the instruction's own, or the
/// loop that stands in for jumps.
///
/// # Safety
/// `ip` must be the start of an instruction.
pub(crate) unsafe fn first_handler(ip: *const u8) -> *const () {
    #[cfg(orcavm_tail_calls)]
    {
        // SAFETY: instructions begin with their handler's address.
        unsafe { ip.cast::<*const ()>().read() }
    }
    #[cfg(not(orcavm_tail_calls))]
    {
        let _ = ip;
        trampoline as Handler as *const ()
    }
}

#[cfg(not(orcavm_tail_calls))]
handler! {
    /// Calls one handler after the other until one ends the run.
    fn trampoline(s) {
        // SAFETY: `cx` is a live context.
        let rt = unsafe { (*s.cx).rt };
        // SAFETY: the running thread owns the block.
        unsafe { (*rt).scratch = s };
        loop {
            // SAFETY: instructions begin with their handler's address.
            let h = unsafe { s.ip.cast::<Handler>().read() };
            // SAFETY: it is the handler of the instruction at `ip`.
            let code = unsafe { goto(s, h) };
            if code != CONTINUE {
                return code;
            }
            // SAFETY: written by `next` just now.
            s = unsafe { (*rt).scratch };
        }
    }
}
