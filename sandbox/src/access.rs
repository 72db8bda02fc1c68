//! `orca_access`: the memories of others. A parent has its children's; a child has
//! what its parent has lent it of its own.
//!
//! A module that was not made for that gets at data which stays where it is. What is
//! more than a few bytes is copied, or goes through regions.

use orcavm_wasi::Errno;
use vm::{Access, AsContextMut, Caller, Error, Memory, MemoryAccessError, StoreContextMut, Trap};

use crate::SandboxCtx;
use crate::guest::{Guest, Refusal};
use crate::region::access;

/// The handle that stands for a child's parent.
const PARENT: i32 = -1;
/// Pieces of its memory that a parent can have lent to one child.
const MOST_LENT: usize = 64;
/// Bytes that are copied at once.
const PART: u32 = 64 << 10;

/// A piece of its parent's memory that a child may access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent {
    /// A memory of the parent's.
    pub(crate) memory: Memory,
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) access: Access,
    pub(crate) reach: ReachFn,
}

impl SandboxCtx {
    /// Lets it access bytes of its parent's memory, in place of what it could access
    /// from the same address on.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there are too many pieces.
    pub(crate) fn add_lent(&mut self, lent: Lent) -> Result<(), Errno> {
        self.lent.retain(|piece| piece.start != lent.start);
        if self.lent.len() >= MOST_LENT {
            return Err(Errno::Nfile);
        }
        self.lent.push(lent);
        Ok(())
    }
}

/// What accesses a memory of the parent's, for a child.
pub(crate) type ReachFn = fn(&mut Caller<'_, SandboxCtx>, Memory, u32, &mut Transfer<'_>) -> Result<(), Denied>;

/// See [`ReachFn`]; for parents whose store's data is a `T`.
pub(crate) fn reach<T: 'static>(
    child: &mut Caller<'_, SandboxCtx>,
    memory: Memory,
    at: u32,
    transfer: &mut Transfer<'_>,
) -> Result<(), Denied> {
    let mut parent = child.lender::<T>().ok_or(Errno::Busy)?;
    Ok(transfer.apply(&mut parent, memory, at)?)
}

/// What is to be done with bytes of a memory.
pub(crate) enum Transfer<'a> {
    Check(u32, Access),
    Read(&'a mut [u8]),
    Write(&'a [u8]),
}

impl Transfer<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Check(len, _) => *len as usize,
            Self::Read(bytes) => bytes.len(),
            Self::Write(bytes) => bytes.len(),
        }
    }

    fn access(&self) -> Access {
        match self {
            Self::Check(_, access) => *access,
            Self::Read(_) => Access::Read,
            Self::Write(_) => Access::ReadWrite,
        }
    }

    /// Does it in a memory.
    fn apply<X: 'static>(
        &mut self,
        store: &mut StoreContextMut<'_, X>,
        memory: Memory,
        at: u32,
    ) -> Result<(), MemoryAccessError> {
        match self {
            Self::Check(len, access) => memory.check(&*store, at as usize, *len as usize, *access),
            Self::Read(bytes) => memory.read(&*store, at as usize, bytes),
            Self::Write(bytes) => memory.write(store.as_context_mut(), at as usize, bytes),
        }
    }
}

/// Why an access is not done.
#[derive(Debug)]
pub(crate) enum Denied {
    /// There are no such bytes, for the one who asks.
    Outside,
    ReadOnly,
    /// There is no such memory at all.
    Refused(Refusal),
}

impl From<MemoryAccessError> for Denied {
    fn from(error: MemoryAccessError) -> Self {
        match error {
            MemoryAccessError::ReadOnly => Self::ReadOnly,
            _ => Self::Outside,
        }
    }
}

impl From<Errno> for Denied {
    fn from(errno: Errno) -> Self {
        Self::Refused(errno.into())
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Outside => Errno::Fault.into(),
            Denied::ReadOnly => Self::new(Errno::Acces, "the bytes may only be read"),
            Denied::Refused(refusal) => refusal,
        }
    }
}

/// A load or a store, which has no number for it, cannot be done.
#[derive(Debug)]
struct NoSuchMemory(String);

impl std::fmt::Display for NoSuchMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an access to another module's memory: {}", self.0)
    }
}

impl std::error::Error for NoSuchMemory {}

