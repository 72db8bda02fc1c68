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
