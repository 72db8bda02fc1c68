;; A domain with few rights has one with all make a child, and call it: the child may do no more than both.
;;; child child
(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "random") (result i32) (call $random_get (i32.const 0) (i32.const 8))))
;;; module table load
(module (table (export "table") 4 funcref))
;;; module plugin load,instantiate,read,dir=/:rw
(module
    (import "table" "table" (table 4 funcref))
    (type $f (func (result i32)))
    (func (export "through") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))
;;; main
(module
    @imports
    (import "table" "table" (table 4 funcref))
    (import "plugin" "through" (func $through (param i32) (result i32)))
    (memory (export "memory") 1)
    (elem (i32.const 0) $make $ask $random)
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func $make (result i32) (local $child i32)
        (local.set $child (call $create (i32.const 0) @"inherit"))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 1))
        (local.get $child))
    (func $ask_child (param $child i32) (result i32)
        (call $same (call $call (local.get $child) (call $find (local.get $child) @"random") (i32.const 0) (i32.const 64))
            (i32.const 0) (i32.const 2))
        (i32.load (i32.const 64)))
    (func $ask (result i32) (call $ask_child (i32.const 0)))
    (func $random (result i32) (call $random_get (i32.const 0) (i32.const 8)))
    (func (export "run")
        (call $same (call $load_path @"child.wasm") (i32.const 0) (i32.const 3))
        (call $same (call $make) (i32.const 0) (i32.const 4))
        (call $same (call $ask) (i32.const 0) (i32.const 5))
        (call $same (call $through (i32.const 2)) (i32.const 76) (i32.const 6))
        (call $same (call $through (i32.const 1)) (i32.const 76) (i32.const 7))
        (call $same (call $ask) (i32.const 0) (i32.const 8))
        ;; A child that was made for the plugin stays without.
        (call $same (call $through (i32.const 0)) (i32.const 1) (i32.const 9))
        (call $same (call $ask_child (i32.const 1)) (i32.const 76) (i32.const 10))))
