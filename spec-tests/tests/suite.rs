//! The conformance suite as tests, one per file. What fails must be what
//! `expected-failures.toml` lists. Files whose modules make objects are run again in an
//! engine that collects garbage all the time.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use orcavm_spec_tests::expected::Expected;
use orcavm_spec_tests::run_script;
use orcavm_spec_tests::suite::{LIMIT, Suite, TestFile};
use vm::Engine;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::from_args();
    let expected = Arc::new(Expected::load()?);
    let trials = Suite::load()?
        .files
        .into_iter()
        .flat_map(|file| {
            let zealous = file.makes_objects().then(|| {
                let name = format!("{} (zealous)", file.path);
                trial(name, file.clone(), TestFile::zealous_engine, &expected)
            });
            [
                Some(trial(file.path.clone(), file, TestFile::engine, &expected)),
                zealous,
            ]
        })
        .flatten()
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// One run of a file.
fn trial(
    name: String,
    file: TestFile,
    engine: fn(&TestFile) -> Result<Engine, vm::Error>,
    expected: &Arc<Expected>,
) -> Trial {
    let expected = Arc::clone(expected);
    Trial::test(name, move || {
        let engine = engine(&file).map_err(|error| Failed::from(error.to_string()))?;
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
}
