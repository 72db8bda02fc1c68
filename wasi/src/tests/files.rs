//! Files and directories: opening, flags, rights, attributes, listings.

use std::collections::BTreeSet;

use super::{ALL, DATA, Guest, RESULT, ROOT, VECTORS, errno, sandbox};
use crate::builder::{DirPerms, WasiCtxBuilder};
use crate::errno::Errno;
use crate::memory::GuestAddr;
use crate::types::{Fd, FdFlags, OpenFlags, Rights};

const APPEND: u32 = 1;
const NONBLOCK: u32 = 4;
const SYNC: u32 = 16;

/// A descriptor's type, flags and rights.
fn fdstat(guest: &mut Guest, fd: Fd) -> (u8, FdFlags, Rights, Rights) {
    assert_eq!(guest.call().fd_fdstat_get(fd, RESULT), Ok(()));
    let bytes: [u8; 24] = guest.get(RESULT);
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    (
        bytes[0],
        FdFlags::from_bits(u16::from_le_bytes([bytes[2], bytes[3]])),
        Rights::from_bits(u64_at(8)),
        Rights::from_bits(u64_at(16)),
    )
}

#[test]
fn opening_makes_reads_and_truncates() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    assert_eq!(guest.open(ROOT, "new", OpenFlags::NONE, ALL), Err(Errno::Noent));
    let exclusive = OpenFlags::CREAT.or(OpenFlags::EXCL);
    let new = guest.open(ROOT, "new", exclusive, ALL).unwrap();
    assert_eq!(guest.open(ROOT, "new", exclusive, ALL), Err(Errno::Exist));
    assert_eq!(guest.write(new, b"0123456789"), Ok(10));
    assert_eq!(guest.read_file(ROOT, "new").unwrap(), b"0123456789");
    // Truncating and appending at once, as C's `fopen(…, "w")` never does but
    // `open` may.
    let both = guest.open_with(ROOT, 0, "new", OpenFlags::TRUNC, ALL, APPEND).unwrap();
    assert_eq!(guest.write(both, b"ab"), Ok(2));
    assert_eq!(guest.call().fd_seek(both, 0, 0, RESULT), Ok(()));
    assert_eq!(guest.write(both, b"cd"), Ok(2));
    assert_eq!(guest.read_file(ROOT, "new").unwrap(), b"abcd");
    // Truncating without a right to write.
    let fd = guest.open(ROOT, "new", OpenFlags::TRUNC, Rights::FD_READ).unwrap();
    assert_eq!(guest.read(fd, 9).unwrap(), b"");
    assert_eq!(guest.write(fd, b"x"), Err(Errno::Badf));
}

