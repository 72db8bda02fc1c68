//! No path leads out of a preopened directory, and a read-only one stays as
//! it is.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ALL, Guest, ROOT, errno, sandbox};
use crate::builder::{DirPerms, WasiCtxBuilder};
use crate::errno::Errno;
use crate::types::{Fd, OpenFlags, Rights};

/// Runs every function that takes a path on `path`, as its last component
/// and as a directory on the way; none may succeed.
fn assert_unreachable(guest: &mut Guest, path: &str) {
    let below = format!("{path}/x");
    assert!(
        guest.open(ROOT, path, OpenFlags::NONE, Rights::FD_READ).is_err(),
        "open {path}"
    );
    for path in [path, below.as_str()] {
        for flags in [
            OpenFlags::NONE,
            OpenFlags::DIRECTORY,
            OpenFlags::TRUNC,
            OpenFlags::CREAT,
        ] {
            let opened = guest.open(ROOT, path, flags, ALL);
            assert!(opened.is_err(), "open {path} {flags:?}");
        }
        assert!(guest.filetype(1, path).is_err(), "stat {path}");
        assert!(guest.set_mtime(1, path, 1).is_err(), "set times {path}");
        assert!(guest.link(1, path, "taken").is_err(), "link {path}");
    }
    assert!(guest.create_directory(&below).is_err(), "mkdir {below}");
    assert!(guest.remove_directory(&below).is_err(), "rmdir {below}");
    assert!(guest.unlink(&below).is_err(), "unlink {below}");
    assert!(guest.rename(&below, "taken").is_err(), "rename {below}");
    assert!(guest.rename("file", &below).is_err(), "rename to {below}");
    assert!(guest.link(0, "file", &below).is_err(), "link to {below}");
    assert!(guest.symlink("file", &below).is_err(), "symlink {below}");
    assert!(guest.readlink(&below).is_err(), "readlink {below}");
}

/// Runs every function that could take a file away or show it on `path`,
/// which names the secret outside; none may succeed.
fn assert_secret_unreachable(guest: &mut Guest, path: &str) {
    assert_unreachable(guest, path);
    assert!(guest.unlink(path).is_err(), "unlink {path}");
    assert!(guest.rename(path, "taken").is_err(), "rename {path}");
    assert!(guest.rename("file", path).is_err(), "rename to {path}");
    assert!(guest.link(0, path, "taken").is_err(), "link {path}");
    assert!(guest.set_mtime(0, path, 1).is_err(), "set times {path}");
    assert!(guest.filetype(0, path).is_err(), "stat {path}");
}

/// The outside as [`sandbox`] made it.
fn assert_outside_untouched(dir: &tempfile::TempDir) {
    let names: Vec<_> = std::fs::read_dir(dir.path().join("outside")).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(std::fs::read(dir.path().join("outside/secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read(dir.path().join("inside/file")).unwrap(), b"inside");
    assert!(!dir.path().join("inside/taken").exists());
}

#[test]
fn dot_dot_does_not_lead_out() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    for path in [
        "..",
        "../outside",
        "../outside/secret",
        "dir/../../outside",
        "dir/nested/../../../outside/secret",
        "./.././outside",
        "../inside/../outside",
    ] {
        assert_unreachable(&mut guest, path);
    }
    for path in ["../outside/secret", "dir/nested/../../../outside/secret"] {
        assert_secret_unreachable(&mut guest, path);
    }
    let open = guest.open(ROOT, "../outside/secret", OpenFlags::NONE, Rights::FD_READ);
    assert_eq!(open, Err(Errno::Perm));
    // Inside, `..` is an ordinary component.
    assert_eq!(guest.read_file(ROOT, "dir/nested/../../file").unwrap(), b"inside");
    assert_outside_untouched(&dir);
}

#[test]
fn absolute_paths_do_not_lead_out() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let outside = dir.path().join("outside");
    let inside = dir.path().join("inside/dir");
    for path in ["/", "//", "/etc", outside.to_str().unwrap(), inside.to_str().unwrap()] {
        assert_unreachable(&mut guest, path);
    }
    assert_eq!(
        guest.open(ROOT, "/etc", OpenFlags::NONE, Rights::NONE),
        Err(Errno::Perm)
    );
    assert_outside_untouched(&dir);
}

#[test]
fn links_do_not_lead_out() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    symlink("../outside", inside.join("relative")).unwrap();
    symlink(dir.path().join("outside"), inside.join("absolute")).unwrap();
    symlink("/", inside.join("root")).unwrap();
    symlink("..", inside.join("dir/up")).unwrap();
    symlink("dir/up/../outside", inside.join("chain1")).unwrap();
    symlink("dir/nested/../up/chain1", inside.join("chain2")).unwrap();
    symlink("/proc/self/root", inside.join("magic")).unwrap();
    symlink("/proc/self/cwd", inside.join("cwd")).unwrap();
    let mut guest = Guest::in_dir(&inside);
    for path in [
        "relative",
        "absolute",
        "root",
        "chain1",
        "chain2",
        "magic",
        "cwd",
        "dir/up/relative",
    ] {
        assert_unreachable(&mut guest, path);
        assert_unreachable(&mut guest, &format!("{path}/secret"));
        // The link itself can be looked at.
        assert_eq!(guest.filetype(0, path), Ok(7), "{path}");
    }
    for path in [
        "relative/secret",
        "absolute/secret",
        "chain2/secret",
        "dir/up/relative/secret",
    ] {
        assert_secret_unreachable(&mut guest, path);
    }
    // A link that stays inside is followed.
    assert_eq!(guest.read_file(ROOT, "dir/up/file").unwrap(), b"inside");
    assert_outside_untouched(&dir);
}

