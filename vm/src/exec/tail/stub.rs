//! Stub frames, below what has been tail-called out of its caller's instance.
//!
//! ```text
//! | domains: `width` words | return address | second word | results, width | callee's frame …
//! ^ where the caller's frame began
//! ```
//!
//! A stub frame holds the header as it was, and its return address ([`stub_ip`]) leads
//! to [`tail_return`], which brings the results to where the frame began and returns
//! from there. It is made when a tail call leaves the instance, and
//!
//! - the return would not restore the context, or
//! - the callee belongs to another domain: the bits of the domains that have left
//!   their frames so are in the stub's first words (`docs/decisions/0027-tail-calls.md`), or
//! - the callee is a host function, which finds its caller's context in its header.
//!   Such a callee returns to [`tail_return`] too, at the end of its own code, where
//!   the word before the address says where its header is.
//!
//! Tail calls from the callee on use the same stub. So there is one at most for each
//! ordinary call, and it grows only with the number of domains.

use crate::exec::context::{Cx, FuncRec};
use crate::exec::control::LEAVES;
use crate::exec::dispatch::{Handler, Regs, handler, next};
use crate::exec::stubs;

/// The bit beside [`LEAVES`] that says that what returns there has a stub frame
/// below it.
pub(crate) const TAIL: u32 = 2;
/// Words of a stub frame besides those of its domains.
pub(crate) const STUB_SLOTS: usize = 3;
/// Words of domains that a stub frame may have.
const MAX_WIDTH: usize = 1024;
/// The word before the return address of what has a stub frame below it, and its
/// header `slots` above the start of its frame.
pub(crate) const fn stub_call_word(slots: u32) -> u64 {
    (STUB_SLOTS as u64 * 8) | ((slots as u64 * 8) | LEAVES as u64 | TAIL as u64) << 32
}

/// Code at the end of a call: where a tail callee returns to.
#[repr(C)]
struct AfterTailCall {
    call: u64,
    handler: Handler,
}

/// What tail callees return to that have a stub frame below them.
static STUB: AfterTailCall = AfterTailCall {
    call: stub_call_word(0),
    handler: tail_return,
};

/// The return address of guest functions with a stub frame below them.
pub(crate) fn stub_ip() -> *const u8 {
    (&raw const STUB.handler).cast()
}

/// The handler at such addresses.
pub(crate) const RETURN: Handler = tail_return;

/// What a stub frame stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beneath {
    /// The return address of the frame that was there.
    pub(crate) ret: u64,
    /// The word after it: the caller's context, or the mark of a run's first frame.
    pub(crate) second: u64,
    /// Where that frame began.
    pub(crate) frame: *mut u64,
    /// Words of domains.
    width: usize,
}

impl Beneath {
    /// That of the stub frame below the frame at `frame`.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    unsafe fn read(frame: *mut u64) -> Self {
        let fixed = frame.wrapping_sub(STUB_SLOTS);
        // SAFETY: the caller's promise.
        unsafe {
            let width = (fixed.add(2).read() >> 32) as usize;
            Self {
                ret: fixed.read(),
                second: fixed.add(1).read(),
                frame: fixed.wrapping_sub(width),
                width,
            }
        }
    }

    /// The indices of the domains whose instances have left their frames.
    pub(crate) fn domains(&self) -> impl Iterator<Item = u32> {
        let start = self.frame;
        (0..self.width as u32).flat_map(move |i| {
            // SAFETY: a stub frame begins with so many words; who has made this
            // value does not run code meanwhile.
            let word = unsafe { start.add(i as usize).read() };
            (0..64)
                .filter(move |bit| word >> bit & 1 != 0)
                .map(move |bit| i * 64 + bit)
        })
    }
}

/// What stands below the frame at `frame`, which returns to `ret`, if that is a stub
/// frame.
///
/// # Safety
/// It is the frame of a function that was called, or of the host function that is
/// running.
pub(crate) unsafe fn beneath(ret: u64, frame: *mut u64) -> Option<Beneath> {
    // SAFETY: a call's last word precedes its return address.
    let word = unsafe { (ret as *const u64).sub(1).read() };
    // SAFETY: that word says so.
    ((word >> 32) as u32 & TAIL != 0).then(|| unsafe { Beneath::read(frame) })
}

/// [`beneath`] for a frame that may be none, of a run that begins at `entry`.
///
/// # Safety
/// Both are in the used part of the value stack.
pub(crate) unsafe fn beneath_within(ret: u64, frame: *mut u64, entry: *mut u64) -> Option<Beneath> {
    if ret != stub_ip() as u64 || (frame as usize) < entry as usize + STUB_SLOTS * 8 {
        return None;
    }
    // SAFETY: inside the used part.
    let beneath = unsafe { Beneath::read(frame) };
    (beneath.width <= MAX_WIDTH && beneath.frame >= entry).then_some(beneath)
}

