;; Passes functions to a child and takes its own, again and again: pointers stay equal, and no table grows.
;;; child lib
(module
    (type $f (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table $t (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $double)
    (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "apply") (param $f i32) (param $x i32) (result i32)
        (call_indirect (type $f) (local.get $x) (local.get $f)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "own") (result i32) (i32.const 1))
    (func (export "size") (result i32) (table.size $t)))
;;; main
(module @kit
    (type $f (func (param i32) (result i32)))
    (type $apply (func (param i32 i32) (result i32)))
    (type $number (func (result i32)))
    (table $t (export "__indirect_function_table") 3 funcref)
    (elem (i32.const 1) $increment $decrement)
    (func $increment (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $decrement (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
    (func (export "run") (local $child i32) (local $there i32) (local $size i32) (local $i i32)
        (local $apply i32) (local $same i32) (local $own i32) (local $double i32)
        (local.set $child (call $run_child @"lib.wasm" @""))
        (local.set $there (call $pass (local.get $child) (i32.const 1) @"i:i"))
        (call $same (local.get $there) (i32.const 2) (i32.const 1))
        (call $same (call $pass (local.get $child) (i32.const 2) @"i:i") (i32.const 3) (i32.const 2))
        (call $same (call $pass (local.get $child) (i32.const 0) @"i:i") (i32.const 0) (i32.const 3))

        ;; Called with what was passed, by a number and by a declared parameter.
        (local.set $apply (call $symbol (local.get $child) @"apply" @"*(i:i)i:i"))
        (call $same (call_indirect (type $apply) (i32.const 1) (i32.const 41) (local.get $apply)) (i32.const 42) (i32.const 4))
        (call $same (call_indirect (type $apply) (i32.const 2) (i32.const 41) (local.get $apply)) (i32.const 40) (i32.const 5))
        (i32.store (i32.const 0xb000) (local.get $there))
        (i64.store (i32.const 0xb008) (i64.const 9))
        (call $same (call $ask (local.get $child) @"apply") (i32.const 10) (i32.const 6))
        (call $same
            (call $declare (local.get $child) (call $find (local.get $child) @"apply") @"*(i:i)i:i")
            (i32.const 0) (i32.const 7))
        (i64.store (i32.const 0xb000) (i64.const 2))
        (i64.store (i32.const 0xb008) (i64.const 9))
        (call $same (call $ask (local.get $child) @"apply") (i32.const 8) (i32.const 8))

        ;; What comes back is what was passed.
        (local.set $same (call $symbol (local.get $child) @"same" @"*(i:i):*(i:i)"))
        (call $same (call_indirect (type $f) (i32.const 1) (local.get $same)) (i32.const 1) (i32.const 9))
        (call $same (call_indirect (type $f) (i32.const 2) (local.get $same)) (i32.const 2) (i32.const 10))
        (call $same (call_indirect (type $f) (i32.const 0) (local.get $same)) (i32.const 0) (i32.const 11))

        ;; The child's own, too, in both directions.
        (local.set $own (call $symbol (local.get $child) @"own" @":*(i:i)"))
        (local.set $double (call_indirect (type $number) (local.get $own)))
        (call $same (call_indirect (type $f) (i32.const 21) (local.get $double)) (i32.const 42) (i32.const 12))
        (call $same (call $take (local.get $child) (i32.const 1) @"i:i") (local.get $double) (i32.const 13))
        (call $same (call_indirect (type $f) (local.get $double) (local.get $same)) (local.get $double) (i32.const 14))
        (call $same
            (call_indirect (type $apply) (local.get $double) (i32.const 4) (local.get $apply))
            (i32.const 8) (i32.const 15))
        (call $same (call $pass (local.get $child) (local.get $double) @"i:i") (i32.const 1) (i32.const 16))
        (call $same (call $take (local.get $child) (local.get $there) @"i:i") (i32.const 1) (i32.const 17))

        (local.set $size (table.size $t))
        (loop $more
            (call $same (call $pass (local.get $child) (i32.const 1) @"i:i") (local.get $there) (i32.const 20))
            (call $same (call_indirect (type $number) (local.get $own)) (local.get $double) (i32.const 21))
            (call $same (call $symbol (local.get $child) @"same" @"*(i:i):*(i:i)") (local.get $same) (i32.const 22))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 100000))))
        (call $same (table.size $t) (local.get $size) (i32.const 23))
        (call $same (call $ask (local.get $child) @"size") (i32.const 4) (i32.const 24))))
