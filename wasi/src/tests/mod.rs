//! Tests of the functions against a memory of their own, without the virtual
//! machine. This file is the fixture; each other file is one concern.

use std::path::Path;

use tempfile::TempDir;

use crate::abi::{Abi, Call};
use crate::builder::{DirPerms, WasiCtxBuilder};
use crate::ctx::WasiCtx;
use crate::errno::{Errno, Failure};
use crate::memory::{GuestAddr, GuestMemory};
use crate::types::{Fd, FileType, OpenFlags, Rights};
use crate::{preview0, preview1};

mod confinement;
mod files;
mod hostile;
mod layouts;
mod link;
mod permissions;
mod polling;
mod streams;
mod threads;

/// Where the fixture puts a call's results.
const RESULT: GuestAddr = GuestAddr(0x100);
/// Where the fixture puts paths; a second one goes 4 KiB further on.
const PATH: GuestAddr = GuestAddr(0x1000);
/// Where the fixture puts data, and its vectors before them.
const DATA: GuestAddr = GuestAddr(0x4000);
const VECTORS: GuestAddr = GuestAddr(0x3f00);
/// The size of the fixture's memory.
const MEMORY: usize = 0x40000;

/// The preopened directory of [`Guest::in_dir`].
const ROOT: Fd = Fd(3);

/// All rights on a file.
const ALL: Rights = Rights::ALL.without(Rights::SOCKET);

/// A guest: its state, its memory, the preview it uses.
struct Guest {
    ctx: WasiCtx,
    memory: Vec<u8>,
    abi: &'static Abi,
}

/// What a function returned, without the cases that end a guest.
fn errno(result: Result<(), Failure>) -> Result<(), Errno> {
    match result {
        Ok(()) => Ok(()),
        Err(Failure::Errno(errno)) => Err(errno),
        Err(other) => panic!("the guest ended: {other:?}"),
    }
}

impl Guest {
    fn new(builder: &mut WasiCtxBuilder) -> Guest {
        Guest {
            ctx: builder.build().expect("the context can be built"),
            memory: vec![0; MEMORY],
            abi: &preview1::ABI,
        }
    }

    /// A guest with `dir` preopened as `/`.
    fn in_dir(dir: &Path) -> Guest {
        Guest::new(WasiCtxBuilder::new().preopened_dir(dir, "/", DirPerms::ReadWrite))
    }

    /// A guest that may only read `dir`.
    fn reading_dir(dir: &Path) -> Guest {
        Guest::new(WasiCtxBuilder::new().preopened_dir(dir, "/", DirPerms::ReadOnly))
    }

    fn preview0(mut self) -> Guest {
        self.abi = &preview0::ABI;
        self
    }

