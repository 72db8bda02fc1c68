//! Directories as such: `fd_readdir`, `fd_prestat_get`,
//! `fd_prestat_dir_name`.
//!
//! Owns [`Listing`], a descriptor's place in its directory. Cookies are the
//! host's own positions, which stay valid while entries come and go; 0 is the
//! start. A guest that goes on where its buffer ended costs no seeking and
//! the host no more than one buffer of the host's entries.

use std::fs::File;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};

use crate::abi::Call;
use crate::errno::{Errno, Failure};
use crate::memory::{GuestAddr, GuestMemory};
use crate::types::{DIRENT_SIZE, Dirent, Fd, FileType, Rights};

/// Where a descriptor stands in its directory.
pub(crate) struct Listing {
    dir: Dir,
    /// The cookie of the next entry of `dir`.
    position: u64,
    /// An entry that was read but did not fit into the guest's buffer, and
    /// its own cookie.
    held: Option<(u64, Entry)>,
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// One entry of a directory.
#[derive(Debug)]
struct Entry {
    dirent: Dirent,
    name: Vec<u8>,
}

impl Listing {
    /// A listing from the start of `directory`.
    ///
    /// # Errors
    ///
    /// What the host says.
    fn open(directory: &File) -> Result<Listing, Errno> {
        // A descriptor of its own, so that the position is its own too.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
        Ok(Listing {
            dir: Dir::new(fd)?,
            position: 0,
            held: None,
        })
    }

    /// Goes to `cookie`.
    ///
    /// # Errors
    ///
    /// What the host says of a cookie it never gave.
    fn seek(&mut self, cookie: u64) -> Result<(), Errno> {
        if cookie == 0 {
            self.dir.rewind();
        } else if matches!(self.held, Some((held, _)) if held == cookie) {
            return Ok(());
        } else if cookie != self.position {
            self.dir.seek(cookie.cast_signed())?;
        }
        self.position = cookie;
        self.held = None;
        Ok(())
    }

    /// The next entry and its own cookie, or `None` at the end.
    ///
    /// # Errors
    ///
    /// What the host says.
    fn next(&mut self) -> Result<Option<(u64, Entry)>, Errno> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let Some(entry) = self.dir.read().transpose()? else {
            return Ok(None);
        };
        let name = entry.file_name();
        let filetype = match FileType::from(entry.file_type()) {
            // Some file systems do not say; a FIFO really is unknown.
            FileType::Unknown => {
                match rustix::fs::statat(self.dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from(rustix::fs::FileType::from_raw_mode(stat.st_mode)),
                    // Removed since.
                    Err(_) => FileType::Unknown,
                }
            }
            known => known,
        };
        let cookie = self.position;
        self.position = entry.offset().cast_unsigned();
        let name = name.to_bytes().to_vec();
        let dirent = Dirent {
            next: self.position,
            ino: entry.ino(),
            namlen: u32::try_from(name.len()).map_err(|_| Errno::NameTooLong)?,
            filetype,
        };
        Ok(Some((cookie, Entry { dirent, name })))
    }

    /// Fills the guest's buffer from where the listing stands, the last entry
    /// cut off if it does not fit; says how many bytes were used.
    ///
    /// # Errors
    ///
    /// What the host says; [`Errno::Fault`] outside the memory.
    fn fill(&mut self, memory: &mut dyn GuestMemory, buf: GuestAddr, len: u32) -> Result<u32, Errno> {
        let mut used = 0;
        while used < len {
            let Some((cookie, entry)) = self.next()? else {
                break;
            };
            let name_room = (len - used).saturating_sub(DIRENT_SIZE);
            let header = entry.dirent.to_bytes();
            let header = match usize::try_from(len - used) {
                Ok(room) => header.get(..room).unwrap_or(&header),
                Err(_) => &header,
            };
            let name = match usize::try_from(name_room) {
                Ok(room) => entry.name.get(..room).unwrap_or(&entry.name),
                Err(_) => &entry.name,
            };
            memory.write(buf.plus(used)?.0, header)?;
            if !name.is_empty() {
                memory.write(buf.plus(used)?.plus(DIRENT_SIZE)?.0, name)?;
            }
            let size = DIRENT_SIZE.saturating_add(entry.dirent.namlen);
            if size > len - used {
                self.held = Some((cookie, entry));
                return Ok(len);
            }
            used += size;
        }
        Ok(used)
    }
}

impl Call<'_> {
    /// `fd_readdir`: the entries of a directory from `cookie` on, `.` and
    /// `..` among them. Fewer bytes than the buffer holds mean that the end
    /// was reached; the last entry may be cut off.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `NOTDIR` if it is not a directory.
    pub fn fd_readdir(
        &mut self,
        fd: Fd,
        buf: GuestAddr,
        buf_len: u32,
        cookie: u64,
        bufused: GuestAddr,
    ) -> Result<(), Failure> {
        let descriptor = self.ctx.fds.get_mut(fd)?;
        descriptor.directory()?;
        descriptor.require(Rights::FD_READDIR)?;
        let directory = descriptor.directory_mut()?;
        let mut listing = match directory.listing.take() {
            Some(listing) => listing,
            None => Listing::open(&directory.file)?,
        };
        listing.seek(cookie)?;
        let used = listing.fill(self.memory, buf, buf_len)?;
        directory.listing = Some(listing);
        Ok(self.memory.write_u32(bufused, used)?)
    }

    /// `fd_prestat_get`: whether a descriptor is a preopened directory, and
    /// how long its name is.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `BADF` if it is not one.
    pub fn fd_prestat_get(&mut self, fd: Fd, prestat: GuestAddr) -> Result<(), Failure> {
        let len = u32::try_from(self.preopen_name(fd)?.len()).map_err(|_| Errno::Overflow)?;
        // The tag (0, a directory) as u8 at 0, the name's length u32 at 4.
        let [a, b, c, d] = len.to_le_bytes();
        Ok(self.memory.write(prestat.0, &[0, 0, 0, 0, a, b, c, d])?)
    }

    /// `fd_prestat_dir_name`: the guest's name of a preopened directory.
    ///
    /// # Errors
    ///
    /// As for every [`Call`]; `BADF` if it is not one, `NAMETOOLONG` if the
    /// buffer is too short.
    pub fn fd_prestat_dir_name(&mut self, fd: Fd, path: GuestAddr, path_len: u32) -> Result<(), Failure> {
        // The name's own copy: the table and the memory are both `self`'s.
        let name: Box<[u8]> = self.preopen_name(fd)?.into();
        match u32::try_from(name.len()) {
            Ok(len) if len <= path_len => Ok(self.memory.write(path.0, &name)?),
            _ => Err(Errno::NameTooLong.into()),
        }
    }

    /// The name of a preopened directory.
    fn preopen_name(&self, fd: Fd) -> Result<&[u8], Errno> {
        let directory = self.ctx.fds.get(fd)?.directory().map_err(|_| Errno::Badf)?;
        directory.preopen.as_deref().ok_or(Errno::Badf)
    }
}
