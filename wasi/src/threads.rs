//! Threads of a program: wasi-threads (`wasi` `thread-spawn`).
//!
//! Each thread is an instance of the program's module in a store of its own, on a
//! thread of the host; they share the memories that the module imports as shared ones,
//! and the WASI state. Whichever thread exits first, traps, or is the first thread and
//! returns, ends the program: all others are interrupted.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use vm::{
    AsContextMut, Caller, Capability, Charge, Domain, Error, Extern, ExternType, InterruptGroup, Linker, Memory,
    Module, Requirement, SharedMemory, Store, TypedFunc, Val,
};

use crate::errno::Errno;

/// The import module of wasi-threads.
const MODULE: &str = "wasi";
/// What a module imports to start threads.
const SPAWN: &str = "thread-spawn";
/// What it exports, to be called in a new thread: with the thread's number, and the
/// argument of `thread-spawn`.
const START: &str = "wasi_thread_start";
/// The largest number of a thread.
const MOST_TID: u32 = (1 << 29) - 1;
/// Threads besides the first that a program has at once, unless it is said otherwise.
const DEFAULT_LIMIT: usize = 64;

/// Why a program cannot have threads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a program with threads imports {module:?} {name:?} of a store: each thread has one of its own, and only shared \
     memories are in all of them"
)]
pub struct UnsharedImport {
    module: Box<str>,
    name: Box<str>,
}

/// The threads of a program that a module is, besides its first. Clones are the same.
///
/// ```
/// use orcavm_wasi::threads::{self, Threads};
/// use orcavm_wasi::{WasiCtx, WasiCtxBuilder};
/// use vm::{Engine, Error, Linker, Module, Store};
///
/// struct State {
///     wasi: WasiCtx,
///     threads: Option<Threads<State>>,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "env" "memory" (memory 1 1 shared))
///         (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
///         (func (export "wasi_thread_start") (param $tid i32) (param $argument i32)
///             (i32.atomic.store (i32.const 0) (local.get $argument))
///             (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))
///         (func (export "_start")
///             (drop (call $spawn (i32.const 7)))
///             (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))"#,
/// )?;
/// let mut linker = Linker::new(&engine);
/// threads::add_to_linker(&mut linker, |state: &mut State| state.threads.clone())?;
/// let mut store = Store::new(&engine, State { wasi: WasiCtxBuilder::new().build()?, threads: None });
/// let threads = Threads::new(&mut linker, &mut store, &module, |caller, new| {
///     let state = caller.data_mut();
///     let (wasi, threads) = (state.wasi.share(new.ended), state.threads.clone());
///     Store::try_new(caller.engine(), State { wasi, threads })
/// })?;
/// store.data_mut().threads = Some(threads.clone());
///
/// let program = linker.instantiate(&mut store, &module)?;
/// let result = program.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ());
/// threads.finish(result)?;
/// # Ok(())
/// # }
/// ```
pub struct Threads<T: 'static>(Arc<Program<T>>);

/// A thread that is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewThread<'a> {
    /// The domain that it is to belong to: it has what all on the call chain of
    /// `thread-spawn` are allowed, and comes from the caller's.
    pub domain: &'a Domain,
    /// Set when the program ends: what [`WasiCtx::share`](crate::WasiCtx::share) takes.
    pub ended: &'a Arc<AtomicBool>,
}

/// Makes the store of a new thread.
type Fork<T> = dyn Fn(&mut Caller<'_, T>, &NewThread<'_>) -> Result<Store<T>, Error> + Send + Sync;

/// The function that a thread runs, of its number and argument.
type StartFunc = TypedFunc<(u32, u32), ()>;

struct Program<T: 'static> {
    module: Module,
    linker: Linker<T>,
    /// Of the module's imports those that are shared memories, with their positions.
    memories: Vec<(usize, SharedMemory)>,
    fork: Box<Fork<T>>,
    /// All threads' stores.
    group: InterruptGroup,
    /// Ends what threads wait for in WASI functions.
    ended: Arc<AtomicBool>,
    state: Mutex<State>,
    /// A thread has gone.
    gone: Condvar,
}

struct State {
    limit: usize,
    /// The numbers of the threads that there are, besides the first.
    live: BTreeSet<u32>,
    /// The number that was given last.
    last: u32,
    /// What ended the program.
    end: Option<End>,
}

