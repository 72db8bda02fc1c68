//! `orcavm ldd`: the libraries that a program needs, where they are, and who
//! provides its symbols.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use clap::ValueHint;
use orcavm::loader::{
    Dylink, Found, GatherError, Gathered, Interface, LoadError, Need, Part, Plan, Room, session_function,
};
use orcavm::vm::{Engine, ExternType, Linker, Module, Store};

use super::imports::{self, Links};
use super::libraries::{self, LibraryOptions};
use super::setup::Setup;
use super::source::Source;
use super::{FAILURE, dynamic, plain, report, run};

/// Levels of the tree beyond which it does not move further to the right.
const DEEPEST: usize = 40;

/// Options of `orcavm ldd`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    libraries: LibraryOptions,
    /// Show where each module goes too, and who provides each symbol that it needs
    #[arg(short, long)]
    symbols: bool,
    /// The program, binary or text, or a manifest that ends in .toml; - for standard input
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    program: OsString,
}

/// Prints the libraries of a program, and reports what is missing.
///
/// # Errors
///
/// If the program, or a library to be loaded first, cannot be used.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let (mut setup, _) = Setup::read(&options.program)?;
    setup.libraries.extend(&options.libraries);
    let engine = Engine::default();
    let source = Source::read(&setup.program)?;
    let module = source.module(&engine)?;
    let mut out = io::stdout().lock();
    if !dynamic::is_dynamic(&source, &module)? {
        writeln!(
            out,
            "{}: no libraries: there is no section `dylink.0`",
            plain(source.name())
        )?;
        return Ok(0);
    }
    let program = source.found(&module);
    let finder = setup.libraries.finder(&engine, &program, &setup.dirs);
    let gathered = setup.libraries.gather(&finder, program)?;
    tree(&mut out, &gathered)?;
    let errors = gathered.errors.iter();
    let mut problems: Vec<String> = errors
        .map(|error| format!("{error}{}", libraries::advice(error)))
        .collect();
    // Without its libraries a program misses most of its symbols, which says nothing.
    if problems.is_empty() || options.symbols {
        let host = Host::new(&setup, &engine)?;
        match symbols(&gathered.libraries, setup.libraries.stack(), host, &mut problems) {
            Ok(text) if options.symbols => write!(out, "\n{}", plain(&text))?,
            Ok(_) => {}
            Err(error) => problems.push(error.to_string()),
        }
    }
    out.flush()?;
    for problem in &problems {
        report(problem);
    }
    Ok(if problems.is_empty() { 0 } else { FAILURE })
}

/// Prints who needs whom: the program, and then those that nobody needs.
fn tree(out: &mut impl Write, gathered: &Gathered) -> io::Result<()> {
    let mut is_shown = vec![false; gathered.libraries.len()];
    let absent = gathered.errors.iter().filter_map(|error| match error {
        GatherError::NotFound { name, .. } => Some(&**name),
        _ => None,
    });
    let absent: HashSet<&str> = absent.collect();
    for (root, found) in gathered.libraries.iter().enumerate() {
        if is_shown[root] {
            continue;
        }
        is_shown[root] = true;
        let note = if root == 0 { "" } else { " (preloaded)" };
        writeln!(out, "{}{note}", plain(&found.name))?;
        // What is left to be shown of each module from the root to here.
        let mut open = vec![gathered.needs[root].iter()];
        while let Some(needs) = open.last_mut() {
            let Some(needed) = needs.next() else {
                open.pop();
                continue;
            };
            let indent = "  ".repeat(open.len().min(DEEPEST));
            write!(out, "{indent}{} => ", plain(&needed.name))?;
            let Some(at) = needed.library else {
                let is_absent = absent.contains(&*needed.name);
                writeln!(out, "{}", if is_absent { "not found" } else { "not usable" })?;
                continue;
            };
            let path = gathered.libraries[at].path.as_deref().unwrap_or(Path::new("?"));
            write!(out, "{}", plain(&path.to_string_lossy()))?;
            match std::mem::replace(&mut is_shown[at], true) {
                true if gathered.needs[at].is_empty() => writeln!(out)?,
                true => writeln!(out, " (see above)")?,
                false => {
                    writeln!(out)?;
                    open.push(gathered.needs[at].iter());
                }
            }
        }
    }
    Ok(())
}

