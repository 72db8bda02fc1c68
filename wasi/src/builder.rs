//! Making a [`WasiCtx`]: [`WasiCtxBuilder`].

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use vm::Capability;

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::host::HostFile;
use crate::interrupt::Interrupt;
use crate::table::{DEFAULT_LIMIT, Descriptor, FdTable, Object, Source};
use crate::types::{FdFlags, Rights};

/// What a guest may do with a preopened directory and everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirPerms {
    /// Look and read. Every function that would change something fails with
    /// `ROFS`, as on a file system mounted read-only; so does opening a file
    /// for writing.
    ReadOnly,
    /// Everything the host allows.
    ReadWrite,
}

/// Why a context could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// An argument contains a zero byte, which would end it early.
    #[error("argument {index} contains a zero byte")]
    NulInArgument {
        /// Which argument, from 0.
        index: usize,
    },
    /// An environment variable contains a zero byte.
    #[error("environment variable {name:?} contains a zero byte")]
    NulInVariable {
        /// Its name.
        name: OsString,
    },
    /// Arguments or environment do not fit in a guest's address space.
    #[error("the arguments or the environment are larger than 4 GiB")]
    TooLarge,
    /// A directory to preopen could not be opened.
    #[error("cannot open directory {}", path.display())]
    OpenDirectory {
        /// The host's path of it.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// A standard stream of this process cannot be inherited.
    #[error("cannot inherit standard stream {number}")]
    InheritStdio {
        /// Its number: 0 input, 1 output, 2 error output.
        number: usize,
        /// What the host said.
        source: io::Error,
    },
    /// A socket to preopen is unusable.
    #[error("cannot use a preopened socket")]
    Socket {
        /// What the host said.
        source: Errno,
    },
    /// There are more preopened descriptors than the context allows.
    #[error("more preopened descriptors than the limit of {limit}")]
    TooManyDescriptors {
        /// The limit.
        limit: usize,
    },
}

/// One of the three standard streams.
enum Stream {
    /// Input that is empty; output that goes nowhere.
    Null,
    /// This process's own.
    Inherited,
    /// The embedder's, to read from.
    Input(Arc<Mutex<dyn Read + Send>>),
    /// The embedder's, to write to.
    Output(Arc<Mutex<dyn Write + Send>>),
}

/// A directory to preopen.
struct Preopen {
    host: PathBuf,
    guest: Box<[u8]>,
    perms: DirPerms,
}

/// Collects what a guest will see, then makes its [`WasiCtx`].
///
/// A new builder gives no argument, no variable, no directory, empty standard
/// input, and standard outputs that go nowhere. Descriptors are numbered as
/// guests expect: 0 to 2 the standard streams, from 3 on the preopened
/// directories in the order they were named, then the preopened sockets.
pub struct WasiCtxBuilder {
    args: Vec<Vec<u8>>,
    env: Vec<(OsString, OsString)>,
    streams: [Stream; 3],
    preopens: Vec<Preopen>,
    sockets: Vec<OwnedFd>,
    limit: usize,
    interrupt: Interrupt,
}

impl std::fmt::Debug for WasiCtxBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasiCtxBuilder").finish_non_exhaustive()
    }
}

impl Default for WasiCtxBuilder {
    fn default() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }
}

impl WasiCtxBuilder {
    /// A builder for a guest that sees nothing.
    #[must_use]
    pub fn new() -> WasiCtxBuilder {
        WasiCtxBuilder {
            args: Vec::new(),
            env: Vec::new(),
            streams: [Stream::Null, Stream::Null, Stream::Null],
            preopens: Vec::new(),
            sockets: Vec::new(),
            limit: DEFAULT_LIMIT,
            interrupt: Interrupt::default(),
        }
    }

