//! Guests that make objects: what is kept, and what becomes of those that make too much.

use std::time::Duration;

use vm::{
    Config, Engine, Error, ExternRef, Instance, Module, RootScope, Rooted, SnapshotError, Store, StoreLimitsBuilder,
    Trap,
};

use crate::common::{instance, linked, run, trap};

/// Lists and trees.
const LISTS: &str = r#"(module
    (type $node (struct (field $next (mut (ref null $node))) (field $other (mut (ref null $node))) (field $value i32)))
    (type $nodes (array (mut (ref null $node))))
    (global $kept (mut (ref null $node)) (ref.null $node))
    (global $array (mut (ref null $nodes)) (ref.null $nodes))

    ;; Garbage for ever.
    (func (export "spin") (loop (drop (struct.new $node (ref.null $node) (ref.null $node) (i32.const 1))) (br 0)))
    ;; The same, of arrays.
    (func (export "spin_arrays") (loop (drop (array.new_default $nodes (i32.const 5000))) (br 0)))
    ;; A list for ever.
    (func (export "keep")
        (loop
            (global.set $kept (struct.new $node (global.get $kept) (ref.null $node) (i32.const 1)))
            (br 0)))
    ;; A list whose nodes have a leaf each, for ever.
    (func (export "keep_leaves")
        (loop
            (global.set $kept
                (struct.new $node (global.get $kept)
                    (struct.new $node (ref.null $node) (ref.null $node) (i32.const 2)) (i32.const 1)))
            (br 0)))
    ;; Arrays in arrays for ever.
    (func (export "keep_arrays")
        (local $array (ref $nodes))
        (local.set $array (array.new_default $nodes (i32.const 3000)))
        (global.set $array (local.get $array))
        (loop
            (array.set $nodes (local.get $array) (i32.const 0)
                (struct.new $node (array.get $nodes (local.get $array) (i32.const 0)) (ref.null $node) (i32.const 7)))
            (br 0)))
    (func (export "forget") (global.set $kept (ref.null $node)) (global.set $array (ref.null $nodes)))
    ;; Rings that refer to themselves.
    (func (export "rings") (param $n i32)
        (local $a (ref null $node)) (local $b (ref null $node))
        (loop
            (local.set $a (struct.new $node (ref.null $node) (ref.null $node) (i32.const 1)))
            (local.set $b (struct.new $node (local.get $a) (local.get $a) (i32.const 2)))
            (struct.set $node $next (local.get $a) (local.get $b))
            (struct.set $node $other (local.get $a) (local.get $a))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    ;; A list of so many.
    (func (export "list") (param $n i32)
        (global.set $kept (ref.null $node))
        (loop
            (global.set $kept (struct.new $node (global.get $kept) (ref.null $node) (local.get $n)))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "sum") (result i64)
        (local $node (ref null $node)) (local $sum i64)
        (local.set $node (global.get $kept))
        (block $end
            (loop
                (br_if $end (ref.is_null (local.get $node)))
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (struct.get $node $value (local.get $node)))))
                (local.set $node (struct.get $node $next (local.get $node)))
                (br 0)))
        (local.get $sum))
    ;; Each frame has a node of its own, which is looked at when the frames above have made
    ;; others.
    (func $deep (export "deep") (param $n i32) (result i32)
        (local $own (ref null $node))
        (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
        (local.set $own (struct.new $node (ref.null $node) (ref.null $node) (local.get $n)))
        (drop (array.new_default $nodes (i32.const 100)))
        (i32.add
            (call $deep (i32.sub (local.get $n) (i32.const 1)))
            (i32.eq (struct.get $node $value (local.get $own)) (local.get $n))))
    ;; Operands of one instruction are kept while others are made.
    (func (export "operands") (param $n i32) (result i32)
        (local $wrong i32) (local $node (ref null $node))
        (loop
            (local.set $node
                (struct.new $node
                    (struct.new $node (ref.null $node) (ref.null $node) (local.get $n))
                    (struct.new $node
                        (struct.new $node (ref.null $node) (ref.null $node) (i32.add (local.get $n) (i32.const 1)))
                        (ref.null $node) (i32.const 0))
                    (array.len (array.new_default $nodes (i32.const 50)))))
            (local.set $wrong (i32.add (local.get $wrong)
                (i32.ne (struct.get $node $value (struct.get $node $next (local.get $node))) (local.get $n))))
            (local.set $wrong (i32.add (local.get $wrong)
                (i32.ne
                    (struct.get $node $value (struct.get $node $next (struct.get $node $other (local.get $node))))
                    (i32.add (local.get $n) (i32.const 1)))))
            (local.set $wrong (i32.add (local.get $wrong)
                (i32.ne (struct.get $node $value (local.get $node)) (i32.const 50))))
            (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $wrong))
    (func (export "array") (param i32) (result i32) (array.len (array.new_default $nodes (local.get 0)))))"#;

fn lists(config: &Config) -> (Store<()>, Instance) {
    let engine = Engine::new(config).expect("an engine");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &Module::new(&engine, LISTS).expect("valid"), &[]).expect("no imports");
    (store, instance)
}

