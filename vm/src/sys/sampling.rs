//! Sampling the guest of one value stack, by a timer of the thread's CPU time.
//!
//! The timer sends SIGPROF to the thread that started it, and the handler notes
//! where the interpreter stood. It makes sense of nothing: it keeps the pc, the
//! general registers, and those words of the upper part of the value stack that
//! could be addresses. Return addresses are among them, and whoever symbolises
//! the samples afterwards, when locks may be taken and memory allocated, finds
//! frames by looking each of them up ([`crate::exec::profile`]).
//!
//! A recording has a fixed size. When it is full, every other sample is dropped
//! and from then on only every other tick is taken, so that all samples stand
//! for the same time however long the run.
//!
//! Nothing of this exists while no [`Sampler`] does: no timer, and the action
//! on SIGPROF that was there before.
//!
//! Invariants:
//! 1. The handler allocates nothing, takes no lock, does not panic, and leaves
//!    `errno` alone.
//! 2. It reads the value stack through the kernel (`process_vm_readv`): while
//!    another thread has taken the access away, a touch would be a fault, and
//!    the fault handler would take it for the guest's. SIGPROF is blocked in
//!    that handler, so each finds the other's world at rest.
//! 3. A sampler's thread has SIGPROF unblocked. So a tick that is pending when
//!    the timer goes is taken before anything else of the sampler goes.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, transmute};
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering, compiler_fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Target;
use super::fault;
use super::recording::{Kind, MAX_CANDIDATES, MAX_WORDS, Recording, WINDOW_SLOTS, pack};

/// Nanoseconds of CPU time between two ticks. The kernel looks at CPU timers
/// once per scheduler tick, so that 4 ms are more usual.
const INTERVAL: libc::c_long = 997_000;

/// Slots read above the frame's start, where its header is.
const ABOVE: usize = 64;

/// Words of the host stack below the entry shim's that are looked at when a
/// handler has called something: its spilled registers are among them.
const NATIVE_WORDS: usize = 48;

/// The value of our timers' signals is this variable's address.
static MARK: u64 = 0;

/// What the signal handler works with. While it is the thread's [`SAMPLING`],
/// nobody else touches it.
#[derive(Debug)]
struct State {
    target: Target,
    /// The least number taken for an address.
    lowest: u64,
    recording: Recording,
    /// The upper part of the value stack, copied.
    window: Box<[u64]>,
    ticks: u64,
}

thread_local! {
    /// The state of the sampler on this thread. Without initialiser and
    /// destructor to run, it is an ordinary variable for the signal handler.
    static SAMPLING: Cell<*mut State> = const { Cell::new(null_mut()) };
}

/// A running recording of what happens on one value stack, on one thread.
///
/// The parts end in this order when it is dropped.
#[derive(Debug)]
pub(crate) struct Sampler {
    timer: Timer,
    current: Current,
    _unblocked: Unblocked,
    _installed: Installed,
    state: Owned,
    cpu_time: Duration,
    _this_thread: PhantomData<*const ()>,
}

impl Sampler {
    /// Starts recording what the calling thread does on the target's stack.
    ///
    /// # Errors
    /// `ResourceBusy` if the thread has a sampler already; the system's, if it
    /// gives no timer or does not let a process read its own memory.
    ///
    /// # Safety
    /// The target's pointers may be read whenever an activation on its stack,
    /// as long as that has the control block given, is the calling thread's.
    pub(crate) unsafe fn start(target: Target) -> io::Result<Self> {
        if !SAMPLING.get().is_null() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut probe = [0];
        if read_own(&mut probe, &raw const MARK as usize) == 0 {
            return Err(io::Error::last_os_error());
        }
        let heap = Arc::as_ptr(&target.control) as usize;
        let far = heap.min(&raw const MARK as usize) > u32::MAX as usize;
        let state = Owned::new(State {
            recording: Recording::new(target.base, target.slots),
            target,
            lowest: if far { 1 << 32 } else { 1 << 16 },
            window: vec![0; WINDOW_SLOTS].into(),
            ticks: 0,
        });
        let installed = Installed::new()?;
        let unblocked = Unblocked::new();
        let current = Current::new(&state);
        let cpu_time = cpu_time();
        Ok(Self {
            timer: Timer::start()?,
            current,
            _unblocked: unblocked,
            _installed: installed,
            state,
            cpu_time,
            _this_thread: PhantomData,
        })
    }

