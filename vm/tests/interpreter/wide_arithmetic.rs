//! Arithmetic with 128 bits, with each kind of operand.

use vm::{Instance, Store};

use crate::common::instance;

/// Numbers at the edges of carries and signs.
const NUMBERS: [u64; 8] = [
    0,
    1,
    2,
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    1 << 32,
    0x9e37_79b9_7f4a_7c15,
];

/// Calls a function of `N` numbers with two results.
fn call<P: vm::WasmParams>(store: &mut Store<()>, instance: Instance, name: &str, params: P) -> (u64, u64) {
    let f = instance.get_typed_func::<P, (i64, i64)>(&mut *store, name);
    let (low, high) = f.expect("exported").call(store, params).expect("it does not trap");
    (low.cast_unsigned(), high.cast_unsigned())
}

fn halves(value: u128) -> (u64, u64) {
    (value as u64, (value >> 64) as u64)
}

#[test]
fn sums_of_128_bits_are_those_of_the_host() {
    let (mut store, instance) = instance(
        r#"(module
        (func (export "add") (param i64 i64 i64 i64) (result i64 i64)
          (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
        (func (export "sub") (param i64 i64 i64 i64) (result i64 i64)
          (i64.sub128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
        ;; Halves change places on the way in and out, and are made by other operators.
        (func (export "add in place") (param $a i64) (param $b i64) (param $c i64) (param $d i64) (result i64 i64)
          (i64.add128 (local.get $b) (i64.xor (local.get $a) (i64.const 0)) (local.get $d)
            (i64.add (local.get $c) (i64.const 0)))
          (local.set $a) (local.set $b)
          (i64.sub128 (local.get $b) (local.get $a) (i64.const 5) (i64.const -1))
          (local.set $b) (local.set $a)
          (local.get $a) (local.get $b))
        (func (export "zero") (param i64 i64 i64) (result i64 i64)
          (i64.add128 (i64.add128 (local.get 0) (i64.const 0) (local.get 1) (i64.const 0)) (local.get 2) (i64.const 0)))
        (func (export "from zero") (param i64 i64) (result i64 i64)
          (i64.sub128 (i64.const 0) (i64.const 0) (local.get 0) (local.get 1))))"#,
    );
    let joined = |low: u64, high: u64| u128::from(high) << 64 | u128::from(low);
    for a in NUMBERS {
        for b in NUMBERS {
            for c in NUMBERS {
                for d in NUMBERS {
                    let (x, y) = (joined(a, b), joined(c, d));
                    let params = (a as i64, b as i64, c as i64, d as i64);
                    let mut both = |name| call(&mut store, instance, name, params);
                    assert_eq!(both("add"), halves(x.wrapping_add(y)), "{x:#x} + {y:#x}");
                    assert_eq!(both("sub"), halves(x.wrapping_sub(y)), "{x:#x} - {y:#x}");
                    let sum = joined(b, a).wrapping_add(joined(d, c));
                    let expected = sum.wrapping_sub(joined(5, u64::MAX));
                    let (first, second) = both("add in place");
                    assert_eq!((first, second), halves(expected), "{a:#x} {b:#x} {c:#x} {d:#x}");
                }
                let sum = u128::from(a) + u128::from(b) + u128::from(c);
                let params = (a as i64, b as i64, c as i64);
                assert_eq!(call(&mut store, instance, "zero", params), halves(sum));
            }
            let negated = call(&mut store, instance, "from zero", (a as i64, b as i64));
            assert_eq!(negated, halves(joined(a, b).wrapping_neg()));
        }
    }
}

#[test]
fn products_of_64_bits_are_those_of_the_host() {
    let (mut store, instance) = instance(
        r#"(module
        (func (export "s") (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1)))
        (func (export "u") (param i64 i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 1)))
        (func (export "by 10") (param i64) (result i64 i64)
          (i64.mul_wide_u (i64.const 10) (i64.sub (local.get 0) (i64.const 1))))
        ;; xorshift by the high half, as hashes do: a loop with a pinned local.
        (func (export "fold") (param $x i64) (param $n i64) (result i64 i64) (local $high i64)
          (loop $l
            (i64.mul_wide_u (local.get $x) (i64.const 0x9e3779b97f4a7c15))
            (local.set $high)
            (local.set $x (i64.xor (local.get $high)))
            (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
          (local.get $x) (local.get $high)))"#,
    );
    for a in NUMBERS {
        for b in NUMBERS {
            let params = (a as i64, b as i64);
            let signed = i128::from(a as i64) * i128::from(b as i64);
            assert_eq!(call(&mut store, instance, "s", params), halves(signed.cast_unsigned()));
            let unsigned = u128::from(a) * u128::from(b);
            assert_eq!(call(&mut store, instance, "u", params), halves(unsigned));
        }
        let tenfold = u128::from(a.wrapping_sub(1)) * 10;
        assert_eq!(call(&mut store, instance, "by 10", a as i64), halves(tenfold));
        let (mut x, mut high) = (a, 0);
        for _ in 0..20 {
            let (low, up) = halves(u128::from(x) * 0x9e37_79b9_7f4a_7c15);
            (x, high) = (low ^ up, up);
        }
        assert_eq!(call(&mut store, instance, "fold", (a as i64, 20_i64)), (x, high));
    }
}
