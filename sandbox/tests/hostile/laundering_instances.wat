;; Has children and grandchildren that together are more instances than its quota.
;;; permissions inherit,instances=4
;;; config spent
;;; child nest
(module @kit
    (func (export "nest") (result i32)
        (call $run_child @"nest.wasm" @"inherit,instances=100")))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"nest.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const 0) (i32.const 2))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const 1) (i32.const 3))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const -48) (i32.const 4))
        (call $same (call $run_child @"nest.wasm" @"") (i32.const -48) (i32.const 5))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 6))
        (call $same (call $start (i32.const 1)) (i32.const 0) (i32.const 7))))
