(module
  (@dylink.0 (mem-info (memory 3 0) (table 1 0)) (needed "liba.so" "libb.so"))
  (import "env" "a_bases" (func $a (result i32 i32)))
  (import "env" "b_bases" (func $b (result i32 i32)))
  (func (export "run") (result i32 i32 i32 i32)
    (call $a) (call $b)))
