;; A child maps a shared region first, where it likes; its parent, which maps it anywhere, keeps what it has there.
;;; child child
(module @kit
    (func (export "map") (param $at i32)
        (drop (call $map (call $open @"r") (i64.const 0) (i64.const 0x2000) (i64.extend_i32_u (local.get $at)) (i32.const 1)))))
;;; main
(module @kit
    (func (export "run") (local $at i64)
        (call $same (call $run_child @"child.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $region (i64.const 0x2000)) (i32.const 0) (i32.const 2))
        (call $same (call $share (i32.const 0) (i32.const 0) @"r" (i32.const 1)) (i32.const 0) (i32.const 3))
        (i32.store (i32.const 0x20000) (i32.const 7))
        (call $same (call $ask_with (i32.const 0) @"map" (i32.const 0x20000)) (i32.const 0x20000) (i32.const 4))
        (local.set $at (call $map (i32.const 0) (i64.const 0) (i64.const 0x2000) (i64.const -1) (i32.const 1)))
        (call $same (i64.ge_u (local.get $at) (i64.const 0x40000)) (i32.const 1) (i32.const 5))
        (call $same (i32.load (i32.const 0x20000)) (i32.const 7) (i32.const 6))
        ;; An offset that would be below zero there, or above 2^32.
        (call $same (call $region (i64.const 0x3000)) (i32.const 1) (i32.const 7))
        (call $same64 (call $map (i32.const 1) (i64.const 0x1000) (i64.const 0x1000) (i64.const 0xfffff000) (i32.const 1))
            (i64.const 0xfffff000) (i32.const 8))
        (call $same64 (call $map (i32.const 1) (i64.const 0x2000) (i64.const 0x1000) (i64.const -1) (i32.const 1))
            (i64.sub (local.get $at) (i64.const 0x1000)) (i32.const 9))))
