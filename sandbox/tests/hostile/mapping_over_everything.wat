;; Fills all of its 4 GiB with mappings of one region, and grows, maps anywhere and unmaps it all.
;;; main
(module @kit
    (func (export "run") (local $region i32) (local $at i64)
        (local.set $region (call $region (i64.const 0x10000000)))
        (loop $more
            (call $same64
                (call $map (local.get $region) (i64.const 0) (i64.const 0x10000000) (local.get $at) (i32.const 1))
                (local.get $at) (i32.const 1))
            (local.set $at (i64.add (local.get $at) (i64.const 0x10000000)))
            (br_if $more (i64.lt_u (local.get $at) (i64.const 0x100000000))))
        (i32.store (i32.const 0x1234) (i32.const 42))
        (call $same (i32.load (i32.const 0xf0001234)) (i32.const 42) (i32.const 2))
        (call $same (memory.grow (i32.const 1)) (i32.const -1) (i32.const 3))
        (call $same64 (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1))
            (i64.const -48) (i32.const 4))
        (call $same64 (call $memory_used) (i64.const 0x10040000) (i32.const 5))
        (call $same (call $unmap (i64.const 0) (i64.const 0x100000000)) (i32.const 0) (i32.const 6))
        (call $same (memory.grow (i32.const 1)) (i32.const 4) (i32.const 7))))
