//! Modules in which every operation counts.
//!
//! wasm-smith drops most of what it computes. Here functions of random structured
//! code keep all values in locals, globals and memory, and return them, so that one
//! wrong bit anywhere shows. They end by construction: loops count to small numbers,
//! and functions call only earlier ones, from loops only those without loops.
//!
//! Engines may differ in the bits of NaNs. So a NaN becomes the canonical one before
//! anything but an operator on floating-point numbers sees it.

mod atomics;
mod body;
mod control;
mod objects;
mod statements;
mod vectors;

use vm::Proposal;
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, ExportKind, ExportSection,
    FunctionSection, GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType,
    TagKind, TagSection, TagType, TypeSection, ValType,
};

use crate::machine::{Type, Value};
use crate::random::Random;
use body::Body;
use objects::Objects;

/// The types of numbers.
const NUMBERS: [Type; 5] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128];

/// How many tags there are, where there are any.
const TAGS: usize = 3;

/// The data segment that arrays are made of; the other one fills memory.
const PASSIVE_DATA: u32 = 1;

#[derive(Clone)]
struct Signature {
    params: Vec<Type>,
    results: Vec<Type>,
}

/// What a module uses beyond WebAssembly 2.0 without vectors.
struct Features {
    simd: bool,
    tail_call: bool,
    memory64: bool,
    wide_arithmetic: bool,
    threads: bool,
    exceptions: bool,
    function_references: bool,
    gc: bool,
    /// The payloads of tags.
    tags: Vec<Vec<Type>>,
    /// The index of the first function type that is no function's: for each tag one
    /// that takes its payload, one that gives it, and one that gives it with the
    /// exception.
    first_tag_type: u32,
}

impl Features {
    fn new(random: &mut Random, proposals: &[Proposal]) -> Self {
        let mut has = |proposal| proposals.contains(&proposal) && random.below(4) > 0;
        let mut this = Self {
            simd: has(Proposal::Simd),
            tail_call: has(Proposal::TailCall),
            memory64: has(Proposal::Memory64),
            wide_arithmetic: has(Proposal::WideArithmetic),
            threads: has(Proposal::Threads),
            exceptions: has(Proposal::Exceptions),
            function_references: has(Proposal::FunctionReferences),
            gc: has(Proposal::Gc),
            tags: Vec::new(),
            first_tag_type: 0,
        };
        this.gc &= this.function_references;
        // Half of the modules have addresses of 32 bits.
        this.memory64 &= random.below(2) == 0;
        if this.exceptions {
            this.tags = (0..TAGS).map(|_| some_types(random, this.numbers(), 3)).collect();
        }
        this
    }

    fn numbers(&self) -> &'static [Type] {
        if self.simd { &NUMBERS } else { &NUMBERS[..4] }
    }

    /// The global that counts down the calls of a function by itself.
    fn steps_global(&self) -> u32 {
        u32::try_from(self.numbers().len()).expect("few")
    }

    /// The global that refers to anything.
    fn any_global(&self) -> u32 {
        self.steps_global() + 1
    }

    /// The type of a block that ends with the payload of a tag.
    fn landing_type(&self, tag: usize, with_reference: bool) -> u32 {
        self.first_tag_type + u32::try_from(3 * tag + if with_reference { 2 } else { 1 }).expect("few")
    }

    /// A constant address or index into the memory or table.
    fn address(&self, address: i32) -> ConstExpr {
        match self.memory64 {
            true => ConstExpr::i64_const(address.into()),
            false => ConstExpr::i32_const(address),
        }
    }
}

