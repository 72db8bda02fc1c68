//! What a module says to a dynamic linker: its custom section `dylink.0`
//! (tool-conventions, *DynamicLinking*), or the older `dylink`.

use std::collections::BTreeMap;

use vm::Module;
use wasmparser::{BinaryReader, BinaryReaderError, Dylink0SectionReader, Dylink0Subsection, SymbolFlags};

/// The largest alignment as a power of 2: larger ones are beyond a 32-bit memory.
const MOST_ALIGNMENT: u32 = 31;

/// What a position-independent module needs, and is called by others.
///
/// ```
/// use orcavm_loader::Dylink;
/// use vm::{Engine, Module};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let library = Module::new(
///     &Engine::default(),
///     r#"(module
///         (@dylink.0
///             (mem-info (memory 24 4) (table 1 0))
///             (needed "libc.so" "libm.so")
///             (export-info "errno" tls)))"#,
/// )?;
/// let dylink = Dylink::read(&library)?.expect("it has the section");
/// assert_eq!((dylink.memory_size, dylink.memory_alignment), (24, 16));
/// assert_eq!(dylink.needed, ["libc.so".into(), "libm.so".into()]);
/// assert!(dylink.export("errno").is_tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dylink {
    /// Bytes of memory for its data, from `env.__memory_base` on.
    pub memory_size: u32,
    /// What `env.__memory_base` must be a multiple of.
    pub memory_alignment: u32,
    /// Elements of the table for its functions, from `env.__table_base` on.
    pub table_size: u32,
    /// What `env.__table_base` must be a multiple of.
    pub table_alignment: u32,
    /// Libraries to load with it, in order.
    pub needed: Vec<Box<str>>,
    /// Directories to look for them in, in order; `$ORIGIN` is its own.
    pub runtime_path: Vec<Box<str>>,
    /// The architecture it was compiled for, if it says.
    pub target: Option<Box<str>>,
    /// What is said of its exports.
    exports: BTreeMap<Box<str>, Symbol>,
    /// What is said of its imports, by module and name.
    imports: BTreeMap<Box<str>, BTreeMap<Box<str>, Symbol>>,
}

/// What is said of a symbol that is exported or imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Symbol {
    /// As an export, one that is not weak comes before it; as an import, it may be
    /// missing.
    pub is_weak: bool,
    /// Its address is relative to each thread's own data.
    pub is_tls: bool,
    /// Its address is what is exported, not relative to `env.__memory_base`.
    pub is_absolute: bool,
}

impl From<SymbolFlags> for Symbol {
    fn from(flags: SymbolFlags) -> Self {
        Self {
            is_weak: flags.contains(SymbolFlags::BINDING_WEAK),
            is_tls: flags.contains(SymbolFlags::TLS),
            is_absolute: flags.contains(SymbolFlags::ABSOLUTE),
        }
    }
}

/// A section for dynamic linkers that says something which cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in the section `{section}`, at byte {offset:#x} of it: {kind}")]
pub struct DylinkError {
    /// `dylink.0` or `dylink`.
    pub section: &'static str,
    /// Bytes from the start of the section's contents.
    pub offset: u64,
    /// What is wrong.
    pub kind: DylinkErrorKind,
}

/// What is wrong with a section for dynamic linkers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DylinkErrorKind {
    /// It is not encoded as such a section is.
    #[error("{message}")]
    Malformed {
        /// How not.
        message: Box<str>,
    },
    /// A module has two.
    #[error("the module has two such sections")]
    Twice,
    /// A part that there can be one of only.
    #[error("the part `{part}` is there twice")]
    RepeatedPart {
        /// Its name in the text format.
        part: &'static str,
    },
    /// An alignment beyond a 32-bit address space.
    #[error("an alignment of 2^{exponent} is more than 32-bit addresses allow")]
    Alignment {
        /// The power of 2.
        exponent: u32,
    },
    /// A name that is said to be weak and something else, say.
    #[error("`{name}` is described twice")]
    RepeatedSymbol {
        /// The symbol.
        name: Box<str>,
    },
}

impl Dylink {
    /// What a module says; `None` if it says nothing, as modules do that are not
    /// position-independent.
    ///
    /// # Errors
    /// If the section cannot be read, says something twice, or what cannot be.
    pub fn read(module: &Module) -> Result<Option<Self>, DylinkError> {
        for section in ["dylink.0", "dylink"] {
            let mut contents = module.custom_sections(section);
            let Some(bytes) = contents.next() else { continue };
            if contents.next().is_some() {
                let (offset, kind) = (0, DylinkErrorKind::Twice);
                return Err(DylinkError { section, offset, kind });
            }
            return Self::read_section(section, bytes);
        }
        Ok(None)
    }

