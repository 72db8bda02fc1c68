;; Calls by pointers what is taken back, released or dropped, and the child that has its place by now.
;;; child lib
(module
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (func (export "apply") (param $f i32) (result i32) (call_indirect (type $f) (local.get $f)))
    (func (export "one") (result i32) (i32.const 1)))
;;; child other
(module (memory (export "memory") 1) (func (export "one") (result i32) (i32.const 100)))
;;; main
(module @kit
    (type $f (func (result i32)))
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $seven)
    (elem declare func $by_pointer)
    (global $one (mut i32) (i32.const 0))
    (func $seven (result i32) (i32.const 7))
    (func $by_pointer (result i32) (call_indirect (type $f) (global.get $one)))
    (func (export "run") (local $child i32) (local $there i32) (local $first i32) (local $i i32)
        (local.set $child (call $run_child @"lib.wasm" @""))
        (local.set $there (call $pass (local.get $child) (i32.const 1) @":i"))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const 7) (i32.const 1))
        (call $same (call $withdraw (local.get $child) (local.get $there)) (i32.const 0) (i32.const 2))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const -1000) (i32.const 3))
        (call $same (call $withdraw (local.get $child) (local.get $there)) (i32.const -28) (i32.const 4))
        ;; Passed once more, it is not where the old pointer leads.
        (call $same (call $pass (local.get $child) (i32.const 1) @":i")
            (i32.add (local.get $there) (i32.const 1)) (i32.const 5))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const -1000) (i32.const 6))

        (global.set $one (call $symbol (local.get $child) @"one" @""))
        (local.set $first (global.get $one))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const 1) (i32.const 7))
        (call $same (call $release (local.get $first)) (i32.const 0) (i32.const 8))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 9))
        (global.set $one (call $symbol (local.get $child) @"one" @""))
        (call $same (i32.ne (global.get $one) (local.get $first)) (i32.const 1) (i32.const 10))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const 1) (i32.const 11))
        (call $same (call $drop (local.get $child)) (i32.const 0) (i32.const 12))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 13))
        (call $same (call $run_child @"other.wasm" @"") (i32.const 0x10000) (i32.const 14))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 15))
        (call $same
            (i32.gt_u (call $symbol (i32.const 0x10000) @"one" @"") (global.get $one))
            (i32.const 1) (i32.const 16))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 17))
        (call $same (call $drop (i32.const 0x10000)) (i32.const 0) (i32.const 18))

        ;; Children come and go: places are used again, and the table does not grow without end.
        (loop $more
            (local.set $child (call $run_child @"other.wasm" @""))
            (global.set $one (call $symbol (local.get $child) @"one" @""))
            (call $same (call $attempt (ref.func $by_pointer)) (i32.const 100) (i32.const 20))
            (call $same (i32.lt_u (global.get $one) (i32.const 100)) (i32.const 1) (i32.const 21))
            (call $same (call $drop (local.get $child)) (i32.const 0) (i32.const 22))
            (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 23))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 1000))))))
