;; Has the host keep names until it keeps no more; they are given back with the child.
;;; child child
(module)
;;; config spent
;;; main
(module @kit
    (func $hoard (result i32) (local $n i32)
        (loop $more
            (i32.store (i32.const 0x20000) (i32.and (local.get $n) (i32.const 0x7f)))
            (i32.store8 offset=1 (i32.const 0x20000) (i32.and (i32.shr_u (local.get $n) (i32.const 7)) (i32.const 0x7f)))
            (i32.store8 offset=2 (i32.const 0x20000) (i32.shr_u (local.get $n) (i32.const 14)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.and (i32.lt_u (local.get $n) (i32.const 100000))
                (i32.eqz (call $share (i32.const 0) (i32.const 0) (i32.const 0x20000) (i32.const 4096) (i32.const 0))))))
        (local.get $n))
    (func (export "run") (local $n i32)
        (i64.store (i32.const 0x20000) (i64.const 0))
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 1))
        (call $same (call $child @"child.wasm" @"") (i32.const 0) (i32.const 2))
        (local.set $n (call $hoard))
        (call $same (i32.lt_u (local.get $n) (i32.const 70000)) (i32.const 1) (i32.const 3))
        (call $same (call $share (i32.const 0) (i32.const 0) (i32.const 0x20000) (i32.const 4096) (i32.const 0)) (i32.const -41) (i32.const 4))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $same (i32.lt_s (call $child @"child.wasm" @"") (i32.const 0)) (i32.const 0) (i32.const 6))
        (call $same (call $share (i32.const 0x10000) (i32.const 0) @"one more" (i32.const 0)) (i32.const 0) (i32.const 7))))
