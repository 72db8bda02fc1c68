//! Structure (Spec 3.0 §2.5): what a module consists of, once parsed and
//! validated. Immutable, and shared by all who run the module.

mod index;
mod names;
mod parse;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub(crate) use self::index::{FuncIdx, GlobalIdx, MemoryIdx, TableIdx, TypeId, TypeIdx, TypeRegistry};
use self::names::Names;
use crate::types::{ExternType, FuncType, GlobalType, MemoryType, TableType};

/// A parsed and validated module.
#[derive(Debug)]
pub(crate) struct ModuleData {
    /// The whole binary; bodies and data segments are ranges of it.
    pub(crate) bytes: Arc<[u8]>,
    /// Function types.
    pub(crate) types: Vec<FuncType>,
    /// Their identities.
    pub(crate) type_ids: Vec<TypeId>,
    /// Imports, in order.
    pub(crate) imports: Vec<Import>,
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
    /// First values of defined globals.
    pub(crate) global_inits: Vec<ConstExpr>,
    /// Exports, in order.
    pub(crate) exports: Vec<Export>,
    /// Positions in `exports` by name.
    pub(crate) export_names: HashMap<Box<str>, usize>,
    /// The start function.
    pub(crate) start: Option<FuncIdx>,
    /// Element segments.
    pub(crate) elems: Vec<ElemSegment>,
    /// Data segments.
    pub(crate) datas: Vec<DataSegment>,
    /// Bodies of defined functions.
    pub(crate) bodies: Vec<FuncBody>,
    /// Number of functions that can be referred to by value.
    pub(crate) num_escaped: usize,
    /// Those functions, ascending.
    escaped: Vec<FuncIdx>,
    /// Custom sections: name and content.
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
}

/// What an import is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ImportKind {
    /// A function of a type.
    Func(TypeIdx),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
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
}

/// An element segment.
#[derive(Debug)]
pub(crate) struct ElemSegment {
    /// What instantiation does with it.
    pub(crate) kind: ElemKind,
    /// Its elements.
    pub(crate) items: ElemItems,
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
}

/// A constant expression (Spec 3.0 §3.4.11): operators in order.
#[derive(Debug)]
pub(crate) struct ConstExpr(pub(crate) smallvec::SmallVec<[ConstOp; 1]>);

/// An operator of a constant expression.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConstOp {
    /// A constant, as a slot; null references are 0.
    Const(u64),
    /// `global.get`
    GlobalGet(GlobalIdx),
    /// `ref.func`
    RefFunc(FuncIdx),
    /// `i32.add`
    I32Add,
    /// `i32.sub`
    I32Sub,
    /// `i32.mul`
    I32Mul,
    /// `i64.add`
    I64Add,
    /// `i64.sub`
    I64Sub,
    /// `i64.mul`
    I64Mul,
}

impl ModuleData {
    /// The type of a function.
    ///
    /// # Panics
    /// If there is no such function.
    pub(crate) fn func_type(&self, func: FuncIdx) -> &FuncType {
        &self.types[self.funcs[func.index()].index()]
    }

    /// The identity of a function's type.
    ///
    /// # Panics
    /// If there is no such function.
    pub(crate) fn func_type_id(&self, func: FuncIdx) -> TypeId {
        self.type_ids[self.funcs[func.index()].index()]
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
        self.exports.get(*self.export_names.get(name)?)
    }

    /// The type of an import.
    pub(crate) fn import_type(&self, import: &Import) -> ExternType {
        match import.ty {
            ImportKind::Func(ty) => self.types[ty.index()].clone().into(),
            ImportKind::Table(ty) => ty.into(),
            ImportKind::Memory(ty) => ty.into(),
            ImportKind::Global(ty) => ty.into(),
        }
    }

    /// The type of an export.
    pub(crate) fn export_type(&self, export: &Export) -> ExternType {
        match export.kind {
            ExportKind::Func(func) => self.func_type(func).clone().into(),
            ExportKind::Table(table) => self.tables[table.index()].into(),
            ExportKind::Memory(memory) => self.memories[memory.index()].into(),
            ExportKind::Global(global) => self.globals[global.index()].into(),
        }
    }

    /// The name of the module, if it has one.
    pub(crate) fn module_name(&self) -> Option<&str> {
        self.names().module.as_deref()
    }

    /// The name of a function: from the name section, or an export's.
    pub(crate) fn func_name(&self, func: FuncIdx) -> Option<&str> {
        if let Some(name) = self.names().funcs.get(&func.as_u32()) {
            return Some(name);
        }
        let exported = self
            .exports
            .iter()
            .find(|export| matches!(export.kind, ExportKind::Func(f) if f == func));
        if let Some(export) = exported {
            return Some(&export.name);
        }
        let imported = |import: &&Import| matches!(import.ty, ImportKind::Func(_));
        Some(&self.imports.iter().filter(imported).nth(func.index())?.name)
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
                .and_then(|(_, range)| self.bytes.get(range.clone()))
                .map(Names::parse)
                .unwrap_or_default()
        })
    }
}
