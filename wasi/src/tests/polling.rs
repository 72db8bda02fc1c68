//! Waiting: clocks, descriptors, interrupts, bounds.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{ALL, DATA, Guest, RESULT, ROOT, VECTORS, errno, sandbox};
use crate::builder::WasiCtxBuilder;
use crate::clock::now;
use crate::errno::{Errno, Failure};
use crate::memory::GuestAddr;
use crate::types::{Clock, Fd, OpenFlags, Rights};

/// One subscription of a test.
enum Sub {
    Clock { id: u32, timeout: u64, absolute: bool },
    Read(Fd),
    Write(Fd),
}

/// One event: which subscription, its error, bytes, hangup.
#[derive(Debug, PartialEq, Eq)]
struct Happened {
    which: u64,
    error: u16,
    nbytes: u64,
    hangup: bool,
}

impl Guest {
    /// Polls; the subscriptions' indices are their user data.
    fn poll(&mut self, subs: &[Sub]) -> Result<Vec<Happened>, Failure> {
        for (index, sub) in subs.iter().enumerate() {
            let mut record = [0; 48];
            record[0..8].copy_from_slice(&u64::try_from(index).unwrap().to_le_bytes());
            match sub {
                Sub::Clock { id, timeout, absolute } => {
                    record[16..20].copy_from_slice(&id.to_le_bytes());
                    record[24..32].copy_from_slice(&timeout.to_le_bytes());
                    record[40] = u8::from(*absolute);
                }
                Sub::Read(fd) => {
                    record[8] = 1;
                    record[16..20].copy_from_slice(&fd.0.to_le_bytes());
                }
                Sub::Write(fd) => {
                    record[8] = 2;
                    record[16..20].copy_from_slice(&fd.0.to_le_bytes());
                }
            }
            let at = DATA.element(u32::try_from(index).unwrap(), 48).unwrap();
            self.put(at, &record);
        }
        let count = u32::try_from(subs.len()).unwrap();
        let events = GuestAddr(0x20000);
        self.call().poll_oneoff(DATA, events, count, RESULT)?;
        let event = |index| {
            let bytes: [u8; 32] = self.get(events.element(index, 32).unwrap());
            Happened {
                which: u64::from_le_bytes(bytes[0..8].try_into().unwrap()),
                error: u16::from_le_bytes(bytes[8..10].try_into().unwrap()),
                nbytes: u64::from_le_bytes(bytes[16..24].try_into().unwrap()),
                hangup: bytes[24] != 0,
            }
        };
        Ok((0..self.get_u32(RESULT)).map(event).collect())
    }
}

/// An event without an error or bytes.
fn plain(which: u64) -> Happened {
    Happened {
        which,
        error: 0,
        nbytes: 0,
        hangup: false,
    }
}

const MILLISECOND: u64 = 1_000_000;

#[test]
fn clocks_are_waited_for() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    let ten = Duration::from_millis(10);
    for (id, clock) in [(0, Clock::Realtime), (1, Clock::Monotonic)] {
        for absolute in [false, true] {
            let base = if absolute { now(clock) } else { 0 };
            let start = Instant::now();
            let events = guest.poll(&[
                Sub::Clock {
                    id,
                    timeout: base + 10_000 * MILLISECOND,
                    absolute,
                },
                Sub::Clock {
                    id,
                    timeout: base + 10 * MILLISECOND,
                    absolute,
                },
            ]);
            assert_eq!(events.unwrap(), [plain(1)]);
            // The time of day need not run as the steady clock does.
            assert!(start.elapsed() >= ten - Duration::from_millis(1));
            assert!(start.elapsed() < Duration::from_secs(5));
        }
        // A moment that has passed.
        let past = Sub::Clock {
            id,
            timeout: 1,
            absolute: true,
        };
        assert_eq!(guest.poll(&[past]).unwrap(), [plain(0)]);
    }
}

