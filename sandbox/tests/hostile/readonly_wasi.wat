;; Has WASI write into a page that is mapped read-only: what is read, random bytes, the time.
;;; main
(module @kit
    (func (export "run")
        (call $map_new (i64.const 4096) (i64.const 0x20000) (i32.const 0))
        (i32.store (i32.const 0x1000) (i32.const 0x20010))
        (i32.store (i32.const 0x1004) (i32.const 8))
        (call $same (call $fd_read (i32.const 0) (i32.const 0x1000) (i32.const 1) (i32.const 0x1100))
            (i32.const 21) (i32.const 1))
        (call $same (call $random_get (i32.const 0x20000) (i32.const 16)) (i32.const 21) (i32.const 2))
        (call $same (call $random_get (i32.const 0x1fff8) (i32.const 16)) (i32.const 21) (i32.const 3))
        (call $same (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0x20000)) (i32.const 21) (i32.const 4))
        (call $same (call $args_sizes_get (i32.const 0x20000) (i32.const 0x1100)) (i32.const 21) (i32.const 5))
        (call $same (call $environ_sizes_get (i32.const 0x1100) (i32.const 0x20ffe)) (i32.const 21) (i32.const 6))
        ;; The list of buffers may be there: it is only read.
        (call $same (call $fd_write (i32.const 1) (i32.const 0x20000) (i32.const 0) (i32.const 0x1100))
            (i32.const 0) (i32.const 7))
        (call $same64 (i64.load (i32.const 0x20000)) (i64.const 0) (i32.const 8))
        (call $same64 (i64.load (i32.const 0x20010)) (i64.const 0) (i32.const 9))))
