//! A guest's WASI state: [`WasiCtx`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::builder::WasiCtxBuilder;
use crate::interrupt::Interrupt;
use crate::table::FdTable;

/// How many bytes move between guest and host at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What one guest program sees of the host: arguments, environment, and file
/// descriptors. Nothing that was not put in is reachable from it.
///
/// [`WasiCtx::default`] is empty: no argument, no variable, no descriptor,
/// not even standard streams.
///
/// ```
/// use orcavm_wasi::{WasiCtxBuilder, pipe::MemoryOutput};
///
/// let output = MemoryOutput::new(1 << 20);
/// let ctx = WasiCtxBuilder::new()
///     .arg("program")
///     .env("LANG", "C")
///     .stdout(output.clone())
///     .build()?;
/// # drop(ctx);
/// # Ok::<(), orcavm_wasi::BuildError>(())
/// ```
#[derive(Debug, Default)]
pub struct WasiCtx {
    /// The arguments, without the ending zero bytes.
    pub(crate) args: Vec<Vec<u8>>,
    /// The environment, `NAME=value`, without the ending zero bytes.
    pub(crate) env: Vec<Vec<u8>>,
    /// The open descriptors.
    pub(crate) fds: FdTable,
    /// What ends the guest's waiting.
    pub(crate) interrupt: Interrupt,
    /// Bytes on their way, [`CHUNK`] long once used.
    scratch: Vec<u8>,
}

impl WasiCtx {
    /// A context with these contents.
    pub(crate) fn new(args: Vec<Vec<u8>>, env: Vec<Vec<u8>>, fds: FdTable, interrupt: Interrupt) -> WasiCtx {
        WasiCtx {
            args,
            env,
            fds,
            interrupt,
            scratch: Vec::new(),
        }
    }

    /// A builder, the same as [`WasiCtxBuilder::new`].
    #[must_use]
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }

    /// From now on, a guest that waits (for input, for a moment) gives up
    /// within 20 ms of `flag` being set, and its call ends with
    /// `Trap::Interrupt`. The flag stays as it is.
    pub fn set_interrupt_flag(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = Interrupt(Some(flag));
    }

    /// Takes the buffer for bytes on their way, [`CHUNK`] long; give it back
    /// with [`WasiCtx::put_scratch`].
    pub(crate) fn take_scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(CHUNK, 0);
        scratch
    }

    /// Gives the buffer back.
    pub(crate) fn put_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }
}