/// What modules are given that no library has.
struct Host {
    /// Modules that a manifest names, whose exports stand before the host's own.
    linked: Vec<(String, Module)>,
    linker: Linker<run::State>,
    store: Store<run::State>,
}

impl Host {
    fn new(setup: &Setup, engine: &Engine) -> Result<Host> {
        let (linker, store) = run::host(engine)?;
        let mut linked = Vec::new();
        for module in &setup.modules {
            linked.push((module.name.clone(), Source::read(&module.file)?.module(engine)?));
        }
        Ok(Host { linked, linker, store })
    }

    /// The type of what there is for an import.
    fn provides(&mut self, module: &str, name: &str) -> Option<ExternType> {
        let linked = self.linked.iter().find(|(known, _)| known == module);
        if let Some(ty) = linked.and_then(|(_, linked)| linked.get_export(name)) {
            return Some(ty);
        }
        match self.linker.get(&mut self.store, module, name) {
            Some(own) => Some(own.ty(&self.store)),
            None if module == "env" => session_function(name).map(ExternType::from),
            None => None,
        }
    }

    fn links(&self) -> Links<'_> {
        Links {
            names: self.linked.iter().map(|(name, _)| name.as_str()).collect(),
            done: self.linked.len(),
        }
    }
}

/// Where modules go and who provides their symbols, as text; those that are missing
/// are added to `problems`.
fn symbols(
    libraries: &[Found],
    stack_size: u32,
    mut host: Host,
    problems: &mut Vec<String>,
) -> Result<String, LoadError> {
    let mut described = Vec::with_capacity(libraries.len());
    for Found { name, module, .. } in libraries {
        let named = || Box::from(&**name);
        let dylink = Dylink::read(module).map_err(|source| LoadError::Dylink {
            module: named(),
            source,
        })?;
        let dylink = dylink.ok_or_else(|| LoadError::NotDynamic { module: named() })?;
        let interface = Interface::of(module, &dylink);
        let interface = interface.map_err(|source| LoadError::Interface {
            module: named(),
            source,
        })?;
        for (import, own) in module.imports().zip(&interface.imports) {
            let (module, symbol) = (import.module(), import.name());
            if matches!(own.need, Need::Other(_)) && host.provides(module, symbol).is_none() {
                let hint = imports::hint(module, symbol, &host.links());
                let ty = import.ty();
                problems.push(format!("{name}: nobody provides `{module}` `{symbol}`, {ty}; {hint}"));
            }
        }
        described.push((name, dylink, interface));
    }
    let parts = described.iter().map(|(name, dylink, interface)| Part {
        name,
        dylink,
        interface,
    });
    let parts: Vec<Part<'_>> = parts.collect();
    let mut functions = HashMap::new();
    for import in parts.iter().flat_map(|part| &part.interface.imports) {
        if let Some(ExternType::Func(ty)) = host.provides("env", &import.name) {
            functions.insert(&*import.name, ty);
        }
    }
    let room = Room {
        memory: 0..u32::MAX,
        table: 1..u32::MAX,
        stack_size,
    };
    let plan = Plan::new(&parts, &room, &|name| functions.get(name).cloned())?;
    problems.extend(plan.missing.iter().map(|missing| format!("nobody provides {missing}")));
    let stack = &plan.stack;
    Ok(format!(
        "{}stack: memory {:#x}..{:#x}\n",
        plan.describe(&parts),
        stack.start,
        stack.end
    ))
}
