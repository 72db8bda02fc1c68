//! What running a script gave: [`Report`].

use std::fmt;

/// A directive that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its line in the script, from 1.
    pub line: usize,
    /// Its column in the script, from 1.
    pub column: usize,
    /// Its keyword, such as `assert_return`.
    pub directive: &'static str,
    /// What was wanted and what came instead.
    pub message: String,
}

impl fmt::Display for Failure {
    /// `LINE:COLUMN: directive: message`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.directive, self.message)
    }
}

/// How many directives of a script hold, and which do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    passed: usize,
    failures: Vec<Failure>,
    not_run: usize,
}

impl Report {
    /// Directives that hold.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Directives that do not hold, those that were not reached included.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failures.len() + self.not_run
    }

    /// The directives that ran and do not hold, in the order they ran.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Directives not reached because the script had to be given up.
    #[must_use]
    pub fn not_run(&self) -> usize {
        self.not_run
    }

    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    pub(crate) fn give_up(&mut self, directives_left: usize) {
        self.not_run += directives_left;
    }

    /// Adds what another part of the same script gave.
    pub(crate) fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.not_run += other.not_run;
    }
}
