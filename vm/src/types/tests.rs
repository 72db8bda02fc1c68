//! How types print, compare and are made.

use super::convert::{TypeSpace, Unsupported};
use super::memory::MemoryTypeBuilder;
use super::{
    CompositeType, DefType, ExternType, Finality, FuncType, GlobalType, HeapType, MemoryType, Mutability, RefType,
    StructType, TableType, TypeRegistry, ValType,
};
use crate::error::TypeError;
use crate::runtime::engine::Engine;

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
    use ValType::{I32, I64};
    let ty = FuncType::new([I32, I64], [I32]);
    assert_eq!(ty, FuncType::new(vec![I32, I64], [I32]));
    assert_ne!(ty, FuncType::new([I32], [I64, I32]));
    assert_eq!(ty.params().collect::<Vec<_>>(), [I32, I64]);
    assert_eq!(ty.results().collect::<Vec<_>>(), [I32]);
    assert_eq!(
        (
            ty.slots(),
            FuncType::new([], vec![I32; 3]).slots(),
            FuncType::new([], []).slots()
        ),
        (2, 3, 0)
    );
}

#[test]
fn types_of_other_proposals_are_refused_by_name() {
    use wasmparser::{AbstractHeapType, RefType as Wasm};
    type WasmHeap = wasmparser::HeapType;
    let abstract_type = |shared, ty| Wasm::new(true, WasmHeap::Abstract { shared, ty }).expect("a type");
    let func = |nullable| Wasm::new(nullable, WasmHeap::FUNC).expect("a type");
    let refused = |proposal| Err(Unsupported(proposal));
    let registry = TypeRegistry::default();
    for (ty, converted) in [
        (func(true), Ok(RefType::FUNCREF)),
        (Wasm::EXTERNREF, Ok(RefType::EXTERNREF)),
        (func(false), Ok(RefType::new(false, super::HeapType::Func))),
        (Wasm::ANYREF, Ok(RefType::ANYREF)),
        (Wasm::EXNREF, Ok(RefType::EXNREF)),
        (
            abstract_type(true, AbstractHeapType::Func),
            refused("the shared-everything-threads proposal"),
        ),
        (
            abstract_type(false, AbstractHeapType::Cont),
            refused("the stack-switching proposal"),
        ),
    ] {
        assert_eq!(
            RefType::from_wasm(ty, TypeSpace::new(&[]), &registry),
            converted,
            "{ty:?}"
        );
    }
}

/// A chain of function types, each of which takes references to the one before.
fn chain(registry: &TypeRegistry, len: u32) -> DefType {
    let mut last = FuncType::new([], []).define(registry);
    for _ in 0..len {
        let param = RefType::new(true, HeapType::ConcreteFunc(FuncType::of(last)));
        last = FuncType::new([param.into()], []).define(registry);
    }
    last
}

#[test]
fn types_that_nothing_has_are_forgotten_however_long_their_chain() {
    let registry = TypeRegistry::default();
    let last = chain(&registry, 100_000);
    assert_eq!(registry.len(), 100_001);
    assert_eq!(chain(&registry, 100_000), last, "equal chains are one");
    assert_eq!(registry.len(), 100_001);
    assert!(FuncType::of(last.clone()) == FuncType::of(last.clone()));
    drop(last);
    assert_eq!(registry.len(), 0);
    let again = chain(&registry, 10);
    assert!(again.id().as_u32() < 100_001, "identities are given again");
}

/// The types of a module in the text format, in a registry.
#[cfg(feature = "wat")]
fn types_of(registry: &TypeRegistry, text: &str) -> Vec<CompositeType> {
    let bytes = wat::parse_str(text).expect("a module");
    let features = wasmparser::WasmFeatures::all() - wasmparser::WasmFeatures::SHARED_EVERYTHING_THREADS;
    let module = crate::module::ModuleData::parse(bytes.into(), features, registry, 1).expect("valid");
    module.types.clone()
}

#[cfg(feature = "wat")]
#[test]
fn recursion_groups_are_one_where_they_are_equal() {
    let registry = TypeRegistry::default();
    let pair = |a: &str, b: &str| {
        format!("(rec (type $a (struct (field (ref null {a})))) (type $b (struct (field (ref null {b})))))")
    };
    let text = format!("(module {} {} {})", pair("0", "1"), pair("2", "3"), pair("5", "4"));
    let types = types_of(&registry, &text.replace("$a", "").replace("$b", ""));
    let id = |i: usize| types[i].def().id();
    assert_eq!(
        (id(0), id(1)),
        (id(2), id(3)),
        "they name their own types in the same way"
    );
    assert_ne!(id(0), id(4));
    assert_ne!(id(0), id(1), "of one group, each type is one");
    assert_eq!(registry.len(), 4);
    let alone = types_of(&registry, "(module (type $a (struct (field (ref null $a)))))");
    assert_ne!(alone[0].def().id(), id(0));
    assert!(!alone[0].def().is_plain());
    drop((types, alone));
    assert_eq!(registry.len(), 0, "groups do not keep themselves");
}

