//! The programs that are run: those in this package, and those in a folder that
//! `ORCAVM_BENCH_PROGRAMS` names (`../shared/bench` beside the checkout, if there
//! is one and the variable is not set).
//!
//! A folder has `NAME.wasm` files, WASI commands, and a file `EXPECTED` with a
//! line for each: its name, a space, and what it prints, with `|` for newlines.
//! Ours has a file `SMALL` too, with an argument before the output, for tests.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A program and what it must print.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file's name without `.wasm`.
    pub name: String,
    /// The module.
    pub wasm: Vec<u8>,
    /// Its arguments after its name.
    pub args: Vec<String>,
    /// What it prints.
    pub output: String,
}

/// Programs that can run, and the names of those that cannot, with the reason.
#[derive(Debug, Default)]
pub struct Programs {
    /// Those that can.
    pub found: Vec<Program>,
    /// Those that cannot.
    pub missing: Vec<(String, String)>,
}

/// All programs; of small size where `small`, which leaves out those of the
/// named folder.
///
/// # Errors
/// If a folder's list cannot be read, or is not as it should be.
pub fn all(small: bool) -> Result<Programs> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let mut programs = Programs::default();
    let list = own.join(if small { "SMALL" } else { "EXPECTED" });
    programs.add(&own, &list, small)?;
    match named_folder() {
        None => programs.leave_out("other programs", "ORCAVM_BENCH_PROGRAMS is not set"),
        Some(_) if small => programs.leave_out("other programs", "too long for a test"),
        Some(folder) => programs.add(&folder, &folder.join("EXPECTED"), false)?,
    }
    Ok(programs)
}

fn named_folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("ORCAVM_BENCH_PROGRAMS").filter(|folder| !folder.is_empty()) {
        return Some(folder.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bench");
    beside.join("EXPECTED").is_file().then_some(beside)
}

impl Programs {
    fn leave_out(&mut self, name: &str, reason: &str) {
        self.missing.push((name.to_owned(), reason.to_owned()));
    }

    fn add(&mut self, folder: &Path, list: &Path, with_argument: bool) -> Result<()> {
        let lines = std::fs::read_to_string(list).with_context(|| list.display().to_string())?;
        for line in lines.lines() {
            let (name, mut rest) = line
                .split_once(' ')
                .with_context(|| format!("{}: {line}", list.display()))?;
            let mut args = Vec::new();
            if with_argument {
                let (arg, output) = rest
                    .split_once(' ')
                    .with_context(|| format!("{}: {line}", list.display()))?;
                args.push(arg.to_owned());
                rest = output;
            }
            match std::fs::read(folder.join(name).with_extension("wasm")) {
                Ok(wasm) => self.found.push(Program {
                    name: name.to_owned(),
                    wasm,
                    args,
                    output: rest.replace('|', "\n"),
                }),
                Err(error) => self.leave_out(name, &error.to_string()),
            }
        }
        Ok(())
    }
}
