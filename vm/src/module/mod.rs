//! Structure (Spec 3.0 §2.5): what a module consists of, once parsed and
//! validated. Immutable, and shared by all who run the module.
//!
//! A [`ModuleData`] comes from [`ModuleData::parse`] only, so all its indices
//! and ranges are in bounds. What is large in real modules (code, data, names)
//! stays in the module's bytes, as ranges; besides, a module takes some tens
//! of bytes per function, segment, import and export.

mod const_expr;
mod index;
mod names;
mod parse;
mod proposals;
mod sections;
mod settled;
#[cfg(all(test, feature = "wat"))]
mod tests;
mod validate;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub(crate) use self::const_expr::{ConstExpr, ConstOp};
pub(crate) use self::index::{FuncIdx, GlobalIdx, MemoryIdx, TableIdx, TagIdx, TypeIdx};
use self::names::Names;
use crate::types::{CompositeType, ExternType, FuncType, GlobalType, MemoryType, TableType, TagType, TypeId, TypeInfo};

/// Slots that no function's frame may exceed: instructions name slots in 16
/// bits. Validation refuses functions that need more.
pub(crate) const MAX_FRAME_SLOTS: usize = 65_535;
/// Slots of a frame's header.
pub(crate) const HEADER_SLOTS: usize = 2;

/// A parsed and validated module.
#[derive(Debug)]
pub(crate) struct ModuleData {
    /// The whole binary; bodies and data segments are ranges of it.
    pub(crate) bytes: Arc<[u8]>,
    /// Types, of all kinds.
    pub(crate) types: Vec<CompositeType>,
    /// Imports, in order.
    pub(crate) imports: Vec<Import>,
    /// Positions in `imports` of those that are functions.
    func_imports: Box<[u32]>,
    /// Types of all functions, imported ones first.
    pub(crate) funcs: Vec<TypeIdx>,
    /// How many of the functions are imported.
    pub(crate) num_imported_funcs: usize,
    /// Types of all tables, imported ones first.
    pub(crate) tables: Vec<TableType>,
    /// How many of the tables are imported.
    pub(crate) num_imported_tables: usize,
    /// First values of the elements of defined tables; `None` is null.
    pub(crate) table_inits: Vec<Option<ConstExpr>>,
    /// Types of all memories, imported ones first.
    pub(crate) memories: Vec<MemoryType>,
    /// How many of the memories are imported.
    pub(crate) num_imported_memories: usize,
    /// Types of all globals, imported ones first.
    pub(crate) globals: Vec<GlobalType>,
    /// How many of the globals are imported.
    pub(crate) num_imported_globals: usize,
    /// Types of all tags, imported ones first.
    pub(crate) tags: Vec<TypeIdx>,
    /// How many of the tags are imported.
    pub(crate) num_imported_tags: usize,
    /// Indices of imported globals that its functions assign, or that it exports.
    pub(crate) open_imports: BTreeSet<u32>,
    /// First values of defined globals.
    pub(crate) global_inits: Vec<ConstExpr>,
    /// Those of them that the start function assigns once for all before anything
    /// else of the module runs, with what it assigns.
    pub(crate) settled: Box<[(GlobalIdx, ConstExpr)]>,
    /// Exports, in order.
    pub(crate) exports: Vec<Export>,
    /// Positions in `exports`, by ascending name.
    exports_by_name: Box<[u32]>,
    /// The start function.
    pub(crate) start: Option<FuncIdx>,
    /// Element segments.
    pub(crate) elems: Vec<ElemSegment>,
    /// Data segments.
    pub(crate) datas: Vec<DataSegment>,
    /// Bodies of defined functions.
    pub(crate) bodies: Vec<FuncBody>,
    /// Where the contents of the code section begin, in bytes; 0 if there is none.
    pub(crate) code_start: usize,
    /// Number of functions that can be referred to by value.
    pub(crate) num_escaped: usize,
    /// Those functions, ascending.
    escaped: Vec<FuncIdx>,
    /// Custom sections: name, and where in the bytes the content is.
    pub(crate) customs: Vec<(Box<str>, Range<usize>)>,
    names: OnceLock<Names>,
}

/// An import.
#[derive(Debug)]
pub(crate) struct Import {
    /// The module name.
    pub(crate) module: Box<str>,
    /// The field name.
    pub(crate) name: Box<str>,
    /// What is imported.
    pub(crate) ty: ImportKind,
    /// Whether a function has to be of exactly its type (custom-descriptors proposal).
    pub(crate) is_exact: bool,
}

