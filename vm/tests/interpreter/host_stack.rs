//! Guest code of any length uses no host stack: each handler passes control on
//! by a jump (or returns to a loop, in unoptimised builds). A handler whose
//! last call is not a jump deepens the host stack a little each time it runs,
//! so every kind of instruction runs a million times on a small stack here.

use vm::{Engine, Extern, Func, Instance, Module, Store};

/// Times each body runs.
const TIMES: u32 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
/// Bytes of the host stack. Entering the guest wants 256 KiB of it.
const STACK: usize = 600 << 10;

/// Bodies that leave the operand stack as it was; `$i` is an `i32` local that
/// counts down, `$a` … `$d` are locals of the four number types.
const BODIES: &[(&str, &str)] = &[
    (
        "arithmetic",
        "(local.set $a (i32.add (i32.mul (local.get $a) (i32.const 3)) (local.get $i)))",
    ),
    (
        "division",
        "(local.set $a (i32.div_s (local.get $a) (i32.const 7))) (local.set $b (i64.rem_u (local.get $b) (i64.const 9)))",
    ),
    (
        "counts",
        "(local.set $a (i32.popcnt (i32.clz (local.get $i)))) (local.set $b (i64.popcnt (i64.ctz (local.get $b))))",
    ),
    (
        "rounding",
        "(local.set $d (f64.nearest (f64.floor (f64.ceil (f64.trunc (local.get $d))))))
        (local.set $c (f32.nearest (f32.floor (f32.ceil (f32.trunc (local.get $c))))))",
    ),
    (
        "float arithmetic",
        "(local.set $d (f64.min (f64.sqrt (local.get $d)) (f64.copysign (local.get $d) (f64.const 1))))",
    ),
    (
        "conversions",
        "(local.set $a (i32.trunc_sat_f64_s (f64.convert_i64_u (i64.extend_i32_u (local.get $i)))))
        (local.set $b (i64.trunc_f32_u (f32.convert_i32_u (local.get $i))))
        (local.set $a (i32.trunc_f64_s (f64.promote_f32 (f32.demote_f64 (f64.const 1)))))",
    ),
    (
        "comparisons",
        "(local.set $a (i32.lt_s (local.get $a) (local.get $i))) (local.set $a (f64.ge (local.get $d) (f64.const 0)))",
    ),
    (
        "select",
        "(local.set $a (select (local.get $a) (local.get $i) (local.get $a)))",
    ),
    (
        "memory",
        "(i32.store (i32.const 8) (i32.load8_s (i32.const 9))) (i64.store16 1 (i32.const 8) (i64.load32_u 1 (i32.const 16)))",
    ),
    ("globals", "(global.set $g (i32.add (global.get $g) (i32.const 1)))"),
    (
        "blocks",
        "(block $x (br_if $x (local.get $a)) (block $y (br_table $x $y (local.get $i))) (br $x))",
    ),
    (
        "if",
        "(if (i32.and (local.get $i) (i32.const 1)) (then (local.set $a (i32.const 1))) (else (local.set $a (i32.const 2))))",
    ),
    (
        "many results",
        "(block (result i32 i32 i32 i32 i32 i32)
        (i32.const 9) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6) (br 0))
        (drop) (drop) (drop) (drop) (drop) (drop)",
    ),
    ("calls", "(local.set $a (call $own (local.get $i)))"),
    ("calls with locals", "(call $locals)"),
    ("calls of the host", "(local.set $a (call $host (local.get $i)))"),
    (
        "calls of another instance",
        "(local.set $a (call $other (local.get $i)))",
    ),
    (
        "indirect calls",
        "(local.set $a (call_indirect (type $t) (local.get $i) (i32.const 0)))",
    ),
    (
        "indirect calls of the host",
        "(local.set $a (call_indirect (type $t) (local.get $i) (i32.const 1)))",
    ),
    (
        "indirect calls of another instance",
        "(local.set $a (call_indirect (type $t) (local.get $i) (i32.const 2)))",
    ),
    (
        "memory.size and grow",
        "(drop (memory.size)) (drop (memory.grow (i32.const 0)))",
    ),
    ("memory.fill", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 4))"),
    (
        "memory.copy",
        "(memory.copy (i32.const 0) (i32.const 2) (i32.const 4)) (memory.copy 1 0 (i32.const 0) (i32.const 2) (i32.const 4))",
    ),
    (
        "memory.init",
        "(memory.init $data (i32.const 0) (i32.const 1) (i32.const 2)) (data.drop $gone)",
    ),
    (
        "table.get and set",
        "(table.set $s (i32.const 0) (table.get $s (i32.const 1)))",
    ),
    (
        "table.size and grow",
        "(drop (table.size $s)) (drop (table.grow $s (ref.null func) (i32.const 0)))",
    ),
    (
        "table.fill and copy",
        "(table.fill $s (i32.const 0) (ref.null func) (i32.const 2)) (table.copy $s $s (i32.const 0) (i32.const 1) (i32.const 1))",
    ),
    (
        "table.init",
        "(table.init $s $elem (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $dropped)",
    ),
    ("references", "(drop (ref.is_null (ref.func $own)))"),
];

fn module(body: &str) -> String {
    format!(
        r#"(module
            (type $t (func (param i32) (result i32)))
            (import "" "host" (func $host (type $t)))
            (import "" "other" (func $other (type $t)))
            (memory 1) (memory 1)
            (table funcref (elem $own $host $other))
            (table $s 4 funcref)
            (elem $elem func $own) (elem $dropped func $own)
            (data $data "abcd") (data $gone "")
            (global $g (mut i32) (i32.const 0))
            (func $own (type $t) (i32.add (local.get 0) (i32.const 1)))
            (func $locals (local i32 i64 f32 f64 i32 i32 i32 i32 i32 i32 i32 i32))
            (func (export "run") (param $i i32) (local $a i32) (local $b i64) (local $c f32) (local $d f64)
                (loop $again
                    {body}
                    (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))))"#
    )
}

#[test]
fn no_instruction_deepens_the_host_stack() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(|| {
        let engine = Engine::default();
        let library = "(module (memory 1) (func (export \"f\") (param i32) (result i32) (i32.load (local.get 0))))";
        let library = Module::new(&engine, library).expect("valid");
        for (name, body) in BODIES {
            let module = Module::new(&engine, module(body)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut store = Store::new(&engine, ());
            let host = Func::wrap(&mut store, |x: i32| x);
            let other = Instance::new(&mut store, &library, &[]).expect("no imports");
            let other = other.get_func(&mut store, "f").expect("exported");
            let imports = [Extern::from(host), Extern::from(other)];
            let instance =
                Instance::new(&mut store, &module, &imports).unwrap_or_else(|error| panic!("{name}: {error}"));
            let run = instance.get_typed_func::<u32, ()>(&mut store, "run").expect("exported");
            // The other instance reads its memory, which ends at 64 KiB.
            let times = if name.contains("another") {
                TIMES.min(60_000)
            } else {
                TIMES
            };
            run.call(&mut store, times)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    });
    assert!(thread.expect("threads can be made").join().is_ok());
}
