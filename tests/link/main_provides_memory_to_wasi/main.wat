(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "count" (func $count (result i32 i32)))
  (func (export "run") (result i32 i32) (call $count)))