    /// Adds an argument; the first is the program's name by convention.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().as_bytes().to_vec());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Sets an environment variable, in place of an earlier one of that name.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        match self.env.iter_mut().find(|(earlier, _)| earlier == name) {
            Some((_, earlier)) => *earlier = value.to_os_string(),
            None => self.env.push((name.to_os_string(), value.to_os_string())),
        }
        self
    }

    /// Sets environment variables.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, variables: impl IntoIterator<Item = (K, V)>) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Sets all environment variables of this process.
    pub fn inherit_env(&mut self) -> &mut Self {
        self.envs(std::env::vars_os())
    }

    /// Gives the guest the standard streams of this process. The guest uses
    /// the host's descriptors themselves, past the buffers of `std::io`.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Gives the guest the standard input of this process.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.streams[0] = Stream::Inherited;
        self
    }

    /// Gives the guest the standard output of this process.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.streams[1] = Stream::Inherited;
        self
    }

    /// Gives the guest the standard error output of this process.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.streams[2] = Stream::Inherited;
        self
    }

    /// Gives the guest `stream` as its standard input. Polling finds it
    /// always ready, and a read of it is not interruptible.
    pub fn stdin(&mut self, stream: impl Read + Send + 'static) -> &mut Self {
        self.streams[0] = Stream::Input(Arc::new(Mutex::new(stream)));
        self
    }

    /// Gives the guest `stream` as its standard output.
    pub fn stdout(&mut self, stream: impl Write + Send + 'static) -> &mut Self {
        self.streams[1] = Stream::Output(Arc::new(Mutex::new(stream)));
        self
    }

    /// Gives the guest `stream` as its standard error output.
    pub fn stderr(&mut self, stream: impl Write + Send + 'static) -> &mut Self {
        self.streams[2] = Stream::Output(Arc::new(Mutex::new(stream)));
        self
    }

    /// Gives the guest the host's directory `host`, under the name `guest`.
    /// It is opened when the context is built; from then on its path in the
    /// host does not matter. No path a guest names leads out of it.
    pub fn preopened_dir(&mut self, host: impl AsRef<Path>, guest: impl AsRef<OsStr>, perms: DirPerms) -> &mut Self {
        self.preopens.push(Preopen {
            host: host.as_ref().to_path_buf(),
            guest: guest.as_ref().as_bytes().into(),
            perms,
        });
        self
    }

    /// Gives the guest an open socket, listening or connected.
    pub fn preopened_socket(&mut self, socket: impl Into<OwnedFd>) -> &mut Self {
        self.sockets.push(socket.into());
        self
    }

    /// Lets the guest have up to `limit` descriptors open at once, the
    /// standard streams included; 1024 otherwise.
    pub fn max_descriptors(&mut self, limit: usize) -> &mut Self {
        self.limit = limit;
        self
    }

    /// Ends the guest's waiting once `flag` is set; see
    /// [`WasiCtx::set_interrupt_flag`].
    pub fn interrupt_flag(&mut self, flag: Arc<AtomicBool>) -> &mut Self {
        self.interrupt.flag = Some(flag);
        self
    }

    /// Makes the context and leaves the builder as new.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that says which part does not work.
    pub fn build(&mut self) -> Result<WasiCtx, BuildError> {
        let WasiCtxBuilder {
            args,
            env,
            streams,
            preopens,
            sockets,
            limit,
            interrupt,
        } = std::mem::take(self);
        if let Some(index) = args.iter().position(|arg| arg.contains(&0)) {
            return Err(BuildError::NulInArgument { index });
        }
        let mut variables = Vec::with_capacity(env.len());
        for (name, value) in env {
            let mut variable = name.as_bytes().to_vec();
            variable.push(b'=');
            variable.extend_from_slice(&value.into_vec());
            if variable.contains(&0) {
                return Err(BuildError::NulInVariable { name });
            }
            variables.push(variable);
        }
        for strings in [&args, &variables] {
            // Each takes its bytes, a zero byte, and a pointer.
            let bytes: usize = strings.iter().map(|s| s.len() + 5).sum();
            if u32::try_from(bytes).is_err() {
                return Err(BuildError::TooLarge);
            }
        }

        let mut fds = FdTable::new(limit);
        let mut insert = |descriptor| {
            fds.insert(descriptor)
                .map(drop)
                .map_err(|_| BuildError::TooManyDescriptors { limit })
        };
        for (number, stream) in streams.into_iter().enumerate() {
            insert(stream_descriptor(number, stream)?)?;
        }
        for preopen in preopens {
            insert(directory_descriptor(preopen)?)?;
        }
        for socket in sockets {
            let file = HostFile::new(File::from(socket))
                .and_then(|file| match file.filetype().is_socket() {
                    true => Ok(file),
                    false => Err(Errno::NotSock),
                })
                .map_err(|source| BuildError::Socket { source })?;
            insert(Descriptor::for_file(file, Source::Stream(Capability::Network)))?;
        }
        Ok(WasiCtx::new(args, variables, fds, interrupt))
    }
}

