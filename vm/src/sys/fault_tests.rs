//! Faults and interruptions, with handlers of a few instructions.

use std::arch::naked_asm;
use std::backtrace::Backtrace;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::sys::{Reservation, StackControl};

#[path = "process_tests.rs"]
mod process;

const MEMORY: usize = (8 << 30) + (64 << 10);
const STACK: usize = 1 << 20;

/// A value stack and a memory of one page.
struct Guest {
    stack: ValueStack,
    memory: Reservation,
}

impl Guest {
    fn new() -> Self {
        let memory = Reservation::new(MEMORY).unwrap().for_guest().unwrap();
        memory.commit(0, 4096).unwrap();
        Self {
            stack: ValueStack::new(STACK).unwrap(),
            memory,
        }
    }

    /// Enters `first`; its `ip` and `cx` can be any numbers it understands.
    fn run(&self, first: *const (), ip: usize, cx: usize) -> (u64, Option<[usize; 3]>) {
        let act = Activation::new(&self.stack);
        self.run_in(&act, first, ip, cx)
    }

    fn run_in(&self, act: &Activation, first: *const (), ip: usize, cx: usize) -> (u64, Option<[usize; 3]>) {
        // SAFETY: the tests' handlers take any registers, do not unwind (other
        // than into `catch_unwind`) and own nothing where they fault.
        let code = unsafe {
            enter(
                act,
                first,
                ip as *const u8,
                self.stack.base(),
                self.memory.base(),
                cx as *mut u8,
            )
        };
        (code, act.fault(code).map(|fault| [fault.ip, fault.fp, fault.cx]))
    }

    /// Faults at `offset` of the memory.
    fn load(&self, offset: usize) -> (u64, Option<[usize; 3]>) {
        self.run(load as *const (), offset, 0xC0)
    }

    fn fault_at(&self, ip: usize) -> Option<[usize; 3]> {
        Some([ip, self.stack.base() as usize, 0xC0])
    }
}

/// Loads from `mb + ip`.
#[unsafe(naked)]
extern "sysv64" fn load() {
    naked_asm!("mov rax, [rdx + rdi]", "ret")
}

/// Stores to `fp + ip`.
#[unsafe(naked)]
extern "sysv64" fn store_to_stack() {
    naked_asm!("mov [rsi + rdi], rdi", "xor eax, eax", "ret")
}

/// Loads from `mb + ip` after spoiling all that a callee must preserve.
#[unsafe(naked)]
extern "sysv64" fn load_spoiled() {
    naked_asm!(
        "sub rsp, 1000",
        "mov rbx, -1",
        "mov rbp, -1",
        "mov r12, -1",
        "mov r13, -1",
        "mov r14, -1",
        "mov r15, -1",
        "std",
        "mov rax, [rdx + rdi]",
        "ud2",
    )
}

/// Touches the frame for ever.
#[unsafe(naked)]
extern "sysv64" fn spin() {
    naked_asm!("2:", "mov rax, [rsi]", "jmp 2b")
}

/// Touches the frame `ip` times.
#[unsafe(naked)]
extern "sysv64" fn spin_for() {
    naked_asm!("2:", "mov rax, [rsi]", "dec rdi", "jnz 2b", "xor eax, eax", "ret")
}

/// The accumulators' bits and the stack's misalignment: 0 if all is right.
#[unsafe(naked)]
extern "sysv64" fn probe() {
    naked_asm!(
        "lea rax, [rsp + 8]",
        "and rax, 15",
        "or rax, r8",
        "or rax, r9",
        "orps xmm0, xmm1",
        "orps xmm2, xmm3",
        "orps xmm4, xmm5",
        "orps xmm0, xmm2",
        "orps xmm0, xmm4",
        "movq r10, xmm0",
        "or rax, r10",
        "ret",
    )
}

/// What [`call_host`] needs, found through `cx`.
struct Host<'a> {
    act: *const Activation,
    function: &'a dyn Fn() -> u64,
}

/// Code of a host function that panicked.
const PANICKED: u64 = 77;

