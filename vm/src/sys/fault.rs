//! Entering the guest, and turning its faults into traps, on x86-64 Linux.
//!
//! [`enter`] links an [`Activation`] into the thread's list and calls the first
//! handler through [`shim`], which notes the stack pointer. When a handler
//! faults on a guest's address, the signal handler returns not to it but to
//! [`land`], with that stack pointer and a code in `rax`, so that to the caller
//! the shim has returned. The frames in between are forgotten: handlers own
//! nothing (invariant 1 of `sys`).
//!
//! All other faults go to whoever handled them before, as the kernel would have
//! sent them: Rust's own report of stack overflows and foreign runtimes in the
//! same process go on working. A runtime that installs its handler later must do
//! the same for us, and they all do.
//!
//! Not supported: user-mode shadow stacks (CET), as frames are dropped without
//! returns. No Rust program enables them today.

use std::arch::naked_asm;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, offset_of, transmute};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, compiler_fence};
use std::sync::{Once, OnceLock};

use super::pages::{self, Access};
use super::{FAULT_INTERRUPT, FAULT_MEMORY, FAULT_STACK, Fault, StackControl, ValueStack};

#[path = "registry.rs"]
mod registry;

pub(super) use registry::Entry;

/// Whether faults of the guest end its run with a code.
pub(crate) const FAULT_TRAPS: bool = true;

/// One entry into the guest. It lives in the entering function's frame; the
/// thread's activations form a list, the innermost first.
///
/// The fields are atomics because a signal handler on the same thread uses
/// them too; nobody else does.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Activation {
    /// The shim's stack pointer, to which [`land`] returns. The shim knows this
    /// field by its offset.
    saved_sp: AtomicUsize,
    /// Handlers run, not a host function that one called.
    in_guest: AtomicBool,
    /// A fault ended the run; the fields below are set.
    faulted: AtomicBool,
    fault_ip: AtomicUsize,
    fault_fp: AtomicUsize,
    fault_cx: AtomicUsize,
    fault_address: AtomicUsize,
    fault_write: AtomicBool,
    /// Base of the value stack; the registry knows the rest of it.
    stack: usize,
    /// The activation around this one.
    prev: AtomicPtr<Activation>,
}

impl Activation {
    /// An activation that will run on `stack`, which must outlive its run.
    pub(crate) fn new(stack: &ValueStack) -> Self {
        Self {
            saved_sp: AtomicUsize::new(0),
            in_guest: AtomicBool::new(false),
            faulted: AtomicBool::new(false),
            fault_ip: AtomicUsize::new(0),
            fault_fp: AtomicUsize::new(0),
            fault_cx: AtomicUsize::new(0),
            fault_address: AtomicUsize::new(0),
            fault_write: AtomicBool::new(false),
            stack: stack.base() as usize,
            prev: AtomicPtr::new(null_mut()),
        }
    }

    /// Says whether handlers run (true) or a host function that one called.
    #[inline]
    pub(crate) fn set_in_guest(&self, in_guest: bool) {
        // What the program does before and after must stay there for the
        // signal handler, which sees the same thread's order.
        compiler_fence(Ordering::SeqCst);
        self.in_guest.store(in_guest, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }

    /// The registers at the fault, if `code`, the value of [`enter`], tells of
    /// one.
    pub(crate) fn fault(&self, code: u64) -> Option<Fault> {
        let is_fault = matches!(code, FAULT_MEMORY | FAULT_STACK | FAULT_INTERRUPT);
        (is_fault && self.faulted.load(Ordering::Relaxed)).then(|| Fault {
            ip: self.fault_ip.load(Ordering::Relaxed),
            fp: self.fault_fp.load(Ordering::Relaxed),
            cx: self.fault_cx.load(Ordering::Relaxed),
            address: self.fault_address.load(Ordering::Relaxed),
            write: self.fault_write.load(Ordering::Relaxed),
        })
    }
}

thread_local! {
    /// The innermost activation. Without initialiser and destructor to run, it
    /// is an ordinary variable for the signal handler.
    static CURRENT: Cell<*const Activation> = const { Cell::new(null()) };
}

/// What the calling thread does on a value stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// The shim's stack pointer if handlers run, 0 if they are about to; `None`
    /// for the host's code.
    pub(super) handlers: Option<usize>,
}

