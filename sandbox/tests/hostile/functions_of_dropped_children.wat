;; Calls a function of a child that is dropped, and that of the child which has its place by now.
;;; child child
(module (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 1)))
;;; child other
(module (memory (export "memory") 1) (func (export "g") (param i64 i64 i64) (result i64) unreachable))
;;; main
(module @kit
    (func (export "run") (local $old i32) (local $new i32)
        (local.set $old (call $run_child @"child.wasm" @""))
        (call $same (call $find (local.get $old) @"f") (i32.const 0) (i32.const 1))
        (call $same (call $drop (local.get $old)) (i32.const 0) (i32.const 2))
        (local.set $new (call $run_child @"other.wasm" @""))
        (call $same (call $call (local.get $old) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -8) (i32.const 3))
        (call $same (call $find (local.get $old) @"f") (i32.const -8) (i32.const 4))
        (call $same (call $call (local.get $new) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -8) (i32.const 5))
        (call $same (call $find (local.get $new) @"f") (i32.const -44) (i32.const 6))
        (call $same (call $drop (local.get $new)) (i32.const 0) (i32.const 7))))
