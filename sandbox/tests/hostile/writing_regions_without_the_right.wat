;; A child without `write-regions` maps, protects and shares regions it may write.
;;; child leaf
(module @kit
    (func (export "map") (result i32)
        (i32.wrap_i64 (call $map (call $open @"r") (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1)))))
;;; child reader
(module @kit
    (func (export "try")
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 1))
        (call $same64 (call $map (i32.const 0) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 1))
            (i64.const -76) (i32.const 2))
        (call $same64 (call $map (i32.const 0) (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 0))
            (i64.const 0x10000000) (i32.const 3))
        (call $same (call $protect (i64.const 0x10000000) (i64.const 4096) (i32.const 1)) (i32.const -76) (i32.const 4))
        (call $same (call $run_child @"leaf.wasm" @"inherit write-regions clock,none") (i32.const -28) (i32.const 5))
        (call $same (call $run_child @"leaf.wasm" @"map-regions,write-regions") (i32.const 0) (i32.const 6))
        (call $same (call $share (i32.const 0) (i32.const 0) @"r" (i32.const 1)) (i32.const 0) (i32.const 7))
        (call $same (call $ask (i32.const 0) @"map") (i32.const -76) (i32.const 8))
        (call $same (call $unmap (i64.const 0x10000000) (i64.const 4096)) (i32.const 0) (i32.const 9))))
;;; main
(module @kit
    (func (export "run") (local $child i32)
        (local.set $child (call $run_child @"reader.wasm" @"inherit,-write-regions"))
        (drop (call $ask (local.get $child) @"try"))))
