//! Runs the programs of WebAssembly/wasi-testsuite in this process, over the
//! crates `vm` and `orcavm-wasi`.
//!
//! The environment variable `ORCAVM_WASI_TESTSUITE` names a folder of the
//! suite's prebuilt programs for preview 1; without it the suite is reported as
//! ignored. Every `X.wasm` below the folder is one trial. A file `X.json` beside
//! it may say what it is given (`args`, `env`, `root`: a folder whose fresh copy
//! it gets as `/`) and what it must do (`exit_code`, `stdout`, `stderr`).

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use orcavm::vm::{Engine, Linker, Module, Store};
use orcavm::wasi::pipe::{MemoryInput, MemoryOutput};
use orcavm::wasi::{self, DirPerms, I32Exit, WasiCtx, WasiCtxBuilder};
use serde::Deserialize;
use tempfile::TempDir;

/// How long one program may run; far more than any needs, even in a debug build.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The most a program may print, in bytes.
const OUTPUT_LIMIT: usize = 1 << 20;

/// What a program is given, and what it must do with it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Case {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    /// Relative to the folder of the program.
    root: Option<PathBuf>,
    exit_code: i32,
    stdout: Option<String>,
    stderr: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match env::var_os("ORCAVM_WASI_TESTSUITE") {
        Some(folder) => match trials(Path::new(&folder)) {
            Ok(trials) => trials,
            Err(error) => {
                eprintln!("cannot read the WASI test suite: {error:#}");
                return ExitCode::FAILURE;
            }
        },
        None => vec![Trial::test("ORCAVM_WASI_TESTSUITE is not set", || Ok(())).with_ignored_flag(true)],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial for each program of the suite.
fn trials(suite: &Path) -> Result<Vec<Trial>> {
    let mut programs = Vec::new();
    find_programs(suite, &mut programs)?;
    ensure!(!programs.is_empty(), "no program in {}", suite.display());
    programs.sort();
    let engine = Engine::default();
    let trial = |program: PathBuf| {
        let name = program.strip_prefix(suite).unwrap_or(&program).with_extension("");
        let engine = engine.clone();
        Trial::test(name.display().to_string(), move || {
            run(&engine, &program).map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    Ok(programs.into_iter().map(trial).collect())
}

/// Adds the programs below a folder to a list.
fn find_programs(folder: &Path, programs: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            find_programs(&path, programs)?;
        } else if path.extension() == Some(OsStr::new("wasm")) {
            programs.push(path);
        }
    }
    Ok(())
}

/// Runs one program and checks what it does.
fn run(engine: &Engine, program: &Path) -> Result<()> {
    let case = case_of(program)?;
    let (stdout, stderr) = (MemoryOutput::new(OUTPUT_LIMIT), MemoryOutput::new(OUTPUT_LIMIT));
    let mut builder = WasiCtxBuilder::new();
    builder
        .arg(program.file_name().unwrap_or_default())
        .args(&case.args)
        .envs(&case.env)
        .stdin(MemoryInput::new(""))
        .stdout(stdout.clone())
        .stderr(stderr.clone());
    // The copy lives until the program has ended.
    let _root = match &case.root {
        Some(root) => {
            let copy = TempDir::new()?;
            copy_folder(&program.with_file_name(root), copy.path())?;
            builder.preopened_dir(copy.path(), "/", DirPerms::ReadWrite);
            Some(copy)
        }
        None => None,
    };

    let ended = execute(engine, program, builder);
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    let printed = format!("its output:\n{stdout}\nits error output:\n{stderr}");
    let code = ended.with_context(|| printed.clone())?;
    ensure!(
        code == case.exit_code,
        "exit code {code}, not {}; {printed}",
        case.exit_code
    );
    if let Some(expected) = case.stdout {
        ensure!(stdout == expected, "it should print {expected:?}; {printed}");
    }
    if let Some(expected) = case.stderr {
        ensure!(
            stderr == expected,
            "it should print {expected:?} as error output; {printed}"
        );
    }
    Ok(())
}

/// Runs one program to its end and gives its exit code.
fn execute(engine: &Engine, program: &Path, mut builder: WasiCtxBuilder) -> Result<i32> {
    let module = Module::new(engine, fs::read(program)?)?;
    let mut linker = Linker::<WasiCtx>::new(engine);
    wasi::add_to_linker(&mut linker, |context| context)?;
    let waiting_is_over = Arc::new(AtomicBool::new(false));
    builder.interrupt_flag(Arc::clone(&waiting_is_over));
    let mut store = Store::new(engine, builder.build()?);

    let (ended, end) = mpsc::channel::<()>();
    let interrupt = store.interrupt_handle();
    let guard = thread::spawn(move || {
        if end.recv_timeout(TIME_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            waiting_is_over.store(true, Ordering::Relaxed);
            interrupt.interrupt();
        }
    });
    let result = linker
        .instantiate(&mut store, &module)
        .and_then(|instance| instance.get_typed_func::<(), ()>(&mut store, "_start"))
        .and_then(|start| start.call(&mut store, ()));
    drop(ended);
    if guard.join().is_err() {
        bail!("the guard of the time limit failed");
    }
    match result {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(*code),
            None => Err(error.into()),
        },
    }
}

/// What stands beside a program; it is given nothing and must succeed if nothing does.
fn case_of(program: &Path) -> Result<Case> {
    let file = program.with_extension("json");
    if !file.exists() {
        return Ok(Case::default());
    }
    serde_json::from_slice(&fs::read(&file)?).with_context(|| file.display().to_string())
}

/// Copies what is in a folder.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            fs::create_dir(&to)?;
            copy_folder(&entry, &to)?;
        } else {
            fs::copy(&entry, &to)?;
        }
    }
    Ok(())
}

/// What a program printed.
fn text(output: &MemoryOutput) -> String {
    String::from_utf8_lossy(&output.contents()).into_owned()
}
