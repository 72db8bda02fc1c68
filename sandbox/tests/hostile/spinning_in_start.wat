;; A child spins in its start function, then one in _initialize, each with the fuel it was given.
;;; config fuel=1000000
;;; child start
(module (func $spin (loop (br 0))) (start $spin))
;;; child initialize
(module (func (export "_initialize") (loop (br 0))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"start.wasm" @"fuel=1000") (i32.const -1000) (i32.const 1))
        (call $same (call $run_child @"initialize.wasm" @"fuel=1000") (i32.const -1000) (i32.const 2))))
