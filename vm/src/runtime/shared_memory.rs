//! Memories that threads share (threads proposal).

use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

use super::context::{AsContext, AsContextMut};
use super::engine::Engine;
use super::externs::{Memory, shared_inst};
use crate::error::{Error, LimitError, MemoryAccessError, TypeError};
use crate::exec::memory::{MemoryInst, SharedInst};
use crate::exec::wait::{self, Outcome};
use crate::sys::Bell;
use crate::trap::Trap;
use crate::types::MemoryType;

/// How a wait has ended, with the numbers that guests see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitResult {
    /// Somebody notified the thread.
    Ok = 0,
    /// There was another value than the expected one, so it did not wait.
    Mismatch = 1,
    /// The time was over.
    TimedOut = 2,
}

/// A memory that several stores of an engine, on several threads, use at the same
/// time.
///
/// A clone is the same memory. [`SharedMemory::to_memory`] gives the handle by which a
/// store has it: that is what instances import and export, and a module that defines a
/// shared memory makes one ([`Memory::to_shared`]). It lives until nobody has it any
/// more.
///
/// Others may write its bytes at any time, so there are no references to them: they
/// are copied, and those that are written meanwhile may be old or new. What must not
/// be torn is for [atomics](SharedMemory::atomics) and for locks of the guests'.
///
/// ```
/// use vm::{Engine, Instance, MemoryType, Module, SharedMemory, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "env" "memory" (memory 1 1 shared))
///         (func (export "add") (param i32)
///             (drop (i32.atomic.rmw.add (i32.const 0) (local.get 0)))))"#,
/// )?;
/// let memory = SharedMemory::new(&engine, MemoryType::builder().min(1).max(Some(1)).shared(true).build()?)?;
/// std::thread::scope(|scope| {
///     for n in 1..=4 {
///         let (engine, module, memory) = (&engine, &module, &memory);
///         scope.spawn(move || -> Result<(), vm::Error> {
///             let mut store = Store::new(engine, ());
///             let imported = memory.to_memory(&mut store)?;
///             let instance = Instance::new(&mut store, module, &[imported.into()])?;
///             instance.get_typed_func::<i32, ()>(&mut store, "add")?.call(&mut store, n)
///         });
///     }
/// });
/// let mut sum = [0; 4];
/// memory.read(0, &mut sum)?;
/// assert_eq!(u32::from_le_bytes(sum), 10);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SharedMemory {
    engine: Engine,
    inst: Arc<SharedInst>,
}

impl SharedMemory {
    /// A memory of the type's minimum size. No store's limits and no domain's quotas
    /// count it, also when it grows.
    ///
    /// # Errors
    /// [`Error::Type`] if the type is not one of shared memories, [`Error::Limit`] if the
    /// system does not allow it.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<Self, Error> {
        if !ty.is_shared() {
            let reason = "threads can only share what is of a shared type";
            return Err(TypeError::InvalidMemory { reason }.into());
        }
        Ok(Self {
            engine: engine.clone(),
            inst: Arc::new(shared_inst(engine, ty)?),
        })
    }

    pub(super) fn of(engine: &Engine, inst: &Arc<SharedInst>) -> Self {
        Self {
            engine: engine.clone(),
            inst: Arc::clone(inst),
        }
    }

    /// The handle by which a store has it, always the same for a store.
    ///
    /// # Errors
    /// [`Error::Limit`] if the store may not have one more memory.
    ///
    /// # Panics
    /// If the store is of another engine.
    pub fn to_memory(&self, mut store: impl AsContextMut) -> Result<Memory, Error> {
        let mut store = store.as_context_mut();
        assert!(
            Engine::same(&self.engine, store.engine()),
            "the memory and the store are of different engines"
        );
        let whole = store.whole();
        let inner = &mut store.0.inner;
        let memory = match inner.find_shared(&self.inst) {
            Some(memory) => memory,
            None => {
                inner.check_more(whole, 1, 0)?;
                inner.add_memory(MemoryInst::shared(Arc::clone(&self.inst)))
            }
        };
        Ok(Memory::handle(inner.id, memory))
    }

    /// Its type.
    pub fn ty(&self) -> MemoryType {
        *self.inst.ty()
    }

    /// Whether the other one is the same memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inst, &other.inst)
    }

    /// Its size, in pages of its page size. It may be larger already.
    pub fn size(&self) -> u64 {
        self.inst.pages()
    }

    /// Its size in bytes. It may be larger already.
    pub fn data_size(&self) -> usize {
        self.inst.size()
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        self.ty().page_size()
    }

    /// Makes it `delta` pages larger, for all that use it; gives its size before.
    ///
    /// # Errors
    /// If its type, the quotas of the domain that it was made in, or the system do not
    /// allow it.
    pub fn grow(&self, delta: u64) -> Result<u64, Error> {
        let pages = self.size().saturating_add(delta);
        let old = self.inst.grow(delta);
        old.ok_or_else(|| LimitError::MemoryUnavailable { pages }.into())
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Errors
    /// If they are not all inside; nothing is copied then.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        self.inst.read(offset, buffer)
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// If there is no room for all; nothing is copied then.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), MemoryAccessError> {
        self.inst.write(offset, bytes)
    }

    /// Makes `len` bytes from `offset` on `value`.
    ///
    /// # Errors
    /// As [`SharedMemory::write`].
    pub fn fill(&self, offset: u64, value: u8, len: usize) -> Result<(), MemoryAccessError> {
        self.inst.fill(offset, value, len)
    }

    /// Its bytes, as many as there are now.
    pub fn atomics(&self) -> &[AtomicU8] {
        self.inst.atomics()
    }

    /// Waits until somebody notifies the thread at `address`, if the 32-bit integer there
    /// is `expected`, and no longer than `timeout` if there is one. Nothing interrupts
    /// it.
    ///
    /// # Errors
    /// [`Trap::HeapMisaligned`] if the address is no multiple of 4,
    /// [`Trap::MemoryOutOfBounds`] if it is not inside.
    pub fn atomic_wait32(&self, address: u64, expected: u32, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, 4, expected.into(), timeout)
    }

    /// The same for a 64-bit integer, whose address is a multiple of 8.
    ///
    /// # Errors
    /// As [`SharedMemory::atomic_wait32`].
    pub fn atomic_wait64(&self, address: u64, expected: u64, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, 8, expected, timeout)
    }

    /// Ends the waiting of up to `count` threads at `address`, guests' and the host's;
    /// how many they were.
    ///
    /// # Errors
    /// As [`SharedMemory::atomic_wait32`].
    pub fn atomic_notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        let at = self.inst.aligned(address, 4)?;
        Ok(wait::notify(self.inst.waiting_place(at), count))
    }

    fn wait(&self, address: u64, width: usize, expected: u64, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        let at = self.inst.aligned(address, width)?;
        let place = self.inst.waiting_place(at);
        let is_expected = || self.inst.load(at, width) == expected;
        match wait::wait(place, timeout, &Arc::<Bell>::default(), is_expected, || false) {
            Outcome::Mismatch => Ok(WaitResult::Mismatch),
            Outcome::TimedOut => Ok(WaitResult::TimedOut),
            Outcome::Notified | Outcome::Interrupted => Ok(WaitResult::Ok),
        }
    }
}

impl Memory {
    /// The memory that other stores can have too, if it is a shared one.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn to_shared(&self, store: impl AsContext) -> Option<SharedMemory> {
        let inner = &store.as_context().0.inner;
        let shared = self.of(inner).shared_inst()?;
        Some(SharedMemory::of(&inner.engine, shared))
    }
}
