;; Modules of two domains share a table: each passes only functions of its own, and gets no one else's place.
;;; child lib
(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 1 funcref)
    (func (export "apply") (param $f i32) (result i32) (call_indirect (type $f) (local.get $f)))
    (func (export "random") (result i32) (call $random_get (i32.const 0) (i32.const 8))))
;;; module table load
(module (table (export "__indirect_function_table") 4 funcref))
;;; module plugin load,instantiate,read,dir=/:rw
(module
    @imports
    (import "table" "__indirect_function_table" (table 4 funcref))
    (memory (export "memory") 1)
    (type $f (func (result i32)))
    (elem (i32.const 1) $nine)
    (func $nine (result i32) (i32.const 9))
    (func (export "make") (result i32) (local $child i32)
        (local.set $child (call $create (call $load_path @"lib.wasm") @"inherit"))
        (if (call $start (local.get $child)) (then (return (i32.const -1))))
        (local.get $child))
    (func (export "pass") (param i32 i32) (result i32) (call $pass (local.get 0) (local.get 1) @":i"))
    (func (export "through") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
    (func (export "release") (param i32) (result i32) (call $release (local.get 0))))
;;; main
(module
    @imports
    (import "table" "__indirect_function_table" (table $t 4 funcref))
    (import "plugin" "make" (func $plugins_make (result i32)))
    (import "plugin" "pass" (func $plugins_pass (param i32 i32) (result i32)))
    (import "plugin" "through" (func $through (param i32) (result i32)))
    (import "plugin" "release" (func $plugins_release (param i32) (result i32)))
    (memory (export "memory") 1)
    (type $f (func (result i32)))
    (elem (i32.const 2) $random)
    (func $random (result i32) (call $random_get (i32.const 0) (i32.const 8)))
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func (export "run") (local $theirs i32) (local $child i32) (local $random i32)
        (local.set $theirs (call $plugins_make))
        (call $same (local.get $theirs) (i32.const 0) (i32.const 1))
        ;; The plugin has the program's function in its table, which is not its own to pass.
        (call $same (call $plugins_pass (local.get $theirs) (i32.const 1)) (i32.const 1) (i32.const 2))
        (call $same (call $plugins_pass (local.get $theirs) (i32.const 2)) (i32.const -63) (i32.const 3))
        ;; Nor is the plugin's the program's.
        (local.set $child (call $create (call $load_path @"lib.wasm") @"inherit"))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 4))
        (call $same (call $pass (local.get $child) (i32.const 1) @":i") (i32.const -63) (i32.const 5))
        (call $same (call $pass (local.get $child) (i32.const 2) @":i") (i32.const 1) (i32.const 6))
        ;; A pointer to the program's child in the table they share: the plugin calls it with what both may.
        (local.set $random (call $symbol (local.get $child) @"random" @""))
        (call $same (local.get $random) (i32.const 4) (i32.const 7))
        (call $same (call_indirect $t (type $f) (local.get $random)) (i32.const 0) (i32.const 8))
        (call $same (call $through (local.get $random)) (i32.const 76) (i32.const 9))
        ;; It is not the plugin's to pass on or to release.
        (call $same (call $plugins_pass (local.get $theirs) (local.get $random)) (i32.const -63) (i32.const 10))
        (call $same (call $plugins_release (local.get $random)) (i32.const -28) (i32.const 11))
        (call $same (call_indirect $t (type $f) (local.get $random)) (i32.const 0) (i32.const 12))))
