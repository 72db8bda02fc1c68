(module $program
  (import "lib" "fail" (func $fail))
  (func (export "run") (call $fail)))
