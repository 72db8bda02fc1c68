//! What is done to an open descriptor as a whole: `fd_advise`,
//! `fd_allocate`, `fd_close`, `fd_datasync`, `fd_sync`, `fd_fdstat_*`,
//! `fd_filestat_*`, `fd_renumber`.

use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::PoisonError;

use rustix::fs::{Advice, FallocateFlags, OFlags, Timespec, Timestamps};

use crate::abi::Call;
use crate::errno::{Errno, Failure};
use crate::host::file_stat;
use crate::memory::GuestAddr;
use crate::table::{Descriptor, Object};
use crate::types::{Fd, FdFlags, FdStat, FileStat, FileType, Rights, TimeFlags};

/// What becomes of one of a file's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewTime {
    /// It stays.
    Keep,
    /// It becomes the time of the call.
    Now,
    /// It becomes this, in nanoseconds since 1970.
    At(u64),
}

impl NewTime {
    /// What a guest's flags and values ask for: the access time and the
    /// modification time.
    ///
    /// # Errors
    ///
    /// [`Errno::Inval`] if a time is to be both the value and now.
    pub(crate) fn from_guest(flags: u32, atim: u64, mtim: u64) -> Result<(NewTime, NewTime), Errno> {
        let flags = TimeFlags::from_guest(flags)?;
        let one = |value, now, time| match (flags.contains(value), flags.contains(now)) {
            (false, false) => Ok(NewTime::Keep),
            (false, true) => Ok(NewTime::Now),
            (true, false) => Ok(NewTime::At(time)),
            (true, true) => Err(Errno::Inval),
        };
        Ok((
            one(TimeFlags::ATIM, TimeFlags::ATIM_NOW, atim)?,
            one(TimeFlags::MTIM, TimeFlags::MTIM_NOW, mtim)?,
        ))
    }

    /// The time as the host's calls take it.
    fn to_host(self) -> Timespec {
        match self {
            NewTime::Keep => Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            },
            NewTime::Now => Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            },
            NewTime::At(nanoseconds) => crate::interrupt::timespec(std::time::Duration::from_nanos(nanoseconds)),
        }
    }
}

