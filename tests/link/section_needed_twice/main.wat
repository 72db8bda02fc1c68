(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so" "libcount.so" "libcount.so" "liba.so"))
  (import "env" "count" (func $count (result i32)))
  (import "env" "count_in_a" (func $count_in_a (result i32)))
  (func (export "run") (result i32 i32 i32)
    (call $count) (call $count_in_a) (call $count)))
