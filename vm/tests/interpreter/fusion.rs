//! Operators that share an instruction do what they do one by one.

use vm::{Engine, Instance, Module, Store};

use crate::common::instance;

/// Calls the function `f` of a module with an i32.
fn call(wat: &str, argument: i32) -> i32 {
    let engine = Engine::default();
    let module = Module::new(&engine, wat).expect("the test's module is valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
    let f = instance
        .get_typed_func::<i32, i32>(&mut store, "f")
        .expect("it exports f");
    f.call(&mut store, argument).expect("f does not trap")
}

/// The end of the inner loop was taken for the addition that it had replaced.
#[test]
fn the_end_of_a_loop_is_not_taken_back_by_what_follows_it() {
    let nested = r#"(module (func (export "f") (param i32) (result i32) (local $i i32) (local $j i32) (local $n i32)
        (loop $outer
          (local.set $j (i32.const 0))
          (loop $inner
            (local.set $n (i32.add (i32.xor (local.get $n) (local.get $i)) (local.get $j)))
            (br_if $inner (i32.ne (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 9))))
          (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 2))) (local.get 0))))
        (local.get $n)))"#;
    let expected = (0..20).step_by(2).fold(0, |n, i| (0..9).fold(n, |n, j| (n ^ i) + j));
    assert_eq!(call(nested, 20), expected);
    let again = r#"(module (func (export "f") (param i32) (result i32) (local $i i32)
        (block $out
          (loop $l
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0)))
            (br_if $out (i32.eq (local.get $i) (local.get 0)))
            (local.set $i (i32.const -1))))
        (local.get $i)))"#;
    assert_eq!(call(again, 7), 7);
}

/// A loop's pinned locals are written by selects, loads and copies, are read
/// inside and after it, and the loop is left in three ways.
#[test]
fn pinned_locals_have_their_values_wherever_a_loop_is_left() {
    let wat = r#"(module (memory 1) (data (i32.const 0) "\03\01\04\01\05\09\02\06\05\03\05\08\09\07\09\00")
        (func (export "f") (param $stop i32) (result i32) (local $i i32) (local $c i32) (local $sum i32) (local $old i32)
          (block $done
            (block $nine
              (loop $l
                (local.set $c (i32.load8_u (local.get $i)))
                (br_if $done (i32.eqz (local.get $c)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (local.set $old (local.get $sum))
                (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (local.get $c)))
                (local.set $sum
                  (select (local.get $sum) (local.get $old) (i32.lt_u (local.get $c) (i32.const 8))))
                (br_if $nine (i32.eq (local.get $c) (local.get $stop)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 100)))
                (local.set $sum (i32.const -1))
                (br $done)))
            (return (i32.add (i32.mul (local.get $sum) (i32.const 100)) (local.get $i))))
          (i32.add (local.get $sum) (local.get $i))))"#;
    let digits = [3_u8, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9];
    for stop in 0..12 {
        let mut sum = 0_i32;
        let mut expected = None;
        for (i, digit) in (1..).zip(digits) {
            if digit < 8 {
                sum = sum.wrapping_mul(3).wrapping_add(i32::from(digit));
            }
            if i32::from(digit) == stop {
                expected = Some(sum.wrapping_mul(100).wrapping_add(i));
                break;
            }
        }
        let expected = expected.unwrap_or(sum.wrapping_add(15));
        assert_eq!(call(wat, stop), expected, "{stop}");
    }
}