#[test]
fn links_to_absolute_paths_are_neither_made_nor_shown() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    symlink("/etc/hostname", inside.join("absolute")).unwrap();
    let mut guest = Guest::in_dir(&inside);
    assert_eq!(guest.symlink("/", "made"), Err(Errno::Perm));
    assert_eq!(guest.readlink("absolute"), Err(Errno::Perm));
    assert_eq!(guest.symlink("dir/nested", "made"), Ok(()));
    assert_eq!(guest.readlink("made").unwrap(), b"dir/nested");
}

#[test]
fn link_loops_and_long_chains_end() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    symlink("loop", inside.join("loop")).unwrap();
    symlink("file", inside.join("link0")).unwrap();
    for number in 1..100 {
        symlink(format!("link{}", number - 1), inside.join(format!("link{number}"))).unwrap();
    }
    let mut guest = Guest::in_dir(&inside);
    assert_eq!(guest.read_file(ROOT, "loop"), Err(Errno::Loop));
    assert_eq!(guest.read_file(ROOT, "link99"), Err(Errno::Loop));
    assert_eq!(guest.read_file(ROOT, "link9").unwrap(), b"inside");
}

#[test]
fn a_subdirectory_confines_as_its_preopen_does() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let below = guest.open_directory("dir");
    assert_eq!(guest.read_file(below, "../file"), Err(Errno::Perm));
    assert_eq!(guest.read_file(below, "nested/../../file"), Err(Errno::Perm));
}

/// Sets its flag when the test is done, however it ends.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While another thread keeps turning a directory into a link to the outside
/// and back, nothing outside is read, made or removed.
#[test]
fn directories_that_become_links_meanwhile_do_not_lead_out() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    let flip = inside.join("flip");
    std::fs::create_dir(&flip).unwrap();
    std::fs::write(flip.join("secret"), "decoy").unwrap();
    symlink("../outside", inside.join("link")).unwrap();
    let mut guest = Guest::in_dir(&inside);
    let stop = AtomicBool::new(false);
    let mut reads = 0_u32;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let host = std::fs::File::open(&inside).unwrap();
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(&host, "flip", &host, "link", rustix::fs::RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _stop = StopAtEnd(&stop);
        for _ in 0..2000 {
            if let Ok(contents) = guest.read_file(ROOT, "flip/secret") {
                assert_eq!(contents, b"decoy");
                reads += 1;
            }
            let created = guest.open(ROOT, "flip/made", OpenFlags::CREAT, Rights::FD_WRITE);
            if let Ok(fd) = created {
                guest.close(fd);
            }
            // Whatever these come to, it must be inside.
            let _ = guest.unlink("flip/secret");
            if let Ok(fd) = guest.open(ROOT, "flip/secret", OpenFlags::CREAT, Rights::FD_WRITE) {
                assert_eq!(guest.write(fd, b"decoy"), Ok(5));
                guest.close(fd);
            }
            let _ = guest.rename("flip/secret", "moved");
            let _ = guest.rename("moved", "flip/secret");
            let _ = guest.unlink("flip/made");
            let _ = guest.symlink("x", "flip/made");
            let _ = guest.unlink("flip/made");
            let _ = guest.set_mtime(1, "flip/secret", 1);
            let _ = guest.create_directory("flip/directory");
            let _ = guest.remove_directory("flip/directory");
            let _ = guest.rename("file", "flip/file");
            let _ = guest.rename("flip/file", "file");
        }
    });
    assert!(reads > 0, "the race was never won by the directory");
    let names: Vec<_> = std::fs::read_dir(dir.path().join("outside")).unwrap().collect();
    assert_eq!(names.len(), 1);
    let secret = dir.path().join("outside/secret");
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
    assert_ne!(
        std::fs::metadata(&secret).unwrap().modified().unwrap(),
        std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1)
    );
}

