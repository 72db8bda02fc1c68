//! Permissions as text: on command lines, in manifests, from guests.

use std::fmt;
use std::str::FromStr;

use super::permissions::{Capabilities, Capability, DirectoryScope, Permissions, Quotas, UnknownCapability};
use super::region::Access;

/// A text that says no permissions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionsTextError {
    /// A word that means nothing.
    #[error(transparent)]
    Capability(#[from] UnknownCapability),
    /// A directory that is not `dir=PATH`, `dir=PATH:ro` or `dir=PATH:rw`.
    #[error("`{word}` names no directory: it is `dir=PATH:ro` or `dir=PATH:rw`, without `..`")]
    Directory {
        /// The word.
        word: Box<str>,
    },
    /// A quota without a number that can be one.
    #[error("`{word}` has no number that can be a quota, such as `memory=16MiB` or `fuel=1000000`")]
    Quota {
        /// The word.
        word: Box<str>,
    },
    /// A name that is not `env=NAME`.
    #[error("`{word}` names no environment variable: it is `env=NAME`")]
    Variable {
        /// The word.
        word: Box<str>,
    },
    /// `inherit` or `none` not at the start.
    #[error("`{word}` says what the other words narrow or add to, so it stands first")]
    NotFirst {
        /// The word.
        word: Box<str>,
    },
}

/// The words of a text, with commas or spaces between.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let separators = |c: char| c == ',' || c.is_whitespace();
    text.split(separators).filter(|word| !word.is_empty())
}

impl FromStr for Capabilities {
    type Err = UnknownCapability;

    /// Names of capabilities, with commas or spaces between.
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        words(text).map(str::parse::<Capability>).collect()
    }
}

impl FromStr for Permissions {
    type Err = PermissionsTextError;

    /// Words, with commas or spaces between:
    ///
    /// | word | meaning |
    /// |---|---|
    /// | `inherit` | first: everything, so as much as a parent has |
    /// | `none` | first: nothing, which the other words add to; so it is without either |
    /// | `stdout`, `clock`, … | a [`Capability`], by its name |
    /// | `-stdout`, `-clock`, … | not that one, whatever the other words say |
    /// | `dir=PATH:ro`, `dir=PATH:rw` | of directories only those named so; and `read`, and for `rw` `write` |
    /// | `env=NAME` | of variables only those named so; and `env` |
    /// | `dir=`, `env=` | of directories, or variables, only those named otherwise |
    /// | `memory=SIZE`, `tables=N`, `instances=N`, `fuel=N`, `depth=N`, `threads=N` | the [`Quotas`] |
    ///
    /// In paths and names `%2C` is a comma, and so on: `%` and two hexadecimal
    /// digits stand for a byte.
    ///
    /// ```
    /// use vm::{Access, Capability, Permissions};
    ///
    /// let plugin: Permissions = "stdout, dir=/data:ro, memory=16MiB".parse()?;
    /// assert!(plugin.allows(Capability::ReadFiles) && !plugin.allows(Capability::Clock));
    /// assert_eq!(plugin.directory("/data"), Some(Access::Read));
    /// assert_eq!(plugin.quotas().memory, Some(16 << 20));
    /// assert_eq!(plugin.to_string(), "stdout,read,dir=/data:ro,memory=16777216");
    ///
    /// let child: Permissions = "inherit,-net,-exit".parse()?;
    /// assert!(child.allows(Capability::Clock) && !child.allows(Capability::Network));
    /// # Ok::<(), vm::PermissionsTextError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, PermissionsTextError> {
        let mut words = words(text).peekable();
        let is_base = |word: &str| word == "inherit" || word == "none";
        let inherits = words.next_if(|word| is_base(word)) == Some("inherit");
        let mut given: Vec<Capability> = Vec::new();
        let mut dropped: Vec<Capability> = Vec::new();
        let mut directories: Option<Vec<DirectoryScope>> = None;
        let mut variables: Option<Vec<Box<str>>> = None;
        let mut quotas = Quotas::default();
        for word in words {
            let own = || Box::<str>::from(word);
            match word.split_once('=') {
                _ if is_base(word) => return Err(PermissionsTextError::NotFirst { word: own() }),
                Some(("dir", path)) => {
                    let named = directories.get_or_insert_default();
                    if !path.is_empty() {
                        let scope = directory(path).ok_or_else(|| PermissionsTextError::Directory { word: own() })?;
                        given.push(Capability::ReadFiles);
                        if scope.access() == Access::ReadWrite {
                            given.push(Capability::WriteFiles);
                        }
                        named.push(scope);
                    }
                }
                Some(("env", name)) => {
                    let named = variables.get_or_insert_default();
                    if !name.is_empty() {
                        given.push(Capability::Environment);
                        let name = unescaped(name).ok_or_else(|| PermissionsTextError::Variable { word: own() })?;
                        named.push(name.into());
                    }
                }
                Some((name, number)) => {
                    let quota = quota(name, number).ok_or_else(|| PermissionsTextError::Quota { word: own() })?;
                    quotas = quotas.intersection(quota);
                }
                None => match word.strip_prefix('-') {
                    Some(name) => dropped.push(name.parse()?),
                    None => given.push(word.parse()?),
                },
            }
        }
        let mut permissions = Self::all().limit(quotas);
        if !inherits {
            permissions = permissions.keep(given);
        }
        if let Some(directories) = directories {
            permissions = permissions.keep_directories(directories);
        }
        if let Some(variables) = variables {
            permissions = permissions.keep_variables(variables);
        }
        Ok(permissions.drop(dropped.into_iter().collect::<Capabilities>()))
    }
}