/// More floats are in use than registers for them, and an outer loop uses what
/// the inner one pinned.
#[test]
fn loops_use_more_floats_than_can_be_pinned() {
    let wat = r#"(module (func (export "f") (param $n i32) (result i32)
        (local $a f64) (local $b f64) (local $c f64) (local $d f64) (local $e f64) (local $g f32) (local $i i32) (local $j i32)
        (local.set $a (f64.const 1)) (local.set $b (f64.const 2)) (local.set $c (f64.const 3))
        (local.set $d (f64.const 4)) (local.set $e (f64.const 5)) (local.set $g (f32.const 6))
        (loop $outer
          (local.set $j (i32.const 0))
          (loop $inner
            (local.set $a (f64.add (f64.mul (local.get $a) (f64.const 0.5)) (local.get $b)))
            (local.set $b (f64.sub (local.get $c) (f64.mul (local.get $b) (local.get $b))))
            (local.set $c (f64.min (f64.abs (local.get $a)) (local.get $d)))
            (local.set $d (f64.sqrt (f64.add (local.get $e) (f64.mul (local.get $d) (local.get $d)))))
            (local.set $e (f64.promote_f32 (local.get $g)))
            (local.set $g (f32.demote_f64 (f64.div (local.get $a) (local.get $d))))
            (local.set $b (f64.max (local.get $b) (f64.const -2)))
            (br_if $inner (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 7))))
          (local.set $a (f64.add (local.get $a) (local.get $e)))
          (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
        (i32.trunc_sat_f64_s (f64.mul (f64.const 100000)
          (f64.add (f64.add (local.get $a) (local.get $b)) (f64.add (local.get $c) (local.get $d)))))))"#;
    for n in 1..20 {
        let (mut a, mut b, mut c, mut d, mut e, mut g) = (1.0_f64, 2.0_f64, 3.0_f64, 4.0_f64, 5.0_f64, 6.0_f32);
        for _ in 0..n {
            for _ in 0..7 {
                a = a * 0.5 + b;
                b = c - b * b;
                c = a.abs().min(d);
                d = (e + d * d).sqrt();
                e = f64::from(g);
                g = (a / d) as f32;
                b = b.max(-2.0);
            }
            a += e;
        }
        assert_eq!(call(wat, n), (100_000.0 * ((a + b) + (c + d))) as i32, "{n}");
    }
}

/// Every operator that returns its result, with operands in slots, computed
/// and constant; the other way on is one that does not return.
#[test]
fn functions_return_what_an_operator_makes() {
    fn check(op: &str, expected: impl Fn(i32, i32) -> i32) {
        for (left, right) in [(0, 0), (1, 31), (-7, 3), (5, -1), (i32::MIN, 2), (i32::MAX, i32::MAX)] {
            for (form, a, b) in [
                ("(local.get $x) (local.get $y)".to_owned(), left, right),
                (format!("(local.get $x) (i32.const {right})"), left, right),
                (format!("(i32.const {left}) (local.get $y)"), left, right),
                (
                    "(i32.xor (local.get $x) (i32.const 9)) (local.get $y)".to_owned(),
                    left ^ 9,
                    right,
                ),
                (
                    "(local.get $x) (i32.xor (local.get $y) (i32.const 9))".to_owned(),
                    left,
                    right ^ 9,
                ),
            ] {
                let wat = format!(
                    r#"(module (func $g (param $x i32) (param $y i32) (result i32) (i32.{op} {form}))
                    (func (export "f") (param i32) (result i32)
                        (call $g (local.get 0) (i32.const {right}))))"#
                );
                assert_eq!(call(&wat, left), expected(a, b), "{op} {form}: {left}, {right}");
            }
        }
    }
    check("add", i32::wrapping_add);
    check("sub", i32::wrapping_sub);
    check("mul", i32::wrapping_mul);
    check("and", |a, b| a & b);
    check("or", |a, b| a | b);
    check("xor", |a, b| a ^ b);
    check("shl", |a, b| a.wrapping_shl(b as u32));
    check("shr_s", |a, b| a.wrapping_shr(b as u32));
    check("shr_u", |a, b| (a as u32).wrapping_shr(b as u32) as i32);
    check("eq", |a, b| i32::from(a == b));
    check("lt_s", |a, b| i32::from(a < b));
    check("ge_u", |a, b| i32::from(a as u32 >= b as u32));
}

