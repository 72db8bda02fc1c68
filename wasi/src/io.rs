//! Reading, writing and seeking: `fd_read`, `fd_write`, `fd_pread`,
//! `fd_pwrite`, `fd_seek`, `fd_tell`.
//!
//! Bytes go through the context's one buffer of 64 KiB, however long the
//! guest's vectors are: several short vectors become one host call, a long
//! one several. A call moves at most 2 GiB, as on Linux.

use std::sync::PoisonError;

use rustix::fs::SeekFrom;

use crate::abi::Call;
use crate::ctx::CHUNK;
use crate::errno::{Errno, Failure};
use crate::memory::{GuestAddr, GuestMemory};
use crate::table::{Descriptor, Object};
use crate::types::{Fd, Rights, Whence};

/// The most vectors one call takes (`IOV_MAX`).
const MAX_VECTORS: u32 = 1024;

/// The most bytes one call moves.
const MAX_TRANSFER: u32 = 0x7fff_f000;

/// The size of an `iovec`: `buf` u32 at 0, `buf_len` u32 at 4.
const IOVEC_SIZE: u32 = 8;

/// A position in a guest's array of `iovec`s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IoVecs {
    array: GuestAddr,
    count: u32,
    /// The vector to read next.
    next: u32,
    /// What is left of the vector before it.
    rest: (GuestAddr, u32),
}

impl IoVecs {
    /// The start of the array of `count` vectors at `array`.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] if there are more than [`MAX_VECTORS`].
    pub(crate) fn new(array: GuestAddr, count: u32) -> Result<IoVecs, Errno> {
        if count > MAX_VECTORS {
            return Err(Errno::Inval);
        }
        Ok(IoVecs {
            array,
            count,
            next: 0,
            rest: (GuestAddr(0), 0),
        })
    }

    /// The next piece of guest memory, of at most `max` bytes and never
    /// empty, if there is one.
    fn piece(&mut self, memory: &dyn GuestMemory, max: usize) -> Result<Option<(GuestAddr, usize)>, Errno> {
        while self.rest.1 == 0 {
            if self.next == self.count {
                return Ok(None);
            }
            let [a, b, c, d, e, f, g, h] = memory.read_array(self.array.element(self.next, IOVEC_SIZE)?)?;
            self.rest = (
                GuestAddr(u32::from_le_bytes([a, b, c, d])),
                u32::from_le_bytes([e, f, g, h]),
            );
            self.next += 1;
        }
        let (addr, len) = self.rest;
        let taken = len.min(u32::try_from(max).unwrap_or(u32::MAX));
        self.rest = if taken == len {
            (GuestAddr(0), 0)
        } else {
            (addr.plus(taken)?, len - taken)
        };
        let taken = usize::try_from(taken).map_err(|_| Errno::Inval)?;
        Ok(Some((addr, taken)))
    }

    /// Fills `buf` with the guest's next bytes; says how many there were.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if a vector lies outside the memory.
    pub(crate) fn gather(&mut self, memory: &dyn GuestMemory, buf: &mut [u8]) -> Result<usize, Errno> {
        let mut filled = 0;
        while let Some(room) = buf.get_mut(filled..).filter(|room| !room.is_empty()) {
            let Some((addr, len)) = self.piece(memory, room.len())? else {
                break;
            };
            memory.read(addr.0, room.get_mut(..len).ok_or(Errno::Inval)?)?;
            filled += len;
        }
        Ok(filled)
    }

    /// How many bytes the guest's next vectors take, up to `max`. Checks that
    /// they exist, so that nothing is read from the host that cannot be
    /// delivered.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if a vector lies outside the memory.
    pub(crate) fn measure(mut self, memory: &dyn GuestMemory, max: usize) -> Result<usize, Errno> {
        let mut total = 0;
        while total < max {
            let Some((addr, len)) = self.piece(memory, max - total)? else {
                break;
            };
            memory.probe(addr.0, u32::try_from(len).map_err(|_| Errno::Inval)?)?;
            total += len;
        }
        Ok(total)
    }

    /// Puts `data` into the guest's next vectors.
    ///
    /// # Errors
    ///
    /// [`Errno::Fault`] if a vector lies outside the memory.
    pub(crate) fn scatter(&mut self, memory: &mut dyn GuestMemory, mut data: &[u8]) -> Result<(), Errno> {
        while !data.is_empty() {
            let Some((addr, len)) = self.piece(memory, data.len())? else {
                break;
            };
            let (now, later) = data.split_at_checked(len).ok_or(Errno::Inval)?;
            memory.write(addr.0, now)?;
            data = later;
        }
        Ok(())
    }
}

