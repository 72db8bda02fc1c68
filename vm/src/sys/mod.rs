//! What the machine asks of the operating system: address space, the value
//! stack, faults that become traps, and the room left on the host stack.
//!
//! | file | owns |
//! |---|---|
//! | `pages` | the page operations everything else is made of |
//! | `reserve` | [`Reservation`]: address space for a linear memory |
//! | `shared` | [`SharedPages`](shared::SharedPages): pages that several mappings share |
//! | `bell` | [`Bell`]: what a sleeping thread is woken by |
//! | `stack` | [`ValueStack`] and [`StackControl`], how other threads interrupt it |
//! | `fault` | [`Activation`], [`enter`], the entry shim and the signal handler |
//! | `fault::registry` | which addresses belong to guests |
//! | `portable` | the same names where faults do not become traps |
//! | `sampling` | [`Sampler`]: where a guest's time goes |
//! | `recording` | [`Recording`]: what that leaves behind |
//! | `no_sampling` | the same name where nothing is sampled |
//! | `host_stack` | [`remaining_host_stack`] |
//!
//! Faults become traps on x86-64 Linux ([`FAULT_TRAPS`]). Everywhere else, and
//! under `--cfg orcavm_portable`, `portable` takes the place of `fault`: the
//! interpreter then checks memory accesses and the end of the value stack
//! itself and polls [`StackControl::pending_flag`]. Only x86-64 Linux is
//! tested, with and without that cfg; other Unix systems and systems without
//! `mmap` are written to compile but have not been run.
//!
//! Invariants:
//! 1. While an activation is in guest mode, its thread runs handlers only.
//!    What touches guest memory or the value stack in that mode may be
//!    abandoned at that instruction: no destructor runs, so it must not hold a
//!    lock, an allocation or a borrow that others rely on. Code that does
//!    switches to host mode first ([`Activation::set_in_guest`]).
//! 2. In host mode every touch of the value stack succeeds, though the first
//!    one after an interruption request takes a detour of a few microseconds.
//!    The kernel does not take that detour: no system call may be given an
//!    address in the value stack.
//! 3. The fault handler takes no lock, allocates nothing and leaves `errno`
//!    alone, unless it hands the fault to the handler that was there before.
//! 4. An address that faults is in a live mapping of ours or not ours at all:
//!    mappings are registered after they are made and forgotten before they go.

mod bell;
mod host_stack;
mod pages;
#[cfg_attr(
    not(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_pointer_width = "64",
        not(orcavm_portable)
    )),
    allow(dead_code, reason = "nothing is sampled")
)]
mod recording;
mod reserve;
pub(crate) mod shared;
mod stack;

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(orcavm_portable)
))]
mod fault;
#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(orcavm_portable)
)))]
#[path = "portable.rs"]
mod fault;

#[cfg(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(orcavm_portable)
))]
mod sampling;
#[cfg(not(all(
    target_os = "linux",
    target_arch = "x86_64",
    target_pointer_width = "64",
    not(orcavm_portable)
)))]
#[path = "no_sampling.rs"]
mod sampling;

#[cfg(test)]
mod tests;

pub(crate) use bell::Bell;
pub(crate) use fault::{Activation, FAULT_TRAPS, enter};
pub(crate) use host_stack::remaining_host_stack;
pub(crate) use pages::{Access, page_size};
pub(crate) use recording::{Kind, Recording, Sample};
pub(crate) use reserve::{Reservation, Share};
pub(crate) use sampling::Sampler;
pub(crate) use stack::{StackControl, ValueStack};

/// Code with which [`enter`] ends when the guest touched its memory's
/// reservation where it is not accessible.
pub(crate) const FAULT_MEMORY: u64 = 0xFA01;
/// Code with which [`enter`] ends when the guest ran into the guard behind its
/// value stack.
pub(crate) const FAULT_STACK: u64 = 0xFA02;
/// Code with which [`enter`] ends when another thread interrupted the guest.
pub(crate) const FAULT_INTERRUPT: u64 = 0xFA03;

/// The machine's registers at a fault, as the processor had them.
///
/// They are the handler's parameters only if the compiler still kept those in
/// their registers at the faulting instruction. An optimised handler may have
/// moved on to the next instruction or reused them, and an unoptimised one has
/// usually spilled them. Whoever reads them must treat them as hints: `fp`
/// may lie outside the value stack and `ip` and `cx` may be no pointers at all.
/// They are exact where the access is inline assembly that names `rdi`, `rsi`
/// and `rcx` as inputs holding them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The running instruction (`rdi`).
    pub(crate) ip: usize,
    /// The running frame (`rsi`).
    pub(crate) fp: usize,
    /// The running instance's context (`rcx`).
    pub(crate) cx: usize,
    /// The address of the first byte that cannot be accessed so, exact.
    pub(crate) address: usize,
    /// Whether it was to be written.
    pub(crate) write: bool,
}

/// What a [`Sampler`] looks at.
#[derive(Debug)]
pub(crate) struct Target {
    /// Address of the value stack.
    pub(crate) base: usize,
    /// Slots of its usable part.
    pub(crate) slots: usize,
    /// The control block by which it is known again.
    pub(crate) control: std::sync::Arc<StackControl>,
    /// Where the end of the frame of a running host function is noted.
    pub(crate) next_frame: *const *mut u64,
    /// Where `ip` and `fp` are noted at the start of each handler, if they are.
    pub(crate) registers: Option<[*const usize; 2]>,
}
