//! What opening and closing leaves in the host's memory: nothing. A program of tests
//! of its own, since it measures the process.

use std::collections::BTreeMap;

use orcavm_loader::{Found, OpenFlags, Session};
use vm::{Engine, Linker, Module, Store};

/// Bytes of the process's memory that are resident.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("it is said");
    let kib = line.split_whitespace().nth(1).expect("a number");
    1024 * kib.parse::<u64>().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_rounds_leave_nothing() {
    let engine = Engine::default();
    let module = |text: &str| Module::new(&engine, text).expect("valid");
    let library = module(
        r#"(module (@dylink.0 (mem-info (memory 100000 4) (table 8 0)))
            (import "env" "memory" (memory 0)) (import "env" "__memory_base" (global $base i32))
            (import "env" "__indirect_function_table" (table 0 funcref))
            (import "env" "__table_base" (global $table i32))
            (import "GOT.func" "f" (global $f (mut i32))) (import "env" "of_main" (func $of_main (result i32)))
            (elem (global.get $table) $g $g $g $g $g $g $g $g)
            (func $g)
            (func (export "f") (result i32)
                (memory.fill (global.get $base) (i32.const 1) (i32.const 100000))
                (i32.add (global.get $f) (call $of_main))))"#,
    );
    let program = module(r#"(module (@dylink.0) (func (export "of_main") (result i32) (i32.const 1)))"#);
    let finder = BTreeMap::from([("lib.so".to_owned(), library)]);
    let session = Session::builder(Linker::new(&engine)).finder(finder).build();
    let mut store = Store::new(&engine, ());
    session.load(&mut store, Found::new("app", program)).expect("it fits");
    let mut rounds = |count| {
        for _ in 0..count {
            let opened = session
                .open(&mut store, "lib.so", OpenFlags::LAZY)
                .expect("it is there");
            let f = opened.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
            assert!(f.call(&mut store, ()).expect("it returns") > 1);
            opened.close(&mut store).expect("it is open");
        }
        resident()
    };
    let before = rounds(500);
    let after = rounds(10_000);
    let grown = after.saturating_sub(before);
    assert!(grown < 512 << 10, "{grown} bytes");
}
