;; Children with quotas of zero, of one, and of all that numbers can say.
;;; config fuel=1000000 depth=1000
;;; child child
(module @kit
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func $down (param i32) (result i32)
        (if (result i32) (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
    (func (export "down") (param i32) (result i32) (call $down (local.get 0))))
;;; child bare
(module (func (export "f") (result i32) (i32.const 1)))
;;; main
(module @kit
    (func (export "run")
        (call $same (call $run_child @"child.wasm" @"memory=0") (i32.const -48) (i32.const 1))
        (call $same (call $run_child @"bare.wasm" @"memory=0,tables=0") (i32.const 1) (i32.const 2))
        (call $same (call $ask (i32.const 1) @"f") (i32.const 1) (i32.const 3))
        (call $same (call $run_child @"bare.wasm" @"instances=0") (i32.const -48) (i32.const 4))
        (call $same (call $run_child @"bare.wasm" @"fuel=0") (i32.const 3) (i32.const 5))
        (call $same (call $ask (i32.const 3) @"f") (i32.const -1000) (i32.const 6))
        (call $same (call $run_child @"bare.wasm" @"depth=0") (i32.const 4) (i32.const 7))
        (call $same (call $ask (i32.const 4) @"f") (i32.const -1000) (i32.const 8))
        (call $same (call $run_child @"child.wasm" @"depth=5") (i32.const 5) (i32.const 9))
        (call $same (call $ask_with (i32.const 5) @"down" (i32.const 3)) (i32.const 1) (i32.const 10))
        (call $same (call $ask_with (i32.const 5) @"down" (i32.const 4)) (i32.const -1000) (i32.const 11))
        (call $same
            (call $run_child @"child.wasm" @"memory=18446744073709551615,tables=18446744073709551615,instances=18446744073709551615,fuel=18446744073709551615,depth=4294967295")
            (i32.const 6) (i32.const 12))
        (call $same (call $ask (i32.const 6) @"grow") (i32.const 4) (i32.const 13))
        (call $same (call $ask_with (i32.const 6) @"down" (i32.const 900)) (i32.const 1) (i32.const 14))
        (call $same (call $ask_with (i32.const 6) @"down" (i32.const 1000)) (i32.const -1000) (i32.const 15))))