#[test]
fn opening_minds_what_a_path_names() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    std::os::unix::fs::symlink("file", dir.path().join("inside/link")).unwrap();
    let writing = Rights::FD_READ.or(Rights::FD_WRITE);
    assert_eq!(guest.open(ROOT, "dir", OpenFlags::NONE, writing), Err(Errno::Isdir));
    assert_eq!(
        guest.open(ROOT, "dir", OpenFlags::CREAT, Rights::NONE).map(drop),
        Ok(())
    );
    assert_eq!(
        guest.open(ROOT, "file", OpenFlags::DIRECTORY, Rights::NONE),
        Err(Errno::Notdir)
    );
    assert_eq!(
        guest.open(ROOT, "file/", OpenFlags::NONE, Rights::NONE),
        Err(Errno::Notdir)
    );
    assert_eq!(guest.open(ROOT, "", OpenFlags::NONE, Rights::NONE), Err(Errno::Noent));
    assert_eq!(
        guest.open(ROOT, "a\0b", OpenFlags::NONE, Rights::NONE),
        Err(Errno::Inval)
    );
    let both = OpenFlags::CREAT.or(OpenFlags::DIRECTORY);
    assert_eq!(guest.open(ROOT, "x", both, Rights::NONE), Err(Errno::Inval));
    assert_eq!(
        guest.open_with(ROOT, 0, "link", OpenFlags::NONE, ALL, 0),
        Err(Errno::Loop)
    );
    assert_eq!(
        guest.open_with(ROOT, 1, "link", OpenFlags::NONE, ALL, 0).map(drop),
        Ok(())
    );
    assert_eq!(
        guest.open_with(ROOT, 2, "link", OpenFlags::NONE, ALL, 0),
        Err(Errno::Inval)
    );
    assert_eq!(
        guest.open_with(ROOT, 1, "file", OpenFlags::NONE, ALL, 32),
        Err(Errno::Inval)
    );
    assert_eq!(
        guest.open_with(ROOT, 1, "file", OpenFlags::from_bits(16), ALL, 0),
        Err(Errno::Inval)
    );
    std::os::unix::fs::symlink("dir", dir.path().join("inside/to-dir")).unwrap();
    let as_directory = |guest: &mut Guest, follow, path| {
        guest
            .open_with(ROOT, follow, path, OpenFlags::DIRECTORY, Rights::NONE, 0)
            .map(drop)
    };
    assert_eq!(as_directory(&mut guest, 1, "to-dir"), Ok(()));
    assert_eq!(as_directory(&mut guest, 0, "to-dir"), Err(Errno::Notdir));
    assert_eq!(as_directory(&mut guest, 1, "link"), Err(Errno::Notdir));
    assert_eq!(as_directory(&mut guest, 1, "dir"), Ok(()));
    assert_eq!(as_directory(&mut guest, 0, "dir/"), Ok(()));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    assert_eq!(guest.open(file, "x", OpenFlags::NONE, Rights::NONE), Err(Errno::Notdir));
    assert_eq!(
        guest.open(Fd(1), "x", OpenFlags::NONE, Rights::NONE),
        Err(Errno::Notdir)
    );
    assert_eq!(guest.open(Fd(88), "x", OpenFlags::NONE, Rights::NONE), Err(Errno::Badf));
}

#[test]
fn a_file_that_may_only_be_read_can_be_opened_with_creat() {
    use std::os::unix::fs::PermissionsExt;
    let dir = sandbox();
    let file = dir.path().join("inside/file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let fd = guest.open(ROOT, "file", OpenFlags::CREAT, Rights::FD_READ).unwrap();
    assert_eq!(guest.read(fd, 9).unwrap(), b"inside");
}

#[test]
fn opening_a_fifo_does_not_hang() {
    let dir = sandbox();
    let fifo = dir.path().join("inside/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    assert_eq!(
        guest.open(ROOT, "fifo", OpenFlags::NONE, Rights::FD_WRITE),
        Err(Errno::Nxio)
    );
    let reader = guest.open_with(ROOT, 0, "fifo", OpenFlags::NONE, ALL.without(Rights::WRITING), NONBLOCK);
    let reader = reader.unwrap();
    let writer = guest.open(ROOT, "fifo", OpenFlags::NONE, Rights::FD_WRITE).unwrap();
    assert_eq!(guest.read(reader, 9), Err(Errno::Again));
    assert_eq!(guest.write(writer, b"through"), Ok(7));
    assert_eq!(guest.read(reader, 9).unwrap(), b"through");
    assert_eq!(errno(guest.call().fd_tell(reader, RESULT)), Err(Errno::Spipe));
    // Setting the times of one does not open it.
    assert_eq!(guest.set_mtime(1, "fifo", 5), Ok(()));
}

#[test]
fn rights_only_shrink() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let (filetype, flags, base, inheriting) = fdstat(&mut guest, ROOT);
    assert_eq!((filetype, flags), (3, FdFlags::NONE));
    assert_eq!((base, inheriting), (Rights::DIRECTORY, Rights::INHERITING));

    let narrow = Rights::PATH_OPEN.or(Rights::FD_READ);
    let sub = guest.open(ROOT, "dir", OpenFlags::DIRECTORY, narrow).unwrap();
    assert_eq!(fdstat(&mut guest, sub), (3, FdFlags::NONE, Rights::PATH_OPEN, narrow));
    let (path, len) = guest.path("x");
    let refused = Err(Errno::NotCapable);
    assert_eq!(errno(guest.call().path_create_directory(sub, path, len)), refused);
    assert_eq!(
        guest.open(sub, "x", OpenFlags::CREAT, Rights::FD_READ),
        Err(Errno::NotCapable)
    );
    assert_eq!(
        guest.open(sub, "nested", OpenFlags::NONE, Rights::FD_WRITE),
        Err(Errno::NotCapable)
    );
    assert_eq!(
        guest.open(sub, "nested", OpenFlags::NONE, Rights::FD_READ).map(drop),
        Ok(())
    );
    assert_eq!(errno(guest.call().fd_readdir(sub, DATA, 99, 0, RESULT)), refused);

    let set = |guest: &mut Guest, fd, base: Rights| errno(guest.call().fd_fdstat_set_rights(fd, base.bits(), 0));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    assert_eq!(set(&mut guest, file, Rights::FD_READ.or(Rights::FD_TELL)), Ok(()));
    assert_eq!(set(&mut guest, file, Rights::FD_WRITE), refused);
    assert_eq!(guest.write(file, b"x"), Err(Errno::Badf));
    assert_eq!(errno(guest.call().fd_seek(file, 0, 1, RESULT)), Ok(()));
    assert_eq!(errno(guest.call().fd_seek(file, 1, 1, RESULT)), refused);
    let vector = guest.vector(b"x");
    assert_eq!(errno(guest.call().fd_pread(file, vector, 1, 0, RESULT)), refused);
    assert_eq!(set(&mut guest, file, Rights::NONE), Ok(()));
    assert_eq!(guest.read(file, 1), Err(Errno::Badf));
}

