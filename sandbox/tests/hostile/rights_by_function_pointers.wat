;; A child without rights has its parent's functions called, and the parent calls the child's: nobody gains any.
;;; child poor
(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "parent" "visit" (func $visit (param i32) (result i32)))
    (type $f (func (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $random)
    (func $random (export "random") (result i32) (call $random_get (i32.const 0) (i32.const 8)))
    (func (export "apply") (param $f i32) (result i32) (call_indirect (type $f) (local.get $f)))
    (func (export "visit") (result i32) (call $visit (i32.const 1))))
;;; main
(module @kit
    (type $f (func (result i32)))
    (type $apply (func (param i32) (result i32)))
    (table (export "__indirect_function_table") 4 funcref)
    (elem (i32.const 1) $random $visit)
    (elem declare func $childs_random)
    (global $childs (mut i32) (i32.const 0))
    (func $random (result i32) (call $random_get (i32.const 0) (i32.const 8)))
    ;; As a gate it is called with the parent's rights: the child's function has its own there too.
    (func $visit (param $f i32) (result i32)
        (i32.add (i32.mul (call $random) (i32.const 1000)) (call_indirect (type $f) (local.get $f))))
    (func $childs_random (result i32) (call_indirect (type $f) (global.get $childs)))
    (func $made (param $permissions i32) (param $len i32) (param $gate i32) (result i32) (local $child i32)
        (local.set $child (call $child @"poor.wasm" (local.get $permissions) (local.get $len)))
        (call $same (call $offer_as (local.get $child) @"parent" @"visit" (i32.const 2) (local.get $gate) @"*(:i):i")
            (i32.const 0) (i32.const 1))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 2))
        (local.get $child))
    (func (export "run") (local $poor i32) (local $rich i32) (local $apply i32)
        (local.set $poor (call $made @"" (i32.const 0)))
        (local.set $rich (call $made @"random" (i32.const 0)))
        (call $same (call $random) (i32.const 0) (i32.const 3))
        (call $same
            (call_indirect (type $apply) (i32.const 1) (call $symbol (local.get $poor) @"apply" @"*(:i):i"))
            (i32.const 76) (i32.const 4))
        (call $same
            (call_indirect (type $apply) (i32.const 1) (call $symbol (local.get $rich) @"apply" @"*(:i):i"))
            (i32.const 0) (i32.const 5))
        (global.set $childs (call $symbol (local.get $poor) @"random" @""))
        (call $same (call $childs_random) (i32.const 76) (i32.const 6))
        (global.set $childs (call $symbol (local.get $rich) @"random" @""))
        (call $same (call $childs_random) (i32.const 0) (i32.const 7))
        ;; Called with less, the child has less.
        (call $same (call $attempt_with_nothing (ref.func $childs_random)) (i32.const 76) (i32.const 8))
        ;; One child's function in another one's hands.
        (local.set $apply (call $symbol (local.get $poor) @"apply" @"*(:i):i"))
        (call $same (call_indirect (type $apply) (global.get $childs) (local.get $apply)) (i32.const 76) (i32.const 9))
        (call $same (call $ask (local.get $poor) @"visit") (i32.const 76076) (i32.const 10))
        (call $same (call $ask (local.get $rich) @"visit") (i32.const 0) (i32.const 11))
        (call $same (call $ask (call $made @"" (i32.const 1)) @"visit") (i32.const 76) (i32.const 12))))
