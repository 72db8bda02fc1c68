//! Open host files that are not directories.
//!
//! Owns [`HostFile`]: reading and writing with the guest's idea of blocking,
//! whatever the host descriptor's own mode is. Files opened by a guest are
//! always non-blocking in the host (so that opening a FIFO cannot hang it),
//! standard streams are as the process got them and their flags are never
//! changed, since other processes share them; the guest's `NONBLOCK` flag is
//! honoured here, by polling.

use std::fs::{File, Metadata};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rustix::event::PollFlags;
use rustix::io::Errno as Host;
use rustix::net::{SocketType, sockopt};

use crate::errno::{Errno, Failure};
use crate::interrupt::{Interrupt, is_ready, wait};
use crate::types::{FileStat, FileType};

/// How many bytes a pipe that polls as writable takes without blocking.
const PIPE_BUF: usize = 4096;

/// An open host file, device, pipe or socket.
#[derive(Debug)]
pub(crate) struct HostFile {
    /// Children have the same.
    file: Arc<File>,
    filetype: FileType,
    /// Has a position that reading and writing move.
    positioned: bool,
    /// Opened below a read-only preopen: its attributes may not be changed.
    pub(crate) read_only: bool,
    /// The host descriptor's flags belong to others too.
    pub(crate) shared: bool,
}

impl AsFd for HostFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl HostFile {
    /// Takes over an open host file.
    ///
    /// # Errors
    ///
    /// What the host says when asked for its attributes.
    pub(crate) fn new(file: File) -> Result<HostFile, Errno> {
        let filetype = file_type(&file, &file.metadata()?);
        let positioned = match filetype {
            FileType::RegularFile | FileType::BlockDevice => true,
            FileType::CharacterDevice => !rustix::termios::isatty(&file),
            _ => false,
        };
        Ok(HostFile {
            file: Arc::new(file),
            filetype,
            positioned,
            read_only: false,
            shared: false,
        })
    }

    /// The same open file.
    pub(crate) fn share(&self) -> HostFile {
        HostFile {
            file: Arc::clone(&self.file),
            ..*self
        }
    }

    /// What it is.
    pub(crate) fn filetype(&self) -> FileType {
        self.filetype
    }

    /// Whether it has a position that reading and writing move.
    pub(crate) fn has_position(&self) -> bool {
        self.positioned
    }

    /// The file's attributes.
    ///
    /// # Errors
    ///
    /// What the host says.
    pub(crate) fn stat(&self) -> Result<FileStat, Errno> {
        let metadata = self.file.metadata()?;
        Ok(file_stat(&metadata, self.filetype))
    }

    /// Whether reading and writing may have to wait for somebody else.
    pub(crate) fn may_wait(&self) -> bool {
        !matches!(self.filetype, FileType::RegularFile | FileType::BlockDevice)
    }

    /// Reads from the current position.
    ///
    /// # Errors
    ///
    /// What the host says; [`Errno::Again`] if it would wait and `nonblock`.
    pub(crate) fn read(&self, buf: &mut [u8], nonblock: bool, interrupt: &Interrupt) -> Result<usize, Failure> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.transfer(PollFlags::IN, nonblock, interrupt, |fd| rustix::io::read(fd, &mut *buf))
    }

    /// Writes at the current position; all of `buf` unless the host takes
    /// less.
    ///
    /// # Errors
    ///
    /// What the host says; [`Errno::Again`] if it would wait and `nonblock`.
    pub(crate) fn write(&self, buf: &[u8], nonblock: bool, interrupt: &Interrupt) -> Result<usize, Failure> {
        let piece = if self.shared && self.may_wait() && (nonblock || interrupt.is_armed()) {
            PIPE_BUF
        } else {
            buf.len()
        };
        let mut written = 0;
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let rest = buf.get(written..).unwrap_or_default();
            let part = rest.get(..piece).unwrap_or(rest);
            let result = self.transfer(PollFlags::OUT, nonblock, interrupt, |fd| rustix::io::write(fd, part));
            match result {
                Ok(count) => {
                    written = written.saturating_add(count);
                    if written >= buf.len() || count < part.len() {
                        return Ok(written);
                    }
                }
                Err(Failure::Errno(_)) if written > 0 => return Ok(written),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Runs `operation` with the guest's idea of waiting.
    ///
    /// # Errors
    ///
    /// The operation's, but for interruptions by signals, which are retried.
    pub(crate) fn transfer<R>(
        &self,
        events: PollFlags,
        nonblock: bool,
        interrupt: &Interrupt,
        mut operation: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<R>,
    ) -> Result<R, Failure> {
        let fd = self.file.as_fd();
        let waits = self.may_wait();
        if waits && nonblock {
            if !is_ready(fd, events)? {
                return Err(Errno::Again.into());
            }
        } else if waits && interrupt.is_armed() {
            wait(fd, events, interrupt)?;
        }
        loop {
            match operation(fd) {
                Ok(done) => return Ok(done),
                Err(Host::INTR) => interrupt.check()?,
                Err(Host::AGAIN) if waits && !nonblock => wait(fd, events, interrupt)?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What an open file is, sockets told apart.
pub(crate) fn file_type(file: &File, metadata: &Metadata) -> FileType {
    match FileType::from_mode(metadata.mode()) {
        FileType::SocketStream => match sockopt::socket_type(file) {
            Ok(SocketType::DGRAM) => FileType::SocketDgram,
            _ => FileType::SocketStream,
        },
        other => other,
    }
}

/// A file's attributes in the interface's units.
pub(crate) fn file_stat(metadata: &Metadata, filetype: FileType) -> FileStat {
    FileStat {
        dev: metadata.dev(),
        ino: metadata.ino(),
        filetype,
        nlink: metadata.nlink(),
        size: metadata.size(),
        atim: nanoseconds(metadata.atime(), metadata.atime_nsec()),
        mtim: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctim: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// A host time as nanoseconds since 1970. The interface cannot express times
/// before, nor those after the year 2554: they become the nearest it can.
pub(crate) fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    match u64::try_from(seconds) {
        Err(_) => 0,
        Ok(seconds) => seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::try_from(nanoseconds).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_interface_are_clamped() {
        assert_eq!(nanoseconds(1, 5), 1_000_000_005);
        assert_eq!(nanoseconds(-1, 999_999_999), 0);
        assert_eq!(nanoseconds(i64::MAX, 0), u64::MAX);
    }
}
