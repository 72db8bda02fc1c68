//! Function bodies of up to the largest size allowed.

use wasm_encoder::{BlockType, Function, MemArg};

use crate::builder::{I32, WORD, expect_f, expect_refused, module_of_body};

/// Straight-line code of at least `size` bytes, with a branch and memory accesses
/// now and then; and the number of its steps.
fn large_body(size: usize) -> (Function, u32) {
    let mut function = Function::new([(1, I32)]);
    let mut steps = 0;
    while function.byte_len() < size {
        let (factor, addend) = step_constants(steps);
        let mut code = function.instructions();
        code.local_get(0)
            .i32_const(factor)
            .i32_mul()
            .i32_const(addend)
            .i32_add();
        code.local_tee(0)
            .i32_const(12)
            .i32_shr_u()
            .local_get(0)
            .i32_xor()
            .local_set(0);
        if steps.is_multiple_of(16) {
            code.i32_const(0x7fff).local_get(0).i32_and().local_tee(1);
            code.local_get(0).i32_store(WORD).local_get(1);
            code.i32_load16_u(MemArg { align: 1, ..WORD });
            code.local_get(0).i32_sub().local_set(0);
        }
        if steps.is_multiple_of(64) {
            code.block(BlockType::Empty)
                .local_get(0)
                .i32_const(1)
                .i32_and()
                .br_if(0);
            code.local_get(0).i32_const(5).i32_rotl().local_set(0).end();
        }
        steps += 1;
    }
    function.instructions().local_get(0);
    (function, steps)
}

fn step_constants(step: u32) -> (i32, i32) {
    let mixed = step.wrapping_mul(0x9e37_79b9) ^ (step >> 3);
    ((mixed | 1).cast_signed(), mixed.rotate_left(7).cast_signed())
}

/// What the body computes from `x`.
fn large_body_result(x: i32, steps: u32) -> i32 {
    let mut x = x.cast_unsigned();
    for step in 0..steps {
        let (factor, addend) = step_constants(step);
        x = x
            .wrapping_mul(factor.cast_unsigned())
            .wrapping_add(addend.cast_unsigned());
        x ^= x >> 12;
        if step.is_multiple_of(16) {
            x = (x & 0xffff).wrapping_sub(x);
        }
        if step.is_multiple_of(64) && x & 1 == 0 {
            x = x.rotate_left(5);
        }
    }
    x.cast_signed()
}

#[test]
fn a_body_of_440_kb() {
    let (function, steps) = large_body(440_000);
    expect_f(&module_of_body(function), &[0, 1, -7], |x| large_body_result(x, steps));
}

#[test]
fn a_body_of_7_mb() {
    let (function, steps) = large_body(7_600_000);
    expect_f(&module_of_body(function), &[3, i32::MIN], |x| {
        large_body_result(x, steps)
    });
}

#[test]
fn a_body_above_wasmparsers_limit_is_refused() {
    let (function, _) = large_body(7_700_000);
    expect_refused(&module_of_body(function), "size");
}
