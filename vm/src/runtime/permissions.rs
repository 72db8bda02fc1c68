//! What a guest may do: [`Permissions`], made by narrowing only.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::region::Access;

/// Something that a guest may be allowed to do.
///
/// A host function declares which one it needs; the VM refuses the call where
/// one of the instances on the call chain has it not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Capability {
    /// Read standard input.
    Stdin,
    /// Write to standard output.
    Stdout,
    /// Write to standard error output.
    Stderr,
    /// See the program's arguments.
    Arguments,
    /// See environment variables.
    Environment,
    /// Read files and directories.
    ReadFiles,
    /// Write, make and remove files and directories.
    WriteFiles,
    /// Read clocks and wait for a time.
    Clock,
    /// Get random numbers.
    Random,
    /// End the program.
    Exit,
    /// Use sockets.
    Network,
    /// Start threads.
    Threads,
    /// Load modules.
    LoadModules,
    /// Make instances of modules, as children.
    Instantiate,
    /// Make regions.
    CreateRegions,
    /// Map regions into the own memory.
    MapRegions,
    /// Map regions for writing.
    WriteRegions,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Stdin,
        Self::Stdout,
        Self::Stderr,
        Self::Arguments,
        Self::Environment,
        Self::ReadFiles,
        Self::WriteFiles,
        Self::Clock,
        Self::Random,
        Self::Exit,
        Self::Network,
        Self::Threads,
        Self::LoadModules,
        Self::Instantiate,
        Self::CreateRegions,
        Self::MapRegions,
        Self::WriteRegions,
    ];

    /// Its name on the command line and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Arguments => "args",
            Self::Environment => "env",
            Self::ReadFiles => "read",
            Self::WriteFiles => "write",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Exit => "exit",
            Self::Network => "net",
            Self::Threads => "threads",
            Self::LoadModules => "load",
            Self::Instantiate => "instantiate",
            Self::CreateRegions => "create-regions",
            Self::MapRegions => "map-regions",
            Self::WriteRegions => "write-regions",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no capability's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission `{name}`; there are {}", Capabilities::all())]
pub struct UnknownCapability {
    name: Box<str>,
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(name: &str) -> Result<Self, UnknownCapability> {
        let found = Self::ALL.into_iter().find(|capability| capability.name() == name);
        found.ok_or_else(|| UnknownCapability { name: name.into() })
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const fn none() -> Self {
        Self(0)
    }

    /// All of them.
    pub const fn all() -> Self {
        Self((1 << Capability::ALL.len()) - 1)
    }

    /// Those whose bits are set.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits).intersection(Self::all())
    }

    /// A bit for each.
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// Whether it is one of them.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u8 != 0
    }

    /// Whether all of `others` are among them.
    pub const fn includes(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Those in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL
            .into_iter()
            .filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let bits = capabilities.into_iter().map(|capability| 1 << capability as u8);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

impl From<Capability> for Capabilities {
    fn from(capability: Capability) -> Self {
        Self::from_iter([capability])
    }
}

impl fmt::Display for Capabilities {
    /// Their names, with commas between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, capability) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            f.write_str(capability.name())?;
        }
        Ok(())
    }
}

/// A directory that may be used, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryScope {
    /// Its components, none for the root.
    path: Vec<Box<str>>,
    access: Access,
}

impl DirectoryScope {
    /// The directory with a guest path, and all that is below it.
    ///
    /// Paths are told apart by their components alone: `/a`, `a` and `./a/` are
    /// the same. `None` for a path with a component `..`, which says nothing
    /// about where it leads.
    pub fn new(path: &str, access: Access) -> Option<Self> {
        Some(Self {
            path: components(path)?,
            access,
        })
    }

    /// Its path from the root on.
    pub fn path(&self) -> String {
        format!("/{}", self.path.join("/"))
    }

    /// What may be done below it.
    pub fn access(&self) -> Access {
        self.access
    }
}

/// The components of a guest path.
fn components(path: &str) -> Option<Vec<Box<str>>> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let parts: Vec<Box<str>> = parts.map(Box::from).collect();
    (!parts.iter().any(|part| &**part == "..")).then_some(parts)
}