    /// Ends the recording.
    pub(crate) fn finish(self) -> Recording {
        let Self {
            timer,
            current,
            state,
            cpu_time: before,
            ..
        } = self;
        drop(timer);
        drop(current);
        let mut recording = state.into_inner().recording;
        recording.cpu_time = cpu_time().saturating_sub(before);
        recording
    }
}

/// A box that is not borrowed as long as the signal handler may use it.
#[derive(Debug)]
struct Owned(NonNull<State>);

impl Owned {
    fn new(state: State) -> Self {
        Self(NonNull::from(Box::leak(Box::new(state))))
    }

    fn into_inner(self) -> State {
        // SAFETY: leaked by `new`, and taken back once: `self` is forgotten.
        let state = unsafe { Box::from_raw(self.0.as_ptr()) };
        std::mem::forget(self);
        *state
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: leaked by `new`, taken back once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A state's presence in [`SAMPLING`], which ends before the state.
#[derive(Debug)]
struct Current;

impl Current {
    fn new(state: &Owned) -> Self {
        SAMPLING.set(state.0.as_ptr());
        compiler_fence(Ordering::SeqCst);
        Self
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        SAMPLING.set(null_mut());
        compiler_fence(Ordering::SeqCst);
    }
}

/// A timer of the calling thread's CPU time.
#[derive(Debug)]
struct Timer(libc::timer_t);

impl Timer {
    fn start() -> io::Result<Self> {
        let mut event = MaybeUninit::<libc::sigevent>::zeroed();
        // SAFETY: all zeros are a value of this structure.
        let event_ref = unsafe { event.assume_init_mut() };
        event_ref.sigev_notify = libc::SIGEV_THREAD_ID;
        event_ref.sigev_signo = libc::SIGPROF;
        event_ref.sigev_value.sival_ptr = (&raw const MARK).cast_mut().cast();
        // SAFETY: no preconditions.
        event_ref.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer = MaybeUninit::<libc::timer_t>::uninit();
        // SAFETY: a valid event, and room for the timer.
        let made = unsafe { libc::timer_create(libc::CLOCK_THREAD_CPUTIME_ID, event_ref, timer.as_mut_ptr()) };
        if made != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: filled in by the successful call.
        let timer = Self(unsafe { timer.assume_init() });
        let every = libc::timespec {
            tv_sec: 0,
            tv_nsec: INTERVAL,
        };
        let setting = libc::itimerspec {
            it_interval: every,
            it_value: every,
        };
        // SAFETY: a live timer and a valid setting.
        match unsafe { libc::timer_settime(timer.0, 0, &raw const setting, null_mut()) } {
            0 => Ok(timer),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: a live timer, deleted once.
        unsafe { libc::timer_delete(self.0) };
        // Should a host function have blocked it: invariant 3. What is pending
        // comes now.
        drop(Unblocked::new());
    }
}

/// SIGPROF unblocked on this thread; as it was before, when dropped.
#[derive(Debug)]
struct Unblocked {
    was_blocked: bool,
}

/// The set of SIGPROF alone.
fn only_sigprof() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: room for a set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: made just now; a valid signal.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPROF) };
    // SAFETY: made above.
    unsafe { set.assume_init() }
}

impl Unblocked {
    fn new() -> Self {
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        let set = only_sigprof();
        // SAFETY: a valid set, and room for one.
        let done = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, before.as_mut_ptr()) };
        // SAFETY: filled in if the call, whose arguments are right, succeeds.
        let was_blocked = done == 0 && unsafe { libc::sigismember(before.as_ptr(), libc::SIGPROF) } == 1;
        Self { was_blocked }
    }
}

impl Drop for Unblocked {
    fn drop(&mut self) {
        if self.was_blocked {
            let set = only_sigprof();
            // SAFETY: a valid set.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) };
        }
    }
}

/// CPU time of the calling thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the result; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

/// How many samplers there are in the process, and the action on SIGPROF
/// before the first of them.
struct Action {
    users: usize,
    previous: Option<libc::sigaction>,
}

static ACTION: Mutex<Action> = Mutex::new(Action {
    users: 0,
    previous: None,
});
/// Handler and flags of that action, for the signal handler.
static PREVIOUS_HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
/// See [`PREVIOUS_HANDLER`].
static PREVIOUS_FLAGS: AtomicI32 = AtomicI32::new(0);

fn lock_action() -> MutexGuard<'static, Action> {
    ACTION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`on_tick`] as the action on SIGPROF. With the last of these goes the
/// action, unless somebody else has replaced it.
#[derive(Debug)]
struct Installed(());

