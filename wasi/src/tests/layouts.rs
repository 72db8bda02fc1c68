//! The two previews' own numbers and layouts, byte by byte.

use super::{ALL, DATA, Guest, RESULT, ROOT, VECTORS, errno, sandbox};
use crate::builder::WasiCtxBuilder;
use crate::errno::Errno;
use crate::memory::GuestAddr;
use crate::types::{Fd, OpenFlags};

/// The attributes of `inside/file` as the host has them.
fn host_stat(dir: &tempfile::TempDir) -> std::fs::Metadata {
    std::fs::metadata(dir.path().join("inside/file")).unwrap()
}

#[test]
fn filestat_of_preview_1_has_a_wide_link_count() {
    use std::os::unix::fs::MetadataExt;
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let (path, len) = guest.path("file");
    guest.put(RESULT, &[0xee; 72]);
    assert_eq!(guest.call().path_filestat_get(ROOT, 0, path, len, RESULT), Ok(()));
    let host = host_stat(&dir);
    assert_eq!(guest.get_u64(RESULT), host.dev());
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 8)), host.ino());
    assert_eq!(guest.get::<8>(GuestAddr(RESULT.0 + 16)), [4, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 24)), 1);
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 32)), 6);
    let mtim = u64::try_from(host.mtime() * 1_000_000_000 + host.mtime_nsec()).unwrap();
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 48)), mtim);
    assert_eq!(guest.get::<8>(GuestAddr(RESULT.0 + 64)), [0xee; 8]);
}

#[test]
fn filestat_of_preview_0_has_a_narrow_link_count() {
    use std::os::unix::fs::MetadataExt;
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside")).preview0();
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    guest.put(RESULT, &[0xee; 64]);
    assert_eq!(guest.call().fd_filestat_get(file, RESULT), Ok(()));
    let host = host_stat(&dir);
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 8)), host.ino());
    assert_eq!(guest.get::<4>(GuestAddr(RESULT.0 + 16)), [4, 0, 0, 0]);
    assert_eq!(guest.get_u32(GuestAddr(RESULT.0 + 20)), 1);
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 24)), 6);
    let mtim = u64::try_from(host.mtime() * 1_000_000_000 + host.mtime_nsec()).unwrap();
    assert_eq!(guest.get_u64(GuestAddr(RESULT.0 + 40)), mtim);
    assert_eq!(guest.get::<8>(GuestAddr(RESULT.0 + 56)), [0xee; 8]);
}

/// Seeks in a file of six bytes and gives the new position.
fn seek(guest: &mut Guest, fd: Fd, offset: i64, whence: u32) -> Result<u64, Errno> {
    errno(guest.call().fd_seek(fd, offset, whence, RESULT))?;
    Ok(guest.get_u64(RESULT))
}

#[test]
fn whence_counts_differently_in_the_previews() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    for (mut guest, set, cur, end) in [
        (Guest::in_dir(&inside), 0, 1, 2),
        (Guest::in_dir(&inside).preview0(), 2, 0, 1),
    ] {
        let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
        assert_eq!(seek(&mut guest, file, 4, set), Ok(4));
        assert_eq!(seek(&mut guest, file, -1, cur), Ok(3));
        assert_eq!(seek(&mut guest, file, -1, end), Ok(5));
        assert_eq!(seek(&mut guest, file, -1, set), Err(Errno::Inval));
        assert_eq!(seek(&mut guest, file, -9, cur), Err(Errno::Inval));
        assert_eq!(seek(&mut guest, file, 0, 3), Err(Errno::Inval));
        assert_eq!(seek(&mut guest, file, i64::MAX, end), Err(Errno::Inval));
    }
}

/// Polls a clock and a descriptor, with the records written by hand.
#[test]
fn subscriptions_are_laid_out_differently_in_the_previews() {
    // Size of a record; where clock id, timeout and flags stand.
    for (preview0, size, id, timeout, flags) in [(false, 48, 16, 24, 40), (true, 56, 24, 32, 48)] {
        let mut guest = Guest::new(&mut WasiCtxBuilder::new());
        if preview0 {
            guest = guest.preview0();
            // The identifier of the clock, which preview 1 does not have.
            guest.put(GuestAddr(DATA.0 + 16), &u64::MAX.to_le_bytes());
        }
        let at = |offset: u32| GuestAddr(DATA.0 + offset);
        guest.put(at(0), &7_u64.to_le_bytes());
        guest.put(at(8), &[0]);
        guest.put(at(id), &1_u32.to_le_bytes());
        guest.put(at(timeout), &1_000_000_u64.to_le_bytes());
        guest.put(at(flags), &0_u16.to_le_bytes());
        let start = std::time::Instant::now();
        assert_eq!(guest.call().poll_oneoff(DATA, VECTORS, 1, RESULT), Ok(()));
        assert!(start.elapsed() >= std::time::Duration::from_millis(1));
        assert_eq!(guest.get_u32(RESULT), 1);
        assert_eq!(guest.get::<11>(VECTORS), [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        // Two records: the second one's place shows the size of the first.
        guest.put(at(size), &8_u64.to_le_bytes());
        guest.put(at(size + 8), &[1]);
        guest.put(at(size + 16), &0_u32.to_le_bytes());
        guest.put(at(timeout), &u64::MAX.to_le_bytes());
        assert_eq!(guest.call().poll_oneoff(DATA, VECTORS, 2, RESULT), Ok(()));
        assert_eq!(guest.get_u32(RESULT), 1);
        assert_eq!(guest.get::<11>(VECTORS), [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

        // A flag or an event type nobody defined.
        guest.put(at(flags), &2_u16.to_le_bytes());
        assert_eq!(
            errno(guest.call().poll_oneoff(DATA, VECTORS, 1, RESULT)),
            Err(Errno::Inval)
        );
        guest.put(at(8), &[3]);
        assert_eq!(
            errno(guest.call().poll_oneoff(DATA, VECTORS, 1, RESULT)),
            Err(Errno::Inval)
        );
    }
}
