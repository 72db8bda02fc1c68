//! Validation of function bodies (Spec 3.0 §3.4), by several threads where
//! there is much of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmparser::{
    BinaryReader, BinaryReaderError, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    ValidatorResources, WasmFeatures,
};

use super::settled::settled;
use super::{FuncBody, FuncIdx, ModuleData};
use super::{HEADER_SLOTS, MAX_FRAME_SLOTS};
use crate::error::{LoadError, LoadErrorKind};
use crate::types::{CompositeType, FuncType, GlobalType, ValType};

/// Bytes of bodies from which on validation is worth several threads.
const PARALLEL_BYTES: usize = 256 << 10;
/// Threads beyond which more do not help.
const MAX_THREADS: usize = 16;
/// Bodies a thread takes at a time.
const BATCH: usize = 32;

/// What the validation of all bodies of a module has in common.
pub(super) struct Bodies {
    resources: ValidatorResources,
    features: WasmFeatures,
    /// Whether calls or globals may bring operands of type `v128`.
    has_vectors: bool,
}

impl Bodies {
    /// What `func` has in common with the module's other functions.
    pub(super) fn new(func: FuncToValidate<ValidatorResources>) -> Self {
        Self {
            resources: func.resources,
            features: func.features,
            has_vectors: false,
        }
    }
}

/// Validates all bodies read so far, and notes the sizes of their frames.
///
/// # Errors
/// The first in the order of bodies: a body that is not valid, or whose frame
/// is too large.
pub(super) fn validate_bodies(module: &mut ModuleData, mut common: Bodies, threads: usize) -> Result<(), LoadError> {
    let mut of_globals = module.globals.iter().map(GlobalType::content);
    common.has_vectors =
        module.types.iter().any(CompositeType::has_vectors) || of_globals.any(|ty| *ty == ValType::V128);
    let mut bodies = std::mem::take(&mut module.bodies);
    let result = validate_all(module, &mut bodies, &common, threads);
    module.bodies = bodies;
    let assignments = result?;
    let imported = assignments.keys().copied();
    let imported = imported.take_while(|global| (*global as usize) < module.num_imported_globals);
    module.open_imports = imported.collect();
    module.settled = settled(module, &assignments);
    Ok(())
}

/// Batches of bodies that wait for a thread, in order, and the first error.
struct Queue<'a> {
    batches: std::iter::Enumerate<std::slice::ChunksMut<'a, FuncBody>>,
    /// With the position of its body.
    error: Option<(usize, LoadError)>,
    /// Globals that bodies assign, and how often they stand there.
    assigned: BTreeMap<u32, u32>,
}

