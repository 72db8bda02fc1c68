(module
  (@custom "dylink.0" (before first) "\01\05\00\00\00\00\00")
  (func (export "_start")))
