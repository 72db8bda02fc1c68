//! Standard streams, sockets, vectors; arguments, environment, random bytes,
//! ends.

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use super::{DATA, Guest, MEMORY, RESULT, ROOT, VECTORS, errno, sandbox};
use crate::builder::{BuildError, DirPerms, WasiCtxBuilder};
use crate::errno::{Errno, Failure, I32Exit};
use crate::memory::GuestAddr;
use crate::pipe::{MemoryInput, MemoryOutput};
use crate::types::{Fd, FdFlags, OpenFlags, Rights};

const STDIN: Fd = Fd(0);
const STDOUT: Fd = Fd(1);

/// Puts vectors of these addresses and lengths at [`VECTORS`].
fn put_vectors(guest: &mut Guest, vectors: &[(u32, u32)]) {
    for (index, (addr, len)) in vectors.iter().enumerate() {
        let at = VECTORS.element(u32::try_from(index).unwrap(), 8).unwrap();
        guest.put(at, &addr.to_le_bytes());
        guest.put(GuestAddr(at.0 + 4), &len.to_le_bytes());
    }
}

#[test]
fn vectors_are_gathered_and_scattered() {
    let output = MemoryOutput::new(1 << 20);
    let mut guest = Guest::new(
        WasiCtxBuilder::new()
            .stdin(MemoryInput::new("abcdefgh"))
            .stdout(output.clone()),
    );
    guest.put(DATA, b"hello, world");
    put_vectors(&mut guest, &[(DATA.0, 5), (0, 0), (DATA.0 + 7, 5), (DATA.0 + 5, 1)]);
    assert_eq!(guest.call().fd_write(STDOUT, VECTORS, 4, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 11);
    assert_eq!(output.contents(), b"helloworld,");

    put_vectors(&mut guest, &[(DATA.0, 1), (0, 0), (DATA.0 + 4, 2), (DATA.0 + 8, 100)]);
    assert_eq!(guest.call().fd_read(STDIN, VECTORS, 4, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 8);
    assert_eq!(guest.bytes(DATA, 14), b"aellbc wdefgh\0");
    assert_eq!(guest.call().fd_read(STDIN, VECTORS, 4, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 0);
}

#[test]
fn long_vectors_go_in_pieces_and_hostile_ones_fault() {
    let output = MemoryOutput::new(1 << 20);
    let mut guest = Guest::new(WasiCtxBuilder::new().stdout(output.clone()));
    let all = u32::try_from(MEMORY).unwrap();
    put_vectors(&mut guest, &[(0, all), (0, all)]);
    assert_eq!(guest.call().fd_write(STDOUT, VECTORS, 2, RESULT), Ok(()));
    assert_eq!(guest.get_u32(RESULT), 2 * all);
    assert_eq!(output.contents().len(), 2 * MEMORY);

    // 4 GiB, which is not there; then what is there, before it.
    put_vectors(&mut guest, &[(0, u32::MAX)]);
    assert_eq!(errno(guest.call().fd_write(Fd(2), VECTORS, 1, RESULT)), Ok(()));
    assert_eq!(guest.get_u32(RESULT), all, "what was written before the fault counts");
    put_vectors(&mut guest, &[(all, 1)]);
    assert_eq!(
        errno(guest.call().fd_write(STDOUT, VECTORS, 1, RESULT)),
        Err(Errno::Fault)
    );
    assert_eq!(
        errno(guest.call().fd_read(STDIN, VECTORS, 1, RESULT)),
        Err(Errno::Fault)
    );
    let end = GuestAddr(all - 4);
    assert_eq!(errno(guest.call().fd_write(STDOUT, end, 1, RESULT)), Err(Errno::Fault));
    assert_eq!(
        errno(guest.call().fd_write(STDOUT, VECTORS, 1025, RESULT)),
        Err(Errno::Inval)
    );
    // The output's limit.
    put_vectors(&mut guest, &[(0, all), (0, all)]);
    assert_eq!(errno(guest.call().fd_write(STDOUT, VECTORS, 2, RESULT)), Ok(()));
    assert_eq!(
        errno(guest.call().fd_write(STDOUT, VECTORS, 2, RESULT)),
        Err(Errno::Nospc)
    );
}

#[test]
fn a_read_that_cannot_be_delivered_takes_nothing() {
    let mut guest = Guest::new(WasiCtxBuilder::new().stdin(MemoryInput::new("abc")));
    put_vectors(&mut guest, &[(DATA.0, 1), (u32::MAX - 1, 2)]);
    assert_eq!(
        errno(guest.call().fd_read(STDIN, VECTORS, 2, RESULT)),
        Err(Errno::Fault)
    );
    assert_eq!(guest.read(STDIN, 10).unwrap(), b"abc");
}

#[test]
fn embedders_streams_have_a_direction_and_no_position() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    assert_eq!(guest.read(STDOUT, 1), Err(Errno::Badf));
    assert_eq!(guest.write(STDIN, b"x"), Err(Errno::Badf));
    assert_eq!(guest.read(STDIN, 1).unwrap(), b"");
    assert_eq!(guest.write(STDOUT, b"gone"), Ok(4));
    assert_eq!(errno(guest.call().fd_tell(STDOUT, RESULT)), Err(Errno::Spipe));
    assert_eq!(errno(guest.call().fd_seek(STDIN, 1, 0, RESULT)), Err(Errno::Spipe));
    assert_eq!(errno(guest.call().fd_advise(STDIN, 0, 1, 0)), Err(Errno::Spipe));
    assert_eq!(errno(guest.call().fd_sync(STDOUT)), Ok(()));
    assert_eq!(errno(guest.call().fd_filestat_get(STDOUT, RESULT)), Ok(()));
    assert_eq!(
        errno(guest.call().fd_readdir(STDOUT, DATA, 9, 0, RESULT)),
        Err(Errno::Notdir)
    );
    assert_eq!(errno(guest.call().fd_prestat_get(STDOUT, RESULT)), Err(Errno::Badf));
}

#[test]
fn descriptors_from_three_on_are_the_preopens_in_order() {
    let dir = sandbox();
    let (socket, _other) = UnixStream::pair().unwrap();
    let mut guest = Guest::new(
        WasiCtxBuilder::new()
            .preopened_socket(socket)
            .preopened_dir(dir.path().join("inside"), "/first", DirPerms::ReadWrite)
            .preopened_dir(dir.path().join("outside"), "second", DirPerms::ReadOnly),
    );
    for (fd, name) in [(Fd(3), "/first"), (Fd(4), "second")] {
        assert_eq!(guest.call().fd_prestat_get(fd, RESULT), Ok(()));
        let len = u32::try_from(name.len()).unwrap();
        assert_eq!(
            (guest.get_u32(RESULT), guest.get_u32(GuestAddr(RESULT.0 + 4))),
            (0, len)
        );
        let short = guest.call().fd_prestat_dir_name(fd, DATA, len - 1);
        assert_eq!(errno(short), Err(Errno::NameTooLong));
        assert_eq!(guest.call().fd_prestat_dir_name(fd, DATA, len + 9), Ok(()));
        assert_eq!(guest.bytes(DATA, len), name.as_bytes());
    }
    for fd in [Fd(5), Fd(6), Fd(u32::MAX)] {
        assert_eq!(errno(guest.call().fd_prestat_get(fd, RESULT)), Err(Errno::Badf));
    }
}

#[test]
fn sockets_send_receive_and_shut_down() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut guest = Guest::new(WasiCtxBuilder::new().preopened_socket(theirs));
    let socket = ROOT;
    ours.write_all(b"request").unwrap();
    put_vectors(&mut guest, &[(DATA.0, 3), (DATA.0 + 8, 20)]);
    let flags = GuestAddr(RESULT.0 + 8);
    // Looking first, then taking.
    for peek in [1, 0] {
        assert_eq!(guest.call().sock_recv(socket, VECTORS, 2, peek, RESULT, flags), Ok(()));
        assert_eq!((guest.get_u32(RESULT), guest.get::<2>(flags)), (7, [0, 0]));
        assert_eq!(guest.bytes(DATA, 12), b"req\0\0\0\0\0uest");
    }
    guest.vector(b"reply");
    assert_eq!(guest.call().sock_send(socket, VECTORS, 1, 0, RESULT), Ok(()));
    assert_eq!(
        errno(guest.call().sock_send(socket, VECTORS, 1, 1, RESULT)),
        Err(Errno::Inval)
    );
    assert_eq!(errno(guest.call().sock_shutdown(socket, 0)), Err(Errno::Inval));
    assert_eq!(errno(guest.call().sock_shutdown(socket, 2)), Ok(()));
    let mut received = String::new();
    assert_eq!(ours.read_to_string(&mut received).unwrap(), 5);
    assert_eq!(
        errno(guest.call().sock_send(socket, VECTORS, 1, 0, RESULT)),
        Err(Errno::Pipe)
    );
    assert_eq!(errno(guest.call().fd_tell(socket, RESULT)), Err(Errno::Spipe));
}

#[test]
fn datagrams_say_when_they_were_cut_off() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let mut guest = Guest::new(WasiCtxBuilder::new().preopened_socket(theirs));
    let flags = GuestAddr(RESULT.0 + 8);
    for (len, truncated) in [(3, 1), (30, 0)] {
        ours.send(b"datagram").unwrap();
        put_vectors(&mut guest, &[(DATA.0, len)]);
        assert_eq!(guest.call().sock_recv(ROOT, VECTORS, 1, 0, RESULT, flags), Ok(()));
        assert_eq!(guest.get_u32(RESULT), len.min(8));
        assert_eq!(guest.get::<2>(flags), [truncated, 0]);
    }
    assert_eq!(guest.call().fd_fdstat_get(ROOT, RESULT), Ok(()));
    assert_eq!(guest.get::<1>(RESULT), [5]);
}

