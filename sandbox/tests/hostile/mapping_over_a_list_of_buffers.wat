;; Maps pages read-only over what the host has just been told to read and write.
;;; main
(module @kit
    (func (export "run") (local $region i32)
        (local.set $region (call $region (i64.const 0x1000)))
        (i32.store (i32.const 0x1000) (i32.const 0x1010))
        (i32.store (i32.const 0x1004) (i32.const 4))
        (call $same64 (call $map (local.get $region) (i64.const 0) (i64.const 0x1000) (i64.const 0x1000) (i32.const 0))
            (i64.const 0x1000) (i32.const 1))
        ;; The list of buffers has become zeros: nothing is read.
        (call $same (call $fd_read (i32.const 0) (i32.const 0x1000) (i32.const 1) (i32.const 0x3000))
            (i32.const 0) (i32.const 2))
        (call $same (i32.load (i32.const 0x3000)) (i32.const 0) (i32.const 3))
        (call $same (call $unmap (i64.const 0x1000) (i64.const 0x1000)) (i32.const 0) (i32.const 4))
        (call $same (i32.load (i32.const 0x1000)) (i32.const 0) (i32.const 5))))