/// Calls the host function that `cx` leads to, as the interpreter does.
extern "sysv64" fn call_host(_ip: *const u8, _fp: *mut u64, _mb: *mut u8, cx: *mut u8) -> u64 {
    // SAFETY: the tests enter this with the address of a live `Host`.
    let host = unsafe { &*cx.cast::<Host<'_>>() };
    // SAFETY: the running activation.
    let act = unsafe { &*host.act };
    act.set_in_guest(false);
    let result = catch_unwind(AssertUnwindSafe(host.function));
    act.set_in_guest(true);
    result.unwrap_or(PANICKED)
}

impl Guest {
    /// Enters a handler that calls `function`.
    fn run_host(&self, function: &dyn Fn() -> u64) -> u64 {
        let act = Activation::new(&self.stack);
        let host = Host {
            act: &raw const act,
            function,
        };
        self.run_in(&act, call_host as *const (), 0, &raw const host as usize).0
    }
}

#[test]
fn a_load_inside_returns_its_value() {
    let guest = Guest::new();
    // SAFETY: committed, and nobody else's.
    unsafe { guest.memory.base().wrapping_add(8).cast::<u64>().write(99) };
    assert_eq!(guest.load(8), (99, None));
}

#[test]
fn a_load_outside_lands_with_its_registers() {
    let guest = Guest::new();
    for offset in [4096, 4089, 65536, 1 << 32, MEMORY - 8] {
        assert_eq!(guest.load(offset), (FAULT_MEMORY, guest.fault_at(offset)));
    }
    assert_eq!(guest.load(0), (0, None));
}

#[test]
fn decommitted_pages_fault_again() {
    let guest = Guest::new();
    guest.memory.decommit(0, 4096).unwrap();
    assert_eq!(guest.load(0).0, FAULT_MEMORY);
    guest.memory.commit(0, 4096).unwrap();
    assert_eq!(guest.load(0).0, 0);
}

#[test]
fn the_first_handler_finds_clear_registers() {
    let guest = Guest::new();
    assert_eq!(guest.run(probe as *const (), 1, 2), (0, None));
}

/// Fills the callee-saved registers, calls [`shim`] with its own arguments, and
/// returns the shim's value if they are unchanged and strings go upwards,
/// otherwise 1.
#[unsafe(naked)]
unsafe extern "sysv64" fn shim_preserving(
    act: *const Activation,
    first: *const (),
    ip: *const u8,
    fp: *mut u64,
    mb: *mut u8,
    cx: *mut u8,
) -> u64 {
    naked_asm!(
        "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15", "push rsp",
        "mov rbx, 11", "mov rbp, 12", "mov r12, 13", "mov r13, 14", "mov r14, 15", "mov r15, 16",
        "call {shim}",
        "cmp rbx, 11", "jne 2f", "cmp rbp, 12", "jne 2f", "cmp r12, 13", "jne 2f",
        "cmp r13, 14", "jne 2f", "cmp r14, 15", "jne 2f", "cmp r15, 16", "jne 2f",
        "pushfq", "pop rcx", "test ecx, 1024", "jnz 2f",
        "jmp 3f",
        "2:", "mov eax, 1",
        "3:", "cld",
        "pop rcx", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx",
        "ret",
        shim = sym shim,
    )
}

#[test]
fn landing_restores_what_a_callee_must_preserve() {
    let guest = Guest::new();
    for (first, offset, expected) in [
        (load as *const (), 0, 0),
        (load as *const (), 4096, FAULT_MEMORY),
        (load_spoiled as *const (), 4096, FAULT_MEMORY),
    ] {
        let act = Activation::new(&guest.stack);
        CURRENT.set(&act);
        act.set_in_guest(true);
        // SAFETY: as `enter` calls it.
        let code = unsafe {
            shim_preserving(
                &act,
                first,
                offset as *const u8,
                guest.stack.base(),
                guest.memory.base(),
                null_mut(),
            )
        };
        CURRENT.set(null());
        assert_eq!(code, expected);
    }
}

#[test]
fn the_guard_behind_the_stack_lands() {
    let guest = Guest::new();
    let run = |offset| guest.run(store_to_stack as *const (), offset, 0xC0);
    assert_eq!(run(STACK - 8), (0, None));
    for offset in [STACK, STACK - 4, STACK + (1 << 20), STACK + (2 << 20) - 8] {
        assert_eq!(run(offset), (FAULT_STACK, guest.fault_at(offset)), "{offset:#x}");
    }
}

/// Faults on the way in and on the way out of `depth` nested calls.
fn nest(guest: &Guest, depth: u32) -> u64 {
    assert_eq!(guest.load(8192), (FAULT_MEMORY, guest.fault_at(8192)));
    let inner = if depth == 0 {
        0
    } else {
        guest.run_host(&|| nest(guest, depth - 1))
    };
    assert_eq!(guest.load(4096 + depth as usize).0, FAULT_MEMORY);
    inner + 1
}

#[test]
fn nested_entries_land_each_in_its_own() {
    assert_eq!(nest(&Guest::new(), 50), 51);
    assert!(CURRENT.get().is_null());
}

#[test]
fn four_threads_fault_at_once() {
    let guests: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let guest = Guest::new();
                for i in 0..1000 {
                    assert_eq!(guest.load(4096 + i), (FAULT_MEMORY, guest.fault_at(4096 + i)));
                }
                nest(&guest, 10)
            })
        })
        .collect();
    for guest in guests {
        assert_eq!(guest.join().unwrap(), 11);
    }
}

