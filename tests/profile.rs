//! `orcavm --profile`: the table, the flame graphs, and that nothing of it is
//! there without the option.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(orcavm_portable)))]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn orcavm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orcavm"));
    command.current_dir("tests/cli/profile.in");
    command
}

fn output(command: &mut Command) -> (Output, String) {
    let output = command.output().expect("the command starts");
    let messages = String::from_utf8(output.stderr.clone()).expect("it is text");
    (output, messages)
}

/// A row of the table of functions: samples of its own, samples in all, name.
type Row = (u64, u64, String);

/// The number of samples and the rows of functions and of instructions.
fn table(messages: &str) -> (u64, Vec<Row>, Vec<(u64, String)>) {
    let mut lines = messages.lines().skip_while(|line| !line.starts_with("profile: "));
    let samples = lines.next().expect("there is a profile");
    let samples = samples["profile: ".len()..].split(' ').next().expect("a number first");
    let samples = samples.parse().expect("there are samples");
    let rows = lines.by_ref().skip_while(|line| !line.ends_with("  function")).skip(1);
    let functions = rows.take_while(|line| !line.is_empty()).filter_map(|line| {
        let mut words = line.split_whitespace();
        let own = words.nth(1)?.parse().ok()?;
        let total = words.nth(1)?.parse().ok()?;
        Some((own, total, words.collect::<Vec<_>>().join(" ")))
    });
    let functions = functions.collect();
    let rows = lines.skip_while(|line| !line.ends_with("  instruction")).skip(1);
    let ops = rows.filter_map(|line| {
        let mut words = line.split_whitespace();
        let own = words.nth(1)?.parse().ok()?;
        Some((own, words.collect::<Vec<_>>().join(" ")))
    });
    (samples, functions, ops.collect())
}

#[test]
fn the_hotter_function_is_first_and_samples_add_up() {
    let (output, messages) = output(orcavm().args(["--profile", "hot.wat"]));
    assert_eq!(output.status.code(), Some(7), "{messages}");
    let (samples, functions, ops) = table(&messages);
    let names: Vec<&str> = functions.iter().map(|(.., name)| name.as_str()).collect();
    assert_eq!(names[..2], ["hot", "mild"], "{messages}");
    assert!(functions[0].0 > 2 * functions[1].0, "{messages}");
    assert_eq!(
        functions.iter().map(|(own, ..)| own).sum::<u64>(),
        samples,
        "{messages}"
    );
    assert_eq!(ops.iter().map(|(own, _)| own).sum::<u64>(), samples, "{messages}");
    assert!(ops.iter().any(|(_, name)| name.contains("i32.mul ")), "{messages}");
}

#[test]
fn a_flame_graph_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.folded");
    let option = format!("--profile={}", file.display());
    let (_, messages) = output(orcavm().args(["run", &option, "hot.wat"]));
    let text = std::fs::read_to_string(&file).expect("it is written");
    let mut sum = 0;
    for line in text.lines() {
        let (stack, count) = line.rsplit_once(' ').expect("a stack and a number");
        assert_eq!(stack.split(';').next(), Some("_start"), "{text}");
        sum += count.parse::<u64>().expect("a number");
    }
    assert_eq!(sum, table(&messages).0);
    assert!(text.contains("_start;hot ") && text.contains("_start;mild "), "{text}");
}

#[test]
fn a_flame_graph_as_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let draw = |program: &str| {
        let file = folder.path().join("out.SVG");
        let option = format!("--profile={}", file.display());
        let (_, messages) = output(orcavm().args([&option, program]));
        (std::fs::read_to_string(&file).expect("it is written"), messages)
    };
    let (picture, messages) = draw("hot.wat");
    assert!(
        picture.starts_with("<?xml") && picture.trim_end().ends_with("</svg>"),
        "{messages}"
    );
    assert!(picture.contains("<title>hot ("), "{messages}");
    assert!(picture.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{messages}");
    assert!(!picture.contains("<script>alert"), "{messages}");
    let (picture, _) = draw("short.wat");
    assert!(
        picture.starts_with("<svg") && picture.contains("no samples"),
        "{picture}"
    );
}

#[test]
fn a_file_that_cannot_be_written() {
    let (output, messages) = output(orcavm().args(["--profile=/dev/full", "spin.wat"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        messages.ends_with("error: cannot write /dev/full: No space left on device\n"),
        "{messages}"
    );
    assert!(messages.contains("profile: "), "{messages}");
}

#[test]
fn a_program_that_traps() {
    let (output, messages) = output(orcavm().args(["--profile", "trap.wat"]));
    assert_eq!(output.status.code(), Some(134));
    assert!(
        messages.starts_with("error: trap.wat: trap: out of bounds memory access\n"),
        "{messages}"
    );
    let (samples, functions, _) = table(&messages);
    let (.., total, name) = &functions[0];
    assert_eq!((*total > 0, name.as_str()), (true, "spin"), "{messages}");
    assert_eq!(
        functions.iter().map(|(own, ..)| own).sum::<u64>(),
        samples,
        "{messages}"
    );
}

#[test]
fn a_program_whose_time_is_over() {
    let (output, messages) = output(orcavm().args(["--profile", "--timeout", "500ms", "forever.wat"]));
    assert_eq!(output.status.code(), Some(134));
    assert!(messages.contains("(--timeout 500ms is over)"), "{messages}");
    assert_eq!(table(&messages).1[0].2, "forever", "{messages}");
}

#[test]
fn linked_modules_are_told_apart() {
    let (output, messages) = output(orcavm().args(["--profile", "--link", "lib=library.wat", "linked.wat"]));
    assert_eq!(output.status.code(), Some(0), "{messages}");
    let (samples, functions, _) = table(&messages);
    assert_eq!(functions[0].2, "library!work", "{messages}");
    assert!(
        functions
            .iter()
            .any(|(_, total, name)| *total == samples && name == "app!_start"),
        "{messages}"
    );
}

/// Whether a process has a handler for SIGPROF, and whether it has timers.
fn profiling(child: &Child) -> (bool, bool) {
    const SIGPROF: u32 = 27;
    let read = |name: &str| std::fs::read_to_string(Path::new("/proc").join(child.id().to_string()).join(name));
    let status = read("status").expect("it runs");
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .expect("it is there");
    let caught = u64::from_str_radix(caught.trim(), 16).expect("a number");
    // Kernels need not tell of timers.
    let timers = read("timers").is_ok_and(|timers| timers.contains("signal: 27/"));
    (caught >> (SIGPROF - 1) & 1 == 1, timers)
}

#[test]
fn without_the_option_there_is_no_timer_and_no_handler() {
    for (arguments, expected) in [(&["forever.wat"][..], false), (&["--profile", "forever.wat"], true)] {
        let mut command = orcavm();
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        // The guest says that it runs.
        let mut byte = [0];
        let mut stdout = child.stdout.take().expect("it is piped");
        std::io::Read::read_exact(&mut stdout, &mut byte).expect("the guest writes");
        let (handler, timer) = profiling(&child);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        assert_eq!(handler, expected, "{arguments:?}");
        assert!(expected || !timer, "{arguments:?}");
    }
}

#[test]
fn waiting_is_not_cut_short() {
    let before = Instant::now();
    let (output, messages) = output(orcavm().args(["--profile", "--timeout", "1m", "sleep.wat"]));
    assert_eq!(output.status.code(), Some(0), "{messages}");
    assert!(before.elapsed() >= Duration::from_millis(300), "{messages}");
}