#[test]
fn flags_can_be_changed_where_the_host_can() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let file = guest.open_with(ROOT, 0, "file", OpenFlags::NONE, ALL, SYNC).unwrap();
    assert_eq!(fdstat(&mut guest, file).1, FdFlags::SYNC);
    let set = |guest: &mut Guest, fd, flags| errno(guest.call().fd_fdstat_set_flags(fd, flags));
    assert_eq!(set(&mut guest, file, APPEND), Err(Errno::Notsup));
    assert_eq!(set(&mut guest, file, SYNC | APPEND | NONBLOCK), Ok(()));
    assert_eq!(guest.write(file, b"!"), Ok(1));
    assert_eq!(set(&mut guest, file, SYNC), Ok(()));
    assert_eq!(guest.call().fd_seek(file, 0, 0, RESULT), Ok(()));
    assert_eq!(guest.write(file, b"I"), Ok(1));
    assert_eq!(guest.read_file(ROOT, "file").unwrap(), b"Inside!");
    assert_eq!(set(&mut guest, file, 32), Err(Errno::Inval));
    assert_eq!(set(&mut guest, Fd(1), NONBLOCK), Ok(()));
    assert_eq!(set(&mut guest, Fd(1), APPEND), Err(Errno::Notsup));
}

#[test]
fn positioned_transfers_leave_the_position() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    let vector = guest.vector(b"XY");
    assert_eq!(guest.call().fd_pwrite(file, vector, 1, 4, RESULT), Ok(()));
    assert_eq!(guest.call().fd_pread(file, vector, 1, 3, RESULT), Ok(()));
    assert_eq!(guest.bytes(DATA, 2), b"iX");
    assert_eq!(guest.call().fd_tell(file, RESULT), Ok(()));
    assert_eq!(guest.get_u64(RESULT), 0);
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
        assert_eq!(
            errno(guest.call().fd_pread(file, vector, 1, offset, RESULT)),
            Err(Errno::Inval)
        );
        assert_eq!(
            errno(guest.call().fd_pwrite(file, vector, 1, offset, RESULT)),
            Err(Errno::Inval)
        );
        assert!(guest.call().fd_allocate(file, offset, 1).is_err());
        assert!(guest.call().fd_filestat_set_size(file, offset).is_err());
        assert!(guest.call().fd_advise(file, offset, u64::MAX, 3).is_err());
    }
    assert_eq!(errno(guest.call().fd_advise(file, 0, 0, 6)), Err(Errno::Inval));
    assert_eq!(errno(guest.call().fd_advise(file, 0, 0, 5)), Ok(()));
}

