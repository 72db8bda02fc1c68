;; The program exits in a function that its child calls.
;;; expect error: exit
;;; child child
(module (import "parent" "f" (func $f)) (memory (export "memory") 1)
    (func (export "go") (call $f)))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $f)
    (func $f (call $proc_exit (i32.const 1)))
    (func (export "run")
        (call $same (call $child @"child.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 1)) (i32.const 0) (i32.const 2))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 3))
        (drop (call $ask (i32.const 0) @"go"))))
