;; Nests more calls than it may by taking turns with children.
;;; config depth=50
;;; child deep
(module
    (import "parent" "next" (func $next (param i32)))
    (func $down (param $left i32) (param $child i32)
        (if (local.get $left)
            (then (call $down (i32.sub (local.get $left) (i32.const 1)) (local.get $child)))
            (else (call $next (i32.add (local.get $child) (i32.const 1))))))
    (func (export "down") (param $child i32) (call $down (i32.const 30) (local.get $child))))
;;; main
(module @kit
    (global $reached (mut i32) (i32.const 0))
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $next)
    (elem declare func $descend)
    (func $descend (call $next (i32.const 0)))
    (func $next (param $child i32)
        (global.set $reached (local.get $child))
        (if (i32.lt_u (local.get $child) (i32.const 6)) (then
            (i64.store (i32.const 0x3000) (i64.extend_i32_u (local.get $child)))
            (drop (call $call (local.get $child) (call $find (local.get $child) @"down")
                (i32.const 0x3000) (i32.const 0x3000))))))
    (func (export "run") (local $i i32)
        (loop $more
            (call $same (call $child @"deep.wasm" @"inherit") (local.get $i) (i32.const 2))
            (drop (call $offer (local.get $i) @"parent" @"next" (i32.const 0) (i32.const 0)))
            (call $same (call $start (local.get $i)) (i32.const 0) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 6))))
        ;; The first child fits; in the second the depth is used up, which its caller is told.
        (call $same (call $attempt (ref.func $descend)) (i32.const 0) (i32.const 4))
        (call $same (global.get $reached) (i32.const 1) (i32.const 5))
        ;; And so it is again: nothing is left of the calls that have ended.
        (call $same (call $attempt (ref.func $descend)) (i32.const 0) (i32.const 6))
        (call $same (global.get $reached) (i32.const 1) (i32.const 7))))
