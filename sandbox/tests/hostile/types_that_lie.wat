;; A child imports what its parent offers with other types: it cannot be started.
;;; child child
(module (import "parent" "f" (func (param i64) (result funcref))))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $f)
    (func $f (param i32) (result i32) (local.get 0))
    (func (export "run")
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 2))
        (call $same (call $start (i32.const 0)) (i32.const -47) (i32.const 3))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 4))))
