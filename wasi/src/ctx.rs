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
use crate::errno::{Errno, Failure};
use crate::interrupt::Interrupt;
use crate::table::{Descriptor, Directory, FdTable, Object, SharedTable};
use crate::types::{Fd, Rights};

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
    pub(crate) args: Arc<[Vec<u8>]>,
    /// The environment, `NAME=value`, without the ending zero bytes.
    pub(crate) env: Arc<[Vec<u8>]>,
    /// The open descriptors; of a thread, while it has them.
    pub(crate) fds: FdTable,
    /// Where it has them from, if there are other threads.
    shared: Option<Arc<SharedTable>>,
    /// Whether it has them from there.
    has_shared: bool,
    /// What ends the guest's waiting.
    pub(crate) interrupt: Interrupt,
    /// Bytes on their way, [`CHUNK`] long once used.
    scratch: Vec<u8>,
    /// What [`WasiCtx::permit`] has said, if the descriptors are shared.
    permitted: Option<Permitted>,
}

/// Whose permissions there are, where that is one domain, and which.
#[derive(Debug)]
struct Permitted {
    whose: Option<(DomainId, Capabilities)>,
    permissions: Permissions,
}

/// A context that has its descriptors, until this is dropped.
pub(crate) struct Held<'a>(pub(crate) &'a mut WasiCtx);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A shared table that is given back.
struct Taken<'a> {
    shared: &'a SharedTable,
    table: Option<FdTable>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(table) = self.table.take() {
            self.shared.give_back(table);
        }
    }
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
            args: args.into(),
            env: env.into(),
            fds,
            shared: None,
            has_shared: false,
            interrupt,
            scratch: Vec::new(),
            permitted: None,
        }
    }

    /// The state of another thread of the same program: it has the same arguments,
    /// environment and descriptors, so what one opens the other can use. One uses them
    /// while the other does not, but does not wait while another waits, for input say.
    ///
    /// Once `ended` is set, both wait no longer, as by
    /// [`WasiCtx::set_interrupt_flag`].
    ///
    /// ```
    /// use orcavm_wasi::WasiCtxBuilder;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut first = WasiCtxBuilder::new().build()?;
    /// let ended = std::sync::Arc::default();
    /// let second = first.share(&ended);
    /// std::thread::spawn(move || drop(second));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn share(&mut self, ended: &Arc<AtomicBool>) -> WasiCtx {
        let fds = &mut self.fds;
        let shared = self
            .shared
            .get_or_insert_with(|| Arc::new(SharedTable::new(std::mem::take(fds))));
        self.interrupt.ended = Some(Arc::clone(ended));
        WasiCtx {
            args: Arc::clone(&self.args),
            env: Arc::clone(&self.env),
            fds: FdTable::default(),
            shared: Some(Arc::clone(shared)),
            has_shared: false,
            interrupt: self.interrupt.clone(),
            scratch: Vec::new(),
            permitted: None,
        }
    }

    /// Gets the descriptors for a call, if there are other threads that have them too.
    pub(crate) fn hold(&mut self) -> Held<'_> {
        self.acquire();
        Held(self)
    }

    fn acquire(&mut self) {
        if let Some(shared) = self.shared.as_ref().filter(|_| !self.has_shared) {
            self.fds = shared.take();
            self.has_shared = true;
        }
    }

    fn release(&mut self) {
        if let Some(shared) = self.shared.as_ref().filter(|_| self.has_shared) {
            self.has_shared = false;
            shared.give_back(std::mem::take(&mut self.fds));
        }
    }

    /// Lets other threads have the descriptors while `work` is done. Those of the running
    /// call may be others after it.
    fn unheld<R>(&mut self, work: impl FnOnce() -> R) -> R {
        if !self.has_shared {
            return work();
        }
        let (whose, permissions) = (self.fds.applied(), self.fds.permissions().clone());
        self.release();
        let result = work();
        self.acquire();
        self.fds.apply(whose, || permissions);
        result
    }

    /// Does something that may wait with what the descriptor `fd` names. Other threads
    /// go on with theirs meanwhile.
    ///
    /// # Errors
    ///
    /// [`Errno::Badf`] if it names nothing; those of `work`.
    pub(crate) fn waiting<R>(
        &mut self,
        fd: Fd,
        work: impl FnOnce(&Object, bool, &Interrupt) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let descriptor = self.fds.get(fd)?;
        let nonblock = descriptor.nonblock();
        if !self.has_shared {
            return work(&descriptor.object, nonblock, &self.interrupt);
        }
        let (object, interrupt) = (descriptor.object.alias(), self.interrupt.clone());
        self.unheld(|| work(&object, nonblock, &interrupt))
    }

    /// The same with several descriptors, by their numbers.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub(crate) fn waiting_for<R>(
        &mut self,
        numbers: impl Iterator<Item = Fd>,
        work: impl FnOnce(&FdTable, &Interrupt) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        if !self.has_shared {
            return work(&self.fds, &self.interrupt);
        }
        let (fds, interrupt) = (self.fds.aliases(numbers), self.interrupt.clone());
        self.unheld(|| work(&fds, &interrupt))
    }

    /// Looks at the descriptors, also outside a call.
    fn look<R>(&self, look: impl FnOnce(&FdTable) -> R) -> R {
        let Some(shared) = self.shared.as_ref().filter(|_| !self.has_shared) else {
            return look(&self.fds);
        };
        let mut taken = Taken {
            shared,
            table: Some(shared.take()),
        };
        let table = taken.table.get_or_insert_default();
        if let Some(Permitted { whose, permissions }) = &self.permitted {
            table.apply(*whose, || permissions.clone());
        }
        look(table)
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
    fn preopens(fds: &FdTable) -> impl Iterator<Item = Preopened<'_>> {
        fds.iter().filter_map(Preopened::of)
    }

    /// The nearest of them around a path, and what of the path is below it.
    fn around<'t, 'p>(fds: &'t FdTable, path: &'p [&'p str]) -> Option<(Preopened<'t>, &'p [&'p str])> {
        let around = Self::preopens(fds).filter(|preopened| path.starts_with(&preopened.components));
        let nearest = around.max_by_key(|preopened| preopened.components.len())?;
        let below = path.get(nearest.components.len()..).unwrap_or_default();
        Some((nearest, below))
    }

    /// Lets what follows do what `permissions` allow; for host functions outside
    /// this crate, which say whose they are by [`vm::Caller::lone_domain`].
    pub fn permit(&mut self, whose: Option<(DomainId, Capabilities)>, permissions: &Permissions) {
        if self.shared.is_some() && !self.has_shared {
            let permissions = permissions.clone();
            self.permitted = Some(Permitted { whose, permissions });
        } else {
            self.fds.apply(whose, || permissions.clone());
        }
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
        self.look(|fds| Self::read_file_by(fds, path, limit))
    }

    fn read_file_by(fds: &FdTable, path: &str, limit: u64) -> Result<Vec<u8>, Errno> {
        let parts: Vec<&str> = components(path).collect();
        let (preopened, below) = Self::around(fds, &parts).ok_or(Errno::Noent)?;
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
        self.look(|fds| self.child_by(fds, permissions))
    }

    fn child_by(&self, own: &FdTable, permissions: &Permissions) -> Result<WasiCtx, BuildError> {
        let mut fds = own.child();
        let limit = fds.limit();
        let full = |_| BuildError::TooManyDescriptors { limit };
        for number in 0..3 {
            fds.insert_shared(own.standard_stream(number)).map_err(full)?;
        }
        let looks = permissions.allows(Capability::ReadFiles) || permissions.allows(Capability::WriteFiles);
        match permissions.directories() {
            None => {
                for preopened in Self::preopens(own).filter(|_| looks) {
                    fds.insert_shared(preopened.open(&[], false)?).map_err(full)?;
                }
            }
            Some(scopes) => {
                for scope in scopes.iter().filter(|_| looks) {
                    let path = scope.path();
                    let inside: Vec<&str> = components(&path).collect();
                    let (nearest, below) = Self::around(own, &inside).ok_or_else(|| BuildError::OpenDirectory {
                        path: path.clone().into(),
                        source: std::io::ErrorKind::NotFound.into(),
                    })?;
                    fds.insert(nearest.open(below, scope.access() == Access::Read)?)
                        .map_err(full)?;
                }
            }
        }
        fds.set_permissions(permissions.clone());
        Ok(WasiCtx {
            args: Arc::clone(&self.args),
            env: Arc::clone(&self.env),
            fds,
            interrupt: self.interrupt.clone(),
            ..WasiCtx::default()
        })
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
        self.interrupt.flag = Some(flag);
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
