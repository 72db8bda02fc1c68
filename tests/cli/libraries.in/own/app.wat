;; Says where its library is, and is a program of WASI.
(module $app
  (@dylink.0
    (mem-info (memory 32 2))
    (needed "libcode.so")
    (runtime-path "$ORIGIN/plugins"))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "code" (func $code (result i32)))
  (func (export "_start") (call $exit (call $code))))
