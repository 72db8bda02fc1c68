//! The examples of the README that are made of several modules.

use std::process::{Command, Output, Stdio};
use std::{fs, thread};

fn orcavm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orcavm"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    orcavm(args).output().expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn three_modules_share_one_frame() {
    let output = run(&["examples/video/orca.toml"]);
    assert_eq!(
        text(&output.stdout),
        "frame 0 at 0xffef0000: first pixels 255 254 253, checksum c2228000\n\
         frame 1 at 0xffef0000: first pixels 247 246 245, checksum 02228000\n\
         frame 2 at 0xffef0000: first pixels 239 238 237, checksum 42228000\n"
    );
    assert!(output.status.success());
    let output = run(&["examples/video/orca.toml", "--write"]);
    assert_eq!(output.status.code(), Some(134));
    let error = text(&output.stderr);
    assert!(
        error.contains("consumer.wasm: trap: write to read-only memory"),
        "{error}"
    );
}

#[test]
fn a_program_opens_libraries() {
    let options = [
        "-L",
        "examples/libraries",
        "examples/libraries/app.wasm",
        "libshout.so",
        "libwhisper.so",
    ];
    let output = run(&[&["--allow", "load"], &options[..]].concat());
    assert_eq!(
        text(&output.stdout),
        "ORCAS HUNT TOGETHER.\nwhisper: here\norcas hunt together.\nwhisper: gone\n4 lines\n"
    );
    assert!(output.status.success() && output.stderr.is_empty());
    let output = run(&options);
    assert_eq!(
        text(&output.stdout),
        "libshout.so: it has no permission `load`\nlibwhisper.so: it has no permission `load`\n2 lines\n"
    );
}

#[test]
fn a_plugin_has_one_directory_and_nothing_else() {
    let output = run(&[
        "--allow-load",
        "--allow-instantiate",
        "--dir",
        "examples/plugin/files::/",
        "examples/plugin/host.wasm",
    ]);
    let shown = text(&output.stdout);
    for line in [
        "host: the plugin may stdout,read,dir=/data:ro,memory=4194304",
        "host: words gave 4, it has counted to 4",
        "plugin: writing: Capabilities insufficient",
        "plugin: another directory: No such file or directory",
        "plugin: the clock: Capabilities insufficient",
        "host: sneak gave 0, it has counted to 4",
        "host: words gave 4, it has counted to 8",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(
        shown.contains("host: crash ended early: unreachable\n    plugin.wasm!crash"),
        "{shown}"
    );
    assert!(output.status.success());
    let words = fs::read_to_string("examples/plugin/files/data/words.txt").expect("it is there");
    assert_eq!(words, "one region\nmany memories\n");

    let output = run(&["--dir", "examples/plugin/files::/", "examples/plugin/host.wasm"]);
    assert_eq!(output.status.code(), Some(1), "without being allowed to load modules");
}

#[test]
fn two_processes_share_a_region() {
    let folder = tempfile::tempdir().expect("there is room");
    let file = folder.path().join("box");
    fs::write(&file, [0; 4096]).expect("writable");
    let region = format!("box={}", file.display());
    let start = |words: &[&str]| {
        let options = [
            "--timeout",
            "20s",
            "--region",
            &region,
            "--share",
            "box:main:rw",
            "examples/processes/mail.wasm",
        ];
        orcavm(&[&options[..], words].concat())
    };
    let receiver = start(&["receive"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let receiver = thread::spawn(move || receiver.wait_with_output().expect("it ends"));
    let sender = start(&["send", "one", "region,", "two", "processes"])
        .output()
        .expect("it starts");
    assert!(sender.status.success(), "{}", text(&sender.stderr));
    let output = receiver.join().expect("it does not panic");
    assert_eq!(text(&output.stdout), "received: one region, two processes\n");
}