/// How much of something a domain and its children may have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes of all memories and regions.
    pub memory: Option<u64>,
    /// Elements of all tables.
    pub table_elements: Option<u64>,
    /// Instances.
    pub instances: Option<u64>,
    /// Fuel, in units of one operator.
    pub fuel: Option<u64>,
    /// Nested calls of guest functions.
    pub depth: Option<u32>,
    /// Threads that run at the same time, besides the first.
    pub threads: Option<u64>,
}

impl Quotas {
    /// The smaller of each.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        fn least<N: Ord>(a: Option<N>, b: Option<N>) -> Option<N> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
        Self {
            memory: least(self.memory, other.memory),
            table_elements: least(self.table_elements, other.table_elements),
            instances: least(self.instances, other.instances),
            fuel: least(self.fuel, other.fuel),
            depth: least(self.depth, other.depth),
            threads: least(self.threads, other.threads),
        }
    }
}

/// What a guest may do, and how much of it.
///
/// Permissions are made by narrowing others; there is no way to add to them.
///
/// ```
/// use vm::{Access, Capability, DirectoryScope, Permissions};
///
/// let parent = Permissions::all().drop(Capability::Network);
/// let plugin = parent
///     .clone()
///     .keep([Capability::Stdout, Capability::ReadFiles, Capability::Network])
///     .keep_directories([DirectoryScope::new("/data", Access::Read).unwrap()])
///     .limit_memory(16 << 20);
/// assert!(plugin.allows(Capability::Stdout));
/// assert!(!plugin.allows(Capability::Clock));
/// assert!(!plugin.allows(Capability::Network), "the parent has it not");
/// assert_eq!(plugin.directory("data/images"), Some(Access::Read));
/// assert_eq!(plugin.directory("etc"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    capabilities: Capabilities,
    /// `None`: all.
    directories: Option<Vec<DirectoryScope>>,
    /// Names of environment variables; `None`: all.
    variables: Option<BTreeSet<Box<str>>>,
    quotas: Quotas,
}

impl Permissions {
    /// Everything, without limits.
    pub fn all() -> Self {
        Self {
            capabilities: Capabilities::all(),
            directories: None,
            variables: None,
            quotas: Quotas::default(),
        }
    }

    /// Nothing but to compute.
    pub fn none() -> Self {
        Self {
            capabilities: Capabilities::none(),
            directories: Some(Vec::new()),
            variables: Some(BTreeSet::new()),
            quotas: Quotas::default(),
        }
    }

    /// These without some capabilities.
    #[must_use]
    pub fn drop(mut self, capabilities: impl Into<Capabilities>) -> Self {
        self.capabilities = self.capabilities.difference(capabilities.into());
        self
    }

    /// Of the capabilities these have, some only.
    #[must_use]
    pub fn keep(mut self, capabilities: impl IntoIterator<Item = Capability>) -> Self {
        self.capabilities = self.capabilities.intersection(capabilities.into_iter().collect());
        self
    }

    /// Of the directories these allow, only what is in one of `directories`
    /// and is allowed there.
    #[must_use]
    pub fn keep_directories(mut self, directories: impl IntoIterator<Item = DirectoryScope>) -> Self {
        let kept: Vec<DirectoryScope> = directories.into_iter().collect();
        self.directories = Some(match &self.directories {
            Some(own) => common(own, &kept),
            None => common(&kept, &kept),
        });
        self
    }

