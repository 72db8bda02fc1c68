//! From bytes to [`ModuleData`]: wasmparser parses and validates, this keeps
//! what running needs. Bodies are validated last, by several threads where
//! there is much of them.

use std::sync::Arc;

use wasmparser::{Encoding, Parser, Payload, ValidPayload, Validator, WasmFeatures};

use super::sections::{Builder, range};
use super::validate::{Bodies, validate_bodies};
use super::{FuncBody, FuncIdx, ModuleData, proposals};
use crate::error::{LoadError, LoadErrorKind};
use crate::types::TypeRegistry;

/// What a module in the binary format begins with.
const MAGIC: &[u8] = b"\0asm";

impl ModuleData {
    /// Parses and validates `bytes`, with `threads` threads at most. Types are
    /// given their identities by `registry`.
    ///
    /// # Errors
    /// If they are no valid module under `features`, or one that an
    /// implementation limit refuses. Of several faults the first in the bytes
    /// is reported, however many threads there are.
    pub(crate) fn parse(
        bytes: Arc<[u8]>,
        features: WasmFeatures,
        registry: &TypeRegistry,
        threads: usize,
    ) -> Result<Self, LoadError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(LoadError::new(LoadErrorKind::TooLarge(bytes.len()), None));
        }
        let magic = bytes.get(..MAGIC.len()).unwrap_or(&bytes);
        if magic.is_empty() || !MAGIC.starts_with(magic) {
            return Err(LoadError::new(LoadErrorKind::NotWasm, Some(0)));
        }
        let mut module = Builder::new(Arc::clone(&bytes), registry);
        let mut first_body = None;
        let sections = read_sections(&bytes, features, &mut module, &mut first_body);
        let bodies = match first_body {
            Some(bodies) => validate_bodies(&mut module.data, bodies, threads),
            None => Ok(()),
        };
        // Sections behind the code were read before the bodies.
        let error = match (sections, bodies) {
            (Ok(()), Ok(())) => return Ok(module.finish()),
            (Err(error), Ok(())) | (Ok(()), Err(error)) => error,
            (Err(section), Err(body)) if body.offset() < section.offset() => body,
            (Err(section), Err(_)) => section,
        };
        Err(explain(error, &module.data, features))
    }
}

/// Reads all sections into `module`, validating all but the bodies.
fn read_sections(
    bytes: &[u8],
    features: WasmFeatures,
    module: &mut Builder,
    bodies: &mut Option<Bodies>,
) -> Result<(), LoadError> {
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let Payload::Version {
            encoding: Encoding::Component,
            ..
        } = payload
        {
            return Err(LoadError::new(LoadErrorKind::Component, Some(4)));
        }
        match validator.payload(&payload)? {
            ValidPayload::Func(func, body) => {
                module.data.bodies.push(FuncBody {
                    range: range(body.range()),
                    max_stack: 0,
                    local_slots: 0,
                    has_tail_calls: false,
                });
                bodies.get_or_insert_with(|| Bodies::new(func));
            }
            _ => module.section(payload)?,
        }
    }
    Ok(())
}

/// Adds to an error what the rest of the module tells.
fn explain(error: LoadError, module: &ModuleData, features: WasmFeatures) -> LoadError {
    let offset = error.offset();
    match error.into_kind() {
        LoadErrorKind::Invalid(message) => {
            let proposal = offset.and_then(|offset| proposals::missing(&module.bytes, features, offset));
            LoadError::new(proposal.unwrap_or(LoadErrorKind::Invalid(message)), offset)
        }
        LoadErrorKind::FrameTooLarge { func, slots, .. } => {
            let name = module.func_name(FuncIdx::new(func)).map(Into::into);
            LoadError::new(LoadErrorKind::FrameTooLarge { func, name, slots }, offset)
        }
        kind => LoadError::new(kind, offset),
    }
}
