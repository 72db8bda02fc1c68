//! Which of the host's files a guest may load libraries from while it runs.

use std::io;
use std::path::{Component, Path, PathBuf};

use vm::{Capability, Permissions};

/// What a guest needs to load libraries at all.
const LOAD: Capability = Capability::LoadModules;

/// Why a guest must not load a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It may do something else only.
    #[error("it has no permission `{permission}`")]
    Permission {
        /// What it would have to have.
        permission: Capability,
    },
    /// The file is in no directory from which it may load.
    #[error("it is in no directory from which it may be loaded")]
    Outside,
}

impl Refused {
    /// Checks that a guest may load libraries; a host, which has no permissions, may.
    ///
    /// # Errors
    /// [`Refused::Permission`], if it may not.
    pub fn check_load(permissions: Option<&Permissions>) -> Result<(), Self> {
        match permissions.is_none_or(|own| own.allows(LOAD)) {
            true => Ok(()),
            false => Err(Self::Permission { permission: LOAD }),
        }
    }
}

/// The host's directories that guests know of.
///
/// A guest that has the permission `load` may load what is in a directory of
/// libraries. It may load what is in another directory that it was given, if it may
/// read that there. What is elsewhere it may not load, whoever tells it to look there:
/// the answer is the same whether something is there or not.
///
/// ```
/// use orcavm_loader::{Reach, Refused};
/// use vm::Permissions;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("reach-{}", std::process::id()));
/// # std::fs::create_dir_all(folder.join("data/private"))?;
/// let mut reach = Reach::default();
/// reach.give(folder.join("data"), "/data");
/// let guest: Permissions = "load,dir=/data/plugins:ro".parse()?;
/// let file = |name| folder.join("data").join(name);
/// assert!(reach.check(&guest, &file("plugins/x.so")).is_ok());
/// assert_eq!(reach.check(&guest, &file("private/x.so")), Err(Refused::Outside));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reach {
    libraries: Vec<PathBuf>,
    /// Directories that guests were given, and the paths by which they know them.
    given: Vec<(PathBuf, Box<str>)>,
}

impl Reach {
    /// Adds a directory of libraries.
    pub fn open(&mut self, directory: PathBuf) {
        self.libraries.push(directory);
    }

    /// Adds a directory that guests know by a path of their own.
    pub fn give(&mut self, host: PathBuf, guest: &str) {
        self.given.push((host, guest.into()));
    }

    /// Whether a guest may load the library in a file; if so, the file's path
    /// without links, which is the one to open. It need not be there.
    ///
    /// The check says where the path leads now. Who can change the host's
    /// directories from another process can change that before the file is opened.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, permissions: &Permissions, file: &Path) -> Result<PathBuf, Refused> {
        Refused::check_load(Some(permissions))?;
        let file = resolve(file).ok_or(Refused::Outside)?;
        let is_in = |directory: &PathBuf| directory.canonicalize().is_ok_and(|real| file.starts_with(real));
        if self.libraries.iter().any(is_in) {
            return Ok(file);
        }
        let permission = Capability::ReadFiles;
        let mut refused = Refused::Outside;
        for (host, guest) in &self.given {
            let Some(path) = known_as(&file, host, guest) else {
                continue;
            };
            match permissions.directory(&path) {
                Some(_) if permissions.allows(permission) => return Ok(file),
                Some(_) => refused = Refused::Permission { permission },
                None => {}
            }
        }
        Err(refused)
    }

    /// The host's path of a guest's, in the directory whose path is the longest
    /// part of it. `None` if it is in none, or has `..`.
    pub(crate) fn host_path(&self, guest: &str) -> Option<PathBuf> {
        let path = components(guest)?;
        let parents = self.given.iter().filter_map(|(host, own)| {
            let own = components(own)?;
            Some((own.len(), host.join(path.strip_prefix(&*own)?.join("/"))))
        });
        parents.max_by_key(|(length, _)| *length).map(|(_, host)| host)
    }
}

/// The guest's path of a file that has no links on its way.
fn known_as(file: &Path, host: &Path, guest: &str) -> Option<String> {
    let below = file.strip_prefix(host.canonicalize().ok()?).ok()?;
    Some(format!("{guest}/{}", below.to_str()?))
}

/// The components of a guest's path. There is but one directory to start from.
fn components(path: &str) -> Option<Vec<&str>> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let parts: Vec<&str> = parts.collect();
    (!parts.contains(&"..")).then_some(parts)
}

