//! The frames of a run that ended early, read off the value stack.
//!
//! After a fault the registers are those of the faulting handler, which may
//! have moved on from the start of its instruction, or be between two frames.
//! So nothing is taken for granted: every address is looked up before it is
//! followed, and the walk ends at the first that leads nowhere.

use std::sync::Arc;

use super::context::Cx;
use super::control::LEAVES;
use super::stubs;
use super::tail::stub;
use crate::ir::code::CodeSet;
use crate::runtime::module::Module;
use crate::runtime::store::StoreInner;
use crate::trap::{FrameInfo, Place};

/// Frames recorded at most; those further out are left out.
const MAX_FRAMES: usize = 100;

/// The frames of the run whose entry frame is at `entry`, innermost first.
///
/// # Safety
/// `inner` is a store whose run has just ended and whose value stack is as the
/// run left it; the caller has it borrowed exclusively.
pub(crate) unsafe fn capture(inner: *mut StoreInner, entry: *mut u64) -> Vec<FrameInfo> {
    // SAFETY: the caller's promise.
    let inner = unsafe { &*inner };
    let rt = inner.machine.rt().as_ptr();
    // SAFETY: the block lives as long as the store.
    let (mut ip, mut fp, cx, end) = unsafe { ((*rt).trap_ip as usize, (*rt).trap_fp, (*rt).trap_cx, (*rt).stack_end) };
    let mut places = Vec::new();
    let Some((mut module, mut code)) = code_of(inner, cx) else {
        return Vec::new();
    };
    while places.len() < MAX_FRAMES {
        let Some((func, offset)) = code.find(ip) else { break };
        places.push(Place {
            module: module.clone(),
            func,
            offset,
        });
        let slots = code.module().func_type(func).slots() as usize;
        let header = fp.wrapping_add(slots);
        if fp < entry || header.wrapping_add(1) >= end || !fp.is_aligned() {
            break;
        }
        // SAFETY: inside the usable part of the value stack.
        let (mut ret, mut second) = unsafe { (header.read(), header.add(1).read()) };
        // SAFETY: as above.
        let beneath = unsafe { stub::beneath_within(ret, fp, entry) };
        if let Some(beneath) = &beneath {
            (ret, second, fp) = (beneath.ret, beneath.second, beneath.frame);
        }
        let ret = ret as usize;
        if ret == stubs::exit_ip() as usize || !ret.is_multiple_of(8) {
            break;
        }
        let mut caller = (module, Arc::clone(&code));
        let leaves = |call: u64| (call >> 32) as u32 & LEAVES != 0;
        if beneath.is_some() || code.word(ret.wrapping_sub(8)).is_none_or(leaves) {
            let Some(other) = code_of(inner, second as *mut Cx) else {
                break;
            };
            caller = other;
        }
        if caller.1.find(ret.wrapping_sub(8)).is_none() {
            break;
        }
        // SAFETY: the word before a return address in known code is the call's
        // last.
        let delta = unsafe { (ret as *const u32).sub(2).read() };
        fp = fp.wrapping_byte_sub(delta as usize);
        ip = ret - 8;
        (module, code) = caller;
    }
    FrameInfo::of_run(places)
}

/// The module and the code of the instance whose context is `cx`, if there is one.
fn code_of(inner: &StoreInner, cx: *mut Cx) -> Option<(Module, Arc<CodeSet>)> {
    inner
        .instances
        .iter()
        .find(|instance| instance.cx.as_ptr() == cx)
        .map(|instance| (instance.module.clone(), Arc::clone(instance.cx.code())))
}
