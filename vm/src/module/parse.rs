//! From bytes to [`ModuleData`]: wasmparser parses and validates, this keeps
//! what running needs. Bodies are validated last, by several threads where
//! there is much of them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmparser::{
    ElementItems, ElementKind, Encoding, ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Imports,
    Operator, Parser, Payload, TableInit, TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::{
    ConstExpr, ConstOp, DataKind, DataSegment, ElemItems, ElemKind, ElemSegment, Export, ExportKind, FuncBody, FuncIdx,
    GlobalIdx, Import, ImportKind, MemoryIdx, ModuleData, TableIdx, TypeIdx, TypeRegistry,
};
use crate::error::{LoadError, LoadErrorKind};
use crate::ir::translate::{HEADER_SLOTS, MAX_FRAME_SLOTS};
use crate::types::{FuncType, GlobalType, MemoryType, TableType, Unsupported};

/// Bytes of bodies from which on validation is worth several threads.
const PARALLEL_BYTES: usize = 256 << 10;

/// A body that waits for its validation.
struct Waiting<'a> {
    func: FuncToValidate<ValidatorResources>,
    body: FunctionBody<'a>,
}

impl ModuleData {
    /// Parses and validates `bytes`, with `threads` threads at most.
    ///
    /// # Errors
    /// If they are no valid module under `features`, or one with a function
    /// that needs too large a frame. Of several faults in bodies the first is
    /// reported.
    pub(crate) fn parse(
        bytes: Arc<[u8]>,
        features: WasmFeatures,
        registry: &TypeRegistry,
        threads: usize,
    ) -> Result<Self, LoadError> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(LoadError::new(LoadErrorKind::TooLarge(bytes.len()), None));
        }
        if !bytes.starts_with(b"\0asm") && bytes.len() >= 4 {
            return Err(LoadError::new(LoadErrorKind::NotWasm, Some(0)));
        }
        let mut module = Builder::new(Arc::clone(&bytes));
        let mut validator = Validator::new_with_features(features);
        let mut waiting = Vec::new();
        for payload in Parser::new(0).parse_all(&bytes) {
            let payload = payload?;
            if let Payload::Version {
                encoding: Encoding::Component,
                ..
            } = payload
            {
                return Err(LoadError::new(LoadErrorKind::Component, Some(4)));
            }
            if let ValidPayload::Func(func, body) = validator.payload(&payload)? {
                module.data.bodies.push(FuncBody {
                    range: range(body.range()),
                });
                waiting.push(Waiting { func, body });
            } else {
                module.section(payload, registry)?;
            }
        }
        validate_bodies(&module.data, &waiting, threads)?;
        drop(waiting);
        Ok(module.finish())
    }
}

/// A range of bytes of a module in memory.
fn range(range: Range<u64>) -> Range<usize> {
    // The module is in memory, so its offsets are a `usize`.
    range.start as usize..range.end as usize
}

/// A module in the making.
struct Builder {
    data: ModuleData,
    escaped: BTreeSet<FuncIdx>,
}

impl Builder {
    fn new(bytes: Arc<[u8]>) -> Self {
        let data = ModuleData {
            bytes,
            types: Vec::new(),
            type_ids: Vec::new(),
            imports: Vec::new(),
            funcs: Vec::new(),
            num_imported_funcs: 0,
            tables: Vec::new(),
            num_imported_tables: 0,
            table_inits: Vec::new(),
            memories: Vec::new(),
            num_imported_memories: 0,
            globals: Vec::new(),
            num_imported_globals: 0,
            global_inits: Vec::new(),
            exports: Vec::new(),
            export_names: HashMap::new(),
            start: None,
            elems: Vec::new(),
            datas: Vec::new(),
            bodies: Vec::new(),
            num_escaped: 0,
            escaped: Vec::new(),
            customs: Vec::new(),
            names: OnceLock::new(),
        };
        Self {
            data,
            escaped: BTreeSet::new(),
        }
    }

    fn finish(self) -> ModuleData {
        let mut data = self.data;
        data.escaped = self.escaped.into_iter().collect();
        data.num_escaped = data.escaped.len();
        data.bodies.shrink_to_fit();
        data
    }

