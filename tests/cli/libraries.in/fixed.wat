;; Needs a library that is not position-independent.
(module $fixed
  (@dylink.0 (needed "./app.wat" "./plain.wat"))
  (import "env" "one" (func (param i64))))