/// What the calling thread does on the value stack at `base` whose control
/// block is `control`; `None` if it has not been entered. Async-signal-safe.
pub(super) fn running_on(base: usize, control: *const StackControl) -> Option<Running> {
    let innermost = CURRENT.get();
    let mut next = innermost;
    // SAFETY: `enter` keeps the thread's activations live.
    while let Some(act) = unsafe { next.as_ref() } {
        if act.stack == base {
            // A stack that has taken the place of a dropped one is another.
            registry::find(base).filter(|range| std::ptr::eq(range.control, control))?;
            let in_guest = std::ptr::eq(act, innermost) && act.in_guest.load(Ordering::Relaxed);
            return Some(Running {
                handlers: in_guest.then(|| act.saved_sp.load(Ordering::Relaxed)),
            });
        }
        next = act.prev.load(Ordering::Relaxed);
    }
    None
}

/// Runs the handler `first` with the registers given and all others zero, and
/// returns its value, or a `FAULT_` code if a fault ended the run.
///
/// # Safety
/// 1. `first` is the address of a handler that may run with these registers.
/// 2. Neither it nor those it passes control to unwind.
/// 3. `act` was made for the value stack that `fp` points into, and that stack
///    outlives the call. `act` is not entered twice at once.
/// 4. While `act` is in guest mode the thread keeps invariant 1 of `sys`.
pub(crate) unsafe fn enter(
    act: &Activation,
    first: *const (),
    ip: *const u8,
    fp: *mut u64,
    mb: *mut u8,
    cx: *mut u8,
) -> u64 {
    let outer = CURRENT.get();
    act.prev.store(outer.cast_mut(), Ordering::Relaxed);
    act.faulted.store(false, Ordering::Relaxed);
    CURRENT.set(act);
    act.set_in_guest(true);
    // SAFETY: `act` is live, and the signal handler finds it as the current one;
    // the rest is the caller's 1 to 4.
    let code = unsafe { shim(act, first, ip, fp, mb, cx) };
    act.set_in_guest(false);
    CURRENT.set(outer);
    code
}

/// Saves what the callee must preserve, notes the stack pointer in `act`, and
/// calls `first(ip, fp, mb, cx, 0, 0, 0.0, …)`, with zero in all that it preserves.
///
/// # Safety
/// As for [`enter`].
#[unsafe(naked)]
unsafe extern "sysv64" fn shim(
    act: *const Activation,
    first: *const (),
    ip: *const u8,
    fp: *mut u64,
    mb: *mut u8,
    cx: *mut u8,
) -> u64 {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "push rbx",
        ".cfi_def_cfa_offset 24",
        ".cfi_offset rbx, -24",
        "push r12",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset r12, -32",
        "push r13",
        ".cfi_def_cfa_offset 40",
        ".cfi_offset r13, -40",
        "push r14",
        ".cfi_def_cfa_offset 48",
        ".cfi_offset r14, -48",
        "push r15",
        ".cfi_def_cfa_offset 56",
        ".cfi_offset r15, -56",
        // The return address and six registers: 8 more make it a multiple of 16.
        "sub rsp, 8",
        ".cfi_def_cfa_offset 64",
        "mov [rdi + {saved_sp}], rsp",
        "mov rax, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "mov rdx, r8",
        "mov rcx, r9",
        "xor r8d, r8d",
        "xor r9d, r9d",
        // A handler that saves these would leave addresses of this entry where a
        // sampler looks for those of the running frame.
        "xor ebp, ebp",
        "xor ebx, ebx",
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor r15d, r15d",
        "xorps xmm0, xmm0",
        "xorps xmm1, xmm1",
        "xorps xmm2, xmm2",
        "xorps xmm3, xmm3",
        "xorps xmm4, xmm4",
        "xorps xmm5, xmm5",
        "call rax",
        "jmp {land}",
        ".cfi_endproc",
        saved_sp = const offset_of!(Activation, saved_sp),
        land = sym land,
    )
}

/// The end of [`shim`]: restores the registers and returns `rax` to its caller.
/// Faults end here too.
///
/// # Safety
/// Not to be called: reached with the stack pointer that the shim has noted.
#[unsafe(naked)]
unsafe extern "sysv64" fn land() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rsp, 64",
        ".cfi_offset rbp, -16",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "add rsp, 8",
        ".cfi_def_cfa_offset 56",
        "pop r15",
        ".cfi_def_cfa_offset 48",
        "pop r14",
        ".cfi_def_cfa_offset 40",
        "pop r13",
        ".cfi_def_cfa_offset 32",
        "pop r12",
        ".cfi_def_cfa_offset 24",
        "pop rbx",
        ".cfi_def_cfa_offset 16",
        "pop rbp",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
    )
}

