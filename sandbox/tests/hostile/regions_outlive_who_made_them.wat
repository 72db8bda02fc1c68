;; A region is shared down to a grandchild, closed and unmapped above, and its child dropped: it is there as long as it is mapped.
;;; child leaf
(module @kit
    (func (export "open")
        (call $same64 (call $map (call $open @"r") (i64.const 0) (i64.const 4096) (i64.const 0x10000000) (i32.const 1))
            (i64.const 0x10000000) (i32.const 1)))
    (func (export "load") (result i32) (i32.load (i32.const 0x10000000)))
    (func (export "store") (i32.store (i32.const 0x10000000) (i32.const 6))))
;;; child middle
(module @kit
    (func (export "open") (local $region i32)
        (local.set $region (call $open @"r"))
        (call $same (call $run_child @"leaf.wasm" @"inherit") (i32.const 0) (i32.const 2))
        (call $same (call $share (i32.const 0) (local.get $region) @"r" (i32.const 1)) (i32.const 0) (i32.const 3))
        (call $same (call $call (i32.const 0) (call $find (i32.const 0) @"open") (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 4))
        (call $same (call $close (local.get $region)) (i32.const 0) (i32.const 5)))
    (func (export "load") (result i32) (call $ask (i32.const 0) @"load"))
    (func (export "store") (drop (call $ask (i32.const 0) @"store"))))
;;; main
(module @kit
    (func (export "run") (local $region i32) (local $before i64)
        (local.set $before (call $memory_used))
        (local.set $region (call $region (i64.const 4096)))
        (call $same (call $run_child @"middle.wasm" @"inherit") (i32.const 0) (i32.const 10))
        (call $same (call $share (i32.const 0) (local.get $region) @"r" (i32.const 1)) (i32.const 0) (i32.const 11))
        (drop (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const 0x20000000) (i32.const 1)))
        (i32.store (i32.const 0x20000000) (i32.const 5))
        (drop (call $ask (i32.const 0) @"open"))
        (call $same (call $close (local.get $region)) (i32.const 0) (i32.const 12))
        (call $same (call $unmap (i64.const 0x20000000) (i64.const 4096)) (i32.const 0) (i32.const 13))
        (call $same (call $ask (i32.const 0) @"load") (i32.const 5) (i32.const 14))
        (drop (call $ask (i32.const 0) @"store"))
        (call $same (call $ask (i32.const 0) @"load") (i32.const 6) (i32.const 15))
        ;; Nobody but the grandchild has it, and it counts still.
        (call $same64 (i64.sub (call $memory_used) (local.get $before)) (i64.const 0x81000) (i32.const 16))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 17))
        (call $same64 (call $memory_used) (local.get $before) (i32.const 18))))
