;; Needs more than there is.
(module $missing
  (@dylink.0 (mem-info (memory 8 2)))
  (import "env" "a" (func (param i32) (result i64)))
  (import "env" "b" (func))
  (import "GOT.func" "b" (global (mut i32)))
  (import "GOT.mem" "c" (global (mut i32)))
  (import "GOT.mem" "d" (global (mut i32)))
  (import "env" "e" (func))
  (import "env" "f" (func))
  (func (export "_start")))