#[test]
fn large_files_go_through_in_pieces() {
    let dir = sandbox();
    let contents: Vec<u8> = (0..150_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let file = guest.open(ROOT, "large", OpenFlags::CREAT, ALL).unwrap();
    assert_eq!(guest.write(file, &contents), Ok(150_000));
    assert_eq!(std::fs::read(dir.path().join("inside/large")).unwrap(), contents);
    assert_eq!(guest.call().fd_seek(file, 0, 0, RESULT), Ok(()));
    assert_eq!(guest.read(file, 200_000).unwrap(), contents);
    let vector = guest.vector(&[0; 150_000]);
    assert_eq!(guest.call().fd_pread(file, vector, 1, 1, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 149_999);
    assert_eq!(guest.bytes(DATA, 149_999), contents[1..]);
}

#[test]
fn directories_have_no_contents() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let isdir = Err(Errno::Isdir);
    assert_eq!(guest.read(ROOT, 1).map(drop), isdir);
    assert_eq!(guest.write(ROOT, b"x").map(drop), isdir);
    assert_eq!(errno(guest.call().fd_pread(ROOT, VECTORS, 1, 0, RESULT)), isdir);
    assert_eq!(errno(guest.call().fd_pwrite(ROOT, VECTORS, 1, 0, RESULT)), isdir);
    assert_eq!(errno(guest.call().fd_tell(ROOT, RESULT)), isdir);
    assert_eq!(errno(guest.call().fd_allocate(ROOT, 0, 1)), isdir);
    assert_eq!(errno(guest.call().fd_filestat_set_size(ROOT, 0)), isdir);
    assert_eq!(errno(guest.call().fd_sync(ROOT)), Ok(()));
    assert_eq!(errno(guest.call().fd_datasync(ROOT)), Ok(()));
}

#[test]
fn times_can_be_set() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    std::os::unix::fs::symlink("file", dir.path().join("inside/link")).unwrap();
    let mtime = |name: &str| {
        let time = std::fs::symlink_metadata(dir.path().join("inside").join(name))
            .unwrap()
            .modified()
            .unwrap();
        u64::try_from(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
    };
    assert_eq!(guest.set_mtime(0, "link", 1_234_567_891), Ok(()));
    assert_eq!(mtime("link"), 1_234_567_891);
    assert_ne!(mtime("file"), 1_234_567_891);
    assert_eq!(guest.set_mtime(1, "link", 2_000_000_003), Ok(()));
    assert_eq!(mtime("file"), 2_000_000_003);
    assert_eq!(guest.set_mtime(0, "link/", 1), Err(Errno::Notdir));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    assert_eq!(guest.call().fd_filestat_set_times(file, 0, 7_000_000_009, 4), Ok(()));
    assert_eq!(mtime("file"), 7_000_000_009);
    for flags in [3, 12, 16, u32::MAX] {
        assert_eq!(
            errno(guest.call().fd_filestat_set_times(file, 0, 0, flags)),
            Err(Errno::Inval)
        );
    }
    assert_eq!(guest.call().fd_filestat_set_times(file, 0, 0, 8), Ok(()));
    assert!(mtime("file") > 7_000_000_009);
}

#[test]
fn a_slash_at_the_end_means_a_directory() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    std::os::unix::fs::symlink("dir", dir.path().join("inside/link")).unwrap();
    assert_eq!(guest.filetype(0, "link"), Ok(7));
    assert_eq!(guest.filetype(0, "link/"), Ok(3));
    assert_eq!(guest.filetype(0, "link/."), Ok(3));
    assert_eq!(guest.filetype(0, "file/"), Err(Errno::Notdir));
    assert_eq!(guest.filetype(0, "."), Ok(3));
    assert_eq!(guest.create_directory("new/"), Ok(()));
    assert_eq!(guest.rename("new/", "newer/"), Ok(()));
    assert_eq!(guest.rename("file/", "x"), Err(Errno::Notdir));
    assert_eq!(guest.unlink("file/"), Err(Errno::Notdir));
    assert_eq!(guest.unlink("newer/"), Err(Errno::Isdir));
    assert_eq!(guest.remove_directory("file/"), Err(Errno::Notdir));
    assert_eq!(guest.remove_directory("link/"), Err(Errno::Notdir));
    assert_eq!(guest.remove_directory("newer//"), Ok(()));
    assert_eq!(guest.remove_directory("dir"), Err(Errno::NotEmpty));
    assert_eq!(guest.remove_directory("."), Err(Errno::Inval));
}

