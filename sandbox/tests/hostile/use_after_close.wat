;; Uses the handle of a region that is closed, whose place another region has by now.
;;; main
(module @kit
    (func (export "run") (local $first i32) (local $second i32)
        (local.set $first (call $region (i64.const 4096)))
        (call $same (call $close (local.get $first)) (i32.const 0) (i32.const 1))
        (local.set $second (call $region (i64.const 8192)))
        (call $same (i32.eq (local.get $first) (local.get $second)) (i32.const 0) (i32.const 2))
        (call $same (call $close (local.get $first)) (i32.const -8) (i32.const 3))
        (call $same64 (call $size (local.get $first)) (i64.const -8) (i32.const 4))
        (call $same (call $access (local.get $first)) (i32.const -8) (i32.const 5))
        (call $same64 (call $map (local.get $first) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1))
            (i64.const -8) (i32.const 6))
        (call $same64 (call $size (local.get $second)) (i64.const 8192) (i32.const 7))))
