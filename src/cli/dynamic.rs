//! Programs made of position-independent modules: linking one with its libraries.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow};
use orcavm::loader::{
    Directories, Dylink, FindError, Finder, Found, LoadError, Missing, Request, Sandbox, Sandboxed, Session,
};
use orcavm::sandbox::{Home, OpenError, Opened};
use orcavm::vm::{
    self, Caller, Capability, Domain, Func, Instance, Linker, Memory, Module, Permissions, Store, StoreContextMut,
    Table,
};

use super::imports::{self, Links};
use super::libraries;
use super::run::{Names, State};
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

/// A program with the libraries that it needs, whose constructors have run: its
/// instance, and what it loads others by.
///
/// # Errors
///
/// If a library or a symbol is missing or cannot be used, or a constructor fails.
pub(crate) fn link(
    setup: &Setup,
    source: &Source,
    module: &Module,
    links: &Links<'_>,
    linker: &Linker<State>,
    store: &mut Store<State>,
) -> Result<(Instance, Session<State>)> {
    let program = source.found(module);
    let libraries = &setup.libraries;
    let finder = libraries.finder(module.engine(), &program, &setup.dirs);
    let preloads = libraries.preloads(&finder)?;
    let names = store.data().names().clone();
    for found in &preloads {
        names.add(&found.module, &found.name);
    }
    let session = Session::builder(linker.clone())
        .finder(Noting { finder, names })
        .sandbox(Children)
        .bind_now(libraries.bind_now)
        .stack_size(libraries.stack());
    let session = preloads
        .into_iter()
        .fold(session, |session, found| session.preload(found))
        .build();
    let image = session.load(store, program);
    let image = image.map_err(|error| failed(error, source, links))?;
    Ok((image.program(), session))
}

/// Finds libraries, and notes what they are called.
struct Noting {
    finder: Directories,
    names: Names,
}

impl Finder for Noting {
    fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
        let found = self.finder.find(request)?;
        self.names.add(&found.module, &found.name);
        Ok(found)
    }
}

/// Opens libraries as children of who opens them, with no permissions.
struct Children;

impl Sandbox<State> for Children {
    fn open(&self, caller: &mut Caller<'_, State>, found: &Found) -> Result<Arc<dyn Sandboxed<State>>, vm::Error> {
        if !caller.allows(Capability::Instantiate) {
            let missing = Capability::Instantiate;
            return Err(vm::Error::host(io::Error::other(format!(
                "it has no permission `{missing}`"
            ))));
        }
        let domain = caller.domain().map(Domain::id);
        let opened = Opened::open_module(caller, State::guest, domain, &found.module, &Permissions::none());
        Ok(Arc::new(Child(opened.map_err(vm::Error::host)?)))
    }
}

/// A library that is a child.
struct Child(Opened);

impl Sandboxed<State> for Child {
    fn handle(&self) -> u32 {
        self.0.handle().unsigned_abs()
    }

    fn function(
        &self,
        store: StoreContextMut<'_, State>,
        name: &str,
        memory: Memory,
        table: Option<Table>,
    ) -> Result<Func, vm::Error> {
        let home = Home {
            memory: Some(memory),
            table,
        };
        let func = self.0.function(store, State::guest, name, None, Some(home));
        func.map_err(vm::Error::host)
    }

    fn close(&self, store: StoreContextMut<'_, State>) -> Result<(), vm::Error> {
        match self.0.close(store, State::guest) {
            // The guest may have ended it as its child.
            Ok(()) | Err(OpenError::Closed) => Ok(()),
            Err(error) => Err(vm::Error::host(error)),
        }
    }
}

/// The error to report when a program cannot be linked.
fn failed(error: LoadError, source: &Source, links: &Links<'_>) -> Error {
    match error {
        // A constructor is the guest's, and may trap or exit.
        LoadError::Constructor { module, source } => Error::new(*source).context(module.into_string()),
        LoadError::Run(error) => Error::new(error).context(source.name().to_owned()),
        LoadError::Missing { symbols } => anyhow!("{}: {}", source.name(), missing(&symbols)),
        LoadError::UnknownImport {
            ref module, ref name, ..
        } => anyhow!("{error}; {}", imports::hint(module, name, links)),
        LoadError::Gather(error) => anyhow!("{error}{}", libraries::advice(&error)),
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