    /// What the contents of a custom section say; `None` if it is not for dynamic
    /// linkers.
    ///
    /// # Errors
    /// As [`Dylink::read`].
    pub fn read_section(name: &str, contents: &[u8]) -> Result<Option<Self>, DylinkError> {
        let (section, read) = match name {
            "dylink.0" => ("dylink.0", Self::read_0(contents)),
            "dylink" => ("dylink", Self::read_legacy(contents)),
            _ => return Ok(None),
        };
        read.map(Some)
            .map_err(|(offset, kind)| DylinkError { section, offset, kind })
    }

    /// What is said of an export.
    pub fn export(&self, name: &str) -> Symbol {
        self.exports.get(name).copied().unwrap_or_default()
    }

    /// What is said of an import.
    pub fn import(&self, module: &str, name: &str) -> Symbol {
        let names = self.imports.get(module);
        names.and_then(|names| names.get(name)).copied().unwrap_or_default()
    }

    /// The exports that something is said of, and what.
    pub fn exports(&self) -> impl Iterator<Item = (&str, Symbol)> {
        self.exports.iter().map(|(name, symbol)| (&**name, *symbol))
    }

    /// The imports that something is said of, by module and name, and what.
    pub fn imports(&self) -> impl Iterator<Item = (&str, &str, Symbol)> {
        let modules = self.imports.iter();
        modules.flat_map(|(module, names)| names.iter().map(|(name, symbol)| (&**module, &**name, *symbol)))
    }

    /// Reads the contents of a section `dylink.0`.
    fn read_0(bytes: &[u8]) -> Result<Self, Failure> {
        let mut this = Self::empty();
        let mut parts: Vec<&'static str> = Vec::new();
        let mut reader = Dylink0SectionReader::new(BinaryReader::new(bytes, 0));
        loop {
            let offset = reader.original_position();
            let Some(subsection) = reader.next() else { break };
            let subsection = subsection.map_err(malformed)?;
            let part = match &subsection {
                Dylink0Subsection::MemInfo(_) => "mem-info",
                Dylink0Subsection::Needed(_) => "needed",
                Dylink0Subsection::ExportInfo(_) => "export-info",
                Dylink0Subsection::ImportInfo(_) => "import-info",
                Dylink0Subsection::RuntimePath(_) => "runtime-path",
                Dylink0Subsection::TargetArch(_) => "target-arch",
                // What is not known here is not needed to link.
                Dylink0Subsection::Unknown { .. } => continue,
            };
            if parts.contains(&part) {
                return Err((offset, DylinkErrorKind::RepeatedPart { part }));
            }
            parts.push(part);
            if part == "mem-info" {
                let end = reader.original_position();
                check_mem_info(bytes, offset..end)?;
            }
            this.add(subsection).map_err(|kind| (offset, kind))?;
        }
        Ok(this)
    }

    fn add(&mut self, subsection: Dylink0Subsection<'_>) -> Result<(), DylinkErrorKind> {
        let names = |names: Vec<&str>| names.into_iter().map(Box::from).collect();
        let described = |known: Option<Symbol>, name: &str| match known {
            None => Ok(()),
            Some(_) => Err(DylinkErrorKind::RepeatedSymbol { name: name.into() }),
        };
        match subsection {
            Dylink0Subsection::MemInfo(info) => {
                self.memory_size = info.memory_size;
                self.memory_alignment = alignment(info.memory_alignment)?;
                self.table_size = info.table_size;
                self.table_alignment = alignment(info.table_alignment)?;
            }
            Dylink0Subsection::Needed(needed) => self.needed = names(needed),
            Dylink0Subsection::RuntimePath(path) => self.runtime_path = names(path),
            Dylink0Subsection::ExportInfo(exports) => {
                for export in exports {
                    described(
                        self.exports.insert(export.name.into(), export.flags.into()),
                        export.name,
                    )?;
                }
            }
            Dylink0Subsection::ImportInfo(imports) => {
                for import in imports {
                    let module = self.imports.entry(import.module.into()).or_default();
                    described(module.insert(import.field.into(), import.flags.into()), import.field)?;
                }
            }
            Dylink0Subsection::TargetArch(arch) => self.target = Some(arch.into()),
            Dylink0Subsection::Unknown { .. } => {}
        }
        Ok(())
    }

