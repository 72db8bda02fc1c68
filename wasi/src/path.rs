//! Everything that names a file by its path: `path_*`.
//!
//! A path is resolved below the directory the guest passes, by
//! cap-primitives: `..`, absolute paths and symbolic links that lead out of
//! it fail with `PERM`, whatever changes in the file system meanwhile. The
//! last component is only ever used relative to the directory that holds it,
//! opened in that way. Paths are bytes without a zero; they need not be
//! UTF-8, since the host's names need not be.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cap_fs_ext::OpenOptionsFollowExt;
use cap_primitives::fs::{
    self as confined, DirOptions, FollowSymlinks, MetadataExt, OpenOptions, OpenOptionsExt, SystemTimeSpec,
};
use rustix::fs::OFlags;

use crate::abi::Call;
use crate::errno::{Errno, Failure};
use crate::file::NewTime;
use crate::host::{HostFile, nanoseconds};
use crate::memory::{GuestAddr, GuestMemory};
use crate::table::{Descriptor, Directory, Object, Source};
use crate::types::{Fd, FdFlags, FileStat, FileType, LookupFlags, OpenFlags, Rights};

/// The longest path, in bytes (`PATH_MAX` with its ending zero).
const MAX_PATH: u32 = 4095;

/// How `path_open` opens: the guest's wishes, checked.
#[derive(Clone, Copy, Debug)]
struct Opening {
    follow: bool,
    flags: OpenFlags,
    fdflags: FdFlags,
    read: bool,
    write: bool,
}

impl Opening {
    /// The options for the host's call; `create` says whether to create.
    fn options(self, create: bool) -> OpenOptions {
        let truncate = self.flags.contains(OpenFlags::TRUNC);
        let exclusive = self.flags.contains(OpenFlags::EXCL);
        // The host creates and truncates only what it may write.
        let write = self.write || create || truncate;
        // Opening never waits, whatever is opened; `HostFile` gives the guest
        // the waiting it asked for.
        let mut host = OFlags::NONBLOCK | OFlags::NOCTTY;
        // Where links are followed, `open` says the same with a slash.
        let directory = self.flags.contains(OpenFlags::DIRECTORY) && !self.follow;
        host.set(OFlags::DIRECTORY, directory);
        host.set(OFlags::APPEND, self.fdflags.contains(FdFlags::APPEND));
        host.set(OFlags::DSYNC, self.fdflags.contains(FdFlags::DSYNC));
        host.set(OFlags::SYNC, self.fdflags.intersects(FdFlags::SYNC.or(FdFlags::RSYNC)));
        let mut options = OpenOptions::new();
        options
            .read(self.read || !write)
            .write(write)
            .create(create && !exclusive)
            .create_new(create && exclusive)
            .truncate(truncate)
            .custom_flags(host.bits().cast_signed())
            .follow(follow(self.follow));
        options
    }

    /// Opens `path` below `directory`.
    ///
    /// # Errors
    ///
    /// What the host says; [`Errno::Rofs`] for what would change a read-only
    /// directory.
    fn open(self, directory: &Directory, path: &Path) -> Result<File, Errno> {
        let mut path = path.as_os_str().to_os_string();
        if self.follow && self.flags.contains(OpenFlags::DIRECTORY) {
            // `O_DIRECTORY` would not do: where the host cannot confine a
            // path itself, cap-primitives opens the link with it.
            path.push("/");
        }
        let open = |create| {
            Ok(confined::open(
                &directory.file,
                Path::new(&path),
                &self.options(create),
            )?)
        };
        let create = self.flags.contains(OpenFlags::CREAT);
        let exclusive = create && self.flags.contains(OpenFlags::EXCL);
        let truncate = self.flags.contains(OpenFlags::TRUNC);
        if directory.read_only {
            if self.write || truncate {
                return Err(Errno::Rofs);
            }
            return match open(false) {
                Ok(_) if exclusive => Err(Errno::Exist),
                Err(Errno::Noent) if create => Err(Errno::Rofs),
                result => result,
            };
        }
        if create && !exclusive && !self.write && !truncate {
            // A file that exists need not be writable to be opened so.
            match open(false) {
                Err(Errno::Noent) => {}
                result => return result,
            }
        }
        open(create)
    }
}

