;; A module with few rights does in its start function what it may not, and by then has its function in the program's table.
;;; child child
(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $got (mut i32) (i32.const -1))
    (func $start (global.set $got (call $random_get (i32.const 0) (i32.const 8))))
    (func (export "got") (result i32) (global.get $got))
    (start $start))
;;; module first
(module (table (export "table") 2 funcref))
;;; module plugin clock
(module
    (import "first" "table" (table 2 funcref))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $got (mut i32) (i32.const -1))
    (elem (i32.const 1) $try)
    (func $try (global.set $got (call $random_get (i32.const 0) (i32.const 8))))
    (func (export "got") (result i32) (global.get $got))
    (start $try))
;;; main
(module @imports
    (import "first" "table" (table 2 funcref))
    (import "plugin" "got" (func $got (result i32)))
    (memory (export "memory") 1)
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func (export "run")
        (call $same (call $got) (i32.const 76) (i32.const 1))
        (call_indirect (i32.const 1))
        (call $same (call $got) (i32.const 76) (i32.const 2))
        (call $same (call $load_path @"child.wasm") (i32.const 0) (i32.const 3))
        (call $same (call $create (i32.const 0) @"") (i32.const 0) (i32.const 4))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $same (call $call (i32.const 0) (call $find (i32.const 0) @"got") (i32.const 0) (i32.const 64)) (i32.const 0) (i32.const 6))
        (call $same (i32.load (i32.const 64)) (i32.const 76) (i32.const 7))))
