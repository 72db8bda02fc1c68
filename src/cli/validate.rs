//! `orcavm validate`: checks modules.

use std::ffi::OsString;

use anyhow::Result;
use clap::ValueHint;
use orcavm::vm::{Config, Engine, Module};

use super::source::Source;
use super::{FAILURE, proposals, report};

/// Options of `orcavm validate`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    proposals: proposals::Options,
    /// Modules, binary or text; `-` for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<OsString>,
}

/// Checks each file and reports those that are not valid modules.
///
/// # Errors
///
/// If the engine cannot be made. What is wrong with a file does not keep others from
/// being checked.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let mut config = Config::new();
    options.proposals.configure(&mut config);
    let engine = Engine::new(&config)?;
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
