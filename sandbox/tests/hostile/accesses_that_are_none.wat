;; Maps and protects with numbers that are no accesses.
;;; main
(module @kit
    (func (export "run")
        (call $map_new (i64.const 4096) (i64.const 0x10000000) (i32.const 1))
        (call $same (call $region (i64.const 4096)) (i32.const 0x10000) (i32.const 0))
        (call $same64 (call $map (i32.const 0x10000) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 2))
            (i64.const -28) (i32.const 1))
        (call $same64 (call $map (i32.const 0x10000) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const -1))
            (i64.const -28) (i32.const 2))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 4096) (i32.const 7)) (i32.const -28) (i32.const 3))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 4096) (i32.const -2)) (i32.const -28) (i32.const 4))
        (i32.store (i32.const 0x10000000) (i32.const 1))))
