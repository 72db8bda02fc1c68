;; Passes addresses in a region that two modules have mapped at different places, and others that are not.
;;; child lib
(module
    (import "parent" "check" (func $check (param i32 i32) (result i32)))
    @kit
    (func (export "open") (result i32)
        (call $same64
            (call $map (call $open @"frame") (i64.const 0) (i64.const 0x2000) (i64.const 0x20000000) (i32.const 0))
            (i64.const 0x20000000) (i32.const 1))
        (call $same (i32.load (i32.const 0x20001ffc)) (i32.const 77) (i32.const 2))
        (i32.const 0))
    (func (export "one") (param i32) (result i32) (local.get 0))
    (func (export "many") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "check") (param i32) (result i32) (call $check (local.get 0) (i32.const 16)))
    (func (export "second") (result i32) (i32.const 0x20001000)))
;;; main
(module @kit
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $check)
    (func $check (param $at i32) (param $len i32) (result i32) (i32.add (local.get $at) (local.get $len)))
    (func $declared (param $child i32) (param $name i32) (param $len i32) (param $signature i32) (param $signature_len i32)
        (call $same
            (call $declare
                (local.get $child) (call $find (local.get $child) (local.get $name) (local.get $len))
                (local.get $signature) (local.get $signature_len))
            (i32.const 0) (i32.const 1)))
    (func $is (param $child i32) (param $at i32) (param $expected i32) (param $step i32)
        (call $same (call $ask_with (local.get $child) @"one" (local.get $at)) (local.get $expected) (local.get $step)))
    (func $has (param $child i32) (param $at i32) (param $len i32) (param $expected i32) (param $step i32)
        (i64.store (i32.const 0xb000) (i64.extend_i32_u (local.get $at)))
        (i64.store (i32.const 0xb008) (i64.extend_i32_u (local.get $len)))
        (call $same (call $ask (local.get $child) @"many") (local.get $expected) (local.get $step)))
    (func (export "run") (local $child i32) (local $region i32)
        (local.set $region (call $region (i64.const 0x2000)))
        (call $same64
            (call $map (local.get $region) (i64.const 0) (i64.const 0x2000) (i64.const 0x10000000) (i32.const 1))
            (i64.const 0x10000000) (i32.const 2))
        (i32.store (i32.const 0x10001ffc) (i32.const 77))
        (local.set $child (call $child @"lib.wasm" @"map-regions"))
        (call $same (call $offer_as (local.get $child) @"parent" @"check" (i32.const 1) (i32.const 0) @"&#i:i") (i32.const 0) (i32.const 3))
        (call $same (call $share (local.get $child) (local.get $region) @"frame" (i32.const 0)) (i32.const 0) (i32.const 4))
        (call $same (call $start (local.get $child)) (i32.const 0) (i32.const 5))
        (call $declared (local.get $child) @"one" @"&16:i")
        (call $declared (local.get $child) @"many" @"&#i:i")
        (call $declared (local.get $child) @"second" @":&4096")
        ;; The child has it not yet.
        (call $is (local.get $child) (i32.const 0x10000000) (i32.const -21) (i32.const 6))
        (call $same (call $ask (local.get $child) @"open") (i32.const 0) (i32.const 7))
        (call $is (local.get $child) (i32.const 0x10000000) (i32.const 0x20000000) (i32.const 10))
        (call $is (local.get $child) (i32.const 0x10001ff0) (i32.const 0x20001ff0) (i32.const 11))
        (call $is (local.get $child) (i32.const 0x10001ff1) (i32.const -21) (i32.const 12))
        (call $is (local.get $child) (i32.const 0x0fffffff) (i32.const -21) (i32.const 13))
        (call $is (local.get $child) (i32.const 0x20000000) (i32.const -21) (i32.const 14))
        (call $is (local.get $child) (i32.const 0x1000) (i32.const -21) (i32.const 15))
        (call $is (local.get $child) (i32.const -1) (i32.const -21) (i32.const 16))
        (call $is (local.get $child) (i32.const -16) (i32.const -21) (i32.const 17))
        (call $is (local.get $child) (i32.const 0) (i32.const 0) (i32.const 18))
        ;; With a length.
        (call $has (local.get $child) (i32.const 0x10000000) (i32.const 0x2000) (i32.const 0x20002000) (i32.const 20))
        (call $has (local.get $child) (i32.const 0x10000000) (i32.const 0x2001) (i32.const -21) (i32.const 21))
        (call $has (local.get $child) (i32.const 0x10000001) (i32.const -1) (i32.const -21) (i32.const 22))
        (call $has (local.get $child) (i32.const -1) (i32.const -1) (i32.const -21) (i32.const 23))
        (call $has (local.get $child) (i32.const 0x1000) (i32.const 0) (i32.const 0x1000) (i32.const 24))
        (call $has (local.get $child) (i32.const 0x10002000) (i32.const 0) (i32.const 0x10002000) (i32.const 25))
        ;; From the child, and as a result.
        (call $same (call $ask_with (local.get $child) @"check" (i32.const 0x20000100)) (i32.const 0x10000110) (i32.const 26))
        (call $same (call $ask_with (local.get $child) @"check" (i32.const 0x10000100)) (i32.const -1000) (i32.const 27))
        (call $same (call $ask_with (local.get $child) @"check" (i32.const 0x20001ff8)) (i32.const -1000) (i32.const 28))
        (call $same (call $ask (local.get $child) @"second") (i32.const 0x10001000) (i32.const 29))
        ;; A part that one of them has not.
        (call $same (call $unmap (i64.const 0x10001000) (i64.const 0x1000)) (i32.const 0) (i32.const 30))
        (call $same (call $ask (local.get $child) @"second") (i32.const -21) (i32.const 31))
        (call $is (local.get $child) (i32.const 0x10000ff8) (i32.const -21) (i32.const 32))
        ;; Where both have the same address, it stays the same.
        (call $same64
            (call $map (local.get $region) (i64.const 0) (i64.const 0x2000) (i64.const 0x20000000) (i32.const 1))
            (i64.const 0x20000000) (i32.const 33))
        (call $is (local.get $child) (i32.const 0x20000010) (i32.const 0x20000010) (i32.const 34))
        (call $same (call $ask (local.get $child) @"second") (i32.const 0x20001000) (i32.const 35))
        ;; The very end of the address space.
        (call $same64
            (call $map (local.get $region) (i64.const 0) (i64.const 0x2000) (i64.const 0xffffe000) (i32.const 1))
            (i64.const 0xffffe000) (i32.const 36))
        (call $is (local.get $child) (i32.const -16) (i32.const 0x20001ff0) (i32.const 37))
        (call $is (local.get $child) (i32.const -15) (i32.const -21) (i32.const 38))))
