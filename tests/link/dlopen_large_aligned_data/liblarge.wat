;; As a compiler would make it, without 3 MiB of zeros in the file.
(module
  (@dylink.0 (mem-info (memory 3211264 16)))
  (import "env" "memory" (memory 0))
  (import "env" "__memory_base" (global $memory_base i32))
  (global (export "data") i32 (i32.const 0))
  (global (export "initial") i32 (i32.const 3145728))
  (data (offset (i32.add (global.get $memory_base) (i32.const 3145728))) "\01\00\00\00\02\00\00\00\03\00\00\00"))
