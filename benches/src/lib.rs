//! What the benches have in common.

#![forbid(unsafe_code)]
