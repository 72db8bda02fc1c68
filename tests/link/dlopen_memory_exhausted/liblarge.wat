(module
  (@dylink.0 (mem-info (memory 100000000 4)))
  (import "env" "memory" (memory 0)))
