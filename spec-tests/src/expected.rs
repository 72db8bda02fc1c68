//! The list of failures that are known: [`Expected`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::report::Report;

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectedError {
    /// It is not TOML, or not of the list's form.
    #[error("expected-failures.toml: {0}")]
    Toml(#[from] toml::de::Error),
    /// A file stands in two sections.
    #[error("expected-failures.toml: {file} stands in two sections")]
    Twice {
        /// The file.
        file: String,
    },
}

/// How many directives of a file fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Count {
    /// So many, no more and no fewer.
    Exactly(usize),
    /// As the word says.
    Vague(Word),
}

/// A count that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// At least one. For files of which the suites have different versions.
    Some,
}

/// A section of the list: what fails for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    reason: String,
    files: BTreeMap<String, Count>,
}

/// Failures that are known, by the file's path in the suite.
#[derive(Debug)]
pub struct Expected {
    files: BTreeMap<String, (Count, String)>,
}

/// How a file's report compares with what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every directive holds, as expected.
    Passed,
    /// What fails is known.
    FailedAsExpected {
        /// Why it fails.
        reason: String,
    },
    /// Directives of a file that should pass fail.
    Failed,
    /// All directives hold although failures are expected.
    PassedUnexpectedly {
        /// Why it should have failed.
        reason: String,
    },
    /// More or fewer directives fail than is known.
    OtherCount {
        /// How many should fail.
        wanted: usize,
        /// How many do.
        got: usize,
        /// Why they should fail.
        reason: String,
    },
}

impl Verdict {
    /// Whether nothing about the file needs looking at.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, Verdict::Passed | Verdict::FailedAsExpected { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => write!(f, "passed"),
            Verdict::FailedAsExpected { reason } => write!(f, "failed as expected: {reason}"),
            Verdict::Failed => write!(f, "failed"),
            Verdict::PassedUnexpectedly { reason } => {
                write!(f, "passed, but is in expected-failures.toml ({reason}): take it out")
            }
            Verdict::OtherCount { wanted, got, reason } => {
                write!(
                    f,
                    "{got} directives fail, {wanted} in expected-failures.toml ({reason})"
                )
            }
        }
    }
}

impl Expected {
    /// The list of this package.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn load() -> Result<Expected, ExpectedError> {
        Expected::parse(include_str!("../expected-failures.toml"))
    }

    /// Reads a list of that form.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Expected, ExpectedError> {
        let sections: BTreeMap<String, Section> = toml::from_str(text)?;
        let mut files = BTreeMap::new();
        for section in sections.into_values() {
            for (file, count) in section.files {
                if files.insert(file.clone(), (count, section.reason.clone())).is_some() {
                    return Err(ExpectedError::Twice { file });
                }
            }
        }
        Ok(Expected { files })
    }

    /// Compares a file's report with what is expected of it.
    #[must_use]
    pub fn judge(&self, file: &str, report: &Report) -> Verdict {
        let Some((count, reason)) = self.files.get(file) else {
            return if report.failed() == 0 {
                Verdict::Passed
            } else {
                Verdict::Failed
            };
        };
        let reason = reason.clone();
        match *count {
            _ if report.failed() == 0 => Verdict::PassedUnexpectedly { reason },
            Count::Exactly(wanted) if report.failed() != wanted => Verdict::OtherCount {
                wanted,
                got: report.failed(),
                reason,
            },
            Count::Exactly(_) | Count::Vague(Word::Some) => Verdict::FailedAsExpected { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, ExpectedError, Verdict};
    use crate::report::{Failure, Report};

    fn report(failed: usize) -> Report {
        let mut report = Report::default();
        report.pass();
        for line in 1..=failed {
            report.fail(Failure {
                line,
                column: 1,
                directive: "module",
                message: String::new(),
            });
        }
        report
    }

    #[test]
    fn verdicts() {
        let list = "[simd]\nreason = 'R'\n[simd.files]\n'a.wast' = 2\n'b.wast' = 'some'\n";
        let expected = Expected::parse(list).expect("a good list");
        let reason = || "R".to_owned();
        assert_eq!(expected.judge("c.wast", &report(0)), Verdict::Passed);
        assert_eq!(expected.judge("c.wast", &report(1)), Verdict::Failed);
        assert_eq!(
            expected.judge("a.wast", &report(2)),
            Verdict::FailedAsExpected { reason: reason() }
        );
        assert_eq!(
            expected.judge("a.wast", &report(0)),
            Verdict::PassedUnexpectedly { reason: reason() }
        );
        assert_eq!(
            expected.judge("a.wast", &report(3)),
            Verdict::OtherCount {
                wanted: 2,
                got: 3,
                reason: reason()
            }
        );
        assert_eq!(
            expected.judge("b.wast", &report(7)),
            Verdict::FailedAsExpected { reason: reason() }
        );
        assert_eq!(
            expected.judge("b.wast", &report(0)),
            Verdict::PassedUnexpectedly { reason: reason() }
        );
    }

    #[test]
    fn a_file_stands_once() {
        let list = "[a]\nreason = 'R'\nfiles = { 'a.wast' = 1 }\n[b]\nreason = 'R'\nfiles = { 'a.wast' = 1 }\n";
        assert!(matches!(Expected::parse(list), Err(ExpectedError::Twice { .. })));
    }

    #[test]
    fn the_list_of_this_package_is_good() {
        Expected::load().expect("a good list");
    }
}
