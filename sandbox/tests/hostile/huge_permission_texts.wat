;; A text of 64 KiB that names one directory more than ten thousand times, or as many directories.
;;; child plain
(module)
;;; main
(module @kit
    (func (export "run") (local $at i32) (local $n i32)
        (call $same (call $load_path @"plain.wasm") (i32.const 0) (i32.const 0))
        (local.set $at (i32.const 0x20000))
        (loop $more
            ;; "dir=/,"
            (i32.store (local.get $at) (i32.const 0x3d726964))
            (i32.store16 offset=4 (local.get $at) (i32.const 0x2c2f))
            (local.set $at (i32.add (local.get $at) (i32.const 6)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 0x2fff0))))
        (call $same (call $create (i32.const 0) (i32.const 0x20000) (i32.sub (local.get $at) (i32.const 0x20000)))
            (i32.const 0) (i32.const 1))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 2))
        (local.set $at (i32.const 0x20000))
        (loop $more
            ;; "dir=" and three letters
            (i32.store (local.get $at) (i32.const 0x3d726964))
            (i32.store offset=4 (local.get $at) (i32.add (i32.const 0x2c414141)
                (i32.add (i32.rem_u (local.get $n) (i32.const 20)) (i32.add
                    (i32.shl (i32.rem_u (i32.div_u (local.get $n) (i32.const 20)) (i32.const 20)) (i32.const 8))
                    (i32.shl (i32.div_u (local.get $n) (i32.const 400)) (i32.const 16))))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 0x2fff0))))
        (call $same (call $create (i32.const 0) (i32.const 0x20000) (i32.sub (local.get $at) (i32.const 0x20000)))
            (i32.const -44) (i32.const 3))))
