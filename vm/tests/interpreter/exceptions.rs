//! Exceptions: what is caught where, with which values, locals and frames.

use vm::{
    Caller, Config, Engine, Error, ExnRef, ExternRef, Func, Instance, Linker, Module, Store, ThrownException, Trap,
    V128, Val,
};

use crate::common;

/// Calls an exported function of a module with an `i32` for each parameter.
fn call(text: &str, name: &str, args: &[i32]) -> Vec<i64> {
    let (mut store, instance) = common::instance(text);
    call_in(&mut store, instance, name, args).expect("it returns")
}

fn call_in(store: &mut Store<()>, instance: Instance, name: &str, args: &[i32]) -> Result<Vec<i64>, Error> {
    let func = instance.get_func(&mut *store, name).expect("exported");
    let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    func.call(store, &args, &mut results)?;
    let number = |val: &Val| match val {
        Val::I32(n) => i64::from(*n),
        Val::I64(n) => *n,
        other => panic!("{other:?} is no integer"),
    };
    Ok(results.iter().map(number).collect())
}

#[test]
fn payloads_come_in_order_at_labels_of_all_kinds() {
    let text = r#"(module
        (tag $e (param i32 i64 i32))
        (func $throw (param i32) (throw $e (local.get 0) (i64.const 20) (i32.const 3)))
        (func (export "block") (param i32) (result i32 i64 i32)
            (block $l (result i32 i64 i32)
                (try_table (catch $e $l) (call $throw (local.get 0)))
                (i32.const -1) (i64.const -2) (i32.const -3)))
        (func (export "above") (param i32) (result i32 i32 i64 i32)
            (i32.add (local.get 0) (i32.const 100))
            (block $l (result i32 i64 i32)
                (try_table (catch $e $l) (call $throw (local.get 0)))
                unreachable))
        (func (export "function") (param i32) (result i32 i64 i32)
            (try_table (catch $e 0) (call $throw (local.get 0)))
            (i32.const -1) (i64.const -2) (i32.const -3))
        (func (export "loop") (param i32) (result i32)
            (i32.const 5) (i64.const 0) (i32.const 0)
            (loop $l (param i32 i64 i32) (result i32)
                drop drop
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (if (param i32) (result i32) (i32.gt_s (local.get 0) (i32.const 0))
                    (then (drop) (try_table (catch $e $l) (call $throw (local.get 0))) (i32.const -9)))))
        (func (export "same") (param i32) (result i32 i64 i32)
            (i32.const 77)
            (block $l (result i32 i64 i32)
                (i32.const 1) (i32.const 2)
                (try_table (catch $e $l)
                    (throw $e (i32.mul (local.get 0) (i32.const 2)) (i64.const 5) (local.get 0)))
                unreachable)
            (local.set 0) (drop) (drop) (drop) (i32.const 8) (i64.const 9) (local.get 0)))"#;
    assert_eq!(call(text, "block", &[1]), [1, 20, 3]);
    assert_eq!(call(text, "above", &[1]), [101, 1, 20, 3]);
    assert_eq!(call(text, "function", &[7]), [7, 20, 3]);
    assert_eq!(call(text, "loop", &[4]), [1]);
    assert_eq!(call(text, "same", &[4]), [8, 9, 4]);
}