/// What an import is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImportKind {
    /// A function of a type.
    Func(TypeIdx),
    /// The table with this index.
    Table(TableIdx),
    /// A memory.
    Memory(MemoryType),
    /// The global with this index.
    Global(GlobalIdx),
    /// A tag of a type.
    Tag(TypeIdx),
}

/// An export.
#[derive(Debug)]
pub(crate) struct Export {
    /// Its name.
    pub(crate) name: Box<str>,
    /// What is exported.
    pub(crate) kind: ExportKind,
}

/// What an export is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ExportKind {
    /// A function.
    Func(FuncIdx),
    /// A table.
    Table(TableIdx),
    /// A memory.
    Memory(MemoryIdx),
    /// A global.
    Global(GlobalIdx),
    /// A tag.
    Tag(TagIdx),
}

/// An element segment.
#[derive(Debug)]
pub(crate) struct ElemSegment {
    /// What instantiation does with it.
    pub(crate) kind: ElemKind,
    /// Its elements.
    pub(crate) items: ElemItems,
    /// Whether they are handles of a store's heap.
    pub(crate) is_handle: bool,
}

/// What instantiation does with an element segment.
#[derive(Debug)]
pub(crate) enum ElemKind {
    /// Writes it to a table.
    Active {
        /// The table.
        table: TableIdx,
        /// Where to.
        offset: ConstExpr,
    },
    /// Keeps it for `table.init`.
    Passive,
    /// Nothing: it declares functions that are referred to.
    Declared,
}

/// The elements of a segment.
#[derive(Debug)]
pub(crate) enum ElemItems {
    /// References to functions.
    Funcs(Box<[FuncIdx]>),
    /// Values of expressions.
    Exprs(Box<[ConstExpr]>),
}

/// A data segment.
#[derive(Debug)]
pub(crate) struct DataSegment {
    /// What instantiation does with it.
    pub(crate) kind: DataKind,
    /// Its bytes, in the module's.
    pub(crate) range: Range<usize>,
}

/// What instantiation does with a data segment.
#[derive(Debug)]
pub(crate) enum DataKind {
    /// Writes it to a memory.
    Active {
        /// The memory.
        memory: MemoryIdx,
        /// Where to.
        offset: ConstExpr,
    },
    /// Keeps it for `memory.init`.
    Passive,
}

/// The body of a function.
#[derive(Debug)]
pub(crate) struct FuncBody {
    /// Locals and code, in the module's bytes.
    pub(crate) range: Range<usize>,
    /// Slots that the operands on the operand stack take at once, at most.
    pub(crate) max_stack: u32,
    /// Slots of the locals, parameters included.
    pub(crate) local_slots: u32,
    /// Whether there are tail calls in it.
    pub(crate) has_tail_calls: bool,
}

impl ModuleData {
    /// The type of a function.
    ///
    /// # Panics
    /// If there is no such function.
    pub(crate) fn func_type(&self, func: FuncIdx) -> &FuncType {
        self.func_type_at(self.funcs[func.index()])
            .expect("validation requires a function type")
    }

    /// The function type with an index, if it is one.
    pub(crate) fn func_type_at(&self, ty: TypeIdx) -> Option<&FuncType> {
        self.types.get(ty.index())?.as_func()
    }

    /// The type of a tag, as a function type.
    ///
    /// # Panics
    /// If there is no such tag.
    pub(crate) fn tag_type(&self, tag: TagIdx) -> &FuncType {
        self.tag_type_at(self.tags[tag.index()])
    }

    /// The function type with an index, which is a tag's.
    fn tag_type_at(&self, ty: TypeIdx) -> &FuncType {
        self.func_type_at(ty).expect("validation requires a function type")
    }

    /// The name of a tag: from the name section, or else an export's, or else an
    /// import's.
    pub(crate) fn tag_name(&self, tag: TagIdx) -> Option<&str> {
        if let Some(name) = self.names().tag(&self.bytes, tag.as_u32()) {
            return Some(name);
        }
        let exported = self
            .exports
            .iter()
            .find(|export| matches!(export.kind, ExportKind::Tag(t) if t == tag));
        if let Some(export) = exported {
            return Some(&export.name);
        }
        let mut imported = self
            .imports
            .iter()
            .filter(|import| matches!(import.ty, ImportKind::Tag(_)));
        Some(&imported.nth(tag.index())?.name)
    }

    /// The identity of a function's type.
    ///
    /// # Panics
    /// If there is no such function.
    pub(crate) fn func_type_id(&self, func: FuncIdx) -> TypeId {
        self.types[self.funcs[func.index()].index()].def().id()
    }

    /// The record of a function's type.
    ///
    /// # Panics
    /// If there is no such function.
    pub(crate) fn func_info(&self, func: FuncIdx) -> &TypeInfo {
        self.types[self.funcs[func.index()].index()].def().info()
    }

