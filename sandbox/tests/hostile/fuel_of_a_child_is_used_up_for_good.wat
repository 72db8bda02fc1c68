;; A child with little fuel spins, calls, starts again and makes children: it has no more than it was given.
;;; config fuel=1000000
;;; child spinner
(module @kit
    (func (export "spin") (loop (br 0)))
    (func (export "nothing") (result i32) (i32.const 0))
    (func (export "nest") (result i32)
        (call $ask (call $run_child @"spinner.wasm" @"inherit,fuel=1000000") @"spin")))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"spinner.wasm" @"inherit,fuel=1000") (i32.const 0) (i32.const 1))
        (call $same (call $ask (i32.const 0) @"nest") (i32.const -1000) (i32.const 2))
        (call $same (call $ask (i32.const 0) @"nothing") (i32.const -1000) (i32.const 3))
        (call $same (call $run_child @"spinner.wasm" @"inherit,fuel=1000") (i32.const 1) (i32.const 4))
        (call $same (call $ask (i32.const 1) @"spin") (i32.const -1000) (i32.const 5))
        (call $same (call $ask (i32.const 1) @"spin") (i32.const -1000) (i32.const 6))))
