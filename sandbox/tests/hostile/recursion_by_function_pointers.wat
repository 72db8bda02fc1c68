;; A parent and its child call each other by pointers, a hundred times and then without end.
;;; child lib
(module
    (type $f (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (func (export "apply") (param $f i32) (param $n i32) (result i32)
        (i32.add (call_indirect (type $f) (local.get $n) (local.get $f)) (i32.const 1))))
;;; main
(module @kit
    (type $apply (func (param i32 i32) (result i32)))
    (table $t (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $down)
    (elem declare func $hundred $endless)
    (global $apply (mut i32) (i32.const 0))
    (global $reached (mut i32) (i32.const 0))
    (func $down (param $n i32) (result i32)
        (global.set $reached (i32.add (global.get $reached) (i32.const 1)))
        (if (result i32) (local.get $n)
            (then (call_indirect (type $apply)
                (i32.const 1) (i32.sub (local.get $n) (i32.const 1)) (global.get $apply)))
            (else (i32.const 0))))
    (func $hundred (result i32) (call $down (i32.const 100)))
    (func $endless (result i32) (call $down (i32.const -1)))
    (func (export "run") (local $i i32) (local $ended i32)
        (global.set $apply (call $symbol (call $run_child @"lib.wasm" @"") @"apply" @"*(i:i)i:i"))
        (loop $more
            (call $same (call $attempt (ref.func $hundred)) (i32.const 100) (i32.const 1))
            (global.set $reached (i32.const 0))
            ;; The stack ends in the parent, or in the child, whose failure ends the parent.
            (local.set $ended (call $attempt (ref.func $endless)))
            (call $same
                (i32.or (i32.eq (local.get $ended) (i32.const -3003)) (i32.eq (local.get $ended) (i32.const -3007)))
                (i32.const 1) (i32.const 2))
            (call $same (i32.gt_s (global.get $reached) (i32.const 20)) (i32.const 1) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 3))))
        (call $same (table.size $t) (i32.const 3) (i32.const 4))))
