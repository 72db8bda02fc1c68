;; The smallest useful command: writes one line through WASI.
;;
;;   orcavm hello.wat
(module $hello
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $iovs i32) (param $iovs_len i32) (param $written i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 64) "Hello from text!\n")

  (func (export "_start")
    ;; One iovec {buf, buf_len} at address 0.
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 17))
    (drop (call $fd_write
      (i32.const 1)      ;; standard output
      (i32.const 0)      ;; the iovec
      (i32.const 1)
      (i32.const 16))))  ;; where the count of written bytes goes

  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))
