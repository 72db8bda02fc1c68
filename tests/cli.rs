//! The `orcavm` command as its users see it: what it prints, and its exit codes.
//!
//! Most of it stands in `tests/cli/*.trycmd`: commands with what they print, run
//! in the folder of the same name with `.in`. `TRYCMD=overwrite` rewrites them.
//! Here is what such a file cannot say.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn orcavm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orcavm"));
    command.current_dir("tests/cli/run.in");
    command
}

/// Runs a command with this standard input.
fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("the command reads");
    drop(stdin);
    child.wait_with_output().expect("the command ends")
}

#[test]
fn commands() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}

#[test]
fn every_exit_code_is_passed_through() {
    for code in 0..=255 {
        let status = orcavm()
            .args(["--invoke", "exit", "exit.wat", &code.to_string()])
            .status()
            .expect("it starts");
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn arguments_need_not_be_unicode() {
    let argument = OsStr::from_bytes(b"\xff\xfe --\n");
    let output = orcavm().arg("args.wat").arg(argument).output().expect("it starts");
    assert_eq!(output.stdout, b"args.wat\n\xff\xfe --\n\n");
}

#[test]
fn an_inherited_variable() {
    let output = orcavm()
        .args(["--env", "ORCA_TEST", "env.wat"])
        .env("ORCA_TEST", "a b")
        .output()
        .expect("it starts");
    assert_eq!(output.stdout, b"ORCA_TEST=a b\n");
}

#[test]
fn standard_input_is_the_programs() {
    let input = vec![b'x'; 100_000];
    let output = with_input(orcavm().arg("cat.wat"), &input);
    assert_eq!(output.stdout, input);
}

#[test]
fn a_module_from_standard_input() {
    let text = std::fs::read("tests/cli/run.in/args.wat").expect("the file is there");
    let output = with_input(orcavm().args(["-", "a", "-"]), &text);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "-\na\n-\n");
    let output = with_input(orcavm().arg("-"), b"\0asm\x01\0\0\0\x01");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.starts_with("error: <stdin>: ") && message.contains("at byte"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_reader_that_leaves_early_is_no_panic() {
    for arguments in [
        &["inspect", "args.wat"][..],
        &["completions", "bash"],
        &["--help"],
        &["cat.wat"],
    ] {
        let mut child = orcavm()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        drop(child.stdout.take());
        let mut message = String::new();
        child
            .stderr
            .take()
            .expect("it is piped")
            .read_to_string(&mut message)
            .expect("it is text");
        assert_eq!(message, "", "{arguments:?}");
        assert_eq!(child.wait().expect("the command ends").code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_time_limit_holds_while_the_program_waits() {
    let before = Instant::now();
    let mut command = orcavm();
    // Its standard input stays open and empty.
    let mut child = command
        .args(["--timeout", "100ms", "cat.wat"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let _stdin = child.stdin.take();
    assert_eq!(child.wait().expect("the command ends").code(), Some(134));
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = orcavm().args(["completions", shell]).output().expect("it starts");
        let script = String::from_utf8(output.stdout).expect("it is text");
        assert!(output.status.success() && script.contains("max-memory"), "{shell}");
    }
}