#[test]
fn listeners_accept() {
    let dir = sandbox();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut guest = Guest::new(WasiCtxBuilder::new().preopened_socket(listener));
    let nonblock = u32::from(FdFlags::NONBLOCK.bits());
    assert_eq!(guest.call().fd_fdstat_set_flags(ROOT, nonblock), Ok(()));
    assert_eq!(errno(guest.call().sock_accept(ROOT, 0, RESULT)), Err(Errno::Again));
    let mut client = UnixStream::connect(&path).unwrap();
    assert_eq!(errno(guest.call().sock_accept(ROOT, 1, RESULT)), Err(Errno::Inval));
    assert_eq!(guest.call().sock_accept(ROOT, nonblock, RESULT), Ok(()));
    let accepted = Fd(guest.get_u32(RESULT));
    assert_eq!(accepted, Fd(4));
    assert_eq!(guest.read(accepted, 1), Err(Errno::Again));
    client.write_all(b"hi").unwrap();
    assert_eq!(guest.read(accepted, 9).unwrap(), b"hi");
}

#[test]
fn other_descriptors_are_not_sockets() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, Rights::FD_READ).unwrap();
    for (fd, expected) in [
        (STDOUT, Errno::NotSock),
        (ROOT, Errno::NotSock),
        (file, Errno::NotSock),
        (Fd(77), Errno::Badf),
    ] {
        assert_eq!(errno(guest.call().sock_accept(fd, 0, RESULT)), Err(expected));
        assert_eq!(
            errno(guest.call().sock_recv(fd, VECTORS, 0, 0, RESULT, RESULT)),
            Err(expected)
        );
        assert_eq!(errno(guest.call().sock_send(fd, VECTORS, 0, 0, RESULT)), Err(expected));
        assert_eq!(errno(guest.call().sock_shutdown(fd, 1)), Err(expected));
    }
}

