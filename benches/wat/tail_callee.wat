;; What tail_calls.wat calls in another module.
(module
  (memory 1)
  (type $away (func (param i32 i32) (result i32)))
  (table (export "table") 1 funcref)
  (func (export "back") (param $i i32) (param $acc i32) (result i32)
    (return_call_indirect (type $away)
      (i32.sub (local.get $i) (i32.const 1))
      (i32.mul (local.get $acc) (i32.const 5))
      (i32.const 0))))
