//! The calling guest: its memory, and what went wrong.

use std::fmt::Display;

use orcavm_wasi::Errno;
use vm::{Access, Error, LimitError, Memory, PermissionError, RegionError};

use crate::SandboxCtx;
use crate::ctx::Full;
use crate::host::Host;
use crate::trampoline::memory_of;

/// What a child's function gives where the child trapped.
pub(crate) const TRAPPED: i32 = -1000;
/// What it gives where the child exited.
pub(crate) const EXITED: i32 = -1001;

/// The longest name, in bytes.
const LONGEST_NAME: u32 = 4096;

/// The longest message, in bytes.
pub(crate) const LONGEST_MESSAGE: usize = 16 << 10;

/// Why a function gives a negative number.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Refusal {
    /// An error number, and what it is about.
    pub(crate) fn new(errno: Errno, message: impl Display) -> Self {
        Self {
            code: -i32::from(errno.number()),
            message: message.to_string(),
        }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::new(errno, errno.meaning())
    }
}

impl From<RegionError> for Refusal {
    fn from(error: RegionError) -> Self {
        let errno = match &error {
            RegionError::Occupied { .. } => Errno::Exist,
            RegionError::ReadOnly => Errno::Acces,
            RegionError::TooMany { .. } | RegionError::System { .. } => Errno::Nomem,
            RegionError::MayShrink | RegionError::Unsupported { .. } => Errno::Notsup,
            _ => Errno::Inval,
        };
        Self::new(errno, error)
    }
}

impl From<Error> for Refusal {
    /// What a guest is told of an error that is not its own.
    fn from(error: Error) -> Self {
        let error = match error {
            Error::Region(error) => return error.into(),
            other => other,
        };
        let errno = match &error {
            Error::Permission(PermissionError::Quota(_)) => Errno::Nomem,
            Error::Permission(_) => Errno::NotCapable,
            Error::Limit(LimitError::NoFuel | LimitError::NoDepth) => Errno::Notsup,
            Error::Limit(_) | Error::Resource(_) => Errno::Nomem,
            Error::Load(_) => Errno::Noexec,
            Error::Link(_) => Errno::Nolink,
            Error::Memory(_) => Errno::Fault,
            Error::Type(_) => Errno::Inval,
            Error::Trap(_) | Error::Exception(_) => {
                return Self {
                    code: TRAPPED,
                    message: error.to_string(),
                };
            }
            _ if error.downcast_ref::<Full>().is_some() => Errno::Nfile,
            _ => match error.downcast_ref::<Error>() {
                Some(Error::Permission(_)) => Errno::NotCapable,
                _ => Errno::Io,
            },
        };
        Self::new(errno, error)
    }
}

/// The guest that called a host function.
pub(crate) struct Guest<'a> {
    pub(crate) host: &'a mut dyn Host,
    /// Its memory, if it has one, once that was asked for: many functions do without.
    memory: Option<Option<Memory>>,
}

impl<'a> Guest<'a> {
    pub(crate) fn new(host: &'a mut dyn Host) -> Self {
        Self { host, memory: None }
    }

    /// What it has.
    pub(crate) fn ctx(&mut self) -> &mut SandboxCtx {
        self.host.ctx()
    }

    /// Its memory.
    pub(crate) fn memory(&mut self) -> Result<Memory, Refusal> {
        let missing = "the module neither imports a memory nor exports its own as \"memory\"";
        let memory = *self.memory.get_or_insert_with(|| memory_of(self.host));
        memory.ok_or_else(|| Refusal::new(Errno::Fault, missing))
    }

    /// Bytes of its memory.
    pub(crate) fn read(&mut self, at: u32, len: u32) -> Result<Vec<u8>, Refusal> {
        // Room is made for what is there only.
        let memory = self.check(at, len, Access::Read)?;
        let mut bytes = vec![0; len as usize];
        if len > 0 {
            let read = self.host.read(memory, at as usize, &mut bytes);
            read.map_err(|_| Refusal::from(Errno::Fault))?;
        }
        Ok(bytes)
    }

    /// Its memory, if bytes there may be accessed so. No bytes may be anywhere.
    pub(crate) fn check(&mut self, at: u32, len: u32, access: Access) -> Result<Memory, Refusal> {
        let memory = self.memory()?;
        if len > 0 {
            let checked = self.host.check(memory, at as usize, len as usize, access);
            checked.map_err(|_| Refusal::from(Errno::Fault))?;
        }
        Ok(memory)
    }

    /// A name in its memory.
    pub(crate) fn name(&mut self, at: u32, len: u32) -> Result<String, Refusal> {
        if len > LONGEST_NAME {
            return Err(Errno::NameTooLong.into());
        }
        String::from_utf8(self.read(at, len)?).map_err(|_| Errno::Ilseq.into())
    }

    /// Writes to its memory.
    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Refusal> {
        let memory = self.memory()?;
        let written = self.host.write(memory, at as usize, bytes);
        written.map_err(|_| Errno::Fault.into())
    }

    /// Writes as much of a text as there is room for; its length.
    pub(crate) fn write_text(&mut self, at: u32, room: u32, text: &str) -> Result<i32, Refusal> {
        let bytes = text.as_bytes();
        let shown = bytes.get(..room as usize).unwrap_or(bytes);
        self.write(at, shown)?;
        i32::try_from(bytes.len()).map_err(|_| Errno::Overflow.into())
    }

    /// The number for the guest; it can ask for the message.
    pub(crate) fn answer<N: From<i32>>(&mut self, result: Result<N, Refusal>) -> N {
        result.unwrap_or_else(|refusal| {
            self.ctx().note(refusal.message);
            N::from(refusal.code)
        })
    }
}
