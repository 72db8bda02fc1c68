;; Loads nothing, garbage, a beginning of a module, the text format, a component, and what is outside of memory or too large.
;;; child digits
(module)
;;; main
(module @kit
    (func (export "run")
        (call $same (call $load (i32.const 0) (i32.const 0)) (i32.const -45) (i32.const 1))
        (call $same (call $load (i32.const 0) (i32.const 100)) (i32.const -45) (i32.const 2))
        (call $same (call $load @"(module)") (i32.const -45) (i32.const 3))
        (call $same (call $load @"garbage") (i32.const -45) (i32.const 4))
        (i32.store (i32.const 0x1000) (i32.const 0x6d736100))
        (i32.store (i32.const 0x1004) (i32.const 1))
        (call $same (call $load (i32.const 0x1000) (i32.const 4)) (i32.const -45) (i32.const 5))
        (call $same (call $load (i32.const 0x1000) (i32.const 7)) (i32.const -45) (i32.const 6))
        (call $same (call $load (i32.const 0x1000) (i32.const 8)) (i32.const 0) (i32.const 7))
        ;; A section that says it is 4 GiB long, and a vector of as many types.
        (i64.store (i32.const 0x1008) (i64.const 0x0fffffffff01))
        (call $same (call $load (i32.const 0x1000) (i32.const 20)) (i32.const -45) (i32.const 8))
        (i64.store (i32.const 0x1008) (i64.const 0x0fffffffff0501))
        (call $same (call $load (i32.const 0x1000) (i32.const 15)) (i32.const -45) (i32.const 9))
        (i32.store (i32.const 0x1004) (i32.const 0x1000d))
        (call $same (call $load (i32.const 0x1000) (i32.const 8)) (i32.const -45) (i32.const 10))
        (call $same (call $load (i32.const -1) (i32.const -1)) (i32.const -21) (i32.const 11))
        (call $same (call $load (i32.const 0) (i32.const 0x40001)) (i32.const -21) (i32.const 12))
        (call $same (call $load_path @"/digits") (i32.const -45) (i32.const 13))
        (call $same (call $load_path @"/") (i32.const -31) (i32.const 14))
        (call $same (call $load_path @"") (i32.const -31) (i32.const 15))
        (call $same (call $load_path @"/../../../../etc/passwd") (i32.const -63) (i32.const 16))
        (call $same (call $load_path @"digits.wasm/x") (i32.const -54) (i32.const 17))))