/// The descriptor for standard stream `number`.
fn stream_descriptor(number: usize, stream: Stream) -> Result<Descriptor, BuildError> {
    let mut descriptor = Descriptor::null(capability(number));
    match stream {
        Stream::Null => Ok(descriptor),
        Stream::Input(reader) => {
            descriptor.object = Object::Input(reader);
            Ok(descriptor)
        }
        Stream::Output(writer) => {
            descriptor.object = Object::Output(writer);
            Ok(descriptor)
        }
        Stream::Inherited => inherited_descriptor(number).map_err(|source| BuildError::InheritStdio { number, source }),
    }
}

/// What standard stream `number` needs.
fn capability(number: usize) -> Capability {
    match number {
        0 => Capability::Stdin,
        1 => Capability::Stdout,
        _ => Capability::Stderr,
    }
}

/// The descriptor for this process's own standard stream `number`.
fn inherited_descriptor(number: usize) -> io::Result<Descriptor> {
    let fd = match number {
        0 => io::stdin().as_fd().try_clone_to_owned(),
        1 => io::stdout().as_fd().try_clone_to_owned(),
        _ => io::stderr().as_fd().try_clone_to_owned(),
    }?;
    let host_flags = rustix::fs::fcntl_getfl(&fd)?;
    let mut file = HostFile::new(File::from(fd)).map_err(io::Error::other)?;
    file.shared = true;
    let mut descriptor = Descriptor::for_file(file, Source::Stream(capability(number)));
    // A stream can be open for both directions (a terminal usually is), but
    // not for less than the host opened it for.
    match host_flags & OFlags::RWMODE {
        OFlags::RDONLY => descriptor.base = descriptor.base.without(Rights::WRITING),
        OFlags::WRONLY => descriptor.base = descriptor.base.without(Rights::FD_READ),
        _ => {}
    }
    // Whether the host's descriptor waits is not the guest's concern: it is
    // made to, until the guest asks for `NONBLOCK` itself.
    if host_flags.contains(OFlags::APPEND) {
        descriptor.flags = FdFlags::APPEND;
    }
    Ok(descriptor)
}

/// The descriptor for a preopened directory.
fn directory_descriptor(preopen: Preopen) -> Result<Descriptor, BuildError> {
    let Preopen { host, guest, perms } = preopen;
    let open = |mode| {
        let flags = mode | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(&host, flags, Mode::empty())
    };
    let fd = match open(OFlags::RDONLY) {
        // A directory that cannot be listed can still be searched.
        #[cfg(target_os = "linux")]
        Err(rustix::io::Errno::ACCESS) => open(OFlags::PATH),
        result => result,
    };
    match fd {
        Ok(fd) => Ok(Descriptor::preopened(
            Arc::new(File::from(fd)),
            guest,
            perms == DirPerms::ReadOnly,
        )),
        Err(error) => Err(BuildError::OpenDirectory {
            path: host,
            source: error.into(),
        }),
    }
}
