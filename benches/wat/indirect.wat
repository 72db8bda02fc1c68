;; Calls through the module's table.
(module
  (type $empty (func))
  (type $work (func (param i32 i32) (result i32)))
  (table 3 3 funcref)
  (elem (i32.const 1) $empty $work)
  (memory 1)
  (func $empty)
  ;; As in callee.wat.
  (func $work (param $a i32) (param $b i32) (result i32)
    (local $x i32) (local $at i32)
    (local.set $x (i32.add (i32.mul (local.get $a) (i32.const 31)) (local.get $b)))
    (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 7))))
    (local.set $at (i32.and (local.get $x) (i32.const 0xfc)))
    (i32.store (local.get $at) (local.get $x))
    (i32.add
      (i32.load (local.get $at))
      (i32.rotl (local.get $b) (i32.const 3))))
  (func (export "loop_empty") (param $n i32) (result i32)
    (local $i i32)
    (loop $next
      (call_indirect (type $empty) (i32.const 1))
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
          (call_indirect (type $work) (local.get $sum) (local.get $i) (i32.const 2))
          (i32.load (i32.const 0x100))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))
