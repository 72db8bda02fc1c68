//! Names the proposal that a refused module needs.
//!
//! Asks the validator, not its messages. All takes a few passes over the
//! sections, and over the one body that failed, however large the module.

use wasmparser::{BinaryReaderError, FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

use super::validate::drive;
use crate::error::LoadErrorKind;
use crate::proposal::Proposal;

/// Proposals that no version of this crate has; with what they are called in
/// `… is not supported`.
const OTHERS: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::STACK_SWITCHING, "the stack-switching proposal"),
    (
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "the shared-everything-threads proposal",
    ),
    (WasmFeatures::MEMORY_CONTROL, "the memory-control proposal"),
    (WasmFeatures::COMPACT_IMPORTS, "the compact-import-section proposal"),
];

/// How many proposals are known by name.
const KNOWN: usize = Proposal::ALL.len() + OTHERS.len();

/// Of all proposals the flags of one; each stands behind those it builds on.
fn flags(i: usize) -> WasmFeatures {
    match Proposal::ALL.get(i) {
        Some(proposal) => proposal.flags(),
        None => OTHERS[i - Proposal::ALL.len()].0,
    }
}

/// That `bytes` are refused at `offset` under `features` for lack of a proposal, if
/// there is nothing else wrong.
pub(super) fn missing(bytes: &[u8], features: WasmFeatures, offset: u64) -> Option<LoadErrorKind> {
    let with_first = |count: usize| (0..count).fold(features, |features, i| features | flags(i));
    if failure(bytes, with_first(KNOWN), offset).is_some() {
        return None;
    }
    // Bisects for the first proposal that, with those before it, is enough to
    // get past the offset. `low` of them are not, `high` are.
    let (mut low, mut high) = (0, KNOWN);
    while high - low > 1 {
        let middle = low.midpoint(high);
        match failure(bytes, with_first(middle), offset) {
            Some(at) if at <= offset => low = middle,
            _ => high = middle,
        }
    }
    Some(match Proposal::ALL.get(low) {
        Some(proposal) => LoadErrorKind::Disabled(*proposal),
        None => LoadErrorKind::Unsupported(OTHERS[low - Proposal::ALL.len()].1),
    })
}

/// Where the validation of all sections, and of the body around `offset`,
/// fails first.
fn failure(bytes: &[u8], features: WasmFeatures, offset: u64) -> Option<u64> {
    let mut body_failure = None;
    let mut read = || -> Result<(), BinaryReaderError> {
        let mut validator = Validator::new_with_features(features);
        let mut parser = Parser::new(0);
        parser.set_features(features);
        for payload in parser.parse_all(bytes) {
            if let ValidPayload::Func(func, body) = validator.payload(&payload?)?
                && body.range().contains(&offset)
            {
                let mut validator = func.into_validator(FuncValidatorAllocations::default());
                body_failure = drive(&mut validator, &body, |_| ()).err().map(|error| error.offset());
            }
        }
        Ok(())
    };
    let section_failure = read().err().map(|error| error.offset());
    match (section_failure, body_failure) {
        (Some(section), Some(body)) => Some(section.min(body)),
        (section, body) => section.or(body),
    }
}
