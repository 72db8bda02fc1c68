;; A child uses the handles that its parent has: regions, modules, children, and itself.
;;; child thief
(module @kit
    (func (export "steal")
        (call $same64 (call $map (i32.const 0) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 0))
            (i64.const -8) (i32.const 1))
        (call $same (call $close (i32.const 0)) (i32.const -8) (i32.const 2))
        (call $same (call $unload (i32.const 0)) (i32.const -8) (i32.const 3))
        (call $same (call $create (i32.const 0) @"inherit") (i32.const -8) (i32.const 4))
        (call $same (call $drop (i32.const 0)) (i32.const -8) (i32.const 5))
        (call $same (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -8) (i32.const 6))
        (call $same (call $open @"secret") (i32.const -44) (i32.const 7))))
;;; main
(module @kit
    (func (export "run") (local $child i32)
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 1))
        (call $same (call $load_path @"thief.wasm") (i32.const 0) (i32.const 2))
        (call $same (call $create (i32.const 0) @"inherit") (i32.const 0) (i32.const 3))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 4))
        (local.set $child (call $run_child @"thief.wasm" @"inherit"))
        ;; What is shared with one child is not with another.
        (call $same (call $share (i32.const 0) (i32.const 0) @"secret" (i32.const 1)) (i32.const 0) (i32.const 5))
        (call $same (call $call (local.get $child) (call $find (local.get $child) @"steal") (i32.const 0) (i32.const 0))
            (i32.const 0) (i32.const 6))))