    /// Keeps what a validated section says.
    #[allow(clippy::too_many_lines, reason = "one arm a section")]
    fn section(&mut self, payload: Payload<'_>, registry: &TypeRegistry) -> Result<(), LoadError> {
        let data = &mut self.data;
        match payload {
            Payload::TypeSection(section) => {
                let offset = section.range().start;
                for ty in section.into_iter_err_on_gc_types() {
                    let ty = FuncType::from_wasm(&ty?).map_err(|e| unsupported(e, offset))?;
                    data.type_ids.push(registry.intern(&ty));
                    data.types.push(ty);
                }
            }
            Payload::ImportSection(section) => {
                let offset = section.range().start;
                for imports in section {
                    match imports? {
                        Imports::Single(_, import) => self.import(import.module, import.name, import.ty, offset)?,
                        Imports::Compact1 { module, items } => {
                            for item in items {
                                let item = item?;
                                self.import(module, item.name, item.ty, offset)?;
                            }
                        }
                        Imports::Compact2 { module, ty, names } => {
                            for name in names {
                                self.import(module, name?, ty, offset)?;
                            }
                        }
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    data.funcs.push(TypeIdx::new(ty?));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    let ty = TableType::from_wasm(table.ty).map_err(|e| unsupported(e, 0))?;
                    let init = match table.init {
                        TableInit::RefNull => None,
                        TableInit::Expr(expr) => Some(self.const_expr(&expr)?),
                    };
                    self.data.tables.push(ty);
                    self.data.table_inits.push(init);
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    data.memories
                        .push(MemoryType::from_wasm(ty?).map_err(|e| unsupported(e, 0))?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let ty = GlobalType::from_wasm(global.ty).map_err(|e| unsupported(e, 0))?;
                    let init = self.const_expr(&global.init_expr)?;
                    self.data.globals.push(ty);
                    self.data.global_inits.push(init);
                }
            }
            Payload::ExportSection(section) => {
                let offset = section.range().start;
                for export in section {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func => {
                            self.escaped.insert(FuncIdx::new(export.index));
                            ExportKind::Func(FuncIdx::new(export.index))
                        }
                        ExternalKind::Table => ExportKind::Table(TableIdx::new(export.index)),
                        ExternalKind::Memory => ExportKind::Memory(MemoryIdx::new(export.index)),
                        ExternalKind::Global => ExportKind::Global(GlobalIdx::new(export.index)),
                        ExternalKind::Tag | ExternalKind::FuncExact => return Err(unsupported(Unsupported, offset)),
                    };
                    data.export_names.insert(export.name.into(), data.exports.len());
                    data.exports.push(Export {
                        name: export.name.into(),
                        kind,
                    });
                }
            }
            Payload::StartSection { func, .. } => {
                self.escaped.insert(FuncIdx::new(func));
                data.start = Some(FuncIdx::new(func));
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let kind = match &element.kind {
                        ElementKind::Passive => ElemKind::Passive,
                        ElementKind::Declared => ElemKind::Declared,
                        ElementKind::Active {
                            table_index,
                            offset_expr,
                        } => ElemKind::Active {
                            table: TableIdx::new(table_index.unwrap_or(0)),
                            offset: self.const_expr(offset_expr)?,
                        },
                    };
                    let items = match element.items {
                        ElementItems::Functions(funcs) => {
                            let funcs: Box<[FuncIdx]> = funcs
                                .into_iter()
                                .map(|func| func.map(FuncIdx::new))
                                .collect::<Result<_, _>>()?;
                            self.escaped.extend(funcs.iter().copied());
                            ElemItems::Funcs(funcs)
                        }
                        ElementItems::Expressions(_, exprs) => {
                            let exprs = exprs
                                .into_iter()
                                .map(|expr| self.const_expr(&expr?))
                                .collect::<Result<_, _>>()?;
                            ElemItems::Exprs(exprs)
                        }
                    };
                    self.data.elems.push(ElemSegment { kind, items });
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment?;
                    let kind = match &segment.kind {
                        wasmparser::DataKind::Passive => DataKind::Passive,
                        wasmparser::DataKind::Active {
                            memory_index,
                            offset_expr,
                        } => DataKind::Active {
                            memory: MemoryIdx::new(*memory_index),
                            offset: self.const_expr(offset_expr)?,
                        },
                    };
                    // The bytes end the segment.
                    let end = segment.range.end as usize;
                    self.data.datas.push(DataSegment {
                        kind,
                        range: end - segment.data.len()..end,
                    });
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                // The count was checked against the function section's.
                data.bodies.reserve(count as usize);
            }
            Payload::CustomSection(section) => {
                let end = section.range().end as usize;
                data.customs
                    .push((section.name().into(), end - section.data().len()..end));
            }
            // These need nothing kept, or are refused by the validator.
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef, offset: u64) -> Result<(), LoadError> {
        let data = &mut self.data;
        let refuse = |e| unsupported(e, offset);
        let ty = match ty {
            TypeRef::Func(ty) => {
                data.funcs.push(TypeIdx::new(ty));
                data.num_imported_funcs += 1;
                ImportKind::Func(TypeIdx::new(ty))
            }
            TypeRef::Table(ty) => {
                let ty = TableType::from_wasm(ty).map_err(refuse)?;
                data.tables.push(ty);
                data.num_imported_tables += 1;
                ImportKind::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = MemoryType::from_wasm(ty).map_err(refuse)?;
                data.memories.push(ty);
                data.num_imported_memories += 1;
                ImportKind::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = GlobalType::from_wasm(ty).map_err(refuse)?;
                data.globals.push(ty);
                data.num_imported_globals += 1;
                ImportKind::Global(ty)
            }
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => return Err(refuse(Unsupported)),
        };
        data.imports.push(Import {
            module: module.into(),
            name: name.into(),
            ty,
        });
        Ok(())
    }

    /// Keeps a constant expression, and the functions it refers to.
    fn const_expr(&mut self, expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, LoadError> {
        let mut ops = smallvec::SmallVec::new();
        let mut reader = expr.get_operators_reader();
        loop {
            let (op, offset) = reader.read_with_offset()?;
            ops.push(match op {
                Operator::End => break,
                Operator::I32Const { value } => ConstOp::Const(u64::from(value.cast_unsigned())),
                Operator::I64Const { value } => ConstOp::Const(value.cast_unsigned()),
                Operator::F32Const { value } => ConstOp::Const(u64::from(value.bits())),
                Operator::F64Const { value } => ConstOp::Const(value.bits()),
                Operator::RefNull { .. } => ConstOp::Const(0),
                Operator::RefFunc { function_index } => {
                    self.escaped.insert(FuncIdx::new(function_index));
                    ConstOp::RefFunc(FuncIdx::new(function_index))
                }
                Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIdx::new(global_index)),
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                _ => return Err(unsupported(Unsupported, offset)),
            });
        }
        Ok(ConstExpr(ops))
    }
}

/// The error of something the validator lets through but this crate does not
/// run.
fn unsupported(_: Unsupported, offset: u64) -> LoadError {
    LoadError::new(LoadErrorKind::Unsupported("a type of a later proposal"), Some(offset))
}

/// Validates all bodies; the error is the first in the module's order.
fn validate_bodies(module: &ModuleData, waiting: &[Waiting<'_>], threads: usize) -> Result<(), LoadError> {
    let bytes: usize = module.bodies.iter().map(|body| body.range.len()).sum();
    let threads = if bytes < PARALLEL_BYTES {
        1
    } else {
        threads.clamp(1, 16)
    };
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<(usize, LoadError)>> = Mutex::new(None);
    let work = || {
        let mut allocations = FuncValidatorAllocations::default();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let batch = waiting.iter().enumerate().skip(from).take(BATCH);
            if from >= waiting.len() {
                return;
            }
            for (i, body) in batch {
                if let Err(error) = validate_body(module, body, &mut allocations) {
                    let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|(at, _)| i < *at) {
                        *first = Some((i, error));
                    }
                    // Later bodies cannot have the first error; the batches
                    // handed out before this one go on.
                    next.store(waiting.len(), Ordering::Relaxed);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Bodies a thread takes at a time.
const BATCH: usize = 32;

/// Validates one body, and that its frame is not too large.
fn validate_body(
    module: &ModuleData,
    waiting: &Waiting<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<(), LoadError> {
    let func = FuncToValidate {
        resources: waiting.func.resources.clone(),
        index: waiting.func.index,
        ty: waiting.func.ty,
        features: waiting.func.features,
    };
    let mut validator = func.into_validator(std::mem::take(allocations));
    let mut reader = waiting.body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    reader.set_features(*validator.features());
    let mut most = 0;
    while !reader.eof() {
        let at = reader.original_position();
        reader.visit_operator(&mut validator.visitor(at))??;
        most = most.max(validator.operand_stack_height());
    }
    let end = reader.original_position();
    reader.finish_expression(&validator.visitor(end))?;
    let ty = module.func_type(FuncIdx::new(validator.index()));
    let slots = ty.slots() as usize * 2 + 2 * HEADER_SLOTS + validator.len_locals() as usize + most as usize + 2;
    let result = if slots > MAX_FRAME_SLOTS {
        let kind = LoadErrorKind::FrameTooLarge {
            func: validator.index(),
            slots,
        };
        Err(LoadError::new(kind, Some(waiting.body.range().start)))
    } else {
        Ok(())
    };
    *allocations = validator.into_allocations();
    result
}
