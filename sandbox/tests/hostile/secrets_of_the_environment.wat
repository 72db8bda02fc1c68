;; Children without the right see no arguments, no variables, no files, and not what the parent has opened.
;;; child child
(module @kit
    (func (export "look") (param $few i32)
        (call $same (call $args_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0) (i32.const 1))
        (call $same (i32.load (i32.const 0)) (i32.eqz (local.get $few)) (i32.const 2))
        (call $same (call $environ_sizes_get (i32.const 0) (i32.const 4)) (i32.const 0) (i32.const 3))
        (call $same (i32.load (i32.const 0)) (i32.eqz (local.get $few)) (i32.const 4))
        (call $same
            (call $path_open (i32.const 3) (i32.const 0) @"digits" (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))
            (select (i32.const 8) (i32.const 0) (local.get $few)) (i32.const 5))
        ;; What the parent has opened.
        (i32.store (i32.const 0x1000) (i32.const 0x2000))
        (i32.store (i32.const 0x1004) (i32.const 1))
        (call $same (call $fd_read (i32.const 9) (i32.const 0x1000) (i32.const 1) (i32.const 0x1100)) (i32.const 8) (i32.const 6))
        (call $same (call $load_path @"child.wasm")
            (select (i32.const -76) (i32.const 0) (local.get $few)) (i32.const 7))))
;;; main
(module @kit
    (func (export "run") (local $few i32) (local $i i32)
        (loop $more
            (call $same
                (call $path_open (i32.const 3) (i32.const 0) @"digits" (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))
                (i32.const 0) (i32.const 10))
            (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
        (call $same (call $run_child @"child.wasm" @"inherit") (i32.const 0) (i32.const 11))
        (call $same (call $run_child @"child.wasm" @"clock") (i32.const 1) (i32.const 12))
        (call $same (call $ask_with (i32.const 0) @"look" (i32.const 0)) (i32.const 0) (i32.const 13))
        (call $same (call $ask_with (i32.const 1) @"look" (i32.const 1)) (i32.const 1) (i32.const 14))))