/// What ended a program.
enum End {
    /// The first thread has ended.
    First,
    /// Another one exited, or trapped.
    Error(Error),
    /// A host function panicked.
    Panic(Box<dyn Any + Send>),
}

/// A thread that there is, until this is dropped.
struct Running<T: Send + 'static> {
    threads: Threads<T>,
    tid: u32,
}

impl<T: Send> Drop for Running<T> {
    fn drop(&mut self) {
        self.threads.lock().live.remove(&self.tid);
        self.threads.0.gone.notify_all();
    }
}

impl<T> Clone for Threads<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> std::fmt::Debug for Threads<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

impl<T> Threads<T> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Threads<T> {
    /// For a program whose first thread is to be an instance of `module` in `store`.
    ///
    /// Shared memories that the module imports and `linker` does not define are made in
    /// the store, and defined. All else that it imports must be host functions.
    ///
    /// `fork` makes the store of a new thread, called from the one that starts it: its
    /// data shares what threads of a program have in common, such as the [WASI
    /// state](crate::WasiCtx::share). The store's first domain is set to the thread's after
    /// that.
    ///
    /// # Errors
    ///
    /// What making memories meets; [`UnsharedImport`] (as a host error) if the module
    /// imports what is of a store.
    pub fn new(
        linker: &mut Linker<T>,
        mut store: impl AsContextMut<Data = T>,
        module: &Module,
        fork: impl Fn(&mut Caller<'_, T>, &NewThread<'_>) -> Result<Store<T>, Error> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let group = InterruptGroup::new();
        group.add(&store.as_context_mut().interrupt_handle());
        let mut memories = Vec::new();
        for (position, import) in module.imports().enumerate() {
            let (from, name) = (import.module(), import.name());
            if let ExternType::Memory(ty) = import.ty()
                && ty.is_shared()
            {
                let memory = match linker.get(&mut store, from, name) {
                    Some(Extern::Memory(memory)) => memory,
                    // Of another kind, as instantiating will say.
                    Some(_) => continue,
                    None => {
                        let memory = Memory::new(&mut store, ty)?;
                        linker.define(&store, from, name, memory)?;
                        memory
                    }
                };
                memories.extend(memory.to_shared(&store).map(|memory| (position, memory)));
            } else if linker.is_of_store(from, name) {
                return Err(Error::host(UnsharedImport {
                    module: from.into(),
                    name: name.into(),
                }));
            }
        }
        Ok(Self(Arc::new(Program {
            module: module.clone(),
            linker: linker.clone(),
            memories,
            fork: Box::new(fork),
            group,
            ended: Arc::default(),
            state: Mutex::new(State {
                limit: DEFAULT_LIMIT,
                live: BTreeSet::new(),
                last: 0,
                end: None,
            }),
            gone: Condvar::new(),
        })))
    }

    /// Lets the program have so many threads at once besides its first: 64 unless this is
    /// called. A domain's quota of threads may allow fewer.
    pub fn limit(&self, threads: usize) {
        self.lock().limit = threads;
    }

