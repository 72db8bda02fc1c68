;; Reads and writes where a region was mapped, inside the memory and above it.
;;; main
(module @kit
    (elem declare func $peek $store $fill)
    (func $peek (drop (i32.load (i32.const 0x10000000))))
    (func $store (i32.store (i32.const 0x10000ffc) (i32.const 1)))
    (func $fill (memory.fill (i32.const 0x10000000) (i32.const 1) (i32.const 100)))
    (func (export "run")
        (call $map_new (i64.const 0x2000) (i64.const 0x10000000) (i32.const 1))
        (call $map_new (i64.const 0x1000) (i64.const 0x20000) (i32.const 1))
        (memory.fill (i32.const 0x10000000) (i32.const 9) (i32.const 0x2000))
        (memory.fill (i32.const 0x20000) (i32.const 9) (i32.const 0x1000))
        (call $same (call $unmap (i64.const 0x10000000) (i64.const 0x1000)) (i32.const 0) (i32.const 1))
        (call $same (call $attempt (ref.func $peek)) (i32.const -3001) (i32.const 2))
        (call $same (call $attempt (ref.func $store)) (i32.const -3001) (i32.const 3))
        (call $same (call $attempt (ref.func $fill)) (i32.const -3001) (i32.const 4))
        (call $same (call $random_get (i32.const 0x10000000) (i32.const 8)) (i32.const 21) (i32.const 5))
        (call $same (i32.load (i32.const 0x10001000)) (i32.const 0x09090909) (i32.const 6))
        ;; Inside its size the memory has zeros, and they are its own again.
        (call $same (call $unmap (i64.const 0x20000) (i64.const 0x1000)) (i32.const 0) (i32.const 7))
        (call $same (i32.load (i32.const 0x20000)) (i32.const 0) (i32.const 8))
        (i32.store (i32.const 0x20000) (i32.const 3))
        (call $same (call $protect (i64.const 0x20000) (i64.const 0x1000) (i32.const 0)) (i32.const -28) (i32.const 9))
        (call $same (i32.load (i32.const 0x20000)) (i32.const 3) (i32.const 10))))
