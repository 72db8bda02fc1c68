//! What a module gives others and needs of them, in the terms of a dynamic linker:
//! symbols instead of imports and exports.

use std::collections::BTreeMap;
use std::fmt;

use vm::{ExternType, FuncType, Module, Mutability, TagType, Val, ValType};

use crate::Dylink;

/// The import module of functions, the memory, the table and the bases.
pub(crate) const ENV: &str = "env";
/// The memory's name.
pub(crate) const MEMORY: &str = "memory";
/// The table's name.
pub(crate) const TABLE: &str = "__indirect_function_table";
/// The stack pointer's name.
pub(crate) const STACK_POINTER: &str = "__stack_pointer";
/// The import module of addresses of data.
const GOT_MEM: &str = "GOT.mem";
/// The import module of addresses of functions.
const GOT_FUNC: &str = "GOT.func";

/// What an import of a position-independent module stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// `env.memory`: the program's memory.
    Memory,
    /// `env.__indirect_function_table`: the program's table.
    Table,
    /// `env.__stack_pointer`: where the stack ends, for all modules.
    StackPointer,
    /// `env.__memory_base`: where the module's data begins.
    MemoryBase,
    /// `env.__table_base`: where the module's functions begin in the table.
    TableBase,
    /// A function of `env`, of another module or the host.
    Function {
        /// Its type, as the module calls it.
        ty: FuncType,
        /// It may be missing as long as nobody calls it.
        is_weak: bool,
    },
    /// The address of data in memory, of `GOT.mem`.
    DataAddress {
        /// It may be missing, and is 0 then.
        is_weak: bool,
    },
    /// The place of a function in the table, of `GOT.func`.
    FunctionAddress {
        /// It may be missing, and is 0 then.
        is_weak: bool,
    },
    /// A tag of `env`, as `__cpp_exception`: the one of that name in the namespace.
    Tag {
        /// Its type, as the module has it.
        ty: TagType,
    },
    /// Something of another import module, as WASI's, which is the host's or another
    /// instance's.
    Other(ExternType),
}

/// An import, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// Its name, which is the symbol's.
    pub name: Box<str>,
    /// What it stands for.
    pub need: Need,
    /// The module refers to it by value: it is a function that is an element or is
    /// exported again.
    pub is_referenced: bool,
}

impl Import {
    /// Whether it is a function in the module's function index space.
    pub(crate) fn is_function(&self) -> bool {
        matches!(self.need, Need::Function { .. } | Need::Other(ExternType::Func(_)))
    }
}

impl Need {
    /// Whether it is a symbol of the program's.
    pub(crate) fn is_symbol(&self) -> bool {
        matches!(
            self,
            Self::Function { .. } | Self::DataAddress { .. } | Self::FunctionAddress { .. }
        )
    }
}

/// Where data that a module exports is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data {
    /// Bytes from `__memory_base` on, or from the module's thread-local block on, or
    /// the address itself.
    pub offset: u32,
    /// One that is not weak comes before it.
    pub is_weak: bool,
    /// It is relative to the thread-local block.
    pub is_tls: bool,
    /// It is the address itself.
    pub is_absolute: bool,
}

/// A function that a module exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Function {
    /// Its type.
    pub ty: FuncType,
    /// One that is not weak comes before it.
    pub is_weak: bool,
    /// Its index in the module's function index space: two names with the same are
    /// one function.
    pub index: u32,
}

/// Where a module puts a function in the program's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// So many places from `__table_base` on.
    Relative(u32),
    /// At this place.
    Fixed(u32),
}

impl Element {
    /// The place in the table, for a module with these places of its own.
    pub(crate) fn slot(self, table: &std::ops::Range<u32>) -> u32 {
        match self {
            Self::Relative(offset) => table.start.wrapping_add(offset),
            Self::Fixed(slot) => slot,
        }
    }
}

/// The thread-local data of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// Bytes of a block.
    pub size: u32,
    /// What a block's address must be a multiple of.
    pub alignment: u32,
}

