(module
  (import "env" "next" (func $next (param i32) (result i32)))
  (func $one (export "one") (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1)))
  (func $two (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 2)))
  (export "next" (func $two)))