fn small() -> Config {
    let mut config = Config::new();
    config.max_gc_heap_bytes(1 << 20);
    config
}

fn sum(store: &mut Store<()>, instance: Instance) -> u64 {
    let sum = instance
        .get_typed_func::<(), u64>(&mut *store, "sum")
        .expect("exported");
    sum.call(store, ()).expect("no trap")
}

#[test]
fn who_makes_garbage_for_ever_can_be_interrupted() {
    for name in ["spin", "spin_arrays"] {
        let (mut store, instance) = lists(&small());
        let handle = store.interrupt_handle();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            handle.interrupt();
        });
        assert_eq!(trap(&mut store, instance, name), Some(Trap::Interrupt));
        stop.join().expect("it does not panic");
        let stats = store.gc_heap_stats();
        assert!(
            stats.heap_bytes <= 1 << 20 && stats.allocated_bytes > 0,
            "{name}: {stats:?}"
        );
        // The store is as good as before.
        run(&mut store, instance, "forget").expect("no trap");
    }
}

#[test]
fn interruptions_that_come_while_garbage_is_collected_are_not_lost() {
    let mut config = Config::new();
    config.max_gc_heap_bytes(64 << 20);
    let (mut store, instance) = lists(&config);
    let list = instance
        .get_typed_func::<u32, ()>(&mut store, "list")
        .expect("exported");
    list.call(&mut store, 1_000_000).expect("room");
    for pause in 0..10 {
        let handle = store.interrupt_handle();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10 + pause));
            handle.interrupt();
        });
        assert_eq!(trap(&mut store, instance, "spin_arrays"), Some(Trap::Interrupt));
        stop.join().expect("it does not panic");
    }
    assert_eq!(sum(&mut store, instance), 500_000_500_000);
}

#[test]
fn who_keeps_everything_meets_the_limit() {
    for name in ["keep", "keep_leaves", "keep_arrays"] {
        let (mut store, instance) = lists(&small());
        for _ in 0..3 {
            assert_eq!(trap(&mut store, instance, name), Some(Trap::HeapExhausted), "{name}");
            let stats = store.gc_heap_stats();
            assert!(
                stats.heap_bytes <= 1 << 20 && stats.live_bytes > 900 << 10,
                "{name}: {stats:?}"
            );
            run(&mut store, instance, "forget").expect("no trap");
            store.gc();
            assert!(
                store.gc_heap_stats().live_objects <= 10,
                "{name}: {:?}",
                store.gc_heap_stats()
            );
        }
    }
}

#[test]
fn the_store_s_limiter_ends_who_keeps_everything() {
    let engine = Engine::default();
    let module = Module::new(&engine, LISTS).expect("valid");
    let limits = StoreLimitsBuilder::new().memory_size(512 << 10);
    let mut store = Store::new(&engine, limits.clone().build());
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    assert_eq!(trap(&mut store, instance, "keep"), Some(Trap::HeapExhausted));
    let mut store = Store::new(&engine, limits.trap_on_grow_failure(true).build());
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    let error = run(&mut store, instance, "keep").expect_err("it ends");
    assert!(
        error
            .backtrace()
            .is_some_and(|backtrace| !backtrace.frames().is_empty()),
        "{error}"
    );
    assert!(error.to_string().contains("memory"), "{error}");
}