/// A module in the terms of a dynamic linker.
///
/// ```
/// use orcavm_loader::{Dylink, Interface, Need};
/// use vm::{Engine, Module};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let library = Module::new(
///     &Engine::default(),
///     r#"(module
///         (@dylink.0 (mem-info (memory 4 2)) (export-info "answer" binding-weak))
///         (import "env" "memory" (memory 0))
///         (import "env" "__memory_base" (global i32))
///         (import "GOT.mem" "environ" (global (mut i32)))
///         (import "env" "puts" (func (param i32) (result i32)))
///         (global (export "answer") i32 (i32.const 0)))"#,
/// )?;
/// let dylink = Dylink::read(&library)?.expect("it has the section");
/// let interface = Interface::of(&library, &dylink)?;
/// let needs: Vec<&Need> = interface.imports.iter().map(|import| &import.need).collect();
/// let [Need::Memory, Need::MemoryBase, Need::DataAddress { .. }, Need::Function { ty, .. }] = &needs[..] else {
///     panic!("these it needs, in the order of its imports");
/// };
/// assert_eq!(ty.to_string(), "(func (param i32) (result i32))");
/// assert!(interface.data["answer"].is_weak);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// Its imports, in order.
    pub imports: Vec<Import>,
    /// The functions that it exports.
    pub functions: BTreeMap<Box<str>, Function>,
    /// The data that it exports.
    pub data: BTreeMap<Box<str>, Data>,
    /// The tags that it exports, with their types.
    pub tags: BTreeMap<Box<str>, TagType>,
    /// Where its functions are in the table, by their index.
    pub elements: BTreeMap<u32, Element>,
    /// Its thread-local data, if it says how to make it: by exporting `__wasm_init_tls`
    /// and `__tls_size`.
    pub tls: Option<Tls>,
    /// It is a program at fixed addresses, which brings the memory and the table.
    pub is_static: bool,
    /// Pages that the memory must have at least that it imports, or brings.
    pub memory_pages: u64,
    /// Elements that the table must have at least that it imports, or brings.
    pub table_elements: u64,
}

/// Exports that each module has for itself, and that are nobody else's symbols.
const OWN_EXPORTS: [&str; 10] = [
    "_start",
    "_initialize",
    "__wasm_call_ctors",
    "__wasm_apply_data_relocs",
    "__wasm_apply_global_relocs",
    "__wasm_apply_tls_relocs",
    "__wasm_apply_global_tls_relocs",
    "__wasm_init_memory",
    "__wasm_init_tls",
    "__tls_size",
];

/// An import or export that a position-independent module cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{symbol} has to be {expected}, and is {found}")]
pub struct InterfaceError {
    /// Which.
    pub symbol: SymbolName,
    /// What it has to be.
    pub expected: &'static str,
    /// What it is.
    pub found: Box<ExternType>,
}

/// A symbol as it stands in a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolName {
    /// An import: its module and name.
    Import(Box<str>, Box<str>),
    /// An export's name.
    Export(Box<str>),
}

impl fmt::Display for SymbolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import(module, name) => write!(f, "the import `{module}` `{name}`"),
            Self::Export(name) => write!(f, "the export `{name}`"),
        }
    }
}

impl Interface {
    /// What a module that says `dylink` gives and needs.
    ///
    /// # Errors
    /// If an import has another type than what it stands for, or an exported global
    /// is no address.
    pub fn of(module: &Module, dylink: &Dylink) -> Result<Self, InterfaceError> {
        let mut this = Self::default();
        for import in module.imports() {
            let need = need(import.module(), import.name(), import.ty(), dylink);
            let need = need.map_err(|expected| InterfaceError {
                symbol: SymbolName::Import(import.module().into(), import.name().into()),
                expected,
                found: import.ty().into(),
            })?;
            this.imports.push(Import {
                name: import.name().into(),
                need,
                is_referenced: import.is_referenced(),
            });
        }
        this.is_static = !this.imports.iter().any(|import| import.need == Need::Memory)
            && matches!(module.get_export(MEMORY), Some(ExternType::Memory(_)));
        let export = |name| module.get_export(name).into_iter();
        let types = module.imports().map(|import| import.ty());
        for ty in types.chain(export(MEMORY)).chain(export(TABLE)) {
            match ty {
                ExternType::Memory(ty) => this.memory_pages = this.memory_pages.max(ty.minimum()),
                ExternType::Table(ty) => this.table_elements = this.table_elements.max(ty.minimum()),
                _ => {}
            }
        }
        this.tls = tls(module);
        this.elements = elements(module);
        for export in module.exports() {
            if OWN_EXPORTS.contains(&export.name()) {
                continue;
            }
            let symbol = dylink.export(export.name());
            match export.ty() {
                ExternType::Func(ty) => {
                    let Some(index) = module.function_index(export.name()) else {
                        continue;
                    };
                    let is_weak = symbol.is_weak;
                    let function = Function { ty, is_weak, index };
                    this.functions.insert(export.name().into(), function);
                }
                // A main program exports its stack pointer, which is no symbol.
                ExternType::Global(ty) if ty.mutability() == Mutability::Const => {
                    let Some(Val::I32(offset)) = module.exported_constant(export.name()) else {
                        continue;
                    };
                    let data = Data {
                        offset: offset.cast_unsigned(),
                        is_weak: symbol.is_weak,
                        is_tls: symbol.is_tls,
                        // A program at fixed addresses says them.
                        is_absolute: symbol.is_absolute || this.is_static,
                    };
                    this.data.insert(export.name().into(), data);
                }
                ExternType::Tag(ty) => {
                    this.tags.insert(export.name().into(), ty);
                }
                ExternType::Global(_) | ExternType::Memory(_) | ExternType::Table(_) => {}
            }
        }
        Ok(this)
    }
}