#[test]
fn what_is_wrong_with_one_subscription_is_said_in_its_event() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let blind = guest.open(ROOT, "file", OpenFlags::NONE, Rights::FD_READ).unwrap();
    let events = guest
        .poll(&[
            Sub::Read(Fd(99)),
            Sub::Write(ROOT),
            Sub::Clock {
                id: 9,
                timeout: 0,
                absolute: false,
            },
            Sub::Clock {
                id: 2,
                timeout: 0,
                absolute: false,
            },
            Sub::Read(blind),
            Sub::Write(Fd(0)),
        ])
        .unwrap();
    let errors: Vec<u16> = events.iter().map(|event| event.error).collect();
    let expected = [
        Errno::Badf,
        Errno::NotCapable,
        Errno::Inval,
        Errno::Notsup,
        Errno::NotCapable,
        Errno::NotCapable,
    ];
    assert_eq!(errors, expected.map(Errno::number));
}

#[test]
fn files_are_always_ready_and_say_how_much_is_left() {
    let dir = sandbox();
    let mut guest = Guest::in_dir(&dir.path().join("inside"));
    let file = guest.open(ROOT, "file", OpenFlags::NONE, ALL).unwrap();
    assert_eq!(guest.read(file, 2).unwrap(), b"in");
    let events = guest.poll(&[
        Sub::Read(file),
        Sub::Clock {
            id: 1,
            timeout: u64::MAX,
            absolute: false,
        },
    ]);
    let left = Happened { nbytes: 4, ..plain(0) };
    assert_eq!(events.unwrap(), [left]);
}

#[test]
fn sockets_become_ready() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut guest = Guest::new(WasiCtxBuilder::new().preopened_socket(theirs));
    let socket = ROOT;
    let later = || Sub::Clock {
        id: 1,
        timeout: 20 * MILLISECOND,
        absolute: false,
    };
    assert_eq!(guest.poll(&[Sub::Read(socket), later()]).unwrap(), [plain(1)]);
    assert_eq!(guest.poll(&[Sub::Write(socket), later()]).unwrap(), [plain(0)]);
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        (&ours).write_all(b"hello").unwrap();
        ours
    });
    let events = guest.poll(&[Sub::Read(socket)]).unwrap();
    assert_eq!(events, [Happened { nbytes: 5, ..plain(0) }]);
    drop(writer.join().unwrap());
    let events = guest.poll(&[Sub::Read(socket)]).unwrap();
    assert!(events[0].hangup);
}

#[test]
fn the_number_of_subscriptions_is_bounded() {
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    for count in [0, 4097, u32::MAX] {
        let result = guest.call().poll_oneoff(DATA, VECTORS, count, RESULT);
        assert_eq!(errno(result), Err(Errno::Inval), "{count}");
    }
    // As many as are allowed, past the end of the memory.
    let result = guest.call().poll_oneoff(GuestAddr(0x3f000), VECTORS, 4096, RESULT);
    assert_eq!(errno(result), Err(Errno::Fault));
}

#[test]
fn a_flag_ends_all_waiting() {
    let (_ours, theirs) = UnixStream::pair().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let mut builder = WasiCtxBuilder::new();
    builder.preopened_socket(theirs).interrupt_flag(Arc::clone(&flag));
    let mut guest = Guest::new(&mut builder);
    let vector = guest.vector(&[0; 8]);
    type Wait = fn(&mut Guest, GuestAddr) -> Result<(), Failure>;
    let waits: [Wait; 3] = [
        |guest, _| {
            guest
                .poll(&[Sub::Clock {
                    id: 1,
                    timeout: u64::MAX,
                    absolute: false,
                }])
                .map(drop)
        },
        |guest, _| guest.poll(&[Sub::Read(ROOT)]).map(drop),
        |guest, vector| guest.call().fd_read(ROOT, vector, 1, RESULT),
    ];
    for wait in waits {
        flag.store(false, Ordering::Relaxed);
        let setter = std::thread::spawn({
            let flag = Arc::clone(&flag);
            move || {
                std::thread::sleep(Duration::from_millis(30));
                flag.store(true, Ordering::Relaxed);
            }
        });
        let start = Instant::now();
        assert_eq!(wait(&mut guest, vector), Err(Failure::Interrupt));
        assert!(start.elapsed() < Duration::from_secs(5));
        setter.join().unwrap();
    }
}
