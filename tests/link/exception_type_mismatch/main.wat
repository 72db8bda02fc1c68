(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "__cpp_exception" (tag $exception (param i64)))
  (import "env" "fail" (func $fail (param i32)))
  (func (export "run") (call $fail (i32.const 42))))
