//! The name section (Spec 3.0, appendix "Name Section"), read when a name is
//! first asked for. It is not validated: what is malformed is left out.
//!
//! Names stay in the module's bytes: a module of 100,000 functions has 1 MB of
//! index here, not 10 MB of strings.

use std::ops::Range;

use wasmparser::{BinaryReader, Name, NameMap, NameSectionReader};

/// Names of a module, its functions and its tags.
#[derive(Debug, Default)]
pub(super) struct Names {
    module: Option<Box<str>>,
    /// By ascending index.
    funcs: Vec<Naming>,
    /// By ascending index.
    tags: Vec<Naming>,
}

/// Where the name of a function or tag is.
#[derive(Debug)]
struct Naming {
    index: u32,
    /// In bytes from the start of the module.
    start: u32,
    /// In bytes.
    len: u32,
}

impl Names {
    /// Reads the name section at `section` of the module `bytes` as far as it
    /// is well-formed.
    pub(super) fn parse(bytes: &[u8], section: Range<usize>) -> Self {
        let mut names = Self::default();
        let start = section.start as u64;
        let Some(content) = bytes.get(section) else {
            return names;
        };
        for subsection in NameSectionReader::new(BinaryReader::new(content, start)) {
            match subsection {
                Ok(Name::Module { name, .. }) => names.module = Some(name.into()),
                Ok(Name::Function(map)) if names.funcs.is_empty() => names.funcs = Naming::all(map),
                Ok(Name::Tag(map)) if names.tags.is_empty() => names.tags = Naming::all(map),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        names
    }

    /// The module's name.
    pub(super) fn module(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// The name of a function of the module `bytes`.
    pub(super) fn func<'a>(&self, bytes: &'a [u8], func: u32) -> Option<&'a str> {
        Naming::find(&self.funcs, bytes, func)
    }

    /// The name of a tag of the module `bytes`.
    pub(super) fn tag<'a>(&self, bytes: &'a [u8], tag: u32) -> Option<&'a str> {
        Naming::find(&self.tags, bytes, tag)
    }
}

impl Naming {
    /// Where the names of a map are, as far as it is well-formed.
    fn all(mut map: NameMap<'_>) -> Vec<Self> {
        let mut names = Vec::new();
        // The reader sees to it that indices ascend.
        while let Some(Ok(naming)) = map.next() {
            let end = map.names.original_position();
            let (Ok(len), Ok(end)) = (u32::try_from(naming.name.len()), u32::try_from(end)) else {
                break;
            };
            names.push(Self {
                index: naming.index,
                start: end.saturating_sub(len),
                len,
            });
        }
        names.shrink_to_fit();
        names
    }

    /// The name of `index` of the module `bytes`.
    fn find<'a>(names: &[Self], bytes: &'a [u8], index: u32) -> Option<&'a str> {
        let at = names.binary_search_by_key(&index, |name| name.index).ok()?;
        let name = names.get(at)?;
        let start = name.start as usize;
        std::str::from_utf8(bytes.get(start..start + name.len as usize)?).ok()
    }
}
