(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "GOT.mem" "fixed" (global $fixed (mut i32)))
  (import "GOT.mem" "moved" (global $moved (mut i32)))
  (func (export "run") (result i32 i32)
    (global.get $fixed)
    (i32.ge_u (global.get $moved) (i32.const 1024))))
