;; Memory of 2 MiB, of which addresses from 0x10000 on are used, or a region.
(module
  (memory (export "memory") 32)
  ;; Adds one to each word of 1 MiB, and gives the sum.
  (func (export "sum") (param $at i32) (result i64)
    (local $end i32) (local $sum i64) (local $word i32)
    (local.set $end (i32.add (local.get $at) (i32.const 0x100000)))
    (loop $next
      (i32.store (local.get $at)
        (local.tee $word (i32.add (i32.load (local.get $at)) (i32.const 1))))
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $word))))
      (br_if $next
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (local.get $end))))
    (local.get $sum))
  ;; Adds one to the first and the last word of 1 MiB, and gives their sum.
  (func (export "stage") (param $at i32) (result i32)
    (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (i32.const 1)))
    (i32.store offset=0xffffc (local.get $at)
      (i32.add (i32.load offset=0xffffc (local.get $at)) (i32.const 1)))
    (i32.add (i32.load (local.get $at)) (i32.load offset=0xffffc (local.get $at)))))