#[test]
fn links_are_made_and_read() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    assert_eq!(guest.symlink("nowhere", "dangling"), Ok(()));
    assert_eq!(guest.symlink("x", "dangling"), Err(Errno::Exist));
    assert_eq!(guest.filetype(1, "dangling"), Err(Errno::Noent));
    assert_eq!(guest.link(0, "dangling", "second"), Ok(()));
    assert_eq!(guest.readlink("second").unwrap(), b"nowhere");
    assert_eq!(guest.link(1, "dangling", "third"), Err(Errno::Noent));
    assert_eq!(guest.symlink("file", "to-file"), Ok(()));
    assert_eq!(guest.link(1, "to-file", "third"), Ok(()));
    assert_eq!(guest.filetype(0, "third"), Ok(4));
    assert_eq!(guest.readlink("file"), Err(Errno::Inval));
    let (path, len) = guest.path("second");
    assert_eq!(guest.call().path_readlink(ROOT, path, len, DATA, 3, RESULT), Ok(()));
    assert_eq!((guest.get_u32(RESULT), guest.bytes(DATA, 3)), (3, b"now".to_vec()));
    assert_eq!(guest.link(0, "dir", "fourth"), Err(Errno::Perm));
}

/// Lists `ROOT` through a buffer of `size` bytes as guests do, going on at
/// the cookie of the last whole entry. Calls `between` after each buffer.
fn list(guest: &mut Guest, size: u32, mut between: impl FnMut(&[String])) -> Vec<String> {
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        assert_eq!(guest.call().fd_readdir(ROOT, DATA, size, cookie, RESULT), Ok(()));
        let used = guest.get_u32(RESULT);
        assert!(used <= size);
        let mut at = 0;
        while at + 24 <= used {
            let entry = GuestAddr(DATA.0 + at);
            let len = guest.get_u32(GuestAddr(entry.0 + 16));
            if at + 24 + len > used {
                break;
            }
            cookie = guest.get_u64(entry);
            names.push(String::from_utf8(guest.bytes(GuestAddr(entry.0 + 24), len)).unwrap());
            at += 24 + len;
        }
        if used < size {
            return names;
        }
        assert!(at > 0, "the buffer is too small for one entry");
        between(&names);
    }
}

#[test]
fn listings_are_whole_whatever_the_buffer() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    let mut expected: BTreeSet<String> = [".", "..", "dir", "file"].map(String::from).into();
    for number in 0..300 {
        let name = format!("entry-{number}-{}", "x".repeat(number % 40));
        std::fs::write(inside.join(&name), "").unwrap();
        expected.insert(name);
    }
    let mut guest = Guest::in_dir(&inside);
    for size in [80, 100, 333, 4096, 100_000] {
        let names = list(&mut guest, size, |_| {});
        assert_eq!(names.len(), expected.len(), "buffer of {size}");
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected, "buffer of {size}");
    }
}

