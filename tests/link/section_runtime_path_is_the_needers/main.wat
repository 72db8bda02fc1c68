(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "liba.so" "libb.so") (runtime-path "$ORIGIN/a"))
  (func (export "run")))
