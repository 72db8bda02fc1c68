//! Wide signatures, large frames, endless recursion.

use vm::{Caller, Engine, Error, Extern, Func, FuncType, Instance, Module, Store, Trap, Val};
use wasm_encoder::{BlockType, ConstExpr, Elements, Function, InstructionSink, ValType};

use crate::builder::{Builder, I32, I64, call_f, expect_f, expect_refused, function_of_i32, module_of_body, sum};

const KINDS: [ValType; 4] = [I32, I64, ValType::F32, ValType::F64];

fn kind(n: usize) -> ValType {
    KINDS[n % KINDS.len()]
}

/// Passes 1000 values of all kinds to `callee` and weighs the 1000 results, which
/// are the same in reverse order, into one i64.
fn call_with_a_thousand(code: &mut InstructionSink<'_>, call: impl FnOnce(&mut InstructionSink<'_>)) {
    for n in 0..1000i16 {
        match kind(usize::from(n.unsigned_abs())) {
            ValType::I32 => code.i32_const(i32::from(n) * 7 + 3),
            ValType::I64 => code.i64_const(i64::from(n) * 7 + 3),
            ValType::F32 => code.f32_const((f32::from(n) * 7.0 + 3.0).into()),
            _ => code.f64_const((f64::from(n) * 7.0 + 3.0).into()),
        };
    }
    call(code);
    for n in 0..1000usize {
        // The last result is the first parameter.
        match kind(n) {
            ValType::I32 => code.i64_extend_i32_s(),
            ValType::F32 => code.i64_trunc_sat_f32_s(),
            ValType::F64 => code.i64_trunc_f64_s(),
            _ => code,
        };
        code.i64_const(i64::try_from(n).expect("small") + 1)
            .i64_mul()
            .local_get(0)
            .i64_add()
            .local_set(0);
    }
    code.local_get(0);
}

