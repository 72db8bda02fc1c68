//! Which libraries a program needs, and those they need.

use std::collections::HashSet;

use vm::Module;

use crate::{Dylink, DylinkError, Library};

/// Libraries of one program at most.
const MOST_LIBRARIES: usize = 10_000;

/// A library that is looked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// Its name, as the module that needs it says.
    pub name: &'a str,
    /// The name of the module that needs it.
    pub importer: &'a str,
    /// Directories in which that module says to look, in order.
    pub runtime_path: &'a [Box<str>],
}

/// Why the libraries of a program could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// A library is nowhere.
    #[error("{importer} needs the library `{name}`, which is not found")]
    NotFound {
        /// The library.
        name: Box<str>,
        /// The module that needs it.
        importer: Box<str>,
    },
    /// A library is there and cannot be used.
    #[error("the library `{name}`, needed by {importer}: {source}")]
    Unusable {
        /// The library.
        name: Box<str>,
        /// The module that needs it.
        importer: Box<str>,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
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

/// What `find` gives.
pub type FoundModule = Result<Option<Module>, Box<dyn std::error::Error + Send + Sync>>;

/// The program and all libraries that it needs, breadth first: those that it names,
/// in order, then those that the first of them names, and so on. Each name is looked
/// for once. Symbols are looked for in this order.
///
/// ```
/// use orcavm_loader::{Library, gather};
/// use vm::{Engine, Module};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let module = |needed: &str| Module::new(&engine, format!("(module (@dylink.0 (needed {needed})))"));
/// let program = Library { name: "app".into(), module: module(r#""a" "b""#)? };
/// let all = gather(program, &mut |request| match request.name {
///     "a" => Ok(Some(module(r#""c" "b""#)?)),
///     "b" | "c" => Ok(Some(module("")?)),
///     _ => Ok(None),
/// })?;
/// let names: Vec<&str> = all.iter().map(|library| &*library.name).collect();
/// assert_eq!(names, ["app", "a", "b", "c"]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If a library is not found or cannot be used, or says to linkers what cannot be.
pub fn gather(
    program: Library,
    find: &mut dyn FnMut(&Request<'_>) -> FoundModule,
) -> Result<Vec<Library>, GatherError> {
    let mut known: HashSet<Box<str>> = HashSet::new();
    let mut all = vec![program];
    let mut at = 0;
    while let Some(Library { name: importer, module }) = all.get(at).cloned() {
        at += 1;
        let dylink = Dylink::read(&module).map_err(|source| GatherError::Dylink {
            module: Box::from(&*importer),
            source,
        })?;
        let Some(dylink) = dylink else { continue };
        for name in &dylink.needed {
            if !known.insert(name.clone()) {
                continue;
            }
            if known.len() > MOST_LIBRARIES {
                return Err(GatherError::TooMany { limit: MOST_LIBRARIES });
            }
            let request = Request {
                name,
                importer: &importer,
                runtime_path: &dylink.runtime_path,
            };
            let (name, importer) = (name.clone(), Box::from(&*importer));
            match find(&request) {
                Ok(Some(module)) => all.push(Library {
                    name: (&*name).into(),
                    module,
                }),
                Ok(None) => return Err(GatherError::NotFound { name, importer }),
                Err(source) => {
                    return Err(GatherError::Unusable { name, importer, source });
                }
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use vm::Engine;

    use super::*;

    fn module(text: &str) -> Module {
        Module::new(&Engine::default(), text).expect("valid")
    }

    fn program(text: &str) -> Library {
        Library {
            name: "app".into(),
            module: module(text),
        }
    }

    #[test]
    fn cycles_end_and_each_is_looked_for_once() {
        let mut asked = Vec::new();
        let all = gather(program(r#"(module (@dylink.0 (needed "a")))"#), &mut |request| {
            asked.push(format!("{} for {}", request.name, request.importer));
            let needed = match request.name {
                "a" => r#""b" "a" "b""#,
                "b" => r#""a" "c""#,
                _ => "",
            };
            Ok(Some(module(&format!("(module (@dylink.0 (needed {needed})))"))))
        });
        let names: Vec<_> = all
            .expect("all are found")
            .iter()
            .map(|library| library.name.to_string())
            .collect();
        assert_eq!(names, ["app", "a", "b", "c"]);
        assert_eq!(asked, ["a for app", "b for a", "c for b"]);
    }

    #[test]
    fn the_runtime_path_is_the_importers() {
        let text = r#"(module (@dylink.0 (needed "a") (runtime-path "$ORIGIN/lib" "/usr/lib")))"#;
        gather(program(text), &mut |request| {
            assert_eq!(request.runtime_path, ["$ORIGIN/lib".into(), "/usr/lib".into()]);
            Ok(Some(module("(module)")))
        })
        .expect("it is found");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let needs = r#"(module (@dylink.0 (needed "a.so")))"#;
        let error = gather(program(needs), &mut |_| Ok(None)).expect_err("it is nowhere");
        assert_eq!(error.to_string(), "app needs the library `a.so`, which is not found");
        let error = gather(program(needs), &mut |_| Err("it is a picture".into())).expect_err("no module");
        assert_eq!(error.to_string(), "the library `a.so`, needed by app: it is a picture");
        let bad = wat::parse_str(r#"(module (@custom "dylink.0" "\01"))"#).expect("text");
        let bad = Module::new(&Engine::default(), bad).expect("valid");
        let error = gather(program(needs), &mut |_| Ok(Some(bad.clone()))).expect_err("a bad section");
        assert!(
            error
                .to_string()
                .starts_with("a.so: in the section `dylink.0`, at byte "),
            "{error}"
        );
    }

    #[test]
    fn libraries_without_end_are_refused() {
        let mut n = 0;
        let error = gather(program(r#"(module (@dylink.0 (needed "a")))"#), &mut |_| {
            n += 1;
            Ok(Some(module(&format!(r#"(module (@dylink.0 (needed "a{n}")))"#))))
        });
        assert_eq!(
            error.expect_err("there is no end").to_string(),
            "a program has 10000 libraries at most"
        );
    }
}
