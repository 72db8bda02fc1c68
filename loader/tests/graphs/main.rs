//! Random programs of modules that need each other, opened and closed at random: what
//! a [`Session`](orcavm_loader::Session) does is what a few plain rules say.

mod model;
mod modules;
mod run;
