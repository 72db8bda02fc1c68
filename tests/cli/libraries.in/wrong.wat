;; Calls a function as another type than it has.
(module $wrong
  (@dylink.0 (needed "libone.so"))
  (import "env" "one" (func (param i64))))
