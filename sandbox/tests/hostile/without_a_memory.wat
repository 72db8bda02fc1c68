;; Calls with addresses by a module that exports no memory, and of a child that exports none.
;;; child child
(module (memory 1) (func (export "f") (param i32)))
;;; main
(module @imports
    (memory $hidden 1)
    (func $same (param i32 i32 i32)
        (call $same64 (i64.extend_i32_s (local.get 0)) (i64.extend_i32_s (local.get 1)) (local.get 2)))
    (func (export "run")
        (call $same (call $region (i64.const 4096)) (i32.const 0) (i32.const 1))
        (call $same64 (call $map (i32.const 0) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1)) (i64.const -21) (i32.const 2))
        (call $same (call $unmap (i64.const 0) (i64.const 4096)) (i32.const -21) (i32.const 3))
        (call $same (call $protect (i64.const 0) (i64.const 4096) (i32.const 0)) (i32.const -21) (i32.const 4))
        (call $same (call $open (i32.const 0) (i32.const 0)) (i32.const -21) (i32.const 5))
        (call $same (call $load (i32.const 0) (i32.const 8)) (i32.const -21) (i32.const 6))
        (call $same (call $load_path (i32.const 0) (i32.const 8)) (i32.const -21) (i32.const 7))
        (call $same (call $create (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -21) (i32.const 8))
        (call $same (call $error (i32.const 0) (i32.const 10)) (i32.const -21) (i32.const 9))
        (call $same (call $own_permissions (i32.const 0) (i32.const 10)) (i32.const -21) (i32.const 10))
        (call $same (call $give_up (i32.const 0) (i32.const 0)) (i32.const -21) (i32.const 11))))
