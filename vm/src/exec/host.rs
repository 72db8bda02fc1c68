//! Host functions: the record guests call, and the way back to typed Rust.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use super::context::{Cx, FuncRec, FuncRef, Rt};
use super::machine::Pending;
use super::{entry, exit, stubs};
use crate::error::{Error, PermissionError};
use crate::runtime::domain;
use crate::runtime::limits::ResourceLimiter;
use crate::runtime::permissions::{Capabilities, Capability};
use crate::runtime::store::{Caller, InstanceId, StoreData, StoreInner};
use crate::types::{DefType, FuncType, TypeRegistry};

/// The closure of a host function, shared by all stores it is linked into.
pub struct HostDef {
    /// Its type.
    pub(crate) ty: FuncType,
    /// Reads its parameters from the call's slots and writes its results there.
    pub(crate) call: HostClosure,
    /// What its callers must be allowed.
    pub(crate) need: Option<Need>,
}

/// What callers of a host function must be allowed.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) capability: Capability,
    /// What a refused call gives; an error if nothing.
    pub(crate) refusal: Option<u64>,
    /// The function, for messages.
    pub(crate) function: Box<str>,
}

impl HostDef {
    /// Whether the call chain of the running store may call the function, whose
    /// domains' [`Rt::granted`] are `known`. If it may not, the result may be there
    /// instead.
    ///
    /// # Errors
    /// If it may not, and the call has to fail.
    #[inline]
    fn admit(&self, inner: &StoreInner, known: (u32, u64), slots: &mut [u64]) -> Result<bool, Error> {
        let Some(need) = &self.need else { return Ok(true) };
        let bit = Capabilities::from(need.capability).to_bits();
        let (granted, at) = known;
        if granted & bit != 0 && at == domain::drops() {
            return Ok(true);
        }
        if at != domain::drops() {
            inner.find_granted();
        }
        need.ask(inner, slots)
    }
}

impl Need {
    /// See [`HostDef::admit`].
    #[cold]
    #[inline(never)]
    fn ask(&self, inner: &StoreInner, slots: &mut [u64]) -> Result<bool, Error> {
        let Some(domain) = inner.lacking(self.capability) else {
            return Ok(true);
        };
        match (self.refusal, slots.first_mut()) {
            (Some(value), Some(slot)) => {
                *slot = value;
                Ok(false)
            }
            _ => Err(PermissionError::Refused {
                domain,
                function: self.function.clone(),
                capability: self.capability,
            }
            .into()),
        }
    }
}

/// What a host function runs.
pub(crate) type HostClosure = Box<dyn Fn(HostCall<'_>) -> Result<(), Error> + Send + Sync>;

impl std::fmt::Debug for HostDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostDef({})", self.ty)
    }
}

/// One call of a host function.
pub(crate) struct HostCall<'a> {
    /// `*mut StoreData<T>` of the running store.
    store: *mut (),
    caller: Option<InstanceId>,
    slots: &'a mut [u64],
}

impl<'a> HostCall<'a> {
    /// The caller, and the slots: parameters on entry, results on return.
    ///
    /// The closure must have been made for stores of `T`; `Func::wrap` and
    /// `Linker<T>` see to that by their types.
    pub(crate) fn parts<T>(self) -> (Caller<'a, T>, &'a mut [u64]) {
        // SAFETY: the pointer comes from the `&mut StoreData<T>` of the entry
        // that is running; that borrow is not used until this call returns, and
        // the closure is called by stores of its own `T` only.
        let store = unsafe { &mut *self.store.cast::<StoreData<T>>() };
        (Caller::new(store, self.caller), self.slots)
    }
}

/// A host function in a store.
#[repr(C)]
pub(crate) struct HostFunc {
    /// Lets the function stand where callers expect a context.
    head: Cx,
    rec: FuncRec,
    code: [u64; 4],
    def: Arc<HostDef>,
    /// Keeps the identity of its type.
    _ty: DefType,
}

impl std::fmt::Debug for HostFunc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostFunc")
            .field("def", &self.def)
            .finish_non_exhaustive()
    }
}