#[test]
fn arguments_and_environment_are_laid_out() {
    let mut builder = WasiCtxBuilder::new();
    builder
        .args(["program", ""])
        .env("A", "1")
        .env("B", "x=y")
        .env("A", "2");
    let mut guest = Guest::new(&mut builder);
    let size = GuestAddr(RESULT.0 + 4);
    assert_eq!(guest.call().args_sizes_get(RESULT, size), Ok(()));
    assert_eq!((guest.get_u32(RESULT), guest.get_u32(size)), (2, 9));
    assert_eq!(guest.call().args_get(RESULT, DATA), Ok(()));
    assert_eq!((guest.get_u32(RESULT), guest.get_u32(size)), (DATA.0, DATA.0 + 8));
    assert_eq!(guest.bytes(DATA, 9), b"program\0\0");

    assert_eq!(guest.call().environ_sizes_get(RESULT, size), Ok(()));
    assert_eq!((guest.get_u32(RESULT), guest.get_u32(size)), (2, 10));
    assert_eq!(guest.call().environ_get(RESULT, DATA), Ok(()));
    assert_eq!(guest.bytes(DATA, 10), b"A=2\0B=x=y\0");
    let end = GuestAddr(u32::try_from(MEMORY).unwrap() - 2);
    assert_eq!(errno(guest.call().environ_get(RESULT, end)), Err(Errno::Fault));
}

