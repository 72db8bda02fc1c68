(module $app
  (import "lib" "work" (func $work (param i32)))
  (func (export "_start") (local i32)
    (local.set 0 (i32.const 100))
    (loop
      (call $work (i32.const 1000000))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
