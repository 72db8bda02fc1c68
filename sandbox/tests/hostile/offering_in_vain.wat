;; Offers gates to children that are not there, are started, or have the name already, many times over.
;;; child child
(module (import "parent" "f" (func)) (memory (export "memory") 1))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $nothing)
    (func $nothing)
    (func $offer_it (param $child i32) (param $expected i32) (param $step i32)
        (call $same (call $offer (local.get $child) @"parent" @"f" (i32.const 0) (i32.const 1)) (local.get $expected) (local.get $step)))
    (func (export "run") (local $i i32) (local $last i32)
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $child @"child.wasm" @"") (i32.const 1) (i32.const 2))
        (call $offer_it (i32.const 0) (i32.const 0) (i32.const 3))
        (call $offer_it (i32.const 1) (i32.const 0) (i32.const 3))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 4))
        (loop $more
            (call $offer_it (i32.const 0) (i32.const -28) (i32.const 5))
            (call $offer_it (i32.const 1) (i32.const -47) (i32.const 6))
            (call $offer_it (i32.const 2) (i32.const -8) (i32.const 7))
            (call $offer_it (i32.const -1) (i32.const -8) (i32.const 8))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 2000))))
        (call $same (call $start (i32.const 1)) (i32.const 0) (i32.const 9))))
