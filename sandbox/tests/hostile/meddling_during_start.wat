;; A child's start function calls its parent, which starts and drops the child that is being started.
;;; child caller
(module
    (import "parent" "meddle" (func $meddle (result i32)))
    (memory (export "memory") 1)
    (func $start (drop (call $meddle)))
    (start $start)
    (func (export "_initialize") (drop (call $meddle)))
    (func (export "go") (result i32) (call $meddle)))
;;; main
(module @kit
    (global $calls (mut i32) (i32.const 0))
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $meddle)
    (func $meddle (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (call $same (call $start (i32.const 0)) (i32.const -10) (i32.const 1))
        (call $same (call $drop (i32.const 0)) (i32.const -10) (i32.const 2))
        (call $same (call $find (i32.const 0) @"go") (i32.const -10) (i32.const 3))
        (i32.const 5))
    (func (export "run")
        (call $same (call $child @"caller.wasm" @"instantiate") (i32.const 0) (i32.const 10))
        (call $same (call $offer (i32.const 0) @"parent" @"meddle" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 11))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 12))
        (call $same (global.get $calls) (i32.const 2) (i32.const 13))
        (call $same (call $ask (i32.const 0) @"go") (i32.const 5) (i32.const 14))
        (call $same (call $start (i32.const 0)) (i32.const -28) (i32.const 15))))
