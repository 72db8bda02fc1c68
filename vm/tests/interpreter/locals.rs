//! Locals are zero where they have not been assigned, whatever the frame held
//! before.

use crate::common::instance;

/// Leaves numbers in the slots that later frames take.
const DIRTY: &str = r#"(func $dirty (param i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (local.set 1 (i64.const -1)) (local.set 2 (i64.const -1)) (local.set 3 (i64.const -1))
    (local.set 4 (i64.const -1)) (local.set 5 (i64.const -1)) (local.set 6 (i64.const -1))
    (local.set 7 (i64.const -1)) (local.set 8 (i64.const -1)) (local.set 9 (i64.const -1))
    (local.set 10 (i64.const -1)) (local.set 11 (i64.const -1)) (local.set 12 (i64.const -1))
    (if (local.get 0) (then (call $dirty (i32.sub (local.get 0) (i32.const 1))))))"#;

/// What a function with a parameter and three locals returns for 0 and for 1.
fn results(body: &str) -> [i32; 2] {
    let (mut store, app) = instance(&format!(
        r#"(module {DIRTY}
            (func $f (param $x i32) (result i32) (local $a i32) (local $b i32) (local $c i32) {body})
            (func (export "f") (param i32) (result i32)
                (call $dirty (i32.const 20)) (call $f (local.get 0))))"#
    ));
    let f = app.get_typed_func::<i32, i32>(&mut store, "f").expect("exported");
    [0, 1].map(|x| f.call(&mut store, x).expect("it returns"))
}

#[test]
fn never_assigned() {
    assert_eq!(results("(local.get $b)"), [0, 0]);
    assert_eq!(results("(local.set $a (i32.const 7)) (local.get $b)"), [0, 0]);
    assert_eq!(results("(local.set $b (local.get $b)) (local.get $b)"), [0, 0]);
}

#[test]
fn assigned_before() {
    assert_eq!(results("(local.set $b (i32.const 7)) (local.get $b)"), [7, 7]);
    assert_eq!(results("(drop (local.tee $b (i32.const 7))) (local.get $b)"), [7, 7]);
}

#[test]
fn assigned_on_some_ways_only() {
    let one_arm = "(if (local.get $x) (then (local.set $a (i32.const 5)))) (local.get $a)";
    assert_eq!(results(one_arm), [0, 5]);
    let other_arm = "(if (local.get $x) (then) (else (local.set $a (i32.const 5)))) (local.get $a)";
    assert_eq!(results(other_arm), [5, 0]);
    let skipped = "(block (br_if 0 (local.get $x)) (local.set $a (i32.const 5))) (local.get $a)";
    assert_eq!(results(skipped), [5, 0]);
    let table = "(block (block (br_table 0 1 (local.get $x))) (local.set $a (i32.const 5))) (local.get $a)";
    assert_eq!(results(table), [5, 0]);
    let out_of_two = "(block (block (br_if 1 (local.get $x)) (local.set $a (i32.const 5)))
        (local.set $b (i32.const 6))) (i32.add (local.get $a) (local.get $b))";
    assert_eq!(results(out_of_two), [11, 0]);
    let with_result = "(block (result i32) (i32.const 3) (br_if 0 (local.get $x)) (local.set $a (i32.const 5)))
        (i32.add (local.get $a))";
    assert_eq!(results(with_result), [8, 3]);
}

#[test]
fn assigned_on_all_ways() {
    let arms = "(if (local.get $x) (then (local.set $a (i32.const 5))) (else (local.set $a (i32.const 6))))
        (local.get $a)";
    assert_eq!(results(arms), [6, 5]);
    let leaving = "(block (local.set $a (i32.const 5)) (br_if 0 (local.get $x)) (local.set $a (i32.const 6)))
        (local.get $a)";
    assert_eq!(results(leaving), [6, 5]);
    let returning = "(if (local.get $x) (then (return (i32.const 9)))) (local.set $a (i32.const 5)) (local.get $a)";
    assert_eq!(results(returning), [5, 9]);
    let one_returns = "(if (local.get $x) (then (return (local.get $a))) (else (local.set $a (i32.const 5))))
        (local.get $a)";
    assert_eq!(results(one_returns), [5, 0]);
}

#[test]
fn assigned_in_loops() {
    // In the first round it has not been.
    let late = "(loop $again
            (local.set $b (i32.add (local.get $b) (local.get $a)))
            (local.set $a (i32.const 5))
            (local.set $c (i32.add (local.get $c) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $c) (i32.const 3))))
        (local.get $b)";
    assert_eq!(results(late), [10, 10]);
    let skipped = "(block (loop $again (br_if 1 (local.get $x)) (local.set $a (i32.const 5)))) (local.get $a)";
    assert_eq!(results(skipped), [5, 0]);
    // A pinned local whose first value is the zero.
    let counted = "(loop $again (br_if $again (i32.lt_u
            (local.tee $c (i32.add (local.get $c) (i32.const 1))) (i32.const 100)))) (local.get $c)";
    assert_eq!(results(counted), [100, 100]);
}

#[test]
fn code_that_is_not_reached_assigns_nothing() {
    let dead = "(block (br_if 0 (local.get $x)) (return (i32.const 4)) (local.set $a (i32.const 5))) (local.get $a)";
    assert_eq!(results(dead), [4, 0]);
    let dead_end = "(block (br 0) (local.set $a (i32.const 5))) (local.get $a)";
    assert_eq!(results(dead_end), [0, 0]);
    let trap = "(if (local.get $x) (then (local.set $a (i32.const 5))) (else (return (local.get $a))))
        (local.get $a)";
    assert_eq!(results(trap), [0, 5]);
}

#[test]
fn many_locals() {
    for assigned in [0, 1, 62, 63, 64, 65, 80] {
        let locals = "i64 ".repeat(100);
        let sets: String = (0..assigned)
            .map(|i| format!("(local.set {i} (i64.const 1))"))
            .collect();
        let sum: String = (0..100).map(|i| format!("(local.get {i}) (i64.add)")).collect();
        let (mut store, app) = instance(&format!(
            r#"(module {DIRTY}
                (func $f (result i64) (local {locals}) {sets} (i64.const 0) {sum})
                (func (export "f") (result i64) (call $dirty (i32.const 20)) (call $f)))"#
        ));
        let f = app.get_typed_func::<(), i64>(&mut store, "f").expect("exported");
        assert_eq!(f.call(&mut store, ()).expect("it returns"), assigned);
    }
}
