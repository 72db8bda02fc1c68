//! Measuring two alternatives beside each other.
//!
//! A group is a criterion group, so that criterion's options and its comparison
//! with earlier runs work, and a table of ratios besides. Only the table says
//! which of two alternatives is faster: its batches are interleaved (first,
//! second, first, second…), so that whatever else the machine does meets both.
//! Times are of the processor, all threads, user and system; criterion's are of
//! the wall clock, as it has them from the same closures.
//!
//! Without `--bench` among the arguments, as under `cargo test`, everything runs
//! once and nothing is timed.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

/// Does something so many times, and says how long that took: [`timed`].
pub type Run = Box<dyn FnMut(u64) -> Duration>;

/// What the table shows of a bench.
#[derive(Clone, Copy, Debug)]
pub enum Per {
    /// Time of one iteration.
    Iteration,
    /// Bytes in a second, of as many as one iteration has.
    Bytes(u64),
}

/// How long a batch is, at least, if it may be that long.
const BATCH: Duration = Duration::from_millis(10);
/// Rounds, where iterations are short; a quarter where one is longer than
/// [`LONG`].
const ROUNDS: usize = 21;
/// When an iteration is long.
const LONG: Duration = Duration::from_millis(100);

/// The processor's time that `what` takes.
pub fn timed(what: impl FnOnce()) -> Duration {
    let start = clock();
    what();
    clock() - start
}

#[cfg(unix)]
fn clock() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("the processor's time starts at zero")
}

#[cfg(not(unix))]
fn clock() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

struct Row {
    name: String,
    per: Per,
    /// Seconds of an iteration.
    times: [f64; 2],
}

/// A group of benches.
pub struct Group {
    name: &'static str,
    sides: [&'static str; 2],
    /// None where iterations are so long that criterion would take minutes.
    criterion: Option<Criterion>,
    test: bool,
    list: bool,
    filters: Vec<String>,
    rows: Vec<Row>,
    ran: usize,
    ignored: usize,
}

impl Group {
    /// A group of short benches. The table's columns are `sides`.
    pub fn new(name: &'static str, sides: [&'static str; 2]) -> Self {
        let criterion = Criterion::default()
            .without_plots()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(500))
            .configure_from_args();
        Self {
            criterion: Some(criterion),
            ..Self::new_long(name, sides)
        }
    }

    /// A group of benches whose iterations take a large part of a second: the
    /// table only. Arguments that are no options are parts of names, as for
    /// criterion.
    pub fn new_long(name: &'static str, sides: [&'static str; 2]) -> Self {
        let given = |option: &str| std::env::args().any(|arg| arg == option);
        Self {
            name,
            sides,
            criterion: None,
            test: given("--test") || !given("--bench"),
            list: given("--list"),
            filters: std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect(),
            rows: Vec::new(),
            ran: 0,
            ignored: 0,
        }
    }

    /// Whether this is a test: everything runs once, on small inputs.
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// Whether the arguments leave a bench of a long group in: not worth preparing
    /// otherwise. Where the arguments ask for a list, it is listed instead.
    pub fn prepares(&self, name: &str) -> bool {
        let selected = self.selects(name);
        if selected && self.list {
            println!("{}/{name}: benchmark", self.name);
        }
        selected && !self.list
    }

    fn selects(&self, name: &str) -> bool {
        let id = format!("{}/{name}", self.name);
        self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter))
    }

    /// Measures two alternatives, which were checked to do the same. `most` is
    /// how many iterations one batch may have.
    pub fn compare(&mut self, name: &str, per: Per, most: u64, mut runs: [Run; 2]) {
        let selected = match &mut self.criterion {
            Some(criterion) => {
                let mut called = [false; 2];
                let mut group = criterion.benchmark_group(self.name);
                if let Per::Bytes(bytes) = per {
                    group.throughput(Throughput::Bytes(bytes));
                }
                for ((side, run), called) in self.sides.iter().zip(&mut runs).zip(&mut called) {
                    group.bench_function(BenchmarkId::new(name, side), |bencher| {
                        *called = true;
                        bencher.iter_custom(|iterations| batches(run, iterations, most));
                    });
                }
                group.finish();
                // criterion calls no bench that its arguments leave out.
                called == [true; 2]
            }
            None => {
                let id = format!("{}/{name}", self.name);
                let selected = self.selects(name) && !self.list;
                if selected && self.test {
                    for run in &mut runs {
                        run(1);
                    }
                    println!("Testing {id}\nSuccess");
                }
                selected
            }
        };
        self.ran += usize::from(selected);
        if selected && !self.test {
            let times = interleaved(&mut runs, most);
            self.rows.push(Row {
                name: name.to_owned(),
                per,
                times,
            });
        }
    }

    /// Says that a bench cannot run, and why: it has not passed.
    pub fn ignore(&mut self, name: &str, reason: &str) {
        let id = format!("{}/{name}", self.name);
        if !self.list && self.selects(name) {
            println!("{id}: ignored: {reason}");
            self.ignored += 1;
        }
    }

    /// Prints the table of ratios. The ratios' geometric mean is given back, if
    /// there is any.
    pub fn finish(self) -> Option<f64> {
        if let Some(criterion) = self.criterion {
            criterion.final_summary();
        }
        if self.list {
            return None;
        }
        let [first, second] = self.sides;
        if self.test {
            println!("{}: {} passed, {} ignored", self.name, self.ran, self.ignored);
            return None;
        }
        if self.rows.is_empty() {
            return None;
        }
        println!("\n{}: medians of interleaved batches, processor time", self.name);
        let width = self
            .rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(14);
        println!("  {:width$}  {first:>12}  {second:>12}", "");
        let mut logarithms = 0.0;
        for row in &self.rows {
            let [a, b] = row.times;
            logarithms += (b / a).ln();
            let [a_text, b_text] = [a, b].map(|seconds| show(seconds, row.per));
            let ratio = b / a;
            println!(
                "  {:width$}  {a_text:>12}  {b_text:>12}  ratio: {second}/{first} = {ratio:.2}",
                row.name
            );
        }
        let mean = (logarithms / self.rows.len() as f64).exp();
        println!(
            "  {:width$}  {:>12}  {:>12}  ratio: {second}/{first} = {mean:.2}",
            "geometric mean", "", ""
        );
        if self.ignored > 0 {
            println!("  {} ignored, see above", self.ignored);
        }
        println!();
        Some(mean)
    }
}