/// Emits one kind of call.
type Call<'a> = &'a dyn Fn(&mut InstructionSink<'_>);

#[test]
fn calls_with_a_thousand_parameters_and_results() {
    let params: Vec<ValType> = (0..1000).map(kind).collect();
    let results: Vec<ValType> = (0..1000).rev().map(kind).collect();
    let mut builder = Builder::default();
    let wide = builder.ty(&params, &results);
    let ty = builder.ty(&[], &[I64]);
    let host = builder.import("reverse", wide);
    let callee = builder.func(wide, 0, |code| {
        for n in (0..1000).rev() {
            code.local_get(n);
        }
    });
    let variants: [(&str, Call<'_>); 3] = [
        ("direct", &|code| {
            code.call(callee);
        }),
        ("indirect", &|code| {
            code.i32_const(0).call_indirect(0, wide);
        }),
        ("host", &|code| {
            code.call(host);
        }),
    ];
    for (name, call) in variants {
        let mut function = Function::new([(1, I64)]);
        call_with_a_thousand(&mut function.instructions(), call);
        let index = builder.add(ty, function);
        builder.export(name, index);
    }
    builder.table(1);
    builder.elements.active(
        Some(0),
        &ConstExpr::i32_const(0),
        Elements::Functions([callee][..].into()),
    );

    let engine = Engine::default();
    let module = Module::new(&engine, builder.finish()).expect("valid");
    let mut store = Store::new(&engine, ());
    let host_kinds = |types: &[ValType]| -> Vec<vm::ValType> {
        let convert = |ty: &ValType| match *ty {
            ValType::I32 => vm::ValType::I32,
            ValType::I64 => vm::ValType::I64,
            ValType::F32 => vm::ValType::F32,
            _ => vm::ValType::F64,
        };
        types.iter().map(convert).collect()
    };
    let ty = FuncType::new(host_kinds(&params), host_kinds(&results));
    let reverse = Func::new(
        &mut store,
        ty,
        |_: Caller<'_, ()>, params: &[Val], results: &mut [Val]| {
            results
                .iter_mut()
                .zip(params.iter().rev())
                .for_each(|(to, from)| *to = *from);
            Ok(())
        },
    );
    let instance = Instance::new(&mut store, &module, &[Extern::Func(reverse)]).expect("links");
    let expected: i64 = (0..1000).map(|n| (n * 7 + 3) * (n + 1)).sum();
    for (name, _) in variants {
        let f = instance
            .get_typed_func::<(), i64>(&mut store, name)
            .expect("is exported");
        assert_eq!(f.call(&mut store, ()).expect("runs"), expected, "{name} call");
    }
}

#[test]
fn signatures_with_more_than_a_thousand_are_refused() {
    for (params, results) in [(1001, 0), (0, 1001)] {
        let mut builder = Builder::default();
        builder.ty(&vec![I32; params], &vec![I64; results]);
        expect_refused(&builder.finish(), "out of bounds");
    }
}

/// A block whose 1000 results come by a branch from above other values, and a loop
/// with 1000 parameters.
#[test]
fn blocks_with_a_thousand_parameters_and_results() {
    let mut builder = Builder::default();
    let thousand = vec![I32; 1000];
    let results = BlockType::FunctionType(builder.ty(&[], &thousand));
    let both = BlockType::FunctionType(builder.ty(&thousand, &thousand));
    let ty = builder.ty(&[I32], &[I32]);
    let f = builder.func(ty, 0, |code| {
        code.block(results).i32_const(-1).i64_const(-1).f64_const(1.0.into());
        for n in 0..1000 {
            code.i32_const(n * n);
        }
        code.br(0).end();
        // Each turn adds the counter to the last value.
        code.loop_(both).local_get(0).i32_add();
        code.local_get(0).i32_const(1).i32_sub().local_tee(0).br_if(0).end();
        for _ in 1..1000 {
            code.i32_add();
        }
    });
    builder.export("f", f);
    expect_f(&builder.finish(), &[1, 4, 1000], |x| {
        sum(1000, |n| n * n) + x * (x + 1) / 2
    });
}

/// A function that sets each of its locals and adds them up.
fn many_locals(count: u32) -> Vec<u8> {
    let mut function = Function::new([(count, I32)]);
    let mut code = function.instructions();
    for n in 1..=count {
        code.local_get(0).i32_const(n.cast_signed()).i32_mul().local_set(n);
    }
    code.local_get(0);
    for n in 1..=count {
        code.local_get(n).i32_add();
    }
    module_of_body(function)
}

#[test]
fn fifty_thousand_locals() {
    for count in [30_000, 49_999] {
        expect_f(&many_locals(count), &[0, 1, -5], |x| {
            x.wrapping_add(sum(count + 1, |n| n.wrapping_mul(x)))
        });
    }
    expect_refused(&many_locals(50_000), "locals");
}

#[test]
fn endless_recursion_with_large_frames_exhausts_the_stack() {
    for locals in [0, 10, 1000, 49_000] {
        let wasm = function_of_i32(locals, |code| {
            code.local_get(0)
                .i32_const(1)
                .i32_add()
                .call(0)
                .local_get(locals)
                .i32_add();
        });
        let error = call_f(&wasm, &[0]).expect_err("never returns");
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{locals} locals: {error}");
    }
}

#[test]
fn endless_recursion_through_the_host_exhausts_the_stack() {
    let mut builder = Builder::default();
    let ty = builder.ty(&[I32], &[I32]);
    let host = builder.import("back", ty);
    let f = builder.func(ty, 0, |code| {
        code.local_get(0)
            .i32_const(1)
            .i32_add()
            .call(host)
            .i32_const(1)
            .i32_add();
    });
    builder.export("f", f);
    let engine = Engine::default();
    let module = Module::new(&engine, builder.finish()).expect("valid");
    let mut store = Store::new(&engine, ());
    let back = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, ()>, depth: i32| -> Result<i32, Error> {
            let f = caller.get_export("f").and_then(Extern::into_func).expect("is exported");
            let f = f.typed::<i32, i32>(&caller)?;
            f.call(&mut caller, depth)
        },
    );
    let instance = Instance::new(&mut store, &module, &[Extern::Func(back)]).expect("links");
    let f = instance
        .get_typed_func::<i32, i32>(&mut store, "f")
        .expect("is exported");
    for _ in 0..3 {
        let error = f.call(&mut store, 0).expect_err("never returns");
        assert_eq!(error.trap(), Some(Trap::StackOverflow), "{error}");
    }
}
