;; Protects and unmaps ranges with holes, and its own memory: nothing changes.
;;; main
(module @kit
    (func (export "run")
        (call $map_new (i64.const 0x1000) (i64.const 0x10000000) (i32.const 1))
        (call $map_new (i64.const 0x1000) (i64.const 0x10002000) (i32.const 1))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 0x3000) (i32.const 0)) (i32.const -28) (i32.const 1))
        (call $same (call $unmap (i64.const 0x10000000) (i64.const 0x3000)) (i32.const -28) (i32.const 2))
        (call $same (call $protect (i64.const 0) (i64.const 0x1000) (i32.const 0)) (i32.const -28) (i32.const 3))
        (call $same (call $unmap (i64.const 0) (i64.const 0x1000)) (i32.const -28) (i32.const 4))
        (call $same (call $unmap (i64.const 0x10001000) (i64.const 0x1000)) (i32.const -28) (i32.const 5))
        (i32.store (i32.const 0x10000000) (i32.const 1))
        (i32.store (i32.const 0x10002000) (i32.const 1))
        (i32.store (i32.const 0) (i32.const 1))))
