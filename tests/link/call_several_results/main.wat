(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "divide" (func $divide (param i64 i64) (result i64 i64)))
  (func (export "run") (result i64 i64) (call $divide (i64.const 100) (i64.const 7))))