/// The action on SIGPROF now.
fn action_now() -> io::Result<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a valid signal, and room for its action.
    if unsafe { libc::sigaction(libc::SIGPROF, null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled in by the successful call.
    Ok(unsafe { action.assume_init() })
}

impl Installed {
    fn new() -> io::Result<Self> {
        let mut action = lock_action();
        if action.users == 0 {
            let previous = action_now()?;
            PREVIOUS_HANDLER.store(previous.sa_sigaction, Ordering::Relaxed);
            PREVIOUS_FLAGS.store(previous.sa_flags, Ordering::Relaxed);
            let ours = libc::sigaction {
                sa_sigaction: on_tick as *const () as usize,
                sa_mask: only_sigprof(),
                // Threads with small stacks have an alternate one. Host
                // functions are not to see that a read was interrupted.
                sa_flags: libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK,
                sa_restorer: None,
            };
            // SAFETY: the handler is async-signal-safe as far as it goes by
            // itself, and hands all else on.
            if unsafe { libc::sigaction(libc::SIGPROF, &raw const ours, null_mut()) } != 0 {
                return Err(io::Error::last_os_error());
            }
            action.previous = Some(previous);
        }
        action.users += 1;
        Ok(Self(()))
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let mut action = lock_action();
        action.users -= 1;
        if action.users == 0
            && let Some(previous) = action.previous.take()
            && action_now().is_ok_and(|now| now.sa_sigaction == on_tick as *const () as usize)
        {
            // SAFETY: what the system gave us for this signal. No tick of ours
            // can come any more: invariant 3.
            unsafe { libc::sigaction(libc::SIGPROF, &raw const previous, null_mut()) };
        }
    }
}

/// The signal handler for SIGPROF.
///
/// # Safety
/// Called by the kernel, or by a signal handler with what the kernel gave it.
unsafe extern "C" fn on_tick(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's, valid while the signal is handled.
    let code = unsafe { (*info).si_code };
    // SAFETY: timers' signals have a value.
    let ours = code == libc::SI_TIMER && unsafe { (*info).si_value() }.sival_ptr == (&raw const MARK).cast_mut().cast();
    if !ours {
        // SAFETY: the kernel's arguments.
        unsafe { forward(signal, info, context) };
        return;
    }
    // SAFETY: no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: this thread's variable.
    let before = unsafe { errno.read() };
    // SAFETY: a state in SAMPLING is live and this handler's alone; the handler
    // does not interrupt itself.
    if let Some(state) = unsafe { SAMPLING.get().as_mut() } {
        // SAFETY: the kernel's, valid while the signal is handled.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        state.tick(registers);
    }
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

/// Does with a SIGPROF of others what would have been done without us.
///
/// # Safety
/// The arguments are those of a signal handler.
unsafe fn forward(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    match PREVIOUS_HANDLER.load(Ordering::Relaxed) {
        libc::SIG_IGN => {}
        libc::SIG_DFL => {
            // SAFETY: a valid signal; async-signal-safe.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
            // SAFETY: a valid signal. Blocked until we return.
            unsafe { libc::raise(signal) };
        }
        handler if PREVIOUS_FLAGS.load(Ordering::Relaxed) & libc::SA_SIGINFO != 0 => {
            // SAFETY: SA_SIGINFO says that the handler is such a function.
            let handler =
                unsafe { transmute::<usize, unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(handler) };
            // SAFETY: the kernel's arguments, passed on.
            unsafe { handler(signal, info, context) };
        }
        handler => {
            // SAFETY: without SA_SIGINFO the handler is such a function.
            let handler = unsafe { transmute::<usize, unsafe extern "C" fn(c_int)>(handler) };
            // SAFETY: as the kernel would call it.
            unsafe { handler(signal) };
        }
    }
}

/// Copies this process's memory from the address `from` on; the number of words
/// copied, 0 if the memory is not accessible. Async-signal-safe.
fn read_own(to: &mut [u64], from: usize) -> usize {
    let len = size_of_val(to);
    let local = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: len,
    };
    let remote = libc::iovec {
        iov_base: from as *mut c_void,
        iov_len: len,
    };
    // SAFETY: no preconditions.
    let this = unsafe { libc::getpid() };
    // SAFETY: room for `len` bytes; the kernel checks where they come from, and
    // any bytes make words.
    let read = unsafe { libc::process_vm_readv(this, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).unwrap_or(0) / size_of::<u64>()
}

/// The general registers that may hold something of interest, `rdi` and `rsi`
/// first.
const REGISTERS: [c_int; 14] = [
    libc::REG_RDI,
    libc::REG_RSI,
    libc::REG_RBX,
    libc::REG_RBP,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
    libc::REG_RAX,
    libc::REG_RDX,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
];

/// What could be the machine's registers.
struct Candidates {
    words: [u64; MAX_CANDIDATES],
    len: usize,
}

impl Candidates {
    fn push(&mut self, word: u64) {
        if let Some(at) = self.words.get_mut(self.len) {
            *at = word;
            self.len += 1;
        }
    }

    fn get(&self) -> &[u64] {
        self.words.get(..self.len).unwrap_or_default()
    }
}

impl State {
    /// Takes a sample, if it is one's turn.
    fn tick(&mut self, registers: &[libc::greg_t; 23]) {
        self.ticks += 1;
        if !self.ticks.is_multiple_of(u64::from(self.recording.every)) {
            return;
        }
        let Some(running) = fault::running_on(self.target.base, Arc::as_ptr(&self.target.control)) else {
            self.recording.outside += 1;
            return;
        };
        let register = |which: c_int| registers.get(which as usize).map_or(0, |value| value.cast_unsigned());
        let mut candidates = Candidates {
            words: [0; MAX_CANDIDATES],
            len: 0,
        };
        let kind = match running.handlers {
            None => {
                // SAFETY: an activation on the stack is this thread's.
                let next_frame = unsafe { self.target.next_frame.read_volatile() };
                candidates.push(next_frame as u64);
                Kind::Host
            }
            // The entry has not begun to run handlers.
            Some(0) => {
                self.recording.outside += 1;
                return;
            }
            Some(saved_sp) => match self.target.registers {
                // SAFETY: as above.
                Some([ip, fp]) => {
                    // SAFETY: as above.
                    candidates.push(unsafe { ip.read_volatile() } as u64);
                    // SAFETY: as above.
                    candidates.push(unsafe { fp.read_volatile() } as u64);
                    Kind::Noted
                }
                None => {
                    for which in REGISTERS {
                        candidates.push(register(which));
                    }
                    // The shim's call has pushed its return address.
                    let sp = register(libc::REG_RSP) as usize;
                    if sp == saved_sp - 8 {
                        Kind::Handler
                    } else {
                        native_words(sp, saved_sp - 8, &mut candidates);
                        Kind::Callee
                    }
                }
            },
        };
        self.record(kind, register(libc::REG_RIP), candidates.get());
    }

    /// The slot that an address is of, if it is one's.
    fn slot(&self, address: u64) -> Option<usize> {
        let offset = usize::try_from(address).ok()?.checked_sub(self.target.base)?;
        (offset.is_multiple_of(8) && offset / 8 < self.target.slots).then_some(offset / 8)
    }

    /// Adds a sample to the recording.
    fn record(&mut self, kind: Kind, pc: u64, candidates: &[u64]) {
        let first_slot = |candidates: &[u64]| candidates.iter().find_map(|word| self.slot(*word));
        let top = match kind {
            Kind::Host => first_slot(candidates),
            Kind::Handler | Kind::Noted => candidates
                .get(1)
                .and_then(|fp| self.slot(*fp))
                .map(|slot| slot + ABOVE)
                .or_else(|| first_slot(candidates).map(|slot| slot + ABOVE)),
            Kind::Callee => candidates
                .iter()
                .filter_map(|word| self.slot(*word))
                .max()
                .map(|slot| slot + ABOVE),
        };
        let top = top.unwrap_or(0).min(self.target.slots);
        let low = top.saturating_sub(WINDOW_SLOTS);
        let window = self.window.get_mut(..top - low).unwrap_or_default();
        let read = read_own(window, self.target.base + low * 8);
        let words = window.get(..read).unwrap_or_default();
        let plausible = self.lowest..1 << 47;
        // From the top down, so that what there is no room for is far out.
        let addresses = words
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, word)| plausible.contains(word))
            .map(|(at, word)| pack(at, *word))
            .take(MAX_WORDS);
        self.recording.push(kind, pc, low, candidates, addresses);
    }
}

/// The words of the host stack that a handler with a frame of its own may have
/// spilled its registers to: those just below `end`, from `sp` on.
fn native_words(sp: usize, end: usize, candidates: &mut Candidates) {
    if sp > end || !sp.is_multiple_of(8) {
        return;
    }
    let words = ((end - sp) / 8).min(NATIVE_WORDS);
    for i in 1..=words {
        let at = (end - i * 8) as *const u64;
        // SAFETY: just below the shim's frame, where this thread's stack had
        // room for far more when the shim was called; any bytes make a word.
        candidates.push(unsafe { at.read_volatile() });
    }
}

#[cfg(test)]
#[path = "sampling_tests.rs"]
mod tests;
