;; Offers after the start, the same name twice, the name of a host function, and what is no function.
;;; child child
(module (import "parent" "f" (func)) (memory (export "memory") 1))
;;; main
(module @kit
    (table (export "__indirect_function_table") 3 3 funcref)
    (elem (i32.const 0) $nothing $reference)
    (func $nothing)
    (func $reference (param externref))
    (func (export "run")
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 1) (i32.const 0)) (i32.const -58) (i32.const 2))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 2) (i32.const 0)) (i32.const -28) (i32.const 3))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 3) (i32.const 0)) (i32.const -28) (i32.const 4))
        (call $same (call $offer (i32.const 0) @"orca_region" @"create" (i32.const 0) (i32.const 1)) (i32.const -47) (i32.const 5))
        (call $same (call $offer (i32.const 0) @"wasi_snapshot_preview1" @"proc_exit" (i32.const 0) (i32.const 0))
            (i32.const -47) (i32.const 6))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 2)) (i32.const 0) (i32.const 7))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const -47) (i32.const 8))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 9))
        (call $same (call $offer (i32.const 0) @"parent" @"g" (i32.const 0) (i32.const 0)) (i32.const -28) (i32.const 10))))
