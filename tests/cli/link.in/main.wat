(module $main
  (import "math" "calls" (global $calls (mut i32)))
  (import "math" "scratch" (memory 1))
  (import "math" "table" (table 2 funcref))
  (import "more" "quadruple" (func $quadruple (param i32) (result i32)))
  (func (export "main") (param i32) (result i32 i32)
    (call $quadruple (local.get 0))
    (global.get $calls)))