#[test]
fn locals_have_the_values_that_they_had_when_it_was_thrown() {
    let text = r#"(module
        (tag $e)
        (func $maybe (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (throw $e)))
            (i32.sub (local.get 0) (i32.const 1)))
        ;; The operand below means the local's old value, the catch sees the new one.
        (func (export "old_and_new") (param i32) (result i32)
            (local $x i32)
            (local.set $x (i32.const 7))
            (local.get $x)
            (block $l
                (try_table (catch $e $l)
                    (local.set $x (i32.const 8))
                    (local.set $x (call $maybe (local.get 0)))
                    (local.set $x (i32.const 9))))
            (i32.add (i32.mul (i32.const 100)) (local.get $x)))
        ;; Assigned in the block only: zero where it is caught before.
        (func (export "unassigned") (param i32) (result i32)
            (local $x i32)
            (block $l
                (try_table (catch_all $l)
                    (drop (call $maybe (local.get 0)))
                    (local.set $x (i32.const 5))))
            (local.get $x))
        (func (export "dirty") (param i32) (result i32)
            (local i32 i32 i32 i32)
            (local.set 1 (i32.const 11)) (local.set 2 (i32.const 12))
            (local.set 3 (i32.const 13)) (local.set 4 (i32.const 14))
            (i32.add (local.get 1) (i32.add (local.get 2) (i32.add (local.get 3) (local.get 4)))))
        ;; A sum that goes into a local must not go there when the call threw.
        (func (export "sums") (param i32) (result i32)
            (local $sum i32) (local $i i32)
            (block $out
                (loop $l
                    (try_table (catch $e $out)
                        (local.set $sum (i32.add (local.get $sum) (local.get $i)))
                        (local.set $i (i32.add (local.get $i) (i32.const 1)))
                        (local.set 0 (call $maybe (local.get 0)))
                        (br $l))))
            (i32.add (i32.mul (local.get $sum) (i32.const 1000)) (local.get $i))))"#;
    assert_eq!(call(text, "old_and_new", &[0]), [708]);
    assert_eq!(call(text, "old_and_new", &[1]), [709]);
    let (mut store, instance) = common::instance(text);
    assert_eq!(call_in(&mut store, instance, "dirty", &[0]).unwrap(), [50]);
    assert_eq!(call_in(&mut store, instance, "unassigned", &[0]).unwrap(), [0]);
    assert_eq!(call_in(&mut store, instance, "unassigned", &[1]).unwrap(), [5]);
    assert_eq!(call(text, "sums", &[3]), [6004]);
}

#[test]
fn the_innermost_clause_that_fits_catches() {
    let text = r#"(module
        (tag $a) (tag $b) (tag $c)
        (func $throw (param i32)
            (if (i32.eq (local.get 0) (i32.const 0)) (then (throw $a)))
            (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $b)))
            (if (i32.eq (local.get 0) (i32.const 2)) (then (throw $c))))
        (func (export "nested") (param i32) (result i32)
            (block $all (block $a1 (block $b1 (block $a2
                (try_table (catch $a $a1) (catch_all $all)
                    (try_table
                        (try_table (catch $b $b1) (catch $a $a2) (catch $b $all)
                            (call $throw (local.get 0))
                            (return (i32.const 1)))))
                (return (i32.const 2)))
                (return (i32.const 3)))
                (return (i32.const 4)))
                (return (i32.const 5)))
            (i32.const 6))
        ;; After the first block's end the outer one catches.
        (func (export "siblings") (param i32 i32) (result i32)
            (block $o (block $i
                (try_table (catch_all $o)
                    (try_table (catch_all $i) (call $throw (local.get 0)))
                    (call $throw (local.get 1))
                    (return (i32.const 1))))
                (return (i32.const 2)))
            (i32.const 3))
        ;; A branch out of the block leaves its clauses behind.
        (func (export "left") (param i32) (result i32)
            (local $n i32)
            (block $caught
                (block $out
                    (try_table (catch_all $caught)
                        (br_if $out (i32.eq (local.get 0) (i32.const 5)))
                        (call $throw (local.get 0))))
                (block $second
                    (try_table (catch_all $second) (call $throw (i32.const 0)))
                    (unreachable))
                (return (i32.const 9)))
            (i32.const 8)))"#;
    let got: Vec<i64> = (0..4).map(|n| call(text, "nested", &[n])[0]).collect();
    assert_eq!(got, [3, 4, 6, 1]);
    assert_eq!(call(text, "siblings", &[9, 9]), [1]);
    assert_eq!(call(text, "siblings", &[0, 9]), [2]);
    assert_eq!(call(text, "siblings", &[9, 0]), [3]);
    assert_eq!(call(text, "left", &[5]), [9]);
    assert_eq!(call(text, "left", &[1]), [8]);
}

