//! Random and damaged modules, run by this engine and by another side by side: by
//! wasmi, which is small, for what it has; by wasmtime with all proposals.
//!
//! Random modules (wasm-smith, and `dense`) are valid: both engines must give the same
//! results, the same traps and exceptions, and leave the same globals, memories and
//! tables, and the same objects behind them.
//! Damaged modules (`mutate`) must be refused, or run to a result, a trap or the
//! end of their fuel, in bounded memory; where they are valid, use no floating
//! point and both engines finish them, results must agree too.
//!
//! All randomness comes from seeds, one per module. Environment variables:
//!
//! - `ORCAVM_DIFFERENTIAL_SEED`: the first seed (0)
//! - `ORCAVM_DIFFERENTIAL_COUNT`: how many random modules of each kind; there are
//!   twice as many damaged ones, and a quarter as many for wasmtime
//! - `ORCAVM_DIFFERENTIAL_WITHOUT`: proposals that no module uses, such as
//!   `gc,threads`, to find out which one a failure needs
//! - `ORCAVM_DIFFERENTIAL_SIZE`: how many operators functions of dense modules have, a
//!   few, to find a smaller module that fails; `ORCAVM_DIFFERENTIAL_PEER`: the engine
//!   for all dense modules, `wasmi` or `wasmtime`
//!
//! A failure names the seed and the file the module was written to. After a crash,
//! `differential-*.seed` in cargo's folder for temporary files holds the seed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use orcavm_differential::compare::{self, Finding, Peer, Strictness, Tally};
use orcavm_differential::{Random, SIZES, Setup};
use vm::Proposal;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
    })
}

fn count() -> u64 {
    number(
        "ORCAVM_DIFFERENTIAL_COUNT",
        if cfg!(debug_assertions) { 400 } else { 4000 },
    )
}

/// The proposals that modules for this peer use.
fn proposals(peer: Peer) -> Vec<Proposal> {
    let without = env::var("ORCAVM_DIFFERENTIAL_WITHOUT").unwrap_or_default();
    let left_out = |proposal: &Proposal| without.split(',').any(|name| name == proposal.name());
    peer.proposals()
        .into_iter()
        .filter(|proposal| !left_out(proposal))
        .collect()
}

/// Runs `check` on each seed and adds up what it reports.
fn each_seed(kind: &'static str, count: u64, mut check: impl FnMut(u64, &mut Case) -> Finding) -> Tally {
    let first = number("ORCAVM_DIFFERENTIAL_SEED", 0);
    let mut tally = Tally::default();
    for seed in first..first + count {
        let mut case = Case::new(kind, seed);
        let finding = check(seed, &mut case);
        if let Finding::Mismatch(text) = &finding {
            panic!("the engines disagree: {text}");
        }
        tally.add(&finding);
    }
    println!("{kind}: {tally:?}");
    tally
}

/// Without so many results a module, or where more than one of so many modules cannot be
/// compared, a test says little.
fn assert_much_compared(tally: &Tally, results: u64, one_of: u64) {
    assert!(
        tally.modules < 100 || tally.results > results * tally.modules,
        "too few results: {tally:?}"
    );
    assert!(
        tally.refused_by_peer * 10 <= tally.modules,
        "the peer refuses too much: {tally:?}"
    );
    assert!(
        (tally.inconclusive + tally.unanswerable) * one_of <= tally.modules,
        "too little is compared: {tally:?}"
    );
}

/// The module being tested; tells about it when the test panics or crashes.
struct Case {
    kind: &'static str,
    seed: u64,
    wasm: Vec<u8>,
}

impl Case {
    fn new(kind: &'static str, seed: u64) -> Self {
        let wasm = Vec::new();
        fs::write(Self::path(kind, "seed"), seed.to_string()).expect("the folder is writable");
        Self { kind, seed, wasm }
    }

    fn path(kind: &str, extension: &str) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differential-{kind}.{extension}"))
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if thread::panicking() {
            let path = Self::path(self.kind, "wasm");
            let written = fs::write(&path, &self.wasm);
            eprintln!(
                "{} module of seed {} failed; it is in {} ({written:?}); to repeat it alone: \
                 ORCAVM_DIFFERENTIAL_SEED={} ORCAVM_DIFFERENTIAL_COUNT=1",
                self.kind,
                self.seed,
                path.display(),
                self.seed
            );
        }
    }
}

/// Compares modules of wasm-smith with what `peer` does; `salt` makes other modules of the
/// same seeds.
fn compare_random(kind: &'static str, count: u64, salt: u64, peer: Peer) {
    let proposals = proposals(peer);
    let tally = each_seed(kind, count, |seed, case| {
        let mut random = Random::new(seed ^ salt);
        let (wasm, terminates) = random.module(seed, &proposals);
        case.wasm = wasm;
        let setup = Setup::of_seed(seed, terminates);
        compare::run(&case.wasm, &setup, &mut random, Strictness::Valid, peer)
    });
    assert_much_compared(&tally, 1, 2);
}

#[test]
fn random_modules_agree() {
    compare_random("random", count(), 0, Peer::Wasmi);
}

#[test]
fn modules_with_all_proposals_agree() {
    let salt = 0x0a11_0000_0000_0000;
    compare_random("proposals", count().div_ceil(4), salt, Peer::Wasmtime);
}

#[test]
fn dense_modules_agree() {
    let tally = each_seed("dense", count(), |seed, case| {
        let mut random = Random::new(seed ^ 0x0000_de45_e000_0000);
        let peer = match env::var("ORCAVM_DIFFERENTIAL_PEER").as_deref() {
            Ok("wasmi") => Peer::Wasmi,
            Ok("wasmtime") => Peer::Wasmtime,
            _ if seed.is_multiple_of(8) => Peer::Wasmtime,
            _ => Peer::Wasmi,
        };
        let size = number("ORCAVM_DIFFERENTIAL_SIZE", 0);
        let size = usize::try_from(size).expect("a small number");
        let sizes = if size == 0 { &SIZES[..] } else { &[size] };
        case.wasm = random.dense_module(&proposals(peer), sizes);
        compare::run(
            &case.wasm,
            &Setup::of_seed(seed, true),
            &mut random,
            Strictness::Valid,
            peer,
        )
    });
    assert_much_compared(&tally, 10, 10);
}

#[test]
fn damaged_modules_do_no_harm() {
    let before = peak_memory();
    let tally = each_seed("damaged", 2 * count(), |seed, case| {
        let mut random = Random::new(seed ^ 0x00da_3a6e_d000_0000);
        // An eighth may use everything. Most of those only this engine runs: it has to
        // survive them.
        let used = if seed.is_multiple_of(8) {
            Peer::Wasmtime
        } else {
            Peer::Wasmi
        };
        case.wasm = random.damaged_module(seed, &proposals(used));
        compare::run(
            &case.wasm,
            &Setup::of_seed(seed, false),
            &mut random,
            Strictness::Damaged,
            Peer::Wasmi,
        )
    });
    assert!(
        tally.modules < 100 || tally.refused * 20 > tally.modules,
        "hardly anything damaged: {tally:?}"
    );
    assert!(
        tally.modules < 100 || tally.results * 10 > tally.modules,
        "hardly anything runs: {tally:?}"
    );
    // Each store is limited to 64 MiB; two of them and the modules are alive at a time.
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 1 << 30, "memory use grew by {grown} bytes");
}

/// The most memory this process ever had, in bytes; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
