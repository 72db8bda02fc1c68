//! Where the libraries of a program are: directories, and files to load first.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueHint;
use orcavm::loader::{DEFAULT_STACK, Directories, Found, GatherError, Gathered, Search};
use orcavm::vm::Engine;

use super::setup::Directory;
use super::{source, units};

/// The environment variable that names directories, with colons between.
const PATH: &str = "ORCAVM_LIBRARY_PATH";

/// Options that say where libraries are.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct LibraryOptions {
    /// Look for libraries here too: after where modules say to look, before ORCAVM_LIBRARY_PATH
    #[arg(short = 'L', long = "library-path", value_name = "DIR", value_hint = ValueHint::DirPath)]
    directories: Vec<PathBuf>,
    /// Load this library first; what it has comes before what others have, but for the program
    #[arg(long = "preload", value_name = "FILE", value_hint = ValueHint::FilePath)]
    preloads: Vec<PathBuf>,
}

/// Options that say how libraries are linked.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct LinkOptions {
    /// Bind all functions before the program starts, not when they are first called
    #[arg(long)]
    bind_now: bool,
    /// Bytes of memory for the stack of a program with libraries, such as 256KiB
    #[arg(long, value_name = "SIZE", value_parser = stack_size)]
    stack_size: Option<u32>,
}

/// Reads a number of bytes for a stack in memory.
pub(crate) fn stack_size(text: &str) -> Result<u32> {
    let size = u32::try_from(units::bytes(text)?).context("it is more than a 32-bit memory has")?;
    if size == 0 {
        bail!("a program needs some");
    }
    Ok(size)
}

/// The libraries of a program, as options and the manifest say.
#[derive(Clone, Default)]
pub(crate) struct Libraries {
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) preloads: Vec<PathBuf>,
    /// Nothing is bound later than when the program starts.
    pub(crate) bind_now: bool,
    /// In bytes.
    pub(crate) stack_size: Option<u32>,
}

impl Libraries {
    /// Adds what options say.
    pub(crate) fn extend(&mut self, options: &LibraryOptions) {
        self.directories.extend_from_slice(&options.directories);
        self.preloads.extend_from_slice(&options.preloads);
    }

    /// Adds how options say to link.
    pub(crate) fn link_as(&mut self, options: &LinkOptions) {
        self.bind_now |= options.bind_now;
        self.stack_size = options.stack_size.or(self.stack_size);
    }

    /// Finds them from another directory.
    pub(crate) fn relative_to(&mut self, base: &Path) {
        for path in self.directories.iter_mut().chain(&mut self.preloads) {
            *path = base.join(&*path);
        }
    }

    /// Bytes of the program's stack.
    pub(crate) fn stack(&self) -> u32 {
        self.stack_size.unwrap_or(DEFAULT_STACK)
    }

    /// What a program that is alone cannot do anything with.
    ///
    /// # Errors
    ///
    /// If it was asked for.
    pub(crate) fn check_unused(&self, program: &str) -> Result<()> {
        let option = match (self.preloads.first(), self.stack_size) {
            (Some(_), _) => "--preload",
            (None, Some(_)) => "--stack-size",
            (None, None) => return Ok(()),
        };
        bail!("{program} takes no libraries: it has no section `dylink.0`; {option} does nothing for it")
    }

    /// Whoever finds them for a program. While it runs, it may load what is in their
    /// directories and its own, and what it may read in those that it was given.
    pub(crate) fn finder(&self, engine: &Engine, program: &Found, given: &[Directory]) -> Directories {
        let mut finder = Directories::new(engine).translate(source::translate);
        for directory in &self.directories {
            finder = finder.search(directory);
        }
        let path = env::var_os(PATH).unwrap_or_default();
        for directory in env::split_paths(&path).filter(|directory| !directory.as_os_str().is_empty()) {
            finder = finder.search(directory);
        }
        // A program in the root directory would reach everything.
        let is_root = |directory: &Path| directory.canonicalize().is_ok_and(|real| real.parent().is_none());
        if let Some(origin) = program.origin().filter(|origin| !is_root(origin)) {
            finder = finder.open(origin);
        }
        for directory in given {
            finder = finder.give(directory.host(), &directory.guest);
        }
        finder
    }

    /// The program, the libraries to load first, and all that they need.
    ///
    /// # Errors
    ///
    /// If one that is to be loaded first cannot be used.
    pub(crate) fn gather(&self, finder: &Directories, program: Found) -> Result<Gathered> {
        let mut roots = vec![program];
        roots.extend(self.preloads(finder)?);
        Ok(Search::new(finder).gather(roots))
    }

    /// The libraries to load first.
    ///
    /// # Errors
    ///
    /// If one cannot be used.
    pub(crate) fn preloads(&self, finder: &Directories) -> Result<Vec<Found>> {
        let files = self.preloads.iter();
        let found = files.map(|file| finder.file(file).map_err(|error| anyhow!("--preload: {error}")));
        found.collect()
    }
}

/// What went wrong with libraries, and what may help.
pub(crate) fn advice(error: &GatherError) -> &'static str {
    match error {
        GatherError::NotFound { name, .. } if name.contains('/') => "; there is no such file",
        GatherError::NotFound { looked, .. } if looked.is_empty() => "; -L DIR says where to look",
        GatherError::NotFound { .. } => "; -L DIR says where else to look",
        _ => "",
    }
}
