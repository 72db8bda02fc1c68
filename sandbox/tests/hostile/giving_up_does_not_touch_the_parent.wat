;; A child gives up everything; its parent and its brother keep what they have.
;;; child child
(module @kit
    (func (export "random") (result i32) (call $random_get (i32.const 0) (i32.const 8)))
    (func (export "give_up") (result i32) (call $give_up @"random,clock,exit,load")))
;;; main
(module @kit
    (func (export "run") (local $child i32) (local $other i32)
        (local.set $child (call $run_child @"child.wasm" @"inherit"))
        (local.set $other (call $run_child @"child.wasm" @"inherit"))
        (call $same (call $ask (local.get $child) @"give_up") (i32.const 0) (i32.const 1))
        (call $same (call $ask (local.get $child) @"random") (i32.const 76) (i32.const 2))
        (call $same (call $ask (local.get $other) @"random") (i32.const 0) (i32.const 3))
        (call $same (call $random_get (i32.const 0) (i32.const 8)) (i32.const 0) (i32.const 4))))
