(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "GOT.mem" "f" (global (mut i32)))
  (import "env" "data" (func))
  (func (export "_start")))