/// So many iterations, in batches of at most `most`.
fn batches(run: &mut Run, iterations: u64, most: u64) -> Duration {
    let mut left = iterations;
    let mut time = Duration::ZERO;
    while left > 0 {
        let batch = left.min(most);
        time += run(batch);
        left -= batch;
    }
    time
}

/// The medians of the seconds of an iteration, of both sides.
fn interleaved(runs: &mut [Run; 2], most: u64) -> [f64; 2] {
    let sizes = [0, 1].map(|side| {
        let mut size = 1;
        loop {
            let time = runs[side](size);
            if time >= BATCH || size == most {
                return (size, time.as_secs_f64() / size as f64);
            }
            size = (size * 4).min(most);
        }
    });
    let long = sizes.iter().any(|(_, iteration)| *iteration >= LONG.as_secs_f64());
    let rounds = std::env::var("ORCAVM_BENCH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let rounds: usize = rounds.unwrap_or(if long { ROUNDS / 4 } else { ROUNDS }).max(1);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for side in [0, 1] {
            let size = sizes[side].0;
            times[side].push(runs[side](size).as_secs_f64() / size as f64);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(times[middle - 1], times[middle])
        }
    })
}

fn show(seconds: f64, per: Per) -> String {
    match per {
        Per::Bytes(bytes) => format!("{:.1} MB/s", bytes as f64 / seconds / 1e6),
        Per::Iteration if seconds < 1e-6 => format!("{:.2} ns", seconds * 1e9),
        Per::Iteration if seconds < 1e-3 => format!("{:.2} µs", seconds * 1e6),
        Per::Iteration if seconds < 1.0 => format!("{:.2} ms", seconds * 1e3),
        Per::Iteration => format!("{seconds:.3} s"),
    }
}
