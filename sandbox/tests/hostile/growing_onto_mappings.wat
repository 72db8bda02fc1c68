;; Grows its memory up to a mapping, onto it, and after it is gone.
;;; main
(module @kit
    (func (export "run")
        (call $map_new (i64.const 0x1000) (i64.const 0x50000) (i32.const 1))
        (i32.store (i32.const 0x50000) (i32.const 7))
        (call $same (memory.grow (i32.const 2)) (i32.const -1) (i32.const 1))
        (call $same (memory.grow (i32.const 1)) (i32.const 4) (i32.const 2))
        (call $same (memory.grow (i32.const 1)) (i32.const -1) (i32.const 3))
        (call $same64 (call $memory_used) (i64.const 0x51000) (i32.const 4))
        (call $same (i32.load (i32.const 0x50000)) (i32.const 7) (i32.const 5))
        (call $same (call $unmap (i64.const 0x50000) (i64.const 0x1000)) (i32.const 0) (i32.const 6))
        (call $same (memory.grow (i32.const 2)) (i32.const 5) (i32.const 7))
        (call $same (i32.load (i32.const 0x50000)) (i32.const 0) (i32.const 8))
        (call $same64 (call $memory_used) (i64.const 0x70000) (i32.const 9))))