    fn call(&mut self) -> Call<'_> {
        Call {
            ctx: &mut self.ctx,
            memory: &mut self.memory,
            abi: self.abi,
        }
    }

    /// Puts a path where calls find it; gives its address and length.
    fn path(&mut self, path: &str) -> (GuestAddr, u32) {
        self.put(PATH, path.as_bytes())
    }

    /// The same for a function's second path.
    fn second_path(&mut self, path: &str) -> (GuestAddr, u32) {
        self.put(GuestAddr(PATH.0 + 0x1000), path.as_bytes())
    }

    fn put(&mut self, addr: GuestAddr, bytes: &[u8]) -> (GuestAddr, u32) {
        self.memory
            .write(addr.0, bytes)
            .expect("the fixture's addresses are in range");
        (addr, u32::try_from(bytes.len()).expect("the fixture's data are short"))
    }

    fn get<const N: usize>(&self, addr: GuestAddr) -> [u8; N] {
        let mut bytes = [0; N];
        self.memory
            .read(addr.0, &mut bytes)
            .expect("the fixture's addresses are in range");
        bytes
    }

    fn get_u32(&self, addr: GuestAddr) -> u32 {
        u32::from_le_bytes(self.get(addr))
    }

    fn get_u64(&self, addr: GuestAddr) -> u64 {
        u64::from_le_bytes(self.get(addr))
    }

    fn bytes(&self, addr: GuestAddr, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(len).expect("it is short")];
        self.memory.read(addr.0, &mut bytes).expect("the address is in range");
        bytes
    }

    /// Opens with following links, as `open` does.
    fn open(&mut self, dir: Fd, path: &str, flags: OpenFlags, rights: Rights) -> Result<Fd, Errno> {
        self.open_with(dir, 1, path, flags, rights, 0)
    }

    fn open_with(
        &mut self,
        dir: Fd,
        lookup: u32,
        path: &str,
        flags: OpenFlags,
        rights: Rights,
        fdflags: u32,
    ) -> Result<Fd, Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_open(
            dir,
            lookup,
            path,
            len,
            flags.bits().into(),
            rights.bits(),
            rights.bits(),
            fdflags,
            RESULT,
        ))?;
        Ok(Fd(self.get_u32(RESULT)))
    }

    /// Opens a directory with all rights that make sense.
    fn open_directory(&mut self, path: &str) -> Fd {
        let (path, len) = self.path(path);
        let (base, inheriting) = (Rights::DIRECTORY.bits(), Rights::INHERITING.bits());
        let directory = u32::from(OpenFlags::DIRECTORY.bits());
        let opened = self
            .call()
            .path_open(ROOT, 0, path, len, directory, base, inheriting, 0, RESULT);
        assert_eq!(opened, Ok(()));
        Fd(self.get_u32(RESULT))
    }

    fn close(&mut self, fd: Fd) {
        assert_eq!(self.call().fd_close(fd), Ok(()));
    }

    /// Writes `data` as one vector.
    fn write(&mut self, fd: Fd, data: &[u8]) -> Result<u32, Errno> {
        let vector = self.vector(data);
        errno(self.call().fd_write(fd, vector, 1, RESULT))?;
        Ok(self.get_u32(RESULT))
    }

    /// Reads up to `len` bytes as one vector.
    fn read(&mut self, fd: Fd, len: u32) -> Result<Vec<u8>, Errno> {
        let vector = self.vector(&vec![0xaa; usize::try_from(len).expect("it is short")]);
        errno(self.call().fd_read(fd, vector, 1, RESULT))?;
        Ok(self.bytes(DATA, self.get_u32(RESULT)))
    }

    /// Puts `data` into the memory and a vector that describes it.
    fn vector(&mut self, data: &[u8]) -> GuestAddr {
        let (addr, len) = self.put(DATA, data);
        self.put(VECTORS, &addr.0.to_le_bytes());
        self.put(GuestAddr(VECTORS.0 + 4), &len.to_le_bytes());
        VECTORS
    }

    /// A file's contents, by its path.
    fn read_file(&mut self, dir: Fd, path: &str) -> Result<Vec<u8>, Errno> {
        let fd = self.open(dir, path, OpenFlags::NONE, Rights::FD_READ)?;
        let contents = self.read(fd, 4096);
        self.close(fd);
        contents
    }

    fn create_directory(&mut self, path: &str) -> Result<(), Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_create_directory(ROOT, path, len))
    }

    fn remove_directory(&mut self, path: &str) -> Result<(), Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_remove_directory(ROOT, path, len))
    }

    fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_unlink_file(ROOT, path, len))
    }

    fn rename(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        let (old, old_len) = self.path(old);
        let (new, new_len) = self.second_path(new);
        errno(self.call().path_rename(ROOT, old, old_len, ROOT, new, new_len))
    }

    fn link(&mut self, follow: u32, old: &str, new: &str) -> Result<(), Errno> {
        let (old, old_len) = self.path(old);
        let (new, new_len) = self.second_path(new);
        errno(self.call().path_link(ROOT, follow, old, old_len, ROOT, new, new_len))
    }

    fn symlink(&mut self, contents: &str, path: &str) -> Result<(), Errno> {
        let (contents, contents_len) = self.path(contents);
        let (path, len) = self.second_path(path);
        errno(self.call().path_symlink(contents, contents_len, ROOT, path, len))
    }

    fn readlink(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_readlink(ROOT, path, len, DATA, 4096, RESULT))?;
        Ok(self.bytes(DATA, self.get_u32(RESULT)))
    }

    fn filetype(&mut self, follow: u32, path: &str) -> Result<u8, Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_filestat_get(ROOT, follow, path, len, RESULT))?;
        Ok(self.get::<64>(RESULT)[16])
    }

    fn set_mtime(&mut self, follow: u32, path: &str, mtim: u64) -> Result<(), Errno> {
        let (path, len) = self.path(path);
        errno(self.call().path_filestat_set_times(ROOT, follow, path, len, 0, mtim, 4))
    }
}

/// A directory `inside` for a guest, with a directory and a file in it, and a
/// secret beside it.
fn sandbox() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let inside = dir.path().join("inside");
    std::fs::create_dir_all(inside.join("dir/nested")).expect("it is ours");
    std::fs::write(inside.join("file"), "inside").expect("it is ours");
    std::fs::create_dir(dir.path().join("outside")).expect("it is ours");
    std::fs::write(dir.path().join("outside/secret"), "secret").expect("it is ours");
    dir
}

#[test]
fn a_context_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<WasiCtx>();
    is_send::<WasiCtxBuilder>();
}

#[test]
fn file_types_have_their_numbers() {
    assert_eq!(FileType::SymbolicLink.number(), 7);
    assert_eq!(FileType::from_mode(0o120_777), FileType::SymbolicLink);
    assert_eq!(FileType::from_mode(0o010_644), FileType::Unknown);
}
