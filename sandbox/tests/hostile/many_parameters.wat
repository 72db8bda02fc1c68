;; Calls a child's function with so many parameters and results that they do not fit where the program says they are.
;;; child child
(module
    (type $t (func
        (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64)
        (result i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64)))
    (func (export "f") (type $t)
        (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)
        (local.get 8) (local.get 9) (local.get 10) (local.get 11) (local.get 12) (local.get 13) (local.get 14) (local.get 15))
    (func (export "externref") (param externref) (result externref) (local.get 0)))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $find (i32.const 0) @"f") (i32.const 0) (i32.const 2))
        (call $same (call $find (i32.const 0) @"externref") (i32.const 1) (i32.const 3))
        (memory.fill (i32.const 0x1000) (i32.const -1) (i32.const 128))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0x1000) (i32.const 0x1001)) (i32.const 0) (i32.const 4))
        ;; Numbers of 32 bits take the low half, and give zeros for the high.
        (call $same64 (i64.load (i32.const 0x1001)) (i64.const 0xffffffff) (i32.const 5))
        (call $same64 (i64.load (i32.const 0x1009)) (i64.const -1) (i32.const 6))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0x3ff80) (i32.const 0x3ff80)) (i32.const 0) (i32.const 7))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0x3ff81) (i32.const 0)) (i32.const -21) (i32.const 8))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x3ff81)) (i32.const -21) (i32.const 9))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0)) (i32.const -21) (i32.const 10))
        (call $same (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -8)) (i32.const -21) (i32.const 11))
        (call $same (call $call (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const -58) (i32.const 12))))
