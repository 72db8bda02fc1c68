//! Runs one module in both engines and says where they differ.

use vm::{Config, Proposal};
use wasmparser::{FunctionBody, Operator, Parser, Payload};

use crate::machine::{Ending, Machine, Setup, Value};
use crate::ours::Ours;
use crate::peer::Wasmi;
use crate::random::Random;
use crate::reference::Wasmtime;

/// How many calls are made into one module.
const CALLS: usize = 24;

/// Whom this engine is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An interpreter, for what it has.
    Wasmi,
    /// A compiler, with all proposals of the standard and some later ones.
    Wasmtime,
}

impl Peer {
    /// The proposals that modules for this peer may use: those that it has, and that
    /// this engine allows unless it is told otherwise.
    #[must_use]
    pub fn proposals(self) -> Vec<Proposal> {
        let both = [
            Proposal::Simd,
            Proposal::TailCall,
            Proposal::Memory64,
            Proposal::CustomPageSizes,
            Proposal::WideArithmetic,
        ];
        let wasmtime = [
            Proposal::RelaxedSimd,
            Proposal::Threads,
            Proposal::Exceptions,
            Proposal::FunctionReferences,
            Proposal::Gc,
        ];
        let all = both.into_iter().chain(match self {
            Peer::Wasmi => Vec::new(),
            Peer::Wasmtime => wasmtime.to_vec(),
        });
        all.filter(|proposal| Config::new().allows(*proposal)).collect()
    }
}

/// What is known of a module beforehand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// It is valid, and NaNs are canonical wherever they can be observed.
    Valid,
    /// It may be anything.
    Damaged,
}

/// What came out of one module.
pub enum Finding {
    /// Everything agreed: numbers of calls that gave results and that trapped.
    Agreed {
        /// Calls that gave results.
        results: u64,
        /// Calls that trapped.
        traps: u64,
    },
    /// Agreed until a limit was reached or as far as it could be compared.
    Inconclusive {
        /// Calls that gave results.
        results: u64,
        /// Calls that trapped.
        traps: u64,
    },
    /// This engine refused it, rightly.
    Refused,
    /// Only the peer refused it.
    RefusedByPeer,
    /// It imports what nothing can be given for.
    Unanswerable,
    /// They disagree, as this says.
    Mismatch(String),
}

/// The sum of all findings.
#[derive(Debug, Default)]
pub struct Tally {
    /// Modules that were run.
    pub modules: u64,
    /// Calls that gave results.
    pub results: u64,
    /// Calls that trapped.
    pub traps: u64,
    /// Modules that were compared up to a limit only.
    pub inconclusive: u64,
    /// Modules that are not valid, which were refused.
    pub refused: u64,
    /// Modules that only the peer refused.
    pub refused_by_peer: u64,
    /// Modules that import what nothing can be given for.
    pub unanswerable: u64,
}

impl Tally {
    /// Counts a finding.
    pub fn add(&mut self, finding: &Finding) {
        self.modules += 1;
        match *finding {
            Finding::Agreed { results, traps } => {
                self.results += results;
                self.traps += traps;
            }
            Finding::Inconclusive { results, traps } => {
                self.results += results;
                self.traps += traps;
                self.inconclusive += 1;
            }
            Finding::Refused => self.refused += 1,
            Finding::RefusedByPeer => self.refused_by_peer += 1,
            Finding::Unanswerable => self.unanswerable += 1,
            Finding::Mismatch(_) => {}
        }
    }
}

/// Runs a module in both engines, and functions that it exports.
pub fn run(wasm: &[u8], setup: &Setup, random: &mut Random, strictness: Strictness, peer: Peer) -> Finding {
    match peer {
        Peer::Wasmi => run_beside::<Wasmi>(wasm, setup, random, strictness),
        Peer::Wasmtime => run_beside::<Wasmtime>(wasm, setup, random, strictness),
    }
}