impl From<Denied> for Error {
    /// What a load and a store end with: what they end with in a module's own memory.
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Outside => Trap::MemoryOutOfBounds.into(),
            Denied::ReadOnly => Trap::ReadOnlyMemory.into(),
            Denied::Refused(refusal) => Self::host(NoSuchMemory(refusal.message)),
        }
    }
}

impl Guest<'_> {
    /// Does something with bytes of another memory.
    fn transfer(&mut self, handle: i32, at: u32, mut transfer: Transfer<'_>) -> Result<(), Denied> {
        if handle == PARENT {
            return self.transfer_with_parent(at, transfer);
        }
        self.in_store_of(handle, |child| {
            let memory = child.data().home.and_then(|home| home.memory);
            let missing = "the child does not export a memory as \"memory\", or is not started";
            let memory = memory.ok_or_else(|| Denied::Refused(Refusal::new(Errno::Fault, missing)))?;
            Ok(transfer.apply(child, memory, at)?)
        })?
    }

    fn transfer_with_parent(&mut self, at: u32, mut transfer: Transfer<'_>) -> Result<(), Denied> {
        let ctx = self.ctx();
        if !ctx.has_parent() {
            return Err(Denied::Refused(Refusal::new(Errno::Badf, "the module has no parent")));
        }
        let end = u64::from(at) + transfer.len() as u64;
        let around = |lent: &&Lent| lent.start <= at && end <= u64::from(lent.start) + u64::from(lent.len);
        let mut pieces = ctx.lent.iter().filter(around);
        let Some(first) = pieces.next() else {
            return Err(Denied::Outside);
        };
        // One may be lent within another, for more.
        let allowed = std::iter::once(first)
            .chain(pieces)
            .find(|lent| transfer.access() <= lent.access);
        let Lent { memory, reach, .. } = *allowed.ok_or(Denied::ReadOnly)?;
        let mut reached = Err(Denied::Outside);
        self.host
            .as_child(&mut |child| reached = reach(child, memory, at, &mut transfer));
        reached
    }

    /// Runs `f` with a child's store, whether the child waits or is running.
    fn in_store_of<R>(
        &mut self,
        handle: i32,
        mut f: impl FnMut(&mut StoreContextMut<'_, SandboxCtx>) -> R,
    ) -> Result<R, Errno> {
        let ctx = self.ctx();
        let parent = ctx.id;
        match ctx.children.get(handle) {
            Ok(child) => Ok(f(&mut child.store.as_context_mut())),
            Err(Errno::Busy) => {
                let is = |ctx: &SandboxCtx| ctx.is_child(parent, handle);
                let mut result = None;
                self.host.reenter(&is, &mut |mut child| result = Some(f(&mut child)));
                result.ok_or(Errno::Busy)
            }
            Err(errno) => Err(errno),
        }
    }

    /// `lend`: lets a child access bytes of the caller's memory.
    pub(crate) fn memory_lend(&mut self, child: i32, at: u32, len: u32, mode: i32) -> Result<i32, Refusal> {
        let access = access(mode)?;
        let memory = self.check(at, len, access)?;
        let lent = Lent {
            memory,
            start: at,
            len,
            access,
            reach: self.host.reach(),
        };
        self.in_store_of(child, |child| child.data_mut().add_lent(lent))??;
        Ok(0)
    }

    /// `reclaim`: ends what was lent from this address on.
    pub(crate) fn memory_reclaim(&mut self, child: i32, at: u32) -> Result<i32, Refusal> {
        self.in_store_of(child, |child| {
            let pieces = &mut child.data_mut().lent;
            let before = pieces.len();
            pieces.retain(|piece| piece.start != at);
            match pieces.len() < before {
                true => Ok(0),
                false => Err(Refusal::new(Errno::Inval, "nothing was lent from that address on")),
            }
        })?
    }

    /// `load8` and so on.
    pub(crate) fn access_load<const N: usize>(&mut self, handle: i32, at: u32) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.transfer(handle, at, Transfer::Read(&mut bytes))?;
        Ok(bytes)
    }

    /// `store8` and so on.
    pub(crate) fn access_store<const N: usize>(&mut self, handle: i32, at: u32, bytes: [u8; N]) -> Result<(), Error> {
        Ok(self.transfer(handle, at, Transfer::Write(&bytes))?)
    }

    /// `size`: how many bytes may be read from an address on.
    pub(crate) fn access_size(&mut self, handle: i32, at: u32) -> Result<i64, Refusal> {
        let size = match handle {
            PARENT => {
                let ctx = self.ctx();
                if !ctx.has_parent() {
                    return Err(Refusal::new(Errno::Badf, "the module has no parent"));
                }
                let left = |lent: &Lent| {
                    at.checked_sub(lent.start)
                        .and_then(|before| lent.len.checked_sub(before))
                };
                u64::from(ctx.lent.iter().filter_map(left).max().unwrap_or(0))
            }
            child => self.in_store_of(child, |child| {
                let memory = child.data().home.and_then(|home| home.memory);
                let size = memory.map_or(0, |memory| memory.data_size(&*child) as u64);
                size.saturating_sub(at.into())
            })?,
        };
        i64::try_from(size).map_err(|_| Errno::Overflow.into())
    }

    /// `copy_from`: copies bytes out of another memory, all or none.
    pub(crate) fn access_copy_from(&mut self, handle: i32, from: u32, to: u32, len: u32) -> Result<i32, Refusal> {
        self.check(to, len, Access::ReadWrite)?;
        self.transfer(handle, from, Transfer::Check(len, Access::Read))?;
        self.parts(len, |guest, done, part| {
            guest.transfer(handle, from + done, Transfer::Read(part))?;
            guest.write(to + done, part)
        })
    }

    /// `copy_to`: copies bytes into another memory, all or none.
    pub(crate) fn access_copy_to(&mut self, handle: i32, to: u32, from: u32, len: u32) -> Result<i32, Refusal> {
        let own = self.check(from, len, Access::Read)?;
        self.transfer(handle, to, Transfer::Check(len, Access::ReadWrite))?;
        self.parts(len, |guest, done, part| {
            let read = guest.host.read(own, (from + done) as usize, part);
            read.map_err(|_| Refusal::from(Errno::Fault))?;
            Ok(guest.transfer(handle, to + done, Transfer::Write(part))?)
        })
    }

    /// `fill`: sets bytes of another memory, all or none.
    pub(crate) fn access_fill(&mut self, handle: i32, at: u32, byte: i32, len: u32) -> Result<i32, Refusal> {
        self.transfer(handle, at, Transfer::Check(len, Access::ReadWrite))?;
        let [byte, ..] = byte.to_le_bytes();
        self.parts(len, |guest, done, part| {
            part.fill(byte);
            Ok(guest.transfer(handle, at + done, Transfer::Write(part))?)
        })
    }

    /// Does something with so many bytes, a part at a time.
    fn parts(
        &mut self,
        len: u32,
        mut step: impl FnMut(&mut Self, u32, &mut [u8]) -> Result<(), Refusal>,
    ) -> Result<i32, Refusal> {
        let mut buffer = vec![0; len.min(PART) as usize];
        let mut done = 0;
        while done < len {
            let count = (len - done).min(PART);
            step(self, done, buffer.get_mut(..count as usize).unwrap_or_default())?;
            done += count;
        }
        Ok(0)
    }

    /// `length`: how many bytes come before a zero, of so many at most.
    pub(crate) fn access_length(&mut self, handle: i32, at: u32, most: u32) -> Result<i32, Refusal> {
        let mut buffer = [0; 256];
        let mut length = 0;
        while length < most {
            let at = at.checked_add(length).ok_or(Errno::Fault)?;
            // As many as are there: a text may be the last thing in a memory.
            let mut count = (most - length).min(256).min(u32::MAX - at).max(1);
            let part = loop {
                let part = buffer.get_mut(..count as usize).unwrap_or_default();
                match self.transfer(handle, at, Transfer::Read(part)) {
                    Ok(()) => break buffer.get(..count as usize).unwrap_or_default(),
                    Err(Denied::Outside) if count > 1 => count /= 2,
                    Err(denied) => return Err(denied.into()),
                }
            };
            if let Some(zero) = part.iter().position(|byte| *byte == 0) {
                length += u32::try_from(zero).unwrap_or(0);
                break;
            }
            length += count;
        }
        i32::try_from(length).map_err(|_| Errno::Overflow.into())
    }
}
