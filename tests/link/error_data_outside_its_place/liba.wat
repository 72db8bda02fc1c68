(module
  (@dylink.0 (mem-info (memory 4 2)))
  (import "env" "memory" (memory 0))
  (data (i32.const 0xfffffff0) "beyond"))