    /// Of the environment variables these allow, some only.
    #[must_use]
    pub fn keep_variables<S: Into<Box<str>>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.variables = Some(match &self.variables {
            Some(own) => names.filter(|name| own.contains(name)).collect(),
            None => names.collect(),
        });
        self
    }

    /// At most so many bytes of memories and regions.
    #[must_use]
    pub fn limit_memory(self, bytes: u64) -> Self {
        self.limit(Quotas {
            memory: Some(bytes),
            ..Quotas::default()
        })
    }

    /// At most so many elements of tables.
    #[must_use]
    pub fn limit_table_elements(self, elements: u64) -> Self {
        self.limit(Quotas {
            table_elements: Some(elements),
            ..Quotas::default()
        })
    }

    /// At most so many instances.
    #[must_use]
    pub fn limit_instances(self, instances: u64) -> Self {
        self.limit(Quotas {
            instances: Some(instances),
            ..Quotas::default()
        })
    }

    /// At most so much fuel, in all calls together.
    #[must_use]
    pub fn limit_fuel(self, fuel: u64) -> Self {
        self.limit(Quotas {
            fuel: Some(fuel),
            ..Quotas::default()
        })
    }

    /// At most so many nested calls of guest functions.
    #[must_use]
    pub fn limit_depth(self, calls: u32) -> Self {
        self.limit(Quotas {
            depth: Some(calls),
            ..Quotas::default()
        })
    }

    /// At most so many threads at the same time besides the first.
    #[must_use]
    pub fn limit_threads(self, threads: u64) -> Self {
        self.limit(Quotas {
            threads: Some(threads),
            ..Quotas::default()
        })
    }

    /// At most these quotas.
    #[must_use]
    pub fn limit(mut self, quotas: Quotas) -> Self {
        self.quotas = self.quotas.intersection(quotas);
        self
    }

    /// What these and others allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = self.clone().keep(other.capabilities.iter()).limit(other.quotas);
        if let Some(directories) = &other.directories {
            both = both.keep_directories(directories.iter().cloned());
        }
        if let Some(variables) = &other.variables {
            both = both.keep_variables(variables.iter().cloned());
        }
        both
    }

    /// Whether something is allowed.
    pub fn allows(&self, capability: Capability) -> bool {
        self.capabilities.contains(capability)
    }

    /// All that is allowed.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// What may be done in a directory, as far as directories are told apart:
    /// [`Capability::ReadFiles`] and [`Capability::WriteFiles`] are asked for
    /// besides.
    pub fn directory(&self, path: &str) -> Option<Access> {
        let path = components(path)?;
        let Some(directories) = &self.directories else {
            return Some(Access::ReadWrite);
        };
        let around = directories.iter().filter(|scope| path.starts_with(&scope.path));
        around.map(|scope| scope.access).max()
    }

    /// The directories that may be used; `None` if they are not told apart.
    pub fn directories(&self) -> Option<&[DirectoryScope]> {
        self.directories.as_deref()
    }

    /// Whether an environment variable may be seen, as far as they are told
    /// apart: [`Capability::Environment`] is asked for besides.
    pub fn variable(&self, name: &str) -> bool {
        self.variables.as_ref().is_none_or(|names| names.contains(name))
    }

    /// The environment variables that may be seen; `None` if they are not told
    /// apart.
    pub fn variables(&self) -> Option<impl Iterator<Item = &str>> {
        Some(self.variables.as_ref()?.iter().map(|name| &**name))
    }

    /// How much of something is allowed.
    pub fn quotas(&self) -> Quotas {
        self.quotas
    }
}

