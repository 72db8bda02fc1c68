//! Modules of any size with one peculiarity each. All export `run`, which takes
//! [`ARGUMENT`].

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink, MemArg,
    MemArgTarget, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// What `run` is called with.
pub const ARGUMENT: i32 = 7;

/// A module and what its `run` gives.
pub struct Guest {
    pub wasm: Vec<u8>,
    pub result: i32,
}

/// Numbers of parameters and results, all of them `i32`, of the types that all
/// these modules have.
const TYPES: &[(usize, usize)] = &[(1, 1), (0, 5), (100, 1), (0, 1000)];
/// The type of `run` and of blocks that pass an operand on.
const ONE: u32 = 0;
/// Of blocks with five results.
const FIVE_RESULTS: u32 = 1;
/// Of functions with a hundred parameters.
const HUNDRED_PARAMS: u32 = 2;
/// Of functions with a thousand results.
const THOUSAND_RESULTS: u32 = 3;

/// A block with one result.
const RESULT: BlockType = BlockType::Result(ValType::I32);

/// A function with these locals besides its parameters.
fn function(locals: u32, body: impl FnOnce(&mut InstructionSink<'_>)) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    let mut code = function.instructions();
    body(&mut code);
    code.end();
    function
}

/// A module of functions, each with its type; the first is `run`.
fn module<'a>(functions: impl IntoIterator<Item = (u32, &'a Function)>) -> Vec<u8> {
    let mut types = TypeSection::new();
    for &(params, results) in TYPES {
        types
            .ty()
            .function(vec![ValType::I32; params], vec![ValType::I32; results]);
    }
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for (ty, function) in functions {
        declared.function(ty);
        code.function(function);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, 0);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&memories);
    module.section(&exports).section(&code);
    module.finish()
}

