//! The call chain: which instances have a frame on the value stack.
//!
//! A host function that needs a permission is refused where one of them has it
//! not. Nothing is kept while guests run; the chain is read off the stack when
//! it is asked for.
//!
//! A run begins at a frame that the host made. Its header holds the address of
//! the exit stub and, instead of a context, a *mark* ([`Mark`]). The frame below
//! it, if there is one, is that of the host function which the run was called
//! from, in another run of the same store; so the chain goes on there. Where the
//! host calls a host function there is such a frame too, with the address where
//! the frame begins instead of the exit stub's.

use smallvec::SmallVec;

use super::context::Cx;
use super::control::LEAVES;
use super::stubs;
use super::tail::stub;
use crate::runtime::permissions::Permissions;
use crate::runtime::store::StoreInner;

/// What the header of a run's first frame says of the chain below.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark<'a> {
    /// It goes on.
    Open,
    /// It is as if this run were the first.
    Gate,
    /// It goes on, and nothing is allowed that these permissions do not allow.
    Limited(&'a Permissions),
}

/// The word of [`Mark::Open`].
const OPEN: u64 = 0;
/// The word of [`Mark::Gate`]: no address of permissions.
const GATE: u64 = 1;

impl Mark<'_> {
    /// The word in the header. For a limit it is an address, valid during the run.
    pub(crate) fn word(self) -> u64 {
        match self {
            Self::Open => OPEN,
            Self::Gate => GATE,
            Self::Limited(permissions) => std::ptr::from_ref(permissions).addr() as u64,
        }
    }

    /// The permissions that a word limits to, if it does.
    ///
    /// # Safety
    /// The word was made of a mark whose permissions live for `'p`.
    pub(crate) unsafe fn limit<'p>(word: u64) -> Option<&'p Permissions> {
        // SAFETY: the caller's promise.
        (word != OPEN && word != GATE).then(|| unsafe { &*(word as *const Permissions) })
    }
}

/// How far a chain is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// To the first instance.
    Caller,
    /// To the first gate: those that must be allowed what is done.
    Allowed,
    /// To the end.
    All,
}

/// What is on the chain.
#[derive(Debug, Default)]
pub(crate) struct Chain<'a> {
    /// The instances' indices in their store, innermost first, without
    /// repetitions one after the other.
    pub(crate) instances: SmallVec<[u32; 8]>,
    /// Indices of domains whose instances have left their frames by tail calls, without
    /// having returned to those who called them.
    pub(crate) domains: SmallVec<[u32; 4]>,
    /// Limits of runs.
    pub(crate) limits: SmallVec<[&'a Permissions; 2]>,
    /// A frame was not what it must be. Nobody knows who is on the chain then.
    pub(crate) is_broken: bool,
}

impl<'a> Chain<'a> {
    /// The chain of the host function that runs in a store; empty if none does.
    pub(crate) fn of(inner: &'a StoreInner) -> Self {
        let mut chain = Self::default();
        let is_whole = chain.collect(inner, Extent::Allowed);
        chain.is_broken = is_whole.is_none();
        chain
    }

    /// The instance that called the host function which runs in a store, or the
    /// host function that called it, and so on.
    pub(crate) fn caller(inner: &'a StoreInner) -> Option<u32> {
        let mut chain = Self::default();
        chain.collect(inner, Extent::Caller)?;
        chain.instances.first().copied()
    }

    /// Whether a function of an instance has been called and has not returned, as
    /// far as that can be told; else it is taken to be so.
    pub(crate) fn is_running(inner: &'a StoreInner, instance: u32) -> bool {
        let mut chain = Self::default();
        chain.collect(inner, Extent::All).is_none() || chain.instances.contains(&instance)
    }

    /// `None` where a frame is not what it must be.
    fn collect(&mut self, inner: &'a StoreInner, extent: Extent) -> Option<()> {
        let stack = inner.machine.stack();
        let bottom = stack.base();
        // SAFETY: the block lives as long as the store.
        let mut free = unsafe { (*inner.machine.rt().as_ptr()).next_frame };
        while free > bottom {
            // The header of a host function's frame is the last that is in use.
            let header = free.wrapping_sub(2);
            // SAFETY: in the used part of the value stack.
            let (first, second) = unsafe { (header.read(), header.add(1).read()) };
            let mark;
            (mark, free) = match first as *mut u64 {
                start if start >= bottom && start <= header => (second, start),
                _ if extent == Extent::Caller => {
                    // SAFETY: a guest's call of a host function saves its context.
                    self.instances.push(unsafe { (*(second as *const Cx)).instance });
                    return Some(());
                }
                _ => self.run(header, bottom)?,
            };
            if mark == GATE && extent != Extent::All {
                break;
            }
            // SAFETY: it was made of a reference that is valid while the run goes
            // on, and the chain is looked at only then.
            self.limits.extend(unsafe { Mark::limit(mark) });
        }
        Some(())
    }

    fn push_instance(&mut self, cx: *const Cx) {
        // SAFETY: the context of what has called something is live.
        let instance = unsafe { (*cx).instance };
        if self.instances.last() != Some(&instance) {
            self.instances.push(instance);
        }
    }

    /// Follows the frames of a run from the header of the host function that it
    /// called; the run's mark, and where its first frame begins.
    fn run(&mut self, mut header: *mut u64, bottom: *mut u64) -> Option<(u64, *mut u64)> {
        // SAFETY: a guest's call of a host function writes both.
        let (mut ret, mut cx) = unsafe { (header.read(), header.add(1).read() as *const Cx) };
        // SAFETY: a call's last word precedes its return address; it says where the
        // header of what is called directly is.
        let place = unsafe { (ret as *const u32).sub(1).read() } & !(LEAVES | stub::TAIL);
        let mut frame = header.wrapping_byte_sub(place as usize);
        // If it has been tail-called, its caller has no frame.
        self.push_instance(cx);
        loop {
            // SAFETY: every function below the running host function was called, and
            // returns to `ret`.
            if let Some(beneath) = unsafe { stub::beneath(ret, frame) } {
                self.domains.extend(beneath.domains());
                (ret, frame) = (beneath.ret, beneath.frame);
                if ret == stubs::exit_ip() as u64 {
                    return Some((beneath.second, frame));
                }
                cx = beneath.second as *const Cx;
            }
            // SAFETY: as above.
            let delta = unsafe { (ret as *const u32).sub(2).read() };
            frame = frame.wrapping_byte_sub(delta as usize);
            self.push_instance(cx);
            // SAFETY: the context of a frame on the stack is live.
            let code = unsafe { &*(*cx).code };
            let func = code.function_at(ret as usize - 8)?;
            let own = frame.wrapping_add(code.module().func_type(func).slots() as usize);
            if frame < bottom || own.wrapping_add(1) >= header {
                return None;
            }
            header = own;
            // SAFETY: in the used part of the value stack.
            let second = unsafe {
                ret = header.read();
                header.add(1).read()
            };
            if ret == stubs::exit_ip() as u64 {
                return Some((second, frame));
            }
            // SAFETY: as above.
            if unsafe { (ret as *const u32).sub(1).read() } & LEAVES != 0 {
                cx = second as *const Cx;
            }
        }
    }
}
