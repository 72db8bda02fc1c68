(module
  (import "env" "log" (func (param i32 i64) (result f32)))
  (import "env" "memory" (memory 1 2))
  (import "env" "table" (table 1 funcref))
  (import "env" "base" (global (mut i32)))
  (import "a" "b" (func))
  (import "c" "d" (func))
  (import "e" "f" (func))
  (func (export "_start")))
