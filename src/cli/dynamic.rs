//! Programs made of position-independent modules: linking one with its libraries.

use std::fmt::Write;

use anyhow::{Context, Error, Result, anyhow};
use orcavm::loader::{Dylink, Image, LoadError, Missing};
use orcavm::vm::{Instance, Linker, Module, Store};

use super::imports::{self, Links};
use super::libraries;
use super::setup::Setup;
use super::source::Source;

/// How many missing symbols an error names.
const NAMED: usize = 5;

/// Whether a module is linked with libraries: it says something to dynamic linkers.
///
/// # Errors
///
/// If that cannot be.
pub(crate) fn is_dynamic(source: &Source, module: &Module) -> Result<bool> {
    let dylink = Dylink::read(module).with_context(|| source.name().to_owned())?;
    Ok(dylink.is_some())
}

/// The instance of a program, linked with the libraries that it needs. Their
/// constructors, and its own, have run.
///
/// # Errors
///
/// If a library or a symbol is missing or cannot be used, or a constructor fails.
pub(crate) fn link<T: 'static>(
    setup: &Setup,
    source: &Source,
    module: &Module,
    links: &Links<'_>,
    linker: &Linker<T>,
    store: &mut Store<T>,
) -> Result<Instance> {
    let program = source.found(module);
    let finder = setup.libraries.finder(module.engine(), &program, &setup.dirs);
    let found = setup.libraries.gather(&finder, program)?.complete();
    let found = found.map_err(|error| anyhow!("{error}{}", libraries::advice(&error)))?;
    let all: Vec<_> = found.iter().map(orcavm::loader::Found::library).collect();
    // All is bound before the program starts, whether --bind-now asks for it or not.
    let image = Image::link(store, linker, &all, setup.libraries.stack());
    let image = image.map_err(|error| failed(error, source, links))?;
    Ok(image.program())
}

/// The error to report when a program cannot be linked.
fn failed(error: LoadError, source: &Source, links: &Links<'_>) -> Error {
    match error {
        // A constructor is the guest's, and may trap or exit.
        LoadError::Run(error) => Error::new(error).context(source.name().to_owned()),
        LoadError::Missing { symbols } => anyhow!("{}: {}", source.name(), missing(&symbols)),
        LoadError::UnknownImport {
            ref module, ref name, ..
        } => anyhow!("{error}; {}", imports::hint(module, name, links)),
        // It says what caused it.
        error => anyhow!("{error}"),
    }
}

/// Who may provide a symbol.
fn hint(missing: &Missing) -> String {
    let origin = imports::origin("env", &missing.symbol);
    origin.unwrap_or_else(|| "--preload FILE adds a library that may".to_owned())
}

/// Symbols that nobody provides, in a few lines.
fn missing(symbols: &[Missing]) -> String {
    let mut text = String::from("nobody provides ");
    // Writing to a String cannot fail.
    for (i, symbol) in symbols.iter().take(NAMED).enumerate() {
        let _ = match i {
            0 => write!(text, "{symbol}; {}", hint(symbol)),
            _ => write!(text, "\n  nor {symbol}"),
        };
    }
    if let Some(more @ 1..) = symbols.len().checked_sub(NAMED) {
        let _ = write!(text, "\n  nor {more} more, which `orcavm ldd` lists");
    }
    text
}
