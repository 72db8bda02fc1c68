(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "libtext.so"))
  (func (export "_start")))