impl Call<'_> {
    /// `path_create_directory`: creates a directory.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_create_directory(&mut self, fd: Fd, path: GuestAddr, path_len: u32) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_CREATE_DIRECTORY)?;
        let path = read_path(self.memory, path, path_len)?;
        directory.check_writable()?;
        confined::create_dir(&directory.file, &path, &DirOptions::new())?;
        Ok(())
    }

    /// `path_filestat_get`: a file's attributes.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_filestat_get(
        &mut self,
        fd: Fd,
        flags: u32,
        path: GuestAddr,
        path_len: u32,
        stat: GuestAddr,
    ) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_FILESTAT_GET)?;
        let path = read_path(self.memory, path, path_len)?;
        let follow_last = follows(flags)? || names_directory(&path);
        let metadata = confined::stat(&directory.file, &path, follow(follow_last))?;
        let record = FileStat {
            dev: metadata.dev(),
            ino: metadata.ino(),
            filetype: FileType::from_mode(metadata.mode()),
            nlink: metadata.nlink(),
            size: metadata.size(),
            atim: nanoseconds(metadata.atime(), metadata.atime_nsec()),
            mtim: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctim: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        };
        self.put_filestat(stat, &record)
    }

    /// `path_filestat_set_times`: sets a file's times.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    #[expect(clippy::too_many_arguments, reason = "the interface's parameters")]
    pub fn path_filestat_set_times(
        &mut self,
        fd: Fd,
        flags: u32,
        path: GuestAddr,
        path_len: u32,
        atim: u64,
        mtim: u64,
        fst_flags: u32,
    ) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_FILESTAT_SET_TIMES)?;
        let path = read_path(self.memory, path, path_len)?;
        let follow_last = follows(flags)?;
        let (atim, mtim) = NewTime::from_guest(fst_flags, atim, mtim)?;
        directory.check_writable()?;
        let path = resolve(directory, path, follow_last)?;
        confined::set_times_nofollow(&directory.file, &path, time_spec(atim)?, time_spec(mtim)?)?;
        Ok(())
    }

    /// `path_link`: gives a file another name.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    #[expect(clippy::too_many_arguments, reason = "the interface's parameters")]
    pub fn path_link(
        &mut self,
        old_fd: Fd,
        old_flags: u32,
        old_path: GuestAddr,
        old_path_len: u32,
        new_fd: Fd,
        new_path: GuestAddr,
        new_path_len: u32,
    ) -> Result<(), Failure> {
        let old = self.directory(old_fd, Rights::PATH_LINK_SOURCE)?;
        let new = self.directory(new_fd, Rights::PATH_LINK_TARGET)?;
        let old_path = read_path(self.memory, old_path, old_path_len)?;
        let new_path = read_path(self.memory, new_path, new_path_len)?;
        let follow_last = follows(old_flags)?;
        // A second name in a writable directory would be a way to write to a
        // file of a read-only one.
        old.check_writable()?;
        new.check_writable()?;
        let old_path = resolve(old, old_path, follow_last)?;
        confined::hard_link(&old.file, &old_path, &new.file, &new_path)?;
        Ok(())
    }

    /// `path_open`: opens a file or a directory. The rights asked for must be
    /// among those the directory passes on; those that make no sense for what
    /// was opened are left out.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NFILE` if too many are open; what the host
    /// says.
    #[expect(clippy::too_many_arguments, reason = "the interface's parameters")]
    pub fn path_open(
        &mut self,
        fd: Fd,
        dirflags: u32,
        path: GuestAddr,
        path_len: u32,
        oflags: u32,
        rights_base: u64,
        rights_inheriting: u64,
        fdflags: u32,
        opened: GuestAddr,
    ) -> Result<(), Failure> {
        let flags = OpenFlags::from_guest(oflags)?;
        let fdflags = FdFlags::from_guest(fdflags)?;
        let base = Rights::from_bits(rights_base).and(Rights::ALL);
        let inheriting = Rights::from_bits(rights_inheriting).and(Rights::ALL);
        let follow = follows(dirflags)?;

        let mut needed = Rights::PATH_OPEN;
        if flags.contains(OpenFlags::CREAT) {
            needed = needed.or(Rights::PATH_CREATE_FILE);
        }
        if flags.contains(OpenFlags::TRUNC) {
            needed = needed.or(Rights::PATH_FILESTAT_SET_SIZE);
        }
        let mut passed_on = base.or(inheriting).without(Rights::SOCKET);
        if fdflags.contains(FdFlags::DSYNC) {
            passed_on = passed_on.or(Rights::FD_DATASYNC);
        }
        if fdflags.intersects(FdFlags::SYNC.or(FdFlags::RSYNC)) {
            passed_on = passed_on.or(Rights::FD_SYNC);
        }

        let directory = self.directory(fd, needed)?;
        let parent = self.ctx.fds.get(fd)?;
        // Programs ask for rights that they do not need. What permissions take
        // away is missed when it is used, but for reading and writing.
        let permitted = parent.inheriting();
        let contents = base.and(Rights::READING.or(Rights::WRITING));
        if !parent.inheriting.contains(passed_on) || !permitted.contains(contents) {
            return Err(Errno::NotCapable.into());
        }
        let (base, inheriting) = (base.and(permitted), inheriting.and(permitted));
        let path = read_path(self.memory, path, path_len)?;
        if flags.contains(OpenFlags::CREAT.or(OpenFlags::DIRECTORY)) {
            return Err(Errno::Inval.into());
        }
        self.ctx.fds.check_room()?;
        let opening = Opening {
            follow,
            flags,
            fdflags,
            read: base.intersects(Rights::READING),
            write: base.intersects(Rights::WRITING),
        };
        let file = opening.open(directory, &path)?;
        let source = parent.source.clone();
        let descriptor = descriptor(file, source, directory.read_only, base, inheriting, fdflags)?;
        let number = self.ctx.fds.insert(descriptor)?;
        if let Err(errno) = self.memory.write_u32(opened, number.0) {
            drop(self.ctx.fds.remove(number));
            return Err(errno.into());
        }
        Ok(())
    }

    /// `path_readlink`: what a symbolic link contains, cut off to the
    /// buffer's length. A link to an absolute path is not shown: it says
    /// something about the host, and leads nowhere here.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_readlink(
        &mut self,
        fd: Fd,
        path: GuestAddr,
        path_len: u32,
        buf: GuestAddr,
        buf_len: u32,
        bufused: GuestAddr,
    ) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_READLINK)?;
        let path = read_path(self.memory, path, path_len)?;
        let target = confined::read_link(&directory.file, &path)?;
        let target = target.as_os_str().as_bytes();
        let room = usize::try_from(buf_len).unwrap_or(usize::MAX);
        let shown = target.get(..room).unwrap_or(target);
        let used = u32::try_from(shown.len()).map_err(|_| Errno::NameTooLong)?;
        self.memory.write(buf.0, shown)?;
        Ok(self.memory.write_u32(bufused, used)?)
    }

    /// `path_remove_directory`: removes an empty directory.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_remove_directory(&mut self, fd: Fd, path: GuestAddr, path_len: u32) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_REMOVE_DIRECTORY)?;
        let path = read_path(self.memory, path, path_len)?;
        directory.check_writable()?;
        confined::remove_dir(&directory.file, without_trailing_slashes(&path))?;
        Ok(())
    }

    /// `path_rename`: gives a file or a directory another name or place.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_rename(
        &mut self,
        fd: Fd,
        old_path: GuestAddr,
        old_path_len: u32,
        new_fd: Fd,
        new_path: GuestAddr,
        new_path_len: u32,
    ) -> Result<(), Failure> {
        let old = self.directory(fd, Rights::PATH_RENAME_SOURCE)?;
        let new = self.directory(new_fd, Rights::PATH_RENAME_TARGET)?;
        let old_path = read_path(self.memory, old_path, old_path_len)?;
        let new_path = read_path(self.memory, new_path, new_path_len)?;
        old.check_writable()?;
        new.check_writable()?;
        confined::rename(&old.file, &old_path, &new.file, &new_path)?;
        Ok(())
    }

    /// `path_symlink`: creates a symbolic link, which must not be to an
    /// absolute path.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_symlink(
        &mut self,
        old_path: GuestAddr,
        old_path_len: u32,
        fd: Fd,
        new_path: GuestAddr,
        new_path_len: u32,
    ) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_SYMLINK)?;
        let contents = read_path(self.memory, old_path, old_path_len)?;
        let path = read_path(self.memory, new_path, new_path_len)?;
        directory.check_writable()?;
        confined::symlink(&contents, &directory.file, &path)?;
        Ok(())
    }

    /// `path_unlink_file`: removes a file.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; what the host says.
    pub fn path_unlink_file(&mut self, fd: Fd, path: GuestAddr, path_len: u32) -> Result<(), Failure> {
        let directory = self.directory(fd, Rights::PATH_UNLINK_FILE)?;
        let path = read_path(self.memory, path, path_len)?;
        directory.check_writable()?;
        confined::remove_file(&directory.file, &path)?;
        Ok(())
    }

    /// The directory `fd` names, with rights for an operation below it.
    fn directory(&self, fd: Fd, rights: Rights) -> Result<&Directory, Errno> {
        let descriptor = self.ctx.fds.get(fd)?;
        let directory = descriptor.directory()?;
        descriptor.require(rights)?;
        Ok(directory)
    }
}

