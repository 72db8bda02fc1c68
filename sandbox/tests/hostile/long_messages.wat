;; A child's trap with deep frames and long names fills no more of the host than what is asked for.
;;; child child
(module (memory (export "memory") 1)
    (func $aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        (export "down") (param $left i32) (result i32)
        (if (i32.eqz (local.get $left)) (then unreachable))
        (call $aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            (i32.sub (local.get $left) (i32.const 1)))))
;;; main
(module @kit
    (func (export "run") (local $len i32)
        (call $same (call $run_child @"child.wasm" @"") (i32.const 0) (i32.const 1))
        (call $same (call $ask_with (i32.const 0) @"down" (i32.const 1000)) (i32.const -1000) (i32.const 2))
        (local.set $len (call $error (i32.const 0x20000) (i32.const 10)))
        (call $same (i32.le_u (local.get $len) (i32.const 16384)) (i32.const 1) (i32.const 3))
        (call $same (i32.load8_u (i32.const 0x2000a)) (i32.const 0) (i32.const 4))
        (call $same (call $error (i32.const 0x20000) (i32.const 0)) (local.get $len) (i32.const 5))
        (call $same (call $error (i32.const 0x3fff0) (i32.const 100)) (i32.const -21) (i32.const 6))))
