//! What sampling does to the process's signals, and that it sees no stack but
//! its own. One test at a time: the action on SIGPROF is the process's.

use std::sync::atomic::AtomicU32;
use std::time::Instant;

use super::*;
use crate::sys::ValueStack;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value stack on which nothing runs, and where the end of its frame would be.
struct Idle(ValueStack, Box<*mut u64>);

impl Idle {
    fn new() -> Self {
        let stack = ValueStack::new(4096).unwrap();
        let base = stack.base();
        Self(stack, Box::new(base))
    }

    fn start(&self) -> io::Result<Sampler> {
        let target = Target {
            base: self.0.base() as usize,
            slots: self.0.usable_bytes() / 8,
            control: self.0.control(),
            next_frame: &raw const *self.1,
            registers: None,
        };
        // SAFETY: nothing is ever entered on the stack.
        unsafe { Sampler::start(target) }
    }
}

/// Uses CPU time until it is over, by the thread's clock.
fn work(time: Duration) {
    let start = cpu_time();
    while cpu_time() - start < time {
        std::hint::black_box(());
    }
}

fn is_blocked() -> bool {
    let mut now = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: no set to change to, and room for one.
    let asked = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, null(), now.as_mut_ptr()) };
    assert_eq!(asked, 0);
    // SAFETY: filled in.
    unsafe { libc::sigismember(now.as_ptr(), libc::SIGPROF) == 1 }
}

fn set_action(handler: usize, flags: c_int) {
    let action = libc::sigaction {
        sa_sigaction: handler,
        sa_mask: only_sigprof(),
        sa_flags: flags,
        sa_restorer: None,
    };
    // SAFETY: the tests' handlers only count.
    let done = unsafe { libc::sigaction(libc::SIGPROF, &raw const action, null_mut()) };
    assert_eq!(done, 0);
}

fn handler_now() -> usize {
    action_now().unwrap().sa_sigaction
}

fn raise() {
    // SAFETY: a valid signal, which the tests handle.
    assert_eq!(unsafe { libc::raise(libc::SIGPROF) }, 0);
}

static PLAIN: AtomicU32 = AtomicU32::new(0);
static WITH_INFO: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: c_int) {
    PLAIN.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn count_with_info(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's.
    assert_eq!(unsafe { (*info).si_signo }, signal);
    WITH_INFO.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn time_outside_of_the_stack_is_counted() {
    let _alone = alone();
    let idle = Idle::new();
    let sampler = idle.start().unwrap();
    work(Duration::from_millis(100));
    let recording = sampler.finish();
    assert!(
        (5..=105).contains(&recording.outside),
        "{recording:?}",
        recording = recording.outside
    );
    assert!(recording.cpu_time >= Duration::from_millis(100) && recording.samples().next().is_none());
}

#[test]
fn the_action_before_comes_back_and_gets_what_is_not_ours() {
    let _alone = alone();
    let idle = Idle::new();
    let cases: [(usize, c_int, &AtomicU32); 2] = [
        (count as *const () as usize, 0, &PLAIN),
        (count_with_info as *const () as usize, libc::SA_SIGINFO, &WITH_INFO),
    ];
    for (handler, flags, counter) in cases {
        set_action(handler, flags);
        let sampler = idle.start().unwrap();
        assert_eq!(handler_now(), on_tick as *const () as usize);
        raise();
        work(Duration::from_millis(20));
        raise();
        assert_eq!(counter.swap(0, Ordering::Relaxed), 2);
        assert!(sampler.finish().outside > 0);
        assert_eq!(handler_now(), handler);
        raise();
        assert_eq!(counter.swap(0, Ordering::Relaxed), 1);
    }
    set_action(libc::SIG_IGN, 0);
    let sampler = idle.start().unwrap();
    raise();
    drop(sampler);
    assert_eq!(handler_now(), libc::SIG_IGN);
    set_action(libc::SIG_DFL, 0);
}

#[test]
fn an_action_that_took_our_place_stays() {
    let _alone = alone();
    let idle = Idle::new();
    let sampler = idle.start().unwrap();
    set_action(count as *const () as usize, 0);
    work(Duration::from_millis(20));
    drop(sampler);
    assert_eq!(handler_now(), count as *const () as usize);
    PLAIN.store(0, Ordering::Relaxed);
    set_action(libc::SIG_DFL, 0);
}

#[test]
fn a_signal_that_was_blocked_is_blocked_again() {
    let _alone = alone();
    let idle = Idle::new();
    for blocked in [true, false] {
        let set = only_sigprof();
        let how = if blocked { libc::SIG_BLOCK } else { libc::SIG_UNBLOCK };
        // SAFETY: a valid set.
        unsafe { libc::pthread_sigmask(how, &raw const set, null_mut()) };
        let sampler = idle.start().unwrap();
        assert!(!is_blocked());
        work(Duration::from_millis(20));
        assert!(sampler.finish().outside > 0);
        assert_eq!(is_blocked(), blocked);
    }
}

#[test]
fn ticks_that_a_host_function_has_blocked_come_before_the_end() {
    let _alone = alone();
    let idle = Idle::new();
    let sampler = idle.start().unwrap();
    let set = only_sigprof();
    // SAFETY: a valid set.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) };
    work(Duration::from_millis(20));
    drop(sampler);
    assert_eq!(handler_now(), libc::SIG_DFL);
    // One that is still pending would kill the process now.
    // SAFETY: as above.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) };
}

#[test]
fn one_sampler_per_thread_and_many_in_the_process() {
    let _alone = alone();
    let idle = Idle::new();
    let first = idle.start().unwrap();
    assert_eq!(idle.start().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    let stop = Instant::now() + Duration::from_millis(200);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let idle = Idle::new();
                let mut outside = 0;
                while Instant::now() < stop {
                    let sampler = idle.start().unwrap();
                    work(Duration::from_millis(10));
                    outside += sampler.finish().outside;
                }
                outside
            })
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() > 0);
    }
    assert_eq!(handler_now(), on_tick as *const () as usize);
    drop(first);
    assert_eq!(handler_now(), libc::SIG_DFL);
    drop(idle.start().unwrap());
}

#[test]
fn memory_that_cannot_be_read_is_none() {
    let page = crate::sys::page_size();
    let reserved = crate::sys::Reservation::new(page * 2).unwrap();
    reserved.commit(0, page).unwrap();
    let at = reserved.base() as usize;
    let mut words = [1; 4];
    assert_eq!(read_own(&mut words, at + page), 0);
    assert_eq!(read_own(&mut words, 8), 0);
    assert_eq!((read_own(&mut words, at + page - 32), words), (4, [0; 4]));
}
