//! `--profile`: where a program's time went, as a table and as a flame graph.

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use inferno::flamegraph;
use orcavm::vm::{Profile, Profiler, Store};

/// Rows of a table that are printed.
const SHOWN: usize = 20;

/// A profile in the making, and the file it goes to, if any.
pub(crate) struct Recording {
    profiler: Profiler,
    graph: Option<Graph>,
}

/// The file that a flame graph goes to.
struct Graph {
    path: PathBuf,
    file: File,
}

impl Recording {
    /// Starts to record. The file is made now, so that a program does not run
    /// for nothing.
    ///
    /// # Errors
    ///
    /// If the system does not let programs be profiled, or the file cannot be
    /// written.
    pub(crate) fn start<T>(store: &Store<T>, file: Option<&Path>) -> Result<Recording> {
        // The error tells its cause itself.
        let profiler = Profiler::start(store).map_err(|error| anyhow!("--profile: {error}"))?;
        let graph = file.map(|path| {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok(Graph {
                path: path.to_owned(),
                file,
            })
        });
        Ok(Recording {
            profiler,
            graph: graph.transpose()?,
        })
    }

    /// Ends the recording.
    pub(crate) fn finish<T>(self, store: &Store<T>) -> Report {
        Report {
            profile: self.profiler.finish(store),
            graph: self.graph,
        }
    }
}

/// A finished profile.
pub(crate) struct Report {
    profile: Profile,
    graph: Option<Graph>,
}

impl Report {
    /// Prints the table on standard error and writes the flame graph of the
    /// program called `name` to its file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write(self, name: &str) -> Result<()> {
        // That nobody reads it is no error.
        let _ = write!(io::stderr().lock(), "{}", Table(&self.profile));
        match self.graph {
            Some(Graph { path, file }) => {
                draw(&self.profile, &path, file, name).with_context(|| format!("cannot write {}", path.display()))
            }
            None => Ok(()),
        }
    }
}

/// Writes a flame graph: a picture if the file's name says so, else the stacks
/// as text.
fn draw(profile: &Profile, path: &Path, file: File, name: &str) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let folded = profile.folded().to_string();
    let is_picture = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"));
    if is_picture && folded.is_empty() {
        let text = summary(profile);
        writeln!(
            file,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="40"><text x="10" y="25">{text}</text></svg>"#
        )?;
    } else if is_picture {
        let mut options = flamegraph::Options::default();
        options.title = name.to_owned();
        // A function's colour is its name's.
        options.hash = true;
        flamegraph::from_lines(&mut options, folded.lines(), &mut file)?;
    } else {
        file.write_all(folded.as_bytes())?;
    }
    file.flush()
}

/// A span of time, for people.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 1.0 {
            write!(f, "{:.1} ms", seconds * 1e3)
        } else {
            write!(f, "{seconds:.2} s")
        }
    }
}

/// What the profile is of, in a line.
fn summary(profile: &Profile) -> String {
    let time = Time(profile.cpu_time());
    let mut text = match (profile.samples(), profile.interval()) {
        (0, _) => format!("no samples: the program used too little CPU time ({time}) to be seen"),
        (1, _) => format!("1 sample in {time} of CPU time"),
        (samples, interval) => {
            let interval = Time(interval.unwrap_or_default());
            format!("{samples} samples in {time} of CPU time, one every {interval}")
        }
    };
    if let outside @ 1.. = profile.outside_samples() {
        text += &format!("; {outside} more before and after the program ran");
    }
    text
}

/// The functions and instructions that took most of the time.
struct Table<'p>(&'p Profile);

impl Table<'_> {
    /// A number of samples and its part of all, which are more than none.
    fn part(&self, samples: u64) -> String {
        // No number of samples is so large that a float cannot tell it.
        let percent = samples as f64 / self.0.samples() as f64 * 100.0;
        format!("{percent:>5.1}% {samples:>7}")
    }
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let profile = self.0;
        writeln!(f, "\nprofile: {}\n", summary(profile))?;
        writeln!(f, "          self          total  function")?;
        for function in profile.functions().iter().take(SHOWN) {
            let (own, total) = (function.self_samples(), function.total_samples());
            let name = profile.label(function.frame());
            writeln!(f, "{} {}  {name}", self.part(own), self.part(total))?;
        }
        more(f, profile.functions().len(), "functions")?;
        writeln!(f, "\n          self  instruction")?;
        for op in profile.ops().iter().take(SHOWN) {
            writeln!(f, "{}  {}", self.part(op.samples()), op.name())?;
        }
        more(f, profile.ops().len(), "instructions")
    }
}

/// Says how many rows are not shown.
fn more(f: &mut Formatter<'_>, rows: usize, what: &str) -> fmt::Result {
    match rows.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "                and {more} more {what}"),
    }
}
