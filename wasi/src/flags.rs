//! The sets of flags in WASI's interface, [`Rights`] among them.
//!
//! Owns their names and bits, which both previews share, and the sets of
//! rights that make sense for each kind of file. Takes a guest's integers and
//! refuses bits without a name.

use crate::errno::Errno;

/// A set of flags: named bits over one integer.
macro_rules! flag_set {
    ($(#[$doc:meta])* $name:ident: $int:ident { $($(#[$item_doc:meta])* $item:ident = $bit:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name($int);

        impl $name {
            $($(#[$item_doc])* pub const $item: $name = $name(1 << $bit);)*

            /// Every flag that has a name.
            pub const ALL: $name = $name($(1 << $bit)|*);

            /// No flag.
            pub const NONE: $name = $name(0);

            /// The set with these bits, named or not.
            #[must_use]
            pub const fn from_bits(bits: $int) -> $name {
                $name(bits)
            }

            /// The bits, as a guest sees them.
            #[must_use]
            pub const fn bits(self) -> $int {
                self.0
            }

            /// Whether every flag of `other` is in this set.
            #[must_use]
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether some flag of `other` is in this set.
            #[must_use]
            pub const fn intersects(self, other: $name) -> bool {
                self.0 & other.0 != 0
            }

            /// The flags in both sets.
            #[must_use]
            pub const fn and(self, other: $name) -> $name {
                $name(self.0 & other.0)
            }

            /// The flags in either set.
            #[must_use]
            pub const fn or(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// The flags of this set that are not in `other`.
            #[must_use]
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }

            /// The set for a guest's integer.
            ///
            /// # Errors
            ///
            /// [`Errno::Inval`] if a bit without a name is set.
            pub fn from_guest(bits: impl Into<u64>) -> Result<$name, Errno> {
                let bits = $int::try_from(bits.into()).map_err(|_| Errno::Inval)?;
                let set = $name(bits);
                if $name::ALL.contains(set) { Ok(set) } else { Err(Errno::Inval) }
            }
        }
    };
}

flag_set! {
    /// What a file descriptor may be used for.
    Rights: u64 {
        /// `fd_datasync`, and `path_open` with `dsync`.
        FD_DATASYNC = 0;
        /// `fd_read`, `sock_recv`; with `FD_SEEK` also `fd_pread`.
        FD_READ = 1;
        /// `fd_seek`; implies `FD_TELL`.
        FD_SEEK = 2;
        /// `fd_fdstat_set_flags`.
        FD_FDSTAT_SET_FLAGS = 3;
        /// `fd_sync`, and `path_open` with `rsync` or `sync`.
        FD_SYNC = 4;
        /// `fd_tell`, and `fd_seek` that moves nothing.
        FD_TELL = 5;
        /// `fd_write`, `sock_send`; with `FD_SEEK` also `fd_pwrite`.
        FD_WRITE = 6;
        /// `fd_advise`.
        FD_ADVISE = 7;
        /// `fd_allocate`.
        FD_ALLOCATE = 8;
        /// `path_create_directory`.
        PATH_CREATE_DIRECTORY = 9;
        /// `path_open` with `creat`.
        PATH_CREATE_FILE = 10;
        /// `path_link` from this directory.
        PATH_LINK_SOURCE = 11;
        /// `path_link` into this directory.
        PATH_LINK_TARGET = 12;
        /// `path_open`.
        PATH_OPEN = 13;
        /// `fd_readdir`.
        FD_READDIR = 14;
        /// `path_readlink`.
        PATH_READLINK = 15;
        /// `path_rename` from this directory.
        PATH_RENAME_SOURCE = 16;
        /// `path_rename` into this directory.
        PATH_RENAME_TARGET = 17;
        /// `path_filestat_get`.
        PATH_FILESTAT_GET = 18;
        /// `path_open` with `trunc`.
        PATH_FILESTAT_SET_SIZE = 19;
        /// `path_filestat_set_times`.
        PATH_FILESTAT_SET_TIMES = 20;
        /// `fd_filestat_get`.
        FD_FILESTAT_GET = 21;
        /// `fd_filestat_set_size`.
        FD_FILESTAT_SET_SIZE = 22;
        /// `fd_filestat_set_times`.
        FD_FILESTAT_SET_TIMES = 23;
        /// `path_symlink`.
        PATH_SYMLINK = 24;
        /// `path_remove_directory`.
        PATH_REMOVE_DIRECTORY = 25;
        /// `path_unlink_file`.
        PATH_UNLINK_FILE = 26;
        /// `poll_oneoff` on this descriptor.
        POLL_FD_READWRITE = 27;
        /// `sock_shutdown`.
        SOCK_SHUTDOWN = 28;
        /// `sock_accept` (preview 1 only).
        SOCK_ACCEPT = 29;
    }
}

impl Rights {
    /// What can be done with the contents of a file.
    pub const FILE: Rights = Rights::STREAM
        .or(Rights::FD_SEEK)
        .or(Rights::FD_TELL)
        .or(Rights::FD_ADVISE)
        .or(Rights::FD_ALLOCATE)
        .or(Rights::FD_FILESTAT_SET_SIZE);

    /// What can be done with something that has no position: a terminal, a
    /// pipe, a socket.
    pub const STREAM: Rights = Rights::FD_READ
        .or(Rights::FD_WRITE)
        .or(Rights::FD_DATASYNC)
        .or(Rights::FD_SYNC)
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::FD_FILESTAT_SET_TIMES)
        .or(Rights::POLL_FD_READWRITE);

    /// What can be done with a socket only.
    pub const SOCKET: Rights = Rights::SOCK_SHUTDOWN.or(Rights::SOCK_ACCEPT);

    /// What can be done with a directory.
    pub const DIRECTORY: Rights = Rights::PATH_CREATE_DIRECTORY
        .or(Rights::PATH_CREATE_FILE)
        .or(Rights::PATH_LINK_SOURCE)
        .or(Rights::PATH_LINK_TARGET)
        .or(Rights::PATH_OPEN)
        .or(Rights::FD_READDIR)
        .or(Rights::PATH_READLINK)
        .or(Rights::PATH_RENAME_SOURCE)
        .or(Rights::PATH_RENAME_TARGET)
        .or(Rights::PATH_FILESTAT_GET)
        .or(Rights::PATH_FILESTAT_SET_SIZE)
        .or(Rights::PATH_FILESTAT_SET_TIMES)
        .or(Rights::PATH_SYMLINK)
        .or(Rights::PATH_REMOVE_DIRECTORY)
        .or(Rights::PATH_UNLINK_FILE)
        .or(Rights::FD_FILESTAT_GET)
        .or(Rights::FD_FILESTAT_SET_TIMES)
        .or(Rights::FD_FDSTAT_SET_FLAGS)
        .or(Rights::FD_DATASYNC)
        .or(Rights::FD_SYNC);

    /// What a preopened directory passes on to the files opened through it.
    pub const INHERITING: Rights = Rights::DIRECTORY.or(Rights::FILE);

    /// The rights for which the host file is opened for writing.
    pub const WRITING: Rights = Rights::FD_WRITE
        .or(Rights::FD_ALLOCATE)
        .or(Rights::FD_FILESTAT_SET_SIZE);

    /// The rights that need [`Capability::ReadFiles`](vm::Capability::ReadFiles).
    pub const LOOKING: Rights = Rights::READING
        .or(Rights::PATH_READLINK)
        .or(Rights::PATH_FILESTAT_GET)
        .or(Rights::FD_FILESTAT_GET);

    /// The rights that need [`Capability::WriteFiles`](vm::Capability::WriteFiles).
    pub const CHANGING: Rights = Rights::WRITING
        .or(Rights::FD_FILESTAT_SET_TIMES)
        .or(Rights::PATH_CREATE_DIRECTORY)
        .or(Rights::PATH_CREATE_FILE)
        .or(Rights::PATH_LINK_SOURCE)
        .or(Rights::PATH_LINK_TARGET)
        .or(Rights::PATH_RENAME_SOURCE)
        .or(Rights::PATH_RENAME_TARGET)
        .or(Rights::PATH_FILESTAT_SET_SIZE)
        .or(Rights::PATH_FILESTAT_SET_TIMES)
        .or(Rights::PATH_SYMLINK)
        .or(Rights::PATH_REMOVE_DIRECTORY)
        .or(Rights::PATH_UNLINK_FILE);

    /// The rights for which the host file is opened for reading.
    pub const READING: Rights = Rights::FD_READ.or(Rights::FD_READDIR);
}

flag_set! {
    /// `fdflags`: how a descriptor reads and writes.
    FdFlags: u16 {
        /// Every write goes to the end of the file.
        APPEND = 0;
        /// Writes reach the disk before they return (data).
        DSYNC = 1;
        /// Nothing waits.
        NONBLOCK = 2;
        /// Reads wait for pending writes.
        RSYNC = 3;
        /// Writes reach the disk before they return (data and metadata).
        SYNC = 4;
    }
}

impl FdFlags {
    /// The flags that are fixed when a file is opened.
    pub const SYNCHRONISED: FdFlags = FdFlags::DSYNC.or(FdFlags::RSYNC).or(FdFlags::SYNC);
}

flag_set! {
    /// `oflags`: how `path_open` opens.
    OpenFlags: u16 {
        /// Create the file if it does not exist.
        CREAT = 0;
        /// Fail if it is not a directory.
        DIRECTORY = 1;
        /// Fail if it exists.
        EXCL = 2;
        /// Make the file empty.
        TRUNC = 3;
    }
}

flag_set! {
    /// `lookupflags`: how a path is resolved.
    LookupFlags: u32 {
        /// Follow a symbolic link in the path's last component.
        SYMLINK_FOLLOW = 0;
    }
}

flag_set! {
    /// `fstflags`: which times to set, and to what.
    TimeFlags: u16 {
        /// Set the access time to the value given.
        ATIM = 0;
        /// Set the access time to now.
        ATIM_NOW = 1;
        /// Set the modification time to the value given.
        MTIM = 2;
        /// Set the modification time to now.
        MTIM_NOW = 3;
    }
}

flag_set! {
    /// `riflags`: how `sock_recv` receives.
    ReceiveFlags: u16 {
        /// Leave the data in the queue.
        PEEK = 0;
        /// Wait until the buffers are full.
        WAITALL = 1;
    }
}

flag_set! {
    /// `sdflags`: which directions `sock_shutdown` closes.
    ShutdownFlags: u8 {
        /// No more receiving.
        RD = 0;
        /// No more sending.
        WR = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_without_a_name_are_refused() {
        assert_eq!(FdFlags::from_guest(5_u32), Ok(FdFlags::APPEND.or(FdFlags::NONBLOCK)));
        assert_eq!(FdFlags::from_guest(32_u32), Err(Errno::Inval));
        assert_eq!(FdFlags::from_guest(0x1_0001_u32), Err(Errno::Inval));
        assert_eq!(ShutdownFlags::from_guest(0x100_u32), Err(Errno::Inval));
    }

    #[test]
    fn rights_have_the_numbers_of_the_witx() {
        assert_eq!(Rights::ALL.bits(), 0x3fff_ffff);
        assert_eq!(Rights::FD_READDIR.bits(), 0x4000);
        assert_eq!(Rights::SOCK_ACCEPT.bits(), 0x2000_0000);
        assert!(!Rights::DIRECTORY.intersects(Rights::WRITING.or(Rights::FD_SEEK)));
    }
}
