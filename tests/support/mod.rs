//! Running the command in tests, and comparing what it prints with files.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long one program may run; far more than any needs, even in a debug build.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What a finished program left behind.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Outcome {
    pub fn expect_exit(&self, code: i32) -> Result<()> {
        ensure!(
            self.status.code() == Some(code),
            "ended with {} instead of {code}; standard error:\n{}",
            self.status,
            self.stderr
        );
        Ok(())
    }
}

/// A folder for one run, removed with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in cargo's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command to its end, with `input` as its standard input.
pub fn finish(mut command: Command, input: &[u8]) -> Result<Outcome> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program may end without reading all of it.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let stdout = scope.spawn(move || drain(stdout));
        let stderr = scope.spawn(move || drain(stderr));
        let status = wait(&mut child);
        let stdout = stdout.join().expect("reading does not panic")?;
        let stderr = stderr.join().expect("reading does not panic")?;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Outcome {
            status: status?,
            stdout,
            stderr,
        })
    })
}

fn drain(stream: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("still running after {TIME_LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Compares `found` with a file, which is not there if it is empty. `BLESS=1` in the
/// environment makes the file instead.
pub fn expect_file(file: &Path, found: &[u8]) -> Result<()> {
    if env::var_os("BLESS").is_some() {
        return bless(file, found);
    }
    let expected = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    ensure!(
        found == expected,
        "it differs from {}: {}; all of it:\n{}",
        file.display(),
        first_difference(found, &expected),
        String::from_utf8_lossy(found)
    );
    Ok(())
}

fn bless(file: &Path, found: &[u8]) -> Result<()> {
    if found.is_empty() {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error)?,
            _ => {}
        }
    } else {
        fs::write(file, found)?;
    }
    Ok(())
}

fn first_difference(found: &[u8], expected: &[u8]) -> String {
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let (mut found, mut expected) = (found.lines(), expected.lines());
    for line in 1.. {
        match (found.next(), expected.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let show = |text: Option<&str>| text.map_or("the end".to_owned(), |text| format!("{text:?}"));
                return format!("line {line}: {} instead of {}", show(a), show(b));
            }
        }
    }
    "the lines are equal, but not their ends".to_owned()
}