/// The loop keeps locals in registers; what is thrown out of it finds them in slots.
#[test]
fn loops_that_keep_locals_in_registers_are_left() {
    let text = r#"(module
        (tag $e (param i32))
        (func (export "thrown") (param $n i32) (result i32)
            (local $i i32) (local $sum i32) (local $f f64)
            (block $l (result i32)
                (try_table (catch $e $l)
                    (loop $next
                        (local.set $i (i32.add (local.get $i) (i32.const 1)))
                        (local.set $sum (i32.add (local.get $sum) (local.get $i)))
                        (local.set $f (f64.add (local.get $f) (f64.const 0.5)))
                        (if (i32.eq (local.get $i) (local.get $n)) (then (throw $e (local.get $sum))))
                        (br $next)))
                unreachable)
            (i32.mul (i32.const 1000))
            (i32.add (local.get $i))
            (i32.add (i32.trunc_f64_s (f64.mul (local.get $f) (f64.const 20)))))
        ;; Each round throws, catches and goes on with what it had.
        (func (export "rounds") (param $n i32) (result i32)
            (local $i i32) (local $sum i32) (local $f f64)
            (loop $next
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (block $l (result i32)
                    (try_table (catch $e $l)
                        (local.set $f (f64.add (local.get $f) (f64.const 1)))
                        (throw $e (i32.mul (local.get $i) (i32.const 2))))
                    unreachable)
                (local.set $sum (i32.add (local.get $sum)))
                (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
            (i32.add (local.get $sum) (i32.trunc_f64_s (local.get $f))))
        ;; A clause that goes back to the loop it is in.
        (func (export "back") (param $n i32) (result i32)
            (local $i i32)
            (loop $next
                (try_table (catch_all $next)
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (if (i32.lt_u (local.get $i) (local.get $n)) (then (throw $e (i32.const 0))))))
            (local.get $i))
        ;; A loop that pins inside of one whose clause ends it.
        (func (export "inner") (param $n i32) (result i32)
            (local $i i32) (local $k i32) (local $s i32)
            (block $out (result i32)
                (loop $next
                    (try_table (catch $e $out)
                        (local.set $k (i32.const 0))
                        (loop $pins
                            (local.set $s (i32.add (local.get $s) (local.get $k)))
                            (local.set $k (i32.add (local.get $k) (i32.const 1)))
                            (if (i32.gt_u (local.get $s) (local.get $n)) (then (throw $e (local.get $k))))
                            (br_if $pins (i32.lt_u (local.get $k) (i32.const 10))))
                        (br $next)))
                unreachable)
            (i32.add (i32.mul (local.get $s) (i32.const 100)))))"#;
    assert_eq!(call(text, "thrown", &[10]), [55 * 1000 + 10 + 100]);
    assert_eq!(call(text, "rounds", &[1000]), [1001 * 1000 + 1000]);
    assert_eq!(call(text, "back", &[500]), [500]);
    assert_eq!(call(text, "inner", &[100]), [10506]);
}

/// A store in which calls are counted and use fuel.
fn counted(text: &str, depth: u32, fuel: u64) -> (Store<()>, Instance) {
    let mut config = Config::new();
    config.consume_fuel(true).max_call_depth(Some(depth));
    config.max_wasm_stack(64 << 20);
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    store.set_fuel(fuel).expect("it is counted");
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    (store, instance)
}

const DEEP: &str = r#"(module
    (tag $e (param i32))
    (func $down (param i32)
        (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 7))))
        (call $down (i32.sub (local.get 0) (i32.const 1))))
    (func $try (export "try") (param i32) (result i32)
        (block $l (result i32)
            (try_table (catch $e $l) (call $down (local.get 0)))
            (i32.const -1)))
    (func (export "again") (param $n i32) (param $deep i32) (result i32)
        (local $sum i32)
        (loop $next
            (local.set $sum (i32.add (local.get $sum) (call $try (local.get $deep))))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (func $count (export "depth") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call $count (i32.sub (local.get 0) (i32.const 1))))
            (else (i32.const 1))))
    (func (export "uncaught") (call $down (i32.const 3))))"#;

#[test]
fn deep_recursion_is_left_at_once() {
    let mut config = Config::new();
    config.max_wasm_stack(64 << 20);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, DEEP).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(call_in(&mut store, instance, "again", &[5, 300_000]).unwrap(), [35]);
}

