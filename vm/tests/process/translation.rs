//! Time that loading and translating take: in proportion to the size of what is
//! loaded, whatever it is; and none for functions that are not called.
//!
//! Whoever makes a guest must not be able to keep its host busy for long. So
//! each module here is made in two sizes, one four times the other.

use std::num::NonZero;
use std::time::{Duration, Instant};

use crate::common::alone;
use crate::guests::{self, ARGUMENT, Guest};
use vm::{Config, Engine, Instance, Module, Store, TypedFunc};

/// How much longer four times the size may take. A case that takes time with
/// the square of its size would take 16 times as long.
const FACTOR: u32 = 8;
/// What either may take besides: what the system needs for its part.
const SLACK: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 4 });
/// What the larger one may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Times that measuring is tried; the least time of each size counts.
const ROUNDS: u32 = 3;
/// Sizes are divided by this.
const SMALLER: u32 = if cfg!(debug_assertions) { 16 } else { 1 };

/// Modules by size; the numbers are the larger ones' sizes. Where operands or
/// locals count, frames end at 65,535 slots and functions at 50,000 locals.
type Make = fn(u32) -> Guest;
const CASES: &[(&str, u32, Make)] = &[
    ("straight code", 1_000_000, guests::straight_code),
    ("memory accesses", 400_000, guests::memory_accesses),
    ("a chain of additions", 1_500_000, guests::chain_of_additions),
    ("a chain of negations", 4_000_000, guests::chain_of_negations),
    ("many locals", 48_000, guests::many_locals),
    ("many locals and blocks", 48_000, guests::many_locals_and_blocks),
    ("many locals and loops", 48_000, guests::many_locals_and_loops),
    ("nested blocks", 200_000, guests::nested_blocks),
    ("nested loops", 200_000, guests::nested_loops),
    (
        "nested loops with operands",
        400_000,
        guests::nested_loops_with_operands,
    ),
    ("loops that count", 48_000, guests::loops_that_count),
    ("branches to a table", 400_000, guests::branches_to_a_table),
    ("nested ifs", 200_000, guests::nested_ifs),
    ("nested elses", 200_000, guests::nested_elses),
    ("unreachable blocks", 200_000, guests::unreachable_blocks),
    ("branches to one label", 1_000_000, guests::branches_to_one_label),
    ("a table of two labels", 1_000_000, guests::table_of_two_labels),
    ("a table of many labels", 200_000, guests::table_of_many_labels),
    ("a table with an operand", 1_000_000, guests::table_with_operand),
    (
        "a table of many labels with an operand",
        400_000,
        guests::table_of_many_labels_with_operand,
    ),
    ("branches over a deep stack", 60_000, guests::branches_over_deep_stack),
    (
        "branches with five operands",
        60_000,
        guests::branches_with_five_operands,
    ),
    ("operands between branches", 60_000, guests::operands_between_branches),
    ("blocks over constants", 60_000, guests::blocks_over_constants),
    ("blocks over locals", 60_000, guests::blocks_over_locals),
    (
        "operands of a changing local",
        60_000,
        guests::operands_of_a_changing_local,
    ),
    (
        "operands of changing locals",
        30_000,
        guests::operands_of_changing_locals,
    ),
    (
        "operands of two locals in turn",
        30_000,
        guests::operands_of_two_locals_in_turn,
    ),
    ("calls with many arguments", 32_000, guests::calls_with_many_arguments),
    ("calls with many results", 16_000, guests::calls_with_many_results),
    ("many functions", 200_000, guests::many_functions),
];

fn engine() -> Engine {
    let mut config = Config::new();
    config.validation_threads(NonZero::<usize>::MIN);
    Engine::new(&config).expect("the system can do this")
}