fn run_beside<P: Machine>(wasm: &[u8], setup: &Setup, random: &mut Random, strictness: Strictness) -> Finding {
    let valid = match strictness {
        Strictness::Valid => true,
        Strictness::Damaged => wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(wasm)
            .is_ok(),
    };
    let ours = Ours::start(wasm, setup);
    if !valid {
        return match ours {
            Err(Ending::Refused(_)) => Finding::Refused,
            Err(ending) => Finding::Mismatch(format!("an invalid module was run: {ending:?}")),
            Ok(_) => Finding::Mismatch("an invalid module was instantiated".into()),
        };
    }
    let peer = P::start(wasm, setup);
    let (mut results, mut traps) = (0, 0);
    let (mut ours, peer) = match (ours, peer) {
        (Ok(ours), Ok(peer)) => (ours, Some(peer)),
        (Err(Ending::Unanswerable), _) => return Finding::Unanswerable,
        // The peer's limits are narrower in places. Run the module anyway.
        (Ok(ours), Err(Ending::Limit | Ending::Refused(_))) => (ours, None),
        (Err(Ending::Limit), _) | (_, Err(Ending::Limit)) => return Finding::Inconclusive { results, traps },
        // It may use a proposal that only the peer or only the validator has on.
        (Err(Ending::Refused(_)), _) if strictness == Strictness::Damaged => return Finding::Refused,
        (Err(ours @ (Ending::Trap(_) | Ending::Exception)), Err(peer)) if ours == peer => {
            return Finding::Agreed { results, traps: 1 };
        }
        (Err(Ending::Trap(_) | Ending::Exception), Err(Ending::Refused(_))) => return Finding::RefusedByPeer,
        (ours, peer) => {
            let (ours, peer) = (ours.err(), peer.err());
            return Finding::Mismatch(format!(
                "instantiation: {ours:?}, but the peer: {peer:?} (None: worked)"
            ));
        }
    };
    let Some(mut peer) = peer else {
        for (name, arguments) in calls(&mut ours, random) {
            ours.call(&name, &arguments);
        }
        return Finding::RefusedByPeer;
    };
    // NaNs are not canonical in a damaged module, and engines differ in their bits.
    let exact = strictness == Strictness::Valid || !uses_floats(wasm);
    if exact && let Some(difference) = state_difference(&mut ours, &mut peer) {
        return Finding::Mismatch(format!("after instantiation: {difference}"));
    }
    for (name, arguments) in calls(&mut ours, random) {
        let (found, expected) = (ours.call(&name, &arguments), peer.call(&name, &arguments));
        if matches!(found, Ending::Limit) || matches!(expected, Ending::Limit) || !exact {
            // One of them did not finish, so their memories may differ now. Go on
            // with ours, which must survive whatever comes.
            for (name, arguments) in calls(&mut ours, random) {
                ours.call(&name, &arguments);
            }
            return Finding::Inconclusive { results, traps };
        }
        if found != expected {
            return Finding::Mismatch(format!("{name}{arguments:?}: {found:?}, but the peer: {expected:?}"));
        }
        match found {
            Ending::Values(_) => results += 1,
            _ => traps += 1,
        }
        if let Some(difference) = state_difference(&mut ours, &mut peer) {
            return Finding::Mismatch(format!("after {name}{arguments:?}: {difference}"));
        }
    }
    Finding::Agreed { results, traps }
}

/// The calls to make: in turn all exported functions for whose parameters there are
/// values, with random arguments.
fn calls(machine: &mut impl Machine, random: &mut Random) -> Vec<(String, Vec<Value>)> {
    let mut functions = machine.functions();
    functions.retain(|(_, types)| types.iter().all(|&ty| random.value(ty).is_some()));
    let calls = functions
        .iter()
        .cycle()
        .take(if functions.is_empty() { 0 } else { CALLS });
    calls
        .map(|(name, types)| {
            let arguments = types.iter().filter_map(|&ty| random.value(ty)).collect();
            (name.clone(), arguments)
        })
        .collect()
}

fn state_difference(ours: &mut impl Machine, peer: &mut impl Machine) -> Option<String> {
    let (found, expected) = (ours.state(), peer.state());
    (found != expected).then(|| format!("{found:?}, but the peer: {expected:?}"))
}

/// Whether any function of a valid module computes with floating-point numbers.
fn uses_floats(wasm: &[u8]) -> bool {
    let bodies = Parser::new(0).parse_all(wasm).filter_map(|payload| match payload {
        Ok(Payload::CodeSectionEntry(body)) => Some(body),
        _ => None,
    });
    bodies.into_iter().any(|body| body_uses_floats(&body).unwrap_or(true))
}

fn body_uses_floats(body: &FunctionBody<'_>) -> wasmparser::Result<bool> {
    for operator in body.get_operators_reader()? {
        // The names of the operators are those of the specification in CamelCase.
        let operator: Operator<'_> = operator?;
        let name = format!("{operator:?}");
        if name.starts_with("F32") || name.starts_with("F64") || name.contains("F32") || name.contains("F64") {
            return Ok(true);
        }
    }
    Ok(false)
}
