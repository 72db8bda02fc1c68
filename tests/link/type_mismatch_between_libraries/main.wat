(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "libouter.so"))
  (func (export "run")))