/// The thread-local data of a module.
fn tls(module: &Module) -> Option<Tls> {
    let number = |name| Some(module.exported_constant(name)?.i32()?.cast_unsigned());
    let init = FuncType::new([ValType::I32], []);
    if module.get_export("__wasm_init_tls") != Some(init.into()) {
        return None;
    }
    Some(Tls {
        size: number("__tls_size")?,
        alignment: number("__tls_align").unwrap_or(1),
    })
}

/// Where a module puts functions in the program's table.
fn elements(module: &Module) -> BTreeMap<u32, Element> {
    let globals = module
        .imports()
        .filter(|import| matches!(import.ty(), ExternType::Global(_)));
    let base = globals
        .into_iter()
        .position(|import| (import.module(), import.name()) == (ENV, "__table_base"));
    let base = base.and_then(|base| u32::try_from(base).ok());
    let mut elements = BTreeMap::new();
    // The program's table is a module's first, if it has one.
    for element in module.active_elements().filter(|element| element.table_index == 0) {
        let Ok(offset) = u32::try_from(element.offset) else {
            continue;
        };
        let place = match element.base {
            None => Element::Fixed(offset),
            Some(global) if Some(global) == base => Element::Relative(offset),
            Some(_) => continue,
        };
        elements.entry(element.func_index).or_insert(place);
    }
    elements
}

impl Interface {
    /// Where functions that it defines itself are in the table, by their index.
    pub(crate) fn own_elements(&self) -> impl Iterator<Item = (u32, Element)> + '_ {
        let imported = self.imports.iter().filter(|import| import.is_function()).count();
        let elements = self.elements.iter().map(|(index, element)| (*index, *element));
        elements.filter(move |(index, _)| usize::try_from(*index).is_ok_and(|index| index >= imported))
    }
}

/// What an import stands for, or what it would have to be.
fn need(module: &str, name: &str, ty: ExternType, dylink: &Dylink) -> Result<Need, &'static str> {
    // What is said of a function holds for its address too.
    let is_weak = dylink.import(module, name).is_weak || dylink.import(ENV, name).is_weak;
    let is_address = |mutability| {
        matches!(&ty, ExternType::Global(global)
            if *global.content() == ValType::I32 && global.mutability() == mutability)
    };
    let when = |is: bool, need: Need, expected: &'static str| if is { Ok(need) } else { Err(expected) };
    match (module, name) {
        (ENV, MEMORY) => when(matches!(ty, ExternType::Memory(_)), Need::Memory, "a memory"),
        (ENV, TABLE) => when(matches!(ty, ExternType::Table(_)), Need::Table, "a table"),
        (ENV, STACK_POINTER) => when(
            is_address(Mutability::Var),
            Need::StackPointer,
            "a mutable global of type i32",
        ),
        (ENV, "__memory_base") => when(
            is_address(Mutability::Const),
            Need::MemoryBase,
            "an immutable global of type i32",
        ),
        (ENV, "__table_base") => when(
            is_address(Mutability::Const),
            Need::TableBase,
            "an immutable global of type i32",
        ),
        (GOT_MEM, _) => when(
            is_address(Mutability::Var),
            Need::DataAddress { is_weak },
            "a mutable global of type i32",
        ),
        (GOT_FUNC, _) => when(
            is_address(Mutability::Var),
            Need::FunctionAddress { is_weak },
            "a mutable global of type i32",
        ),
        (ENV, _) => match ty {
            ExternType::Func(ty) => Ok(Need::Function { ty, is_weak }),
            ExternType::Tag(ty) => Ok(Need::Tag { ty }),
            other => Ok(Need::Other(other)),
        },
        _ => Ok(Need::Other(ty)),
    }
}

