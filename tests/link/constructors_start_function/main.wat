(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "memory" (memory 0))
  (import "GOT.mem" "order" (global $order (mut i32)))
  (func (export "run") (result i32) (i32.load (global.get $order))))
