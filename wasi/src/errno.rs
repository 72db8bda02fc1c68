//! Error numbers of WASI, and the way from host errors to them.
//!
//! Owns [`Errno`], the one list of the 77 codes (both previews share it), and
//! every conversion from a host error. Takes `rustix` and `std::io` errors;
//! gives codes a guest understands. Invariant: every host error becomes some
//! code, and none becomes [`Errno::Success`].

use std::io;

use rustix::io::Errno as Host;

/// Declares [`Errno`]: code, WASI number, host errors that become it, meaning.
macro_rules! errno_table {
    ($($variant:ident = $number:literal [$($host:ident),*] $meaning:literal;)*) => {
        /// An error number as a guest sees it (`errno` of preview 0 and 1).
        ///
        /// `Display` is the meaning given by the WASI documents.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Errno {
            $(#[doc = $meaning] $variant = $number,)*
        }

        impl Errno {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Errno] = &[$(Errno::$variant),*];

            /// The number a guest gets.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Errno::$variant => $number,)*
                }
            }

            /// What the code means, in words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Errno::$variant => $meaning,)*
                }
            }
        }

        impl From<Host> for Errno {
            fn from(error: Host) -> Errno {
                match error {
                    $($(Host::$host => Errno::$variant,)*)*
                    _ => Errno::Io,
                }
            }
        }
    };
}

errno_table! {
    Success = 0 [] "success";
    TooBig = 1 [TOOBIG] "argument list too long";
    Acces = 2 [ACCESS] "permission denied";
    AddrInUse = 3 [ADDRINUSE] "address in use";
    AddrNotAvail = 4 [ADDRNOTAVAIL] "address not available";
    AfNoSupport = 5 [AFNOSUPPORT] "address family not supported";
    Again = 6 [AGAIN] "resource unavailable, or operation would block";
    Already = 7 [ALREADY] "connection already in progress";
    Badf = 8 [BADF] "bad file descriptor";
    BadMsg = 9 [BADMSG] "bad message";
    Busy = 10 [BUSY] "device or resource busy";
    Canceled = 11 [CANCELED] "operation canceled";
    Child = 12 [CHILD] "no child processes";
    ConnAborted = 13 [CONNABORTED] "connection aborted";
    ConnRefused = 14 [CONNREFUSED] "connection refused";
    ConnReset = 15 [CONNRESET] "connection reset";
    Deadlk = 16 [DEADLK] "resource deadlock would occur";
    DestAddrReq = 17 [DESTADDRREQ] "destination address required";
    Dom = 18 [DOM] "mathematics argument out of domain of function";
    Dquot = 19 [DQUOT] "disk quota exceeded";
    Exist = 20 [EXIST] "file exists";
    Fault = 21 [FAULT] "bad address";
    Fbig = 22 [FBIG] "file too large";
    HostUnreach = 23 [HOSTUNREACH] "host is unreachable";
    Idrm = 24 [IDRM] "identifier removed";
    Ilseq = 25 [ILSEQ] "illegal byte sequence";
    InProgress = 26 [INPROGRESS] "operation in progress";
    Intr = 27 [INTR] "interrupted function";
    Inval = 28 [INVAL] "invalid argument";
    Io = 29 [IO] "input or output error";
    IsConn = 30 [ISCONN] "socket is connected";
    Isdir = 31 [ISDIR] "is a directory";
    Loop = 32 [LOOP] "too many levels of symbolic links";
    Mfile = 33 [MFILE] "too many open files of the process";
    Mlink = 34 [MLINK] "too many links";
    MsgSize = 35 [MSGSIZE] "message too large";
    Multihop = 36 [MULTIHOP] "multihop attempted";
    NameTooLong = 37 [NAMETOOLONG] "file name too long";
    NetDown = 38 [NETDOWN] "network is down";
    NetReset = 39 [NETRESET] "connection aborted by network";
    NetUnreach = 40 [NETUNREACH] "network unreachable";
    Nfile = 41 [NFILE] "too many open files";
    Nobufs = 42 [NOBUFS] "no buffer space available";
    Nodev = 43 [NODEV] "no such device";
    Noent = 44 [NOENT] "no such file or directory";
    Noexec = 45 [NOEXEC] "executable file format error";
    Nolck = 46 [NOLCK] "no locks available";
    Nolink = 47 [NOLINK] "link has been severed";
    Nomem = 48 [NOMEM] "not enough space";
    Nomsg = 49 [NOMSG] "no message of the desired type";
    NoProtoOpt = 50 [NOPROTOOPT] "protocol not available";
    Nospc = 51 [NOSPC] "no space left on device";
    Nosys = 52 [NOSYS] "function not supported";
    NotConn = 53 [NOTCONN] "the socket is not connected";
    Notdir = 54 [NOTDIR] "not a directory or a symbolic link to a directory";
    NotEmpty = 55 [NOTEMPTY] "directory not empty";
    NotRecoverable = 56 [NOTRECOVERABLE] "state not recoverable";
    NotSock = 57 [NOTSOCK] "not a socket";
    Notsup = 58 [OPNOTSUPP] "not supported";
    Notty = 59 [NOTTY] "inappropriate input or output control operation";
    Nxio = 60 [NXIO] "no such device or address";
    Overflow = 61 [OVERFLOW] "value too large to be stored in data type";
    OwnerDead = 62 [OWNERDEAD] "previous owner died";
    Perm = 63 [PERM] "operation not permitted";
    Pipe = 64 [PIPE] "broken pipe";
    Proto = 65 [PROTO] "protocol error";
    ProtoNoSupport = 66 [PROTONOSUPPORT] "protocol not supported";
    Prototype = 67 [PROTOTYPE] "protocol wrong type for socket";
    Range = 68 [RANGE] "result too large";
    Rofs = 69 [ROFS] "read-only file system";
    Spipe = 70 [SPIPE] "invalid seek";
    Srch = 71 [SRCH] "no such process";
    Stale = 72 [STALE] "stale file handle";
    TimedOut = 73 [TIMEDOUT] "connection timed out";
    TxtBsy = 74 [TXTBSY] "text file busy";
    Xdev = 75 [XDEV] "cross-device link";
    NotCapable = 76 [] "capabilities insufficient";
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.meaning())
    }
}

