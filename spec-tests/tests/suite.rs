//! The conformance suite as tests, one per file. What fails must be what
//! `expected-failures.toml` lists.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use orcavm_spec_tests::expected::Expected;
use orcavm_spec_tests::run_script;
use orcavm_spec_tests::suite::{LIMIT, Suite};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::from_args();
    let expected = Arc::new(Expected::load()?);
    let trials = Suite::load()?
        .files
        .into_iter()
        .map(|file| {
            let expected = Arc::clone(&expected);
            Trial::test(file.path.clone(), move || {
                let engine = file.engine().map_err(|error| Failed::from(error.to_string()))?;
                let report = run_script(&engine, &file.text, LIMIT);
                let verdict = expected.judge(&file.path, &report);
                if verdict.is_good() {
                    return Ok(());
                }
                let mut message = verdict.to_string();
                for failure in report.failures() {
                    message += &format!("\n{}:{failure}", file.path);
                }
                Err(Failed::from(message))
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
