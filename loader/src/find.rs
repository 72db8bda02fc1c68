//! The search for libraries: what is asked for, what is found, and who finds it.
//!
//! Whoever links asks a [`Finder`], when a program is loaded and when it loads more.
//! [`Directories`](crate::Directories) finds files; a map from names to modules is
//! a finder too; embedders write their own.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Write};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vm::{Module, Permissions};

use crate::{Library, Refused};

/// The longest name of a library, in bytes.
const LONGEST_NAME: usize = 4096;
/// Characters of a name that messages show.
const SHOWN: usize = 200;
/// Directories that messages show.
const SHOWN_PLACES: usize = 8;

/// A library that is looked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// Its name, as the module that needs it says. With a `/` in it, it is a path.
    pub name: &'a str,
    /// The name of the module that needs it.
    pub importer: &'a str,
    /// Directories in which that module says to look, in order.
    pub runtime_path: &'a [Box<str>],
    /// The directory that module is in, which is `$ORIGIN` in its runtime path; `None`
    /// if it is in none.
    pub origin: Option<&'a Path>,
    /// What the guest may do that loads it while it runs; `None` if it is loaded
    /// before any guest runs.
    pub permissions: Option<&'a Permissions>,
}

impl<'a> Request<'a> {
    /// A request for a library, of a module that says no more.
    pub fn new(name: &'a str, importer: &'a str) -> Self {
        Self {
            name,
            importer,
            runtime_path: &[],
            origin: None,
            permissions: None,
        }
    }

    /// Of a module that has this runtime path, and is in this directory.
    #[must_use]
    pub fn in_runtime_path(self, runtime_path: &'a [Box<str>], origin: Option<&'a Path>) -> Self {
        Self {
            runtime_path,
            origin,
            ..self
        }
    }

    /// By a guest that runs and may do no more than this.
    #[must_use]
    pub fn permitted(self, permissions: Option<&'a Permissions>) -> Self {
        Self { permissions, ..self }
    }
}

/// What a library is told from others by: what is found twice, by two names, is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Identity {
    /// A file, by what the system knows it by.
    File {
        /// The file system's number.
        device: u64,
        /// The file's number in it.
        inode: u64,
    },
    /// A file, by its one path without links, where files have no numbers.
    Path(PathBuf),
    /// Something that is no file, by its name.
    Name(Arc<str>),
}

impl Identity {
    /// That of an open file.
    #[cfg(unix)]
    pub(crate) fn of(_path: &Path, metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self::File {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// That of an open file.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path, _metadata: &Metadata) -> Self {
        Self::Path(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }
}

/// A library that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The name by which it was asked for.
    pub name: Arc<str>,
    /// What it is told from others by.
    pub identity: Identity,
    /// Its file, if it is in one.
    pub path: Option<Arc<Path>>,
    /// It.
    pub module: Module,
}

impl Found {
    /// A module that is in no file.
    pub fn new(name: &str, module: Module) -> Self {
        let name: Arc<str> = name.into();
        Self {
            identity: Identity::Name(Arc::clone(&name)),
            name,
            path: None,
            module,
        }
    }

    /// A module that was read from a file.
    pub fn in_file(name: &str, path: &Path, module: Module) -> Self {
        let identity = match path.metadata() {
            Ok(metadata) => Identity::of(path, &metadata),
            // It is gone since.
            Err(_) => Identity::Path(path.to_owned()),
        };
        Self {
            name: name.into(),
            identity,
            path: Some(path.into()),
            module,
        }
    }

    /// The directory it is in: what `$ORIGIN` means to it.
    pub fn origin(&self) -> Option<&Path> {
        let directory = self.path.as_deref()?.parent()?;
        // `lib.so` is in the process's directory, which has no name there.
        Some(match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        })
    }

    /// Whether it is meant by a name: the one it was asked for by, or that of its
    /// file.
    pub fn is_called(&self, name: &str) -> bool {
        let file = self.path.as_deref().and_then(Path::file_name);
        *self.name == *name || file.is_some_and(|file| file == name)
    }

    /// As something to link.
    pub fn library(&self) -> Library {
        Library {
            name: Arc::clone(&self.name),
            module: self.module.clone(),
        }
    }
}

