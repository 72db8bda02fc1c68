;; Makes children until there are no more, drops them, and makes more.
;;; child tiny
(module)
;;; main
(module @kit
    (func (export "run") (local $module i32) (local $child i32) (local $n i32)
        (local.set $module (call $load_path @"tiny.wasm"))
        (loop $more
            (local.set $child (call $create (local.get $module) @"memory=1000"))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.and (i32.ge_s (local.get $child) (i32.const 0)) (i32.lt_u (local.get $n) (i32.const 20000)))))
        (call $same (local.get $child) (i32.const -41) (i32.const 1))
        (call $same (i32.gt_u (local.get $n) (i32.const 10001)) (i32.const 0) (i32.const 2))
        (call $same (i32.lt_u (local.get $n) (i32.const 1000)) (i32.const 0) (i32.const 3))
        (call $same (call $drop (i32.const 5)) (i32.const 0) (i32.const 4))
        (local.set $child (call $create (local.get $module) @""))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 5))
        (call $same (call $drop (local.get $child)) (i32.const 0) (i32.const 6))))
