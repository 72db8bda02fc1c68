;; A child that may only read a region maps it for writing, protects it for writing, shares it for writing, and opens it anew.
;;; child leaf
(module @kit
    (func (export "open") (local $region i32)
        (local.set $region (call $open @"r"))
        (call $same (call $access (local.get $region)) (i32.const 0) (i32.const 1))
        (call $same64 (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 1))
            (i64.const -2) (i32.const 2))))
;;; child reader
(module @kit
    (elem declare func $store)
    (func $store (i32.store (i32.const 0x10000000) (i32.const 1)))
    (func (export "open") (local $region i32) (local $leaf i32)
        (local.set $region (call $open @"r"))
        (call $same (call $access (local.get $region)) (i32.const 0) (i32.const 3))
        (call $same64 (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 1))
            (i64.const -2) (i32.const 4))
        (call $same64 (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 0))
            (i64.const 0x10000000) (i32.const 5))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 4096) (i32.const 1)) (i32.const -2) (i32.const 6))
        (call $same (call $attempt (ref.func $store)) (i32.const -3002) (i32.const 7))
        (call $same (call $random_get (i32.const 0x10000000) (i32.const 4)) (i32.const 21) (i32.const 8))
        (local.set $leaf (call $run_child @"leaf.wasm" @"inherit"))
        (call $same (call $share (local.get $leaf) (local.get $region) @"r" (i32.const 1)) (i32.const -2) (i32.const 9))
        (call $same (call $share (local.get $leaf) (local.get $region) @"r" (i32.const 0)) (i32.const 0) (i32.const 10))
        (drop (call $ask (local.get $leaf) @"open"))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 11))
        (call $same (call $run_child @"reader.wasm" @"inherit") (i32.const 0) (i32.const 12))
        (call $same (call $share (i32.const 0) (i32.const 0) @"r" (i32.const 0)) (i32.const 0) (i32.const 13))
        (drop (call $ask (i32.const 0) @"open"))
        (drop (call $map (i32.const 0) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 0)))
        (call $same (i32.load (i32.const 0x10000000)) (i32.const 0) (i32.const 14))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 4096) (i32.const 1)) (i32.const 0) (i32.const 15))))
