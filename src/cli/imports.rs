//! Imports nobody provides: what to say about them.

use std::fmt::Write;

use anyhow::{Result, bail};
use orcavm::vm::{ImportType, Linker, Module, Store};

use super::source::Source;

/// How many unknown imports an error names.
const NAMED: usize = 5;

/// The modules that `--link` gives.
pub(crate) struct Links<'o> {
    /// Their names, in order.
    pub(crate) names: Vec<&'o str>,
    /// How many of them are there already.
    pub(crate) done: usize,
}

/// Checks that everything a module imports is there.
///
/// # Errors
///
/// The imports that are not: module, name and type, and for the first of them
/// who may provide it.
pub(crate) fn check<T: 'static>(
    source: &Source,
    module: &Module,
    linker: &Linker<T>,
    store: &mut Store<T>,
    links: &Links<'_>,
) -> Result<()> {
    let mut unknown: Vec<ImportType<'_>> = Vec::new();
    for import in module.imports() {
        if linker.get(&mut *store, import.module(), import.name()).is_none() {
            unknown.push(import);
        }
    }
    let Some((first, others)) = unknown.split_first() else {
        return Ok(());
    };
    let name = source.name();
    let mut message = format!(
        "{name}: unknown import {}; {}",
        show(first),
        hint(first.module(), first.name(), links)
    );
    // Writing to a String cannot fail.
    for other in others.iter().take(NAMED - 1) {
        let _ = write!(message, "\n  also unknown: {}", show(other));
    }
    if others.len() >= NAMED {
        let _ = write!(message, "\n  and {} more", others.len() - (NAMED - 1));
    }
    bail!(message)
}

fn show(import: &ImportType<'_>) -> String {
    format!("{:?} {:?} {}", import.module(), import.name(), import.ty())
}

/// Who may provide an import.
pub(crate) fn hint(module: &str, name: &str, links: &Links<'_>) -> String {
    match links.names.iter().position(|link| *link == module) {
        Some(index) if index < links.done => return format!("the module linked as {module:?} does not export it"),
        Some(_) => return format!("--link {module}=... has to stand earlier"),
        None => {}
    }
    origin(module, name).unwrap_or_else(|| format!("--link {module}=FILE would take it from FILE's exports"))
}

/// What an import is of that no other module can provide, if that is known.
pub(crate) fn origin(module: &str, name: &str) -> Option<String> {
    let is_emscriptens = |name: &str| {
        let starts = ["emscripten_", "_emscripten_", "invoke_"];
        starts.iter().any(|start| name.starts_with(start))
    };
    let origin = match module {
        "wasi_snapshot_preview1" | "wasi_unstable" => return Some(format!("WASI preview 1 has no function {name:?}")),
        "GOT.mem" | "GOT.func" => "it is for a dynamic linker",
        "go" | "gojs" => "it is of Go for JavaScript; GOOS=wasip1 builds programs for WASI",
        "wbg" => "it is of wasm-bindgen, made for JavaScript",
        _ if module.starts_with("__wbindgen") => "it is of wasm-bindgen, made for JavaScript",
        _ if module.starts_with("wasi:") => "it is of WASI 0.2, which is for components",
        "env" if is_emscriptens(name) => "it is of emscripten's JavaScript; -sSTANDALONE_WASM builds programs for WASI",
        "" => "no module has an empty name",
        _ => return None,
    };
    Some(origin.to_owned())
}
