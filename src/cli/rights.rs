//! `--allow` and `--deny`: what the program may do.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use orcavm::vm::{Capabilities, Capability};

/// What a program may do that is not told otherwise: compute, and what a program
/// that was started by hand is expected to do.
pub(crate) const DEFAULT: [Capability; 13] = [
    Capability::Stdin,
    Capability::Stdout,
    Capability::Stderr,
    Capability::Arguments,
    Capability::Environment,
    Capability::ReadFiles,
    Capability::WriteFiles,
    Capability::Clock,
    Capability::Random,
    Capability::Exit,
    Capability::CreateRegions,
    Capability::MapRegions,
    Capability::WriteRegions,
];

/// The word for all of them.
const ALL: &str = "all";

/// What options allow and deny.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rights {
    allow: Capabilities,
    deny: Capabilities,
}

impl Rights {
    /// Those that a list of names allows and another denies.
    ///
    /// # Errors
    ///
    /// If one of them is no permission's name.
    pub(crate) fn of(allow: &[String], deny: &[String]) -> anyhow::Result<Rights> {
        let set = |names: &[String]| -> anyhow::Result<Capabilities> {
            let mut set = Capabilities::none();
            for name in names {
                set = set.union(if name == ALL {
                    Capabilities::all()
                } else {
                    Capabilities::from(name.parse::<Capability>()?)
                });
            }
            Ok(set)
        };
        Ok(Rights {
            allow: set(allow)?,
            deny: set(deny)?,
        })
    }

    /// Both.
    pub(crate) fn and(self, other: Rights) -> Rights {
        Rights {
            allow: self.allow.union(other.allow),
            deny: self.deny.union(other.deny),
        }
    }

    /// What the program may do: denying beats allowing.
    pub(crate) fn capabilities(self) -> Capabilities {
        DEFAULT
            .into_iter()
            .collect::<Capabilities>()
            .union(self.allow)
            .difference(self.deny)
    }
}

/// The names that an option takes.
fn names() -> impl Iterator<Item = &'static str> {
    Capability::ALL.into_iter().map(Capability::name).chain([ALL])
}

/// `--allow` or `--deny`.
fn list(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .value_name("PERMISSION")
        .value_delimiter(',')
        .action(ArgAction::Append)
        .value_parser(PossibleValuesParser::new(names()).map(|name| name))
}

/// `--allow-clock` and so on, which say the same.
fn flag(name: String) -> Arg {
    Arg::new(name.clone()).long(name).hide(true).action(ArgAction::SetTrue)
}

impl Args for Rights {
    fn augment_args(command: Command) -> Command {
        let flags = ["allow", "deny"]
            .into_iter()
            .flat_map(|word| names().map(move |name| flag(format!("{word}-{name}"))));
        command
            .arg(list(
                "allow",
                "Let the program do more than what is usual; --allow-load is short for --allow load",
            ))
            .arg(list(
                "deny",
                "Do not let it do something, whatever allows it; also as --deny-clock",
            ))
            .args(flags)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Rights {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Rights, Error> {
        let named = |word: &str| -> Vec<String> {
            let listed = matches.get_many::<String>(word).into_iter().flatten().cloned();
            let flagged = names().filter(|name| matches.get_flag(&format!("{word}-{name}")));
            listed.chain(flagged.map(str::to_owned)).collect()
        };
        Rights::of(&named("allow"), &named("deny"))
            .map_err(|error| Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error}\n")))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Rights::from_arg_matches(matches)?;
        Ok(())
    }
}
