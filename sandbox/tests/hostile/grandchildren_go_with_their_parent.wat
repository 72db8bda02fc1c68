;; A grandchild with regions and children of its own is there when its parent is dropped.
;;; child leaf
(module @kit
    (func (export "_initialize")
        (call $map_new (i64.const 0x10000) (i64.const 0x10000000) (i32.const 1))
        (i32.store (i32.const 0x10000000) (i32.const 1))))
;;; child middle
(module @kit
    (func (export "_initialize")
        (call $same (call $run_child @"leaf.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $run_child @"leaf.wasm" @"inherit") (i32.const 1) (i32.const 2))
        (call $map_new (i64.const 0x10000) (i64.const 0x10000000) (i32.const 1))))
;;; main
(module @kit
    (func (export "run") (local $before i64) (local $i i32)
        (local.set $before (call $memory_used))
        (loop $more
            (drop (call $run_child @"middle.wasm" @"inherit"))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 10))))
        (call $same64 (i64.sub (call $memory_used) (local.get $before)) (i64.const 0x960000) (i32.const 3))
        (loop $more
            (local.set $i (i32.sub (local.get $i) (i32.const 1)))
            (call $same (call $drop (local.get $i)) (i32.const 0) (i32.const 4))
            (br_if $more (local.get $i)))
        (call $same64 (call $memory_used) (local.get $before) (i32.const 5))))