#[cfg(test)]
mod tests {
    use vm::Engine;

    use super::*;

    fn interface(text: &str) -> Result<Interface, InterfaceError> {
        let module = Module::new(&Engine::default(), text).expect("valid");
        let dylink = Dylink::read(&module).expect("well-formed").unwrap_or_default();
        Interface::of(&module, &dylink)
    }

    #[test]
    fn needs_are_in_the_order_of_imports() {
        let interface = interface(
            r#"(module (@dylink.0 (import-info "env" "maybe" binding-weak) (import-info "GOT.func" "maybe" binding-weak))
                (import "env" "__stack_pointer" (global (mut i32)))
                (import "GOT.func" "maybe" (global (mut i32)))
                (import "GOT.func" "f" (global (mut i32)))
                (import "env" "maybe" (func))
                (import "env" "__table_base" (global i32))
                (import "env" "__indirect_function_table" (table 0 funcref))
                (import "env" "f" (func (param i64)))
                (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#,
        );
        let f = FuncType::new([ValType::I64], []);
        let exit = FuncType::new([ValType::I32], []);
        let expected = [
            Need::StackPointer,
            Need::FunctionAddress { is_weak: true },
            Need::FunctionAddress { is_weak: false },
            Need::Function {
                ty: FuncType::new([], []),
                is_weak: true,
            },
            Need::TableBase,
            Need::Table,
            Need::Function { ty: f, is_weak: false },
            Need::Other(exit.into()),
        ];
        let imports = interface.expect("it fits").imports;
        let needs: Vec<Need> = imports.into_iter().map(|import| import.need).collect();
        assert_eq!(needs, expected);
    }

    #[test]
    fn exports_are_functions_and_addresses() {
        let interface = interface(
            r#"(module (@dylink.0 (export-info "thread" tls) (export-info "fixed" absolute) (export-info "g" binding-weak))
                (global (export "data") i32 (i32.const 8))
                (global (export "thread") i32 (i32.const 4))
                (global (export "fixed") i32 (i32.const -1))
                (global (export "__stack_pointer") (mut i32) (i32.const 65536))
                (global (export "wide") i64 (i64.const 1))
                (func (export "f") (result i32) (i32.const 0))
                (func (export "g")))"#,
        );
        let interface = interface.expect("it fits");
        let data: Vec<_> = interface
            .data
            .iter()
            .map(|(name, data)| (&**name, data.offset, data.is_tls, data.is_absolute))
            .collect();
        assert_eq!(
            data,
            [
                ("data", 8, false, false),
                ("fixed", u32::MAX, false, true),
                ("thread", 4, true, false)
            ]
        );
        let functions: Vec<_> = interface
            .functions
            .iter()
            .map(|(name, f)| (&**name, f.ty.to_string(), f.is_weak))
            .collect();
        assert_eq!(
            functions,
            [
                ("f", "(func (result i32))".to_owned(), false),
                ("g", "(func)".to_owned(), true)
            ]
        );
    }

    #[test]
    fn imports_of_other_types_are_told() {
        for (import, message) in [
            (
                r#"(import "env" "memory" (func))"#,
                "the import `env` `memory` has to be a memory, and is (func)",
            ),
            (
                r#"(import "env" "__memory_base" (global (mut i32)))"#,
                "the import `env` `__memory_base` has to be an immutable global of type i32, and is (global (mut i32))",
            ),
            (
                r#"(import "GOT.mem" "x" (global i32))"#,
                "the import `GOT.mem` `x` has to be a mutable global of type i32, and is (global i32)",
            ),
            (
                r#"(import "GOT.func" "x" (func))"#,
                "the import `GOT.func` `x` has to be a mutable global of type i32, and is (func)",
            ),
        ] {
            let error = interface(&format!("(module {import})")).expect_err(import);
            assert_eq!(error.to_string(), message);
        }
    }
}
