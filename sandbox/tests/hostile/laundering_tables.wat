;; Has children whose tables together are larger than its quota; the tables of failed starts count until they are dropped.
;;; permissions inherit,tables=100
;;; child grower
(module
    (table 40 funcref)
    (func (export "grow") (result i32) (table.grow (ref.null func) (i32.const 10))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"grower.wasm" @"inherit,tables=45") (i32.const 0) (i32.const 1))
        (call $same (call $run_child @"grower.wasm" @"inherit,tables=1000") (i32.const 1) (i32.const 2))
        (call $same (call $run_child @"grower.wasm" @"inherit") (i32.const -48) (i32.const 3))
        (call $same (call $ask (i32.const 0) @"grow") (i32.const -1) (i32.const 4))
        (call $same (call $ask (i32.const 1) @"grow") (i32.const 40) (i32.const 5))
        (call $same (call $ask (i32.const 1) @"grow") (i32.const 50) (i32.const 6))
        (call $same (call $ask (i32.const 1) @"grow") (i32.const -1) (i32.const 7))
        (call $same (call $drop (i32.const 1)) (i32.const 0) (i32.const 8))
        ;; The third was made, but not started.
        (call $same (call $start (i32.const 2)) (i32.const 0) (i32.const 9))))
