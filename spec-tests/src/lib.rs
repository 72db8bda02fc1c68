//! Runs WebAssembly test scripts (`.wast`) on the [`vm`].
//!
//! [`run_script`] takes a script's text and gives a [`Report`]: how many
//! directives hold and which do not, with their lines. Outcomes are compared,
//! not the texts of messages. `orcavm wast` uses this much.
//!
//! With the feature `suite` (the default) there is also the conformance suite:
//! its files ([`suite`]), what each of them needs ([`features`]) and the list
//! of known failures ([`expected`]). The crate's command and its test run that.
//!
//! ```
//! use std::time::Duration;
//! use vm::Engine;
//!
//! let script = r#"
//!     (module (func (export "sum") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))
//!     (assert_return (invoke "sum" (i32.const 2) (i32.const 3)) (i32.const 5))
//!     (assert_return (invoke "sum" (i32.const 2) (i32.const 2)) (i32.const 5))
//! "#;
//! let report = orcavm_spec_tests::run_script(&Engine::default(), script, Duration::from_secs(10));
//! assert_eq!((report.passed(), report.failed()), (2, 1));
//! assert_eq!(report.failures()[0].line, 5);
//! ```

#![forbid(unsafe_code)]

mod custom;
#[cfg(feature = "suite")]
pub mod expected;
#[cfg(feature = "suite")]
pub mod features;
mod legacy;
mod machine;
mod problem;
mod report;
mod script;
mod spectest;
#[cfg(feature = "suite")]
pub mod suite;
mod value;
mod watchdog;

pub use report::{Failure, Report};
pub use script::run_script;