/// The x86 flag that says string instructions go downwards.
const DIRECTION_FLAG: i64 = 1 << 10;
/// Bit of the page fault's error code: the processor was fetching an
/// instruction.
const INSTRUCTION_FETCH: i64 = 1 << 4;
/// Bit of the page fault's error code: the access was a write.
const WRITE: i64 = 1 << 1;
/// `si_code` of SIGSEGV: nothing is mapped there. (libc has no name for it.)
const SEGV_MAPERR: c_int = 1;
/// `si_code` of SIGSEGV: the mapping does not allow it.
const SEGV_ACCERR: c_int = 2;
/// `si_code` of SIGBUS: the file behind a mapping ends before.
const BUS_ADRERR: c_int = 2;

/// The signal handler for SIGSEGV and SIGBUS.
///
/// # Safety
/// Called by the kernel, or by a signal handler with what the kernel gave it.
unsafe extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's arguments, our caller's promise.
    if !unsafe { resolve(signal, info, context.cast()) } {
        // SAFETY: as above.
        unsafe { forward(signal, info, context) };
    }
}

/// Handles a fault on an address of ours: afterwards the interrupted thread
/// may go on by `context`. Returns false if the fault is not ours.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn resolve(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::ucontext_t) -> bool {
    // SAFETY: the kernel's, valid while the signal is handled.
    let info = unsafe { &*info };
    let code = info.si_code;
    // Sent by `kill`, or without an address, or by an instruction fetch: not
    // an access of the interpreter's.
    let is_access = match signal {
        libc::SIGSEGV => matches!(code, SEGV_MAPERR | SEGV_ACCERR),
        libc::SIGBUS => code == BUS_ADRERR,
        _ => false,
    };
    // SAFETY: the kernel's; we alone use it now.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    if !is_access || registers[libc::REG_ERR as usize] & INSTRUCTION_FETCH != 0 {
        return false;
    }
    // SAFETY: with these codes the kernel sets the address.
    let addr = unsafe { info.si_addr() } as usize;
    // SAFETY: `enter` keeps the current activation live.
    let act = unsafe { CURRENT.get().as_ref() }.filter(|act| act.in_guest.load(Ordering::Relaxed));
    let Some(range) = registry::find(addr) else {
        return false;
    };
    if range.control.is_null() {
        return act.is_some_and(|act| divert(registers, act, addr, FAULT_MEMORY));
    }
    let act = act.filter(|act| act.stack == range.base);
    if addr >= range.usable_end {
        return act.is_some_and(|act| divert(registers, act, addr, FAULT_STACK));
    }
    // The usable part is inaccessible only while an interruption is asked for.
    let len = range.usable_end - range.base;
    // SAFETY: 1. the stack that the interrupted code is touching is mapped.
    // 2. access is only given.
    if unsafe { pages::protect(range.base as *mut u8, len, Access::ReadWrite) }.is_err() {
        return false;
    }
    // SAFETY: the control block lives as long as the stack.
    let pending = unsafe { (*range.control).pending_flag() };
    // Invariant 1 of `stack`: the request ends here, or is kept for later.
    pending.store(act.is_none(), Ordering::Relaxed);
    act.is_none_or(|act| divert(registers, act, addr, FAULT_INTERRUPT))
}

/// Makes the interrupted thread return from the shim of `act` with `code`.
/// Returns true, or false if the shim has not got far enough.
fn divert(registers: &mut [libc::greg_t], act: &Activation, addr: usize, code: u64) -> bool {
    let saved_sp = act.saved_sp.load(Ordering::Relaxed);
    if saved_sp == 0 {
        return false;
    }
    let register = |which: c_int| registers[which as usize] as usize;
    act.fault_ip.store(register(libc::REG_RDI), Ordering::Relaxed);
    act.fault_fp.store(register(libc::REG_RSI), Ordering::Relaxed);
    act.fault_cx.store(register(libc::REG_RCX), Ordering::Relaxed);
    act.fault_address.store(addr, Ordering::Relaxed);
    let is_write = registers[libc::REG_ERR as usize] & WRITE != 0;
    act.fault_write.store(is_write, Ordering::Relaxed);
    act.faulted.store(true, Ordering::Relaxed);
    registers[libc::REG_RAX as usize] = code.cast_signed();
    registers[libc::REG_RSP as usize] = saved_sp as libc::greg_t;
    registers[libc::REG_RIP as usize] = land as *const () as libc::greg_t;
    registers[libc::REG_EFL as usize] &= !DIRECTION_FLAG;
    true
}

/// What was done about a signal before us.
struct Previous {
    action: libc::sigaction,
    /// SA_RESETHAND, and it has been called: the default is what is left.
    spent: AtomicBool,
}

