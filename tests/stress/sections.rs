//! Many functions, types, globals, segments, memories, instances, table elements.

use vm::{Engine, Instance, Module, Store, Val};
use wasm_encoder::{BlockType, ConstExpr, Elements, ExportKind, GlobalType, HeapType, MemArg, MemArgTarget};

use crate::builder::{
    Builder, I32, I64, WORD, assert_refusal, expect_f, expect_refused, function_of_i32, instantiate, sum,
};

#[test]
fn a_hundred_thousand_functions() {
    const COUNT: u32 = 100_000;
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let functions: Vec<u32> = (0..COUNT)
        .map(|n| {
            builder.func(ty, 0, |code| {
                code.local_get(0).i32_const(n.cast_signed()).i32_add();
            })
        })
        .collect();
    // Calls all of them, the last one first.
    let f = builder.func(ty, 1, |code| {
        code.i32_const(COUNT.cast_signed()).local_set(1).loop_(BlockType::Empty);
        code.local_get(0)
            .local_get(1)
            .i32_const(1)
            .i32_sub()
            .local_tee(1)
            .call_indirect(0, ty)
            .local_set(0);
        code.local_get(1).br_if(0).end();
        code.local_get(0).call(functions[0]).call(functions[99_999]);
    });
    builder.export("f", f);
    builder.table(COUNT.into());
    builder.elements.active(
        None,
        &ConstExpr::i32_const(0),
        Elements::Functions(functions[..].into()),
    );
    expect_f(&builder.finish(), &[0, -6], |x| {
        x.wrapping_add(sum(COUNT, |n| n)).wrapping_add(99_999)
    });
}

/// The module with this many one-byte segments, each at the address of its number,
/// and a function `f` that loads a byte.
fn data_segments(count: u32) -> Vec<u8> {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.func(ty, 0, |code| {
        code.local_get(0).i32_load8_u(MemArg { align: 0, ..WORD });
    });
    builder.export("f", f);
    builder.memory(4);
    for n in 0..count {
        let offset = ConstExpr::i32_const(n.cast_signed());
        builder.data.active(0, &offset, [u8::try_from(n % 251).expect("fits")]);
    }
    builder.finish()
}

#[test]
fn a_hundred_thousand_data_segments() {
    expect_f(&data_segments(100_000), &[0, 1, 251, 70_000, 99_999], |x| x % 251);
    expect_refused(&data_segments(100_001), "data");
}

#[test]
fn a_hundred_thousand_types_globals_and_exports() {
    const COUNT: u32 = 100_000;
    let mut builder = Builder::default();
    for _ in 0..COUNT {
        builder.ty(&[], &[I64]);
    }
    let ty = builder.ty(&[I32], &[I32]);
    for n in 0..COUNT {
        let global = GlobalType {
            val_type: I32,
            mutable: n % 2 == 0,
            shared: false,
        };
        builder.globals.global(global, &ConstExpr::i32_const(n.cast_signed()));
        builder.exports.export(&format!("global {n}"), ExportKind::Global, n);
    }
    let f = builder.func(ty, 0, |code| {
        code.local_get(0);
        for n in 0..COUNT {
            code.global_get(n).i32_add();
        }
    });
    builder.export("f", f);
    let wasm = builder.finish();
    expect_f(&wasm, &[0, 10], |x| x.wrapping_add(sum(COUNT, |n| n)));

    let (mut store, instance) = instantiate(&wasm).expect("loads");
    for n in [0, 1, 50_001, 99_999] {
        let global = instance
            .get_global(&mut store, &format!("global {n}"))
            .expect("is exported");
        assert!(matches!(global.get(&mut store), Val::I32(value) if value == n));
    }
}

/// A module with a table of `minimum` elements; `f` gives its size if its last
/// element is null.
fn table_of(minimum: u64) -> Vec<u8> {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.func(ty, 0, |code| {
        code.table_size(0)
            .i32_const(1)
            .i32_sub()
            .table_get(0)
            .ref_is_null()
            .table_size(0)
            .i32_mul();
    });
    builder.export("f", f);
    builder.table(minimum);
    builder.finish()
}

#[test]
fn a_table_of_ten_million_elements() {
    expect_f(&table_of(10_000_000), &[0], |_| 10_000_000);
}

/// Valid, but 4 billion references fill 32 GiB or more.
#[test]
fn a_table_larger_than_any_host_wants_is_refused() {
    let Err(error) = instantiate(&table_of(u64::from(u32::MAX))) else {
        panic!("must be refused")
    };
    assert_refusal(&error);
}

#[test]
fn a_table_does_not_grow_without_bounds() {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.func(ty, 0, |code| {
        code.ref_null(HeapType::FUNC).local_get(0).table_grow(0);
    });
    builder.export("f", f);
    builder.table(5);
    let billions = 0x8000_0000_u32.cast_signed();
    expect_f(&builder.finish(), &[0, 1000, billions, -1, -6], |delta| match delta {
        0 | 1000 => 5,
        _ => -1,
    });
}

#[test]
fn a_hundred_memories() {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let memory = |index| MemArg {
        target: MemArgTarget::Memory(index),
        ..WORD
    };
    let f = builder.func(ty, 0, |code| {
        for n in 0..100u32 {
            code.i32_const(65_532)
                .local_get(0)
                .i32_const(n.cast_signed())
                .i32_mul()
                .i32_store(memory(n));
        }
        for n in 0..100 {
            code.i32_const(65_532).i32_load(memory(n));
        }
        for _ in 1..100 {
            code.i32_add();
        }
    });
    builder.export("f", f);
    for _ in 0..100 {
        builder.memory(1);
    }
    expect_f(&builder.finish(), &[1, -2], |x| sum(100, |n| n.wrapping_mul(x)));
}

/// Address space and kernel mappings run out long before this many guarded
/// memories exist. Either the engine copes or it says so.
#[test]
fn twenty_thousand_instances_with_a_memory_each() {
    let wasm = function_of_i32(0, |code| {
        code.i32_const(1000)
            .local_get(0)
            .i32_store(WORD)
            .i32_const(1000)
            .i32_load(WORD);
    });
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).expect("valid");
    let mut store = Store::new(&engine, ());
    let mut last = None;
    for n in 0..20_000 {
        match Instance::new(&mut store, &module, &[]) {
            Ok(instance) => last = Some(instance),
            Err(error) => {
                assert!(n > 1000, "only {n} instances: {error}");
                assert_refusal(&error);
                break;
            }
        }
    }
    let f = last
        .expect("at least one")
        .get_typed_func::<i32, i32>(&mut store, "f")
        .expect("is exported");
    assert_eq!(f.call(&mut store, 4711).expect("runs"), 4711);
}
