;; A grandchild exits: its parent is told, and neither that nor the program ends.
;;; child leaf
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
    (func (export "go") (call $exit (i32.const 5))))
;;; child middle
(module @kit
    (func (export "go") (result i32)
        (call $same (call $run_child @"leaf.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $ask (i32.const 0) @"go") (i32.const -1001) (i32.const 2))
        (call $exit_code (i32.const 0))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"middle.wasm" @"inherit") (i32.const 0) (i32.const 3))
        (call $same (call $ask (i32.const 0) @"go") (i32.const 5) (i32.const 4))
        (call $same (call $exit_code (i32.const 0)) (i32.const -28) (i32.const 5))))