/// Loaded results, of each width and way to compute the address; a fault in
/// one is the load's.
#[test]
fn functions_return_what_they_load() {
    let wat = |body: &str| {
        format!(
            r#"(module (memory 1) (data (i32.const 8) "\81\82\83\84\85\86\87\88")
            (func $g (param $x i32) (param $y i32) (result i32) {body})
            (func (export "f") (param i32) (result i32) (call $g (local.get 0) (i32.const 2))))"#
        )
    };
    let word = i32::from_le_bytes([0x81, 0x82, 0x83, 0x84]);
    let (shifted, next) = (
        i32::from_le_bytes([0x83, 0x84, 0x85, 0x86]),
        i32::from_le_bytes([0x85, 0x86, 0x87, 0x88]),
    );
    assert_eq!(call(&wat("(i32.load (local.get $x))"), 8), word);
    assert_eq!(call(&wat("(i32.load offset=4 (local.get $x))"), 8), next);
    assert_eq!(call(&wat("(i32.load8_u (local.get $x))"), 8), 0x81);
    assert_eq!(
        call(&wat("(i32.load (i32.add (local.get $x) (local.get $y)))"), 8),
        shifted
    );
    assert_eq!(call(&wat("(i32.load (i32.add (local.get $x) (i32.const 4)))"), 8), next);
    assert_eq!(
        call(&wat("(i32.load (i32.xor (local.get $x) (local.get $y)))"), 10),
        word
    );
    assert_eq!(
        call(
            &wat("(i32.wrap_i64 (i64.shr_u (i64.load (local.get $x)) (i64.const 32)))"),
            8
        ),
        next
    );
    let (mut store, app) = instance(&wat("(i32.load (local.get $x))"));
    let f = app.get_typed_func::<i32, i32>(&mut store, "f").expect("exported");
    let error = f.call(&mut store, -1).expect_err("it is outside");
    assert_eq!(error.trap(), Some(vm::Trap::MemoryOutOfBounds));
}

/// Indirect calls whose index is loaded, with arguments in locals, constants
/// and temporaries, of the module's own functions and another's.
#[test]
fn indirect_calls_by_a_loaded_index() {
    let library = r#"(module $library (memory 1) (data (i32.const 0) "\07")
        (func (export "g") (param i32 i32 i32 i32) (result i32)
            (i32.add (i32.add (local.get 0) (i32.mul (local.get 1) (i32.const 10)))
                (i32.add (i32.mul (local.get 2) (i32.const 100))
                    (i32.mul (local.get 3) (i32.mul (i32.const 1000) (i32.load8_u (i32.const 0))))))))"#;
    for (arguments, expected) in [
        ("(local.get $a) (local.get $b) (local.get $c) (local.get $d)", 4321),
        ("(local.get $d) (local.get $c) (local.get $b) (local.get $a)", 1234),
        ("(local.get $a) (i32.const 2) (local.get $c) (i32.const 4)", 4321),
        (
            "(local.get $a) (i32.add (local.get $a) (local.get $a)) (local.get $c) (local.get $d)",
            4321,
        ),
        (
            "(local.tee $x (local.get $b)) (local.get $x) (local.get $b) (i32.const 0)",
            222,
        ),
    ] {
        for (address, of_other) in [
            ("(i32.const 16)", false),
            ("(local.get $p)", false),
            ("(local.get $q)", true),
        ] {
            let app = format!(
                r#"(module (import "library" "g" (func $other (param i32 i32 i32 i32) (result i32)))
                (memory 1) (table 4 funcref) (elem (i32.const 1) $own $other)
                (type $g (func (param i32 i32 i32 i32) (result i32)))
                (data (i32.const 0) "\01") (data (i32.const 16) "\01\00\00\00\02\00\00\00\03\00\00\00")
                (func $own (type $g)
                    (i32.add (i32.add (local.get 0) (i32.mul (local.get 1) (i32.const 10)))
                        (i32.add (i32.mul (local.get 2) (i32.const 100))
                            (i32.mul (local.get 3) (i32.mul (i32.const 1000) (i32.load8_u (i32.const 0)))))))
                (func (export "f") (param $p i32) (result i32)
                    (local $q i32) (local $x i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)
                    (local.set $q (i32.const 20)) (local.set $a (i32.const 1)) (local.set $b (i32.const 2))
                    (local.set $c (i32.const 3)) (local.set $d (i32.const 4))
                    (call_indirect (type $g) {arguments} (i32.load {address}))
                    (i32.add (i32.load8_u (i32.const 0)))))"#
            );
            let engine = Engine::default();
            let mut store = Store::new(&engine, ());
            let library = Module::new(&engine, library).expect("valid");
            let library = Instance::new(&mut store, &library, &[]).expect("nothing is missing");
            let g = library.get_func(&mut store, "g").expect("exported");
            let app = Module::new(&engine, &app).expect("valid");
            let app = Instance::new(&mut store, &app, &[g.into()]).expect("nothing is missing");
            let f = app.get_typed_func::<i32, i32>(&mut store, "f").expect("exported");
            let thousands = if of_other { 7 } else { 1 };
            let expected = expected % 1000 + expected / 1000 * 1000 * thousands + 1;
            for _ in 0..2 {
                assert_eq!(
                    f.call(&mut store, 16).expect("it returns"),
                    expected,
                    "{arguments} {address}"
                );
            }
            // The third entry is empty.
            if address == "(local.get $p)" {
                let error = f.call(&mut store, 24).expect_err("it is null");
                assert_eq!(error.trap(), Some(vm::Trap::IndirectCallToNull));
                let error = f.call(&mut store, -1).expect_err("it is outside");
                assert_eq!(error.trap(), Some(vm::Trap::MemoryOutOfBounds));
            }
        }
    }
}

