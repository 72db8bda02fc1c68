(module
  (func (export "f")
    (call $g)))
