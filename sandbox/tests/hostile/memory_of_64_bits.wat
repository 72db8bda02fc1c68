;; A program whose memory has 64-bit addresses: functions that take 32 bits reach the first 4 GiB, regions go anywhere.
;;; main
(module
    @imports
    (memory (export "memory") i64 1)
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func $refused (param i64 i32) (call $same (i64.lt_s (local.get 0) (i64.const 0)) (i32.const 1) (local.get 1)))
    (func (export "run") (local $region i32) (local $at i64)
        (call $same (call $random_get (i32.const 65528) (i32.const 8)) (i32.const 0) (i32.const 1))
        (call $same (call $random_get (i32.const 65529) (i32.const 8)) (i32.const 21) (i32.const 2))
        (call $same (call $random_get (i32.const -1) (i32.const 1)) (i32.const 21) (i32.const 3))
        (local.set $region (call $region (i64.const 0x20000)))
        (call $same (local.get $region) (i32.const 0) (i32.const 4))
        ;; Beyond what 32 bits reach.
        (local.set $at (call $map (local.get $region) (i64.const 0) (i64.const 0x10000) (i64.const 0x180000000) (i32.const 1)))
        (call $same64 (local.get $at) (i64.const 0x180000000) (i32.const 5))
        (i64.store offset=0x8000 (local.get $at) (i64.const 0x0123456789abcdef))
        (call $same64 (i64.load (i64.const 0x180008000)) (i64.const 0x0123456789abcdef) (i32.const 6))
        ;; Where the system wants it: the same pages.
        (local.set $at (call $map (local.get $region) (i64.const 0) (i64.const 0x20000) (i64.const -1) (i32.const 0)))
        (call $same (i64.gt_s (local.get $at) (i64.const 0)) (i32.const 1) (i32.const 7))
        (call $same64 (i64.load offset=0x8000 (local.get $at)) (i64.const 0x0123456789abcdef) (i32.const 8))
        ;; Where no memory is.
        (call $refused (call $map (local.get $region) (i64.const 0) (i64.const 0x10000) (i64.const 0x10000000000) (i32.const 1)) (i32.const 9))
        (call $refused
            (call $map (local.get $region) (i64.const 0) (i64.const 0x10000) (i64.const 0x7fffffffffff0000) (i32.const 1)) (i32.const 10))
        (call $refused (i64.extend_i32_s (call $unmap (i64.const 0x7fffffffffff0000) (i64.const 0x10000))) (i32.const 11))
        (call $same (call $unmap (i64.const 0x180000000) (i64.const 0x10000)) (i32.const 0) (i32.const 12))
        (call $refused (i64.extend_i32_s (call $unmap (i64.const 0x180000000) (i64.const 0x10000))) (i32.const 13))
        ;; Growth beyond 4 GiB ends at the region, and what is above 4 GiB is there.
        (call $same64 (memory.grow (i64.const 0x20000)) (i64.const -1) (i32.const 14))
        (call $same (call $unmap (local.get $at) (i64.const 0x20000)) (i32.const 0) (i32.const 15))
        (call $same64 (memory.grow (i64.const 0x20000)) (i64.const 1) (i32.const 16))
        (i32.store8 (i64.const 0x20000ffff) (i32.const 9))
        (call $same (i32.load8_u (i64.const 0x20000ffff)) (i32.const 9) (i32.const 17))
        (call $same (call $random_get (i32.const -8) (i32.const 8)) (i32.const 0) (i32.const 18))))
