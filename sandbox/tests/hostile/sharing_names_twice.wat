;; Shares two regions by one name: the child gets the one that was shared last, and keeps what it has opened.
;;; child child
(module @kit
    (func (export "open") (result i32) (call $open @"r"))
    (func (export "size") (param $region i32) (result i32) (i32.wrap_i64 (call $size (local.get $region)))))
;;; main
(module @kit
    (func (export "run") (local $i i32)
        (call $same (call $run_child @"child.wasm" @"inherit") (i32.const 0) (i32.const 1))
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 2))
        (call $same (call $region (i64.const 8192)) (i32.const 1) (i32.const 3))
        (call $same (call $share (i32.const 0) (i32.const 0) @"r" (i32.const 1)) (i32.const 0) (i32.const 4))
        (call $same (call $ask (i32.const 0) @"open") (i32.const 0) (i32.const 5))
        (loop $more
            (call $same (call $share (i32.const 0) (i32.const 1) @"r" (i32.const 0)) (i32.const 0) (i32.const 6))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 1000))))
        (call $same (call $ask (i32.const 0) @"open") (i32.const 1) (i32.const 7))
        (call $same (call $ask_with (i32.const 0) @"size" (i32.const 0)) (i32.const 4096) (i32.const 8))
        (call $same (call $ask_with (i32.const 0) @"size" (i32.const 1)) (i32.const 8192) (i32.const 9))
        (call $same (call $share (i32.const 0) (i32.const 1) @"r" (i32.const 2)) (i32.const -28) (i32.const 10))
        ;; What is shared is there after its handle is closed.
        (call $same (call $close (i32.const 1)) (i32.const 0) (i32.const 11))
        (call $same (call $ask (i32.const 0) @"open") (i32.const 2) (i32.const 12))))
