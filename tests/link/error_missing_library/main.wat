(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "libnowhere.so"))
  (func (export "_start")))
