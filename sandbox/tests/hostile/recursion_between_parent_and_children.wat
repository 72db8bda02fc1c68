;; A parent's function makes another child, which calls it again, and so on until something is used up.
;;; child caller
(module (import "parent" "next" (func $next (result i32))) (memory (export "memory") 1)
    (func (export "go") (result i32) (i32.add (i32.const 1) (call $next))))
;;; main
(module @kit
    (global $reached (mut i32) (i32.const 0))
    (global $end (mut i32) (i32.const 0))
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $next)
    (func $next (result i32) (local $child i32) (local $result i32)
        (local.set $child (call $create (i32.const 0) @"inherit"))
        (call $same (i32.lt_s (local.get $child) (i32.const 0)) (i32.const 0) (i32.const 1))
        (call $same (call $offer (local.get $child) @"parent" @"next" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 2))
        (global.set $reached (i32.add (global.get $reached) (i32.const 1)))
        (local.set $result (call $start (local.get $child)))
        (if (i32.eqz (local.get $result))
            (then (local.set $result (call $ask (local.get $child) @"go"))))
        (call $same (call $drop (local.get $child)) (i32.const 0) (i32.const 3))
        (if (i32.lt_s (local.get $result) (i32.const 0)) (then
            ;; The host's stack is used up: that is where the children end.
            (global.set $end (local.get $result))
            (local.set $result (i32.const 0))))
        (local.get $result))
    (elem declare func $go)
    (func $go (drop (call $next)))
    (func (export "run") (local $result i32)
        (call $same (call $load_path @"caller.wasm") (i32.const 0) (i32.const 4))
        ;; The stack ends in a child, which is told, or in a function of the parent's, which ends the parent.
        (local.set $result (call $attempt (ref.func $go)))
        (if (local.get $result)
            (then (call $same (local.get $result) (i32.const -3003) (i32.const 5)))
            (else (call $same (global.get $end) (i32.const -1000) (i32.const 6))))
        (call $same (i32.gt_s (global.get $reached) (i32.const 9)) (i32.const 1) (i32.const 7))))
