//! Operand stacks of thousands of values.

use wasm_encoder::InstructionSink;

use crate::builder::{RESULT_I32, WORD, expect_f, expect_f_or_refusal, function_of_i32, sum};

/// Code that leaves `depth` values on the stack and then adds them all up.
fn deep_stack(depth: u32, mut push: impl FnMut(&mut InstructionSink<'_>, u32)) -> Vec<u8> {
    function_of_i32(1, |code| {
        (0..depth).for_each(|n| push(code, n));
        for _ in 1..depth {
            code.i32_add();
        }
    })
}

#[test]
fn ten_thousand_constants_on_the_stack() {
    let wasm = deep_stack(10_000, |code, n| {
        code.i32_const(n.cast_signed() * 77_777);
    });
    expect_f(&wasm, &[0], |_| sum(10_000, |n| n.wrapping_mul(77_777)));
}

#[test]
fn ten_thousand_locals_on_the_stack() {
    let wasm = deep_stack(10_000, |code, _| {
        code.local_get(0);
    });
    expect_f(&wasm, &[1, -3, 123_456_789], |x| x.wrapping_mul(10_000));
}

#[test]
fn thirty_thousand_results_on_the_stack() {
    let wasm = deep_stack(30_000, |code, n| {
        code.local_get(0).i32_const(n.cast_signed()).i32_xor();
        if n % 3 == 0 {
            code.i32_const(0xfffc).i32_and().i32_load(WORD); // the memory holds zeros
        }
    });
    expect_f(&wasm, &[0, 5, -1], |x| {
        sum(30_000, |n| if n % 3 == 0 { 0 } else { x ^ n })
    });
}

#[test]
fn stacks_deeper_than_sixteen_bits() {
    for depth in [65_000, 65_535, 65_536, 70_000, 200_000] {
        let wasm = deep_stack(depth, |code, n| {
            code.local_get(0).i32_const(n.cast_signed()).i32_mul();
        });
        expect_f_or_refusal(&wasm, &[1, -9], |x| sum(depth, |n| n.wrapping_mul(x)));
    }
}

/// Each assignment must leave the older values of the local on the stack as they
/// were; looking through the whole stack each time would be quadratic.
#[test]
fn assignments_under_a_deep_stack() {
    const DEPTH: u32 = 30_000;
    let wasm = deep_stack(DEPTH, |code, n| {
        code.local_get(0);
        code.local_get(0)
            .i32_const(3)
            .i32_mul()
            .i32_const(n.cast_signed())
            .i32_add()
            .local_set(0);
    });
    expect_f(&wasm, &[0, 1, 99], |mut x| {
        sum_of((0..DEPTH.cast_signed()).map(|n| {
            let old = x;
            x = x.wrapping_mul(3).wrapping_add(n);
            old
        }))
    });
}

#[test]
fn assignments_to_another_local_under_a_deep_stack() {
    const DEPTH: u32 = 30_000;
    let wasm = deep_stack(DEPTH, |code, n| {
        code.local_get(0)
            .local_get(0)
            .i32_const(n.cast_signed())
            .i32_add()
            .local_tee(1)
            .local_set(1);
    });
    expect_f(&wasm, &[1, -20], |x| x.wrapping_mul(DEPTH.cast_signed()));
}

fn sum_of(values: impl Iterator<Item = i32>) -> i32 {
    values.fold(0, i32::wrapping_add)
}

/// Blocks inside blocks, each with the values of all outer ones below it.
#[test]
fn nested_blocks_over_a_deep_stack() {
    const DEPTH: u32 = 20_000;
    let wasm = function_of_i32(0, |code| {
        for n in 0..DEPTH {
            match n % 3 {
                0 => code.local_get(0),
                1 => code.i32_const(n.cast_signed()),
                _ => code.local_get(0).i32_const(n.cast_signed()).i32_xor(),
            };
            code.block(RESULT_I32);
        }
        code.i32_const(5);
        for _ in 0..DEPTH {
            code.end().i32_add();
        }
    });
    let value = |n: i32, x: i32| [x, n, x ^ n][usize::try_from(n % 3).expect("0, 1 or 2")];
    expect_f(&wasm, &[0, 7], |x| sum(DEPTH, |n| value(n, x)).wrapping_add(5));
}

/// Many blocks one after the other, over many values that none of them touches.
#[test]
fn consecutive_blocks_over_a_deep_stack() {
    const DEPTH: u32 = 30_000;
    let wasm = function_of_i32(0, |code| {
        for _ in 0..DEPTH {
            code.local_get(0);
        }
        for n in 0..DEPTH {
            code.block(RESULT_I32)
                .i32_const(n.cast_signed())
                .local_get(0)
                .br_if(0)
                .i32_const(1)
                .i32_add()
                .end();
            code.drop();
        }
        for _ in 1..DEPTH {
            code.i32_add();
        }
    });
    expect_f(&wasm, &[0, 2], |x| x.wrapping_mul(DEPTH.cast_signed()));
}
