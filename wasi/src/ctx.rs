//! A guest's WASI state: [`WasiCtx`].

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cap_primitives::fs::{OpenOptions, OpenOptionsExt};
use vm::{Access, Capabilities, Capability, DomainId, Permissions};

use crate::builder::{BuildError, WasiCtxBuilder};
use crate::errno::Errno;
use crate::interrupt::Interrupt;
use crate::table::{Descriptor, Directory, FdTable};
use crate::types::Rights;

/// How many bytes move between guest and host at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What one guest program sees of the host: arguments, environment, and file
/// descriptors. Nothing that was not put in is reachable from it.
///
/// [`WasiCtx::default`] is empty: no argument, no variable, no descriptor,
/// not even standard streams.
///
/// ```
/// use orcavm_wasi::{WasiCtxBuilder, pipe::MemoryOutput};
///
/// let output = MemoryOutput::new(1 << 20);
/// let ctx = WasiCtxBuilder::new()
///     .arg("program")
///     .env("LANG", "C")
///     .stdout(output.clone())
///     .build()?;
/// # drop(ctx);
/// # Ok::<(), orcavm_wasi::BuildError>(())
/// ```
#[derive(Debug, Default)]
pub struct WasiCtx {
    /// The arguments, without the ending zero bytes.
    pub(crate) args: Vec<Vec<u8>>,
    /// The environment, `NAME=value`, without the ending zero bytes.
    pub(crate) env: Vec<Vec<u8>>,
    /// The open descriptors.
    pub(crate) fds: FdTable,
    /// What ends the guest's waiting.
    pub(crate) interrupt: Interrupt,
    /// Bytes on their way, [`CHUNK`] long once used.
    scratch: Vec<u8>,
    /// Whose permissions the descriptors have now, where that is one domain.
    applied: Option<(DomainId, Capabilities)>,
}

/// The components of a guest path.
fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// A directory that was open from the start.
struct Preopened<'a> {
    descriptor: &'a Descriptor,
    directory: &'a Directory,
    name: &'a [u8],
    /// Those of the name, none for the root.
    components: Vec<&'a str>,
}

impl<'a> Preopened<'a> {
    /// `None` for other descriptors, and for names that are not text.
    fn of(descriptor: &'a Descriptor) -> Option<Self> {
        let directory = descriptor.directory().ok()?;
        let name = directory.preopen.as_deref()?;
        Some(Self {
            descriptor,
            directory,
            name,
            components: components(std::str::from_utf8(name).ok()?).collect(),
        })
    }

    /// The directory below it, to be open from the start too, with the rights that
    /// are left to this one.
    fn open(&self, below: &[&str], read_only: bool) -> Result<Descriptor, BuildError> {
        let Descriptor { base, inheriting, .. } = self.descriptor;
        let file = match below {
            [] => Ok(Arc::clone(&self.directory.file)),
            _ if !base.contains(Rights::PATH_OPEN) => Err(std::io::ErrorKind::PermissionDenied.into()),
            below => {
                cap_primitives::fs::open_dir(&self.directory.file, &below.iter().collect::<PathBuf>()).map(Arc::new)
            }
        };
        let mut name = self.name.to_vec();
        for part in below {
            if name.last() != Some(&b'/') {
                name.push(b'/');
            }
            name.extend_from_slice(part.as_bytes());
        }
        let file = file.map_err(|source| BuildError::OpenDirectory {
            path: PathBuf::from(OsStr::from_bytes(&name)),
            source,
        })?;
        let read_only = read_only || self.directory.read_only;
        let mut descriptor = Descriptor::preopened(file, name.into(), read_only);
        descriptor.base = descriptor.base.and(*base);
        descriptor.inheriting = descriptor.inheriting.and(*inheriting);
        Ok(descriptor)
    }
}

impl WasiCtx {
    /// A context with these contents.
    pub(crate) fn new(args: Vec<Vec<u8>>, env: Vec<Vec<u8>>, fds: FdTable, interrupt: Interrupt) -> WasiCtx {
        WasiCtx {
            args,
            env,
            fds,
            interrupt,
            scratch: Vec::new(),
            applied: None,
        }
    }

    /// Lets the calls that follow do what `permissions` allow; `whose` says
    /// where they come from, if the same can come again.
    pub(crate) fn apply(&mut self, whose: Option<(DomainId, Capabilities)>, permissions: impl FnOnce() -> Permissions) {
        if whose.is_none() || whose != self.applied {
            self.fds.set_permissions(permissions());
            self.applied = whose;
        }
    }

    /// The arguments that the running call may see.
    pub(crate) fn visible_args(&self) -> Vec<&[u8]> {
        let permissions = self.fds.permissions();
        let args = self.args.iter().filter(|_| permissions.allows(Capability::Arguments));
        args.map(Vec::as_slice).collect()
    }

    /// The environment that the running call may see.
    pub(crate) fn visible_env(&self) -> Vec<&[u8]> {
        let permissions = self.fds.permissions();
        let is_visible = |variable: &&[u8]| {
            let name = variable.split(|byte| *byte == b'=').next().unwrap_or_default();
            permissions.allows(Capability::Environment)
                && match std::str::from_utf8(name) {
                    Ok(name) => permissions.variable(name),
                    // It cannot be named, so it is there only with all.
                    Err(_) => permissions.variables().is_none(),
                }
        };
        self.env.iter().map(Vec::as_slice).filter(is_visible).collect()
    }

