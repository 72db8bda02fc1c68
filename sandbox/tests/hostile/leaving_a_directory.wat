;; A child that has one directory only opens what is beside and above it, by every kind of path.
;;; child child
(module @kit
    (func $refused (param $path i32) (param $len i32) (param $step i32)
        (call $same (i32.eqz (call $path_open (i32.const 3) (i32.const 1) (local.get $path) (local.get $len)
            (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))) (i32.const 0) (local.get $step)))
    (func (export "try")
        (call $refused @"../digits" (i32.const 1))
        (call $refused @"/digits" (i32.const 2))
        (call $refused @"../inner/../digits" (i32.const 3))
        (call $refused @"./../digits" (i32.const 4))
        (call $refused @".." (i32.const 5))
        (call $same (call $load_path @"/child.wasm") (i32.const -44) (i32.const 6))
        (call $same (call $load_path @"/inner/../child.wasm") (i32.const -63) (i32.const 7))
        (call $same (call $path_create_directory (i32.const 3) @"new") (i32.const 76) (i32.const 8))
        (call $same (call $path_create_directory (i32.const 4) @"new") (i32.const 8) (i32.const 9))
        ;; Nor can its own children have more.
        (call $same (call $create (i32.const 0) @"dir=/:rw") (i32.const -8) (i32.const 10))))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $path_create_directory (i32.const 3) @"inner") (i32.const 0) (i32.const 11))
        (call $same (call $run_child @"child.wasm" @"inherit,dir=/inner:ro") (i32.const 0) (i32.const 12))
        (drop (call $ask (i32.const 0) @"try"))))
