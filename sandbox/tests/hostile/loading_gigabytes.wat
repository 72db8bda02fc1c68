;; Loads a module of 200 MiB, and half of its address space.
;;; main
(module @imports
    (memory (export "memory") 40000)
    (func (export "run")
        (call $same64 (i64.extend_i32_s (call $load (i32.const 0) (i32.const 200000000))) (i64.const -22) (i32.const 1))
        (call $same64 (i64.extend_i32_s (call $load (i32.const 0) (i32.const 2000000000))) (i64.const -22) (i32.const 2))))
