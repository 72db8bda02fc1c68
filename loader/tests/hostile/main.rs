//! Guests that do to the dynamic linker what they should not: bad pointers and
//! handles, libraries that close and open each other while they are made and taken
//! away, what ends a guest in between, and what would never end.

mod endings;
mod pointers;
mod quantities;
mod shared;
mod steps;
mod world;