impl HostFunc {
    /// The function `def` in the store with runtime block `rt`, whose engine has
    /// these types.
    pub(crate) fn new(def: Arc<HostDef>, types: &TypeRegistry, rt: ptr::NonNull<Rt>) -> Box<Self> {
        let slots = def.ty.slots();
        let ty = def.ty.define(types);
        let head = Cx {
            mem0_base: ptr::null_mut(),
            rt: rt.as_ptr(),
            code: ptr::null(),
            instance: u32::MAX,
            num_imported_funcs: 0,
            domain: u32::MAX,
            own_recs: ptr::null(),
            heap: ptr::null_mut(),
        };
        let rec = FuncRec {
            ip: Cell::new(ptr::null()),
            cx: ptr::null_mut(),
            ty: ty.id(),
            func: 0,
            slots,
            canonical: Cell::new(ptr::null()),
            info: ty.info(),
        };
        let code = stubs::host_call_code(slots);
        let mut this = Box::new(Self {
            head,
            rec,
            code,
            def,
            _ty: ty,
        });
        this.rec.cx = &raw mut this.head;
        this.rec.ip.set(this.code.as_ptr().cast());
        this.rec.canonical.set(&raw const this.rec);
        this
    }

    /// A reference to it.
    pub(crate) fn func_ref(&self) -> FuncRef {
        FuncRef::new(&self.rec)
    }

    /// Where it returns to if it has been tail-called, and the slots before its frame's
    /// header.
    pub(crate) fn tail_return(&self) -> (u64, usize) {
        let at = self.code.as_ptr().addr() + stubs::HOST_RETURN;
        (at as u64, self.rec.slots as usize)
    }
}

/// Calls host function `func` from the host itself.
///
/// # Safety
/// `store` and `inner` are the whole and the inner part of a store that the
/// caller has borrowed exclusively and does not use during the call.
pub(crate) unsafe fn call_direct(
    func: FuncRef,
    store: *mut (),
    inner: *mut StoreInner,
    slots: &mut [u64],
) -> Result<(), Error> {
    debug_assert!(func.is_host());
    // SAFETY: a host function's record leads to its head, the first field of
    // the function.
    let host = unsafe { &*func.rec().cx.cast::<HostFunc>() };
    // SAFETY: the caller's promise.
    if !unsafe { host.def.admit(&*inner, Rt::granted(host.head.rt), slots) }? {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    let scope = unsafe { &mut (*inner).roots }.enter();
    let result = (host.def.call)(HostCall {
        store,
        caller: None,
        slots,
    });
    // SAFETY: the caller's promise.
    unsafe { &mut (*inner).roots }.exit(scope);
    result
}

/// The definition of a host function that calls `func` as if nothing had called
/// it. It belongs in the same store.
pub(crate) fn gate(ty: FuncType, func: FuncRef) -> HostDef {
    HostDef {
        ty,
        // SAFETY: the call's store is borrowed exclusively by the entry that is
        // running and not used meanwhile; the function is one of that store's,
        // since the definition is used for no other.
        call: Box::new(move |call| unsafe { entry::call_as_gate(call.store, func, call.slots) }),
        need: None,
    }
}

/// Finds the functions of an instance's imports when they are first called.
#[derive(Clone)]
pub(crate) struct Binder(Arc<Find>);

/// What a binder asks.
type Find = dyn Fn(HostCall<'_>) -> Result<(), Error> + Send + Sync;

impl std::fmt::Debug for Binder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Binder")
    }
}

