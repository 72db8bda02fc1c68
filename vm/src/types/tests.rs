//! How types print, compare and are made.

use super::convert::Unsupported;
use super::memory::MemoryTypeBuilder;
use super::{ExternType, FuncType, GlobalType, MemoryType, Mutability, RefType, TableType, ValType};

#[test]
fn types_print_as_in_the_text_format() {
    let memory = |builder: MemoryTypeBuilder| ExternType::from(builder.build().expect("a valid type"));
    let cases: &[(ExternType, &str)] = &[
        (FuncType::new([], []).into(), "(func)"),
        (
            FuncType::new([ValType::I32], [ValType::I64]).into(),
            "(func (param i32) (result i64))",
        ),
        (
            FuncType::new([ValType::F32, ValType::FUNCREF], [ValType::V128, ValType::F64]).into(),
            "(func (param f32 funcref) (result v128 f64))",
        ),
        (
            GlobalType::new(ValType::EXTERNREF, Mutability::Const).into(),
            "(global externref)",
        ),
        (
            GlobalType::new(ValType::I32, Mutability::Var).into(),
            "(global (mut i32))",
        ),
        (TableType::new(RefType::FUNCREF, 1, None).into(), "(table 1 funcref)"),
        (
            TableType::new(RefType::EXTERNREF, 0, Some(9)).into(),
            "(table 0 9 externref)",
        ),
        (MemoryType::new(1, Some(2)).into(), "(memory 1 2)"),
        (
            memory(MemoryType::builder().memory64(true).min(1 << 40)),
            "(memory i64 1099511627776)",
        ),
        (
            memory(MemoryType::builder().max(Some(3)).shared(true)),
            "(memory 0 3 shared)",
        ),
        (
            memory(MemoryType::builder().page_size_log2(0).min(5)),
            "(memory 5 (pagesize 1))",
        ),
    ];
    for (ty, text) in cases {
        assert_eq!(ty.to_string(), *text);
    }
}

#[test]
fn memory_types_that_are_not_valid_are_not_built() {
    let new = MemoryType::builder;
    for (builder, valid) in [
        (new().max(Some(65536)), true),
        (new().min(65537), false),
        (new().max(Some(65537)), false),
        (new().min(2).max(Some(1)), false),
        (new().shared(true), false),
        (new().page_size_log2(1), false),
        (new().page_size_log2(0).max(Some((1 << 32) - 1)), true),
        (new().page_size_log2(0).max(Some(1 << 32)), false),
        (new().memory64(true).max(Some(1 << 48)), true),
        (new().memory64(true).max(Some((1 << 48) + 1)), false),
        (new().memory64(true).page_size_log2(0).max(Some(u64::MAX)), true),
    ] {
        assert_eq!(builder.clone().build().is_ok(), valid, "{builder:?}");
    }
}

#[test]
fn function_types_differ_where_parameters_become_results() {
    let (i32, i64) = (ValType::I32, ValType::I64);
    let ty = FuncType::new([i32, i64], [i32]);
    assert_eq!(ty, FuncType::new(vec![i32, i64], [i32]));
    assert_ne!(ty, FuncType::new([i32], [i64, i32]));
    assert_eq!(ty.params().collect::<Vec<_>>(), [i32, i64]);
    assert_eq!(ty.results().collect::<Vec<_>>(), [i32]);
    assert_eq!(
        (
            ty.slots(),
            FuncType::new([], [i32; 3]).slots(),
            FuncType::new([], []).slots()
        ),
        (2, 3, 0)
    );
}

#[test]
fn types_of_other_proposals_are_refused_by_name() {
    use wasmparser::{AbstractHeapType, HeapType, RefType as Wasm};
    let abstract_type = |shared, ty| Wasm::new(true, HeapType::Abstract { shared, ty }).expect("a type");
    let func = |nullable| Wasm::new(nullable, HeapType::FUNC).expect("a type");
    let refused = |proposal| Err(Unsupported(proposal));
    for (ty, converted) in [
        (func(true), Ok(RefType::FUNCREF)),
        (Wasm::EXTERNREF, Ok(RefType::EXTERNREF)),
        (func(false), refused("the function-references proposal")),
        (Wasm::ANYREF, refused("the gc proposal")),
        (Wasm::EXNREF, refused("the exception-handling proposal")),
        (
            abstract_type(true, AbstractHeapType::Func),
            refused("the shared-everything-threads proposal"),
        ),
        (
            abstract_type(false, AbstractHeapType::Cont),
            refused("the stack-switching proposal"),
        ),
    ] {
        assert_eq!(RefType::from_wasm(ty), converted, "{ty:?}");
    }
}
