(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "main.wat"))
  (func (export "f") (result i32) (i32.const 3)))
