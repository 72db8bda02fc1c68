(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so"))
  (func (export "_start")))
