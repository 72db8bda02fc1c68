;; Constants and locals are folded into operands; a result that the next
;; instruction uses stays in the accumulator.
(module
  (func (param i32 i32) (result i32)
    (i32.mul (i32.add (local.get 0) (local.get 1)) (i32.const 3)))
  (func (param f64 f64) (result f64)
    (f64.sub (f64.const 1) (f64.mul (local.get 0) (local.get 1))))
  (func (param i64 i64) (result i64)
    (i64.sub (i64.add (local.get 0) (i64.const 1)) (i64.xor (local.get 1) (i64.const -1))))
  (func (param i32) (result i32)
    (i32.add (i32.const 40) (i32.const 2)))
  (func (param i32 i32) (result i32)
    (select (local.get 0) (i32.const 7) (i32.lt_s (local.get 0) (local.get 1)))))
