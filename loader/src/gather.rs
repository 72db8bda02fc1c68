//! Which libraries a program needs, and those they need.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::debug;
use vm::Permissions;

use crate::find::{places, shown};
use crate::{Dylink, DylinkError, FindError, Finder, Found, Identity, Request};

/// Names of libraries in one search at most.
const MOST_LIBRARIES: usize = 10_000;
/// Names that are told of one module where the search is traced.
const TOLD: usize = 100;
/// Errors that say where was looked: each may hold a hundred long paths.
const DETAILED: usize = 100;

/// Why the libraries of a program could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// A library is nowhere.
    #[error("{importer} needs the library `{}`, which is not found{}", shown(.name), places(.looked))]
    NotFound {
        /// The library.
        name: Box<str>,
        /// The module that needs it.
        importer: Box<str>,
        /// The directories that were looked in; not told of one after many others.
        looked: Vec<PathBuf>,
    },
    /// A library may not be loaded, or is there and cannot be used.
    #[error("{importer} needs the library `{}`: {source}", shown(.name))]
    Unusable {
        /// The library.
        name: Box<str>,
        /// The module that needs it.
        importer: Box<str>,
        /// Why not.
        source: FindError,
    },
    /// A module says something to linkers that cannot be.
    #[error("{module}: {source}")]
    Dylink {
        /// The module.
        module: Box<str>,
        /// What.
        source: DylinkError,
    },
    /// There is no end to them.
    #[error("a program has {limit} libraries at most")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

/// A search for all libraries that modules need.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use orcavm_loader::{Found, Search};
/// use vm::{Engine, Module};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = |needed: &str| Module::new(&engine, format!("(module (@dylink.0 (needed {needed})))"));
/// let program = Found::new("app", module(r#""a" "b""#)?);
/// let finder = BTreeMap::from([
///     ("a".to_owned(), module(r#""c" "b""#)?),
///     ("b".to_owned(), module("")?),
///     ("c".to_owned(), module("")?),
/// ]);
/// let all = Search::new(&finder).gather(vec![program]).complete()?;
/// let names: Vec<&str> = all.iter().map(|library| &*library.name).collect();
/// assert_eq!(names, ["app", "a", "b", "c"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Search<'a> {
    finder: &'a dyn Finder,
    permissions: Option<&'a Permissions>,
    loaded: Vec<Found>,
}

/// What modules need, and what of it was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Gathered {
    /// What was loaded before, then the modules whose libraries were gathered, then
    /// these, breadth first. Symbols are looked for in this order.
    pub libraries: Vec<Found>,
    /// How many of them were loaded before.
    pub loaded: usize,
    /// What each of them needs, in order; nothing is said of those loaded before.
    pub needs: Vec<Vec<Needed>>,
    /// What went wrong, in the order in which it was found out.
    pub errors: Vec<GatherError>,
}

/// A library that a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Needed {
    /// Its name, as that module says.
    pub name: Box<str>,
    /// Where it is among the libraries, if it was found.
    pub library: Option<usize>,
}

impl Gathered {
    /// The modules and all that they need, without what was loaded before.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn complete(mut self) -> Result<Vec<Found>, GatherError> {
        match self.errors.is_empty() {
            true => Ok(self.libraries.split_off(self.loaded)),
            false => Err(self.errors.swap_remove(0)),
        }
    }
}

impl<'a> Search<'a> {
    /// A search with this finder.
    pub fn new(finder: &'a dyn Finder) -> Self {
        Self {
            finder,
            permissions: None,
            loaded: Vec::new(),
        }
    }

    /// For a guest that runs, and may do no more than this.
    #[must_use]
    pub fn permitted(self, permissions: &'a Permissions) -> Self {
        let permissions = Some(permissions);
        Self { permissions, ..self }
    }

    /// What is loaded already is not looked for again.
    #[must_use]
    pub fn loaded(self, loaded: Vec<Found>) -> Self {
        Self { loaded, ..self }
    }