/// Of SIGSEGV.
static PREVIOUS_SEGV: OnceLock<Previous> = OnceLock::new();
/// Of SIGBUS.
static PREVIOUS_BUS: OnceLock<Previous> = OnceLock::new();

/// Where the previous action on `signal` is kept.
fn previous(signal: c_int) -> &'static OnceLock<Previous> {
    if signal == libc::SIGBUS {
        &PREVIOUS_BUS
    } else {
        &PREVIOUS_SEGV
    }
}

/// Does with a signal what would have been done without us.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn forward(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's.
    let is_fault = unsafe { (*info).si_code } > 0;
    let previous = previous(signal).get();
    let handler = previous.map_or(libc::SIG_DFL, |p| {
        let spent = p.action.sa_flags & libc::SA_RESETHAND != 0 && p.spent.swap(true, Ordering::Relaxed);
        if spent { libc::SIG_DFL } else { p.action.sa_sigaction }
    });
    match (handler, previous) {
        // The kernel does not let faults be ignored.
        (libc::SIG_IGN, _) if !is_fault => {}
        (libc::SIG_DFL | libc::SIG_IGN, _) | (_, None) => {
            // SAFETY: a valid signal; async-signal-safe.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
            if !is_fault {
                // It will not come again by itself. Blocked until we return.
                // SAFETY: a valid signal; async-signal-safe.
                unsafe { libc::raise(signal) };
            }
        }
        (handler, Some(previous)) => {
            // SAFETY: `install` got the action from the system.
            unsafe { adopt_mask(signal, &previous.action) };
            if previous.action.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: SA_SIGINFO says that the handler is such a function.
                let handler = unsafe {
                    transmute::<usize, unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(handler)
                };
                // SAFETY: the kernel's arguments, passed on.
                unsafe { handler(signal, info, context) };
            } else {
                // SAFETY: without SA_SIGINFO the handler is such a function.
                let handler = unsafe { transmute::<usize, unsafe extern "C" fn(c_int)>(handler) };
                // SAFETY: as the kernel would call it.
                unsafe { handler(signal) };
            }
        }
    }
}

/// Blocks the signals that the kernel would have blocked for `action`. The
/// return from our handler restores the interrupted code's mask.
///
/// # Safety
/// `action` is a valid action on `signal`.
unsafe fn adopt_mask(signal: c_int, action: &libc::sigaction) {
    // SAFETY: a valid set; async-signal-safe.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const action.sa_mask, null_mut()) };
    if action.sa_flags & libc::SA_NODEFER != 0 {
        let mut only = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: room for a set.
        unsafe { libc::sigemptyset(only.as_mut_ptr()) };
        // SAFETY: made just now; a valid signal.
        unsafe { libc::sigaddset(only.as_mut_ptr(), signal) };
        // SAFETY: a valid set; async-signal-safe.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), null_mut()) };
    }
}

/// Installs the signal handlers, once in the process. Each [`ValueStack`] sees
/// to it before it exists, and so before anything can be entered or
/// interrupted.
pub(super) fn install() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            install_for(signal);
        }
    });
}

/// Installs [`on_fault`] for `signal`, keeping what was there.
fn install_for(signal: c_int) {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // Asked for first, so that a fault just after the change finds it.
    // SAFETY: a valid signal and room for its action.
    let asked = unsafe { libc::sigaction(signal, null(), before.as_mut_ptr()) };
    assert_eq!(asked, 0, "sigaction accepts signal {signal}");
    // SAFETY: filled in by the successful call.
    let action = unsafe { before.assume_init() };
    let kept = previous(signal).set(Previous {
        action,
        spent: AtomicBool::new(false),
    });
    assert!(kept.is_ok(), "installed once");
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
    // Invariant 2 of `sampling`.
    // SAFETY: made just now; a valid signal.
    unsafe { libc::sigaddset(mask.as_mut_ptr(), libc::SIGPROF) };
    let ours = libc::sigaction {
        sa_sigaction: on_fault as *const () as usize,
        // SAFETY: made just now.
        sa_mask: unsafe { mask.assume_init() },
        // The overflowing host stack may be the reason for the signal. On a
        // thread without an alternate stack the handler runs where it is.
        sa_flags: libc::SA_SIGINFO | libc::SA_ONSTACK,
        sa_restorer: None,
    };
    // SAFETY: the handler is async-signal-safe as far as it goes by itself, and
    // hands all else on.
    let done = unsafe { libc::sigaction(signal, &raw const ours, null_mut()) };
    assert_eq!(done, 0, "sigaction accepts signal {signal}");
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