impl Call<'_> {
    /// `fd_advise`: says how a part of a file will be used.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `SPIPE` for a stream.
    pub fn fd_advise(&mut self, fd: Fd, offset: u64, len: u64, advice: u32) -> Result<(), Failure> {
        let file = self.ctx.fds.get(fd)?.file_with(Rights::FD_ADVISE)?;
        let advice = match advice {
            0 => Advice::Normal,
            1 => Advice::Sequential,
            2 => Advice::Random,
            3 => Advice::WillNeed,
            4 => Advice::DontNeed,
            5 => Advice::NoReuse,
            _ => return Err(Errno::Inval.into()),
        };
        rustix::fs::fadvise(file, offset, NonZeroU64::new(len), advice)?;
        Ok(())
    }

    /// `fd_allocate`: makes sure that a part of a file has its place on the
    /// disk, growing the file if need be.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `SPIPE` for a stream,
    /// `NOTSUP` where the host's file system cannot.
    pub fn fd_allocate(&mut self, fd: Fd, offset: u64, len: u64) -> Result<(), Failure> {
        let file = self.ctx.fds.get(fd)?.file_with(Rights::FD_ALLOCATE)?;
        rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len))?;
        Ok(())
    }

    /// `fd_close`: closes a descriptor, a preopened one like any other.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_close(&mut self, fd: Fd) -> Result<(), Failure> {
        drop(self.ctx.fds.remove(fd)?);
        Ok(())
    }

    /// `fd_datasync`: brings a file's data to the disk.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_datasync(&mut self, fd: Fd) -> Result<(), Failure> {
        self.synchronise(fd, Rights::FD_DATASYNC, |fd| rustix::fs::fdatasync(fd))
    }

    /// `fd_sync`: brings a file's data and attributes to the disk.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_sync(&mut self, fd: Fd) -> Result<(), Failure> {
        self.synchronise(fd, Rights::FD_SYNC, |fd| rustix::fs::fsync(fd))
    }

    /// `fd_fdstat_get`: a descriptor's type, flags and rights.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_fdstat_get(&mut self, fd: Fd, stat: GuestAddr) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        let record = FdStat {
            filetype: descriptor.filetype(),
            flags: descriptor.flags,
            base: descriptor.rights(),
            inheriting: descriptor.inheriting(),
        };
        Ok(self.memory.write(stat.0, &record.to_bytes())?)
    }

    /// `fd_fdstat_set_flags`: sets a descriptor's flags. `NONBLOCK` can be
    /// set on everything, `APPEND` on files the guest opened; the
    /// synchronising flags stay as they were when the file was opened.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTSUP` for a change that is not possible.
    pub fn fd_fdstat_set_flags(&mut self, fd: Fd, flags: u32) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get_mut(fd)?;
        descriptor.require(Rights::FD_FDSTAT_SET_FLAGS)?;
        let flags = FdFlags::from_guest(flags)?;
        let changed = flags.without(descriptor.flags).or(descriptor.flags.without(flags));
        if changed.intersects(FdFlags::SYNCHRONISED) {
            return Err(Errno::Notsup.into());
        }
        if changed.contains(FdFlags::APPEND) {
            match &descriptor.object {
                Object::File(file) if !file.shared => {
                    let mut host = rustix::fs::fcntl_getfl(file)?;
                    host.set(OFlags::APPEND, flags.contains(FdFlags::APPEND));
                    rustix::fs::fcntl_setfl(file, host)?;
                }
                _ => return Err(Errno::Notsup.into()),
            }
        }
        descriptor.flags = flags;
        Ok(())
    }

    /// `fd_fdstat_set_rights`: takes rights away from a descriptor.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTCAPABLE` if it would add some.
    pub fn fd_fdstat_set_rights(&mut self, fd: Fd, base: u64, inheriting: u64) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get_mut(fd)?;
        let base = Rights::from_bits(base);
        let inheriting = Rights::from_bits(inheriting);
        if !descriptor.base.contains(base) || !descriptor.inheriting.contains(inheriting) {
            return Err(Errno::NotCapable.into());
        }
        descriptor.base = base;
        descriptor.inheriting = inheriting;
        Ok(())
    }

    /// `fd_filestat_get`: a file's attributes.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_filestat_get(&mut self, fd: Fd, stat: GuestAddr) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        descriptor.require(Rights::FD_FILESTAT_GET)?;
        let record = match &descriptor.object {
            Object::Directory(directory) => file_stat(&directory.file.metadata()?, FileType::Directory),
            Object::File(file) => file.stat()?,
            Object::Input(_) | Object::Output(_) => FileStat::STREAM,
        };
        self.put_filestat(stat, &record)
    }

    /// `fd_filestat_set_size`: sets a file's size in bytes.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ISDIR` for a directory, `SPIPE` for a stream.
    pub fn fd_filestat_set_size(&mut self, fd: Fd, size: u64) -> Result<(), Failure> {
        let file = self.ctx.fds.get(fd)?.file_with(Rights::FD_FILESTAT_SET_SIZE)?;
        rustix::io::retry_on_intr(|| rustix::fs::ftruncate(file, size))?;
        Ok(())
    }

    /// `fd_filestat_set_times`: sets a file's times.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `ROFS` below a read-only preopen.
    pub fn fd_filestat_set_times(&mut self, fd: Fd, atim: u64, mtim: u64, flags: u32) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get(fd)?;
        descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
        let (atim, mtim) = NewTime::from_guest(flags, atim, mtim)?;
        let host = match &descriptor.object {
            Object::Directory(directory) => {
                directory.check_writable()?;
                directory.file.as_fd()
            }
            Object::File(file) if file.read_only => return Err(Errno::Rofs.into()),
            Object::File(file) => file.as_fd(),
            Object::Input(_) | Object::Output(_) => return Err(Errno::Inval.into()),
        };
        let times = Timestamps {
            last_access: atim.to_host(),
            last_modification: mtim.to_host(),
        };
        rustix::fs::futimens(host, &times)?;
        Ok(())
    }

    /// `fd_renumber`: gives a descriptor the number of another, which it
    /// closes.
    ///
    /// # Errors
    ///
    /// As for every [`Call`].
    pub fn fd_renumber(&mut self, from: Fd, to: Fd) -> Result<(), Failure> {
        Ok(self.ctx.fds.renumber(from, to)?)
    }

    /// Writes a `filestat` as the guest's preview lays it out.
    pub(crate) fn put_filestat(&mut self, addr: GuestAddr, stat: &FileStat) -> Result<(), Failure> {
        let (len, bytes) = (self.abi.filestat)(stat);
        let bytes = bytes.get(..len).unwrap_or(&bytes);
        Ok(self.memory.write(addr.0, bytes)?)
    }

    /// Brings what was written through a descriptor to where it belongs.
    fn synchronise(
        &mut self,
        fd: Fd,
        right: Rights,
        operation: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<()>,
    ) -> Result<(), Failure> {
        let descriptor: &mut Descriptor = self.ctx.fds.get_mut(fd)?;
        descriptor.require(right)?;
        match &mut descriptor.object {
            Object::Directory(directory) => {
                rustix::io::retry_on_intr(|| operation(directory.file.as_fd()))?;
            }
            Object::File(file) => rustix::io::retry_on_intr(|| operation(file.as_fd()))?,
            Object::Input(_) => {}
            Object::Output(writer) => writer.lock().unwrap_or_else(PoisonError::into_inner).flush()?,
        }
        Ok(())
    }
}
