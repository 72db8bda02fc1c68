;; Children with a memory of 4 GiB, one that begins with more than the quota, tables of ten million elements and more.
;;; permissions inherit,tables=25000000,memory=5GiB
;;; child vast
(module (memory (export "memory") 65536) (func (export "f") (i32.store (i32.const -4) (i32.const 1))))
;;; child tables
(module (table 10000000 funcref) (func (export "f") (table.set (i32.const 9999999) (ref.null func))))
;;; child more
(module (table 10000001 funcref))
;;; child many
(module (table 10000000 funcref) (table 10000000 funcref))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"vast.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (drop (call $ask (i32.const 0) @"f"))
        (call $same (call $read (i32.const 0) (i32.const -4) (i32.const 0x1000) (i32.const 4)) (i32.const 0) (i32.const 2))
        (call $same (i32.load (i32.const 0x1000)) (i32.const 1) (i32.const 3))
        (call $same (call $run_child @"vast.wasm" @"inherit") (i32.const -48) (i32.const 4))
        (call $same (call $run_child @"vast.wasm" @"memory=4294967295") (i32.const -48) (i32.const 5))
        (call $same (call $run_child @"tables.wasm" @"inherit") (i32.const 3) (i32.const 6))
        (drop (call $ask (i32.const 3) @"f"))
        (call $same (call $run_child @"more.wasm" @"inherit") (i32.const -48) (i32.const 7))
        (call $same (call $run_child @"many.wasm" @"inherit") (i32.const -48) (i32.const 8))
        (call $same (call $run_child @"tables.wasm" @"inherit") (i32.const 6) (i32.const 9))))
