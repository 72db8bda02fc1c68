//! Every atomic operator, against a model and against other threads.

use std::fmt::Write;
use std::thread;

use vm::{Engine, Error, Instance, Module, Store, Trap, Val};

use super::common::engines;
use super::{instance, shared};

/// What an operator does to the value before, with its operands.
type Model = fn(u64, u64, u64) -> u64;

/// Operators by name: those besides loads and stores, and what they leave.
const RMW: [(&str, Model); 7] = [
    ("add", |before, x, _| before.wrapping_add(x)),
    ("sub", |before, x, _| before.wrapping_sub(x)),
    ("and", |before, x, _| before & x),
    ("or", |before, x, _| before | x),
    ("xor", |before, x, _| before ^ x),
    ("xchg", |_, x, _| x),
    ("cmpxchg", |_, _, y| y),
];

/// An operator: its mnemonic, the type of its values, its bytes, what it does.
struct Op {
    name: String,
    wide: bool,
    bytes: u64,
    kind: &'static str,
    model: Model,
}

fn ops() -> Vec<Op> {
    let mut ops = Vec::new();
    for (ty, wide, widths) in [("i32", false, &[4_u64, 1, 2][..]), ("i64", true, &[8, 1, 2, 4][..])] {
        for bytes in widths {
            let own = *bytes == if wide { 8 } else { 4 };
            let bits = if own { String::new() } else { (8 * bytes).to_string() };
            let suffix = if own { "" } else { "_u" };
            let mut add = |name: String, kind, model| {
                ops.push(Op {
                    name,
                    wide,
                    bytes: *bytes,
                    kind,
                    model,
                });
            };
            add(format!("{ty}.atomic.load{bits}{suffix}"), "load", |before, _, _| before);
            add(format!("{ty}.atomic.store{bits}"), "store", |_, x, _| x);
            for (kind, model) in RMW {
                add(format!("{ty}.atomic.rmw{bits}.{kind}{suffix}"), kind, model);
            }
        }
    }
    ops
}

/// A module with a function for each operator, on the memory that `memory` says.
fn module(ops: &[Op], memory: &str, index: u32, offset: u64) -> String {
    let address = if memory.contains("i64") {
        "(i64.extend_i32_u (local.get 0))"
    } else {
        "(local.get 0)"
    };
    let mut text = format!("(module {memory}");
    for Op { name, wide, kind, .. } in ops {
        let ty = if *wide { "i64" } else { "i32" };
        let operands = match *kind {
            "load" => 0,
            "cmpxchg" => 2,
            _ => 1,
        };
        let result = if *kind == "store" {
            String::new()
        } else {
            format!("(result {ty})")
        };
        let params = format!("(param i32) {}", format!("(param {ty})").repeat(operands));
        let args: String = (1..=operands).map(|i| format!("(local.get {i})")).collect();
        write!(
            text,
            r#"(func (export "{name}") {params} {result} ({name} {index} offset={offset} {address} {args}))"#
        )
        .expect("a String takes all");
    }
    text + ")"
}

fn value(wide: bool, bits: u64) -> Val {
    if wide {
        Val::I64(bits as i64)
    } else {
        Val::I32(bits as i32)
    }
}

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        other => panic!("{other:?} is of another type"),
    }
}

/// Calls an operator; its result, if it has one.
fn call(store: &mut Store<()>, instance: Instance, op: &Op, at: u32, x: u64, y: u64) -> Result<Option<u64>, Error> {
    let func = instance.get_func(&mut *store, &op.name).expect("it is exported");
    let ty = func.ty(&*store);
    let args = [Val::I32(at as i32), value(op.wide, x), value(op.wide, y)];
    let mut results = vec![Val::I32(0); ty.results().len()];
    func.call(store, &args[..ty.params().len()], &mut results)?;
    Ok(results.first().map(bits))
}

