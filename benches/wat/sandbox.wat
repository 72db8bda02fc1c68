;; Calls functions in loops: of the host, and of a child that it makes of the
;; module in its memory.
(module
    (import "host" "checked" (func $checked (result i32)))
    (import "host" "unchecked" (func $unchecked (result i32)))
    (import "orca_module" "load" (func $load (param i32 i32) (result i32)))
    (import "orca_module" "create" (func $create (param i32 i32 i32) (result i32)))
    (import "orca_module" "start" (func $start (param i32) (result i32)))
    (import "orca_module" "find" (func $find (param i32 i32 i32) (result i32)))
    (import "orca_module" "call" (func $call (param i32 i32 i32 i32) (result i32)))
    (import "orca_module" "drop" (func $drop (param i32) (result i32)))
    (import "orca_module" "symbol" (func $symbol (param i32 i32 i32 i32 i32) (result i32)))
    (import "orca_module" "pass" (func $pass (param i32 i32 i32 i32) (result i32)))
    (import "orca_access" "load32" (func $load32 (param i32 i32) (result i32)))
    (type $next (func (result i32)))
    (type $repeat (func (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $own)
    (data (i32.const 0) "next")
    (data (i32.const 16) "repeat:i")
    (func $own (result i32) (i32.const 1))
    (global $module (mut i32) (i32.const -1))
    (global $child (mut i32) (i32.const -1))

    (func (export "checked") (param $n i64) (result i32) (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call $checked)))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (local.get $sum))
    (func (export "unchecked") (param $n i64) (result i32) (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call $unchecked)))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (local.get $sum))

    ;; The module is `len` bytes from 1024 on.
    (func (export "load") (param $len i32) (result i32)
        (global.set $module (call $load (i32.const 1024) (local.get $len)))
        (global.get $module))
    (func $make (export "make") (result i32)
        (global.set $child (call $create (global.get $module) (i32.const 0) (i32.const 0)))
        (drop (call $start (global.get $child)))
        (call $find (global.get $child) (i32.const 0) (i32.const 4)))
    ;; Calls the child's function; the last result.
    (func (export "call") (param $n i64) (result i32)
        (loop $again
            (drop (call $call (global.get $child) (i32.const 0) (i32.const 512) (i32.const 512)))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (i32.load (i32.const 512)))
    ;; Calls it by a pointer.
    (func (export "pointer") (param $n i64) (result i32) (local $next i32) (local $last i32)
        (local.set $next (call $symbol (global.get $child) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))
        (loop $again
            (local.set $last (call_indirect (type $next) (local.get $next)))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (local.get $last))
    ;; Has the child call a function of this module; how often.
    (func (export "back") (param $n i64) (result i32)
        (call_indirect (type $repeat)
            (call $pass (global.get $child) (i32.const 1) (i32.const 22) (i32.const 2))
            (i32.wrap_i64 (local.get $n))
            (call $symbol (global.get $child) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0))))
    ;; Loads from the child's memory; the sum.
    (func (export "access") (param $n i64) (result i32) (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call $load32 (global.get $child) (i32.const 16))))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (local.get $sum))
    ;; Makes and drops children; the sum of their first results.
    (func (export "children") (param $n i64) (result i32) (local $sum i32)
        (loop $again
            (drop (call $make))
            (drop (call $call (global.get $child) (i32.const 0) (i32.const 512) (i32.const 512)))
            (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 512))))
            (drop (call $drop (global.get $child)))
            (br_if $again (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
        (local.get $sum)))
