(module
  (@dylink.0 (mem-info (memory 0 0)))
  (import "elsewhere" "f" (func (param i32) (result i32)))
  (func (export "_start")))