#[test]
fn calls_that_are_left_do_not_count_any_more() {
    let (mut store, instance) = counted(DEEP, 1000, u64::MAX);
    // Two frames beside those of `down`; each throw leaves some hundred.
    assert_eq!(call_in(&mut store, instance, "again", &[100, 900]).unwrap(), [700]);
    assert_eq!(call_in(&mut store, instance, "depth", &[999]).unwrap(), [1]);
    let error = call_in(&mut store, instance, "depth", &[1000]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    // At the limit it is a trap, which is not caught.
    let error = call_in(&mut store, instance, "try", &[999]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
}

#[test]
fn a_throw_takes_fuel_for_the_frames_that_it_leaves() {
    let fuel = |deep| {
        let (mut store, instance) = counted(DEEP, 1 << 20, 1 << 40);
        call_in(&mut store, instance, "try", &[deep]).unwrap();
        (1 << 40) - store.get_fuel().unwrap()
    };
    let [none, ten, twenty] = [0, 10, 20].map(fuel);
    assert_eq!(ten - none, twenty - ten);
    // A round of `down`: seven operators, and the frame.
    assert_eq!(ten - none, 10 * 8);
    let (mut store, instance) = counted(DEEP, 1 << 20, none - 1);
    let error = call_in(&mut store, instance, "try", &[0]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
}

#[test]
fn what_nobody_catches_is_the_hosts_error() {
    let (mut store, instance) = common::instance(DEEP);
    let error = common::run(&mut store, instance, "uncaught").unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception `e` with i32 7");
    let thrown = error.downcast_ref::<ThrownException>().expect("it is one");
    assert_eq!(thrown.tag_name(), Some("e"));
    assert_eq!(thrown.tag_type().to_string(), "(tag (param i32))");
    let frames = error.backtrace().expect("a guest stood somewhere").frames();
    let names: Vec<String> = frames.iter().filter_map(vm::FrameInfo::func_name).collect();
    assert_eq!(names, ["down", "down", "down", "down", "uncaught"]);
    assert_eq!(error.trap(), None);
    // The next run has nothing to do with it.
    assert_eq!(call_in(&mut store, instance, "try", &[1]).unwrap(), [7]);
}

#[test]
fn traps_are_not_caught() {
    let text = r#"(module
        (func (export "trap") (result i32)
            (block $l (try_table (catch_all $l) (unreachable)))
            (i32.const 1))
        (func $deep (call $deep))
        (func (export "deep") (result i32)
            (block $l (try_table (catch_all $l) (call $deep)))
            (i32.const 1)))"#;
    let (mut store, instance) = common::instance(text);
    let trap = |store: &mut Store<()>, name| call_in(store, instance, name, &[]).unwrap_err().trap();
    assert_eq!(trap(&mut store, "trap"), Some(Trap::UnreachableCodeReached));
    assert_eq!(trap(&mut store, "deep"), Some(Trap::StackOverflow));
}

/// A library that throws, and a program with the same tag, another of the same
/// type, and a memory and global of its own.
#[test]
fn exceptions_pass_instances_and_are_told_apart_by_their_tags() {
    let engine = Engine::default();
    let library = Module::new(
        &engine,
        r#"(module
            (import "env" "tag" (tag $shared (param i32)))
            (tag $own (export "own") (param i32))
            (memory 1)
            (data (i32.const 0) "\63\00\00\00")
            (func (export "shared") (param i32) (throw $shared (i32.add (local.get 0) (i32.load (i32.const 0)))))
            (func (export "own") (param i32) (throw $own (local.get 0))))"#,
    );
    // One export name can be used once only.
    assert!(library.is_err());
    let library = Module::new(
        &engine,
        r#"(module
            (import "env" "tag" (tag $shared (param i32)))
            (tag $own (export "tag") (param i32))
            (memory 1)
            (data (i32.const 0) "\63\00\00\00")
            (func (export "shared") (param i32) (throw $shared (i32.add (local.get 0) (i32.load (i32.const 0)))))
            (func (export "own") (param i32) (throw $own (local.get 0))))"#,
    )
    .unwrap();
    let program = Module::new(
        &engine,
        r#"(module
            (import "library" "shared" (func $shared (param i32)))
            (import "library" "own" (func $own (param i32)))
            (import "library" "tag" (tag $other (param i32)))
            (tag $tag (export "tag") (param i32))
            (memory 1)
            (data (i32.const 0) "\07\00\00\00")
            (global $g (mut i32) (i32.const 3))
            (table funcref (elem $shared $own))
            (func (export "run") (param i32 i32) (result i32)
                (block $b (result i32)
                    (block $a (result i32)
                        (try_table (catch $tag $a) (catch $other $b)
                            (call_indirect (param i32) (local.get 1) (local.get 0)))
                        (return (i32.const -1)))
                    (global.set $g (i32.add (global.get $g) (i32.const 1)))
                    (i32.mul (i32.load (i32.const 0)))
                    (return (i32.add (global.get $g))))
                (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 1000)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let ty = vm::TagType::new(vm::FuncType::new([vm::ValType::I32], []));
    let tag = vm::Tag::new(&mut store, &ty).unwrap();
    let mut run = |tag: vm::Tag| {
        let library = Instance::new(&mut store, &library, &[tag.into()]).unwrap();
        let imports = ["shared", "own", "tag"].map(|name| library.get_export(&mut store, name).unwrap());
        let program = Instance::new(&mut store, &program, &imports).unwrap();
        (program, library)
    };
    // The program's own tag is not the library's.
    let (program, _) = run(tag);
    let mut call = |program, args: &[i32]| call_in(&mut store, program, "run", args);
    let error = call(program, &[0, 5]).unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception `shared` with i32 104");
    assert_eq!(call(program, &[1, 5]).unwrap(), [7005]);
    // Linked in a circle: the library gets the program's tag.
    let mut linker = Linker::new(&engine);
    let own = program.get_tag(&mut store, "tag").unwrap();
    linker.define(&mut store, "env", "tag", own).unwrap();
    let library = linker.instantiate(&mut store, &library).unwrap();
    let shared = library.get_func(&mut store, "shared").unwrap();
    program.rebind(&mut store, 0, shared).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
            (import "" "tag" (tag $tag (param i32)))
            (import "" "f" (func $f (param i32)))
            (func (export "run") (param i32) (result i32)
                (block $l (result i32) (try_table (catch $tag $l) (call $f (local.get 0))) unreachable)))"#,
    )
    .unwrap();
    let imports = [program.get_export(&mut store, "tag").unwrap(), shared.into()];
    let catcher = Instance::new(&mut store, &module, &imports).unwrap();
    assert_eq!(call_in(&mut store, catcher, "run", &[1]).unwrap(), [100]);
}

