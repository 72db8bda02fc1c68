//! Which proposals modules may use.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orcavm::vm::{Config, Proposal};

/// Options that say what modules may use.
#[derive(clap::Args)]
// Several groups of options have such a name.
#[group(skip)]
pub(crate) struct Options {
    /// Refuse modules that need these proposals, such as simd,threads, or one that builds on them
    #[arg(
        long = "without",
        value_name = "PROPOSAL,...",
        value_delimiter = ',',
        hide_possible_values = true,
        value_parser = parser()
    )]
    without: Vec<Proposal>,
}

impl Options {
    /// Switches off what is not wanted.
    pub(crate) fn configure(&self, config: &mut Config) {
        for proposal in &self.without {
            config.proposal(*proposal, false);
        }
    }
}

/// Reads a proposal's name; others are answered with a list of all.
fn parser() -> impl TypedValueParser<Value = Proposal> {
    let names = Proposal::ALL.iter().map(|proposal| proposal.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Proposal>())
}
