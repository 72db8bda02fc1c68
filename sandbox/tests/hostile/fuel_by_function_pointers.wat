;; A child with little fuel has its parent call it again and again: it gets no more for that.
;;; config fuel=1000000
;;; child lib
(module
    (import "parent" "visit" (func $visit (param i32) (result i32)))
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $work)
    (func $work (result i32) (local $i i32)
        (loop $more
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 50))))
        (i32.const 0))
    (func (export "little") (result i32) (call $work))
    ;; Goes on until something ends it.
    (func (export "much") (loop $more (drop (call $visit (i32.const 1))) (br $more))))
;;; main
(module @kit
    (type $f (func (result i32)))
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $visit)
    (global $visits (mut i32) (i32.const 0))
    (func $visit (param $f i32) (result i32)
        (global.set $visits (i32.add (global.get $visits) (i32.const 1)))
        (call_indirect (type $f) (local.get $f)))
    (func (export "run") (local $child i32)
        (local.set $child (call $child @"lib.wasm" @"inherit,fuel=5000"))
        (call $same (call $offer_as (local.get $child) @"parent" @"visit" (i32.const 1) (i32.const 0) @"*(?:i):i") (i32.const 0) (i32.const 1))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 2))
        (call $same (call $ask (local.get $child) @"little") (i32.const 0) (i32.const 3))
        (call $same (call $ask (local.get $child) @"much") (i32.const -1000) (i32.const 4))
        ;; 50 rounds take a hundred or more.
        (call $same (i32.lt_u (global.get $visits) (i32.const 60)) (i32.const 1) (i32.const 5))
        (call $same (i32.gt_u (global.get $visits) (i32.const 5)) (i32.const 1) (i32.const 6))
        (call $same (call $ask (local.get $child) @"little") (i32.const -1000) (i32.const 7))))
