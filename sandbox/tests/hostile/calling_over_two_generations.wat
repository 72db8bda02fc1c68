;; A grandchild has a function that its parent offers of its own, which calls what its own parent offers.
;;; child leaf
(module (import "parent" "f" (func $f (result i32))) (memory (export "memory") 1)
    (func (export "go") (result i32) (i32.add (call $f) (i32.const 1))))
;;; child middle
(module
    (import "parent" "f" (func $parents (result i32)))
    @kit
    (table (export "__indirect_function_table") 2 2 funcref)
    (elem (i32.const 0) $own $parents)
    (func $own (result i32)
        ;; The leaf runs: it cannot be called, but the parent can.
        (call $same (call $ask (i32.const 0) @"go") (i32.const -10) (i32.const 1))
        (i32.add (call $parents) (i32.const 10)))
    (func (export "go") (result i32)
        (call $same (call $child @"leaf.wasm" @"inherit") (i32.const 0) (i32.const 2))
        ;; What it has from its parent is not its own to offer.
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 1) (i32.const 0)) (i32.const -63) (i32.const 3))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 4))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 5))
        (call $ask (i32.const 0) @"go")))
;;; main
(module @kit
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $own)
    (func $own (result i32)
        (call $same (call $drop (i32.const 0)) (i32.const -10) (i32.const 6))
        (i32.const 100))
    (func (export "run")
        (call $same (call $child @"middle.wasm" @"inherit") (i32.const 0) (i32.const 7))
        (call $same (call $offer (i32.const 0) @"parent" @"f" (i32.const 0) (i32.const 0)) (i32.const 0) (i32.const 8))
        (call $same (call $start (i32.const 0)) (i32.const 0) (i32.const 9))
        (call $same (call $ask (i32.const 0) @"go") (i32.const 111) (i32.const 10))))
