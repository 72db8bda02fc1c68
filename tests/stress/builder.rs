//! Builds the modules, runs them against a clock, and compares results.

use std::time::{Duration, Instant};

use vm::{Engine, Error, Instance, Module, Store};
use wasm_encoder::{
    BlockType, CodeSection, DataSection, ElementSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, ImportSection, InstructionSink, MemArg, MemArgTarget, MemorySection, MemoryType,
    RefType, TableSection, TableType, TypeSection, ValType,
};

/// How long one module may take to load and run. The largest needs a fraction of
/// this; an algorithm of quadratic cost needs far more.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 120 } else { 10 });

pub(crate) const I32: ValType = ValType::I32;
pub(crate) const I64: ValType = ValType::I64;

pub(crate) const WORD: MemArg = MemArg {
    offset: 0,
    align: 2,
    target: MemArgTarget::Memory(0),
    ordering: None,
};

pub(crate) const RESULT_I32: BlockType = BlockType::Result(ValType::I32);

/// A module under construction: its sections in the binary's order.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) types: TypeSection,
    pub(crate) imports: ImportSection,
    pub(crate) functions: FunctionSection,
    pub(crate) tables: TableSection,
    pub(crate) memories: MemorySection,
    pub(crate) globals: GlobalSection,
    pub(crate) exports: ExportSection,
    pub(crate) elements: ElementSection,
    pub(crate) code: CodeSection,
    pub(crate) data: DataSection,
}

impl Builder {
    pub(crate) fn ty(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        self.types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
        self.types.len() - 1
    }

    pub(crate) fn import(&mut self, name: &str, ty: u32) -> u32 {
        self.imports.import("host", name, EntityType::Function(ty));
        self.imports.len() - 1
    }

    /// Adds a function with locals of type i32; gives its index.
    pub(crate) fn func(&mut self, ty: u32, locals: u32, body: impl FnOnce(&mut InstructionSink<'_>)) -> u32 {
        let mut function = Function::new([(locals, I32)]);
        body(&mut function.instructions());
        self.add(ty, function)
    }

    pub(crate) fn add(&mut self, ty: u32, mut function: Function) -> u32 {
        function.instructions().end();
        self.functions.function(ty);
        self.code.function(&function);
        self.imports.len() + self.functions.len() - 1
    }

    pub(crate) fn export(&mut self, name: &str, func: u32) {
        self.exports.export(name, ExportKind::Func, func);
    }

    pub(crate) fn memory(&mut self, pages: u64) {
        self.memories.memory(MemoryType {
            minimum: pages,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }

    pub(crate) fn table(&mut self, minimum: u64) {
        self.tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum,
            maximum: None,
            shared: false,
        });
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories)
            .section(&self.globals)
            .section(&self.exports)
            .section(&self.elements)
            .section(&self.code)
            .section(&self.data);
        module.finish()
    }
}

/// The module of one function `f` from one i32 to one i32.
pub(crate) fn function_of_i32(locals: u32, body: impl FnOnce(&mut InstructionSink<'_>)) -> Vec<u8> {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.func(ty, locals, body);
    builder.export("f", f);
    builder.memory(1);
    builder.finish()
}

pub(crate) fn instantiate(wasm: &[u8]) -> Result<(Store<()>, Instance), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    Ok((store, instance))
}

/// Loads the module and calls its function `f` with each argument.
pub(crate) fn call_f(wasm: &[u8], arguments: &[i32]) -> Result<Vec<i32>, Error> {
    let start = Instant::now();
    let (mut store, instance) = instantiate(wasm)?;
    let f = instance.get_typed_func::<i32, i32>(&mut store, "f")?;
    let results = arguments.iter().map(|&argument| f.call(&mut store, argument)).collect();
    let elapsed = start.elapsed();
    assert!(elapsed < TIME_LIMIT, "took {elapsed:?}");
    results
}

/// Checks `f` of the module against a function on each argument.
pub(crate) fn expect_f(wasm: &[u8], arguments: &[i32], expected: impl Fn(i32) -> i32) {
    let expected: Vec<i32> = arguments.iter().map(|&argument| expected(argument)).collect();
    assert_eq!(call_f(wasm, arguments).expect("loads and runs"), expected);
}

/// Like `expect_f`, for modules an engine may also refuse as too large.
pub(crate) fn expect_f_or_refusal(wasm: &[u8], arguments: &[i32], expected: impl Fn(i32) -> i32) {
    match call_f(wasm, arguments) {
        Ok(found) => assert_eq!(found, arguments.iter().map(|&x| expected(x)).collect::<Vec<_>>()),
        Err(error) => assert_refusal(&error),
    }
}

pub(crate) fn assert_refusal(error: &Error) {
    assert!(error.trap().is_none(), "a trap, not a refusal: {error}");
    assert!(error.to_string().len() > 10, "says too little: {error}");
}

pub(crate) fn expect_refused(wasm: &[u8], reason: &str) {
    let start = Instant::now();
    let Err(error) = Module::new(&Engine::default(), wasm) else {
        panic!("must be refused")
    };
    assert!(start.elapsed() < TIME_LIMIT);
    assert_refusal(&error);
    let text = format!("{error} {error:?}");
    assert!(text.contains(reason), "{text:?} does not say {reason:?}");
}

/// The module whose function `f` has this body.
pub(crate) fn module_of_body(function: Function) -> Vec<u8> {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.add(ty, function);
    builder.export("f", f);
    builder.memory(1);
    builder.finish()
}

/// Adds up a value for each number below `count`, wrapping.
pub(crate) fn sum(count: u32, value: impl Fn(i32) -> i32) -> i32 {
    (0..count.cast_signed()).fold(0, |sum: i32, n| sum.wrapping_add(value(n)))
}
