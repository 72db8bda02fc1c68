//! How much of the calling thread's own stack is left.
//!
//! Guest calls do not use the host stack, but guest→host→guest calls do; each
//! entry asks first. The bounds are looked up once per thread. They are exact on
//! Linux; on other systems, and on stacks that the thread library does not
//! know (coroutines), the first stack pointer seen is taken for the top of
//! [`ASSUMED_BYTES`].

use std::cell::Cell;

/// Bytes taken to be below a stack pointer of which nothing is known. Windows'
/// main thread, with 1 MiB, has among the smallest stacks in use.
const ASSUMED_BYTES: usize = 512 << 10;

/// The addresses of a stack: `low..=high`.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: usize,
    high: usize,
}

thread_local! {
    /// Of the stack last used on this thread; no addresses at first.
    static BOUNDS: Cell<Bounds> = const { Cell::new(Bounds { low: usize::MAX, high: 0 }) };
}

/// Bytes left on the calling thread's stack.
pub(crate) fn remaining_host_stack() -> usize {
    let here = stack_pointer();
    let bounds = BOUNDS.get();
    if (bounds.low..=bounds.high).contains(&here) {
        return here - bounds.low;
    }
    refresh(here)
}

/// An address in the caller's frame or just below.
#[inline(always)]
fn stack_pointer() -> usize {
    let mark = 0_u8;
    std::hint::black_box(&raw const mark) as usize
}

#[cold]
#[inline(never)]
fn refresh(here: usize) -> usize {
    let bounds = system_bounds()
        .filter(|b| (b.low..=b.high).contains(&here))
        .unwrap_or(Bounds {
            low: here.saturating_sub(ASSUMED_BYTES),
            high: here,
        });
    BOUNDS.set(bounds);
    here - bounds.low
}

/// The bounds of the calling thread's stack by the C library.
#[cfg(target_os = "linux")]
fn system_bounds() -> Option<Bounds> {
    use std::mem::MaybeUninit;
    use std::ptr::null_mut;

    let mut attr = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: no preconditions.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a live thread, and room for its attributes.
    if unsafe { libc::pthread_getattr_np(this, attr.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut low, mut size, mut guard) = (null_mut(), 0, 0);
    // SAFETY: the attributes have been filled in.
    let known = unsafe { libc::pthread_attr_getstack(attr.as_ptr(), &raw mut low, &raw mut size) } == 0;
    // SAFETY: as above.
    let guarded = unsafe { libc::pthread_attr_getguardsize(attr.as_ptr(), &raw mut guard) } == 0;
    // SAFETY: as above; not used again.
    unsafe { libc::pthread_attr_destroy(attr.as_mut_ptr()) };
    if !known {
        return None;
    }
    let low = low as usize;
    let high = low.checked_add(size)?;
    if is_main_thread() {
        // musl tells what is mapped now, though the kernel maps more on demand;
        // glibc takes the resource limit into account, of which an unlimited
        // one is no promise.
        let limit = main_stack_limit();
        let grown = high.saturating_sub(limit);
        let low = if cfg!(target_env = "gnu") {
            low.max(grown)
        } else {
            grown
        };
        return Some(Bounds { low, high });
    }
    // Older C libraries count the guard as part of the stack.
    Some(Bounds {
        low: low + if guarded { guard } else { 0 },
        high,
    })
}

#[cfg(target_os = "linux")]
fn is_main_thread() -> bool {
    // SAFETY: no preconditions.
    let thread = unsafe { libc::gettid() };
    // SAFETY: no preconditions.
    thread == unsafe { libc::getpid() }
}

/// Bytes to which the kernel lets the main thread's stack grow, or rather
/// less: the gap it keeps free for that is 128 MiB at least.
#[cfg(target_os = "linux")]
fn main_stack_limit() -> usize {
    const MOST: usize = 120 << 20;
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: room for the result.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } != 0 {
        return ASSUMED_BYTES;
    }
    usize::try_from(limit.rlim_cur).map_or(MOST, |bytes| bytes.min(MOST))
}

/// Nothing is known of other systems' stacks.
#[cfg(not(target_os = "linux"))]
fn system_bounds() -> Option<Bounds> {
    None
}
