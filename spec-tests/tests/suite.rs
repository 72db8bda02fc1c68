//! The conformance suite as tests, one per file. What fails must be what
//! `expected-failures.toml` lists.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use orcavm_spec_tests::expected::Expected;
use orcavm_spec_tests::run_script;
use orcavm_spec_tests::suite::{LIMIT, Suite};
use vm::{Config, Engine};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::from_args();
    let engine = Engine::new(&Config::new())?;
    let expected = Arc::new(Expected::load()?);
    let trials = Suite::load()?
        .files
        .into_iter()
        .map(|file| {
            let (engine, expected) = (engine.clone(), Arc::clone(&expected));
            Trial::test(file.path.clone(), move || {
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