/// From the return into a stub frame, which is at `fp`, to the return that it stands
/// for: `ip` at what follows the call, `fp` and `cx` those of the caller.
///
/// # Safety
/// `s` are the registers of what returns there.
#[inline(always)]
pub(crate) unsafe fn leave_stub(mut s: Regs) -> Regs {
    // SAFETY: the caller's promise; the word before a return address is the call's
    // last.
    unsafe {
        let ret = s.fp.cast::<*const u8>().read();
        let second = s.fp.add(1).read();
        let width = (s.fp.add(2).read() >> 32) as usize;
        s.ip = ret;
        s.fp = s.fp.sub(width).byte_sub(ret.sub(8).cast::<u32>().read() as usize);
        if ret != stubs::exit_ip() {
            s.cx = second as *mut Cx;
        }
    }
    s
}

handler! {
    /// Stands after the "call" of what has a stub frame below it: returns from that.
    fn tail_return(s) {
        let fixed = s.fp;
        s = leave_stub(s);
        s.mb = (*s.cx).mem0_base;
        let results = fixed.add(2).read();
        let mut to = fixed.sub((results >> 32) as usize);
        let mut from = fixed.add(STUB_SLOTS);
        let end = from.add(results as u32 as usize);
        while from != end {
            // Volatile, or it would become a call: the two overlap.
            to.write_volatile(from.read_volatile());
            to = to.add(1);
            from = from.add(1);
        }
        next(s)
    }
}

/// Makes the moved frame at `fp` of what `rec` leads to, tail-called in `cx`, return
/// as it must: where the callee's frame begins, null if there is no room.
#[inline(never)]
pub(super) unsafe fn settle(cx: *mut Cx, fp: *mut u64, rec: *const FuncRec, results: u16) -> *mut u64 {
    // SAFETY: called by a handler whose registers these are; the record's context and
    // what it leads to are live, and the header has been moved to where the record
    // says.
    unsafe {
        let callee = (*rec).cx;
        let slots = (*rec).slots as usize;
        let is_host = (*callee).code.is_null();
        let own = (*cx).domain as usize;
        let leaves_domain = !is_host && (*callee).domain != (*cx).domain;
        let stub_ip = match is_host {
            true => (*rec).ip.get().wrapping_add(stubs::HOST_RETURN),
            false => stub_ip(),
        };
        let header = fp.add(slots);
        let (ret, mut second) = (header.read(), header.add(1).read());
        let word = ((ret as *const u64).sub(1).read() >> 32) as u32;
        let has_stub = word & TAIL != 0;
        let width = match leaves_domain {
            true => own / 64 + 1,
            false => 0,
        };
        if has_stub {
            header.write(stub_ip as u64);
            header.add(1).write(cx as u64);
            let before = Beneath::read(fp);
            if width <= before.width {
                if leaves_domain {
                    add_domain(before.frame, own);
                }
                return fp;
            }
            return grow(cx, fp, slots, before, width, own);
        }
        if word & LEAVES == 0 && ret != stubs::exit_ip() as u64 {
            if callee == cx {
                return fp;
            }
            // The caller is in the instance too.
            second = cx as u64;
        } else if !is_host && !leaves_domain {
            return fp;
        }
        let to = fp.add(width + STUB_SLOTS);
        if !has_room(cx, to, slots, width) {
            return std::ptr::null_mut();
        }
        std::ptr::copy(fp, to, slots);
        std::ptr::write_bytes(fp, 0, width);
        if leaves_domain {
            add_domain(fp, own);
        }
        write_stub(to, ret, second, u64::from(results) | (width as u64) << 32);
        to.add(slots).write(stub_ip as u64);
        to.add(slots + 1).write(cx as u64);
        to
    }
}

/// Gives the stub frame below `fp` so many words of domains, and adds a domain there.
#[cold]
unsafe fn grow(cx: *mut Cx, fp: *mut u64, slots: usize, before: Beneath, width: usize, domain: usize) -> *mut u64 {
    // SAFETY: as in `settle`.
    unsafe {
        let to = fp.add(width - before.width);
        if !has_room(cx, to, slots, width) {
            return std::ptr::null_mut();
        }
        let results = u64::from(fp.sub(1).read() as u32);
        std::ptr::copy(fp, to, slots + 2);
        std::ptr::write_bytes(before.frame.add(before.width), 0, width - before.width);
        add_domain(before.frame, domain);
        write_stub(to, before.ret, before.second, results | (width as u64) << 32);
        to
    }
}

/// Whether a callee's frame and a stub frame of `width` words of domains fit.
unsafe fn has_room(cx: *mut Cx, fp: *mut u64, slots: usize, width: usize) -> bool {
    // SAFETY: a live context leads to its store's runtime block.
    let end = unsafe { (*(*cx).rt).stack_end };
    width <= MAX_WIDTH && fp.wrapping_add(slots + 2) <= end
}

/// Adds a domain to those at the start of a stub frame.
unsafe fn add_domain(start: *mut u64, domain: usize) {
    // SAFETY: the stub frame has a word for it.
    unsafe { *start.add(domain / 64) |= 1 << (domain % 64) }
}

/// Writes the words of the stub frame right below a frame.
unsafe fn write_stub(frame: *mut u64, ret: u64, second: u64, results: u64) {
    // SAFETY: the caller has made room.
    unsafe {
        frame
            .sub(STUB_SLOTS)
            .cast::<[u64; STUB_SLOTS]>()
            .write([ret, second, results])
    }
}
