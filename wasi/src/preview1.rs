//! WASI preview 1, the import module `wasi_snapshot_preview1`.
//!
//! Gives [`ABI`]: the layouts and numbers that preview 1 changed.

use crate::abi::Abi;
use crate::types::{FileStat, Whence};

/// The module name and layouts of preview 1.
pub static ABI: Abi = Abi {
    module: "wasi_snapshot_preview1",
    whence,
    filestat,
    subscription_size: 48,
    clock_offset: 16,
};

/// `whence`: set, cur, end.
fn whence(number: u32) -> Option<Whence> {
    match number {
        0 => Some(Whence::Set),
        1 => Some(Whence::Current),
        2 => Some(Whence::End),
        _ => None,
    }
}

/// `filestat`, 64 bytes: `dev` u64 at 0, `ino` u64 at 8, `filetype` u8 at 16,
/// `nlink` u64 at 24, `size` u64 at 32, `atim`, `mtim`, `ctim` u64 from 40.
fn filestat(stat: &FileStat) -> (usize, [u8; 64]) {
    let mut bytes = [0; 64];
    bytes[0..8].copy_from_slice(&stat.dev.to_le_bytes());
    bytes[8..16].copy_from_slice(&stat.ino.to_le_bytes());
    bytes[16] = stat.filetype.number();
    bytes[24..32].copy_from_slice(&stat.nlink.to_le_bytes());
    bytes[32..40].copy_from_slice(&stat.size.to_le_bytes());
    bytes[40..48].copy_from_slice(&stat.atim.to_le_bytes());
    bytes[48..56].copy_from_slice(&stat.mtim.to_le_bytes());
    bytes[56..64].copy_from_slice(&stat.ctim.to_le_bytes());
    (64, bytes)
}