#[test]
fn a_read_only_directory_stays_as_it_is() {
    let dir = sandbox();
    let inside = dir.path().join("inside");
    symlink("file", inside.join("symlink")).unwrap();
    let mut guest = Guest::reading_dir(&inside);
    let rofs = Err(Errno::Rofs);
    assert_eq!(guest.create_directory("new"), rofs);
    assert_eq!(guest.remove_directory("dir/nested"), rofs);
    assert_eq!(guest.unlink("file"), rofs);
    assert_eq!(guest.rename("file", "new"), rofs);
    assert_eq!(guest.link(0, "file", "new"), rofs);
    assert_eq!(guest.symlink("file", "new"), rofs);
    assert_eq!(guest.set_mtime(0, "file", 1), rofs);
    for rights in [Rights::FD_WRITE, Rights::FD_ALLOCATE, Rights::FD_FILESTAT_SET_SIZE] {
        assert_eq!(guest.open(ROOT, "file", OpenFlags::NONE, rights), Err(Errno::Rofs));
    }
    assert_eq!(
        guest.open(ROOT, "file", OpenFlags::TRUNC, Rights::NONE),
        Err(Errno::Rofs)
    );
    assert_eq!(
        guest.open(ROOT, "new", OpenFlags::CREAT, Rights::NONE),
        Err(Errno::Rofs)
    );
    let exclusive = OpenFlags::CREAT.or(OpenFlags::EXCL);
    assert_eq!(guest.open(ROOT, "new", exclusive, Rights::NONE), Err(Errno::Rofs));
    assert_eq!(guest.open(ROOT, "file", exclusive, Rights::NONE), Err(Errno::Exist));

    // What changes nothing works, through descriptors opened below as well.
    let reading = Rights::FD_READ.or(Rights::FD_FILESTAT_SET_TIMES);
    let file = guest.open(ROOT, "file", OpenFlags::CREAT, reading).unwrap();
    assert_eq!(guest.read(file, 10).unwrap(), b"inside");
    assert_eq!(guest.write(file, b"x"), Err(Errno::Badf));
    assert_eq!(errno(guest.call().fd_filestat_set_times(file, 0, 1, 4)), rofs);
    let below = guest.open_directory("dir");
    assert_eq!(errno(guest.call().fd_filestat_set_times(below, 0, 1, 4)), rofs);
    assert_eq!(
        guest.open(below, "new", OpenFlags::CREAT, Rights::FD_WRITE),
        Err(Errno::Rofs)
    );
    assert_eq!(guest.readlink("symlink").unwrap(), b"file");
    assert_outside_untouched(&dir);
}

#[test]
fn nothing_moves_between_a_writable_and_a_read_only_directory() {
    let dir = sandbox();
    let mut guest = Guest::new(
        WasiCtxBuilder::new()
            .preopened_dir(dir.path().join("inside"), "/rw", DirPerms::ReadWrite)
            .preopened_dir(dir.path().join("outside"), "/ro", DirPerms::ReadOnly),
    );
    let read_only = Fd(4);
    let (old, old_len) = guest.path("secret");
    let (new, new_len) = guest.second_path("new");
    let linked = guest.call().path_link(read_only, 0, old, old_len, ROOT, new, new_len);
    assert_eq!(errno(linked), Err(Errno::Rofs));
    let renamed = guest.call().path_rename(read_only, old, old_len, ROOT, new, new_len);
    assert_eq!(errno(renamed), Err(Errno::Rofs));
    assert_outside_untouched(&dir);
}
