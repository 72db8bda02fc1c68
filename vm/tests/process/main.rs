//! Tests that look at their process: the time that it takes, the memory,
//! mappings and descriptors that it has. Those that measure run one at a time
//! (`common::alone`).

#[path = "../common/mod.rs"]
mod common;

mod exceptions;
mod guests;
mod heaps;
mod images;
mod memory64;
mod regions;
mod snapshots;
mod translation;
