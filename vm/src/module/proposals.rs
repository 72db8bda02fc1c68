//! Names the proposal that a refused module needs.
//!
//! Asks the validator, not its messages. All takes a few passes over the
//! sections, and over the one body that failed, however large the module.

use wasmparser::{BinaryReaderError, FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

use super::validate::drive;

/// Proposals, each behind those it builds on; with what they are called in
/// `… is not supported`.
const PROPOSALS: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::MUTABLE_GLOBAL, "the mutable-global proposal"),
    (WasmFeatures::SIGN_EXTENSION, "the sign-extension proposal"),
    (
        WasmFeatures::SATURATING_FLOAT_TO_INT,
        "the nontrapping-float-to-int-conversions proposal",
    ),
    (WasmFeatures::MULTI_VALUE, "the multi-value proposal"),
    (WasmFeatures::BULK_MEMORY, "the bulk-memory-operations proposal"),
    (WasmFeatures::REFERENCE_TYPES, "the reference-types proposal"),
    (WasmFeatures::EXTENDED_CONST, "the extended-const proposal"),
    (WasmFeatures::MULTI_MEMORY, "the multi-memory proposal"),
    (WasmFeatures::SIMD, "the SIMD proposal (v128)"),
    (WasmFeatures::RELAXED_SIMD, "the relaxed-simd proposal"),
    (WasmFeatures::TAIL_CALL, "the tail-call proposal"),
    (WasmFeatures::THREADS, "the threads proposal"),
    (WasmFeatures::MEMORY64, "the memory64 proposal"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "the custom-page-sizes proposal"),
    (WasmFeatures::WIDE_ARITHMETIC, "the wide-arithmetic proposal"),
    (WasmFeatures::EXCEPTIONS, "the exception-handling proposal"),
    (
        WasmFeatures::LEGACY_EXCEPTIONS,
        "the legacy exception-handling proposal",
    ),
    (WasmFeatures::FUNCTION_REFERENCES, "the function-references proposal"),
    (WasmFeatures::GC.union(WasmFeatures::GC_TYPES), "the gc proposal"),
    (WasmFeatures::CUSTOM_DESCRIPTORS, "the custom-descriptors proposal"),
    (WasmFeatures::STACK_SWITCHING, "the stack-switching proposal"),
    (
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "the shared-everything-threads proposal",
    ),
    (WasmFeatures::MEMORY_CONTROL, "the memory-control proposal"),
    (WasmFeatures::COMPACT_IMPORTS, "the compact-import-section proposal"),
];

/// The proposal without which `bytes` is refused at `offset` under `features`,
/// if there is nothing else wrong.
pub(super) fn missing(bytes: &[u8], features: WasmFeatures, offset: u64) -> Option<&'static str> {
    let with_first = |count: usize| {
        let first = PROPOSALS.iter().take(count);
        first.fold(features, |features, (proposal, _)| features | *proposal)
    };
    if failure(bytes, with_first(PROPOSALS.len()), offset).is_some() {
        return None;
    }
    // Bisects for the first proposal that, with those before it, is enough to
    // get past the offset. `low` of them are not, `high` are.
    let (mut low, mut high) = (0, PROPOSALS.len());
    while high - low > 1 {
        let middle = low.midpoint(high);
        match failure(bytes, with_first(middle), offset) {
            Some(at) if at <= offset => low = middle,
            _ => high = middle,
        }
    }
    PROPOSALS.get(low).map(|(_, name)| *name)
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
