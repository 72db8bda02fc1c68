;; A small module with one of everything, to be instantiated.
(module
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table 8 8 funcref)
  (global $answer (mut i32) (i32.const 0))
  (global (export "version") i32 (i32.const 1))
  (elem (i32.const 1) $start $answer $increment)
  (data (i32.const 16) "\28\00\00\00 and some more text")
  (func $start
    (global.set $answer (i32.load (i32.const 16))))
  (func $increment (export "increment") (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1)))
  (func $answer (export "answer") (result i32)
    (call $add (global.get $answer) (call $increment (i32.const 1))))
  (start $start))