#[test]
fn listings_survive_removal_on_the_way() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    let mut expected: BTreeSet<String> = [".", "..", "dir", "file"].map(String::from).into();
    for number in 0..2000 {
        let name = format!("entry-{number}");
        std::fs::write(inside.join(&name), "").unwrap();
        expected.insert(name);
    }
    let mut guest = Guest::in_dir(&inside);
    let mut removed = 0;
    let names = list(&mut guest, 300, |names| {
        for name in &names[removed..] {
            if name.starts_with("entry") {
                std::fs::remove_file(inside.join(name)).unwrap();
            }
        }
        removed = names.len();
    });
    assert_eq!(names.len(), expected.len());
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn listings_can_go_back_to_a_cookie() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    for number in 0..50 {
        std::fs::write(inside.join(format!("entry-{number}")), "").unwrap();
    }
    let mut guest = Guest::in_dir(&inside);
    assert_eq!(guest.call().fd_readdir(ROOT, DATA, 60_000, 0, RESULT), Ok(()));
    let mut entries = Vec::new();
    let (mut at, mut cookie, used) = (0, 0, guest.get_u32(RESULT));
    while at < used {
        let entry = GuestAddr(DATA.0 + at);
        let len = guest.get_u32(GuestAddr(entry.0 + 16));
        entries.push((cookie, guest.bytes(GuestAddr(entry.0 + 24), len)));
        cookie = guest.get_u64(entry);
        at += 24 + len;
    }
    assert_eq!(entries.len(), 54);
    for (cookie, name) in entries.iter().rev() {
        assert_eq!(guest.call().fd_readdir(ROOT, DATA, 100, *cookie, RESULT), Ok(()));
        let len = guest.get_u32(GuestAddr(DATA.0 + 16));
        assert_eq!(&guest.bytes(GuestAddr(DATA.0 + 24), len), name);
    }
    // The end, a buffer of nothing, and cookies nobody gave.
    assert_eq!(guest.call().fd_readdir(ROOT, DATA, 100, cookie, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 0);
    assert_eq!(guest.call().fd_readdir(ROOT, DATA, 0, 0, RESULT), Ok(()));
    assert_eq!(
        errno(guest.call().fd_readdir(ROOT, DATA, 9, u64::MAX, RESULT)),
        Err(Errno::Inval)
    );
    assert_eq!(
        errno(guest.call().fd_readdir(ROOT, GuestAddr(u32::MAX), 9, 0, RESULT)),
        Err(Errno::Fault)
    );
    assert_eq!(guest.call().fd_readdir(ROOT, DATA, 60_000, 0, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), used);
}

#[test]
fn descriptors_run_out_before_the_host_does() {
    let dir = sandbox();
    let mut builder = WasiCtxBuilder::new();
    builder
        .preopened_dir(dir.path().join("inside"), "/", DirPerms::ReadWrite)
        .max_descriptors(6);
    let mut guest = Guest::new(&mut builder);
    for number in 4..6 {
        assert_eq!(guest.open(ROOT, "file", OpenFlags::NONE, ALL), Ok(Fd(number)));
    }
    assert_eq!(guest.open(ROOT, "unmade", OpenFlags::CREAT, ALL), Err(Errno::Nfile));
    assert!(!dir.path().join("inside/unmade").exists());
    guest.close(Fd(4));
    assert_eq!(guest.call().fd_renumber(Fd(5), Fd(3)), Ok(()));
    assert_eq!(errno(guest.call().fd_prestat_get(Fd(3), RESULT)), Err(Errno::Badf));
    assert_eq!(guest.read(Fd(3), 9).unwrap(), b"inside");
}

#[test]
fn a_result_that_cannot_be_delivered_opens_nothing() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let (path, len) = guest.path("file");
    let outside = GuestAddr(u32::MAX - 2);
    let opened = guest.call().path_open(ROOT, 0, path, len, 0, 0, 0, 0, outside);
    assert_eq!(errno(opened), Err(Errno::Fault));
    assert_eq!(errno(guest.call().fd_close(Fd(4))), Err(Errno::Badf));
}
