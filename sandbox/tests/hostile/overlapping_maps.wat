;; Maps regions over others, wholly and by a page.
;;; main
(module @kit
    (func $at (param $region i32) (param $at i64) (param $len i64) (param $expected i64) (param $step i32)
        (call $same64 (call $map (local.get $region) (i64.const 0) (local.get $len) (local.get $at) (i32.const 1))
            (local.get $expected) (local.get $step)))
    (func (export "run") (local $region i32)
        (local.set $region (call $region (i64.const 0x4000)))
        (call $at (local.get $region) (i64.const 0x10000000) (i64.const 0x2000) (i64.const 0x10000000) (i32.const 1))
        (call $at (local.get $region) (i64.const 0x10000000) (i64.const 0x2000) (i64.const -20) (i32.const 2))
        (call $at (local.get $region) (i64.const 0x10001000) (i64.const 0x1000) (i64.const -20) (i32.const 3))
        (call $at (local.get $region) (i64.const 0x0ffff000) (i64.const 0x2000) (i64.const -20) (i32.const 4))
        (call $at (local.get $region) (i64.const 0x0ffff000) (i64.const 0x4000) (i64.const -20) (i32.const 5))
        (call $at (local.get $region) (i64.const 0x10002000) (i64.const 0x1000) (i64.const 0x10002000) (i32.const 6))
        (i32.store (i32.const 0x10000000) (i32.const 5))
        (call $same (i32.load (i32.const 0x10002000)) (i32.const 5) (i32.const 7))
        (call $same (call $unmap (i64.const 0x10000000) (i64.const 0x3000)) (i32.const 0) (i32.const 8))
        (call $same (call $unmap (i64.const 0x10000000) (i64.const 0x3000)) (i32.const -28) (i32.const 9))))
