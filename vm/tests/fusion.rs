//! Operators that share an instruction do what they do one by one.

use vm::{Engine, Instance, Module, Store};

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
