;; Writes to pages that are mapped read-only by memory.fill, memory.copy and memory.init, short and long.
;;; main
(module @kit
    (data $bytes "0123456789")
    (elem declare func $fill $fill_all $copy $copy_all $init)
    (func $fill (memory.fill (i32.const 0x20000) (i32.const 1) (i32.const 8)))
    (func $fill_all (memory.fill (i32.const 0x1f000) (i32.const 1) (i32.const 0x3000)))
    (func $copy (memory.copy (i32.const 0x20ff8) (i32.const 0xc000) (i32.const 8)))
    (func $copy_all (memory.copy (i32.const 0x1f000) (i32.const 0x10000) (i32.const 0x3000)))
    (func $init (memory.init $bytes (i32.const 0x20000) (i32.const 0) (i32.const 10)))
    (func (export "run")
        (call $map_new (i64.const 4096) (i64.const 0x20000) (i32.const 0))
        (memory.fill (i32.const 0x10000) (i32.const 7) (i32.const 0x3000))
        (call $same (call $attempt (ref.func $fill)) (i32.const -3002) (i32.const 1))
        (call $same (call $attempt (ref.func $fill_all)) (i32.const -3002) (i32.const 2))
        (call $same (call $attempt (ref.func $copy)) (i32.const -3002) (i32.const 3))
        (call $same (call $attempt (ref.func $copy_all)) (i32.const -3002) (i32.const 4))
        (call $same (call $attempt (ref.func $init)) (i32.const -3002) (i32.const 5))
        ;; Those of more than 64 bytes have written nothing before the page either.
        (call $same64 (i64.load (i32.const 0x1f000)) (i64.const 0) (i32.const 6))
        (call $same64 (i64.load (i32.const 0x20000)) (i64.const 0) (i32.const 7))))
