;; A child calls itself without end, and goes on afterwards.
;;; child deep
(module
    (func $down (export "down") (param i64 i64 i64 i64) (call $down (local.get 3) (local.get 2) (local.get 1) (local.get 0)))
    (func (export "fine") (result i32) (i32.const 1)))
;;; main
(module @kit
    (func (export "run") (local $i i32)
        (call $same (call $run_child @"deep.wasm" @"") (i32.const 0) (i32.const 1))
        (loop $more
            (call $same (call $ask (i32.const 0) @"down") (i32.const -1000) (i32.const 2))
            (call $same (call $ask (i32.const 0) @"fine") (i32.const 1) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 5))))))
