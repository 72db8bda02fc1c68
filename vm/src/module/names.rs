//! The name section (Spec 3.0, appendix "Name Section"), read when a name is
//! first asked for. It is not validated: what is malformed is left out.
//!
//! Names stay in the module's bytes: a module of 100,000 functions has 1 MB of
//! index here, not 10 MB of strings.

use std::ops::Range;

use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Names of a module and its functions.
#[derive(Debug, Default)]
pub(super) struct Names {
    module: Option<Box<str>>,
    /// By ascending index.
    funcs: Vec<FuncName>,
}

/// Where the name of a function is.
#[derive(Debug)]
struct FuncName {
    func: u32,
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
                Ok(Name::Function(mut map)) if names.funcs.is_empty() => {
                    // The reader sees to it that indices ascend.
                    while let Some(Ok(naming)) = map.next() {
                        let end = map.names.original_position();
                        let (Ok(len), Ok(end)) = (u32::try_from(naming.name.len()), u32::try_from(end)) else {
                            break;
                        };
                        names.funcs.push(FuncName {
                            func: naming.index,
                            start: end.saturating_sub(len),
                            len,
                        });
                    }
                    names.funcs.shrink_to_fit();
                }
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
        let at = self.funcs.binary_search_by_key(&func, |name| name.func).ok()?;
        let name = self.funcs.get(at)?;
        let start = name.start as usize;
        std::str::from_utf8(bytes.get(start..start + name.len as usize)?).ok()
    }
}
