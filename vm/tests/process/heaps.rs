//! What garbage-collected heaps take of the process's memory.

use vm::{Config, Engine, Instance, Module, Store, Trap};

use crate::common::{alone, rollup};

/// Lists, and trees of one arm, for ever.
const KEEPS: &str = r#"(module
    (type $node (struct (field (ref null $node)) (field (ref null $node))))
    (global $kept (mut (ref null $node)) (ref.null $node))
    (func (export "list")
        (loop (global.set $kept (struct.new $node (global.get $kept) (ref.null $node))) (br 0)))
    (func (export "leaves")
        (loop
            (global.set $kept
                (struct.new $node (struct.new $node (ref.null $node) (ref.null $node)) (global.get $kept)))
            (br 0)))
    (func (export "some") (param i32)
        (loop (global.set $kept (struct.new $node (ref.null $node) (ref.null $node)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "forget") (global.set $kept (ref.null $node))))"#;

const LIMIT: usize = 64 << 20;

#[test]
fn heaps_stay_within_their_limit_and_give_memory_back() {
    let _alone = alone();
    let engine = Engine::new(Config::new().max_gc_heap_bytes(LIMIT as u64)).expect("an engine");
    let module = Module::new(&engine, KEEPS).expect("valid");
    for name in ["list", "leaves"] {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
        let before = rollup("Rss:");
        let run = instance.get_typed_func::<(), ()>(&mut store, name).expect("exported");
        let error = run.call(&mut store, ()).expect_err("it ends");
        assert_eq!(error.trap(), Some(Trap::HeapExhausted));
        let taken = rollup("Rss:").saturating_sub(before);
        assert!(taken > LIMIT * 9 / 10, "{name}: {taken} bytes of memory are in use");
        assert!(taken < LIMIT * 12 / 10, "{name}: {taken} bytes of memory are in use");
        assert!(store.gc_heap_stats().live_objects > 3_500_000);
        let forget = instance
            .get_typed_func::<(), ()>(&mut store, "forget")
            .expect("exported");
        forget.call(&mut store, ()).expect("no trap");
        store.gc();
        let left = rollup("Rss:").saturating_sub(before);
        assert!(left < LIMIT / 8, "{name}: {left} bytes of memory are in use still");
        drop(store);
    }
}

#[test]
fn many_stores_have_heaps() {
    let _alone = alone();
    let engine = Engine::new(Config::new().max_wasm_stack(64 << 10)).expect("an engine");
    let module = Module::new(&engine, KEEPS).expect("valid");
    let before = rollup("Rss:");
    let mut stores = Vec::new();
    for _ in 0..500 {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
        let some = instance
            .get_typed_func::<i32, ()>(&mut store, "some")
            .expect("exported");
        some.call(&mut store, 100).expect("room");
        stores.push(store);
    }
    let each = rollup("Rss:").saturating_sub(before) / stores.len();
    assert!(each < 100 << 10, "{each} bytes for each store");
}