/// A program that calls the host, and that the host calls.
const HOSTED: &str = r#"(module
    (import "host" "pass" (func $pass (param i32)))
    (tag $e (export "e") (param i32 externref v128))
    (tag $other)
    (func (export "throw") (param i32)
        (throw $e (local.get 0) (ref.null extern) (v128.const i32x4 1 2 3 4)))
    (func (export "other") (param i32) (throw $other))
    (func (export "run") (param i32) (result i32)
        (block $l (result i32 externref v128)
            (try_table (catch $e $l) (call $pass (local.get 0)))
            (return (i32.const -1)))
        (drop) (drop) (i32.add (i32.const 1000)))
    (func (export "all") (param i32) (result i32)
        (block $l (try_table (catch_all $l) (call $pass (local.get 0))))
        (i32.const 5)))"#;

#[test]
fn exceptions_pass_host_functions_that_let_them() {
    let (mut store, instance) = common::linked(HOSTED, None::<Func>, |linker| {
        linker.func_wrap(
            "host",
            "pass",
            |mut caller: Caller<'_, Option<Func>>, n: i32| -> Result<(), Error> {
                let func = caller.data().expect("set below");
                func.call(&mut caller, &[Val::I32(n)], &mut [])
            },
        )?;
        Ok(())
    });
    let mut call = |guest: &str, name: &str| {
        *store.data_mut() = instance.get_func(&mut store, guest);
        let run = instance.get_typed_func::<i32, i32>(&mut store, name).unwrap();
        let result = run.call(&mut store, 7);
        (result, store.has_pending_exception())
    };
    assert!(matches!(call("throw", "run"), (Ok(1007), false)));
    assert!(matches!(call("throw", "all"), (Ok(5), false)));
    assert!(matches!(call("other", "all"), (Ok(5), false)));
    let (result, is_kept) = call("other", "run");
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception `other`");
    assert!(is_kept);
    let frames = error.backtrace().expect("a guest stood somewhere").frames();
    let names: Vec<String> = frames.iter().filter_map(vm::FrameInfo::func_name).collect();
    assert_eq!(names, ["other", "run"]);
}

