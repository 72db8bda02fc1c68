//! `orcavm wast`: runs test scripts.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueHint;
use orcavm::vm::{Config, Engine};

use super::{FAILURE, proposals, report, units};

/// Options of `orcavm wast`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Give a script up after this time, such as 500ms, 2s or 1m
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "2m")]
    timeout: Duration,
    #[command(flatten)]
    proposals: proposals::Options,
    /// Scripts
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
}

/// Runs each script and prints which of its directives do not hold. A file that
/// cannot be read counts as one failure.
///
/// # Errors
///
/// If the engine cannot be made or standard output not be written.
pub(crate) fn run(options: &Options) -> Result<u8> {
    let mut config = Config::new();
    options.proposals.configure(&mut config);
    let engine = Engine::new(&config)?;
    let mut out = io::stdout().lock();
    let (mut passed, mut failed) = (0, 0);
    for file in &options.files {
        let name = file.display();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                failed += 1;
                report(format_args!("cannot read {name}: {error}"));
                continue;
            }
        };
        let result = orcavm_spec_tests::run_script(&engine, &text, options.timeout);
        for failure in result.failures() {
            writeln!(out, "{name}:{failure}")?;
        }
        if result.not_run() > 0 {
            writeln!(out, "{name}: {} directives after that did not run", result.not_run())?;
        }
        // With a name before it, so that only the closing line stands alone.
        writeln!(out, "{name}: {} passed, {} failed", result.passed(), result.failed())?;
        passed += result.passed();
        failed += result.failed();
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()?;
    Ok(if failed == 0 { 0 } else { FAILURE })
}
