(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "memory" (memory 1))
  (func (export "_start")))
