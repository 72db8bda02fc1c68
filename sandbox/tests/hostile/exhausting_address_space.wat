;; Starts as many children as there can be, each with a memory, and maps as much as it can in each.
;;; child child
(module @kit
    (func (export "map") (result i32) (local $region i32) (local $result i64) (local $at i64)
        (local.set $region (call $region (i64.const 0x4000000)))
        (local.set $at (i64.const 0x10000000))
        (loop $more
            (local.set $result (call $map (local.get $region) (i64.const 0) (i64.const 0x1000) (local.get $at) (i32.const 1)))
            (local.set $at (i64.add (local.get $at) (i64.const 0x2000)))
            (br_if $more (i32.and (i64.ge_s (local.get $result) (i64.const 0)) (i64.lt_u (local.get $at) (i64.const 0x18000000)))))
        (i32.const 0)))
;;; config spent
;;; main
(module @kit
    (func (export "run") (local $module i32) (local $child i32) (local $failed i32)
        (local.set $module (call $load_path @"child.wasm"))
        (loop $more
            (local.set $child (call $create (local.get $module) @"inherit"))
            (if (i32.lt_s (local.get $child) (i32.const 0)) (then (return)))
            (local.set $failed (call $start (local.get $child)))
            (call $same (local.get $failed) (i32.const 0) (i32.const 1))
            (if (local.get $failed) (then (return)))
            (drop (call $ask (local.get $child) @"map"))
            (br $more))))
