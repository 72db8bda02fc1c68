(module
  ;; part 99 with 3 bytes, then mem-info, then part 2 (needed): liba.so
  (@custom "dylink.0" (before first) "\63\03abc\01\04\00\00\00\00\02\09\01\07liba.so")
  (import "env" "a" (func $a (result i32)))
  (func (export "run") (result i32) (call $a)))
