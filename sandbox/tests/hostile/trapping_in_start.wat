;; Children that trap in their start function, with a segment that does not fit, or in _initialize, are not started, and are not again.
;;; child start
(module (memory (export "memory") 1) (func $start unreachable) (start $start) (func (export "f")))
;;; child segment
(module (memory (export "memory") 1) (data (i32.const 0xffff) "ab") (func (export "f")))
;;; child initialize
(module (memory (export "memory") 1) (func (export "_initialize") unreachable) (func (export "f")))
;;; child params
(module (memory (export "memory") 1) (func (export "_initialize") (param i32)) (func (export "f")))
;;; main
(module @kit
    (func $fails (param $child i32) (param $expected i32) (local $used i64)
        (call $same (call $start (local.get $child)) (local.get $expected) (i32.const 1))
        (local.set $used (call $memory_used))
        ;; Neither can it be used, nor started once more, which would cost memory again.
        (call $same (call $find (local.get $child) @"f") (i32.const -28) (i32.const 2))
        (call $same (call $read (local.get $child) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -28) (i32.const 3))
        (call $same (call $start (local.get $child)) (i32.const -28) (i32.const 4))
        (call $same64 (call $memory_used) (local.get $used) (i32.const 5)))
    (func (export "run") (local $before i64)
        (local.set $before (call $memory_used))
        (call $fails (call $child @"start.wasm" @"") (i32.const -1000))
        (call $fails (call $child @"segment.wasm" @"") (i32.const -1000))
        (call $fails (call $child @"initialize.wasm" @"") (i32.const -1000))
        (call $fails (call $child @"params.wasm" @"") (i32.const -28))
        (call $same (call $drop (i32.const 0)) (i32.const 0) (i32.const 10))
        (call $same (call $drop (i32.const 1)) (i32.const 0) (i32.const 11))
        (call $same (call $drop (i32.const 2)) (i32.const 0) (i32.const 12))
        (call $same (call $drop (i32.const 3)) (i32.const 0) (i32.const 13))
        (call $same64 (call $memory_used) (local.get $before) (i32.const 14))))
