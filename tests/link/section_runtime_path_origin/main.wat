(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so") (runtime-path "$ORIGIN/nowhere" "$ORIGIN/a"))
  (import "env" "a" (func $a (result i32)))
  (func (export "run") (result i32) (call $a)))
