//! The name section (Spec 3.0, appendix "Name Section"), read when a name is
//! first asked for. It is not validated: what is malformed is left out.

use std::collections::HashMap;

use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Names of a module and its functions.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The module's.
    pub(super) module: Option<Box<str>>,
    /// The functions'.
    pub(super) funcs: HashMap<u32, Box<str>>,
}

impl Names {
    /// Reads the content of a name section as far as it is well-formed.
    pub(super) fn parse(section: &[u8]) -> Self {
        let mut names = Self::default();
        for subsection in NameSectionReader::new(BinaryReader::new(section, 0)) {
            match subsection {
                Ok(Name::Module { name, .. }) => names.module = Some(name.into()),
                Ok(Name::Function(map)) => {
                    for naming in map {
                        let Ok(naming) = naming else { break };
                        names.funcs.insert(naming.index, naming.name.into());
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        names
    }
}
