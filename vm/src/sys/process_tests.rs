//! What faults and foreign signals do to the process. Each case runs in a child
//! process: the test binary itself, told by an environment variable to play
//! the part.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::AtomicU32;

use super::*;
use crate::sys::remaining_host_stack;

/// Names the part that a child process plays.
const PART: &str = "ORCAVM_SYS_TEST_PART";

/// Runs the test `name` alone in a child process that plays `part`; `None` in
/// that child itself.
fn child(name: &str, part: &str) -> Option<Output> {
    if std::env::var_os(PART).is_some() {
        return None;
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::{name}"),
            "--nocapture",
            "--test-threads=1",
        ])
        .env(PART, part)
        .output()
        .unwrap();
    Some(output)
}

fn part() -> String {
    std::env::var(PART).unwrap()
}

fn no_core_files() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a valid limit.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

#[test]
fn faults_elsewhere_still_kill() {
    const NAME: &str = "faults_elsewhere_still_kill";
    for part_name in ["host", "guest", "guest_elsewhere", "memory_in_host_mode", "jump"] {
        let Some(output) = child(NAME, part_name) else { break };
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{part_name}: {output:?}");
    }
    if std::env::var_os(PART).is_none() {
        return;
    }
    no_core_files();
    let guest = Guest::new();
    assert_eq!(guest.load(4096).0, FAULT_MEMORY);
    let code = match part().as_str() {
        // SAFETY: none; it is to fail.
        "host" => u64::from(unsafe { black_box(null::<u8>().wrapping_add(64)).read_volatile() }),
        // The memory's base minus this is address 64.
        "guest" => guest.load(64_usize.wrapping_sub(guest.memory.base() as usize)).0,
        // Not a guest's, though next to one.
        "guest_elsewhere" => {
            let other = Reservation::new(4096).unwrap();
            guest
                .load((other.base() as usize).wrapping_sub(guest.memory.base() as usize))
                .0
        }
        "memory_in_host_mode" => {
            let outside = guest.memory.base().wrapping_add(4096).cast::<u64>();
            // SAFETY: none; it is to fail.
            guest.run_host(&|| unsafe { outside.read_volatile() })
        }
        // Data is no code, even if it belongs to the guest.
        _ => guest.run(guest.stack.base().cast_const().cast(), 0, 0).0,
    };
    println!("survived with {code:#x}");
}

#[test]
fn overflows_of_the_host_stack_are_still_reported() {
    #[allow(unconditional_recursion, reason = "that is the test")]
    fn deeper(n: u64) -> u64 {
        let here = black_box([n; 64]);
        deeper(n + 1) + here[0]
    }
    if let Some(output) = child("overflows_of_the_host_stack_are_still_reported", "") {
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("has overflowed its stack"), "{output:?}");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
        return;
    }
    no_core_files();
    let guest = Guest::new();
    assert_eq!(guest.load(4096).0, FAULT_MEMORY);
    println!("survived with {}", guest.run_host(&|| deeper(0)));
}

/// Calls of the handlers below: (signal, si_code, address).
static CALLED: AtomicU32 = AtomicU32::new(0);
static CALLED_AT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn plain_handler(signal: c_int) {
    assert_eq!(signal, libc::SIGSEGV);
    CALLED.fetch_add(1, Ordering::Relaxed);
}

/// Makes the faulting page accessible, notes whether SIGUSR1 is blocked.
extern "C" fn repairing_handler(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel's.
    let info = unsafe { &*info };
    // SAFETY: a fault's address.
    let addr = unsafe { info.si_addr() } as usize;
    CALLED_AT.store(addr, Ordering::Relaxed);
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for the result.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), mask.as_mut_ptr()) };
    // SAFETY: filled in.
    let blocked = unsafe { libc::sigismember(mask.as_ptr(), libc::SIGUSR1) };
    CALLED.fetch_add(1 + u32::from(blocked == 1), Ordering::Relaxed);
    let page = (addr & !4095) as *mut c_void;
    // SAFETY: the test's own page.
    let done = unsafe { libc::mprotect(page, 4096, libc::PROT_READ) };
    assert_eq!(done, 0);
}

fn set_action(handler: usize, flags: c_int) {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
    // SAFETY: made just now.
    unsafe { libc::sigaddset(mask.as_mut_ptr(), libc::SIGUSR1) };
    // SAFETY: made just now.
    let mask = unsafe { mask.assume_init() };
    let action = libc::sigaction {
        sa_sigaction: handler,
        sa_mask: mask,
        sa_flags: flags,
        sa_restorer: None,
    };
    // SAFETY: a handler of the kind that `flags` says.
    let done = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, null_mut()) };
    assert_eq!(done, 0);
}

fn raise() {
    // SAFETY: a valid signal.
    unsafe { libc::raise(libc::SIGSEGV) };
}

