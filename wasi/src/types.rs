//! The types of WASI's interface that both previews share: handles, flags
//! (from `flags.rs`), and the records whose layout did not change between
//! them.
//!
//! Gives typed values for the raw integers of the interface and the bytes of
//! the records a guest reads. The records that do differ (`filestat`,
//! `subscription`, `whence`) are values here and bytes in `preview0.rs` and
//! `preview1.rs`. All integers are little-endian; the source of every number
//! is the witx text of the two previews.

use crate::errno::Errno;
pub use crate::flags::{FdFlags, LookupFlags, OpenFlags, ReceiveFlags, Rights, ShutdownFlags, TimeFlags};

/// A guest's file descriptor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub u32);

impl From<u32> for Fd {
    fn from(number: u32) -> Fd {
        Fd(number)
    }
}

/// `filetype`: what a descriptor or a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FileType {
    /// Something WASI has no name for (a pipe, say).
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device, such as a terminal.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDgram = 5,
    /// A byte-stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

impl FileType {
    /// The number a guest gets.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            FileType::Unknown => 0,
            FileType::BlockDevice => 1,
            FileType::CharacterDevice => 2,
            FileType::Directory => 3,
            FileType::RegularFile => 4,
            FileType::SocketDgram => 5,
            FileType::SocketStream => 6,
            FileType::SymbolicLink => 7,
        }
    }

    /// Whether it is a socket of either kind.
    #[must_use]
    pub const fn is_socket(self) -> bool {
        matches!(self, FileType::SocketDgram | FileType::SocketStream)
    }
}

impl FileType {
    /// The type in the bits of a host's `st_mode`.
    #[must_use]
    pub(crate) const fn from_mode(mode: u32) -> FileType {
        match mode & 0o170_000 {
            0o100_000 => FileType::RegularFile,
            0o040_000 => FileType::Directory,
            0o120_000 => FileType::SymbolicLink,
            0o020_000 => FileType::CharacterDevice,
            0o060_000 => FileType::BlockDevice,
            // Most sockets are streams; `HostFile` asks the ones it holds.
            0o140_000 => FileType::SocketStream,
            _ => FileType::Unknown,
        }
    }
}

impl From<rustix::fs::FileType> for FileType {
    fn from(host: rustix::fs::FileType) -> FileType {
        match host {
            rustix::fs::FileType::RegularFile => FileType::RegularFile,
            rustix::fs::FileType::Directory => FileType::Directory,
            rustix::fs::FileType::Symlink => FileType::SymbolicLink,
            rustix::fs::FileType::CharacterDevice => FileType::CharacterDevice,
            rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
            rustix::fs::FileType::Socket => FileType::SocketStream,
            rustix::fs::FileType::Fifo | rustix::fs::FileType::Unknown => FileType::Unknown,
        }
    }
}

/// `filestat`: the attributes of a file, in the units of the interface
/// (bytes; nanoseconds since 1970). Its layout differs between the previews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// Identifier of the device that contains the file.
    pub dev: u64,
    /// Serial number of the file on that device.
    pub ino: u64,
    /// What the file is.
    pub filetype: FileType,
    /// Number of hard links.
    pub nlink: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last access.
    pub atim: u64,
    /// Time of the last change of the contents.
    pub mtim: u64,
    /// Time of the last change of the attributes.
    pub ctim: u64,
}

impl FileStat {
    /// The attributes of something that has none: an embedder's own stream.
    pub(crate) const STREAM: FileStat = FileStat {
        dev: 0,
        ino: 0,
        filetype: FileType::Unknown,
        nlink: 1,
        size: 0,
        atim: 0,
        mtim: 0,
        ctim: 0,
    };
}

/// `fdstat`: the attributes of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdStat {
    /// What the descriptor names.
    pub filetype: FileType,
    /// Its flags.
    pub flags: FdFlags,
    /// Its own rights.
    pub base: Rights,
    /// The rights it passes on.
    pub inheriting: Rights,
}

impl FdStat {
    /// The bytes of the record, 24 long: `filetype` u8 at 0, `flags` u16 at
    /// 2, `base` u64 at 8, `inheriting` u64 at 16.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[0] = self.filetype.number();
        bytes[2..4].copy_from_slice(&self.flags.bits().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.base.bits().to_le_bytes());
        bytes[16..24].copy_from_slice(&self.inheriting.bits().to_le_bytes());
        bytes
    }
}

/// The size of a `dirent` in bytes, without the name that follows it.
pub const DIRENT_SIZE: u32 = 24;

