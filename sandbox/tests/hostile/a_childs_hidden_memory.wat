;; Reads and writes a child that exports no memory, or a table under that name.
;;; child hidden
(module (memory 1))
;;; child table
(module (table (export "memory") 1 funcref))
;;; main
(module @kit
    (func $cannot (param $child i32)
        (call $same (call $read (local.get $child) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -21) (i32.const 1))
        (call $same (call $write (local.get $child) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -21) (i32.const 2))
        (call $same (call $find (local.get $child) @"memory") (i32.const -44) (i32.const 3)))
    (func (export "run")
        (call $cannot (call $run_child @"hidden.wasm" @""))
        (call $cannot (call $run_child @"table.wasm" @""))))
