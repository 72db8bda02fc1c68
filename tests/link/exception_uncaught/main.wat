(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "__c_longjmp" (tag $other (param i32)))
  (import "env" "fail" (func $fail (param i32)))
  (func (export "run") (result i32)
    (block $caught (result i32)
      (try_table (catch $other $caught) (call $fail (i32.const 42)))
      (i32.const 0))))