#[test]
fn arrays_that_cannot_be_are_traps() {
    let (mut store, instance) = lists(&small());
    let array = instance
        .get_typed_func::<u32, u32>(&mut store, "array")
        .expect("exported");
    for len in [u32::MAX, 1 << 31, 1 << 20, 262_144] {
        let error = array.call(&mut store, len).expect_err("too large");
        assert_eq!(error.trap(), Some(Trap::AllocationTooLarge), "{len}");
    }
    for len in [0, 1, 100_000, 200_000, 100_000] {
        assert_eq!(array.call(&mut store, len).expect("room"), len);
    }
}

#[test]
fn rings_are_garbage_too() {
    let (mut store, instance) = lists(&small());
    let rings = instance
        .get_typed_func::<u32, ()>(&mut store, "rings")
        .expect("exported");
    rings.call(&mut store, 300_000).expect("room");
    store.gc();
    assert_eq!(store.gc_heap_stats().live_objects, 0);
}

#[test]
fn frames_and_operands_keep_their_objects() {
    for (zeal, n) in [(false, 20_000), (true, 300)] {
        let mut config = small();
        config.max_gc_heap_bytes(4 << 20).gc_zeal(zeal);
        let (mut store, instance) = lists(&config);
        let deep = instance
            .get_typed_func::<u32, u32>(&mut store, "deep")
            .expect("exported");
        assert_eq!(deep.call(&mut store, n).expect("room"), n);
        let operands = instance
            .get_typed_func::<u32, u32>(&mut store, "operands")
            .expect("exported");
        assert_eq!(operands.call(&mut store, n).expect("room"), 0);
        assert!(store.gc_heap_stats().collections > 0);
        let list = instance
            .get_typed_func::<u32, ()>(&mut store, "list")
            .expect("exported");
        list.call(&mut store, n).expect("room");
        assert_eq!(sum(&mut store, instance), u64::from(n) * u64::from(n + 1) / 2);
    }
}

#[test]
fn fuel_is_the_same_however_often_garbage_is_collected() {
    let used = |zeal| {
        let mut config = Config::new();
        config.consume_fuel(true).gc_zeal(zeal);
        let (mut store, instance) = lists(&config);
        store.set_fuel(1_000_000).expect("it is counted");
        let rings = instance
            .get_typed_func::<u32, ()>(&mut store, "rings")
            .expect("exported");
        rings.call(&mut store, 200).expect("no trap");
        1_000_000 - store.get_fuel().expect("it is counted")
    };
    assert_eq!(used(true), used(false));
}

#[test]
fn snapshots_with_objects_are_refused() {
    let (mut store, instance) = lists(&Config::new());
    assert!(instance.snapshot(&store).is_ok());
    let list = instance
        .get_typed_func::<u32, ()>(&mut store, "list")
        .expect("exported");
    list.call(&mut store, 3).expect("room");
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::Snapshot(SnapshotError::Objects)));
    assert!(refused(instance.snapshot(&store).map(|_| ())));
    assert!(refused(instance.fork(&mut store).map(|_| ())));
    run(&mut store, instance, "forget").expect("no trap");
    assert!(instance.fork(&mut store).is_ok());
}