/// `PATH:ro`, `PATH:rw` or `PATH`, which is read-only.
fn directory(text: &str) -> Option<DirectoryScope> {
    let (path, access) = match text.rsplit_once(':') {
        Some((path, "rw")) => (path, Access::ReadWrite),
        Some((path, "ro")) => (path, Access::Read),
        _ => (text, Access::Read),
    };
    if path.is_empty() {
        return None;
    }
    DirectoryScope::new(&unescaped(path)?, access)
}

/// A text with bytes in place of `%` and two digits.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// A text without separators, of which [`unescaped`] makes it again.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c == '%' || c == ',' || c == ':' || c.is_whitespace() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                escaped += &format!("%{byte:02X}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// The quota with a name.
fn quota(name: &str, number: &str) -> Option<Quotas> {
    let mut quotas = Quotas::default();
    match name {
        "memory" => quotas.memory = Some(bytes(number)?),
        "tables" => quotas.table_elements = Some(number.parse().ok()?),
        "instances" => quotas.instances = Some(number.parse().ok()?),
        "fuel" => quotas.fuel = Some(number.parse().ok()?),
        "depth" => quotas.depth = Some(number.parse().ok()?),
        "threads" => quotas.threads = Some(number.parse().ok()?),
        _ => return None,
    }
    Some(quotas)
}

