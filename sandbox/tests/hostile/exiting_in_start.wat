;; Children exit in their start function or _initialize, with codes of all sizes; without the right to they trap.
;;; child start
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
    (func $start (call $exit (i32.const 3))) (start $start))
;;; child initialize
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
    (func (export "_initialize") (call $exit (i32.const -1))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $child @"start.wasm" @"exit") (i32.const 0) (i32.const 1))
        (call $same (call $exit_code (i32.const 0)) (i32.const -28) (i32.const 2))
        (call $same (call $start (i32.const 0)) (i32.const -1001) (i32.const 3))
        (call $same (call $exit_code (i32.const 0)) (i32.const 3) (i32.const 4))
        (call $same (call $start (i32.const 0)) (i32.const -28) (i32.const 5))
        (call $same (call $run_child @"initialize.wasm" @"exit") (i32.const -1001) (i32.const 6))
        (call $same (call $exit_code (i32.const 1)) (i32.const 255) (i32.const 7))
        (call $same (call $find (i32.const 1) @"_initialize") (i32.const -28) (i32.const 8))
        (call $same (call $run_child @"start.wasm" @"inherit,-exit") (i32.const -1000) (i32.const 9))
        (call $same (call $exit_code (i32.const 2)) (i32.const -28) (i32.const 10))))