fn timed<R>(run: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

fn run_of(module: &Module) -> (Store<()>, TypedFunc<i32, i32>) {
    let mut store = Store::new(module.engine(), ());
    let instance = Instance::new(&mut store, module, &[]).expect("nothing is missing");
    let run = instance.get_typed_func(&mut store, "run").expect("exported");
    (store, run)
}

/// How long it takes to load the guest, and for its first call, which
/// translates it.
fn times(guest: &Guest) -> [Duration; 2] {
    let (module, load) = timed(|| Module::new(&engine(), &guest.wasm).expect("valid"));
    let (mut store, run) = run_of(&module);
    let (result, call) = timed(|| run.call(&mut store, ARGUMENT));
    assert_eq!(result.expect("no trap"), guest.result);
    [load, call]
}

/// What is wrong with the times of two sizes of a module.
fn fault(small: [Duration; 2], large: [Duration; 2]) -> Option<String> {
    for (stage, small, large) in [("loading", small[0], large[0]), ("the first call", small[1], large[1])] {
        if large > small * FACTOR + SLACK {
            return Some(format!(
                "{stage} takes {small:?}, and {large:?} for four times the size"
            ));
        }
        if large > LIMIT {
            return Some(format!("{stage} takes {large:?}"));
        }
    }
    None
}

#[test]
fn time_grows_no_faster_than_size() {
    let _alone = alone();
    let mut faults = Vec::new();
    for (name, size, make) in CASES {
        let size = size / SMALLER;
        let (small, large) = (make(size / 4), make(size));
        let (mut best_small, mut best_large) = ([Duration::MAX; 2], [Duration::MAX; 2]);
        let mut rounds = 0;
        let fault = loop {
            let (now_small, now_large) = (times(&small), times(&large));
            for stage in 0..2 {
                best_small[stage] = best_small[stage].min(now_small[stage]);
                best_large[stage] = best_large[stage].min(now_large[stage]);
            }
            rounds += 1;
            let fault = fault(best_small, best_large);
            if fault.is_none() || rounds == ROUNDS {
                break fault;
            }
        };
        // Shown with `--nocapture`.
        println!(
            "{name}: {} bytes, load {best_small:.1?} {best_large:.1?}",
            large.wasm.len()
        );
        faults.extend(fault.map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_function_that_is_not_called_costs_no_translation() {
    let _alone = alone();
    let guest = guests::large_function_on_demand(1_000_000 / SMALLER);
    let module = Module::new(&engine(), &guest.wasm).expect("valid");
    let ((mut store, run), instantiation) = timed(|| run_of(&module));
    let (result, without) = timed(|| run.call(&mut store, ARGUMENT));
    assert_eq!(result.expect("no trap"), guest.result);
    let (result, with) = timed(|| run.call(&mut store, 0));
    assert!(result.is_ok());
    let (result, again) = timed(|| run.call(&mut store, 0));
    assert!(result.is_ok());
    let translation = with.saturating_sub(again);
    println!("instance {instantiation:?}, call {without:?}, translation {translation:?}, again {again:?}");
    assert!(
        10 * (instantiation + without) < translation,
        "an instance and a call of a small function take {instantiation:?} and {without:?}, \
         translating another function {translation:?}"
    );
}

/// Why a module is refused, without the place.
#[track_caller]
fn refusal(guest: &Guest) -> String {
    let error = Module::new(&engine(), &guest.wasm)
        .expect_err("beyond a limit")
        .to_string();
    error.split(" (at byte").next().unwrap_or_default().to_owned()
}

#[test]
fn functions_at_their_limits_run_and_larger_ones_are_refused() {
    let _alone = alone();
    // Bytes of a body.
    times(&guests::function_of_bytes(7_654_321));
    assert_eq!(
        refusal(&guests::function_of_bytes(7_654_322)),
        "not a valid WebAssembly module: function body size count exceeds limit of 7654321"
    );
    // Locals, the parameter included.
    times(&guests::many_locals(49_999));
    assert_eq!(
        refusal(&guests::many_locals(50_000)),
        "not a valid WebAssembly module: too many locals: locals exceed maximum"
    );
    // Slots of a frame: operands, local and parameter, and what calls need.
    times(&guests::blocks_over_locals(65_526));
    assert_eq!(
        refusal(&guests::blocks_over_locals(65_527)),
        "function 0 (`run`) needs a frame of 65536 slots of 8 bytes, but 65535 is the limit; \
         give it fewer locals or operands, or split it"
    );
    // Blocks in each other have no other limit than the bytes they take.
    times(&guests::nested_loops_with_operands(1_250_000));
}