impl std::error::Error for Errno {}

impl From<&io::Error> for Errno {
    fn from(error: &io::Error) -> Errno {
        // An embedder's stream may make up numbers; a host's are below 4096.
        if let Some(number @ 1..4096) = error.raw_os_error() {
            return Errno::from(Host::from_raw_os_error(number));
        }
        // Errors without a host number come from path confinement (a path led
        // outside: `PermissionDenied`) and from an embedder's own streams.
        match error.kind() {
            io::ErrorKind::PermissionDenied => Errno::Perm,
            io::ErrorKind::NotFound => Errno::Noent,
            io::ErrorKind::AlreadyExists => Errno::Exist,
            io::ErrorKind::InvalidInput => Errno::Inval,
            io::ErrorKind::WouldBlock => Errno::Again,
            io::ErrorKind::BrokenPipe => Errno::Pipe,
            io::ErrorKind::Interrupted => Errno::Intr,
            io::ErrorKind::OutOfMemory => Errno::Nomem,
            io::ErrorKind::StorageFull => Errno::Nospc,
            io::ErrorKind::Unsupported => Errno::Notsup,
            io::ErrorKind::TimedOut => Errno::TimedOut,
            io::ErrorKind::ConnectionReset => Errno::ConnReset,
            _ => Errno::Io,
        }
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        Errno::from(&error)
    }
}

/// The guest asked to end its program with this exit code (`proc_exit`, or
/// `proc_raise` of a signal that ends it: 128 plus the signal's number).
///
/// The virtual machine carries it out of the call as a host error:
/// `error.downcast_ref::<I32Exit>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program exited with code {0}")]
pub struct I32Exit(
    /// The exit code.
    pub i32,
);

/// Why a WASI function did not return success to its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The guest gets this code as the function's result.
    Errno(Errno),
    /// The guest ends here.
    Exit(I32Exit),
    /// The embedder's interrupt flag was set: the guest's call is given up.
    Interrupt,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

impl From<Host> for Failure {
    fn from(error: Host) -> Failure {
        Failure::Errno(Errno::from(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Errno(Errno::from(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_in_order() {
        assert_eq!(Errno::ALL.len(), 77);
        for (index, errno) in Errno::ALL.iter().enumerate() {
            assert_eq!(usize::from(errno.number()), index);
        }
    }

    #[test]
    fn host_errors_keep_their_name() {
        assert_eq!(Errno::from(Host::NOENT), Errno::Noent);
        assert_eq!(Errno::from(Host::NOTSUP), Errno::Notsup);
        assert_eq!(Errno::from(Host::XDEV), Errno::Xdev);
        // A host error WASI has no name for.
        assert_eq!(Errno::from(Host::from_raw_os_error(4000)), Errno::Io);
    }

    #[test]
    fn errors_without_a_number_go_by_kind() {
        for number in [0, -1, 4096, i32::MIN] {
            assert_eq!(Errno::from(io::Error::from_raw_os_error(number)), Errno::Io);
        }
        let escape = io::Error::new(io::ErrorKind::PermissionDenied, "outside");
        assert_eq!(Errno::from(escape), Errno::Perm);
        assert_eq!(Errno::from(io::Error::other("?")), Errno::Io);
    }
}
