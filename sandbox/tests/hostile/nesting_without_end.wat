;; Each child makes a child of its own: sixteen have parents above them, and no more.
;;; child nest
(module @kit
    (func (export "nest") (result i32) (local $child i32)
        (local.set $child (call $run_child @"nest.wasm" @"inherit"))
        (if (i32.lt_s (local.get $child) (i32.const 0)) (then
            (call $same (local.get $child) (i32.const -34) (i32.const 1))
            (return (i32.const 0))))
        (i32.add (i32.const 1) (call $ask (local.get $child) @"nest"))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"nest.wasm" @"inherit") (i32.const 0) (i32.const 2))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const 15) (i32.const 3))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const 15) (i32.const 4))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 5))))
