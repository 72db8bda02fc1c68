//! What is kept of each section of a module. The validator has seen a section
//! before it comes here, so indices are in bounds and counts are true.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;
use wasmparser::{Element, ElementItems, ElementKind, ExternalKind, Operator, Payload, Table, TableInit, TypeRef};

use super::{
    ConstExpr, ConstOp, DataKind, DataSegment, ElemItems, ElemKind, ElemSegment, Export, ExportKind, FuncIdx,
    GlobalIdx, Import, ImportKind, MemoryIdx, ModuleData, TableIdx, TagIdx, TypeIdx,
};
use crate::error::{LoadError, LoadErrorKind};
use crate::types::{CompositeType, GlobalType, MemoryType, RefType, TableType, TypeRegistry, TypeSpace, Unsupported};

/// Custom sections a module may have. Each costs three bytes in a module but
/// ten times that here.
const MAX_CUSTOM_SECTIONS: usize = 100_000;

/// A range of bytes of a module in memory.
pub(super) fn range(range: Range<u64>) -> Range<usize> {
    let to_usize = |offset| usize::try_from(offset).expect("the module is in memory");
    to_usize(range.start)..to_usize(range.end)
}

/// The error of something the validator lets through but this crate does not
/// run.
fn unsupported(Unsupported(what): Unsupported, offset: u64) -> LoadError {
    LoadError::new(LoadErrorKind::Unsupported(what), Some(offset))
}

/// A module in the making.
pub(super) struct Builder {
    pub(super) data: ModuleData,
    registry: TypeRegistry,
    /// By function, as far as there is one that escapes.
    escapes: Vec<bool>,
}

impl Builder {
    /// A module of these bytes, whose types are given their identities by
    /// `registry`.
    pub(super) fn new(bytes: Arc<[u8]>, registry: &TypeRegistry) -> Self {
        let data = ModuleData {
            bytes,
            types: Vec::new(),
            imports: Vec::new(),
            func_imports: Box::default(),
            funcs: Vec::new(),
            num_imported_funcs: 0,
            tables: Vec::new(),
            num_imported_tables: 0,
            table_inits: Vec::new(),
            memories: Vec::new(),
            num_imported_memories: 0,
            globals: Vec::new(),
            num_imported_globals: 0,
            tags: Vec::new(),
            num_imported_tags: 0,
            open_imports: std::collections::BTreeSet::new(),
            global_inits: Vec::new(),
            settled: Box::default(),
            exports: Vec::new(),
            exports_by_name: Box::default(),
            start: None,
            elems: Vec::new(),
            datas: Vec::new(),
            bodies: Vec::new(),
            code_start: 0,
            num_escaped: 0,
            escaped: Vec::new(),
            customs: Vec::new(),
            names: OnceLock::new(),
        };
        Self {
            data,
            registry: registry.clone(),
            escapes: Vec::new(),
        }
    }

    /// The module, with all its sections read and its bodies validated.
    pub(super) fn finish(self) -> ModuleData {
        let Self { mut data, escapes, .. } = self;
        let index = |i: usize| u32::try_from(i).expect("the validator bounds the number of functions and exports");
        let escaped = escapes.iter().enumerate().filter(|(_, escapes)| **escapes);
        data.escaped = escaped.map(|(func, _)| FuncIdx::new(index(func))).collect();
        data.num_escaped = data.escaped.len();
        let mut by_name: Box<[u32]> = (0..index(data.exports.len())).collect();
        by_name.sort_unstable_by_key(|position| data.exports.get(*position as usize).map(|export| &export.name));
        data.exports_by_name = by_name;
        let funcs = (0..)
            .zip(&data.imports)
            .filter(|(_, import)| matches!(import.ty, ImportKind::Func(_)));
        data.func_imports = funcs.map(|(position, _)| position).collect();
        for export in &data.exports {
            if let ExportKind::Global(global) = export.kind
                && global.index() < data.num_imported_globals
            {
                data.open_imports.insert(global.as_u32());
            }
        }
        data.types.shrink_to_fit();
        data.imports.shrink_to_fit();
        data.funcs.shrink_to_fit();
        data.globals.shrink_to_fit();
        data.tags.shrink_to_fit();
        data.exports.shrink_to_fit();
        data.elems.shrink_to_fit();
        data.datas.shrink_to_fit();
        data.customs.shrink_to_fit();
        data
    }

