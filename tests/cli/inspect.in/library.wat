(module $library
  (@dylink.0
    (mem-info (memory 24 4) (table 1 0))
    (needed "libc.so" "libm.so")
    (runtime-path "$ORIGIN/lib")
    (export-info "errno" tls)
    (export-info "malloc" binding-weak)
    (import-info "env" "perhaps" binding-weak))
  (import "env" "memory" (memory 0))
  (import "env" "perhaps" (func))
  (func (export "malloc"))
  (global (export "errno") i32 (i32.const 0)))
