//! `ORCAVM_LOG`: what orcavm's parts tell of what they do, on standard error.
//!
//! It is `LEVEL` or `PART=LEVEL`, or several with commas between: `loader=debug` shows
//! which libraries are found where, `trace` all that there is. A part is a crate
//! without `orcavm_` or a module of it (`loader::gather`); the longest that fits counts.
//! tracing-subscriber would do it too, and is several times as large as all of this.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The environment variable that says what to tell.
const VARIABLE: &str = "ORCAVM_LOG";

/// Begins to tell what is asked for.
///
/// # Errors
///
/// If it is not known what that is.
pub(crate) fn start() -> Result<()> {
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let filter = Filter::read(&text.to_string_lossy()).context(VARIABLE)?;
    let log = Log {
        filter,
        spans: Mutex::default(),
        next: AtomicU64::new(1),
    };
    tracing::subscriber::set_global_default(log).context(VARIABLE)
}

/// What is told: levels by part, those of longer names first.
#[derive(Debug, PartialEq, Eq)]
struct Filter(Vec<(String, LevelFilter)>);

impl Filter {
    fn read(text: &str) -> Result<Filter> {
        let mut parts = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (part, level) = word.split_once('=').unwrap_or(("", word));
            parts.push((part.to_owned(), self::level(level)?));
        }
        // The first of those that fit counts, and of equal ones the last that was said.
        parts.reverse();
        parts.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
        Ok(Filter(parts))
    }

    /// What is told of a part.
    fn level(&self, target: &str) -> LevelFilter {
        let part = part(target);
        let is_in = |whole: &str| {
            let rest = part.strip_prefix(whole);
            rest.is_some_and(|rest| whole.is_empty() || rest.is_empty() || rest.starts_with("::"))
        };
        let found = self.0.iter().find(|(whole, _)| is_in(whole));
        found.map_or(LevelFilter::OFF, |(_, level)| *level)
    }
}

fn level(text: &str) -> Result<LevelFilter> {
    Ok(match text {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => bail!("{text:?} is no level; there are off, error, warn, info, debug and trace, as in loader=debug"),
    })
}

/// The name of a part, as people say it.
fn part(target: &str) -> &str {
    target.strip_prefix("orcavm_").unwrap_or(target)
}

/// Whoever prints what is told.
struct Log {
    filter: Filter,
    /// What is done at present, by number.
    spans: Mutex<HashMap<u64, Span>>,
    next: AtomicU64,
}

/// Something that takes its time.
struct Span {
    name: &'static str,
    /// ` name=value` for each.
    fields: String,
    users: usize,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fields.trim_start() {
            "" => f.write_str(self.name),
            fields => write!(f, "{}{{{fields}}}", self.name),
        }
    }
}

thread_local! {
    /// The numbers of what this thread is doing, the innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    fn with_spans<R>(&self, f: impl FnOnce(&mut HashMap<u64, Span>) -> R) -> R {
        f(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.filter.level(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.filter.0.iter().map(|(_, level)| *level).max()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = Span {
            name: attributes.metadata().name(),
            fields: fields.text,
            users: 1,
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.with_spans(|spans| spans.insert(number, span));
        Id::from_u64(number)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.with_spans(|spans| {
            if let Some(span) = spans.get_mut(&span.into_u64()) {
                span.fields += &fields.text;
            }
        });
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let mut line = format!("{:>5} {}: ", metadata.level().as_str(), part(metadata.target()));
        let entered = ENTERED.with_borrow(Clone::clone);
        self.with_spans(|spans| {
            for span in entered.iter().filter_map(|number| spans.get(number)) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{span}: ");
            }
        });
        line += &fields.message;
        line += &fields.text;
        let _ = writeln!(io::stderr(), "{}", one_line(&line));
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(at) = entered.iter().rposition(|number| *number == span.into_u64()) {
                entered.remove(at);
            }
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.with_spans(|spans| {
            if let Some(span) = spans.get_mut(&span.into_u64()) {
                span.users += 1;
            }
        });
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        self.with_spans(|spans| {
            let number = span.into_u64();
            let Some(span) = spans.get_mut(&number) else {
                return false;
            };
            span.users -= 1;
            span.users == 0 && spans.remove(&number).is_some()
        })
    }
}

/// A text that does nothing to a terminal.
fn one_line(line: &str) -> Cow<'_, str> {
    match line.contains('\n') {
        true => super::plain(&line.replace('\n', "\\n")).into_owned().into(),
        false => super::plain(line),
    }
}

/// What is told, as text.
#[derive(Default)]
struct Fields {
    message: String,
    /// ` name=value` for each.
    text: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;

    use super::{Filter, LevelFilter, Log, one_line};

    #[test]
    fn the_longest_part_counts() {
        let filter = Filter::read("warn,loader=debug, loader::gather=trace,vm=info,vm=off,").expect("it is one");
        for (target, level) in [
            ("orcavm_loader", LevelFilter::DEBUG),
            ("orcavm_loader::find", LevelFilter::DEBUG),
            ("orcavm_loader::gather", LevelFilter::TRACE),
            ("orcavm_loader::gatherer", LevelFilter::DEBUG),
            ("orcavm_loaders", LevelFilter::WARN),
            ("vm::exec", LevelFilter::OFF),
            ("other", LevelFilter::WARN),
        ] {
            assert_eq!(filter.level(target), level, "{target}");
        }
        assert_eq!(
            Filter::read("loader=debug").expect("it is one").level("vm"),
            LevelFilter::OFF
        );
        for text in ["loud", "loader", "loader=", "=", "a=b=c", "loader=3"] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lines_are_lines() {
        assert_eq!(one_line("a\nb\x1b[0m"), "a\\nb\\u{1b}[0m");
    }

    #[test]
    fn spans_are_forgotten_when_they_end() {
        let log = Log {
            filter: Filter::read("trace").expect("it is one"),
            spans: Mutex::default(),
            next: AtomicU64::new(1),
        };
        let dispatch = tracing::Dispatch::new(log);
        tracing::dispatcher::with_default(&dispatch, || {
            let log = dispatch.downcast_ref::<Log>().expect("it is one");
            let texts = || log.with_spans(|spans| spans.values().map(ToString::to_string).collect::<Vec<_>>());
            let span = tracing::info_span!("dlopen", name = "libx.so", flags = tracing::field::Empty);
            let entered = span.enter();
            span.record("flags", 2);
            assert_eq!(texts(), [r#"dlopen{name="libx.so" flags=2}"#]);
            let again = span.clone();
            drop(entered);
            drop(span);
            assert_eq!(texts().len(), 1);
            drop(again);
            assert_eq!(texts().len(), 0);
        });
    }
}
