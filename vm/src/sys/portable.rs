//! Entering the guest where faults do not become traps: a plain call.
//!
//! Stands in for `fault` off x86-64 Linux and under `--cfg orcavm_portable`.
//! The interpreter checks what it accesses and polls for interruptions.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Fault, StackControl, ValueStack};

/// Whether faults of the guest end its run with a code.
pub(crate) const FAULT_TRAPS: bool = false;

/// A handler as the first of a run: `(ip, fp, mb, cx, a0, a1, f0..f5)`.
#[cfg(target_arch = "x86_64")]
type First =
    unsafe extern "sysv64" fn(*const u8, *mut u64, *mut u8, *mut u8, u64, u64, f64, f64, f64, f64, f64, f64) -> u64;
/// A handler as the first of a run: `(ip, fp, mb, cx, a0, a1, f0..f5)`.
#[cfg(not(target_arch = "x86_64"))]
type First = unsafe extern "C" fn(*const u8, *mut u64, *mut u8, *mut u8, u64, u64, f64, f64, f64, f64, f64, f64) -> u64;

/// One entry into the guest; here it only knows the mode.
#[derive(Debug)]
pub(crate) struct Activation {
    /// For the debugger; nothing here depends on it.
    in_guest: AtomicBool,
}

impl Activation {
    /// An activation that will run on `stack`.
    pub(crate) fn new(_stack: &ValueStack) -> Self {
        Self {
            in_guest: AtomicBool::new(false),
        }
    }

    /// Says whether handlers run (true) or a host function that one called.
    #[inline]
    pub(crate) fn set_in_guest(&self, in_guest: bool) {
        self.in_guest.store(in_guest, Ordering::Relaxed);
    }

    /// Always `None`: no run ends in a fault here.
    pub(crate) fn fault(&self, _code: u64) -> Option<Fault> {
        None
    }
}

/// A range's presence in the fault handler's registry, which is not here.
#[derive(Debug)]
pub(super) struct Entry;

impl Entry {
    /// Nothing is entered.
    pub(super) fn memory(_base: usize, _len: usize) -> io::Result<Self> {
        Ok(Self)
    }

    /// Nothing is entered.
    pub(super) fn stack(_base: usize, _usable: usize, _guard: usize, _control: &StackControl) -> io::Result<Self> {
        Ok(Self)
    }
}

/// Nothing is to be installed.
pub(super) fn install() {}

/// Calls the handler `first` with the registers given and all others zero, and
/// returns its value.
///
/// # Safety
/// 1. `first` is the address of a handler that may run with these registers.
/// 2. It does not unwind.
pub(crate) unsafe fn enter(
    act: &Activation,
    first: *const (),
    ip: *const u8,
    fp: *mut u64,
    mb: *mut u8,
    cx: *mut u8,
) -> u64 {
    // SAFETY: the caller's 1: it is a function of this type.
    let first = unsafe { std::mem::transmute::<*const (), First>(first) };
    act.set_in_guest(true);
    // SAFETY: the caller's 1.
    let code = unsafe { first(ip, fp, mb, cx, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) };
    act.set_in_guest(false);
    code
}
