;; Calls of another module, which has another memory.
(module
  (import "callee" "empty" (func $empty))
  (import "callee" "work" (func $work (param i32 i32) (result i32)))
  (memory 1)
  (func (export "loop_empty") (param $n i32) (result i32)
    (local $i i32)
    (loop $next
      (call $empty)
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i))
  ;; The load is of this module's memory, and always zero: a callee with another
  ;; memory must have given this one back.
  (func (export "loop_work") (param $n i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum
        (i32.add
          (call $work (local.get $sum) (local.get $i))
          (i32.load (i32.const 0x100))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))
