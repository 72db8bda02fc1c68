;; A parent and a child put other functions in the places of those that were passed.
;;; child lib
(module
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table $t (export "__indirect_function_table") 3 funcref)
    (elem (i32.const 1) $two $three)
    (func $two (result i32) (i32.const 2))
    (func $three (result i32) (i32.const 3))
    (func (export "apply") (param $f i32) (result i32) (call_indirect (type $f) (local.get $f)))
    ;; Puts the function at 2 there.
    (func (export "replace") (param i32) (result i32)
        (table.set $t (local.get 0) (table.get $t (i32.const 2))) (i32.const 0))
    (func (export "move") (param i32) (result i32)
        (table.set $t (i32.const 0) (table.get $t (local.get 0))) (i32.const 0))
    (func (export "same") (param i32) (result i32) (local.get 0)))
;;; main
(module @kit
    (type $f (func (result i32)))
    (type $same (func (param i32) (result i32)))
    (table $t (export "__indirect_function_table") 4 funcref)
    (elem (i32.const 1) $seven $eight)
    (elem declare func $by_pointer)
    (global $pointer (mut i32) (i32.const 0))
    (func $seven (result i32) (i32.const 7))
    (func $eight (result i32) (i32.const 8))
    (func $by_pointer (result i32) (call_indirect (type $f) (global.get $pointer)))
    (func (export "run") (local $child i32) (local $there i32) (local $same i32)
        (local.set $child (call $run_child @"lib.wasm" @""))
        (local.set $there (call $pass (local.get $child) (i32.const 1) @":i"))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const 7) (i32.const 1))
        ;; Another function of the same type was not passed.
        (table.set $t (i32.const 1) (table.get $t (i32.const 2)))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const -1000) (i32.const 2))
        (table.set $t (i32.const 1) (ref.null func))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const -1000) (i32.const 3))
        (table.set $t (i32.const 1) (ref.func $seven))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const 7) (i32.const 4))

        ;; A child that has written over the place is given another one.
        (call $same (call $ask_with (local.get $child) @"move" (local.get $there)) (i32.const 0) (i32.const 5))
        (call $same (call $ask_with (local.get $child) @"replace" (local.get $there)) (i32.const 0) (i32.const 6))
        (call $same (call $ask_with (local.get $child) @"apply" (local.get $there)) (i32.const 3) (i32.const 7))
        (call $same
            (call $pass (local.get $child) (i32.const 1) @":i")
            (i32.add (local.get $there) (i32.const 1)) (i32.const 8))
        (call $same (call $ask_with (local.get $child) @"apply" (i32.const 0)) (i32.const -1000) (i32.const 9))

        ;; And what it gives for the parent's function is not.
        (local.set $same (call $symbol (local.get $child) @"same" @"*(:i):*(:i)"))
        (call $same (call_indirect (type $same) (i32.const 1) (local.get $same)) (i32.const 1) (i32.const 10))
        (global.set $pointer (call $take (local.get $child) (local.get $there) @":i"))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const 3) (i32.const 11))
        (global.set $pointer (call $take (local.get $child) (i32.const 1) @":i"))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const 2) (i32.const 12))
        (call $same (call $ask_with (local.get $child) @"replace" (i32.const 1)) (i32.const 0) (i32.const 13))
        (call $same (call $attempt (ref.func $by_pointer)) (i32.const -3007) (i32.const 14))))
