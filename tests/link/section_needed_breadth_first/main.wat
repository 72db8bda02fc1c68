(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so" "libb.so"))
  (import "env" "who" (func $who (result i32)))
  (func (export "run") (result i32) (call $who)))
