;; `local.set` gives the producer its destination, unless an operand still
;; means the old value.
(module
  (func (param i32) (result i32) (local i32)
    (local.set 1 (i32.add (local.get 0) (i32.const 1)))
    (local.get 1))
  (func (param i32) (result i32)
    (local.get 0)
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (i32.sub (local.get 0)))
  (func (param i32 i32)
    (local.get 0) (local.get 1)
    (local.set 0) (local.set 1))
  (func (param i32) (result i32)
    (i32.mul (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (local.get 0))))
