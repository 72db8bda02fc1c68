;; Has children, and their children, and regions that are closed but mapped, have more memory than its quota.
;;; permissions inherit,memory=1MiB
;;; config spent
;;; child hoarder
(module @kit
    (func (export "map") (result i32) (local $region i32)
        (local.set $region (call $region (i64.const 0x10000)))
        (if (i32.ge_s (local.get $region) (i32.const 0)) (then
            (drop (call $map (local.get $region) (i64.const 0) (i64.const 0x10000) (i64.const -1) (i32.const 1)))
            (drop (call $close (local.get $region)))))
        (local.get $region))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "hoard") (result i32) (local $n i32)
        (loop $more
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.ge_s (call $run_child @"hoarder.wasm" @"inherit") (i32.const 0))))
        (local.get $n)))
;;; main
(module @kit
    (func (export "run") (local $i i32)
        (call $same (call $run_child @"hoarder.wasm" @"inherit,memory=1GiB") (i32.const 0) (i32.const 1))
        (call $same (call $run_child @"hoarder.wasm" @"inherit") (i32.const 1) (i32.const 2))
        ;; 4 pages each, and 4 of 16 are left.
        (call $same (i32.lt_s (call $ask (i32.const 0) @"map") (i32.const 0)) (i32.const 0) (i32.const 3))
        (call $same (i32.lt_s (call $ask (i32.const 0) @"map") (i32.const 0)) (i32.const 0) (i32.const 4))
        (call $same (i32.lt_s (call $ask (i32.const 1) @"map") (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $same (call $ask (i32.const 1) @"grow") (i32.const 4) (i32.const 6))
        (call $same64 (call $memory_used) (i64.const 0x100000) (i32.const 7))
        (call $same (call $ask (i32.const 0) @"map") (i32.const -48) (i32.const 8))
        (call $same (call $ask (i32.const 1) @"grow") (i32.const -1) (i32.const 9))
        (call $same (call $ask (i32.const 1) @"hoard") (i32.const 1) (i32.const 10))
        (call $same (memory.grow (i32.const 1)) (i32.const -1) (i32.const 11))
        (call $same (call $region (i64.const 4096)) (i32.const -48) (i32.const 12))
        ;; What is given back is there again, once.
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 13))
        (call $same64 (call $memory_used) (i64.const 0xa0000) (i32.const 14))
        (call $same (call $ask (i32.const 1) @"hoard") (i32.const 2) (i32.const 15))
        (call $same64 (call $memory_used) (i64.const 0xe0000) (i32.const 16))
        (call $same (memory.grow (i32.const 2)) (i32.const 4) (i32.const 17))))
