//! Modules given by file name: reading them, and saying what is wrong.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use orcavm::loader::Found;
use orcavm::vm::{self, Engine, Module};
use wast::lexer::Lexer;
use wast::parser::{self, Parse, ParseBuffer, Parser};
use wast::{Wat, kw};

/// What every binary of WebAssembly starts with.
const MAGIC: &[u8] = b"\0asm";

/// A binary module and the name it was given by.
pub(crate) struct Source {
    name: String,
    /// Where it was read from; `None` for standard input.
    path: Option<PathBuf>,
    bytes: Vec<u8>,
    is_text: bool,
}

impl Source {
    /// Reads a module, `-` from standard input. Text is translated to a binary.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is something else than a module, or its text is
    /// malformed. That a binary is well-formed is not looked at.
    pub(crate) fn read(file: &OsStr) -> Result<Source> {
        let (name, path, bytes) = if file == "-" {
            let mut bytes = Vec::new();
            io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            ("<stdin>".to_owned(), None, bytes)
        } else {
            let path = PathBuf::from(file);
            let bytes = read_file(&path)?;
            (file.to_string_lossy().into_owned(), Some(path), bytes)
        };
        if bytes.starts_with(MAGIC) {
            // After the version, two bytes say what it is: 0 for a module, 1 for
            // a component (component model, Binary.md).
            if bytes.get(6..8) == Some(&[1, 0]) {
                bail!("{name}: this is a WebAssembly component, not a core module (at byte 0x6)");
            }
            return Ok(Source {
                name,
                path,
                bytes,
                is_text: false,
            });
        }
        let bytes = match std::str::from_utf8(&bytes) {
            _ if bytes.is_empty() => bail!("{name} is empty"),
            Ok(text) if looks_like_wat(&name, text) => encode(text).map_err(|error| anyhow!("{name}:{error}"))?,
            _ => bail!("{name}: {}", no_module(&bytes)),
        };
        Ok(Source {
            name,
            path,
            bytes,
            is_text: true,
        })
    }

    /// The name, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The binary.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Decodes and validates it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and at which byte.
    pub(crate) fn module(&self, engine: &Engine) -> Result<Module> {
        Module::from_binary(engine, &self.bytes).map_err(|error| self.refused(&error))
    }

    /// Its module as a dynamic linker has it: with its file, if it is in one.
    pub(crate) fn found(&self, module: &Module) -> Found {
        match &self.path {
            // What stands beside a program that is a link does so beside what the link
            // leads to.
            Some(path) if path.is_symlink() => {
                let real = path.canonicalize();
                Found::in_file(&self.name, real.as_ref().unwrap_or(path), module.clone())
            }
            Some(path) => Found::in_file(&self.name, path, module.clone()),
            None => Found::new(&self.name, module.clone()),
        }
    }

    /// The error to report when the vm refuses it.
    pub(crate) fn refused(&self, error: &vm::Error) -> Error {
        // A byte of the text would be of more use, but is not known here.
        let of = if self.is_text {
            " of the binary made from it"
        } else {
            ""
        };
        anyhow!("{}: {error}{of}", self.name)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let metadata = file.metadata().with_context(|| format!("cannot read {name}"))?;
    if metadata.is_dir() {
        bail!("{name} is a directory, not a WebAssembly module");
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {name}"))?;
    Ok(bytes)
}

/// Whether a text can have been meant as a module.
fn looks_like_wat(name: &str, text: &str) -> bool {
    name.ends_with(".wat") || text.trim_start().starts_with("(") || text.trim_start().starts_with(";;")
}

/// A text, if it is not a component's.
struct Text<'a>(Wat<'a>);

impl<'a> Parse<'a> for Text<'a> {
    fn parse(parser: Parser<'a>) -> parser::Result<Self> {
        if parser.peek2::<kw::component>()? {
            return Err(parser.error("this is a WebAssembly component, not a core module"));
        }
        parser.parse().map(Self)
    }
}

/// Translates a text to a binary.
fn encode(text: &str) -> Result<Vec<u8>> {
    let encode = || {
        let mut lexer = Lexer::new(text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer)?;
        parser::parse::<Text<'_>>(&buffer)?.0.encode()
    };
    encode().map_err(|error: wast::Error| {
        let span = error.span();
        let (line, column) = span.linecol_in(text);
        anyhow!(
            "{}:{} (at byte {:#x}): {}",
            line + 1,
            column + 1,
            span.offset(),
            error.message()
        )
    })
}

/// Translates a library in the text format, as [`Source::read`] does for programs.
///
/// # Errors
///
/// If it is malformed, or something else.
pub(crate) fn translate(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let translated = match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => Err(anyhow!("it is empty")),
        Ok(text) if looks_like_wat(&path.to_string_lossy(), text) => encode(text),
        _ => Err(anyhow!(no_module(bytes))),
    };
    Ok(translated?)
}

/// What is said of a file that is no module.
fn no_module(bytes: &[u8]) -> String {
    format!(
        "not a WebAssembly module: it starts with {} (at byte 0x0)",
        start_of(bytes)
    )
}

/// What a file that is no module starts with, for people.
fn start_of(bytes: &[u8]) -> String {
    let start = bytes.get(..8).unwrap_or(bytes);
    if start.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        format!("{:?}", String::from_utf8_lossy(start))
    } else {
        let bytes: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("the bytes {}", bytes.join(" "))
    }
}
