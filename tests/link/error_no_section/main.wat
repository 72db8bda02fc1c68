(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "libplain.so"))
  (func (export "_start")))