#[test]
fn the_host_throws_and_catches() {
    let (mut store, instance) = common::linked(HOSTED, None::<vm::Tag>, |linker| {
        linker.func_wrap(
            "host",
            "pass",
            |mut caller: Caller<'_, Option<vm::Tag>>, n: i32| -> Result<(), Error> {
                let tag = caller.data().expect("set below");
                let value = ExternRef::new(&mut caller, n)?;
                let vector = V128::from(5_u128 << 64 | 9);
                let fields = [Val::I32(n * 2), Val::ExternRef(Some(value)), Val::V128(vector)];
                let exception = ExnRef::new(&mut caller, tag, &fields)?;
                vm::AsContextMut::as_context_mut(&mut caller).gc();
                Ok(caller.throw(exception)?)
            },
        )?;
        Ok(())
    });
    let tag = instance.get_tag(&mut store, "e").unwrap();
    *store.data_mut() = Some(tag);
    let run = instance.get_typed_func::<i32, i32>(&mut store, "run").unwrap();
    assert_eq!(run.call(&mut store, 21).unwrap(), 1042);
    // A guest's exception, caught by the host.
    let throw = instance.get_typed_func::<i32, ()>(&mut store, "throw").unwrap();
    let error = throw.call(&mut store, 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "uncaught exception `e` with i32 3, externref, v128 0x00000004000000030000000200000001"
    );
    store.gc();
    let exception = store.take_pending_exception().expect("it is kept");
    assert!(store.take_pending_exception().is_none());
    assert_eq!(exception.tag(&mut store).unwrap(), tag);
    let fields: Vec<Val> = exception.fields(&mut store).unwrap().collect();
    assert!(
        matches!(fields[..], [Val::I32(3), Val::ExternRef(None), Val::V128(v)] if v.as_u128() == 4 << 96 | 3 << 64 | 2 << 32 | 1)
    );
    // Wrong values are refused.
    assert!(ExnRef::new(&mut store, tag, &[Val::I32(1)]).is_err());
}

/// A reference to an exception lives in locals, tables and globals, and keeps what
/// it carries.
#[test]
fn references_to_exceptions_are_kept() {
    let text = r#"(module
        (tag $e (param i32 externref))
        (table $t 4 exnref)
        (global $g (mut exnref) (ref.null exn))
        (func $throw (param i32 externref) (throw $e (local.get 0) (local.get 1)))
        (func (export "keep") (param i32 externref)
            (local $x exnref)
            (block $l (result exnref)
                (try_table (catch_all_ref $l) (call $throw (local.get 0) (local.get 1)))
                (unreachable))
            (local.set $x)
            (table.set $t (i32.const 2) (local.get $x))
            (global.set $g (table.get $t (i32.const 2))))
        (func (export "churn") (param i32)
            (loop $next
                (block $l (result i32 externref exnref)
                    (try_table (catch_ref $e $l) (call $throw (local.get 0) (ref.null extern)))
                    (unreachable))
                (drop) (drop) (drop)
                (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "again") (result i32 externref)
            (try_table (catch $e 0) (throw_ref (global.get $g)))
            (unreachable))
        (func (export "null") (throw_ref (ref.null exn))))"#;
    let (mut store, instance) = common::instance(text);
    let value = ExternRef::new(&mut store, String::from("orca")).unwrap();
    let keep = instance.get_func(&mut store, "keep").unwrap();
    keep.call(&mut store, &[Val::I32(8), Val::ExternRef(Some(value))], &mut [])
        .unwrap();
    instance
        .get_typed_func::<i32, ()>(&mut store, "churn")
        .unwrap()
        .call(&mut store, 200_000)
        .unwrap();
    store.gc();
    assert!(store.gc_heap_stats().live_objects < 10);
    let mut results = [Val::I32(0), Val::I32(0)];
    let again = instance.get_func(&mut store, "again").unwrap();
    again.call(&mut store, &[], &mut results).unwrap();
    let [Val::I32(8), Val::ExternRef(Some(value))] = results else {
        panic!("{results:?}");
    };
    let value = value.data(&store).unwrap().expect("a value of the host");
    assert_eq!(value.downcast_ref::<String>().unwrap(), "orca");
    assert_eq!(common::trap(&mut store, instance, "null"), Some(Trap::NullReference));
}

/// A `br_table` loop whose beginning is repeated where it goes back: not in a block
/// that catches, where calls in it would be caught too.
#[test]
fn what_is_repeated_is_not_caught_elsewhere() {
    let text = r#"(module
        (tag $e)
        (global $left (mut i32) (i32.const 0))
        (func $count (result i32)
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (if (i32.eqz (global.get $left)) (then (throw $e)))
            (i32.const 0))
        (func (export "run") (param i32) (result i32)
            (global.set $left (local.get 0))
            (block $outer
                (try_table (catch_all $outer)
                    (loop $next
                        (block $two
                            (block $one
                                (br_table $one $two (call $count)))
                            (block $inner
                                (try_table (catch_all $inner) (br $next)))
                            (return (i32.const 1)))
                        (return (i32.const 2)))))
            (i32.const 3)))"#;
    assert_eq!(call(text, "run", &[1]), [3]);
    assert_eq!(call(text, "run", &[2]), [3]);
    assert_eq!(call(text, "run", &[9]), [3]);
}
