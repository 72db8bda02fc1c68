;; A child catches nothing: when the function of its parent that it calls traps, that ends both of their runs.
;;; expect trap: unreachable
;;; child child
(module (import "parent" "f" (func $f)) (memory (export "memory") 1)
    (func (export "go") (call $f)))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $f)
    (func $f unreachable)
    (func (export "run")
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 2))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 3))
        (drop (call $ask (i32.const 0) @"go"))
        (call $same (i32.const 0) (i32.const 1) (i32.const 4))))
