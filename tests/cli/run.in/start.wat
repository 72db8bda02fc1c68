;; Has only a start function.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func $main (call $exit (i32.const 4)))
  (start $main))