#[test]
fn a_host_panic_between_entries_leaves_them_intact() {
    let guest = Guest::new();
    let code = guest.run_host(&|| {
        let inner = guest.run_host(&|| panic!("on purpose"));
        assert_eq!(inner, PANICKED);
        assert_eq!(guest.load(4096).0, FAULT_MEMORY);
        5
    });
    assert_eq!(code, 5);
    assert_eq!(guest.load(4096), (FAULT_MEMORY, guest.fault_at(4096)));
}

#[inline(never)]
fn entered_from_here(guest: &Guest) -> String {
    let trace = std::cell::RefCell::new(String::new());
    guest.run_host(&|| {
        *trace.borrow_mut() = Backtrace::force_capture().to_string();
        0
    });
    black_box(trace.take())
}

#[test]
fn host_backtraces_pass_through_the_shim() {
    let trace = entered_from_here(&Guest::new());
    assert!(trace.contains("entered_from_here"), "{trace}");
    assert!(trace.contains("host_backtraces_pass_through_the_shim"), "{trace}");
}

#[test]
fn another_thread_interrupts_a_spinning_guest() {
    let guest = Guest::new();
    let control = guest.stack.control();
    let (started, start) = mpsc::channel();
    let interrupter = thread::spawn(move || {
        for round in 0..50 {
            start.recv().unwrap();
            // At once, or well into the run.
            thread::sleep(Duration::from_micros(round * 20));
            control.interrupt();
        }
    });
    for _ in 0..50 {
        started.send(()).unwrap();
        let (code, fault) = if guest.stack.control().take_pending() {
            (FAULT_INTERRUPT, guest.fault_at(7))
        } else {
            guest.run(spin as *const (), 7, 0xC0)
        };
        assert_eq!((code, fault), (FAULT_INTERRUPT, guest.fault_at(7)));
    }
    interrupter.join().unwrap();
    assert!(!guest.stack.control().take_pending());
    assert_eq!(guest.run(store_to_stack as *const (), 0, 0), (0, None));
}

fn interrupt_from_another_thread(control: &std::sync::Arc<StackControl>) {
    let control = control.clone();
    thread::spawn(move || control.interrupt()).join().unwrap();
}

#[test]
fn an_interruption_of_a_host_function_waits_for_its_end() {
    let guest = Guest::new();
    let control = guest.stack.control();
    for touch in [true, false] {
        let code = guest.run_host(&|| {
            interrupt_from_another_thread(&control);
            if touch {
                // SAFETY: usable, and no guest runs.
                unsafe { guest.stack.base().write_volatile(5) };
                // SAFETY: as above.
                assert_eq!(unsafe { guest.stack.base().read_volatile() }, 5);
            }
            9
        });
        assert_eq!(code, 9);
        assert!(control.take_pending());
        assert!(!control.take_pending());
        assert_eq!(guest.run(store_to_stack as *const (), 0, 0), (0, None));
    }
}

#[test]
fn an_interruption_between_runs_stops_the_next() {
    let guest = Guest::new();
    let control = guest.stack.control();
    interrupt_from_another_thread(&control);
    // The host prepares a frame, outside any activation.
    // SAFETY: usable, and no guest runs.
    unsafe { guest.stack.base().write_volatile(5) };
    assert!(control.take_pending());
    interrupt_from_another_thread(&control);
    assert_eq!(guest.run(store_to_stack as *const (), 0, 0).0, FAULT_INTERRUPT);
    assert!(!control.take_pending());
    assert_eq!(guest.run(store_to_stack as *const (), 0, 0).0, 0);
}

