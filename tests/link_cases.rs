//! Runs the cases of dynamic linking in `tests/link` with the `orcavm` command.
//!
//! A case is a folder with a `case.toml`, which says what to run ([`Case`]), the
//! modules it takes, and what they must print: `stdout` and `stderr` (no such file:
//! nothing), and `plan`, what `orcavm ldd` says. `BLESS=1` rewrites these files; read
//! the difference before committing it. Each case runs in its folder, and runs again
//! with all symbols bound before it starts (`--bind-now`) and with checked memories
//! (`--no-guard`), which must make no difference.
//!
//! `tests/link/build` makes the binary modules from the sources beside them.

mod support;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use support::{Scratch, expect_file, finish};

/// What a case's folder may hold as expectations.
const EXPECTED: [&str; 5] = ["stdout", "stderr", "stdout.bind-now", "stderr.bind-now", "plan"];

/// What stands in a `case.toml`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Options of `orcavm`, the program, and its arguments. `{temp}` stands for a new
    /// empty folder.
    command: Vec<String>,
    /// The environment of `orcavm` itself, beside what it has anyway.
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    exit: i32,
    /// What is given as standard input.
    #[serde(default)]
    stdin: String,
    /// What `--bind-now` makes of it.
    #[serde(default, rename = "bind-now")]
    bind_now: BindNow,
    /// Arguments of `orcavm ldd`, whose output `plan` holds.
    plan: Option<Vec<String>>,
    /// Why the case is not run.
    ignored: Option<String>,
}

/// What `--bind-now` makes of a case.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BindNow {
    /// Nothing.
    #[default]
    Same,
    /// It ends with this exit code, and prints what `stdout.bind-now` and
    /// `stderr.bind-now` say.
    Exit(i32),
}

/// One way to run a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    BindNow,
    NoGuard,
    Plan,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("cannot read the cases of linking: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The trials of all cases.
fn trials() -> Result<Vec<Trial>> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link");
    let mut folders = Vec::new();
    for entry in fs::read_dir(&cases)? {
        let folder = entry?.path();
        if folder.join("case.toml").exists() {
            folders.push(folder);
        }
    }
    folders.sort();
    ensure!(!folders.is_empty(), "no case in {}", cases.display());
    let mut trials = Vec::new();
    for folder in folders {
        let file = folder.join("case.toml");
        let text = fs::read_to_string(&file)?;
        let case: Case = toml::from_str(&text).with_context(|| file.display().to_string())?;
        check(&folder, &case).with_context(|| file.display().to_string())?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for way in [Way::Plain, Way::BindNow, Way::NoGuard, Way::Plan] {
            let is_there = match way {
                Way::Plain | Way::NoGuard => true,
                Way::BindNow => !case.command.iter().any(|argument| argument == "--bind-now"),
                Way::Plan => case.plan.is_some(),
            };
            if !is_there {
                continue;
            }
            // What ought to be the same is compared when the files are made.
            let is_blessed = matches!(way, Way::Plain | Way::Plan)
                || way == Way::BindNow && matches!(case.bind_now, BindNow::Exit(_));
            let ignored = case.ignored.is_some() || env::var_os("BLESS").is_some() && !is_blessed;
            let (folder, case) = (folder.clone(), case.clone());
            let name = match way {
                Way::Plain => name.clone(),
                Way::BindNow => format!("{name}::bind_now"),
                Way::NoGuard => format!("{name}::no_guard"),
                Way::Plan => format!("{name}::plan"),
            };
            let trial = Trial::test(name, move || {
                run(&folder, &case, way).map_err(|error| Failed::from(format!("{error:#}")))
            });
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    Ok(trials)
}

/// Checks that every file with expectations is compared with something.
fn check(folder: &Path, case: &Case) -> Result<()> {
    if let Some(reason) = &case.ignored {
        ensure!(!reason.is_empty(), "it has to be said why the case is ignored");
    }
    for name in EXPECTED {
        let is_used = match name {
            "plan" => case.plan.is_some(),
            name if name.ends_with(".bind-now") => matches!(case.bind_now, BindNow::Exit(_)),
            _ => true,
        };
        if !is_used && folder.join(name).exists() {
            bail!("nothing is compared with the file `{name}`");
        }
    }
    Ok(())
}

/// Runs a case in one way, and checks what it does.
fn run(folder: &Path, case: &Case, way: Way) -> Result<()> {
    let scratch = Scratch::new()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_orcavm"));
    command
        .current_dir(folder)
        .env_remove("ORCAVM_LIBRARY_PATH")
        .envs(&case.env);
    let options: &[&str] = match way {
        Way::Plain => &["run"],
        Way::BindNow => &["run", "--bind-now"],
        Way::NoGuard => &["run", "--no-guard"],
        Way::Plan => &["ldd"],
    };
    let arguments = match way {
        Way::Plan => case.plan.as_ref().unwrap_or(&case.command),
        _ => &case.command,
    };
    let temp = scratch.0.display().to_string();
    command
        .args(options)
        .args(arguments.iter().map(|argument| argument.replace("{temp}", &temp)));
    let outcome = finish(command, case.stdin.as_bytes())?;
    let plain = |text: &str| {
        let cases = folder.parent().unwrap_or(folder);
        text.replace(&temp, "{temp}")
            .replace(&cases.display().to_string(), "{cases}")
    };
    let stdout = plain(&String::from_utf8_lossy(&outcome.stdout));
    let stderr = plain(&outcome.stderr);
    if way == Way::Plan {
        outcome.expect_exit(0)?;
        ensure!(stderr.is_empty(), "it says {stderr}");
        return expect_file(&folder.join("plan"), stdout.as_bytes());
    }
    let (exit, suffix) = match (way, &case.bind_now) {
        (Way::BindNow, BindNow::Exit(exit)) => (*exit, ".bind-now"),
        _ => (case.exit, ""),
    };
    outcome
        .expect_exit(exit)
        .with_context(|| format!("its output:\n{stdout}"))?;
    expect_file(&folder.join(format!("stdout{suffix}")), stdout.as_bytes()).context("standard output")?;
    expect_file(&folder.join(format!("stderr{suffix}")), stderr.as_bytes()).context("standard error")
}
