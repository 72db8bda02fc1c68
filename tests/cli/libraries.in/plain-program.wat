;; Needs nothing, and does nothing.
(module $program
  (@dylink.0)
  (func (export "_start")))
