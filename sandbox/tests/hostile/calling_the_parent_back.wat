;; A child calls its parent, which calls, starts, drops, shares with, offers to, reads and writes the running child.
;;; child caller
(module
    (import "parent" "meddle" (func $meddle (result i32)))
    (memory (export "memory") 1)
    (func (export "go") (result i32) (call $meddle)))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $meddle)
    (func $meddle (result i32)
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -10) (i32.const 1))
        (call $same (call $start (i32.const 0)) (i32.const -10) (i32.const 2))
        (call $same (call $drop (i32.const 0)) (i32.const -10) (i32.const 3))
        (call $same (call $share (i32.const 0) (i32.const 0) @"r" (i32.const 0)) (i32.const -10) (i32.const 4))
        (call $same (call $offer (i32.const 0) @"a" @"b" (i32.const 0) (i32.const 0)) (i32.const -10) (i32.const 5))
        (call $same (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -10) (i32.const 6))
        (call $same (call $write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -10) (i32.const 7))
        (call $same (call $find (i32.const 0) @"go") (i32.const -10) (i32.const 8))
        (call $same (call $signature (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -10) (i32.const 9))
        (call $same (call $exit_code (i32.const 0)) (i32.const -10) (i32.const 10))
        (call $same (call $permissions (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -10) (i32.const 11))
        ;; What it runs can be unloaded, and others can be made and dropped.
        (call $same (call $run_child @"caller.wasm" @"inherit") (i32.const -47) (i32.const 12))
        (i32.const 77))
    (func (export "run")
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 20))
        (call $same (call $child @"caller.wasm" @"inherit") (i32.const 0) (i32.const 21))
        (call $same (call $offer (i32.const 0) @"parent" @"meddle" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 22))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 23))
        (call $same (call $ask (i32.const 0) @"go") (i32.const 77) (i32.const 24))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 25))))
