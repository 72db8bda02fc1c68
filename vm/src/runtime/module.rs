//! Modules: parsed, validated, and translated as they are run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::Engine;
use super::image::{Image, ImageOnce};
use super::val::Val;
use crate::error::Error;
#[cfg(feature = "wat")]
use crate::error::{LoadError, LoadErrorKind};
use crate::exec::memory::Guarding;
use crate::ir::code::{CodeOptions, CodeSet};
use crate::ir::translate::listing;
use crate::module::{ConstOp, ElemItems, ElemKind, ExportKind, FuncIdx, ImportKind, ModuleData};
use crate::types::ExternType;

/// A module. Cheap to clone; clones, and all instances, share what was
/// translated.
///
/// ```
/// use vm::{Engine, Module};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module (func (export "f") (param i32)))"#)?;
/// let export = module.exports().next().unwrap();
/// assert_eq!((export.name(), export.ty().to_string().as_str()), ("f", "(func (param i32))"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Module(Arc<ModuleInner>);

/// How many codes a module keeps, under different options, whether instances
/// use them or not.
const KEPT: usize = 8;

#[derive(Debug)]
struct ModuleInner {
    engine: Engine,
    data: Arc<ModuleData>,
    code: Mutex<HashMap<CodeOptions, Arc<CodeSet>>>,
    image: ImageOnce,
}

