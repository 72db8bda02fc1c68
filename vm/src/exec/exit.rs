//! Exit codes: what the first handler of a run returns.
//!
//! A trap raised by a handler is its [`Trap`] plus [`TRAP`]; the codes of
//! faults are `sys`'s.

use crate::sys;
use crate::trap::Trap;

/// The run ended normally.
pub(crate) const DONE: u64 = 0;
/// A host function left an error or a panic in `Machine::pending`.
pub(crate) const HOST: u64 = 1;
/// A host function left an exception in the store, and its error in
/// `Machine::pending`: it is thrown in its caller.
pub(crate) const THROWN: u64 = 2;
/// The operator has done a part of its work: it is to be executed again.
pub(crate) const AGAIN: u64 = 3;
/// First code of traps.
const TRAP: u64 = 0x100;
/// Another thread asked for an interruption.
pub(crate) const INTERRUPT: u64 = trap(Trap::Interrupt);

/// The exit code of `trap`.
pub(crate) const fn trap(trap: Trap) -> u64 {
    TRAP + trap as u64
}

/// The trap behind an exit code; `None` for other codes.
pub(crate) fn to_trap(code: u64) -> Option<Trap> {
    match code {
        sys::FAULT_MEMORY => Some(Trap::MemoryOutOfBounds),
        sys::FAULT_STACK => Some(Trap::StackOverflow),
        sys::FAULT_INTERRUPT => Some(Trap::Interrupt),
        _ => Trap::ALL.iter().copied().find(|t| trap(*t) == code),
    }
}