impl Binder {
    /// One that asks `find`, whose call has one slot: it reads the index of an
    /// imported function there, and leaves a reference to a function of the store.
    pub(crate) fn new(find: impl Fn(HostCall<'_>) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// The function for an imported function, by its index.
    ///
    /// # Safety
    /// `store` is the whole of the store that the binder was made for; the running
    /// entry has it borrowed and does not use it meanwhile.
    pub(crate) unsafe fn find(&self, store: *mut (), import: usize) -> Result<FuncRef, Error> {
        let mut slots = [import as u64];
        (self.0)(HostCall {
            store,
            caller: None,
            slots: &mut slots,
        })?;
        Ok(FuncRef::from_slot(slots[0]).expect("a binder leaves a reference"))
    }
}

/// Calls the host function whose head is `cx` for the guest; the frame's
/// slots begin at `fp` and its header stands `slots` above. The value is an
/// exit code, 0 to go on.
///
/// # Safety
/// Called by the host-call handler with the registers of a guest's call.
#[inline(never)]
pub(crate) unsafe fn call_from_guest(cx: *mut Cx, fp: *mut u64, slots: usize) -> u64 {
    // SAFETY: the record that led here belongs to a live host function.
    let host = unsafe { &*cx.cast::<HostFunc>() };
    // SAFETY: calls that may leave their instance save its context there.
    let caller = unsafe { fp.add(slots + 1).cast::<*mut Cx>().read() };
    // SAFETY: a saved context is live.
    let caller = unsafe { (*caller).instance };
    let rt = host.head.rt;
    // SAFETY: the translator reserves the frame's slots and header in the
    // caller's frame; nothing else refers to them while the call runs.
    let frame = unsafe { std::slice::from_raw_parts_mut(fp, slots) };
    let call = |store, inner: *mut StoreInner| {
        // SAFETY: the entry's borrow of the store is not in use meanwhile.
        if !unsafe { host.def.admit(&*inner, Rt::granted(rt), frame) }? {
            return Ok(());
        }
        (host.def.call)(HostCall {
            store,
            caller: Some(InstanceId::new(caller)),
            slots: frame,
        })
    };
    // SAFETY: the registers of a guest's call, and its frame's end.
    unsafe { outside(rt, fp.add(slots + 2), call) }
}

/// Does something for the guest that is no guest's code, with both parts of the
/// running store. The value stack is in use up to `next_frame`. The value is an
/// exit code, 0 to go on.
///
/// # Safety
/// `rt` is the block of the store whose guest is running and has just left for
/// this; the two words before `next_frame` are a header with the guest's context.
#[inline(always)]
pub(crate) unsafe fn outside(
    rt: *mut Rt,
    next_frame: *mut u64,
    work: impl FnOnce(*mut (), *mut StoreInner) -> Result<(), Error>,
) -> u64 {
    // SAFETY: the store's runtime block, owned by the running thread.
    let (store, inner, act, before) = unsafe { ((*rt).store, (*rt).inner, (*rt).act, (*rt).next_frame) };
    // SAFETY: as above.
    unsafe { (*rt).next_frame = next_frame };
    // SAFETY: the running activation outlives the run.
    unsafe { (*act).set_in_guest(false) };
    // SAFETY: the entry's borrow of the store is not in use meanwhile.
    let scope = unsafe { &mut (*inner).roots }.enter();
    let outcome = catch_unwind(AssertUnwindSafe(|| work(store, inner)));
    // SAFETY: as above.
    unsafe { &mut (*inner).roots }.exit(scope);
    // SAFETY: as above.
    unsafe { (*act).set_in_guest(true) };
    // SAFETY: as above.
    unsafe { (*rt).next_frame = before };
    // Whatever the outcome, the stack is to be accessible again.
    // SAFETY: the control block lives as long as the store.
    let interrupted = unsafe { (*(*rt).control).take_pending() };
    let mut code = exit::HOST;
    let pending = match outcome {
        Ok(Ok(())) => return if interrupted { exit::INTERRUPT } else { exit::DONE },
        Ok(Err(error)) => {
            // SAFETY: as below.
            if unsafe { &*inner }.has_thrown(&error) {
                if interrupted {
                    return exit::INTERRUPT;
                }
                code = exit::THROWN;
            }
            Pending::Error(error)
        }
        Err(payload) => Pending::Panic(payload),
    };
    // SAFETY: `inner` comes from the running entry, whose borrow of the store
    // is not in use while the guest runs.
    unsafe { (*inner).machine.pending = Some(pending) };
    code
}

/// Finds the limiter of a store whose type is known only as a pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimiterOf(unsafe fn(*mut ()) -> Option<&'static mut dyn ResourceLimiter>);

impl LimiterOf {
    /// For stores of `T`.
    pub(crate) fn new<T: 'static>() -> Self {
        /// # Safety
        /// `store` is a live `StoreData<T>` that the caller may use exclusively.
        unsafe fn limiter<T: 'static>(store: *mut ()) -> Option<&'static mut dyn ResourceLimiter> {
            // SAFETY: the caller's promise; `get` shortens the lifetime.
            let store = unsafe { &mut *store.cast::<StoreData<T>>() };
            store.limiter()
        }
        Self(limiter::<T>)
    }

    /// The limiter of the store at `store`, which must be the whole of the
    /// store this was made for, borrowed exclusively by the caller or by the
    /// entry that is running.
    pub(crate) fn get<'s>(self, store: *mut ()) -> Option<&'s mut dyn ResourceLimiter> {
        // SAFETY: the caller's promise above, kept by `runtime::store`, which
        // makes both the pointer and this value for the same `T`.
        unsafe { (self.0)(store) }.map(|limiter| limiter as &'s mut dyn ResourceLimiter)
    }
}

// SAFETY: a part of a store, which moves between threads as a whole.
unsafe impl Send for HostFunc {}
// SAFETY: shared references only read.
unsafe impl Sync for HostFunc {}