#[cfg(feature = "wat")]
#[test]
fn supertypes_are_found_however_many_there_are() {
    let registry = TypeRegistry::default();
    let types: String = (0..60).map(|i| format!("(type (sub {i} (struct)))")).collect();
    let types = types_of(
        &registry,
        &format!("(module (type (sub (struct))) {types} (type (sub 3 (struct (field i32)))))"),
    );
    for (i, sub) in types.iter().enumerate().take(61) {
        for (j, other) in types.iter().enumerate().take(61) {
            assert_eq!(sub.def().matches(other.def()), i >= j, "{i} {j}");
        }
    }
    let side = types[61].def();
    let matched: Vec<usize> = (0..61).filter(|i| side.matches(types[*i].def())).collect();
    assert_eq!(matched, [0, 1, 2, 3]);
}

#[test]
fn heap_types_match_as_their_hierarchies_say() {
    use HeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
    let engine = Engine::default();
    let ty = StructType::new(&engine, []).expect("valid");
    let (concrete, exact) = (HeapType::ConcreteStruct(ty.clone()), HeapType::ExactStruct(ty));
    let hierarchies = [
        vec![Any, Eq, I31, Array, Struct, None, concrete.clone(), exact.clone()],
        vec![Extern, NoExtern],
        vec![Func, NoFunc, HeapType::ConcreteFunc(FuncType::new([], []))],
        vec![Exn, NoExn],
    ];
    let below = |a: &HeapType, b: &HeapType| match (a, b) {
        (None, _) | (NoExtern, _) | (NoFunc, _) | (NoExn, _) => true,
        (_, Any | Extern | Func | Exn) => true,
        (I31 | Array | Struct, Eq) => true,
        (a, Eq | Struct) => *a == concrete || *a == exact,
        (a, b) => *a == exact && *b == concrete,
    };
    for (i, one) in hierarchies.iter().enumerate() {
        for (j, other) in hierarchies.iter().enumerate() {
            for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                assert_eq!(a.matches(b), i == j && (a == b || below(a, b)), "{a} {b}");
                assert_eq!(a.top() == b.top(), i == j, "{a} {b}");
            }
        }
    }
}

#[test]
fn references_match_where_null_is_allowed() {
    let (null, func) = (RefType::FUNCREF, RefType::new(false, HeapType::Func));
    assert!(func.matches(&null) && !null.matches(&func));
    assert!(!null.matches(&RefType::EXTERNREF));
    assert!(ValType::Ref(func.clone()).matches(&null.into()) && !ValType::I32.matches(&func.into()));
}

#[test]
fn types_that_modules_define_together_differ_from_plain_ones() {
    let engine = Engine::default();
    let plain = FuncType::new([ValType::I32], []);
    let registered = FuncType::of(plain.define(engine.types()));
    assert_eq!(plain, registered);
    assert_eq!(registered.to_string(), "(func (param i32))");
    let open = FuncType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [ValType::I32], []);
    let open = open.expect("valid");
    assert_ne!(plain, open);
    let sub = FuncType::with_finality_and_supertype(&engine, Finality::Final, Some(&open), [ValType::I32], []);
    let sub = sub.expect("valid");
    assert!(sub.matches(&open) && !open.matches(&sub) && !sub.matches(&plain));
    assert_eq!(sub.supertype(), Some(open.clone()));
    let named = |ty: &FuncType| ty.define(engine.types()).id().as_u32();
    let expected = format!(
        "(type ${} (sub final ${} (func (param i32))))",
        named(&sub),
        named(&open)
    );
    assert_eq!(sub.to_string(), expected);
    let wrong = FuncType::with_finality_and_supertype(&engine, Finality::Final, Some(&sub), [ValType::I32], []);
    assert_eq!(wrong.expect_err("final").to_string(), TypeError::Supertype.to_string());
    let wrong = FuncType::with_finality_and_supertype(&engine, Finality::Final, Some(&open), [], []);
    assert!(wrong.is_err(), "other parameters");
    assert_ne!(plain, FuncType::new([ValType::I64], []));
    assert_eq!(
        FuncType::of(plain.define(Engine::default().types())),
        registered,
        "of another engine"
    );
}