#[test]
fn other_signals_go_where_they_went_before() {
    const NAME: &str = "other_signals_go_where_they_went_before";
    let survivors = ["ignored", "plain", "repairing"];
    for part_name in ["default", "ignored", "ignored_fault", "plain", "reset", "repairing"] {
        let Some(output) = child(NAME, part_name) else { break };
        let signal = if survivors.contains(&part_name) {
            None
        } else {
            Some(libc::SIGSEGV)
        };
        assert_eq!(output.status.signal(), signal, "{part_name}: {output:?}");
        assert_eq!(output.status.success(), signal.is_none(), "{part_name}: {output:?}");
        let reached = String::from_utf8_lossy(&output.stdout).contains("reached");
        assert!(reached, "{part_name}: {output:?}");
    }
    if std::env::var_os(PART).is_none() {
        return;
    }
    no_core_files();
    let part = part();
    match part.as_str() {
        "default" => set_action(libc::SIG_DFL, 0),
        "ignored" | "ignored_fault" => set_action(libc::SIG_IGN, 0),
        "plain" => set_action(plain_handler as *const () as usize, 0),
        "reset" => set_action(plain_handler as *const () as usize, libc::SA_RESETHAND),
        _ => set_action(repairing_handler as *const () as usize, libc::SA_SIGINFO),
    }
    let guest = Guest::new();
    assert_eq!(guest.load(4096).0, FAULT_MEMORY);
    println!("reached");
    match part.as_str() {
        "ignored_fault" => {
            // SAFETY: none; it is to fail.
            unsafe { black_box(null::<u8>().wrapping_add(64)).read_volatile() };
        }
        "plain" => {
            raise();
            raise();
            assert_eq!(CALLED.load(Ordering::Relaxed), 2);
        }
        "reset" => {
            raise();
            assert_eq!(CALLED.load(Ordering::Relaxed), 1);
            raise();
        }
        "repairing" => {
            let page = Reservation::new(4096).unwrap();
            // SAFETY: ours; the handler makes it readable.
            let byte = unsafe { page.base().wrapping_add(123).read_volatile() };
            assert_eq!(byte, 0);
            assert_eq!(CALLED_AT.load(Ordering::Relaxed), page.base() as usize + 123);
            assert_eq!(CALLED.load(Ordering::Relaxed), 2, "SIGUSR1 was to be blocked");
        }
        _ => raise(),
    }
    // The guest's own faults are still ours.
    assert_eq!(guest.load(4096).0, FAULT_MEMORY);
}

#[test]
fn the_registry_forgets_what_is_dropped() {
    if let Some(output) = child("the_registry_forgets_what_is_dropped", "") {
        assert!(output.status.success(), "{output:?}");
        return;
    }
    assert_eq!(registry::census(), (0, 0));
    let memory = Reservation::new(MEMORY).unwrap().for_guest().unwrap();
    let (first, last) = (memory.base() as usize, memory.base() as usize + memory.len() - 1);
    assert!(registry::find(first).is_some() && registry::find(first + MEMORY / 2) == registry::find(last));
    for other in [0, 64, first - 1, last + 1, usize::MAX] {
        assert_eq!(registry::find(other), None);
    }
    let plain = Reservation::new(MEMORY).unwrap();
    let guests: Vec<_> = (0..20).map(|_| Guest::new()).collect();
    let (memories, stacks) = registry::census();
    assert!(
        (42..=63).contains(&memories),
        "21 memories of 2 or 3 granules: {memories}"
    );
    assert!(
        (20..=22).contains(&stacks),
        "20 stacks, hardly any on the border of granules: {stacks}"
    );
    let stack = registry::find(guests[7].stack.base() as usize).unwrap();
    assert_eq!(
        (stack.usable_end - stack.base, stack.end - stack.base),
        (STACK, STACK + (2 << 20))
    );
    drop((memory, plain, guests));
    assert_eq!(registry::census(), (0, 0));
    assert_eq!(registry::find(first), None);
    let again = Guest::new();
    let base = again.memory.base() as usize;
    assert_eq!(registry::find(base + 4096).unwrap().base, base);
}

/// The part of [`the_main_thread_knows_its_stack`]'s child. The test harness
/// runs tests on threads of its own, so the child plays it before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    /// Goes down to the last 64 KiB, and returns how many levels that took.
    fn to_the_end() -> u64 {
        let frame = black_box([0_u8; 1024]);
        if remaining_host_stack() < 64 << 10 {
            0
        } else {
            1 + to_the_end() + u64::from(frame[3])
        }
    }
    extern "C" fn before_main() {
        if std::env::var_os(PART).is_none_or(|part| part != MAIN_THREAD) {
            return;
        }
        // SAFETY: no preconditions.
        let thread = unsafe { libc::gettid() };
        assert_eq!(i64::from(thread), i64::from(std::process::id()));
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: room for the result.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) }, 0);
        let left = remaining_host_stack();
        assert!(left as u64 <= limit.rlim_cur, "{left} of {}", limit.rlim_cur);
        println!("main thread: {left} bytes, {} levels", to_the_end());
        std::process::exit(0);
    }
    before_main
};
/// Name of that part.
const MAIN_THREAD: &str = "main_thread";

#[test]
fn the_main_thread_knows_its_stack() {
    let output = child("", MAIN_THREAD).expect("the child ends before it gets here");
    assert!(output.status.success(), "{output:?}");
    let words = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = words.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [left, levels] = numbers[..] else { panic!("{words}") };
    assert!(left > 512_000 && levels > 100, "{words}");
}
