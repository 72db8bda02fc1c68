//! Modules in which every operation counts.
//!
//! wasm-smith drops most of what it computes. Here functions of random structured
//! code keep all values in locals, globals and memory, and return them, so that one
//! wrong bit anywhere shows. They end by construction: loops count to small numbers,
//! and functions call only earlier ones, from loops only those without loops.
//!
//! Engines may differ in the bits of NaNs. So a NaN becomes the canonical one before
//! anything but an operator on floating-point numbers sees it.

mod body;
mod statements;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection, FunctionSection,
    GlobalSection, GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection,
    ValType,
};

use crate::machine::{Type, Value};
use crate::random::Random;
use body::Body;

const NUMBERS: [Type; 4] = [Type::I32, Type::I64, Type::F32, Type::F64];

/// Mutable globals, one of each type.
const GLOBALS: u32 = 4;

#[derive(Clone)]
struct Signature {
    params: Vec<Type>,
    results: Vec<Type>,
}

/// A module of this kind. All it has is exported.
pub(crate) fn module(random: &mut Random) -> Vec<u8> {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    let mut exports = ExportSection::new();
    let mut signatures: Vec<Signature> = Vec::new();
    for index in 0..3 + u32::try_from(random.below(6)).expect("small") {
        let signature = Signature {
            params: some_types(random, 6),
            results: some_types(random, 3),
        };
        types.ty().function(
            signature.params.iter().map(encoded),
            signature.results.iter().map(encoded),
        );
        functions.function(index);
        code.function(&Body::new(random, &signatures, &signature).finish());
        exports.export(&format!("f{index}"), ExportKind::Func, index);
        signatures.push(signature);
    }
    let count = functions.len();
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(count) + 2, // two elements stay null
        maximum: None,
        shared: false,
    });
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(3),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let mut globals = GlobalSection::new();
    for (index, ty) in (0..GLOBALS).zip(&NUMBERS) {
        let global = GlobalType {
            val_type: encoded(ty),
            mutable: true,
            shared: false,
        };
        globals.global(global, &constant_expression(random.value(*ty)));
        exports.export(&format!("g{index}"), ExportKind::Global, index);
    }
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..count).collect();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(all.into()));
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0), random.bytes(0x8000));
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&globals);
    module
        .section(&exports)
        .section(&elements)
        .section(&code)
        .section(&data);
    module.finish()
}

fn some_types(random: &mut Random, most: usize) -> Vec<Type> {
    (0..random.below(most + 1)).map(|_| *random.pick(&NUMBERS)).collect()
}

fn encoded(ty: &Type) -> ValType {
    match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        Type::Func => ValType::FUNCREF,
        Type::Extern => ValType::EXTERNREF,
    }
}

fn constant_expression(value: Value) -> ConstExpr {
    match value {
        Value::I32(value) => ConstExpr::i32_const(value),
        Value::I64(value) => ConstExpr::i64_const(value),
        Value::F32(bits) => ConstExpr::f32_const(f32::from_bits(bits).into()),
        Value::F64(bits) => ConstExpr::f64_const(f64::from_bits(bits).into()),
        Value::Func { .. } | Value::Extern { .. } => unreachable!("numbers only"),
    }
}