/// A number of bytes, with or without a unit.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl fmt::Display for Permissions {
    /// The text that [`Permissions::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.capabilities();
        let missing = Capabilities::all().difference(own);
        let mut words: Vec<String> = Vec::new();
        let inherits = missing.iter().count() < own.iter().count();
        if inherits {
            words.push("inherit".to_owned());
        } else if own == Capabilities::none() {
            words.push("none".to_owned());
        } else {
            words.extend(own.iter().map(|capability| capability.to_string()));
        }
        // Other words give some capabilities too.
        let mut given = if inherits { Capabilities::all() } else { own };
        if let Some(directories) = self.directories() {
            for scope in directories {
                let (access, needed) = match scope.access() {
                    Access::Read => ("ro", &[Capability::ReadFiles][..]),
                    Access::ReadWrite => ("rw", &[Capability::ReadFiles, Capability::WriteFiles][..]),
                };
                words.push(format!("dir={}:{access}", escaped(&scope.path())));
                given = given.union(needed.iter().copied().collect());
            }
            if directories.is_empty() {
                words.push("dir=".to_owned());
            }
        }
        if let Some(variables) = self.variables() {
            let before = words.len();
            words.extend(variables.map(|name| format!("env={}", escaped(name))));
            if words.len() == before {
                words.push("env=".to_owned());
            } else {
                given = given.union(Capability::Environment.into());
            }
        }
        words.extend(given.difference(own).iter().map(|capability| format!("-{capability}")));
        let quotas = self.quotas();
        for (name, quota) in [
            ("memory", quotas.memory),
            ("tables", quotas.table_elements),
            ("instances", quotas.instances),
            ("fuel", quotas.fuel),
            ("depth", quotas.depth.map(u64::from)),
            ("threads", quotas.threads),
        ] {
            words.extend(quota.map(|quota| format!("{name}={quota}")));
        }
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_mean_nothing_are_told() {
        for (text, message) in [
            ("stdot", "there is no permission `stdot`; there are stdin,"),
            ("-", "there is no permission ``; there are stdin,"),
            ("clock,none", "`none` says what the other words narrow"),
            ("dir=a/../b", "`dir=a/../b` names no directory"),
            ("dir=:ro", "`dir=:ro` names no directory"),
            ("dir=a%zz", "`dir=a%zz` names no directory"),
            ("env=%", "`env=%` names no environment variable"),
            ("memory=", "`memory=` has no number"),
            ("memory=99999999999GiB", "`memory=99999999999GiB` has no number"),
            ("depth=4294967296", "`depth=4294967296` has no number"),
            ("speed=1", "`speed=1` has no number"),
        ] {
            let error = text.parse::<Permissions>().expect_err(text).to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_and_everything() {
        for (text, expected) in [
            ("", "none"),
            ("none", "none"),
            (" , ", "none"),
            ("inherit", "inherit"),
            ("inherit,-clock", "inherit,-clock"),
            ("stdout clock\tdir=/a", "stdout,read,clock,dir=/a:ro"),
            ("clock,-clock", "none"),
            ("inherit,dir=", "inherit,dir="),
            ("memory=1KiB,memory=2KiB", "none,memory=1024"),
        ] {
            let permissions: Permissions = text.parse().expect(text);
            assert_eq!(permissions.to_string(), expected, "{text}");
        }
        assert_eq!("inherit".parse(), Ok(Permissions::all()));
        assert_eq!(Permissions::none().to_string().parse(), Ok(Permissions::none()));
    }

    proptest! {
        /// What is written is read back as what it was.
        #[test]
        fn texts_are_read_back(
            bits in any::<u32>(),
            directories in prop::option::of(prop::collection::vec(("[a-c/,: %é]{0,6}", any::<bool>()), 0..4)),
            names in prop::option::of(prop::collection::vec("[A-C, %=é]{1,3}", 0..3)),
            numbers in any::<[Option<u32>; 3]>(),
        ) {
            let mut permissions = Permissions::all().keep(Capabilities::from_bits(bits).iter());
            if let Some(directories) = directories {
                let access = |write| if write { Access::ReadWrite } else { Access::Read };
                let scopes = directories.iter().filter_map(|(path, write)| DirectoryScope::new(path, access(*write)));
                permissions = permissions.keep_directories(scopes);
            }
            if let Some(names) = names {
                permissions = permissions.keep_variables(names);
            }
            permissions = permissions.limit(Quotas {
                memory: numbers[0].map(u64::from),
                fuel: numbers[1].map(u64::from),
                depth: numbers[2],
                ..Quotas::default()
            });
            prop_assert_eq!(permissions.to_string().parse(), Ok(permissions));
        }

        /// Nothing that a guest may pass makes it panic.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let read = text.parse::<Permissions>();
            prop_assert!(read.is_ok() || !read.expect_err("not ok").to_string().is_empty());
        }
    }
}
