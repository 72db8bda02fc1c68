;; Finds the same function many times, and many that are not there.
;;; child one
(module (func (export "f")) (func (export "g")))
;;; main
(module @kit
    (func (export "run") (local $child i32) (local $i i32)
        (local.set $child (call $run_child @"one.wasm" @""))
        (loop $more
            (call $same (call $find (local.get $child) @"f") (i32.const 0) (i32.const 1))
            (call $same (call $find (local.get $child) @"h") (i32.const -44) (i32.const 2))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 20000))))
        (call $same (call $find (local.get $child) @"g") (i32.const 1) (i32.const 3))))