/// A module of this kind with some of the proposals. All it has is exported.
pub(crate) fn module(random: &mut Random, proposals: &[Proposal], sizes: &[usize]) -> Vec<u8> {
    let mut features = Features::new(random, proposals);
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    let mut exports = ExportSection::new();
    let mut signatures: Vec<Signature> = Vec::new();
    let count = 3 + u32::try_from(random.below(6)).expect("small");
    for index in 0..count {
        let signature = Signature {
            params: some_types(random, features.numbers(), 6),
            results: match signatures.last() {
                Some(last) if features.tail_call && random.below(2) == 0 => last.results.clone(),
                _ => some_types(random, features.numbers(), 3),
            },
        };
        types.ty().function(
            signature.params.iter().map(encoded),
            signature.results.iter().map(encoded),
        );
        functions.function(index);
        exports.export(&format!("f{index}"), ExportKind::Func, index);
        signatures.push(signature);
    }
    let objects = Objects::new(random, &features, count);
    objects.encode(&mut types);
    features.first_tag_type = types.len();
    let mut tags = TagSection::new();
    for payload in &features.tags {
        tags.tag(TagType {
            kind: TagKind::Exception,
            func_type_idx: types.len(),
        });
        let encoded: Vec<ValType> = payload.iter().map(encoded).collect();
        types.ty().function(encoded.clone(), []);
        types.ty().function([], encoded.clone());
        let with_reference = [&encoded[..], &[ValType::EXNREF]].concat();
        types.ty().function([], with_reference);
    }
    for (index, signature) in signatures.iter().enumerate() {
        let body = Body::new(random, &features, &objects, &signatures[..index], signature, sizes);
        code.function(&body.finish());
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: features.memory64,
        minimum: u64::from(count) + 2, // two elements stay null
        maximum: None,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(3),
        memory64: features.memory64,
        shared: features.threads && random.below(2) == 0,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let globals = globals(random, &features, &mut exports);
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..count).collect();
    elements.active(None, &features.address(0), Elements::Functions(all.into()));
    let mut data = DataSection::new();
    data.active(0, &features.address(0), random.bytes(0x8000));
    data.passive(random.bytes(1000));
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories);
    if !features.tags.is_empty() {
        module.section(&tags);
    }
    module.section(&globals).section(&exports).section(&elements);
    module
        .section(&DataCountSection { count: data.len() })
        .section(&code)
        .section(&data);
    module.finish()
}

/// Mutable globals: one of each type of numbers, and those that [`Features`] says.
fn globals(random: &mut Random, features: &Features, exports: &mut ExportSection) -> GlobalSection {
    let mut globals = GlobalSection::new();
    let mutable = |val_type| GlobalType {
        val_type,
        mutable: true,
        shared: false,
    };
    for ty in features.numbers() {
        globals.global(mutable(encoded(ty)), &constant_expression(&random.number(*ty)));
    }
    globals.global(mutable(ValType::I32), &ConstExpr::i32_const(200));
    if features.gc {
        let null = ConstExpr::ref_null(RefType::ANYREF.heap_type);
        globals.global(mutable(ValType::Ref(RefType::ANYREF)), &null);
    }
    for index in 0..globals.len() {
        exports.export(&format!("g{index}"), ExportKind::Global, index);
    }
    globals
}

fn some_types(random: &mut Random, numbers: &[Type], most: usize) -> Vec<Type> {
    (0..random.below(most + 1)).map(|_| *random.pick(numbers)).collect()
}

fn encoded(ty: &Type) -> ValType {
    match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        Type::V128 => ValType::V128,
        _ => unreachable!("numbers only"),
    }
}

fn constant_expression(value: &Value) -> ConstExpr {
    match *value {
        Value::I32(value) => ConstExpr::i32_const(value),
        Value::I64(value) => ConstExpr::i64_const(value),
        Value::F32(bits) => ConstExpr::f32_const(f32::from_bits(bits).into()),
        Value::F64(bits) => ConstExpr::f64_const(f64::from_bits(bits).into()),
        Value::V128(bits) => ConstExpr::v128_const(bits.cast_signed()),
        _ => unreachable!("numbers only"),
    }
}

#[cfg(test)]
mod tests {
    use vm::Proposal;
    use wasmparser::{Validator, WasmFeatures};

    use crate::random::{Random, SIZES};

    #[test]
    fn dense_modules_are_valid() {
        for seed in 0..300 {
            let wasm = super::module(&mut Random::new(seed), Proposal::ALL, &SIZES);
            if let Err(error) = Validator::new_with_features(WasmFeatures::all()).validate_all(&wasm) {
                panic!("seed {seed}: {error}");
            }
        }
    }
}