#[test]
fn interrupting_an_outer_store_spares_the_inner() {
    let (outer, inner) = (Guest::new(), Guest::new());
    let code = outer.run_host(&|| {
        interrupt_from_another_thread(&outer.stack.control());
        let code = inner.run_host(&|| {
            // SAFETY: usable; the outer guest is waiting for its host function.
            unsafe { outer.stack.base().write_volatile(5) };
            3
        });
        assert_eq!(inner.run(spin_for as *const (), 10, 0).0, 0);
        code
    });
    assert_eq!(code, 3);
    assert!(outer.stack.control().take_pending());
    assert!(!inner.stack.control().take_pending());
}

#[test]
fn a_storm_of_interruptions_leaves_the_stack_usable() {
    let guest = Guest::new();
    let control = guest.stack.control();
    let stop = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut interrupted, mut round) = (0_u32, 0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    control.interrupt();
                    thread::yield_now();
                }
            });
        }
        while interrupted < 300 && Instant::now() < deadline {
            round += 1;
            // SAFETY: usable, and no guest runs.
            unsafe { guest.stack.base().write_volatile(round) };
            if control.take_pending() {
                continue;
            }
            match guest.run(spin_for as *const (), 30_000, 0).0 {
                0 => {}
                FAULT_INTERRUPT => interrupted += 1,
                // The scope would wait for the others.
                _ => break,
            }
            // SAFETY: as above.
            let kept = unsafe { guest.stack.base().read_volatile() };
            if kept != round {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(interrupted, 300, "in {round} rounds");
    // A request made while the last one was stopping the guest stops one more.
    if !control.take_pending() {
        guest.run(spin_for as *const (), 10, 0);
    }
    assert_eq!(guest.run(spin_for as *const (), 10, 0).0, 0);
    assert!(!control.take_pending());
}

#[test]
fn a_late_interruption_is_harmless() {
    let guest = Guest::new();
    let control = guest.stack.control();
    drop(guest);
    let after = ValueStack::new(STACK).unwrap();
    control.interrupt();
    assert!(!control.take_pending());
    // SAFETY: usable.
    unsafe { after.base().write_volatile(1) };
    assert!(!after.control().take_pending());
}

#[test]
fn stacks_come_and_go_while_others_fault() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let stacks: Vec<_> = (0..8).map(|_| ValueStack::new(4096).unwrap()).collect();
                stacks.iter().for_each(|stack| stack.control().interrupt());
            }
        });
        let guest = Guest::new();
        let mut landed = 0;
        for _ in 0..2000 {
            let stack = guest.run(store_to_stack as *const (), STACK, 0).0;
            landed += u32::from(stack == FAULT_STACK && guest.load(4096).0 == FAULT_MEMORY);
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(landed, 2000);
    });
}

#[test]
fn a_thread_without_alternate_signal_stack_lands_too() {
    extern "C" fn body(result: *mut c_void) -> *mut c_void {
        let mut current = MaybeUninit::<libc::stack_t>::uninit();
        // SAFETY: room for the result.
        assert_eq!(unsafe { libc::sigaltstack(null(), current.as_mut_ptr()) }, 0);
        // SAFETY: filled in.
        let current = unsafe { current.assume_init() };
        assert_ne!(current.ss_flags & libc::SS_DISABLE, 0);
        let code = Guest::new().load(4096).0;
        // SAFETY: the test waits for us with a u64 there.
        unsafe { result.cast::<u64>().write(code) };
        null_mut()
    }
    let mut result = 0_u64;
    let mut id = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: `result` lives until the thread is joined.
    let made = unsafe { libc::pthread_create(id.as_mut_ptr(), null(), body, (&raw mut result).cast()) };
    assert_eq!(made, 0);
    // SAFETY: filled in.
    let id = unsafe { id.assume_init() };
    // SAFETY: created; joined once.
    assert_eq!(unsafe { libc::pthread_join(id, null_mut()) }, 0);
    assert_eq!(result, FAULT_MEMORY);
}