#[test]
fn objects_outlive_the_instance_that_made_them() {
    let engine = Engine::default();
    let maker = r#"(module
        (type $pair (struct (field i32) (field (ref null $pair))))
        (func (export "make") (param i32) (result (ref null $pair))
            (struct.new $pair (local.get 0) (struct.new $pair (i32.const 5) (ref.null $pair)))))"#;
    let user = r#"(module
        (type $pair (struct (field i32) (field (ref null $pair))))
        (import "" "make" (func $make (param i32) (result (ref null $pair))))
        (global $kept (export "kept") (mut (ref null $pair)) (ref.null $pair))
        (func (export "make") (global.set $kept (call $make (i32.const 7))))
        (func (export "look") (result i32)
            (i32.add
                (struct.get $pair 0 (global.get $kept))
                (struct.get $pair 0 (struct.get $pair 1 (global.get $kept))))))"#;
    let mut store = Store::new(&engine, ());
    let maker_module = Module::new(&engine, maker).expect("valid");
    let maker = Instance::new(&mut store, &maker_module, &[]).expect("no imports");
    drop(maker_module);
    let make = maker.get_func(&mut store, "make").expect("exported");
    let user = Instance::new(&mut store, &Module::new(&engine, user).expect("valid"), &[make.into()]).expect("it fits");
    run(&mut store, user, "make").expect("no trap");
    maker.unload(&mut store, "maker").expect("nothing runs");
    store.gc();
    let look = user.get_typed_func::<(), i32>(&mut store, "look").expect("exported");
    assert_eq!(look.call(&mut store, ()).expect("no trap"), 12);
    assert_eq!(store.gc_heap_stats().live_objects, 2);
    // What the user's global refers to stays with the global.
    let kept = user.get_global(&mut store, "kept").expect("exported");
    user.unload(&mut store, "user").expect("nothing runs");
    store.gc();
    assert_eq!(store.gc_heap_stats().live_objects, 2);
    kept.set(&mut store, vm::Val::AnyRef(None)).expect("of its type");
    store.gc();
    assert_eq!(store.gc_heap_stats().live_objects, 0);
}

#[test]
fn guests_pass_objects_through_the_host_and_host_values_through_objects() {
    let text = r#"(module
        (type $box (struct (field (mut externref)) (field anyref)))
        (import "" "pass" (func $pass (param anyref) (result anyref)))
        (func (export "run") (param externref) (result externref)
            (local $box (ref $box))
            (local.set $box
                (ref.cast (ref $box)
                    (call $pass (struct.new $box (local.get 0) (any.convert_extern (local.get 0))))))
            (if (i32.eqz (ref.is_null (struct.get $box 0 (local.get $box))))
                (then (return (extern.convert_any (struct.get $box 1 (local.get $box))))))
            (ref.null extern)))"#;
    let (mut store, instance) = linked(text, (), |linker| {
        let pass = |mut caller: vm::Caller<'_, ()>, value: Option<Rooted<vm::AnyRef>>| {
            for i in 0..1000 {
                ExternRef::new(RootScope::new(&mut caller), i).expect("room");
            }
            vm::AsContextMut::as_context_mut(&mut caller).gc();
            value
        };
        linker.func_wrap("", "pass", pass).map(|_| ())
    });
    let value = ExternRef::new(&mut store, "orca").expect("room");
    let run = instance.get_typed_func::<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>(&mut store, "run");
    let back = run
        .expect("exported")
        .call(&mut store, Some(value))
        .expect("no trap")
        .expect("not null");
    assert!(Rooted::ref_eq(&store, &value, &back).expect("live"));
    let data = back.data(&store).expect("live").expect("a value of the host");
    assert_eq!(data.downcast_ref::<&str>(), Some(&"orca"));
}

#[test]
fn a_number_on_the_stack_may_look_like_a_handle() {
    // Every multiple of 8 below 1 MiB, as locals of a frame that lasts.
    let mut locals = String::new();
    for i in 0..200 {
        locals += &format!("(local.set {} (i64.const {}))", i + 1, 4096 + 16 * i);
    }
    let text = format!(
        r#"(module (type $pair (struct (field i32) (field i32)))
            (func (export "run") (param i32) (result i32) (local {}) {locals}
                (loop (drop (struct.new $pair (local.get 0) (local.get 0)))
                    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (i32.wrap_i64 (i64.add (local.get 1) (local.get 200)))))"#,
        "i64 ".repeat(200)
    );
    let (mut store, instance) = instance(&text);
    let run = instance
        .get_typed_func::<u32, u32>(&mut store, "run")
        .expect("exported");
    assert_eq!(run.call(&mut store, 1_000_000).expect("room"), 4096 + 4096 + 16 * 199);
    assert!(store.gc_heap_stats().collections > 0);
    store.gc();
    assert_eq!(store.gc_heap_stats().live_objects, 0);
}