/// Where a path leads, whether something is there or not. `None` where a link leads
/// nowhere, or what is there cannot be followed.
fn resolve(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    for ancestor in path.ancestors() {
        let Ok(real) = ancestor.canonicalize() else { continue };
        let rest = path.strip_prefix(ancestor).ok()?;
        let Some(next) = rest.components().next() else {
            return Some(real);
        };
        let is_absent = real
            .join(next)
            .symlink_metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
        return (is_absent && is_plain).then(|| real.join(rest));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// `lib/a.so`, `data/b.so`, `data/plugins/c.so`, `secret/d.so`, and links.
    fn folder() -> TempDir {
        let folder = TempDir::new().expect("a folder");
        for file in ["lib/a.so", "data/b.so", "data/plugins/c.so", "secret/d.so"] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("in a folder")).expect("it is made");
            fs::write(file, "").expect("it is written");
        }
        #[cfg(unix)]
        for (target, link) in [
            ("../secret/d.so", "lib/out.so"),
            ("../secret/nothing.so", "lib/nowhere.so"),
            ("../data/plugins", "secret/in"),
            ("../secret", "data/out"),
        ] {
            std::os::unix::fs::symlink(target, folder.path().join(link)).expect("it is made");
        }
        folder
    }

    fn reach(folder: &TempDir) -> Reach {
        let mut reach = Reach::default();
        reach.open(folder.path().join("lib"));
        reach.give(folder.path().join("data"), "/data");
        reach
    }

    #[test]
    fn permissions_say_what_is_reached() {
        let folder = folder();
        let reach = reach(&folder);
        let outside = Err(Refused::Outside);
        let no_load = Err(Refused::Permission { permission: LOAD });
        let no_read = Err(Refused::Permission {
            permission: Capability::ReadFiles,
        });
        let read = Ok(());
        for (permissions, file, answer) in [
            ("inherit", "lib/a.so", read),
            ("inherit", "lib/missing.so", read),
            ("inherit", "data/plugins/c.so", read),
            ("inherit", "secret/d.so", outside),
            ("inherit", "secret/missing.so", outside),
            ("inherit", "lib/../secret/d.so", outside),
            ("inherit", "lib/missing/../../secret/d.so", outside),
            ("inherit,-load", "lib/a.so", no_load),
            ("inherit,-load", "secret/d.so", no_load),
            ("inherit,-read", "data/b.so", no_read),
            ("inherit,-read", "secret/d.so", outside),
            // The host's user named this directory for libraries.
            ("load", "lib/a.so", read),
            ("load", "data/b.so", no_read),
            ("load,dir=/data:ro", "data/b.so", read),
            ("load,dir=/data/plugins:ro", "data/b.so", outside),
            ("load,dir=/data/plugins:ro", "data/plugins/c.so", read),
            ("load,dir=/other:ro", "data/b.so", outside),
        ] {
            let guest: Permissions = permissions.parse().expect("permissions");
            let answered = reach.check(&guest, &folder.path().join(file)).map(|_| ());
            assert_eq!(answered, answer, "{permissions}: {file}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_first() {
        let folder = folder();
        let reach = reach(&folder);
        let check = |file: &str| reach.check(&Permissions::all(), &folder.path().join(file));
        for file in ["lib/out.so", "lib/nowhere.so", "data/out/d.so", "data/out/missing.so"] {
            assert_eq!(check(file), Err(Refused::Outside), "{file}");
        }
        let real = folder.path().canonicalize().expect("it is there");
        assert_eq!(check("secret/in/c.so"), Ok(real.join("data/plugins/c.so")));
        // A directory of libraries may be a link itself.
        let mut reach = Reach::default();
        reach.open(folder.path().join("secret/in"));
        let file = folder.path().join("secret/in/c.so");
        assert!(reach.check(&Permissions::all(), &file).is_ok());
    }

    #[cfg(unix)]
    proptest::proptest! {
        // Each with a folder, and many paths in it.
        #![proptest_config(proptest::test_runner::Config::with_cases(16))]

        /// Whatever the path, what may be loaded is inside.
        #[test]
        fn no_path_leads_outside(
            paths in proptest::collection::vec(proptest::collection::vec(0..PARTS.len(), 1..8), 50)
        ) {
            let folder = folder();
            let reach = reach(&folder);
            let real = folder.path().canonicalize().expect("it is there");
            for parts in paths {
                let path: PathBuf = parts.into_iter().map(|part| PARTS[part]).collect();
                let Ok(file) = reach.check(&Permissions::all(), &folder.path().join(&path)) else { continue };
                let inside = file.starts_with(real.join("lib")) || file.starts_with(real.join("data"));
                proptest::prop_assert!(inside, "{}: {}", path.display(), file.display());
                if file.exists() {
                    proptest::prop_assert_eq!(file.canonicalize().expect("it is there"), file);
                }
            }
        }
    }

    /// What paths are made of.
    #[cfg(unix)]
    const PARTS: [&str; 12] = [
        "..",
        ".",
        "lib",
        "data",
        "plugins",
        "secret",
        "in",
        "out",
        "out.so",
        "a.so",
        "nowhere.so",
        "missing",
    ];

    #[test]
    fn guests_paths_are_the_hosts() {
        let mut reach = Reach::default();
        reach.give("host/data".into(), "/data");
        reach.give("host/inner".into(), "data/inner");
        for (guest, host) in [
            ("/data/x.so", Some("host/data/x.so")),
            ("data//./x.so", Some("host/data/x.so")),
            ("/data/inner/x.so", Some("host/inner/x.so")),
            ("/data/innermost/x.so", Some("host/data/innermost/x.so")),
            ("/data/../etc/x.so", None),
            ("/etc/x.so", None),
        ] {
            assert_eq!(reach.host_path(guest), host.map(PathBuf::from), "{guest}");
        }
        reach.give("host".into(), ".");
        assert_eq!(reach.host_path("/etc/x.so"), Some("host/etc/x.so".into()));
    }
}