/// A module whose only function has these locals after its parameter.
fn guest(result: i32, locals: u32, body: impl FnOnce(&mut InstructionSink<'_>)) -> Guest {
    let wasm = module([(ONE, &function(locals, body))]);
    Guest { wasm, result }
}

/// A module of `run` and other functions.
fn guest_of(result: i32, run: &Function, others: &[(u32, Function)]) -> Guest {
    let others = others.iter().map(|(ty, function)| (*ty, function));
    let wasm = module(std::iter::once((ONE, run)).chain(others));
    Guest { wasm, result }
}

/// `n` additions to a local, of seven bytes each.
pub fn straight_code(n: u32) -> Guest {
    guest(ARGUMENT.wrapping_add_unsigned(n), 0, |code| {
        for _ in 0..n {
            code.local_get(0).i32_const(1).i32_add().local_set(0);
        }
        code.local_get(0);
    })
}

/// Adds one to words of the memory.
pub fn memory_accesses(n: u32) -> Guest {
    let word = |i: u32| MemArg {
        offset: u64::from(i % 1000 * 4),
        align: 2,
        target: MemArgTarget::Memory(0),
        ordering: None,
    };
    guest(n.div_ceil(1000).cast_signed(), 0, |code| {
        for i in 0..n {
            code.local_get(0).local_get(0).i32_load(word(i));
            code.i32_const(1).i32_add().i32_store(word(i));
        }
        code.local_get(0).i32_load(word(0));
    })
}

/// Additions of a constant to one operand.
pub fn chain_of_additions(n: u32) -> Guest {
    guest(ARGUMENT.wrapping_add_unsigned(n), 0, |code| {
        code.local_get(0);
        for _ in 0..n {
            code.i32_const(1).i32_add();
        }
    })
}

/// Negations of a truth value, an even number of them.
pub fn chain_of_negations(n: u32) -> Guest {
    guest(1, 0, |code| {
        code.local_get(0);
        for _ in 0..n / 2 * 2 {
            code.i32_eqz();
        }
    })
}

/// Each local is computed from the one before.
pub fn many_locals(n: u32) -> Guest {
    guest(ARGUMENT.wrapping_add_unsigned(n), n, |code| {
        for i in 0..n {
            code.local_get(i).i32_const(1).i32_add().local_set(i + 1);
        }
        code.local_get(n);
    })
}

/// As many blocks as locals, one after the other.
pub fn many_locals_and_blocks(n: u32) -> Guest {
    guest(ARGUMENT, n, |code| {
        for i in 0..n {
            code.block(BlockType::Empty).local_get(i).local_set(i + 1).end();
        }
        code.local_get(n);
    })
}

/// As many loops as locals, each with a branch to it that is not taken.
pub fn many_locals_and_loops(n: u32) -> Guest {
    guest(0, n, |code| {
        for i in 0..n {
            code.loop_(BlockType::Empty);
            code.local_get(i + 1).br_if(0).end();
        }
        code.local_get(n);
    })
}

/// Blocks in each other, with branches from the innermost to each.
pub fn nested_blocks(n: u32) -> Guest {
    nested(n, |code| {
        code.block(BlockType::Empty);
    })
}

/// Loops in each other, with branches from the innermost to each.
pub fn nested_loops(n: u32) -> Guest {
    nested(n, |code| {
        code.loop_(BlockType::Empty);
    })
}

fn nested(n: u32, open: impl Fn(&mut InstructionSink<'_>)) -> Guest {
    guest(ARGUMENT, 1, |code| {
        (0..n).for_each(|_| open(code));
        for depth in 0..n {
            code.local_get(1).br_if(depth);
        }
        for _ in 0..n {
            code.end();
        }
        code.local_get(0);
    })
}

/// Loops in each other that pass an operand on.
pub fn nested_loops_with_operands(n: u32) -> Guest {
    guest(ARGUMENT.wrapping_add_unsigned(n), 0, |code| {
        code.local_get(0);
        for _ in 0..n {
            code.loop_(BlockType::FunctionType(ONE)).i32_const(1).i32_add();
        }
        for _ in 0..n {
            code.end();
        }
    })
}

/// Loops one after the other that count down a local of their own.
pub fn loops_that_count(n: u32) -> Guest {
    guest(0, n, |code| {
        for i in 1..=n {
            code.i32_const(1).local_set(i).loop_(BlockType::Empty);
            code.local_get(i).i32_const(1).i32_sub().local_tee(i).br_if(0).end();
        }
        code.local_get(n);
    })
}

/// Branches back to a loop that begins with a `br_table`, as interpreters have
/// them.
pub fn branches_to_a_table(n: u32) -> Guest {
    guest(0, 0, |code| {
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        for _ in 0..8 {
            code.block(BlockType::Empty);
        }
        // To the next end: one less each time, until it is 0.
        code.local_get(0).br_table([9, 0, 1, 2, 3, 4, 5, 6], 7);
        for depth in (0..8).rev() {
            code.end();
            for _ in 0..n / 8 {
                code.block(BlockType::Empty).local_get(0).i32_eqz().br_if(0);
                code.local_get(0)
                    .i32_const(1)
                    .i32_sub()
                    .local_set(0)
                    .br(depth + 1)
                    .end();
            }
        }
        code.end().end().local_get(0);
    })
}

/// An `if` in the first half of an `if`, and so on.
pub fn nested_ifs(n: u32) -> Guest {
    guest(ARGUMENT, 0, |code| {
        for _ in 0..n {
            code.local_get(0).if_(RESULT);
        }
        code.local_get(0);
        for _ in 0..n {
            code.else_().i32_const(1).end();
        }
    })
}

/// An `if` in the second half of an `if`, and so on.
pub fn nested_elses(n: u32) -> Guest {
    guest(ARGUMENT, 1, |code| {
        for _ in 0..n {
            code.local_get(1).if_(RESULT).i32_const(1).else_();
        }
        code.local_get(0);
        for _ in 0..n {
            code.end();
        }
    })
}

/// Blocks in each other that cannot be reached.
pub fn unreachable_blocks(n: u32) -> Guest {
    guest(ARGUMENT, 0, |code| {
        code.block(BlockType::Empty).br(0);
        for _ in 0..n {
            code.block(BlockType::Empty).local_get(0).br_if(0);
        }
        for _ in 0..n {
            code.end();
        }
        code.end().local_get(0);
    })
}

/// Branches to the end of one block.
pub fn branches_to_one_label(n: u32) -> Guest {
    guest(ARGUMENT, 1, |code| {
        code.block(BlockType::Empty);
        for _ in 0..n {
            code.local_get(1).br_if(0);
        }
        code.end().local_get(0);
    })
}

/// A `br_table` of `n` entries with two targets.
pub fn table_of_two_labels(n: u32) -> Guest {
    guest(ARGUMENT, 0, |code| {
        code.block(BlockType::Empty).block(BlockType::Empty);
        code.local_get(0).br_table((0..n).map(|i| i % 2), 0).end();
        code.i32_const(100).local_set(0).end().local_get(0);
    })
}

/// A `br_table` with as many targets as entries.
pub fn table_of_many_labels(n: u32) -> Guest {
    guest(n.cast_signed() - ARGUMENT, 1, |code| {
        for _ in 0..n {
            code.block(BlockType::Empty);
        }
        code.local_get(0).br_table(0..n, n - 1);
        for _ in 0..n {
            code.end().local_get(1).i32_const(1).i32_add().local_set(1);
        }
        code.local_get(1);
    })
}

/// A `br_table` whose branches bring an operand along, past others.
pub fn table_with_operand(n: u32) -> Guest {
    guest(5, 0, |code| {
        code.block(RESULT).block(RESULT).i32_const(1).i32_const(5);
        code.local_get(0).br_table((0..n).map(|i| i % 2), 0).end();
        code.i32_const(100).i32_add().end();
    })
}

/// As [`table_with_operand`], with as many targets as entries.
pub fn table_of_many_labels_with_operand(n: u32) -> Guest {
    guest(5 + n.cast_signed() - ARGUMENT, 0, |code| {
        for _ in 0..n {
            code.block(RESULT);
        }
        code.i32_const(1).i32_const(5).local_get(0).br_table(0..n, n - 1);
        for _ in 0..n {
            code.end().i32_const(1).i32_add();
        }
    })
}

/// Branches that bring an operand along, over a deep stack of locals' values.
pub fn branches_over_deep_stack(n: u32) -> Guest {
    guest(ARGUMENT * n.cast_signed(), 1, |code| {
        code.block(RESULT);
        for _ in 0..n {
            code.local_get(0);
        }
        for _ in 0..n {
            code.local_get(1).br_if(0);
        }
        for _ in 1..n {
            code.i32_add();
        }
        code.end();
    })
}

/// Branches that bring five operands along, over a stack that gets deeper.
pub fn branches_with_five_operands(n: u32) -> Guest {
    guest(5 * ARGUMENT, 1, |code| {
        code.block(BlockType::FunctionType(FIVE_RESULTS));
        for _ in 0..n + 5 {
            code.local_get(0);
        }
        for _ in 0..n {
            code.local_get(1).br_if(0).drop();
        }
        code.end().i32_add().i32_add().i32_add().i32_add();
    })
}

/// A local's value and a branch, again and again.
pub fn operands_between_branches(n: u32) -> Guest {
    guest(ARGUMENT * (n + 1).cast_signed(), 1, |code| {
        code.block(RESULT).local_get(0);
        for _ in 0..n {
            code.local_get(0).local_get(1).br_if(0);
        }
        for _ in 0..n {
            code.i32_add();
        }
        code.end();
    })
}

/// Blocks over a deep stack of constants.
pub fn blocks_over_constants(n: u32) -> Guest {
    guest(n.cast_signed(), 1, |code| {
        for _ in 0..n {
            code.i32_const(1);
        }
        for _ in 0..n {
            code.block(BlockType::Empty).local_get(1).br_if(0).end();
        }
        for _ in 1..n {
            code.i32_add();
        }
    })
}

/// A local's value and a block, again and again.
pub fn blocks_over_locals(n: u32) -> Guest {
    guest(ARGUMENT * n.cast_signed(), 0, |code| {
        for _ in 0..n {
            code.local_get(0).block(BlockType::Empty).end();
        }
        for _ in 1..n {
            code.i32_add();
        }
    })
}

/// Each operand is a value that the local had once.
pub fn operands_of_a_changing_local(n: u32) -> Guest {
    let sum = (0..n).fold(0_i32, |sum, i| sum.wrapping_add(ARGUMENT.wrapping_add_unsigned(i)));
    guest(sum, 0, |code| {
        for _ in 0..n {
            code.local_get(0).local_get(0).i32_const(1).i32_add().local_set(0);
        }
        for _ in 1..n {
            code.i32_add();
        }
    })
}

/// Operands of as many locals, each of which changes then.
pub fn operands_of_changing_locals(n: u32) -> Guest {
    guest(ARGUMENT, n, |code| {
        for i in 0..n {
            code.local_get(i);
        }
        for i in 0..n {
            code.i32_const(3).local_set(i);
        }
        for _ in 1..n {
            code.i32_add();
        }
    })
}

/// Operands of two locals in turn, both of which change then.
pub fn operands_of_two_locals_in_turn(n: u32) -> Guest {
    guest(ARGUMENT * n.cast_signed(), 1, |code| {
        for _ in 0..n {
            code.local_get(0).local_get(1);
        }
        code.i32_const(3).local_set(0).i32_const(3).local_set(1);
        for _ in 1..2 * n {
            code.i32_add();
        }
    })
}

/// Calls with a hundred arguments.
pub fn calls_with_many_arguments(n: u32) -> Guest {
    let last = function(0, |code| {
        code.local_get(99);
    });
    let run = function(0, |code| {
        for _ in 0..n {
            for _ in 0..100 {
                code.local_get(0);
            }
            code.call(1).local_set(0);
        }
        code.local_get(0);
    });
    guest_of(ARGUMENT, &run, &[(HUNDRED_PARAMS, last)])
}

/// Calls with a thousand results.
pub fn calls_with_many_results(n: u32) -> Guest {
    let many = function(0, |code| {
        for i in 0..1000 {
            code.i32_const(i);
        }
    });
    let run = function(0, |code| {
        for _ in 0..n {
            code.block(BlockType::Empty).call(1).br(0).end();
        }
        code.local_get(0);
    });
    guest_of(ARGUMENT, &run, &[(THOUSAND_RESULTS, many)])
}

/// Many functions, each of which is called once.
pub fn many_functions(n: u32) -> Guest {
    let run = function(0, |code| {
        for i in 0..n {
            code.local_get(0).call(i + 1).local_set(0);
        }
        code.local_get(0);
    });
    let others: Vec<_> = (0..n)
        .map(|_| {
            let add = function(0, |code| {
                code.local_get(0).i32_const(1).i32_add();
            });
            (ONE, add)
        })
        .collect();
    guest_of(ARGUMENT.wrapping_add_unsigned(n), &run, &others)
}

/// A large function that `run` calls if its argument is 0.
pub fn large_function_on_demand(n: u32) -> Guest {
    let run = function(0, |code| {
        code.local_get(0).i32_eqz().if_(BlockType::Empty);
        code.local_get(0).call(1).local_set(0).end().local_get(0);
    });
    let large = function(0, |code| {
        for _ in 0..n {
            code.local_get(0).i32_const(1).i32_add().local_set(0);
        }
        code.local_get(0);
    });
    guest_of(ARGUMENT, &run, &[(ONE, large)])
}

/// A function of `bytes` bytes, with the size of its locals.
pub fn function_of_bytes(bytes: usize) -> Guest {
    guest(ARGUMENT, 0, |code| {
        // Before it stands its locals' vector (one group), after it its `end`.
        for _ in 0..bytes - 3 - 3 {
            code.nop();
        }
        code.local_get(0);
    })
}
