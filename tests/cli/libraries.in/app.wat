;; Needs two libraries, and says nowhere where they are.
(module $app
  (@dylink.0
    (mem-info (memory 4 2))
    (needed "libsum.so" "libone.so"))
  (import "env" "memory" (memory 0))
  (import "env" "__memory_base" (global $base i32))
  (import "env" "sum" (func $sum (param i32 i32) (result i32)))
  (import "env" "one" (func $one (result i32)))
  (import "GOT.mem" "forty" (global $forty (mut i32)))
  (data (global.get $base) "\02\00\00\00")
  (func (export "answer") (result i32)
    (call $sum (i32.load (global.get $forty)) (i32.load (global.get $base))))
  (func (export "ones") (result i32) (call $one)))
