;; A child without `map-regions` or `create-regions` makes, maps, protects; it may unmap what is there.
;;; child child
(module @kit
    (func (export "try")
        (call $same (call $region (i64.const 4096)) (i32.const -76) (i32.const 1))
        (call $same64 (call $map (call $open @"r") (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 0))
            (i64.const -76) (i32.const 2))
        (call $same (call $protect (i64.const 0) (i64.const 4096) (i32.const 0)) (i32.const -76) (i32.const 3))
        (call $same (call $unmap (i64.const 0) (i64.const 4096)) (i32.const -28) (i32.const 4))
        (call $same64 (call $size (i32.const 0)) (i64.const 4096) (i32.const 5))))
;;; main
(module @kit
    (func (export "run") (local $child i32)
        (local.set $child (call $run_child @"child.wasm" @"inherit,-map-regions,-create-regions"))
        (call $same (call $share (local.get $child) (call $region (i64.const 4096)) @"r" (i32.const 1)) (i32.const 0) (i32.const 6))
        (drop (call $ask (local.get $child) @"try"))))
