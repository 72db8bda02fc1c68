//! WASI preview 0, the import module `wasi_unstable`.
//!
//! Gives [`ABI`]: the layouts and numbers as they were before preview 1. The
//! functions are the same but for `sock_accept`, which preview 0 lacks.

use crate::abi::Abi;
use crate::types::{FileStat, Whence};

/// The module name and layouts of preview 0. A clock subscription begins
/// with a `userdata` identifier of its own, which nothing gives back.
pub static ABI: Abi = Abi {
    module: "wasi_unstable",
    whence,
    filestat,
    subscription_size: 56,
    clock_offset: 24,
};

/// `whence`: cur, end, set.
fn whence(number: u32) -> Option<Whence> {
    match number {
        0 => Some(Whence::Current),
        1 => Some(Whence::End),
        2 => Some(Whence::Set),
        _ => None,
    }
}

/// `filestat`, 56 bytes: `dev` u64 at 0, `ino` u64 at 8, `filetype` u8 at 16,
/// `nlink` u32 at 20 (the largest number if it does not fit), `size` u64 at
/// 24, `atim`, `mtim`, `ctim` u64 from 32.
fn filestat(stat: &FileStat) -> (usize, [u8; 64]) {
    let nlink = u32::try_from(stat.nlink).unwrap_or(u32::MAX);
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(&stat.dev.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.ino.to_le_bytes());
    bytes[16] = stat.filetype.number();
    bytes[20..24].copy_from_slice(&nlink.to_le_bytes());
    bytes[24..32].copy_from_slice(&stat.size.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.atim.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.mtim.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.ctim.to_le_bytes());
    (56, bytes)
}
