;; Uses a child that is not started: finds, calls, reads, writes.
;;; child child
(module (memory (export "memory") 1) (func (export "f")))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $find (i32.const 0) @"f") (i32.const -28) (i32.const 2))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -28) (i32.const 3))
        (call $same (call $signature (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -28) (i32.const 4))
        (call $same (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -28) (i32.const 5))
        (call $same (call $write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -28) (i32.const 6))
        (call $same (call $exit_code (i32.const 0)) (i32.const -28) (i32.const 7))))