#[test]
fn what_cannot_be_a_c_string_is_refused() {
    let nul = WasiCtxBuilder::new().arg("a").arg("b\0c").build();
    assert!(matches!(nul, Err(BuildError::NulInArgument { index: 1 })));
    let nul = WasiCtxBuilder::new().env("NAME", "\0").build();
    assert!(matches!(nul, Err(BuildError::NulInVariable { .. })));
    let missing = WasiCtxBuilder::new()
        .preopened_dir("/nonexistent", "/", DirPerms::ReadOnly)
        .build();
    assert_eq!(missing.unwrap_err().to_string(), "cannot open directory /nonexistent");
    let file = std::fs::File::open("/dev/null").unwrap();
    let no_socket = WasiCtxBuilder::new().preopened_socket(file).build();
    assert!(matches!(no_socket, Err(BuildError::Socket { source: Errno::NotSock })));
    let many = WasiCtxBuilder::new().max_descriptors(2).build();
    assert!(matches!(many, Err(BuildError::TooManyDescriptors { limit: 2 })));
}

#[test]
fn random_bytes_fill_the_range_and_no_more() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    for len in [0, 1, 256, 257, 200_000] {
        guest.memory.fill(0);
        assert_eq!(guest.call().random_get(GuestAddr(0x1000), len), Ok(()));
        let end = 0x1000 + usize::try_from(len).unwrap();
        assert!(guest.memory[end..].iter().all(|byte| *byte == 0), "{len}");
        let zeros = guest.memory[0x1000..end].iter().filter(|byte| **byte == 0).count();
        assert!(zeros <= 1 + end / 100, "{len}: {zeros} zeros");
    }
    assert_eq!(
        errno(guest.call().random_get(GuestAddr(8), u32::MAX)),
        Err(Errno::Fault)
    );
}

#[test]
fn clocks_run() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    for id in 0..4 {
        assert_eq!(guest.call().clock_res_get(id, RESULT), Ok(()));
        assert!(guest.get_u64(RESULT) > 0);
        assert_eq!(guest.call().clock_time_get(id, 0, RESULT), Ok(()));
        let before = guest.get_u64(RESULT);
        assert_eq!(guest.call().clock_time_get(id, u64::MAX, RESULT), Ok(()));
        assert!(guest.get_u64(RESULT) >= before);
    }
    assert_eq!(errno(guest.call().clock_time_get(4, 0, RESULT)), Err(Errno::Inval));
    assert_eq!(errno(guest.call().clock_res_get(u32::MAX, RESULT)), Err(Errno::Inval));
}

#[test]
fn guests_end() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    assert_eq!(guest.call().sched_yield(), Ok(()));
    for (code, expected) in [(0, 0), (255, 255), (u32::MAX, -1)] {
        assert_eq!(guest.call().proc_exit(code), Err(Failure::Exit(I32Exit(expected))));
    }
    assert_eq!(guest.call().proc_raise(0), Ok(()));
    assert_eq!(guest.call().proc_raise(13), Ok(()));
    assert_eq!(guest.call().proc_raise(6), Err(Failure::Exit(I32Exit(134))));
    assert_eq!(errno(guest.call().proc_raise(18)), Err(Errno::Notsup));
    assert_eq!(errno(guest.call().proc_raise(31)), Err(Errno::Inval));
}

#[test]
fn an_empty_context_has_no_descriptors() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    guest.ctx = crate::WasiCtx::default();
    assert_eq!(guest.write(STDOUT, b"x"), Err(Errno::Badf));
    assert_eq!(errno(guest.call().fd_close(STDIN)), Err(Errno::Badf));
}
