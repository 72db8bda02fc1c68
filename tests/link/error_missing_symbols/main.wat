(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "GOT.mem" "no_data" (global (mut i32)))
  (import "GOT.func" "no_function" (global (mut i32)))
  (func (export "_start")))
