;; Stands in for a part of WASI.
(module $random
  (func (export "random_get") (param i32 i32) (result i32) (i32.const 42)))
