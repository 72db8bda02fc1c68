(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (import "env" "add" (func $add (param v128 f32 v128) (result f32 v128)))
  (func (export "run") (result f32 i32)
    (local $vector v128)
    (call $add (v128.const i32x4 1 2 3 4) (f32.const 0.5) (v128.const i32x4 10 20 30 40))
    (local.set $vector)
    (i32x4.extract_lane 3 (local.get $vector))))
