(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "pong" (func $pong (param i32) (result i32)))
  (func $ping (export "ping") (param i32) (result i32)
    (i32.add (call $pong (local.get 0)) (i32.const 1)))
  (func (export "run") (result i32) (call $ping (i32.const 0))))
