;; Loads modules until there are no more, keeps what it has of them as children, and tries again.
;;; child tiny
(module)
;;; config spent
;;; main
(module @kit
    (func (export "run") (local $n i32) (local $module i32)
        (loop $more
            (local.set $module (call $load_path @"tiny.wasm"))
            (if (i32.ge_s (local.get $module) (i32.const 0))
                (then
                    (call $same (i32.lt_s (call $create (local.get $module) @"") (i32.const 0)) (i32.const 0) (i32.const 1))
                    ;; The handle is given up, but the module is still there.
                    (call $same (call $unload (local.get $module)) (i32.const 0) (i32.const 2))
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $more (i32.lt_u (local.get $n) (i32.const 1000))))))
        (call $same (local.get $module) (i32.const -41) (i32.const 3))
        (call $same (local.get $n) (i32.const 256) (i32.const 4))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $same (i32.lt_s (call $load_path @"tiny.wasm") (i32.const 0)) (i32.const 0) (i32.const 6))
        (call $same (call $load_path @"tiny.wasm") (i32.const -41) (i32.const 7))))
