//! `orcavm completions`: completion scripts for shells.

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

/// Options of `orcavm completions`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut super::Cli::command(), "orcavm", &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(0)
}