    /// Reads the contents of a section `dylink`: sizes, and the libraries needed.
    fn read_legacy(bytes: &[u8]) -> Result<Self, Failure> {
        let mut this = Self::empty();
        let mut reader = BinaryReader::new(bytes, 0);
        let alignment_at = |reader: &mut BinaryReader<'_>| {
            let offset = reader.original_position();
            let exponent = reader.read_var_u32().map_err(malformed)?;
            alignment(exponent).map_err(|kind| (offset, kind))
        };
        this.memory_size = reader.read_var_u32().map_err(malformed)?;
        this.memory_alignment = alignment_at(&mut reader)?;
        this.table_size = reader.read_var_u32().map_err(malformed)?;
        this.table_alignment = alignment_at(&mut reader)?;
        for _ in 0..reader.read_var_u32().map_err(malformed)? {
            this.needed.push(reader.read_string().map_err(malformed)?.into());
        }
        if !reader.eof() {
            let message = "there is more than the section says".into();
            return Err((reader.original_position(), DylinkErrorKind::Malformed { message }));
        }
        Ok(this)
    }

    /// What a section without parts says.
    fn empty() -> Self {
        Self {
            memory_alignment: 1,
            table_alignment: 1,
            ..Self::default()
        }
    }
}

/// What is wrong, and at which byte of the section.
type Failure = (u64, DylinkErrorKind);

/// Checks that a part `mem-info`, in its section's contents, has nothing more than it
/// says (tool-conventions, *DynamicLinking*).
fn check_mem_info(bytes: &[u8], part: std::ops::Range<u64>) -> Result<(), Failure> {
    let start = usize::try_from(part.start).unwrap_or(usize::MAX);
    let mut reader = BinaryReader::new(bytes.get(start..).unwrap_or_default(), part.start);
    reader.read_u8().map_err(malformed)?;
    // Its size in bytes, and the four numbers.
    for _ in 0..5 {
        reader.read_var_u32().map_err(malformed)?;
    }
    match reader.original_position() == part.end {
        true => Ok(()),
        false => {
            let message = "there is more in the part `mem-info` than it says".into();
            Err((reader.original_position(), DylinkErrorKind::Malformed { message }))
        }
    }
}

fn malformed(error: BinaryReaderError) -> Failure {
    let message = error.message().into();
    (error.offset(), DylinkErrorKind::Malformed { message })
}

