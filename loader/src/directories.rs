//! Libraries in the host's directories.
//!
//! Names and runtime paths come from modules, so they may be anything: only regular
//! files of a limited size are read, opening one never waits, and what a guest asks
//! for while it runs is limited to what [`Reach`] says.

use std::collections::VecDeque;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::{debug, trace};
use vm::{Engine, Module};

use crate::find::shown;
use crate::{FindError, Finder, Found, Identity, NameError, Reach, Refused, Request};

/// The largest library, in bytes.
const LARGEST: u64 = 256 << 20;
/// Directories of one runtime path at most.
const MOST_DIRECTORIES: usize = 100;
/// The longest directory of a runtime path, in bytes.
const LONGEST_DIRECTORY: usize = 4096;
/// Modules that are kept to be found again, at most.
const KEPT: usize = 16;
/// Bytes that the files of these have together, at most.
const KEPT_BYTES: u64 = 64 << 20;

/// Finds libraries in directories.
///
/// A name with a `/` is a path: from the process's directory on when a program is
/// loaded; for a guest that runs, one of its own paths. Any other name is looked for
/// in the directories of the importer's runtime path, where `$ORIGIN` or `${ORIGIN}`
/// is the directory that the importer is in, and then in those that were added
/// here. The first file of that name is it.
///
/// ```
/// use orcavm_loader::{Directories, Finder, Request};
/// use vm::Engine;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("directories-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// std::fs::write(folder.join("libm.so"), b"\0asm\x01\0\0\0")?;
/// let finder = Directories::new(&Engine::default()).search(&folder);
/// let found = finder.find(&Request::new("libm.so", "app.wasm"))?;
/// assert_eq!(found.path.as_deref(), Some(&*folder.join("libm.so")));
/// let message = finder.find(&Request::new("libc.so", "app.wasm")).unwrap_err().to_string();
/// assert_eq!(message, format!("not found in {}", folder.display()));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub struct Directories {
    engine: Engine,
    directories: Vec<PathBuf>,
    reach: Reach,
    translate: Option<Box<Translate>>,
    kept: Mutex<Kept>,
}

/// Makes a binary of a file's contents in another format.
type Translate = dyn Fn(&Path, &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + Send + Sync;

impl fmt::Debug for Directories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directories")
            .field("directories", &self.directories)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// Why a file is no library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a directory.
    #[error("it is a directory, not a WebAssembly module")]
    Directory,
    /// It is a pipe, a device or the like.
    #[error("it is no regular file")]
    Irregular,
    /// It is too large.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It is a component.
    #[error("it is a WebAssembly component, not a core module")]
    Component,
    /// It is no module that the engine runs.
    #[error(transparent)]
    Module(#[from] vm::Error),
    /// It is in another format, and cannot be translated.
    #[error(transparent)]
    Translation(Box<dyn Error + Send + Sync>),
}

impl Directories {
    /// No directories yet; modules are made for an engine.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            directories: Vec::new(),
            reach: Reach::default(),
            translate: None,
            kept: Mutex::default(),
        }
    }

    /// Looks in this directory too, after those before. Guests that may load at all
    /// may load from it.
    #[must_use]
    pub fn search(mut self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.reach.open(directory.clone());
        self.directories.push(directory);
        self
    }

    /// Guests that may load at all may load what modules look for in this directory.
    #[must_use]
    pub fn open(mut self, directory: impl Into<PathBuf>) -> Self {
        self.reach.open(directory.into());
        self
    }

    /// Guests know this directory of the host by a path, and may load from it what they
    /// may read.
    #[must_use]
    pub fn give(mut self, host: impl Into<PathBuf>, guest: &str) -> Self {
        self.reach.give(host.into(), guest);
        self
    }

    /// What is in files that the host asks for and that hold no binaries, such as
    /// modules in the text format, is made a binary by this function. A guest that runs
    /// has no use of it.
    #[must_use]
    pub fn translate(
        mut self,
        translate: impl Fn(&Path, &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.translate = Some(Box::new(translate));
        self
    }

    /// The library in a file, for the host: to load it before it is needed.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn file(&self, path: &Path) -> Result<Found, FindError> {
        let name = path.to_string_lossy();
        match self.load(path, &name, Who::Host) {
            Ok(found) => Ok(found),
            Err(source) => Err(FindError::Unusable {
                path: Some(path.to_owned()),
                source: source.into(),
            }),
        }
    }

    /// The files that may be meant, in order.
    fn candidates(&self, request: &Request<'_>) -> Result<Vec<PathBuf>, FindError> {
        if request.name.contains('/') {
            let path = match request.permissions {
                None => PathBuf::from(request.name),
                Some(_) => self.reach.host_path(request.name).ok_or(Refused::Outside)?,
            };
            return Ok(vec![path]);
        }
        let length = request.runtime_path.len();
        if length > MOST_DIRECTORIES {
            let limit = MOST_DIRECTORIES;
            return Err(NameError::RuntimePath { length, limit }.into());
        }
        let runtime = request.runtime_path.iter();
        let runtime = runtime.filter_map(|directory| expanded(directory, request.origin));
        let all = runtime.chain(self.directories.iter().cloned());
        Ok(all.map(|directory| directory.join(request.name)).collect())
    }

    /// The module in a file, which may be known.
    fn load(&self, path: &Path, name: &str, who: Who) -> Result<Found, FileError> {
        let (mut file, metadata) = open(path)?;
        let key = Key {
            identity: Identity::of(path, &metadata),
            length: metadata.len(),
            modified: metadata.modified().ok(),
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key);
        let module = match kept {
            Some(module) => module,
            None => {
                let bytes = read(&mut file, &metadata)?;
                trace!(path = %path.display(), bytes = bytes.len(), "read");
                let module = self.parse(path, &bytes, who)?;
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.add(key.clone(), module.clone());
                module
            }
        };
        debug!(library = shown(name), path = %path.display(), "found");
        Ok(Found {
            name: name.into(),
            identity: key.identity,
            path: Some(Arc::from(path)),
            module,
        })
    }

    /// The module of a file's contents.
    fn parse(&self, path: &Path, bytes: &[u8], who: Who) -> Result<Module, FileError> {
        let is_binary = bytes.starts_with(b"\0asm");
        // After the version, two bytes say what it is: 0 for a module, 1 for a
        // component (component model, Binary.md).
        if is_binary && bytes.get(6..8) == Some(&[1, 0]) {
            return Err(FileError::Component);
        }
        match &self.translate {
            Some(translate) if who == Who::Host && !is_binary => {
                let bytes = translate(path, bytes).map_err(FileError::Translation)?;
                Ok(Module::from_binary(&self.engine, &bytes)?)
            }
            _ => Ok(Module::from_binary(&self.engine, bytes)?),
        }
    }
}