/// Why a library was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// It is nowhere.
    #[error("not found{}", places(.looked))]
    NotFound {
        /// The directories that were looked in; none are told to guests.
        looked: Vec<PathBuf>,
    },
    /// It is there, or may be, and the guest must not load it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No file has such a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is there and cannot be used.
    #[error("{}{source}", file(.path.as_deref()))]
    Unusable {
        /// Its file, if it is in one; guests are not told.
        path: Option<PathBuf>,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A name that no library can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing in it.
    #[error("the name is empty")]
    Empty,
    /// It is too long.
    #[error("the name has {length} bytes, more than {limit}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A zero byte ends names for the system.
    #[error("the name has a zero byte")]
    Zero,
    /// There are too many directories that it could be in.
    #[error("the module's runtime path has {length} directories, more than {limit}")]
    RuntimePath {
        /// How many.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

impl NameError {
    /// Checks a name.
    pub(crate) fn check(name: &str) -> Result<(), Self> {
        if name.is_empty() {
            return Err(Self::Empty);
        }
        if name.len() > LONGEST_NAME {
            return Err(Self::TooLong {
                length: name.len(),
                limit: LONGEST_NAME,
            });
        }
        match name.contains('\0') {
            true => Err(Self::Zero),
            false => Ok(()),
        }
    }
}

/// Where was looked, as a part of a sentence.
pub(crate) fn places(looked: &[PathBuf]) -> String {
    let some = looked.iter().take(SHOWN_PLACES);
    let some: Vec<String> = some.map(|path| shown(&path.to_string_lossy())).collect();
    match looked.len().saturating_sub(some.len()) {
        0 if some.is_empty() => String::new(),
        0 => format!(" in {}", some.join(", ")),
        more => format!(" in {} and {more} more directories", some.join(", ")),
    }
}

/// A file at the start of a message.
fn file(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| shown(&path.to_string_lossy()) + ": ")
}

/// A name for messages. A guest may have written it: it is cut off where it is long,
/// and does nothing to a terminal.
pub(crate) fn shown(name: &str) -> String {
    let mut text = String::new();
    for (i, c) in name.chars().enumerate() {
        if i == SHOWN {
            text.push('…');
            break;
        }
        // Writing to a `String` cannot fail.
        let _ = match c.is_control() {
            true => write!(text, "{}", c.escape_default()),
            false => write!(text, "{c}"),
        };
    }
    text
}

/// Whoever finds libraries.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use orcavm_loader::{FindError, Finder, Found, Request};
/// use vm::{Engine, Module};
///
/// /// Gives every program the same library, by whatever name.
/// struct One(Module);
///
/// impl Finder for One {
///     fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
///         Ok(Found::new(request.name, self.0.clone()))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let module = Module::new(&Engine::default(), "(module)")?;
/// let request = Request::new("libm.so", "app");
/// assert_eq!(&*One(module.clone()).find(&request)?.name, "libm.so");
///
/// let map = BTreeMap::from([("libc.so".to_owned(), module)]);
/// assert!(matches!(map.find(&request), Err(FindError::NotFound { .. })));
/// # Ok(())
/// # }
/// ```
pub trait Finder: Send + Sync {
    /// The library that is asked for. The same one, found again, has the same
    /// [`Identity`].
    ///
    /// # Errors
    /// If it is nowhere, cannot be used, or the guest that asks must not have it.
    fn find(&self, request: &Request<'_>) -> Result<Found, FindError>;
}

impl fmt::Debug for dyn Finder + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finder")
    }
}

/// Finds nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoFinder;

impl Finder for NoFinder {
    fn find(&self, _request: &Request<'_>) -> Result<Found, FindError> {
        Err(FindError::NotFound { looked: Vec::new() })
    }
}

/// Modules by name. Guests need the permission to load.
impl Finder for BTreeMap<String, Module> {
    fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
        Refused::check_load(request.permissions)?;
        let module = self.get(request.name);
        let module = module.ok_or(FindError::NotFound { looked: Vec::new() })?;
        Ok(Found::new(request.name, module.clone()))
    }
}

#[cfg(test)]
mod tests {
    use vm::Engine;

    use super::*;

    #[test]
    fn names_that_no_library_has() {
        assert_eq!(NameError::check(""), Err(NameError::Empty));
        assert_eq!(NameError::check("a\0b"), Err(NameError::Zero));
        assert_eq!(NameError::check("libc.so"), Ok(()));
        let long = "x".repeat(1 << 20);
        let error = NameError::check(&long).expect_err("too long").to_string();
        assert_eq!(error, "the name has 1048576 bytes, more than 4096");
    }

    #[test]
    fn messages_are_short_and_plain() {
        assert_eq!(shown("a\x1b[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(shown(&"ä".repeat(1000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn origins_are_directories() {
        let module = Module::new(&Engine::default(), "(module)").expect("valid");
        let origin = |path: &str| {
            Found::in_file("x", Path::new(path), module.clone())
                .origin()
                .map(Path::to_owned)
        };
        assert_eq!(origin("lib/x.so"), Some("lib".into()));
        assert_eq!(origin("x.so"), Some(".".into()));
        assert_eq!(Found::new("x", module.clone()).origin(), None);
    }

    #[test]
    fn a_library_is_called_by_its_files_name_too() {
        let module = Module::new(&Engine::default(), "(module)").expect("valid");
        let found = Found::in_file("build/libx.so", Path::new("build/libx.so"), module);
        assert!(found.is_called("libx.so") && found.is_called("build/libx.so"));
        assert!(!found.is_called("x.so") && !found.is_called("/libx.so"));
    }

    #[test]
    fn a_map_asks_for_the_permission_to_load() {
        let module = Module::new(&Engine::default(), "(module)").expect("valid");
        let map = BTreeMap::from([("x".to_owned(), module)]);
        let (may, may_not) = (Permissions::all(), Permissions::none());
        let request = Request::new("x", "app");
        assert!(map.find(&request).is_ok());
        assert!(map.find(&request.permitted(Some(&may))).is_ok());
        let error = map.find(&request.permitted(Some(&may_not))).expect_err("it may not");
        assert_eq!(error.to_string(), "it has no permission `load`");
    }
}
