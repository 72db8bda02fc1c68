;; Starts a child that lacks an import, or has one of another type, again and again: nothing is kept of the attempts.
;;; child missing
(module (import "parent" "f" (func)) (import "orca_region" "close" (func (param i32) (result i32))))
;;; child different
(module (import "orca_region" "page_size" (func (param i64))) (import "orca_region" "close" (func (param i32) (result i32))))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $nothing)
    (func $nothing)
    (func (export "run") (local $i i32) (local $used i64)
        (call $same (call $child @"missing.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $child @"different.wasm" @"") (i32.const 1) (i32.const 2))
        (local.set $used (call $memory_used))
        (loop $more
            (call $same (call $start (i32.const 0)) (i32.const -47) (i32.const 3))
            (call $same (call $start (i32.const 1)) (i32.const -47) (i32.const 4))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 1000))))
        (call $same64 (call $memory_used) (local.get $used) (i32.const 5))
        ;; It can be helped.
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 6))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 7))))