/// Who wants a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Host,
    Guest,
}

impl Finder for Directories {
    fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
        Refused::check_load(request.permissions)?;
        NameError::check(request.name)?;
        let mut refused = None;
        let candidates = self.candidates(request)?;
        for file in &candidates {
            let (file, who) = match request.permissions {
                None => (file.clone(), Who::Host),
                Some(permissions) => match self.reach.check(permissions, file) {
                    Ok(file) => (file, Who::Guest),
                    Err(why) => {
                        debug!(path = %file.display(), %why, "not to be loaded");
                        refused = refused.or(Some(why));
                        continue;
                    }
                },
            };
            match self.load(&file, request.name, who) {
                Ok(found) => return Ok(found),
                Err(FileError::Io(error)) if is_absent(&error) => {
                    trace!(path = %file.display(), reason = %error.kind(), "not there");
                }
                Err(source) => {
                    return Err(FindError::Unusable {
                        // A guest knows it by another path, if by any; who asked for it by its
                        // path knows it.
                        path: (who == Who::Host && file.as_os_str() != request.name).then_some(file),
                        source: source.into(),
                    });
                }
            }
        }
        debug!(
            library = shown(request.name),
            importer = shown(request.importer),
            "not found"
        );
        match refused {
            Some(why) => Err(why.into()),
            None => Err(FindError::NotFound {
                looked: looked(request, &candidates),
            }),
        }
    }
}

/// The directories that files would have been in.
fn looked(request: &Request<'_>, candidates: &[PathBuf]) -> Vec<PathBuf> {
    if request.permissions.is_some() || request.name.contains('/') {
        return Vec::new();
    }
    let directories = candidates.iter().filter_map(|file| file.parent());
    directories.map(Path::to_owned).collect()
}

/// A directory of a runtime path, with `$ORIGIN` replaced. `None` if it can be none,
/// or is relative to a directory that there is not.
fn expanded(directory: &str, origin: Option<&Path>) -> Option<PathBuf> {
    if directory.is_empty() || directory.len() > LONGEST_DIRECTORY || directory.contains('\0') {
        return None;
    }
    let mut whole = OsString::new();
    let mut rest = directory;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        whole.push(before);
        let after = from.strip_prefix("${ORIGIN}").or_else(|| {
            let after = from.strip_prefix("$ORIGIN")?;
            // `$ORIGINAL` is something else.
            let continues = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            (!continues).then_some(after)
        });
        match after {
            Some(after) => {
                whole.push(origin?);
                rest = after;
            }
            None => {
                whole.push("$");
                rest = &from[1..];
            }
        }
    }
    whole.push(rest);
    Some(whole.into())
}

/// Whether a file is not there, as far as the search is concerned: one that cannot
/// be got at does not keep others from being found.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput
    )
}

/// Opens a regular file.
fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    // Opening some devices does something; opening a pipe waits.
    check(&path.metadata()?)?;
    let file = open_at_once(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok((file, metadata))
}

/// Checks what a file is.
fn check(metadata: &Metadata) -> Result<(), FileError> {
    match metadata.file_type() {
        ty if ty.is_dir() => Err(FileError::Directory),
        ty if !ty.is_file() => Err(FileError::Irregular),
        _ if metadata.len() > LARGEST => Err(FileError::TooLarge { limit: LARGEST }),
        _ => Ok(()),
    }
}

/// Opens a file without waiting, should it have become a pipe.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Opens a file.
#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What is in a file. One that is said to be empty may hold anything, as in `/proc`.
fn read(file: &mut File, metadata: &Metadata) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(0..=LARGEST) => Ok(bytes),
        _ => Err(FileError::TooLarge { limit: LARGEST }),
    }
}

/// A state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    identity: Identity,
    /// In bytes.
    length: u64,
    modified: Option<SystemTime>,
}

/// Modules that were read, those used last in front.
#[derive(Debug, Default)]
struct Kept(VecDeque<(Key, Module)>);

impl Kept {
    fn get(&mut self, key: &Key) -> Option<Module> {
        let at = self.0.iter().position(|(known, _)| known == key)?;
        let entry = self.0.remove(at)?;
        let module = entry.1.clone();
        self.0.push_front(entry);
        Some(module)
    }

    fn add(&mut self, key: Key, module: Module) {
        // An older state of the file is not asked for again.
        self.0.retain(|(known, _)| known.identity != key.identity);
        self.0.push_front((key, module));
        self.0.truncate(KEPT);
        let bytes = |kept: &Self| kept.0.iter().map(|(key, _)| key.length).sum::<u64>();
        while bytes(self) > KEPT_BYTES && self.0.pop_back().is_some() {}
    }
}

#[cfg(test)]
mod tests;
