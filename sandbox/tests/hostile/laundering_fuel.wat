;; Uses more fuel than it has by taking turns: children that call their parent, which runs other children.
;;; config fuel=200000 spent
;;; child burner
(module
    (import "parent" "next" (func $next (param i32)))
    ;; Uses most of what there is, and then has the parent go on elsewhere.
    (func (export "burn") (param $child i32) (local $i i32)
        (local.set $i (i32.const 30000))
        (loop $more (br_if $more (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (call $next (i32.add (local.get $child) (i32.const 1)))))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $next)
    (func $next (param $child i32)
        (call $same (i32.lt_u (local.get $child) (i32.const 3)) (i32.const 1) (i32.const 1))
        (i64.store (i32.const 0x3000) (i64.extend_i32_u (local.get $child)))
        (drop (call $call (local.get $child) (call $find (local.get $child) @"burn") (i32.const 0x3000) (i32.const 0x3000))))
    (func (export "run") (local $i i32)
        (loop $more
            (call $same (call $child @"burner.wasm" @"inherit") (local.get $i) (i32.const 2))
            (drop (call $offer (local.get $i) @"parent" @"next" (i32.const 0) (i32.const 0)))
            (call $same (call $start (local.get $i)) (i32.const 0) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 8))))
        (call $next (i32.const 0))))
