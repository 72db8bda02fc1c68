(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so" "libb.so"))
  (import "env" "memory" (memory 0))
  (import "GOT.mem" "a_times" (global $a (mut i32)))
  (import "GOT.mem" "b_times" (global $b (mut i32)))
  (func (export "run") (result i32 i32)
    (i32.load (global.get $a)) (i32.load (global.get $b))))
