;; Maps a region more often than a memory can have mappings, and cuts one into pieces by unmapping and protecting.
;;; main
(module @kit
    (func (export "run") (local $region i32) (local $at i64) (local $result i64) (local $n i32)
        (local.set $region (call $region (i64.const 0x4000000)))
        (local.set $at (i64.const 0x20000000))
        (loop $more
            (local.set $result (call $map
                (local.get $region) (i64.const 0) (i64.const 4096) (local.get $at) (i32.const 1)))
            (local.set $at (i64.add (local.get $at) (i64.const 0x2000)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.and
                (i64.ge_s (local.get $result) (i64.const 0)) (i32.lt_u (local.get $n) (i32.const 5000)))))
        (call $same64 (local.get $result) (i64.const -48) (i32.const 1))
        (call $same (local.get $n) (i32.const 4097) (i32.const 2))
        (local.set $at (i64.const 0x20000000))
        (loop $more
            (call $same (call $unmap (local.get $at) (i64.const 0x1000)) (i32.const 0) (i32.const 3))
            (local.set $at (i64.add (local.get $at) (i64.const 0x2000)))
            (br_if $more (i64.lt_u (local.get $at) (i64.const 0x22000000))))
        ;; One mapping of 16,384 pages, every other of which gets other rights: 4,096 pieces at most.
        (drop (call $map (local.get $region) (i64.const 0) (i64.const 0x4000000) (i64.const 0x20000000) (i32.const 1)))
        (local.set $at (i64.const 0x20001000))
        (local.set $n (i32.const 0))
        (loop $more
            (local.set $result (i64.extend_i32_s
                (call $protect (local.get $at) (i64.const 0x1000) (i32.const 0))))
            (local.set $at (i64.add (local.get $at) (i64.const 0x2000)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.and
                (i64.eqz (local.get $result)) (i32.lt_u (local.get $n) (i32.const 8000)))))
        (call $same64 (local.get $result) (i64.const -48) (i32.const 4))
        (call $same (local.get $n) (i32.const 2048) (i32.const 5))
        ;; It is as it was, and can be unmapped.
        (i32.store (i32.sub (i32.wrap_i64 (local.get $at)) (i32.const 0x2000)) (i32.const 5))
        (call $same (call $unmap (i64.const 0x20000000) (i64.const 0x4000000)) (i32.const 0) (i32.const 6))
        (drop (call $map (local.get $region) (i64.const 0) (i64.const 0x4000000) (i64.const 0x20000000) (i32.const 1)))
        (local.set $at (i64.const 0x20001000))
        (local.set $n (i32.const 0))
        (loop $more
            (local.set $result (i64.extend_i32_s (call $unmap (local.get $at) (i64.const 0x1000))))
            (local.set $at (i64.add (local.get $at) (i64.const 0x2000)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.and
                (i64.eqz (local.get $result)) (i32.lt_u (local.get $n) (i32.const 8000)))))
        (call $same64 (local.get $result) (i64.const -48) (i32.const 7))
        (call $same (local.get $n) (i32.const 4096) (i32.const 8))
        (i32.store (i32.sub (i32.wrap_i64 (local.get $at)) (i32.const 0x2000)) (i32.const 5))))
