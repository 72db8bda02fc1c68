;; Has children open files, and directories by their permissions, until the host gives no more.
;;; child child
(module @kit
    (func (export "open") (param $times i32) (result i32) (local $result i32)
        (loop $more
            (local.set $result (call $path_open (i32.const 3) (i32.const 0) @"digits" (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)))
            (if (local.get $result) (then (return (local.get $result))))
            (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (i32.const 0)))
;;; main
(module @kit
    (func (export "run") (local $i i32) (local $n i32)
        (loop $more
            (call $same (call $run_child @"child.wasm" @"inherit") (local.get $i) (i32.const 1))
            ;; 200 in all, of which the program has four.
            (call $same (call $ask_with (local.get $i) @"open" (i32.const 20))
                (select (i32.const 0) (i32.const 41) (i32.lt_u (local.get $i) (i32.const 9))) (i32.const 2))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 20))))
        (call $same (call $path_open (i32.const 3) (i32.const 0) @"digits" (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0)) (i32.const 41) (i32.const 3))
        (call $same (call $run_child @"child.wasm" @"inherit,dir=/:ro") (i32.const -41) (i32.const 4))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $same (call $ask_with (i32.const 19) @"open" (i32.const 20)) (i32.const 0) (i32.const 6))
        (call $same (call $ask_with (i32.const 19) @"open" (i32.const 1)) (i32.const 41) (i32.const 7))))