    /// The globals that it defines.
    pub(crate) fn own_globals(&self) -> impl Iterator<Item = GlobalIdx> + use<> {
        let index = |i| GlobalIdx::new(u32::try_from(i).expect("validation bounds globals"));
        (self.num_imported_globals..self.globals.len()).map(index)
    }

    /// Functions that can be referred to by value, with their dense indices.
    pub(crate) fn escaped_funcs(&self) -> impl Iterator<Item = (usize, FuncIdx)> + '_ {
        self.escaped.iter().copied().enumerate()
    }

    /// The dense index of a function that can be referred to by value.
    pub(crate) fn escaped_index(&self, func: FuncIdx) -> Option<usize> {
        self.escaped.binary_search(&func).ok()
    }

    /// What is exported under a name.
    pub(crate) fn export(&self, name: &str) -> Option<&Export> {
        let named = |position: u32| self.exports.get(position as usize);
        let order = |position: &u32| named(*position).map(|export| &*export.name).cmp(&Some(name));
        named(
            *self
                .exports_by_name
                .get(self.exports_by_name.binary_search_by(order).ok()?)?,
        )
    }

    /// The type of an import.
    pub(crate) fn import_type(&self, import: &Import) -> ExternType {
        match import.ty {
            ImportKind::Func(ty) => self
                .func_type_at(ty)
                .expect("validation requires a function type")
                .clone()
                .into(),
            ImportKind::Table(table) => self.tables[table.index()].clone().into(),
            ImportKind::Memory(ty) => ty.into(),
            ImportKind::Global(global) => self.globals[global.index()].clone().into(),
            ImportKind::Tag(ty) => TagType::new(self.tag_type_at(ty).clone()).into(),
        }
    }

    /// The type of an export.
    pub(crate) fn export_type(&self, export: &Export) -> ExternType {
        match export.kind {
            ExportKind::Func(func) => self.func_type(func).clone().into(),
            ExportKind::Table(table) => self.tables[table.index()].clone().into(),
            ExportKind::Memory(memory) => self.memories[memory.index()].into(),
            ExportKind::Global(global) => self.globals[global.index()].clone().into(),
            ExportKind::Tag(tag) => TagType::new(self.tag_type(tag).clone()).into(),
        }
    }

    /// The name of the module, if it has one.
    pub(crate) fn module_name(&self) -> Option<&str> {
        self.names().module()
    }

    /// The name of a function: from the name section, or else an export's, or
    /// else an import's.
    pub(crate) fn func_name(&self, func: FuncIdx) -> Option<&str> {
        if let Some(name) = self.names().func(&self.bytes, func.as_u32()) {
            return Some(name);
        }
        let exported = self
            .exports
            .iter()
            .find(|export| matches!(export.kind, ExportKind::Func(f) if f == func));
        if let Some(export) = exported {
            return Some(&export.name);
        }
        Some(&self.func_import(func)?.name)
    }

    /// Whether it refers to an imported function by value: exports it, say.
    pub(crate) fn refers_to_import(&self, func: usize) -> bool {
        self.escaped.binary_search_by_key(&func, |func| func.index()).is_ok()
    }

    /// Whether an imported global has the same value always as far as the module
    /// is concerned: its functions do not assign it, and nobody else can get at it
    /// through the module.
    pub(crate) fn keeps_import(&self, global: GlobalIdx) -> bool {
        !self.open_imports.contains(&global.as_u32())
    }

    /// The import of a function.
    pub(crate) fn func_import(&self, func: FuncIdx) -> Option<&Import> {
        self.imports.get(self.import_of_func(func.index())?)
    }

    /// The position among all imports of the imported function with this index.
    pub(crate) fn import_of_func(&self, func: usize) -> Option<usize> {
        self.func_imports.get(func).map(|position| *position as usize)
    }

    /// The index of the imported function at a position among all imports.
    pub(crate) fn func_of_import(&self, position: usize) -> Option<usize> {
        let position = u32::try_from(position).ok()?;
        self.func_imports.binary_search(&position).ok()
    }

    /// Where the body of a function begins, in bytes from the module's start;
    /// 0 for imported functions.
    pub(crate) fn body_start(&self, func: FuncIdx) -> usize {
        let defined = func.index().checked_sub(self.num_imported_funcs);
        defined
            .and_then(|i| self.bodies.get(i))
            .map_or(0, |body| body.range.start)
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let section = self.customs.iter().find(|(name, _)| &**name == "name");
            section
                .map(|(_, range)| Names::parse(&self.bytes, range.clone()))
                .unwrap_or_default()
        })
    }
}
