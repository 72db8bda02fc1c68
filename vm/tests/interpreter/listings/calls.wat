;; Arguments are where the callee's frame begins.
(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (type $t (func (param i32 i32) (result i32)))
  (table 1 funcref)
  (func $g (param i32 i32) (result i32)
    (i32.add (call $g (i32.sub (local.get 0) (i32.const 1)) (i32.const 2)) (call $f (local.get 1))))
  (func (param i32) (result i32)
    (call_indirect (type $t) (local.get 0) (i32.const 1) (i32.and (local.get 0) (i32.const 3))))
  (func (param i64 i32) (result i32 i64)
    (local.get 1) (local.get 0)))
