(module
  (type $v (func (param i32 i32)))
  (import "env" "f" (func $import (param i32 i32)))
  (table 1 funcref)
  ;; The last result goes where it belongs, the other one is moved.
  (func $count (param i32 i32)
    (return_call $count
      (i32.sub (local.get 0) (i32.const 1))
      (i32.mul (local.get 0) (local.get 1))))
  ;; A circle, and a constant that waits for it.
  (func $swap (param i32 i32 i32) (result i32)
    (return_call $swap (local.get 1) (local.get 0) (i32.const 7)))
  (func $turn (param i32 i32 i32)
    (return_call $turn (i32.const 7) (local.get 0) (local.get 1)))
  ;; The callee has its header elsewhere.
  (func $wider (param i32 i32) (local i32)
    (return_call $turn (local.get 2) (local.get 0) (local.get 1)))
  (func $out (param i32 i32)
    (return_call $import (local.get 0) (i32.const 3)))
  (func $table (param i32 i32)
    (return_call_indirect (type $v) (local.get 0) (local.get 0) (local.get 1))))