#[test]
fn operators_do_what_the_model_does() -> Result<(), Error> {
    let ops = ops();
    assert_eq!(ops.len(), 63);
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for engine in engines() {
        for (memory, index, offset) in [
            (r#"(memory (export "m") 1 1)"#, 0, 0),
            (r#"(memory (export "m") 1 1 shared)"#, 0, 8),
            (r#"(memory (export "m") i64 1 1 shared)"#, 0, 24),
            (r#"(memory 1) (memory (export "m") i64 1 1)"#, 1, 0),
            (r#"(memory 1) (memory (export "m") 1 1 shared)"#, 1, 0),
            (r#"(memory 1) (memory (export "m") 1 1)"#, 1, 16),
        ] {
            let mut store = Store::new(&engine, ());
            let module = Module::new(&engine, module(&ops, memory, index, offset))?;
            let instance = Instance::new(&mut store, &module, &[])?;
            let memory = instance.get_memory(&mut store, "m").expect("it is exported");
            for op in &ops {
                let mask = u64::MAX >> (64 - 8 * op.bytes);
                for round in 0..8 {
                    let at =
                        0x40 + u64::from(next() as u16 & 0x7ff8) + op.bytes * u64::from(round % 2 == 1 && op.bytes < 8);
                    let (word, x, mut y) = (next(), next(), next());
                    let mut x = x;
                    memory.write(&mut store, (at & !7) as usize, &[0x55; 24])?;
                    memory.write(&mut store, at as usize, &word.to_le_bytes())?;
                    let before = word & mask;
                    let mut after = (op.model)(before, x, y) & mask;
                    if op.kind == "cmpxchg" {
                        // High bits of the operands do not count, and half of all are equal.
                        match round % 4 {
                            0 => x = before,
                            1 => x = before | (next() & !mask),
                            _ => {}
                        }
                        y = next();
                        after = if x & mask == before { y & mask } else { before };
                    }
                    let name = format!("{} at {at}, {word:#x} {x:#x} {y:#x}", op.name);
                    let result = call(&mut store, instance, op, at as u32 - offset as u32, x, y)?;
                    assert_eq!(result, (op.kind != "store").then_some(before), "{name}");
                    let mut seen = [0; 8];
                    memory.read(&store, at as usize, &mut seen)?;
                    assert_eq!(u64::from_le_bytes(seen), word & !mask | after, "{name}");
                }
                let end = 0x1_0000 - offset;
                for at in [end, end - op.bytes + 1, 0xffff_fff8] {
                    let trap = call(&mut store, instance, op, at as u32, 0, 0)
                        .expect_err("outside")
                        .trap();
                    let misaligned = !(at + offset).is_multiple_of(op.bytes);
                    let expected = if misaligned {
                        Trap::HeapMisaligned
                    } else {
                        Trap::MemoryOutOfBounds
                    };
                    assert_eq!(trap, Some(expected), "{} at {at:#x}", op.name);
                }
                if op.bytes > 1 {
                    let trap = call(&mut store, instance, op, 1, 0, 0).expect_err("1 is odd").trap();
                    assert_eq!(trap, Some(Trap::HeapMisaligned), "{}", op.name);
                }
            }
        }
    }
    Ok(())
}

/// Operands that are constants, results of others, and locals that change later.
#[test]
fn operands_come_from_anywhere() -> Result<(), Error> {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let module = Module::new(
            &engine,
            r#"(module
                (memory 1 1 shared)
                (func (export "run") (param $x i32) (result i32) (local $i i32)
                    (local.get $x)
                    (local.set $x (i32.atomic.rmw.add (i32.const 8) (i32.add (local.get $x) (i32.const 1))))
                    (drop (i32.atomic.rmw.cmpxchg (i32.mul (local.get $x) (i32.const 4)) (i32.const 0) (i32.const 5)))
                    (atomic.fence)
                    (loop
                        (i32.atomic.store (i32.shl (local.get $i) (i32.const 2))
                            (i32.atomic.rmw.xor (i32.const 8) (i32.const -1)))
                        (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2))))
                    (i32.sub (i32.atomic.load (i32.const 4)))
                    (i32.add (i32.atomic.load (i32.const 8)))))"#,
        )?;
        let instance = Instance::new(&mut store, &module, &[])?;
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
        // 8 has 11 at last, after having been inverted twice; 4 has what it was inverted to.
        assert_eq!(run.call(&mut store, 10)?, 10 - !11 + 11);
    }
    Ok(())
}

/// Threads that add, subtract and invert: what is left is as if one had done it all.
#[test]
fn counters_add_up() -> Result<(), Error> {
    const THREADS: u64 = 4;
    const TIMES: u64 = 30_000;
    let text = format!(
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (func (export "run") (param $bit i32) (local $i i32) (local $old i64)
                (loop
                    (drop (i64.atomic.rmw.add (i32.const 0) (i64.const 0x1_0000_0001)))
                    (drop (i32.atomic.rmw8.add_u (i32.const 9) (i32.const 1)))
                    (drop (i32.atomic.rmw16.sub_u (i32.const 10) (i32.const 1)))
                    (drop (i32.atomic.rmw.xor (i32.const 12) (i32.shl (i32.const 1) (local.get $bit))))
                    (drop (i64.atomic.rmw32.or_u (i32.const 16)
                        (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $bit)))))
                    (drop (i64.atomic.rmw8.and_u (i32.const 20)
                        (i64.xor (i64.const -1) (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $bit))))))
                    (loop $again
                        (local.set $old (i64.atomic.load (i32.const 24)))
                        (br_if $again (i64.ne (local.get $old)
                            (i64.atomic.rmw.cmpxchg (i32.const 24) (local.get $old)
                                (i64.add (local.get $old) (i64.const 7))))))
                    (br_if 0 (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {TIMES}))))))"#
    );
    for engine in engines() {
        let module = Module::new(&engine, &text)?;
        let memory = shared(&engine, 1, 1);
        memory.write(20, &[0xff])?;
        thread::scope(|scope| {
            for bit in 0..THREADS {
                let (mut store, instance) = instance(&engine, &module, &memory);
                scope.spawn(move || {
                    let run = instance
                        .get_typed_func::<i32, ()>(&mut store, "run")
                        .expect("it is exported");
                    run.call(&mut store, bit as i32).expect("all is inside");
                });
            }
        });
        let mut bytes = [0; 32];
        memory.read(0, &mut bytes)?;
        let all = THREADS * TIMES;
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        assert_eq!(word(0), all << 32 | all);
        assert_eq!((bytes[8], bytes[9]), (0, all as u8));
        assert_eq!(word(8) >> 16 & 0xffff, all.wrapping_neg() & 0xffff);
        assert_eq!(word(8) >> 32, 0, "inverted an even number of times");
        assert_eq!(word(16), 0xf0 << 32 | 0xf);
        assert_eq!(word(24), 7 * all);
    }
    Ok(())
}

#[test]
fn modules_without_the_proposal_are_refused() -> Result<(), Error> {
    let engine = Engine::new(vm::Config::new().wasm_threads(false))?;
    let error = Module::new(&engine, "(module (memory 1 1 shared))").expect_err("it is off");
    assert!(error.to_string().contains("threads proposal"), "{error}");
    Ok(())
}