    /// The directories that were open from the start and still are.
    fn preopens(&self) -> impl Iterator<Item = Preopened<'_>> {
        self.fds.iter().filter_map(Preopened::of)
    }

    /// The nearest of them around a path, and what of the path is below it.
    fn around<'p>(&self, path: &'p [&'p str]) -> Option<(Preopened<'_>, &'p [&'p str])> {
        let around = self
            .preopens()
            .filter(|preopened| path.starts_with(&preopened.components));
        let nearest = around.max_by_key(|preopened| preopened.components.len())?;
        let below = path.get(nearest.components.len()..).unwrap_or_default();
        Some((nearest, below))
    }

    /// Lets what follows do what `permissions` allow; for host functions outside
    /// this crate, which say whose they are by [`vm::Caller::lone_domain`].
    pub fn permit(&mut self, whose: Option<(DomainId, Capabilities)>, permissions: &Permissions) {
        self.apply(whose, || permissions.clone());
    }

    /// The contents of a file that the guest may read, by its guest path; for
    /// host functions that take paths. See [`WasiCtx::permit`].
    ///
    /// # Errors
    ///
    /// [`Errno::Noent`] if no directory that is open from the start is around the
    /// path, [`Errno::NotCapable`] if it may not be read, [`Errno::Fbig`] if it has
    /// more than `limit` bytes, or what the host says.
    pub fn read_file(&self, path: &str, limit: u64) -> Result<Vec<u8>, Errno> {
        let parts: Vec<&str> = components(path).collect();
        let (preopened, below) = self.around(&parts).ok_or(Errno::Noent)?;
        let descriptor = preopened.descriptor;
        if !descriptor.rights().contains(Rights::PATH_OPEN) || !descriptor.inheriting().contains(Rights::FD_READ) {
            return Err(Errno::NotCapable);
        }
        let below: PathBuf = std::iter::once(&".").chain(below).collect();
        let mut options = OpenOptions::new();
        // Opening must not wait for whoever may write to a pipe.
        options
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let file = cap_primitives::fs::open(&preopened.directory.file, &below, &options)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(Errno::Isdir);
        }
        if !metadata.is_file() {
            return Err(Errno::Notsup);
        }
        let mut contents = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut contents)?;
        match contents.len() as u64 > limit {
            true => Err(Errno::Fbig),
            false => Ok(contents),
        }
    }

    /// The state of a child: what of this `permissions` allow, and nothing that
    /// was opened since the start.
    ///
    /// Arguments, environment and standard streams are those of this state, as
    /// far as the child may use them. Where the permissions name
    /// [directories](Permissions::directories), the child's are those, by the
    /// same names, opened below the ones that this state has; else all of
    /// them. Sockets are not passed on.
    ///
    /// ```
    /// use orcavm_wasi::{DirPerms, WasiCtxBuilder};
    /// use vm::{Access, Capability, DirectoryScope, Permissions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let parent = WasiCtxBuilder::new().preopened_dir(".", "/", DirPerms::ReadWrite).build()?;
    /// let sources = DirectoryScope::new("/src", Access::Read).unwrap();
    /// let permissions = Permissions::all().keep([Capability::ReadFiles]).keep_directories([sources]);
    /// let child = parent.child(&permissions)?;
    /// # drop(child);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BuildError::OpenDirectory`] if a directory is not there, or this state
    /// has none around it; [`BuildError::TooManyDescriptors`] if this state and its
    /// children would have too many open.
    pub fn child(&self, permissions: &Permissions) -> Result<WasiCtx, BuildError> {
        let mut fds = self.fds.child();
        let limit = fds.limit();
        let full = |_| BuildError::TooManyDescriptors { limit };
        for number in 0..3 {
            fds.insert_shared(self.fds.standard_stream(number)).map_err(full)?;
        }
        let looks = permissions.allows(Capability::ReadFiles) || permissions.allows(Capability::WriteFiles);
        match permissions.directories() {
            None => {
                for preopened in self.preopens().filter(|_| looks) {
                    fds.insert_shared(preopened.open(&[], false)?).map_err(full)?;
                }
            }
            Some(scopes) => {
                for scope in scopes.iter().filter(|_| looks) {
                    let path = scope.path();
                    let inside: Vec<&str> = components(&path).collect();
                    let (nearest, below) = self.around(&inside).ok_or_else(|| BuildError::OpenDirectory {
                        path: path.clone().into(),
                        source: std::io::ErrorKind::NotFound.into(),
                    })?;
                    fds.insert(nearest.open(below, scope.access() == Access::Read)?)
                        .map_err(full)?;
                }
            }
        }
        fds.set_permissions(permissions.clone());
        Ok(WasiCtx::new(
            self.args.clone(),
            self.env.clone(),
            fds,
            self.interrupt.clone(),
        ))
    }

    /// A builder, the same as [`WasiCtxBuilder::new`].
    #[must_use]
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }

    /// From now on, a guest that waits (for input, for a moment) gives up
    /// within 20 ms of `flag` being set, and its call ends with
    /// `Trap::Interrupt`. The flag stays as it is.
    pub fn set_interrupt_flag(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = Interrupt(Some(flag));
    }

    /// Takes the buffer for bytes on their way, [`CHUNK`] long; give it back
    /// with [`WasiCtx::put_scratch`].
    pub(crate) fn take_scratch(&mut self) -> Vec<u8> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(CHUNK, 0);
        scratch
    }

    /// Gives the buffer back.
    pub(crate) fn put_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }
}
