//! `orcavm validate`: checks modules.

use std::ffi::OsString;

use anyhow::Result;
use clap::ValueHint;
use orcavm::vm::{Engine, Module};

use super::source::Source;
use super::{FAILURE, report};

/// Options of `orcavm validate`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Modules, binary or text; `-` for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<OsString>,
}

/// Checks each file and reports those that are not valid modules.
///
/// # Errors
///
/// None: what is wrong with a file does not keep others from being checked.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let engine = Engine::default();
    let mut code = 0;
    for file in &options.files {
        let valid = Source::read(file)
            .and_then(|source| Module::validate(&engine, source.bytes()).map_err(|error| source.refused(&error)));
        if let Err(error) = valid {
            report(format_args!("{error:#}"));
            code = FAILURE;
        }
    }
    Ok(code)
}