/// The descriptor for a file that was just opened.
fn descriptor(
    file: File,
    source: Source,
    read_only: bool,
    base: Rights,
    inheriting: Rights,
    flags: FdFlags,
) -> Result<Descriptor, Errno> {
    if file.metadata()?.is_dir() {
        let directory = Object::Directory(Directory {
            file: Arc::new(file),
            read_only,
            preopen: None,
            listing: None,
        });
        let mut descriptor = Descriptor::new(directory, source, base.and(Rights::DIRECTORY), inheriting);
        descriptor.flags = flags;
        return Ok(descriptor);
    }
    let mut file = HostFile::new(file)?;
    file.read_only = read_only;
    let mut descriptor = Descriptor::for_file(file, source);
    descriptor.base = descriptor.base.and(base);
    descriptor.flags = flags;
    Ok(descriptor)
}

/// Reads a path from the guest's memory.
///
/// # Errors
///
/// [`Errno::Fault`] outside the memory, [`Errno::Noent`] for an empty path,
/// [`Errno::NameTooLong`], [`Errno::Inval`] for a zero byte.
fn read_path(memory: &dyn GuestMemory, path: GuestAddr, len: u32) -> Result<PathBuf, Errno> {
    if len == 0 {
        return Err(Errno::Noent);
    }
    if len > MAX_PATH {
        return Err(Errno::NameTooLong);
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| Errno::NameTooLong)?];
    memory.read(path.0, &mut bytes)?;
    if bytes.contains(&0) {
        return Err(Errno::Inval);
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

/// Whether a guest's lookup flags follow a link in the last component.
fn follows(flags: u32) -> Result<bool, Errno> {
    Ok(LookupFlags::from_guest(flags)?.contains(LookupFlags::SYMLINK_FOLLOW))
}

/// The same, as cap-primitives takes it.
fn follow(follow: bool) -> FollowSymlinks {
    FollowSymlinks::follow(follow)
}

/// Whether a path can only name a directory, so that a link at its end is
/// followed in any case.
fn names_directory(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.")
}

/// A path without the slashes at its end, which mean nothing to `rmdir`.
fn without_trailing_slashes(path: &Path) -> &Path {
    let mut bytes = path.as_os_str().as_bytes();
    while let Some((b'/', rest)) = bytes.split_last().filter(|(_, rest)| !rest.is_empty()) {
        bytes = rest;
    }
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// A path whose last component is not a link, if links are to be followed.
/// Should it become one before the path is used, it is not followed then.
///
/// # Errors
///
/// What the host says; `NOENT` for a link that leads nowhere.
fn resolve(directory: &Directory, path: PathBuf, follow: bool) -> Result<PathBuf, Errno> {
    if follow {
        Ok(confined::canonicalize(&directory.file, &path)?)
    } else {
        Ok(path)
    }
}

/// A new time as cap-primitives takes it.
///
/// # Errors
///
/// [`Errno::Overflow`] for a time the host cannot express.
fn time_spec(time: NewTime) -> Result<Option<SystemTimeSpec>, Errno> {
    match time {
        NewTime::Keep => Ok(None),
        NewTime::Now => Ok(Some(SystemTimeSpec::SymbolicNow)),
        NewTime::At(nanoseconds) => {
            let time = SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_nanos(nanoseconds))
                .ok_or(Errno::Overflow)?;
            let time = cap_primitives::time::SystemTime::from_std(time);
            Ok(Some(SystemTimeSpec::Absolute(time)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_go_but_not_the_root() {
        let stripped = |path: &str| without_trailing_slashes(Path::new(path)).to_path_buf();
        assert_eq!(stripped("a//").as_os_str(), "a");
        assert_eq!(stripped("a/b").as_os_str(), "a/b");
        assert_eq!(stripped("//").as_os_str(), "/");
    }

    #[test]
    fn paths_are_checked_before_the_host_sees_them() {
        let mut memory = vec![b'a'; 8192];
        memory[1] = 0;
        let read = |addr, len| read_path(&memory, GuestAddr(addr), len);
        assert_eq!(read(2, 3), Ok(PathBuf::from("aaa")));
        assert_eq!(read(0, 3), Err(Errno::Inval));
        assert_eq!(read(0, 0), Err(Errno::Noent));
        assert_eq!(read(2, 4096), Err(Errno::NameTooLong));
        assert_eq!(read(8190, 3), Err(Errno::Fault));
    }
}