/// The alignment with an exponent.
fn alignment(exponent: u32) -> Result<u32, DylinkErrorKind> {
    match exponent {
        0..=MOST_ALIGNMENT => Ok(1 << exponent),
        _ => Err(DylinkErrorKind::Alignment { exponent }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vm::Engine;
    use wasm_encoder::CustomSection;

    use super::*;

    /// What a module says whose custom sections these are.
    fn read(sections: &[(&str, &[u8])]) -> Result<Option<Dylink>, DylinkError> {
        let mut module = wasm_encoder::Module::new();
        for (name, data) in sections {
            module.section(&CustomSection {
                name: (*name).into(),
                data: (*data).into(),
            });
        }
        Dylink::read(&Module::new(&Engine::default(), module.finish()).expect("valid"))
    }

    fn read_text(text: &str) -> Result<Option<Dylink>, DylinkError> {
        Dylink::read(&Module::new(&Engine::default(), text).expect("valid"))
    }

    #[test]
    fn all_parts() {
        let dylink = read_text(
            r#"(module (@dylink.0
                (mem-info (memory 100 2) (table 3 1))
                (needed "a.so" "b.so")
                (export-info "weak" binding-weak)
                (export-info "thread" tls)
                (export-info "both" binding-weak absolute)
                (import-info "env" "maybe" binding-weak)
                (import-info "GOT.mem" "maybe" undefined)
                (runtime-path "$ORIGIN/lib" "/usr/lib")))"#,
        );
        let dylink = dylink.expect("well-formed").expect("it is there");
        assert_eq!((dylink.memory_size, dylink.memory_alignment), (100, 4));
        assert_eq!((dylink.table_size, dylink.table_alignment), (3, 2));
        assert_eq!(dylink.needed, ["a.so".into(), "b.so".into()]);
        assert_eq!(dylink.runtime_path, ["$ORIGIN/lib".into(), "/usr/lib".into()]);
        let flags = |symbol: Symbol| (symbol.is_weak, symbol.is_tls, symbol.is_absolute);
        assert_eq!(flags(dylink.export("weak")), (true, false, false));
        assert_eq!(flags(dylink.export("thread")), (false, true, false));
        assert_eq!(flags(dylink.export("both")), (true, false, true));
        assert_eq!(flags(dylink.export("none")), (false, false, false));
        assert!(dylink.import("env", "maybe").is_weak);
        assert!(!dylink.import("GOT.mem", "maybe").is_weak);
        assert!(!dylink.import("env", "weak").is_weak);
    }

    #[test]
    fn other_modules_say_nothing() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("dylink.1", &[1, 2, 3])]), Ok(None));
        assert_eq!(read(&[("dylink.0", &[])]), Ok(Some(Dylink::empty())));
    }

    #[test]
    fn the_older_section() {
        let bytes = [24, 4, 1, 0, 2, 1, b'a', 4, b'b', b'.', b's', b'o'];
        let dylink = read(&[("dylink", &bytes)]).expect("well-formed").expect("it is there");
        assert_eq!((dylink.memory_size, dylink.memory_alignment), (24, 16));
        assert_eq!((dylink.table_size, dylink.table_alignment), (1, 1));
        assert_eq!(dylink.needed, ["a".into(), "b.so".into()]);
        // The newer one counts where both are.
        let both = read(&[("dylink", &bytes), ("dylink.0", &[])]);
        assert_eq!(both, Ok(Some(Dylink::empty())));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let mem_info: &[u8] = &[1, 4, 0, 0, 0, 0];
        for (section, bytes, message) in [
            (
                "dylink.0",
                &[1, 4, 0, 32, 0, 0][..],
                "at byte 0x0 of it: an alignment of 2^32 is more than",
            ),
            (
                "dylink.0",
                &[1, 4, 0, 0, 0, 99],
                "at byte 0x0 of it: an alignment of 2^99 is more than",
            ),
            (
                "dylink.0",
                &[mem_info, mem_info].concat(),
                "at byte 0x6 of it: the part `mem-info` is there twice",
            ),
            ("dylink.0", &[1], "at byte 0x1 of it: unexpected end"),
            ("dylink.0", &[1, 200, 1], "at byte 0x3 of it: unexpected end"),
            ("dylink.0", &[2, 2, 1, 255], "unexpected end"),
            ("dylink.0", &[2, 4, 1, 2, 0xc3, 0x28], "malformed UTF-8"),
            (
                "dylink.0",
                &[3, 7, 2, 1, b'a', 0, 1, b'a', 1],
                "at byte 0x0 of it: `a` is described twice",
            ),
            ("dylink", &[], "at byte 0x0 of it: unexpected end"),
            ("dylink", &[0, 40, 0, 0, 0], "at byte 0x1 of it: an alignment of 2^40"),
            (
                "dylink",
                &[0, 0, 0, 0, 0, 7],
                "at byte 0x5 of it: there is more than the section says",
            ),
            ("dylink", &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xf], "unexpected end"),
        ] {
            let error = read(&[(section, bytes)]).expect_err(message).to_string();
            assert!(
                error.starts_with(&format!("in the section `{section}`, ")) && error.contains(message),
                "{message}: {error}"
            );
        }
        let error = read(&[("dylink.0", mem_info), ("dylink.0", mem_info)]).expect_err("two");
        assert_eq!(error.kind, DylinkErrorKind::Twice);
    }

    #[test]
    fn unknown_parts_are_passed_over() {
        let dylink = read(&[("dylink.0", &[77, 2, 1, 2, 1, 4, 8, 3, 0, 0, 77, 0])]);
        let dylink = dylink.expect("well-formed").expect("it is there");
        assert_eq!((dylink.memory_size, dylink.memory_alignment), (8, 8));
    }

    proptest! {
        /// Whatever bytes there are, they are read or refused, and nothing is made
        /// that is larger than they are.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), legacy in any::<bool>()) {
            let section = if legacy { "dylink" } else { "dylink.0" };
            match read(&[(section, &bytes)]) {
                Ok(dylink) => {
                    let dylink = dylink.expect("it is there");
                    prop_assert!(dylink.needed.len() + dylink.exports.len() <= bytes.len());
                    prop_assert!(dylink.memory_alignment.is_power_of_two());
                }
                Err(error) => prop_assert!(error.offset <= bytes.len() as u64, "{error}"),
            }
        }
    }
}
