//! Why a directive does not hold: [`Problem`].

use std::time::Duration;

/// What was wanted and what came instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The script's text does not parse, or a module in it does not encode.
    #[error("{}", .0.message())]
    Text(#[from] wast::Error),
    /// The vm failed where the script does not expect it to.
    #[error("{0}")]
    Vm(#[from] vm::Error),
    /// The script names a module, definition, instance or thread it has not
    /// made.
    #[error("there is no {kind} {name:?}")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        name: String,
    },
    /// The script uses a module, definition or instance before any was made.
    #[error("there is no {kind} yet")]
    NoneYet {
        /// What was looked for.
        kind: &'static str,
    },
    /// An instance has no such export.
    #[error("the instance exports no {kind} {name:?}")]
    NoExport {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A module that should be refused is not.
    #[error("the module is accepted; wanted: {wanted}")]
    Accepted {
        /// The script's message.
        wanted: String,
    },
    /// Something that should fail does not.
    #[error("got {got}; wanted {outcome}: {wanted}")]
    Succeeded {
        /// What kind of failure should come.
        outcome: &'static str,
        /// The script's message.
        wanted: String,
        /// The results.
        got: String,
    },
    /// Something fails as it should, but in another way.
    #[error("failed with: {error}; wanted {outcome}: {wanted}")]
    FailedOtherwise {
        /// What kind of failure should come.
        outcome: &'static str,
        /// The script's message.
        wanted: String,
        /// What came.
        error: Box<vm::Error>,
    },
    /// Results differ.
    #[error("got {got}; wanted {wanted}")]
    Results {
        /// The pattern.
        wanted: String,
        /// What came.
        got: String,
    },
    /// The vm or this runner cannot do what the script asks for.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The script took too long.
    #[error("given up after {} s", .0.as_secs_f32())]
    TooLong(Duration),
    /// The vm or this runner panicked.
    #[error("panic: {message}")]
    Panic {
        /// With this.
        message: String,
    },
}
