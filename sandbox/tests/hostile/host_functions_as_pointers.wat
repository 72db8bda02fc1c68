;; A domain with few rights leaves a host function in the table: who calls it does so with rights of its own, and for no one else.
;;; module plugin clock
(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (type $f (func (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "table") 2 funcref)
    (elem (i32.const 0) $random_get)
    (func (export "by_table") (param i32) (result i32)
        (call_indirect (type $f) (i32.const 0) (i32.const 8) (local.get 0))))
;;; main
(module
    @imports
    (import "plugin" "table" (table $table 2 funcref))
    (import "plugin" "by_table" (func $by_table (param i32) (result i32)))
    (memory (export "memory") 1)
    (type $f (func (param i32 i32) (result i32)))
    (elem declare func $random_get)
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func (export "run")
        ;; The program's host function does nothing more for the plugin, nor does the plugin's own.
        (table.set $table (i32.const 1) (ref.func $random_get))
        (call $same (call $by_table (i32.const 0)) (i32.const 76) (i32.const 1))
        (call $same (call $by_table (i32.const 1)) (i32.const 76) (i32.const 2))
        ;; What the program calls by a pointer it calls itself.
        (call $same (call_indirect $table (type $f) (i32.const 0) (i32.const 8) (i32.const 0)) (i32.const 0) (i32.const 3))
        (call $same (call_indirect $table (type $f) (i32.const -1) (i32.const 8) (i32.const 0)) (i32.const 21) (i32.const 4))))