/// Changes of width that are no instruction of their own where the operand is
/// in a slot.
#[test]
fn integers_of_another_width() {
    let wat = |body: &str| {
        format!(
            r#"(module (memory 1) (func (export "f") (param $n i32) (result i32) (local $w i64)
            (local.set $w (i64.add (i64.shl (i64.const 0x12345678) (i64.const 32)) (i64.extend_i32_s (local.get $n))))
            {body}))"#
        )
    };
    let wrap = "(i32.wrap_i64 (local.get $w))";
    for n in [0, 1, -1, 40_000, i32::MIN] {
        assert_eq!(call(&wat(wrap), n), n);
        assert_eq!(
            call(&wat(&format!("(i32.add {wrap} (i32.const 1))")), n),
            n.wrapping_add(1)
        );
        assert_eq!(call(&wat(&format!("(i32.eq {wrap} (local.get $n))")), n), 1);
        assert_eq!(call(&wat(&format!("(i32.eqz {wrap})")), n), i32::from(n == 0));
        // What is left of 64 bits does not come back.
        let high = |inner: &str| format!("(i32.wrap_i64 (i64.shr_u (i64.add (i64.const 0) {inner}) (i64.const 32)))");
        assert_eq!(call(&wat(&high(&format!("(i64.extend_i32_u {wrap})"))), n), 0);
        assert_eq!(call(&wat(&high("(i64.extend_i32_u (local.get $n))")), n), 0);
        assert_eq!(call(&wat(&high(&format!("(i64.extend_i32_s {wrap})"))), n), n >> 31);
        // The same in a temporary.
        let computed = "(block (result i64) (nop) (br_if 0 (local.get $w) (i32.const 0)))";
        let wide = format!("(i64.extend_i32_u (i32.wrap_i64 {computed}))");
        assert_eq!(call(&wat(&high(&wide)), n), 0);
        let stored = format!(
            "(i64.store (i32.const 8) (i64.const -1)) (i64.store (i32.const 8) (i64.extend_i32_u {wrap}))
            (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 12)))"
        );
        assert_eq!(call(&wat(&stored), n), n);
        let kept = format!(
            "(local.set $w (i64.extend_i32_u {wrap})) (i32.wrap_i64 (i64.shr_u (local.get $w) (i64.const 32)))"
        );
        assert_eq!(call(&wat(&kept), n), 0);
        let branch =
            format!("(if (result i32) (i32.lt_s {wrap} (i32.const 0)) (then (i32.const 7)) (else (i32.const 8)))");
        assert_eq!(call(&wat(&branch), n), if n < 0 { 7 } else { 8 });
    }
    let address = "(i32.store (i32.const 100) (i32.const 5)) (i32.load (i32.wrap_i64 (local.get $w)))";
    assert_eq!(call(&wat(address), 100), 5);
}