impl Call<'_> {
    /// `fd_read`: reads from the descriptor's position on.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `BADF` without the
    /// right to read.
    pub fn fd_read(&mut self, fd: Fd, iovs: GuestAddr, iovs_len: u32, nread: GuestAddr) -> Result<(), Failure> {
        check_transfer(self.ctx.fds.get(fd)?, Rights::FD_READ)?;
        let read = self.read_vectors(fd, IoVecs::new(iovs, iovs_len)?, None)?;
        Ok(self.memory.write_u32(nread, read)?)
    }

    /// `fd_pread`: reads from `offset` on and leaves the position alone.
    ///
    /// # Errors
    ///
    /// As [`Call::fd_read`]; `SPIPE` if it has no positions.
    pub fn fd_pread(
        &mut self,
        fd: Fd,
        iovs: GuestAddr,
        iovs_len: u32,
        offset: u64,
        nread: GuestAddr,
    ) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        check_transfer(descriptor, Rights::FD_READ)?;
        descriptor.positioned(Rights::FD_SEEK)?;
        let read = self.read_vectors(fd, IoVecs::new(iovs, iovs_len)?, Some(offset))?;
        Ok(self.memory.write_u32(nread, read)?)
    }

    /// `fd_write`: writes at the descriptor's position.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `BADF` without the
    /// right to write.
    pub fn fd_write(&mut self, fd: Fd, iovs: GuestAddr, iovs_len: u32, nwritten: GuestAddr) -> Result<(), Failure> {
        check_transfer(self.ctx.fds.get(fd)?, Rights::FD_WRITE)?;
        let written = self.write_vectors(fd, IoVecs::new(iovs, iovs_len)?, None)?;
        Ok(self.memory.write_u32(nwritten, written)?)
    }

    /// `fd_pwrite`: writes at `offset` and leaves the position alone. On a
    /// descriptor that appends, the host decides where the bytes go.
    ///
    /// # Errors
    ///
    /// As [`Call::fd_write`]; `SPIPE` if it has no positions.
    pub fn fd_pwrite(
        &mut self,
        fd: Fd,
        iovs: GuestAddr,
        iovs_len: u32,
        offset: u64,
        nwritten: GuestAddr,
    ) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        check_transfer(descriptor, Rights::FD_WRITE)?;
        descriptor.positioned(Rights::FD_SEEK)?;
        let written = self.write_vectors(fd, IoVecs::new(iovs, iovs_len)?, Some(offset))?;
        Ok(self.memory.write_u32(nwritten, written)?)
    }

    /// `fd_seek`: moves the descriptor's position.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `SPIPE` if it has no
    /// position, `INVAL` for a position before the start.
    pub fn fd_seek(&mut self, fd: Fd, offset: i64, whence: u32, newoffset: GuestAddr) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        let whence = (self.abi.whence)(whence).ok_or(Errno::Inval)?;
        let rights = match (whence, offset) {
            (Whence::Current, 0) => return self.fd_tell(fd, newoffset),
            _ => Rights::FD_SEEK,
        };
        let file = descriptor.positioned(rights)?;
        let target = match whence {
            Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
            Whence::Current => SeekFrom::Current(offset),
            Whence::End => SeekFrom::End(offset),
        };
        let position = rustix::fs::seek(file, target)?;
        Ok(self.memory.write_u64(newoffset, position)?)
    }

    /// `fd_tell`: the descriptor's position.
    ///
    /// # Errors
    ///
    /// As [`Call::fd_seek`].
    pub fn fd_tell(&mut self, fd: Fd, offset: GuestAddr) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        // The right to seek implies the right to tell.
        let rights = if descriptor.rights().contains(Rights::FD_SEEK) {
            Rights::NONE
        } else {
            Rights::FD_TELL
        };
        let position = rustix::fs::tell(descriptor.positioned(rights)?)?;
        Ok(self.memory.write_u64(offset, position)?)
    }

    /// Reads into the guest's vectors; says how many bytes.
    fn read_vectors(&mut self, fd: Fd, mut vectors: IoVecs, start: Option<u64>) -> Result<u32, Failure> {
        let mut scratch = self.ctx.take_scratch();
        let result = in_chunks(start, |position, max| {
            let wanted = vectors.measure(self.memory, max)?;
            let buf = scratch.get_mut(..wanted).ok_or(Errno::Inval)?;
            let read = self.read_once(fd, buf, position)?;
            vectors.scatter(self.memory, buf.get(..read).ok_or(Errno::Io)?)?;
            // More of a stream may come only later: return what there is.
            let whole = read == max && self.ctx.fds.get(fd).is_ok_and(|descriptor| !descriptor.may_wait());
            self.ctx.interrupt.check()?;
            Ok((read, whole))
        });
        self.ctx.put_scratch(scratch);
        result
    }

    /// Writes the guest's vectors; says how many bytes.
    fn write_vectors(&mut self, fd: Fd, mut vectors: IoVecs, start: Option<u64>) -> Result<u32, Failure> {
        let mut scratch = self.ctx.take_scratch();
        let result = in_chunks(start, |position, max| {
            let buf = scratch.get_mut(..max).ok_or(Errno::Inval)?;
            let filled = vectors.gather(self.memory, buf)?;
            let buf = buf.get(..filled).ok_or(Errno::Inval)?;
            let written = self.write_once(fd, buf, position)?;
            self.ctx.interrupt.check()?;
            Ok((written, written == max))
        });
        self.ctx.put_scratch(scratch);
        result
    }

    /// One read of the host, at `position` if given.
    fn read_once(&mut self, fd: Fd, buf: &mut [u8], position: Option<u64>) -> Result<usize, Failure> {
        self.ctx
            .waiting(fd, |object, nonblock, interrupt| match (object, position) {
                (Object::File(file), None) => file.read(buf, nonblock, interrupt),
                (Object::File(file), Some(position)) => {
                    let read = rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *buf, position))?;
                    Ok(read)
                }
                (Object::Input(reader), _) => loop {
                    let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                    match reader.read(buf) {
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                            interrupt.check()?;
                        }
                        result => return Ok(result?),
                    }
                },
                (Object::Output(_), _) => Err(Errno::Badf.into()),
                (Object::Directory(_), _) => Err(Errno::Isdir.into()),
            })
    }

    /// One write to the host, at `position` if given.
    fn write_once(&mut self, fd: Fd, buf: &[u8], position: Option<u64>) -> Result<usize, Failure> {
        self.ctx
            .waiting(fd, |object, nonblock, interrupt| match (object, position) {
                (Object::File(file), None) => file.write(buf, nonblock, interrupt),
                (Object::File(file), Some(position)) => {
                    let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(file, buf, position))?;
                    Ok(written)
                }
                (Object::Output(writer), _) => loop {
                    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                    match writer.write(buf) {
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                            interrupt.check()?;
                        }
                        result => return Ok(result?),
                    }
                },
                (Object::Input(_), _) => Err(Errno::Badf.into()),
                (Object::Directory(_), _) => Err(Errno::Isdir.into()),
            })
    }
}

