//! What a fuzzer runs: [`fuzz`].

use crate::compare::{self, Finding, Peer, Strictness};
use crate::machine::Setup;
use crate::random::{Random, SIZES};

/// Makes a module of any bytes and compares what this engine and wasmtime do with it.
/// The first eight bytes are a seed for everything but the module's content; one bit of
/// it chooses between the two kinds of random modules.
///
/// # Panics
///
/// If the engines disagree.
pub fn fuzz(bytes: &[u8]) {
    let Some((seed, content)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let seed = u64::from_le_bytes(*seed);
    let (mut random, proposals) = (Random::new(seed), Peer::Wasmtime.proposals());
    let (wasm, terminates) = if seed & 1 == 0 {
        // What this one does depends on the seed alone: all bytes are part of it.
        let seed = content
            .iter()
            .fold(seed, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte));
        random = Random::new(seed);
        (random.dense_module(&proposals, &SIZES), true)
    } else {
        match random.module_of(content, seed & 2 == 0, &proposals) {
            Some(made) => made,
            None => return,
        }
    };
    let setup = Setup::of_seed(seed, terminates);
    if let Finding::Mismatch(text) = compare::run(&wasm, &setup, &mut random, Strictness::Valid, Peer::Wasmtime) {
        panic!("the engines disagree: {text}");
    }
}

#[cfg(test)]
mod tests {
    use crate::random::Random;

    #[test]
    fn any_bytes_do() {
        for length in [0, 7, 8, 9, 100, 5000] {
            super::fuzz(&Random::new(1).bytes(length));
        }
    }
}
