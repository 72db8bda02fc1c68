;; Copies more than one buffer between parent and child where only the end cannot be read or written.
;;; child plain
(module (memory (export "memory") 4) (data (i32.const 0) "child") (data (i32.const 0x30000) "!"))
;;; main
(module @kit
    (data (i32.const 0x10000) "parent")
    (func (export "run") (local $child i32)
        (local.set $child (call $run_child @"plain.wasm" @""))
        ;; The target's last page is read-only.
        (call $map_new (i64.const 4096) (i64.const 0x3f000) (i32.const 0))
        (call $same (call $read (local.get $child) (i32.const 0) (i32.const 0x20000) (i32.const 0x20000))
            (i32.const -21) (i32.const 1))
        (call $same (i32.load (i32.const 0x20000)) (i32.const 0) (i32.const 2))
        ;; The source's last byte is not there.
        (call $same (call $read (local.get $child) (i32.const 0x20001) (i32.const 0x10000) (i32.const 0x20000))
            (i32.const -21) (i32.const 3))
        (call $same (i32.load8_u (i32.const 0x10000)) (i32.const 0x70) (i32.const 4))
        (call $same (call $write (local.get $child) (i32.const 0x20001) (i32.const 0x10000) (i32.const 0x20000))
            (i32.const -21) (i32.const 5))
        (call $same (call $read (local.get $child) (i32.const 0x30000) (i32.const 0x1000) (i32.const 1))
            (i32.const 0) (i32.const 6))
        (call $same (i32.load8_u (i32.const 0x1000)) (i32.const 0x21) (i32.const 7))
        (call $same (call $write (local.get $child) (i32.const 0) (i32.const 0x2ffff) (i32.const 0x20000))
            (i32.const -21) (i32.const 8))
        (call $same (call $read (local.get $child) (i32.const 0) (i32.const 0x1000) (i32.const 1))
            (i32.const 0) (i32.const 9))
        (call $same (i32.load8_u (i32.const 0x1000)) (i32.const 0x63) (i32.const 10))))