/// As [`validate_bodies`]; how often each global stands in a `global.set`. Where
/// there is no start function, that is said of imported ones only.
fn validate_all(
    module: &ModuleData,
    bodies: &mut [FuncBody],
    common: &Bodies,
    threads: usize,
) -> Result<BTreeMap<u32, u32>, LoadError> {
    let bytes: usize = bodies.iter().map(|body| body.range.len()).sum();
    let threads = if bytes < PARALLEL_BYTES {
        1
    } else {
        threads.clamp(1, MAX_THREADS)
    };
    let queue = Mutex::new(Queue {
        batches: bodies.chunks_mut(BATCH).enumerate(),
        error: None,
        assigned: BTreeMap::new(),
    });
    let work = || {
        let mut allocations = FuncValidatorAllocations::default();
        let mut assigned = BTreeMap::new();
        while let Some((batch, bodies)) = next_batch(&queue) {
            for (i, body) in bodies.iter_mut().enumerate() {
                let defined = batch * BATCH + i;
                if let Err(error) = validate_body(module, defined, body, common, &mut allocations, &mut assigned) {
                    let mut queue = lock(&queue);
                    if queue.error.as_ref().is_none_or(|(first, _)| defined < *first) {
                        queue.error = Some((defined, error));
                    }
                    return;
                }
            }
        }
        let mut queue = lock(&queue);
        for (global, count) in assigned {
            *queue.assigned.entry(global).or_default() += count;
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system has no thread to give, the others do the work.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let Queue { error, assigned, .. } = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    match error {
        Some((_, error)) => Err(error),
        None => Ok(assigned),
    }
}

/// The next batch; none once there is an error, since all before it have been
/// handed out.
fn next_batch<'a>(queue: &Mutex<Queue<'a>>) -> Option<(usize, &'a mut [FuncBody])> {
    let mut queue = lock(queue);
    if queue.error.is_some() {
        None
    } else {
        queue.batches.next()
    }
}

fn lock<'a, 'b>(queue: &'a Mutex<Queue<'b>>) -> MutexGuard<'a, Queue<'b>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Validates the body of the `defined`-th defined function.
fn validate_body(
    module: &ModuleData,
    defined: usize,
    body: &mut FuncBody,
    common: &Bodies,
    allocations: &mut FuncValidatorAllocations,
    assigned: &mut BTreeMap<u32, u32>,
) -> Result<(), LoadError> {
    // The validator has counted functions and bodies, and bounded their number.
    let func = FuncIdx::new(u32::try_from(module.num_imported_funcs + defined).expect("fewer than 2^32 functions"));
    let to_validate = FuncToValidate {
        resources: common.resources.clone(),
        index: func.as_u32(),
        ty: module
            .funcs
            .get(func.index())
            .expect("each body has a function")
            .as_u32(),
        features: common.features,
    };
    let bytes = module
        .bytes
        .get(body.range.clone())
        .expect("bodies are read from these bytes");
    let mut validator = to_validate.into_validator(std::mem::take(allocations));
    let wasm_body = FunctionBody::new(BinaryReader::new(bytes, body.range.start as u64));
    let operands = drive(&mut validator, &wasm_body, |global| {
        if module.start.is_some() || (global as usize) < module.num_imported_globals {
            // Fewer than the module has bytes.
            *assigned.entry(global).or_default() += 1;
        }
    })?;
    *allocations = validator.into_allocations();
    let (local_slots, has_vectors) = locals(module.func_type(func), &wasm_body)?;
    body.local_slots = local_slots;
    body.has_tail_calls = operands.has_tail_calls;
    // Which operands are vectors is not followed: any may be, where one can be.
    let may_be_vectors = operands.has_vectors || has_vectors || common.has_vectors;
    body.max_stack = operands.most * if may_be_vectors { 2 } else { 1 };
    let slots = frame_slots(module, func, body);
    if slots <= MAX_FRAME_SLOTS {
        return Ok(());
    }
    let kind = LoadErrorKind::FrameTooLarge {
        func: func.as_u32(),
        name: None,
        slots,
    };
    Err(LoadError::new(kind, Some(body.range.start as u64)))
}

/// Slots of a function's locals, parameters included, and whether any is a `v128`.
/// The body is valid.
fn locals(ty: &FuncType, body: &FunctionBody<'_>) -> Result<(u32, bool), BinaryReaderError> {
    let params = ty.params().map(|ty| ty.slots());
    let (mut slots, mut has_vectors) = (params.sum::<u32>(), ty.params().any(|ty| ty == ValType::V128));
    for group in body.get_locals_reader()? {
        let (count, ty) = group?;
        let is_vector = ty == wasmparser::ValType::V128;
        has_vectors |= is_vector && count > 0;
        // Validation bounds the number of locals.
        slots += count * if is_vector { 2 } else { 1 };
    }
    Ok((slots, has_vectors))
}

/// The first byte of `global.set` (Spec 3.0 §5.4.6).
const GLOBAL_SET: u8 = 0x24;
/// The first byte of vector instructions (Spec 3.0 §5.4.9).
const VECTOR: u8 = 0xfd;
/// The first byte of instructions on aggregates (Spec 3.0 §5.4.5), whose fields may
/// be vectors.
const AGGREGATE: u8 = 0xfb;
/// The first byte of the legacy `try`.
const LEGACY_TRY: u8 = 0x06;

/// The first bytes of tail calls (Spec 3.0 §5.4.2).
const RETURN_CALL: u8 = 0x12;
/// See [`RETURN_CALL`].
const RETURN_CALL_INDIRECT: u8 = 0x13;
/// See [`RETURN_CALL`].
const RETURN_CALL_REF: u8 = 0x15;

/// What the validation of a body tells of its operand stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Operands {
    /// Operands that are on it at once, at most, and with them the exceptions that
    /// legacy `catch`es keep.
    most: u32,
    /// Whether there are instructions that may give vectors.
    has_vectors: bool,
    /// Whether there are tail calls.
    has_tail_calls: bool,
}

/// Validates a body. `assigned` is told of each global that it assigns.
pub(super) fn drive(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
    mut assigned: impl FnMut(u32),
) -> Result<Operands, BinaryReaderError> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    reader.set_features(*validator.features());
    let mut operands = Operands::default();
    let mut tries = 0;
    while !reader.eof() {
        let at = reader.original_position();
        let operator = reader.clone();
        reader.visit_operator(&mut validator.visitor(at))??;
        match first_byte(operator.clone()) {
            GLOBAL_SET => assigned_by(operator).into_iter().for_each(&mut assigned),
            VECTOR | AGGREGATE => operands.has_vectors = true,
            RETURN_CALL | RETURN_CALL_INDIRECT | RETURN_CALL_REF => operands.has_tail_calls = true,
            LEGACY_TRY => tries += 1,
            _ => {}
        }
        operands.most = operands.most.max(validator.operand_stack_height());
    }
    let end = reader.original_position();
    reader.finish_expression(&validator.visitor(end))?;
    operands.most += tries;
    Ok(operands)
}

/// The first byte of the operator that begins here.
#[inline]
fn first_byte(mut operator: BinaryReader<'_>) -> u8 {
    operator.read_u8().unwrap_or(0)
}

/// The global that the `global.set` which begins here assigns.
fn assigned_by(mut operator: BinaryReader<'_>) -> Option<u32> {
    operator.read_u8().ok()?;
    operator.read_var_u32().ok()
}

/// Slots that a function's code may name, at most: its parameters and results,
/// header, locals and operands, and the parameters, results and header of what
/// it calls.
fn frame_slots(module: &ModuleData, func: FuncIdx, body: &FuncBody) -> usize {
    let slots = module.func_type(func).slots() as usize;
    2 * slots + 2 * HEADER_SLOTS + body.local_slots as usize + body.max_stack as usize + 2
}
