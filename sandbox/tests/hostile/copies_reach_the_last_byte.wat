;; Copies to and from the last byte below 2^32, and one byte further.
;;; child plain
(module (memory (export "memory") 1) (data (i32.const 7) "x"))
;;; main
(module @kit
    (func (export "run") (local $child i32)
        (local.set $child (call $run_child @"plain.wasm" @""))
        (call $map_new (i64.const 4096) (i64.const 0xfffff000) (i32.const 1))
        (call $same (call $read (local.get $child) (i32.const 7) (i32.const -1) (i32.const 1)) (i32.const 0) (i32.const 1))
        (call $same (i32.load8_u (i32.const -1)) (i32.const 0x78) (i32.const 2))
        (call $same (call $write (local.get $child) (i32.const 0) (i32.const -1) (i32.const 1)) (i32.const 0) (i32.const 3))
        (call $same (call $read (local.get $child) (i32.const 7) (i32.const -1) (i32.const 2)) (i32.const -21) (i32.const 4))
        (call $same (call $write (local.get $child) (i32.const -1) (i32.const 0) (i32.const 1)) (i32.const -21) (i32.const 5))
        (call $same (call $write (local.get $child) (i32.const 0) (i32.const 0) (i32.const -1)) (i32.const -21) (i32.const 6))
        (call $same (call $read (local.get $child) (i32.const -1) (i32.const -1) (i32.const -1)) (i32.const -21) (i32.const 7))
        (call $same (call $random_get (i32.const -1) (i32.const 1)) (i32.const 0) (i32.const 8))
        (call $same (call $random_get (i32.const -1) (i32.const 2)) (i32.const 21) (i32.const 9))))