/// What follows a call of another instance works with the caller's memory,
/// globals and locals again.
#[test]
fn what_follows_a_call_of_another_instance() {
    let library = r#"(module (memory 1) (global $g (mut i32) (i32.const 1000))
        (data (i32.const 0) "\09\09\09\09\09\09\09\09")
        (func (export "twice") (param i32) (result i32)
            (global.set $g (i32.add (global.get $g) (i32.const 16)))
            (i32.add (local.get 0) (local.get 0)))
        (func (export "nothing") (global.set $g (i32.load (i32.const 0)))))"#;
    let check = |body: &str, expected: fn(i32) -> i32| {
        let app = format!(
            r#"(module (import "" "twice" (func $twice (param i32) (result i32))) (import "" "nothing" (func $nothing))
            (memory 1) (global $g (mut i32) (i32.const 64)) (data (i32.const 0) "\05\00\00\00\06\00\00\00\07\00\00\00")
            (table 2 funcref) (elem (i32.const 0) $twice $own) (type $t (func (param i32) (result i32)))
            (func $own (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func $f (export "f") (param $n i32) (result i32) (local $a i32) (local $b i32)
                (local.set $a (i32.const 3)) {body}))"#
        );
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let library = Module::new(&engine, library).expect("valid");
        let library = Instance::new(&mut store, &library, &[]).expect("nothing is missing");
        let imports = ["twice", "nothing"].map(|name| library.get_func(&mut store, name).expect("exported").into());
        let app = Module::new(&engine, &app).expect("valid");
        let app = Instance::new(&mut store, &app, &imports).expect("nothing is missing");
        let f = app.get_typed_func::<i32, i32>(&mut store, "f").expect("exported");
        for n in [0, 1, 4, 8, -3] {
            assert_eq!(f.call(&mut store, n).expect("it returns"), expected(n), "{body} {n}");
        }
    };
    check("(call $twice (local.get $n))", |n| n * 2);
    check("(call $nothing) (local.get $n)", |n| n);
    check("(call $nothing) (i32.const 5)", |_| 5);
    check("(call $nothing) (i32.add (local.get $n) (local.get $a))", |n| n + 3);
    check("(call $nothing) (i32.add (local.get $n) (i32.const 7))", |n| n + 7);
    check("(i32.add (call $twice (local.get $n)) (local.get $a))", |n| n * 2 + 3);
    check(
        "(i32.xor (i32.add (call $twice (local.get $n)) (i32.const 1)) (local.get $a))",
        |n| (n * 2 + 1) ^ 3,
    );
    check(
        "(local.set $b (call $twice (local.get $n))) (i32.or (local.get $b) (local.get $a))",
        |n| (n * 2) | 3,
    );
    check("(call $nothing) (i32.load (i32.const 4))", |_| 6);
    check(
        "(call $nothing) (i32.load (i32.and (local.get $n) (i32.const 4)))",
        |n| if n & 4 == 0 { 5 } else { 6 },
    );
    check(
        "(local.set $b (i32.const 8)) (call $nothing) (i32.load (local.get $b))",
        |_| 7,
    );
    check(
        "(call $nothing) (global.set $g (i32.add (local.get $n) (i32.const 1))) (global.get $g)",
        |n| n + 1,
    );
    check(
        "(call $nothing) (if (local.get $n) (then (return (i32.const 1)))) (i32.const 2)",
        |n| if n == 0 { 2 } else { 1 },
    );
    check(
        "(if (i32.lt_s (call $twice (local.get $n)) (local.get $a)) (then (return (i32.const 1)))) (i32.const 2)",
        |n| if n * 2 < 3 { 1 } else { 2 },
    );
    check(
        "(if (i32.ne (call $twice (local.get $n)) (i32.const 8)) (then (return (i32.const 1)))) (i32.const 2)",
        |n| if n * 2 == 8 { 2 } else { 1 },
    );
    check(
        "(loop $again (call $nothing) (local.set $b (i32.add (local.get $b) (i32.const 3)))
            (br_if $again (i32.lt_s (local.get $b) (i32.const 30)))) (local.get $b)",
        |_| 30,
    );
    check(
        "(loop $again (call $nothing)
            (br_if $again (i32.ne (local.tee $b (i32.add (local.get $b) (i32.const 1))) (local.get $a)))) (local.get $b)",
        |_| 3,
    );
    for index in [0, 1] {
        let body =
            format!("(i32.add (call_indirect (type $t) (local.get $n) (i32.const {index})) (i32.load (i32.const 0)))");
        check(&body, |n| n * 2 + 5);
    }
}