impl Module {
    /// The module in `bytes`, in the binary format or (with the feature `wat`,
    /// on by default) in the text format. Everything is validated; nothing is
    /// translated yet.
    ///
    /// # Errors
    /// [`Error::Load`] if it is no valid module, or uses what the engine does
    /// not run.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Self, Error> {
        let bytes = bytes.as_ref();
        #[cfg(feature = "wat")]
        if !bytes.starts_with(b"\0asm") {
            let text = wat::parse_bytes(bytes).map_err(|error| match std::str::from_utf8(bytes) {
                Ok(_) => LoadError::new(LoadErrorKind::Text(error.to_string().into()), None),
                Err(_) => LoadError::new(LoadErrorKind::NotWasm, Some(0)),
            })?;
            return Self::from_binary(engine, &text);
        }
        Self::from_binary(engine, bytes)
    }

    /// The module in `bytes`, in the binary format.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_binary(engine: &Engine, bytes: &[u8]) -> Result<Self, Error> {
        let features = engine.config().features();
        let data = ModuleData::parse(bytes.into(), features, engine.types(), engine.threads())?;
        Ok(Self(Arc::new(ModuleInner {
            engine: engine.clone(),
            data: Arc::new(data),
            code: Mutex::default(),
            image: ImageOnce::default(),
        })))
    }

    /// Whether `bytes`, in the binary format, are a module that the engine
    /// runs.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn validate(engine: &Engine, bytes: &[u8]) -> Result<(), Error> {
        ModuleData::parse(
            bytes.into(),
            engine.config().features(),
            engine.types(),
            engine.threads(),
        )?;
        Ok(())
    }

    /// What an instance's memory holds at first, where it need not be written;
    /// asked for once for each instance.
    pub(crate) fn image(&self) -> Option<&Image> {
        self.0.image.get(&self.0.data)
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether two are the same: one is a clone of the other.
    pub fn same(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Its name, from the name section.
    pub fn name(&self) -> Option<&str> {
        self.0.data.module_name()
    }

    /// Its imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> + '_ {
        let data = &self.0.data;
        let mut funcs = 0..;
        data.imports.iter().map(move |import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: data.import_type(import),
            is_referenced: matches!(import.ty, ImportKind::Func(_))
                && funcs.next().is_some_and(|func| data.refers_to_import(func)),
        })
    }

    /// Its exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> + '_ {
        self.0.data.exports.iter().map(|export| ExportType {
            name: &export.name,
            ty: self.0.data.export_type(export),
        })
    }

    /// The type of what it exports under a name.
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        self.0.data.export(name).map(|export| self.0.data.export_type(export))
    }

    /// The number that an exported global has from the start, if it is one that the
    /// module defines with a constant: the address of a symbol in a
    /// position-independent module, say.
    ///
    /// ```
    /// use vm::{Engine, Module};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let module = Module::new(
    ///     &Engine::default(),
    ///     r#"(module (global (export "address") i32 (i32.const 16)))"#,
    /// )?;
    /// assert_eq!(module.exported_constant("address").and_then(|value| value.i32()), Some(16));
    /// # Ok(())
    /// # }
    /// ```
    pub fn exported_constant(&self, name: &str) -> Option<Val> {
        let data = &self.0.data;
        let ExportKind::Global(global) = data.export(name)?.kind else {
            return None;
        };
        let own = global.index().checked_sub(data.num_imported_globals)?;
        let [ConstOp::Const(slot)] = data.global_inits.get(own)?.0[..] else {
            return None;
        };
        Val::from_bits(slot, data.globals.get(global.index())?.content())
    }

    /// The index of an exported function in the module's function index space, where
    /// imported ones come first. Two names of one function have the same.
    pub fn function_index(&self, name: &str) -> Option<u32> {
        match self.0.data.export(name)?.kind {
            ExportKind::Func(func) => Some(func.as_u32()),
            _ => None,
        }
    }

    /// Where in tables instances put functions by active element segments, in order:
    /// those at a constant offset, and those at one from an imported global.
    ///
    /// ```
    /// use vm::{Engine, Module};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let module = Module::new(
    ///     &Engine::default(),
    ///     r#"(module
    ///         (import "env" "table" (table 2 funcref))
    ///         (import "env" "__table_base" (global $base i32))
    ///         (elem (global.get $base) $f $g)
    ///         (func $f)
    ///         (func $g (export "g")))"#,
    /// )?;
    /// let elements: Vec<_> = module.active_elements().collect();
    /// assert_eq!(Some(elements[1].func_index), module.function_index("g"));
    /// assert_eq!((elements[1].table_index, elements[1].base, elements[1].offset), (0, Some(0), 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn active_elements(&self) -> impl Iterator<Item = ActiveElement> + '_ {
        let data = &self.0.data;
        let active = data.elems.iter().filter_map(|segment| {
            let ElemKind::Active { table, offset } = &segment.kind else {
                return None;
            };
            let (base, start) = match offset.0[..] {
                [ConstOp::Const(slot)] => (None, slot),
                [ConstOp::GlobalGet(global)] => (Some(global.as_u32()), 0),
                [ConstOp::GlobalGet(global), ConstOp::Const(slot), ConstOp::I32Add]
                | [ConstOp::Const(slot), ConstOp::GlobalGet(global), ConstOp::I32Add] => (Some(global.as_u32()), slot),
                _ => return None,
            };
            Some((table.as_u32(), base, start, &segment.items))
        });
        active.flat_map(|(table_index, base, start, items)| {
            let funcs: Vec<Option<FuncIdx>> = match items {
                ElemItems::Funcs(funcs) => funcs.iter().copied().map(Some).collect(),
                ElemItems::Exprs(exprs) => exprs
                    .iter()
                    .map(|expr| match expr.0[..] {
                        [ConstOp::RefFunc(func)] => Some(func),
                        _ => None,
                    })
                    .collect(),
            };
            let places = (start..).zip(funcs);
            places.filter_map(move |(offset, func)| {
                Some(ActiveElement {
                    table_index,
                    base,
                    offset,
                    func_index: func?.as_u32(),
                })
            })
        })
    }

    /// The whole module in the binary format, as it was read.
    pub fn binary(&self) -> &[u8] {
        &self.0.data.bytes
    }

    /// The contents of its custom sections of a name, in order.
    pub fn custom_sections<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let named = self.0.data.customs.iter().filter(move |(own, _)| &**own == name);
        named.filter_map(|(_, range)| self.0.data.bytes.get(range.clone()))
    }

    /// The interpreter's code of a function as text, as it is for an instance
    /// with the engine's default memories: an instruction a line, each with
    /// its byte offset, and operands as slots of the frame (`s0`), the
    /// accumulator (`acc`) or constants. For people: the form changes from
    /// version to version. `None` if the module defines no such function.
    ///
    /// ```
    /// use vm::{Engine, Module};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let module = Module::new(
    ///     &Engine::default(),
    ///     "(module (func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))",
    /// )?;
    /// let code = module.code_listing(0)?.unwrap();
    /// assert!(code.starts_with("0000: i32.add, ret_one s0, 0x1\n"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the function cannot be translated.
    pub fn code_listing(&self, func_index: u32) -> Result<Option<String>, Error> {
        let data = &self.0.data;
        let defined = (func_index as usize).checked_sub(data.num_imported_funcs);
        if defined.is_none_or(|i| i >= data.bodies.len()) {
            return Ok(None);
        }
        listing(&self.code(self.own_options()), FuncIdx::new(func_index)).map(Some)
    }

    /// Translates all functions, as their first calls would, and gives the
    /// bytes of the bodies translated. For those who would rather wait now.
    ///
    /// Instances use what is translated here if they import no memories that
    /// need checks where the module's own would not, and no immutable globals.
    ///
    /// # Errors
    /// [`Error::Limit`] if a function is too large to be translated.
    ///
    /// ```
    /// use vm::{Engine, Module};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, "(module (func nop) (func unreachable))")?;
    /// assert_eq!(module.precompile()?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn precompile(&self) -> Result<u64, Error> {
        let code = self.code(self.own_options());
        let data = &self.0.data;
        let mut bytes = 0;
        for (i, body) in data.bodies.iter().enumerate() {
            let index = u32::try_from(data.num_imported_funcs + i).expect("validation bounds functions");
            code.entry(FuncIdx::new(index))?;
            bytes += body.range.len() as u64;
        }
        Ok(bytes)
    }

    /// What code of instances that import nothing special depends on.
    pub(super) fn own_options(&self) -> CodeOptions {
        let config = self.0.engine.config();
        let checked = |ty| Guarding::of(ty, config.guard) == Guarding::Checked;
        CodeOptions {
            fuel: config.fuel,
            depth: config.max_depth.is_some(),
            deterministic: config.deterministic,
            checked: self.0.data.memories.iter().map(checked).collect(),
            constants: Box::default(),
        }
    }

    pub(crate) fn data(&self) -> &Arc<ModuleData> {
        &self.0.data
    }

    /// The code that instances with these options share.
    pub(crate) fn code(&self, options: CodeOptions) -> Arc<CodeSet> {
        let mut code = self.0.code.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = code.get(&options) {
            return Arc::clone(code);
        }
        if code.len() >= KEPT {
            code.retain(|_, code| Arc::strong_count(code) > 1);
        }
        let new = CodeSet::new(Arc::clone(&self.0.data), options.clone());
        code.insert(options, Arc::clone(&new));
        new
    }
}

/// A function that instances of a module put into a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveElement {
    /// The table, in the module's table index space.
    pub table_index: u32,
    /// The imported global, in the global index space, that `offset` counts from; 0 if
    /// none.
    pub base: Option<u32>,
    /// Elements from there on.
    pub offset: u64,
    /// The function, in the module's function index space.
    pub func_index: u32,
}

/// An import of a module.
#[derive(Clone, Debug)]
pub struct ImportType<'a> {
    module: &'a str,
    name: &'a str,
    ty: ExternType,
    is_referenced: bool,
}

impl<'a> ImportType<'a> {
    /// The name of the module it is imported from.
    pub fn module(&self) -> &'a str {
        self.module
    }

    /// Its name in that module.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What is imported.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }

    /// Whether it is a function that the module refers to by value: as an export, an
    /// element or by `ref.func`.
    pub fn is_referenced(&self) -> bool {
        self.is_referenced
    }
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct ExportType<'a> {
    name: &'a str,
    ty: ExternType,
}

impl<'a> ExportType<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// What is exported.
    pub fn ty(&self) -> ExternType {
        self.ty.clone()
    }
}