/// Checks that the descriptor can be read from or written to.
fn check_transfer(descriptor: &Descriptor, right: Rights) -> Result<(), Errno> {
    match descriptor.object {
        Object::Directory(_) => Err(Errno::Isdir),
        // POSIX's word for a descriptor opened for the other direction.
        _ if !descriptor.base.contains(right) => Err(Errno::Badf),
        _ => descriptor.require(right),
    }
}

/// Moves chunks until one is not whole. `step` gets the position in the file
/// (if `start` says where to begin) and the most bytes to move; it says how
/// many it moved and whether to go on. What was moved before a failure counts.
fn in_chunks(
    start: Option<u64>,
    mut step: impl FnMut(Option<u64>, usize) -> Result<(usize, bool), Failure>,
) -> Result<u32, Failure> {
    let mut total: u32 = 0;
    loop {
        let left = usize::try_from(MAX_TRANSFER - total).unwrap_or(CHUNK);
        let position = match start {
            Some(start) => Some(start.checked_add(total.into()).ok_or(Errno::Inval)?),
            None => None,
        };
        match step(position, CHUNK.min(left)) {
            Ok((moved, whole)) => {
                total = total.saturating_add(u32::try_from(moved).unwrap_or(u32::MAX));
                if !whole || total >= MAX_TRANSFER {
                    return Ok(total);
                }
            }
            Err(Failure::Errno(_)) if total > 0 => return Ok(total),
            Err(failure) => return Err(failure),
        }
    }
}
