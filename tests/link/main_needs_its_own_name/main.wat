(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "main.wat"))
  (import "env" "f" (func $f (result i32)))
  (func (export "run") (result i32) (call $f)))
