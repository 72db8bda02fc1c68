;; Has orca_module write into a page that is mapped read-only: texts, a child's bytes, results of calls.
;;; child counter
(module (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (data (i32.const 0) "abcdefgh")
    (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n)))
;;; main
(module @kit
    (func (export "run") (local $child i32) (local $next i32)
        (local.set $child (call $run_child @"counter.wasm" @"inherit"))
        (local.set $next (call $find (local.get $child) @"next"))
        (call $map_new (i64.const 4096) (i64.const 0x20000) (i32.const 0))
        (call $same (call $error (i32.const 0x20000) (i32.const 0)) (i32.const 0) (i32.const 0))
        (call $same (call $read (local.get $child) (i32.const 0) (i32.const 0x20000) (i32.const 8))
            (i32.const -21) (i32.const 1))
        (call $same (call $own_permissions (i32.const 0x20000) (i32.const 100)) (i32.const -21) (i32.const 2))
        (call $same (call $permissions (local.get $child) (i32.const 0x20000) (i32.const 100)) (i32.const -21) (i32.const 3))
        (call $same (call $signature (local.get $child) (local.get $next) (i32.const 0x20000) (i32.const 100))
            (i32.const -21) (i32.const 4))
        (call $same (call $error (i32.const 0x20000) (i32.const 100)) (i32.const -21) (i32.const 5))
        ;; A call whose results have no place is not made.
        (call $same (call $call (local.get $child) (local.get $next) (i32.const 0) (i32.const 0x20000))
            (i32.const -21) (i32.const 6))
        (call $same (call $ask (local.get $child) @"next") (i32.const 1) (i32.const 7))
        (call $same64 (i64.load (i32.const 0x20000)) (i64.const 0) (i32.const 8))))