    /// These modules and all libraries that they need, breadth first: those that the
    /// first of them names, in order, and so on for each. Each name is looked for once,
    /// for the first module that needs it; one that a library is called by already (see
    /// [`Found::is_called`]) is not looked for. The first of all modules is the program,
    /// which is no library.
    pub fn gather(self, roots: Vec<Found>) -> Gathered {
        let mut known = Known::default();
        for found in self.loaded {
            known.add(found);
        }
        // One may be named twice.
        let loaded = known.libraries.len();
        for found in roots {
            known.add(found);
        }
        let mut needs: Vec<Vec<Needed>> = vec![Vec::new(); loaded];
        let mut errors = Vec::new();
        let mut names = 0;
        let mut at = loaded;
        'modules: while let Some(importer) = known.libraries.get(at).cloned() {
            at += 1;
            let mut own = Vec::new();
            let dylink = match Dylink::read(&importer.module) {
                Ok(dylink) => dylink.unwrap_or_default(),
                Err(source) => {
                    let module = Box::from(&*importer.name);
                    errors.push(GatherError::Dylink { module, source });
                    Dylink::default()
                }
            };
            debug!(
                module = shown(&importer.name),
                needs = ?dylink.needed.iter().take(TOLD).map(|name| shown(name)).collect::<Vec<_>>(),
                "gathering"
            );
            for name in dylink.needed {
                let library = match known.names.get(&*name) {
                    Some(library) => *library,
                    None => {
                        names += 1;
                        if names > MOST_LIBRARIES {
                            errors.push(GatherError::TooMany { limit: MOST_LIBRARIES });
                            needs.push(own);
                            break 'modules;
                        }
                        let request = Request::new(&name, &importer.name)
                            .in_runtime_path(&dylink.runtime_path, importer.origin())
                            .permitted(self.permissions);
                        match self.finder.find(&request) {
                            Ok(found) => Some(known.add(found)),
                            Err(mut error) => {
                                if let FindError::NotFound { looked } = &mut error
                                    && errors.len() >= DETAILED
                                {
                                    *looked = Vec::new();
                                }
                                known.names.insert(Arc::from(&*name), None);
                                errors.push(told(error, &name, &importer.name));
                                None
                            }
                        }
                    }
                };
                own.push(Needed { name, library });
            }
            needs.push(own);
        }
        needs.resize(known.libraries.len(), Vec::new());
        Gathered {
            libraries: known.libraries,
            loaded,
            needs,
            errors,
        }
    }
}

/// An error, with who needs what.
fn told(error: FindError, name: &str, importer: &str) -> GatherError {
    let (name, importer) = (name.into(), importer.into());
    match error {
        FindError::NotFound { looked } => GatherError::NotFound { name, importer, looked },
        source => GatherError::Unusable { name, importer, source },
    }
}

/// What was found so far.
#[derive(Default)]
struct Known {
    libraries: Vec<Found>,
    identities: HashMap<Identity, usize>,
    /// Where a name leads; `None` if it was not found.
    names: HashMap<Arc<str>, Option<usize>>,
}

