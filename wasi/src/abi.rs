//! What differs between the two previews of WASI: [`Abi`].
//!
//! The functions are written once, over [`Call`]; where a number or a layout
//! differs they ask the `Abi` of the module the guest imported from. The two
//! values live in `preview0.rs` and `preview1.rs`.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::memory::{GuestAddr, GuestMemory};
use crate::types::{Awaited, Fd, FileStat, Subscription, Whence};

/// One preview's module name and the records that are its own.
#[derive(Debug)]
pub struct Abi {
    /// The import module's name.
    pub module: &'static str,
    /// The meaning of a number of `whence`, if it has one.
    pub whence: fn(u32) -> Option<Whence>,
    /// The bytes of a `filestat`: how many of the 64 count, and they.
    pub filestat: fn(&FileStat) -> (usize, [u8; 64]),
    /// The size of a `subscription` in bytes, at most 56.
    pub subscription_size: u32,
    /// Where a clock subscription's id stands in the record; timeout and
    /// flags follow 8 and 24 bytes later.
    pub clock_offset: u32,
}

impl Abi {
    /// Reads the subscription at `addr`.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] outside the memory; [`Errno::Inval`] for an unknown
    /// event type or clock flag.
    pub(crate) fn subscription(&self, memory: &dyn GuestMemory, addr: GuestAddr) -> Result<Subscription, Errno> {
        // All layouts: userdata u64 at 0, event type u8 at 8, then the
        // contents from 16 on.
        let userdata = u64::from_le_bytes(memory.read_array(addr)?);
        let [event_type] = memory.read_array(addr.plus(8)?)?;
        let event = match event_type {
            0 => {
                let clock = addr.plus(self.clock_offset)?;
                let id = u32::from_le_bytes(memory.read_array(clock)?);
                let timeout = u64::from_le_bytes(memory.read_array(clock.plus(8)?)?);
                let flags = u16::from_le_bytes(memory.read_array(clock.plus(24)?)?);
                let absolute = match flags {
                    0 => false,
                    1 => true,
                    _ => return Err(Errno::Inval),
                };
                Awaited::Clock { id, timeout, absolute }
            }
            1 | 2 => {
                let fd = Fd(u32::from_le_bytes(memory.read_array(addr.plus(16)?)?));
                if event_type == 1 {
                    Awaited::Read(fd)
                } else {
                    Awaited::Write(fd)
                }
            }
            _ => return Err(Errno::Inval),
        };
        Ok(Subscription { userdata, event })
    }
}

/// One call of a WASI function: whose state, whose memory, which preview.
///
/// Each function of the interface is a method of this type, with the
/// interface's name and parameters; where they stand:
///
/// | file         | functions                                                |
/// |--------------|----------------------------------------------------------|
/// | `process.rs` | `args_*`, `environ_*`, `random_get`, `proc_*`, `sched_*` |
/// | `clock.rs`   | `clock_*`                                                |
/// | `io.rs`      | `fd_read` … `fd_pwrite`, `fd_seek`, `fd_tell`            |
/// | `file.rs`    | the other `fd_*` of files                                |
/// | `dir.rs`     | `fd_prestat_*`, `fd_readdir`                             |
/// | `path.rs`    | `path_*`                                                 |
/// | `poll.rs`    | `poll_oneoff`                                            |
/// | `socket.rs`  | `sock_*`                                                 |
///
/// # Errors
///
/// Every method fails with [`Failure::Errno`](crate::Failure::Errno) and the
/// code the interface gives for the case: `BADF` for a descriptor that is not
/// open, `NOTCAPABLE` for one without the right, `FAULT` for an address
/// outside the memory, `INVAL` for a number without a meaning, or what the
/// host said.
pub struct Call<'a> {
    /// The guest's state.
    pub ctx: &'a mut WasiCtx,
    /// The guest's memory.
    pub memory: &'a mut dyn GuestMemory,
    /// The preview the guest imported the function from.
    pub abi: &'static Abi,
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("module", &self.abi.module)
            .finish_non_exhaustive()
    }
}
