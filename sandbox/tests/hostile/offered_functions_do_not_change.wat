;; After it has offered a function, the program puts another into its place in the table, with another type.
;;; child child
(module (import "parent" "f" (func $f (param i32) (result i32))) (memory (export "memory") 1)
    (func (export "go") (result i32) (call $f (i32.const 20))))
;;; main
(module @kit
    (table $t (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $double)
    (elem declare func $other)
    (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func $other (param i64 i64 i64) unreachable)
    (func (export "run")
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 2))
        (table.set $t (i32.const 0) (ref.func $other))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 3))
        (call $same (call $ask (i32.const 0) @"go") (i32.const 40) (i32.const 4))))