impl Known {
    /// Adds a library, if it is not there yet by another name. Where it is.
    fn add(&mut self, found: Found) -> usize {
        let next = self.libraries.len();
        let at = *self.identities.entry(found.identity.clone()).or_insert(next);
        if next == 0 {
            // A library that has the program's name is another.
            self.libraries.push(found);
            return at;
        }
        self.names.entry(Arc::clone(&found.name)).or_insert(Some(at));
        let file = found.path.as_deref().and_then(Path::file_name);
        if let Some(file) = file.and_then(|file| file.to_str()) {
            self.names.entry(file.into()).or_insert(Some(at));
        }
        if at == next {
            self.libraries.push(found);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use vm::{Engine, Module};

    use super::*;

    fn module(text: &str) -> Module {
        Module::new(&Engine::default(), text).expect("valid")
    }

    fn needing(needed: &str) -> Module {
        module(&format!("(module (@dylink.0 (needed {needed})))"))
    }

    fn program(text: &str) -> Vec<Found> {
        vec![Found::new("app", module(text))]
    }

    fn names(libraries: &[Found]) -> Vec<&str> {
        libraries.iter().map(|library| &*library.name).collect()
    }

    /// A finder that a test is.
    struct Asked<F>(F);

    impl<F: Fn(&Request<'_>) -> Result<Found, FindError> + Send + Sync> Finder for Asked<F> {
        fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
            (self.0)(request)
        }
    }

    fn modules(needed: &[(&str, &str)]) -> BTreeMap<String, Module> {
        let modules = needed
            .iter()
            .map(|(name, needed)| ((*name).to_owned(), needing(needed)));
        modules.collect()
    }

    #[test]
    fn cycles_end_and_each_is_looked_for_once() {
        let asked = Mutex::new(Vec::new());
        let finder = Asked(|request: &Request<'_>| {
            let name = request.name;
            asked
                .lock()
                .expect("no panic")
                .push(format!("{name} for {}", request.importer));
            let needed = match name {
                "a" => r#""b" "a" "b""#,
                "b" => r#""a" "c" "app""#,
                _ => "",
            };
            Ok(Found::new(name, needing(needed)))
        });
        let gathered = Search::new(&finder).gather(program(r#"(module (@dylink.0 (needed "a")))"#));
        let needs: Vec<Vec<Option<usize>>> = gathered
            .needs
            .iter()
            .map(|own| own.iter().map(|needed| needed.library).collect())
            .collect();
        let some = |places: &[usize]| places.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(needs, [some(&[1]), some(&[2, 1, 2]), some(&[1, 3, 0]), some(&[])]);
        assert_eq!(
            names(&gathered.complete().expect("all are found")),
            ["app", "a", "b", "c"]
        );
        let asked = asked.lock().expect("no panic");
        assert_eq!(*asked, ["a for app", "b for a", "c for b", "app for b"]);
    }

    #[test]
    fn the_runtime_path_is_the_importers() {
        let text = r#"(module (@dylink.0 (needed "a") (runtime-path "$ORIGIN/lib" "/usr/lib")))"#;
        let finder = Asked(|request: &Request<'_>| {
            assert_eq!(request.runtime_path, ["$ORIGIN/lib".into(), "/usr/lib".into()]);
            assert_eq!(request.origin, Some(Path::new("/opt/app")));
            Ok(Found::new(request.name, module("(module)")))
        });
        let program = Found::in_file("app", Path::new("/opt/app/app.wasm"), module(text));
        assert_eq!(Search::new(&finder).gather(vec![program]).errors.len(), 0);
    }

    #[test]
    fn what_is_preloaded_stands_behind_the_program() {
        let finder = modules(&[("a", r#""early.so""#), ("b", ""), ("c", "")]);
        let mut roots = program(r#"(module (@dylink.0 (needed "a" "b")))"#);
        let early = Path::new("build/early.so");
        roots.push(Found::in_file("build/early.so", early, needing(r#""c""#)));
        roots.push(Found::in_file("build/early.so", early, needing(r#""c""#)));
        let all = Search::new(&finder).gather(roots).complete().expect("all are found");
        assert_eq!(names(&all), ["app", "build/early.so", "a", "b", "c"]);
    }

    #[test]
    fn a_library_may_have_the_programs_name() {
        let finder = Asked(|request: &Request<'_>| {
            let path = Path::new("lib").join(request.name);
            Ok(Found::in_file(request.name, &path, module("(module)")))
        });
        let text = r#"(module (@dylink.0 (needed "app")))"#;
        let app = Found::in_file("app", Path::new("app"), module(text));
        let all = Search::new(&finder).gather(vec![app]).complete().expect("it is found");
        let paths: Vec<_> = all.iter().filter_map(|found| found.path.as_deref()).collect();
        assert_eq!(paths, [Path::new("app"), Path::new("lib/app")]);
    }

    #[test]
    fn what_is_loaded_stays() {
        let finder = modules(&[("a", r#""b" "c""#), ("c", "")]);
        let loaded = vec![
            Found::new("app", module("(module)")),
            Found::new("b", module("(module)")),
        ];
        let root = finder.find(&Request::new("a", "app")).expect("it is there");
        let gathered = Search::new(&finder).loaded(loaded).gather(vec![root.clone()]);
        assert_eq!(names(&gathered.libraries), ["app", "b", "a", "c"]);
        assert_eq!(names(&gathered.complete().expect("all are found")), ["a", "c"]);
        let again = Search::new(&finder)
            .loaded(vec![root.clone(), root.clone()])
            .gather(vec![root]);
        assert_eq!(again.complete().expect("nothing is missing").len(), 0);
    }

    #[test]
    fn one_library_by_two_names_is_there_once() {
        let finder = Asked(|request: &Request<'_>| {
            let found = Found::new(request.name, needing(r#""x.so.1""#));
            let identity = Identity::File { device: 1, inode: 2 };
            Ok(Found { identity, ..found })
        });
        let all = Search::new(&finder).gather(program(r#"(module (@dylink.0 (needed "x.so")))"#));
        assert_eq!(names(&all.complete().expect("all are found")), ["app", "x.so"]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let needs = || program(r#"(module (@dylink.0 (needed "a.so" "b.so")))"#);
        let looked = |directories: &[&str]| FindError::NotFound {
            looked: directories.iter().map(Into::into).collect(),
        };
        let told = |find: &(dyn Fn(&Request<'_>) -> Result<Found, FindError> + Send + Sync)| {
            let gathered = Search::new(&Asked(find)).gather(needs());
            assert_eq!(gathered.errors.len(), 2);
            gathered.complete().expect_err("it fails").to_string()
        };
        let error = told(&|_| Err(looked(&[])));
        assert_eq!(error, "app needs the library `a.so`, which is not found");
        let error = told(&|_| Err(looked(&["lib", "/usr/lib"])));
        assert_eq!(
            error,
            "app needs the library `a.so`, which is not found in lib, /usr/lib"
        );
        let error = told(&|_| {
            Err(FindError::Unusable {
                path: Some("lib/a.so".into()),
                source: "it is a picture".into(),
            })
        });
        assert_eq!(error, "app needs the library `a.so`: lib/a.so: it is a picture");
        let bad = wat::parse_str(r#"(module (@custom "dylink.0" "\01"))"#).expect("text");
        let bad = Module::new(&Engine::default(), bad).expect("valid");
        let error = told(&|request| Ok(Found::new(request.name, bad.clone())));
        assert!(
            error.starts_with("a.so: in the section `dylink.0`, at byte "),
            "{error}"
        );
    }

    #[test]
    fn errors_that_are_many_are_short() {
        let finder = Asked(|_: &Request<'_>| {
            Err(FindError::NotFound {
                looked: vec![PathBuf::from("/lib"); 100],
            })
        });
        let names: Vec<String> = (0..1000).map(|i| format!("\"{i}\"")).collect();
        let text = format!("(module (@dylink.0 (needed {})))", names.join(" "));
        let errors = Search::new(&finder).gather(program(&text)).errors;
        let paths = errors.iter().map(|error| match error {
            GatherError::NotFound { looked, .. } => looked.len(),
            _ => 0,
        });
        assert_eq!((errors.len(), paths.sum::<usize>()), (1000, DETAILED * 100));
        assert_eq!(
            errors[0].to_string(),
            "app needs the library `0`, which is not found in /lib, /lib, /lib, /lib, /lib, /lib, /lib, /lib and 92 more directories"
        );
        assert_eq!(
            errors[999].to_string(),
            "app needs the library `999`, which is not found"
        );
    }

    #[test]
    fn libraries_without_end_are_refused() {
        let n = Mutex::new(0);
        let finder = Asked(|request: &Request<'_>| {
            let mut n = n.lock().expect("no panic");
            *n += 1;
            Ok(Found::new(request.name, needing(&format!(r#""a{n}""#))))
        });
        let error = Search::new(&finder).gather(program(r#"(module (@dylink.0 (needed "a")))"#));
        assert_eq!(
            error.complete().expect_err("there is no end").to_string(),
            "a program has 10000 libraries at most"
        );
    }
}
