//! The command line: its words, its exit codes, and where each command goes.
//!
//! | exit code | when                                                          |
//! | --------- | ------------------------------------------------------------- |
//! | the guest's | it exited                                                   |
//! | 134       | it trapped, or did not catch an exception                     |
//! | 1         | a module, or anything else given, cannot be used              |
//! | 2         | the command line itself is wrong                              |

mod completions;
mod dynamic;
mod imports;
mod inspect;
mod invoke;
mod ldd;
mod libraries;
mod log;
mod manifest;
mod profile;
mod proposals;
mod rights;
mod run;
mod setup;
mod source;
mod tree;
mod types;
mod units;
mod validate;
mod wast;

use std::borrow::Cow;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What `--help` says of the environment.
const ENVIRONMENT: &str = "\
Environment:
  ORCAVM_LIBRARY_PATH  Directories in which to look for libraries, with colons between
  ORCAVM_LOG           What to tell of its own work, such as loader=debug, or trace for all";

/// Exit code for input that cannot be used.
const FAILURE: u8 = 1;

/// A WebAssembly virtual machine.
///
/// `orcavm [OPTIONS] MODULE [ARGS]...` runs a program. Options of orcavm stand
/// before the module; everything after it belongs to the program.
#[derive(Parser)]
#[command(
    name = "orcavm",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    subcommand_help_heading = "Other commands",
    after_help = ENVIRONMENT,
    override_usage = "orcavm [OPTIONS] <MODULE> [ARGS]...\n       orcavm <COMMAND>"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Run a program. The word is needed only if its file is named like a command
    #[command(override_usage = "orcavm run [OPTIONS] <MODULE> [ARGS]...")]
    Run(run::Options),
    /// Run scripts in the format of the WebAssembly test suite
    Wast(wast::Options),
    /// Check modules; say nothing if they are valid
    Validate(validate::Options),
    /// Show what is in a module
    Inspect(inspect::Options),
    /// Show the libraries that a program needs, and what is missing
    Ldd(ldd::Options),
    /// Print a completion script for a shell
    Completions(completions::Options),
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = log::start().and_then(|()| match cli.command {
        None => run::run(cli.run),
        Some(Command::Run(options)) => run::run(options),
        Some(Command::Wast(options)) => wast::run(&options),
        Some(Command::Validate(options)) => validate::run(&options),
        Some(Command::Inspect(options)) => inspect::run(&options),
        Some(Command::Ldd(options)) => ldd::run(&options),
        Some(Command::Completions(options)) => completions::run(&options),
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if reader_left(&error) {
                return ExitCode::SUCCESS;
            }
            report(format_args!("{error:#}"));
            ExitCode::from(FAILURE)
        }
    }
}

/// Prints an error, without the numbers of the host's errors. That nobody reads
/// standard error is no reason to panic.
fn report(message: impl std::fmt::Display) {
    let text = message.to_string();
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once(')').map_or(part, |(_number, rest)| rest);
    }
    let _ = writeln!(io::stderr(), "error: {}", self::plain(&plain));
}

/// A text that does nothing to a terminal but to begin new lines, whatever names from
/// modules are in it.
fn plain(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() && c != '\n';
    if !text.contains(acts) {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match acts(c) {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain.into()
}

/// Whether the error is that whoever read our output has gone: `orcavm inspect
/// x.wasm | head`.
fn reader_left(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
