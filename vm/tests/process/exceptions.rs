//! What exceptions take of the process's memory.

use crate::common::{alone, instance, rollup};

#[test]
fn millions_of_throws_take_no_memory() {
    let _alone = alone();
    let (mut store, instance) = instance(
        r#"(module
            (tag $e (param i32))
            (func $down (param i32)
                (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 7))))
                (call $down (i32.sub (local.get 0) (i32.const 1))))
            (func $try (result i32)
                (block $l (result i32)
                    (try_table (catch $e $l) (call $down (i32.const 3)))
                    (i32.const -1)))
            (func (export "again") (param $n i32) (result i32)
                (local $sum i32)
                (loop $next
                    (local.set $sum (i32.add (local.get $sum) (call $try)))
                    (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))"#,
    );
    let again = instance
        .get_typed_func::<i32, i32>(&mut store, "again")
        .expect("exported");
    assert_eq!(again.call(&mut store, 100_000).expect("no trap"), 700_000);
    rollup("Anonymous:");
    let before = rollup("Anonymous:");
    assert_eq!(again.call(&mut store, 1_000_000).expect("no trap"), 7_000_000);
    let after = rollup("Anonymous:");
    // Eight bytes a throw; other tests may need some meanwhile.
    assert!(after < before + (8 << 20), "{before} bytes before, {after} after");
}