/// `dirent`: what stands before a name in the buffer of `fd_readdir`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirent {
    /// The cookie of the entry after this one.
    pub next: u64,
    /// Serial number of the file.
    pub ino: u64,
    /// Length of the name in bytes.
    pub namlen: u32,
    /// What the file is.
    pub filetype: FileType,
}

impl Dirent {
    /// The bytes of the record, 24 long: `next` u64 at 0, `ino` u64 at 8,
    /// `namlen` u32 at 16, `filetype` u8 at 20.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[0..8].copy_from_slice(&self.next.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.namlen.to_le_bytes());
        bytes[20] = self.filetype.number();
        bytes
    }
}

/// `whence`: what an offset of `fd_seek` counts from. Its numbers differ
/// between the previews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    /// The start of the file.
    Set,
    /// The current position.
    Current,
    /// The end of the file.
    End,
}

/// `clockid`: which clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Time of day, since 1970; may be set.
    Realtime,
    /// Time since some moment; only ever grows.
    Monotonic,
    /// Processor time of the process the guest runs in.
    ProcessCpu,
    /// Processor time of the thread the guest runs in.
    ThreadCpu,
}

impl Clock {
    /// The clock with a guest's number.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] if there is no such clock.
    pub fn from_guest(id: u32) -> Result<Clock, Errno> {
        match id {
            0 => Ok(Clock::Realtime),
            1 => Ok(Clock::Monotonic),
            2 => Ok(Clock::ProcessCpu),
            3 => Ok(Clock::ThreadCpu),
            _ => Err(Errno::Inval),
        }
    }
}

/// `subscription`: what a guest waits for in `poll_oneoff`. Its layout
/// differs between the previews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Comes back in the event.
    pub userdata: u64,
    /// What to wait for.
    pub event: Awaited,
}

/// What a subscription waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A moment of a clock.
    Clock {
        /// The clock's number, not checked yet.
        id: u32,
        /// Nanoseconds: from now, or of the clock if `absolute`.
        timeout: u64,
        /// Whether `timeout` is a time of the clock.
        absolute: bool,
    },
    /// Data to read from a descriptor.
    Read(Fd),
    /// Room to write to a descriptor.
    Write(Fd),
}

impl Awaited {
    /// The number of the event's type, as a guest sees it.
    #[must_use]
    pub const fn event_type(self) -> u8 {
        match self {
            Awaited::Clock { .. } => 0,
            Awaited::Read(_) => 1,
            Awaited::Write(_) => 2,
        }
    }
}

/// The size of an `event` in bytes.
pub const EVENT_SIZE: u32 = 32;

/// `event`: what happened in `poll_oneoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The subscription's `userdata`.
    pub userdata: u64,
    /// What went wrong, or success.
    pub error: Errno,
    /// The number of the event's type.
    pub event_type: u8,
    /// Bytes that can be read or written, where known.
    pub nbytes: u64,
    /// Whether the other side hung up.
    pub hangup: bool,
}

impl Event {
    /// The bytes of the record, 32 long: `userdata` u64 at 0, `error` u16 at
    /// 8, `event_type` u8 at 10, `nbytes` u64 at 16, the hangup flag in a u16
    /// at 24.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.error.number().to_le_bytes());
        bytes[10] = self.event_type;
        bytes[16..24].copy_from_slice(&self.nbytes.to_le_bytes());
        bytes[24] = u8::from(self.hangup);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_laid_out_as_the_witx_says() {
        let fdstat = FdStat {
            filetype: FileType::RegularFile,
            flags: FdFlags::APPEND,
            base: Rights::FD_READ,
            inheriting: Rights::FD_WRITE,
        };
        let mut expected = [0; 24];
        (expected[0], expected[2], expected[8], expected[16]) = (4, 1, 2, 64);
        assert_eq!(fdstat.to_bytes(), expected);

        let dirent = Dirent {
            next: 1,
            ino: 2,
            namlen: 3,
            filetype: FileType::Directory,
        };
        let mut expected = [0; 24];
        (expected[0], expected[8], expected[16], expected[20]) = (1, 2, 3, 3);
        assert_eq!(dirent.to_bytes(), expected);

        let event = Event {
            userdata: 7,
            error: Errno::Badf,
            event_type: 1,
            nbytes: 9,
            hangup: true,
        };
        let mut expected = [0; 32];
        (expected[0], expected[8], expected[10], expected[16], expected[24]) = (7, 8, 1, 9, 1);
        assert_eq!(event.to_bytes(), expected);
    }
}
