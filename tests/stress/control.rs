//! Deep nesting and large branch tables.

use wasm_encoder::{BlockType, InstructionSink};

use crate::builder::{expect_f, function_of_i32};

const NESTING: u32 = 100_000;

fn count_up(code: &mut InstructionSink<'_>) {
    code.local_get(1).i32_const(1).i32_add().local_set(1);
}

#[test]
fn a_hundred_thousand_nested_blocks() {
    let wasm = function_of_i32(1, |code| {
        for _ in 0..NESTING {
            code.block(BlockType::Empty);
        }
        code.local_get(0).if_(BlockType::Empty).br(NESTING).end();
        for _ in 0..NESTING {
            count_up(code.end());
        }
        code.local_get(1);
    });
    expect_f(&wasm, &[0, 1], |x| if x == 0 { NESTING.cast_signed() } else { 1 });
}

#[test]
fn a_hundred_thousand_nested_loops() {
    let wasm = function_of_i32(1, |code| {
        for _ in 0..NESTING {
            code.loop_(BlockType::Empty);
        }
        count_up(code);
        code.local_get(0).i32_const(1).i32_sub().local_tee(0).br_if(NESTING - 1);
        for _ in 0..NESTING {
            count_up(code.end());
        }
        code.local_get(1);
    });
    expect_f(&wasm, &[1, 1000], |x| x + NESTING.cast_signed());
}

#[test]
fn a_hundred_thousand_nested_ifs() {
    let wasm = function_of_i32(1, |code| {
        for n in 0..NESTING {
            code.local_get(0)
                .i32_const(n.cast_signed())
                .i32_gt_u()
                .if_(BlockType::Empty);
        }
        for _ in 0..NESTING {
            count_up(code);
            code.else_();
            code.local_get(1).i32_const(1000).i32_add().local_set(1).end();
        }
        code.local_get(1);
    });
    let limit = NESTING.cast_signed();
    expect_f(&wasm, &[0, 1, 5000, limit], |x| if x == limit { x } else { x + 1000 });
}

#[test]
fn a_branch_table_with_a_hundred_thousand_targets() {
    const BLOCKS: u32 = 100;
    let targets: Vec<u32> = (0..100_000).map(|n| n * 7 % BLOCKS).collect();
    let wasm = function_of_i32(0, |code| {
        for _ in 0..BLOCKS {
            code.block(BlockType::Empty);
        }
        code.local_get(0).br_table(targets, BLOCKS - 1);
        for n in 0..BLOCKS {
            code.end().i32_const(n.cast_signed() * 11).return_();
        }
        code.unreachable();
    });
    expect_f(&wasm, &[0, 1, 7, 65_535, 65_536, 99_999, 100_000, -1], |x| match x {
        0..100_000 => x * 7 % BLOCKS.cast_signed() * 11,
        _ => 99 * 11,
    });
}
