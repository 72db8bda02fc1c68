;; Maps zeros over its own data and what it keeps there, as a program's stack, and goes on.
;;; main
(module @kit
    (data (i32.const 0x1000) "data")
    (func (export "run")
        (call $same (i32.load8_u (i32.const 0x1000)) (i32.const 0x64) (i32.const 1))
        (call $map_new (i64.const 0x40000) (i64.const 0) (i32.const 1))
        (call $same (i32.load (i32.const 0x1000)) (i32.const 0) (i32.const 2))
        (i32.store (i32.const 0x1000) (i32.const 5))
        (call $same (call $random_get (i32.const 0x2000) (i32.const 16)) (i32.const 0) (i32.const 3))
        (call $same (memory.grow (i32.const 1)) (i32.const 4) (i32.const 4))
        (i32.store (i32.const 0x40000) (i32.const 6))
        (call $same (call $unmap (i64.const 0) (i64.const 0x40000)) (i32.const 0) (i32.const 5))
        (call $same (i32.load (i32.const 0x1000)) (i32.const 0) (i32.const 6))
        (call $same (i32.load (i32.const 0x40000)) (i32.const 6) (i32.const 7))))