    /// Keeps what a section says.
    ///
    /// # Errors
    /// If it uses what this crate does not run, or a limit is met.
    pub(super) fn section(&mut self, payload: Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::TypeSection(section) => {
                let offset = section.range().start;
                for group in section {
                    CompositeType::add_group(&mut self.data.types, &group?, &self.registry)
                        .map_err(|e| unsupported(e, offset))?;
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.import(&import, offset)?;
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.data.funcs.push(TypeIdx::new(ty?));
                }
            }
            Payload::TableSection(section) => {
                for table in section.into_iter_with_offsets() {
                    let (offset, table) = table?;
                    self.table(&table, offset)?;
                }
            }
            Payload::MemorySection(section) => {
                for ty in section {
                    self.data.memories.push(MemoryType::from_wasm(ty?));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let space = TypeSpace::new(&self.data.types);
                    let ty = GlobalType::from_wasm(global.ty, space, &self.registry);
                    let ty = ty.map_err(|e| unsupported(e, offset))?;
                    let init = self.const_expr(&global.init_expr)?;
                    self.data.globals.push(ty);
                    self.data.global_inits.push(init);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    let kind = self.export_kind(&export).map_err(|e| unsupported(e, offset))?;
                    self.data.exports.push(Export {
                        name: export.name.into(),
                        kind,
                    });
                }
            }
            Payload::StartSection { func, .. } => self.data.start = Some(self.escaping(func)),
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    self.segment(&segment?)?;
                }
            }
            Payload::CodeSectionStart {
                count, unchecked_range, ..
            } => {
                self.data.code_start = range(unchecked_range).start;
                // As many as the function section has, or the validator objects.
                self.data.bodies.reserve_exact(count as usize);
            }
            Payload::CustomSection(section) => {
                if self.data.customs.len() == MAX_CUSTOM_SECTIONS {
                    let kind = LoadErrorKind::TooMany {
                        what: "custom sections",
                        limit: MAX_CUSTOM_SECTIONS,
                    };
                    return Err(LoadError::new(kind, Some(section.range().start)));
                }
                self.data
                    .customs
                    .push((section.name().into(), range(section.data_range())));
            }
            Payload::TagSection(section) => {
                for tag in section {
                    self.data.tags.push(TypeIdx::new(tag?.func_type_idx));
                }
            }
            // The module's head and end, the count of data segments, bodies,
            // and what the validator refuses: nothing to keep.
            _ => {}
        }
        Ok(())
    }

    /// Notes that a function can be referred to by value.
    fn escaping(&mut self, func: u32) -> FuncIdx {
        let func = FuncIdx::new(func);
        if self.escapes.len() <= func.index() {
            self.escapes.resize(func.index() + 1, false);
        }
        if let Some(escapes) = self.escapes.get_mut(func.index()) {
            *escapes = true;
        }
        func
    }

    fn import(&mut self, import: &wasmparser::Import<'_>, offset: u64) -> Result<(), LoadError> {
        let data = &mut self.data;
        let refuse = |e| unsupported(e, offset);
        let space = TypeSpace::new(&data.types);
        let index = |i: usize| u32::try_from(i).expect("validation bounds index spaces");
        let ty = match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                data.funcs.push(TypeIdx::new(ty));
                data.num_imported_funcs += 1;
                ImportKind::Func(TypeIdx::new(ty))
            }
            TypeRef::Table(ty) => {
                let ty = TableType::from_wasm(ty, space, &self.registry).map_err(refuse)?;
                data.tables.push(ty);
                data.num_imported_tables += 1;
                ImportKind::Table(TableIdx::new(index(data.tables.len() - 1)))
            }
            TypeRef::Memory(ty) => {
                let ty = MemoryType::from_wasm(ty);
                data.memories.push(ty);
                data.num_imported_memories += 1;
                ImportKind::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = GlobalType::from_wasm(ty, space, &self.registry).map_err(refuse)?;
                data.globals.push(ty);
                data.num_imported_globals += 1;
                ImportKind::Global(GlobalIdx::new(index(data.globals.len() - 1)))
            }
            TypeRef::Tag(ty) => {
                let ty = TypeIdx::new(ty.func_type_idx);
                data.tags.push(ty);
                data.num_imported_tags += 1;
                ImportKind::Tag(ty)
            }
        };
        data.imports.push(Import {
            module: import.module.into(),
            name: import.name.into(),
            ty,
            is_exact: matches!(import.ty, TypeRef::FuncExact(_)),
        });
        Ok(())
    }

    fn table(&mut self, table: &Table<'_>, offset: u64) -> Result<(), LoadError> {
        let space = TypeSpace::new(&self.data.types);
        let ty = TableType::from_wasm(table.ty, space, &self.registry).map_err(|e| unsupported(e, offset))?;
        let init = match &table.init {
            TableInit::RefNull => None,
            TableInit::Expr(expr) => Some(self.const_expr(expr)?),
        };
        self.data.tables.push(ty);
        self.data.table_inits.push(init);
        Ok(())
    }

    fn export_kind(&mut self, export: &wasmparser::Export<'_>) -> Result<ExportKind, Unsupported> {
        Ok(match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func(self.escaping(export.index)),
            ExternalKind::Table => ExportKind::Table(TableIdx::new(export.index)),
            ExternalKind::Memory => ExportKind::Memory(MemoryIdx::new(export.index)),
            ExternalKind::Global => ExportKind::Global(GlobalIdx::new(export.index)),
            ExternalKind::Tag => ExportKind::Tag(TagIdx::new(export.index)),
        })
    }

    fn element(&mut self, element: Element<'_>) -> Result<(), LoadError> {
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
        let mut is_handle = false;
        let items = match element.items {
            ElementItems::Functions(funcs) => ElemItems::Funcs(
                funcs
                    .into_iter()
                    .map(|func| Ok(self.escaping(func?)))
                    .collect::<Result<_, LoadError>>()?,
            ),
            ElementItems::Expressions(ty, exprs) => {
                let space = TypeSpace::new(&self.data.types);
                let ty = RefType::from_wasm(ty, space, &self.registry);
                let ty = ty.map_err(|e| unsupported(e, element.range.start))?;
                is_handle = ty.heap_type().is_handle();
                shortest(
                    exprs
                        .into_iter()
                        .map(|expr| self.const_expr(&expr?))
                        .collect::<Result<_, LoadError>>()?,
                )
            }
        };
        self.data.elems.push(ElemSegment { kind, items, is_handle });
        Ok(())
    }

    fn segment(&mut self, segment: &wasmparser::Data<'_>) -> Result<(), LoadError> {
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
        // Its bytes end a segment.
        let end = range(segment.range.clone()).end;
        self.data.datas.push(DataSegment {
            kind,
            range: end - segment.data.len()..end,
        });
        Ok(())
    }

    /// Keeps a constant expression, and notes the functions it refers to.
    fn const_expr(&mut self, expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, LoadError> {
        let mut ops: SmallVec<[ConstOp; 4]> = SmallVec::new();
        let mut reader = expr.get_operators_reader();
        loop {
            let (op, offset) = reader.read_with_offset()?;
            let op = match op {
                Operator::End => break,
                Operator::I32Const { value } => ConstOp::Const(u64::from(value.cast_unsigned())),
                Operator::I64Const { value } => ConstOp::Const(value.cast_unsigned()),
                Operator::F32Const { value } => ConstOp::Const(u64::from(value.bits())),
                Operator::F64Const { value } => ConstOp::Const(value.bits()),
                Operator::V128Const { value } => {
                    let value = value.i128().cast_unsigned();
                    ops.push(ConstOp::Const(value as u64));
                    ConstOp::Const((value >> 64) as u64)
                }
                Operator::RefNull { .. } => ConstOp::Const(0),
                Operator::RefFunc { function_index } => ConstOp::RefFunc(self.escaping(function_index)),
                Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIdx::new(global_index)),
                Operator::I32Add => ConstOp::I32Add,
                Operator::I32Sub => ConstOp::I32Sub,
                Operator::I32Mul => ConstOp::I32Mul,
                Operator::I64Add => ConstOp::I64Add,
                Operator::I64Sub => ConstOp::I64Sub,
                Operator::I64Mul => ConstOp::I64Mul,
                Operator::RefI31 => ConstOp::RefI31,
                Operator::StructNew { struct_type_index } => ConstOp::StructNew(TypeIdx::new(struct_type_index)),
                Operator::StructNewDefault { struct_type_index } => {
                    ConstOp::StructNewDefault(TypeIdx::new(struct_type_index))
                }
                Operator::StructNewDesc { struct_type_index } => {
                    ConstOp::StructNewDesc(TypeIdx::new(struct_type_index))
                }
                Operator::StructNewDefaultDesc { struct_type_index } => {
                    ConstOp::StructNewDefaultDesc(TypeIdx::new(struct_type_index))
                }
                Operator::ArrayNew { array_type_index } => ConstOp::ArrayNew(TypeIdx::new(array_type_index)),
                Operator::ArrayNewDefault { array_type_index } => {
                    ConstOp::ArrayNewDefault(TypeIdx::new(array_type_index))
                }
                Operator::ArrayNewFixed {
                    array_type_index,
                    array_size,
                } => ConstOp::ArrayNewFixed(TypeIdx::new(array_type_index), array_size),
                // A reference is the same in both hierarchies.
                Operator::AnyConvertExtern | Operator::ExternConvertAny => continue,
                // wasmparser's enum is open.
                _ => {
                    return Err(unsupported(
                        Unsupported("this operator in a constant expression"),
                        offset,
                    ));
                }
            };
            ops.push(op);
        }
        Ok(ConstExpr::new(&ops))
    }
}

/// What the items of a segment are kept as: indices if all refer to functions.
fn shortest(exprs: Vec<ConstExpr>) -> ElemItems {
    let func = |expr: &ConstExpr| match *expr.0 {
        [ConstOp::RefFunc(func)] => Some(func),
        _ => None,
    };
    match exprs.iter().map(func).collect() {
        Some(funcs) => ElemItems::Funcs(funcs),
        None => ElemItems::Exprs(exprs.into()),
    }
}
