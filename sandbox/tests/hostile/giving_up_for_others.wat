;; A domain with few rights gives up rights: its own, not those of who calls it or is called by it.
;;; module plugin clock,random
(module
    (import "orca_module" "give_up" (func $give_up (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "give_up") (result i32) (call $give_up @"random"))
    (func (export "random") (result i32) (call $random_get (i32.const 0) (i32.const 8))))
;;; main
(module
    (import "plugin" "give_up" (func $plugin_gives_up (result i32)))
    (import "plugin" "random" (func $plugin_random (result i32)))
    @kit
    (func (export "run")
        (call $same (call $plugin_random) (i32.const 0) (i32.const 1))
        (call $same (call $plugin_gives_up) (i32.const 0) (i32.const 2))
        (call $same (call $plugin_random) (i32.const 76) (i32.const 3))
        (call $same (call $random_get (i32.const 0) (i32.const 8)) (i32.const 0) (i32.const 4))))
