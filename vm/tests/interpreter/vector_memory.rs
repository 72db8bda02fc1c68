//! Vectors in memory: whole, extended, repeated and by lanes, at addresses of all
//! forms, where accesses are checked by the MMU and where they are not.

use vm::{Engine, Instance, Module, Store, Trap, TypedFunc, V128};

use crate::common::engines;

/// An instance of a module with a page of memory, byte `i` of which is `7 * i`.
fn instance(engine: &Engine, functions: &str) -> (Store<()>, Instance) {
    let text = format!(r#"(module (memory (export "memory") 1) {functions})"#);
    let module = Module::new(engine, text).expect("valid");
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    let memory = instance.get_memory(&mut store, "memory").expect("exported");
    for (i, byte) in memory.data_mut(&mut store).iter_mut().enumerate() {
        *byte = byte_at(i);
    }
    (store, instance)
}

fn byte_at(i: usize) -> u8 {
    (i.wrapping_mul(7) % 256) as u8
}

fn bytes<const N: usize>(at: usize) -> [u8; N] {
    std::array::from_fn(|i| byte_at(at + i))
}

/// What an expression gives for an address.
fn load(expression: &str, address: u32) -> Vec<Result<V128, Option<Trap>>> {
    let results = engines().map(|engine| {
        let text = format!(r#"(func (export "f") (param i32) (result v128) {expression})"#);
        let (mut store, app) = instance(&engine, &text);
        let f: TypedFunc<u32, V128> = app.get_typed_func(&mut store, "f").expect("exported");
        f.call(&mut store, address).map_err(|error| error.trap())
    });
    results.into()
}

fn check(expression: &str, address: u32, expected: [u8; 16]) {
    for result in load(expression, address) {
        let vector = result.unwrap_or_else(|trap| panic!("{expression} {address}: {trap:?}"));
        assert_eq!(vector.as_u128().to_le_bytes(), expected, "{expression} {address}");
    }
}

fn traps(expression: &str, address: u32) {
    for result in load(expression, address) {
        assert_eq!(
            result.err().flatten(),
            Some(Trap::MemoryOutOfBounds),
            "{expression} {address}"
        );
    }
}

#[test]
fn loads_end_at_the_end_of_memory() {
    for (op, width) in [
        ("v128.load", 16),
        ("v128.load8x8_s", 8),
        ("v128.load16x4_u", 8),
        ("v128.load32x2_s", 8),
        ("v128.load8_splat", 1),
        ("v128.load16_splat", 2),
        ("v128.load32_splat", 4),
        ("v128.load64_splat", 8),
        ("v128.load32_zero", 4),
        ("v128.load64_zero", 8),
    ] {
        let expression = format!("({op} offset=4 (local.get 0))");
        let last = 65536 - 4 - width;
        assert!(load(&expression, last).iter().all(Result::is_ok), "{op}");
        traps(&expression, last + 1);
        traps(&expression, u32::MAX);
    }
}

#[test]
fn loads_extend_repeat_and_fill() {
    check("(v128.load (local.get 0))", 3, bytes(3));
    let [a, b, c, d] = bytes(9);
    check(
        "(v128.load32_splat (local.get 0))",
        9,
        [a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d],
    );
    check(
        "(v128.load32_zero (local.get 0))",
        9,
        [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    check("(v128.load8_splat (local.get 0))", 9, [a; 16]);
    let low: [u8; 8] = bytes(30);
    let sign = |byte: u8| if byte >= 0x80 { 0xff } else { 0 };
    let extended = std::array::from_fn(|i| if i % 2 == 0 { low[i / 2] } else { sign(low[i / 2]) });
    assert!(low.iter().any(|byte| *byte >= 0x80) && low.iter().any(|byte| *byte < 0x80));
    check("(v128.load8x8_s (local.get 0))", 30, extended);
    check(
        "(v128.load8x8_u (local.get 0))",
        30,
        std::array::from_fn(|i| if i % 2 == 0 { low[i / 2] } else { 0 }),
    );
}

#[test]
fn addresses_are_computed_on_the_spot() {
    // x, x + constant, x + y, and an index of 16-byte elements.
    check(
        "(v128.load offset=5 (i32.add (local.get 0) (i32.const 8)))",
        11,
        bytes(24),
    );
    check("(v128.load (i32.add (local.get 0) (i32.const -8)))", 11, bytes(3));
    check("(v128.load (i32.add (local.get 0) (local.get 0)))", 11, bytes(22));
    check(
        "(v128.load offset=1 (i32.shl (local.get 0) (i32.const 4)))",
        3,
        bytes(49),
    );
    check(
        "(v128.load (i32.add (local.get 0) (i32.shl (local.get 0) (i32.const 4))))",
        3,
        bytes(51),
    );
    check("(v128.load (i32.const 77))", 0, bytes(77));
    traps("(v128.load (i32.add (local.get 0) (i32.const 65521)))", 0);
    traps("(v128.load offset=4294967295 (local.get 0))", 1);
}

#[test]
fn operators_load_either_operand() {
    let add = |a: [u8; 16], b: [u8; 16]| std::array::from_fn(|i| a[i].wrapping_add(b[i]));
    let sub = |a: [u8; 16], b: [u8; 16]| std::array::from_fn(|i| a[i].wrapping_sub(b[i]));
    let (a, b): ([u8; 16], [u8; 16]) = (bytes(20), bytes(93));
    let first = "(v128.load (local.get 0))";
    for second in [
        "(v128.load offset=73 (local.get 0))",
        "(v128.load (i32.add (local.get 0) (i32.const 73)))",
        "(v128.load offset=53 (i32.add (local.get 0) (local.get 0)))",
        "(v128.load offset=72 (i32.add (i32.const 1) (i32.mul (local.get 0) (i32.const 1))))",
    ] {
        check(&format!("(i8x16.add {first} {second})"), 20, add(a, b));
        check(&format!("(i8x16.sub {first} {second})"), 20, sub(a, b));
        check(&format!("(i8x16.sub {second} {first})"), 20, sub(b, a));
        let one = "(v128.const i8x16 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1)";
        check(&format!("(i8x16.add {second} {one})"), 20, add(b, [1; 16]));
        check(&format!("(i8x16.sub {second} {one})"), 20, sub(b, [1; 16]));
        check(&format!("(i8x16.sub {one} {second})"), 20, sub([1; 16], b));
    }
    traps(
        "(i8x16.add (v128.load (local.get 0)) (v128.load offset=1 (local.get 0)))",
        65520,
    );
}

#[test]
fn a_vector_is_an_operand_twice() {
    check(
        "(local v128) (local.tee 1 (v128.load (local.get 0))) (i8x16.sub (local.get 1))",
        4,
        [0; 16],
    );
    let doubled = bytes::<16>(4).map(|byte| byte.wrapping_mul(2));
    check(
        "(local v128) (local.tee 1 (v128.load (local.get 0))) (i8x16.add (local.get 1))",
        4,
        doubled,
    );
    check(
        "(local v128) (local.set 1 (v128.load (local.get 0)))
         (v128.bitselect (local.get 1) (local.get 1) (local.get 1))",
        4,
        bytes(4),
    );
}

#[test]
fn lanes_come_from_memory() {
    let mut expected: [u8; 16] = bytes(100);
    expected[5] = byte_at(41);
    check(
        "(v128.load8_lane offset=1 5 (local.get 0) (v128.load (i32.const 100)))",
        40,
        expected,
    );
    let mut expected: [u8; 16] = bytes(100);
    expected[8..].copy_from_slice(&bytes::<8>(40));
    check(
        "(v128.load64_lane 1 (local.get 0) (v128.load (i32.const 100)))",
        40,
        expected,
    );
    traps("(v128.load32_lane 1 (local.get 0) (v128.load (i32.const 100)))", 65533);
}

#[test]
fn stores_write_vectors_and_lanes() {
    for engine in engines() {
        let (mut store, app) = instance(
            &engine,
            r#"(func (export "whole") (param i32 v128)
                (v128.store offset=2 (local.get 0) (i8x16.add (local.get 1) (local.get 1))))
            (func (export "sum") (param i32 v128)
                (v128.store (i32.add (local.get 0) (i32.const 3)) (local.get 1)))
            (func (export "lane") (param i32 v128)
                (v128.store16_lane offset=1 3 (local.get 0) (i8x16.add (local.get 1) (local.get 1))))"#,
        );
        let value = V128::from(u128::from_le_bytes(std::array::from_fn(|i| i as u8 + 1)));
        let doubled: [u8; 16] = std::array::from_fn(|i| 2 * (i as u8 + 1));
        let memory = app.get_memory(&mut store, "memory").expect("exported");
        let mut call = |name: &str, address: u32| {
            let f: TypedFunc<(u32, V128), ()> = app.get_typed_func(&mut store, name).expect("exported");
            let result = f.call(&mut store, (address, value));
            (result.map_err(|error| error.trap()), memory.data(&store).to_vec())
        };
        let (result, data) = call("whole", 200);
        assert!(result.is_ok() && data[202..218] == doubled && data[218] == byte_at(218));
        let (result, data) = call("sum", 300);
        assert!(result.is_ok() && data[303..319] == value.as_u128().to_le_bytes());
        let (result, data) = call("lane", 400);
        assert!(result.is_ok() && data[401..403] == doubled[6..8] && data[403] == byte_at(403));
        let (result, data) = call("whole", 65519);
        assert_eq!(result, Err(Some(Trap::MemoryOutOfBounds)));
        assert_eq!(data[65535], byte_at(65535));
    }
}

#[test]
fn loops_add_what_they_load() {
    let text = r#"(local $i i32) (local $sum v128)
        (loop
            (local.set $sum (i32x4.add (local.get $sum) (v128.load (local.get $i))))
            (local.set $sum (i32x4.add (v128.load offset=16 (local.get $i)) (local.get $sum)))
            (local.set $sum (i32x4.sub (local.get $sum) (v128.load (i32.add (local.get $i) (i32.const 64)))))
            (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 32))) (local.get 0))))
        (local.get $sum)"#;
    let lane = |at: usize, lane: usize| u32::from_le_bytes(bytes(at + 4 * lane));
    let sum = |i: usize| {
        (0..320_usize).step_by(32).fold(0_u32, |sum, at| {
            sum.wrapping_add(lane(at, i))
                .wrapping_add(lane(at + 16, i))
                .wrapping_sub(lane(at + 64, i))
        })
    };
    let lanes = std::array::from_fn(|i| sum(i / 4).to_le_bytes()[i % 4]);
    check(text, 320, lanes);
}