    /// How many threads there are besides the first.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().live.len()
    }

    /// Starts a thread that runs `wasi_thread_start` with its number, which it gives, and
    /// `argument`.
    ///
    /// # Errors
    ///
    /// [`Errno::Again`] if there is no room for one more. The other error ends the caller.
    fn spawn(&self, caller: &mut Caller<'_, T>, argument: u32) -> Result<Result<u32, Errno>, Error> {
        let Some((running, charge)) = self.begin(caller) else {
            return Ok(Err(Errno::Again));
        };
        let tid = running.tid;
        let (mut store, start) = match self.make(caller) {
            Ok(made) => made,
            Err(Error::Limit(_) | Error::Permission(_) | Error::Resource(_)) => return Ok(Err(Errno::Again)),
            Err(error) => return Err(error),
        };
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let result = start.call(&mut store, (tid, argument));
                drop(store);
                result
            }));
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => running.threads.end(End::Error(error)),
                Err(payload) => running.threads.end(End::Panic(payload)),
            }
            drop((running, charge));
        };
        match thread::Builder::new().name(format!("guest {tid}")).spawn(run) {
            Ok(_) => Ok(Ok(tid)),
            Err(_) => Ok(Err(Errno::Again)),
        }
    }

    /// A number for one more thread, if there may be one.
    fn begin(&self, caller: &Caller<'_, T>) -> Option<(Running<T>, Charge)> {
        let charge = caller.domain()?.charge_thread().ok()?;
        let mut state = self.lock();
        if state.end.is_some() || state.live.len() >= state.limit.min(MOST_TID as usize) {
            return None;
        }
        let mut tid = state.last;
        loop {
            tid = tid % MOST_TID + 1;
            if state.live.insert(tid) {
                break;
            }
        }
        state.last = tid;
        let threads = self.clone();
        Some((Running { threads, tid }, charge))
    }

    /// The store and the function of a new thread.
    fn make(&self, caller: &mut Caller<'_, T>) -> Result<(Store<T>, StartFunc), Error> {
        let program = &self.0;
        let permissions = caller.permissions();
        let parent = caller.domain().cloned().unwrap_or_default();
        let domain = parent.child(parent.name(), permissions);
        let new = NewThread {
            domain: &domain,
            ended: &program.ended,
        };
        let mut store = (program.fork)(caller, &new)?;
        store.set_domain(domain)?;
        program.group.add(&store.interrupt_handle());
        let mut imports = Vec::new();
        for (position, import) in program.module.imports().enumerate() {
            let shared = program.memories.iter().find(|(at, _)| *at == position);
            let given = match shared {
                Some((_, memory)) => Some(memory.to_memory(&mut store)?.into()),
                None => program.linker.get(&mut store, import.module(), import.name()),
            };
            // The first instance has all imports, or there would be no caller.
            imports.extend(given);
        }
        let instance = vm::Instance::new(&mut store, &program.module, &imports)?;
        let start = instance.get_typed_func(&mut store, START)?;
        Ok((store, start))
    }

    /// Ends the program, unless it has ended.
    fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.group.interrupt();
    }

    /// Ends the program after its first thread, whose call had this result, and waits
    /// until all other threads are gone: the result, or if another thread has ended the
    /// program before, its error. The first thread's store stays interrupted.
    ///
    /// A thread in a host function is gone when that returns. WASI functions do so within
    /// 20 ms, except reads of an embedder's own stream that take longer.
    ///
    /// # Errors
    ///
    /// `result`'s, or the one that another thread ended with: an
    /// [`I32Exit`](crate::I32Exit), or a trap.
    ///
    /// # Panics
    ///
    /// If a host function panicked in another thread, with what that panicked with.
    pub fn finish<R>(&self, result: Result<R, Error>) -> Result<R, Error> {
        self.end(End::First);
        let mut state = self.lock();
        while !state.live.is_empty() {
            state = self.0.gone.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.end.replace(End::First) {
            None | Some(End::First) => result,
            Some(End::Error(error)) => Err(error),
            Some(End::Panic(payload)) => {
                drop(state);
                resume_unwind(payload)
            }
        }
    }
}

/// Defines `wasi` `thread-spawn` in `linker`. `get` finds the program's threads in the
/// data of the store of one of them; where there are none the function gives a negative
/// number, as where the permission `threads` is missing or there are too many.
///
/// # Errors
///
/// If the name is defined already.
pub fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> Option<Threads<T>> + Send + Sync + 'static,
) -> Result<(), Error> {
    let negative = |errno: Errno| -i32::from(errno.number());
    let need = Requirement::new(Capability::Threads).or_return(Val::I32(negative(Errno::NotCapable)));
    let spawn = move |mut caller: Caller<'_, T>, argument: u32| -> Result<i32, Error> {
        let Some(threads) = get(caller.data_mut()) else {
            return Ok(negative(Errno::Nosys));
        };
        match threads.spawn(&mut caller, argument)? {
            Ok(tid) => Ok(tid.cast_signed()),
            Err(errno) => Ok(negative(errno)),
        }
    };
    linker.func_wrap_requiring(MODULE, SPAWN, need, spawn)?;
    Ok(())
}

/// Whether a module starts threads.
#[must_use]
pub fn has_threads(module: &Module) -> bool {
    let mut imports = module.imports();
    imports.any(|import| import.module() == MODULE && import.name() == SPAWN)
}