/// What both lists of directories allow. A guest may have written them: the time
/// this takes grows with their length, and not with its square.
fn common(a: &[DirectoryScope], b: &[DirectoryScope]) -> Vec<DirectoryScope> {
    let mut both: Vec<(&DirectoryScope, usize)> = a.iter().map(|scope| (scope, 0)).collect();
    both.extend(b.iter().map(|scope| (scope, 1)));
    // What is around a directory comes before it.
    both.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    // The directories around the present one, and what each list allows there.
    let mut around: Vec<(&DirectoryScope, [Option<Access>; 2])> = Vec::new();
    let mut common: Vec<DirectoryScope> = Vec::new();
    for same in both.chunk_by(|(a, _), (b, _)| a.path == b.path) {
        let Some(&(here, _)) = same.first() else { continue };
        while around
            .pop_if(|(outer, _)| !here.path.starts_with(&outer.path))
            .is_some()
        {}
        let outer = around.last().map_or([None; 2], |(_, allowed)| *allowed);
        let mut allowed = outer;
        for (scope, list) in same {
            allowed[*list] = allowed[*list].max(Some(scope.access));
        }
        let [before, now] = [outer, allowed].map(|[a, b]| a.zip(b).map(|(a, b)| a.min(b)));
        // What is allowed around it need not be said again.
        common.extend(now.filter(|_| now > before).map(|access| DirectoryScope {
            path: here.path.clone(),
            access,
        }));
        around.push((here, allowed));
    }
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(path: &str, access: Access) -> DirectoryScope {
        DirectoryScope::new(path, access).expect("no `..`")
    }

    #[test]
    fn names_are_read_back() {
        for capability in Capability::ALL {
            assert_eq!(capability.name().parse(), Ok(capability));
        }
        let error = "nett".parse::<Capability>().expect_err("no such name").to_string();
        assert!(
            error.starts_with("there is no permission `nett`; there are stdin, "),
            "{error}"
        );
    }

    #[test]
    fn paths_are_compared_by_components() {
        let p = Permissions::all().keep_directories([scope("/a/b", Access::Read), scope("c", Access::ReadWrite)]);
        for (path, access) in [
            ("a/b", Some(Access::Read)),
            ("/a//b/./x", Some(Access::Read)),
            ("a", None),
            ("a/bc", None),
            ("a/b/../..", None),
            ("/", None),
            (".", None),
            ("./c/", Some(Access::ReadWrite)),
        ] {
            assert_eq!(p.directory(path), access, "{path}");
        }
        assert_eq!(DirectoryScope::new("/a/../b", Access::Read), None);
    }

    #[test]
    fn narrower_directories_win() {
        let p = Permissions::all()
            .keep_directories([scope("/a", Access::Read), scope("/a/w", Access::ReadWrite)])
            .keep_directories([scope("/", Access::ReadWrite)]);
        assert_eq!(p.directory("/a/x"), Some(Access::Read));
        assert_eq!(p.directory("/a/w/x"), Some(Access::ReadWrite));
        let p = p.keep_directories([scope("/a/w", Access::Read)]);
        assert_eq!(p.directories(), Some(&[scope("/a/w", Access::Read)][..]));
    }

    fn permissions() -> impl Strategy<Value = Permissions> {
        let path = prop::sample::select(vec!["/", "a", "a/b", "a/b/c", "d", "d/e"]);
        let directories = prop::option::of(prop::collection::vec((path, any::<bool>()), 0..4));
        let names = prop::option::of(prop::collection::vec(prop::sample::select(vec!["A", "B", "C"]), 0..3));
        let capabilities = any::<u32>();
        let memory = prop::option::of(0..9_u64);
        (capabilities, directories, names, memory).prop_map(|(bits, directories, names, memory)| {
            let mut p = Permissions::all().keep(Capability::ALL.into_iter().filter(|c| bits & 1 << *c as u8 != 0));
            if let Some(directories) = directories {
                let access = |write| if write { Access::ReadWrite } else { Access::Read };
                p = p.keep_directories(directories.into_iter().map(|(path, write)| scope(path, access(write))));
            }
            if let Some(names) = names {
                p = p.keep_variables(names);
            }
            if let Some(memory) = memory {
                p = p.limit_memory(memory);
            }
            p
        })
    }

    proptest! {
        /// An intersection allows what both allow, nothing more and nothing less.
        #[test]
        fn intersections_are_exact(a in permissions(), b in permissions()) {
            let both = a.intersection(&b);
            prop_assert_eq!(both.capabilities(), a.capabilities().intersection(b.capabilities()));
            for path in ["/", "a", "a/x", "a/b", "a/b/c", "a/b/c/d", "d", "d/e", "d/e/f", "x"] {
                let expected = a.directory(path).zip(b.directory(path)).map(|(a, b)| a.min(b));
                prop_assert_eq!(both.directory(path), expected, "{}", path);
            }
            for name in ["A", "B", "C", "D"] {
                prop_assert_eq!(both.variable(name), a.variable(name) && b.variable(name));
            }
            prop_assert_eq!(&both.intersection(&a), &both);
            let least = a.quotas().memory.into_iter().chain(b.quotas().memory).min();
            prop_assert_eq!(both.quotas().memory, least);
        }
    }
}
