;; What linked.wat calls.
(module (@dylink.0)
  (import "env" "memory" (memory 1))
  (func (export "empty"))
  ;; Nine operators besides those that get and set locals.
  (func (export "work") (param $a i32) (param $b i32) (result i32)
    (local $x i32) (local $at i32)
    (local.set $x (i32.add (i32.mul (local.get $a) (i32.const 31)) (local.get $b)))
    (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 7))))
    (local.set $at (i32.and (local.get $x) (i32.const 0xfc)))
    (i32.store (local.get $at) (local.get $x))
    (i32.add
      (i32.load (local.get $at))
      (i32.rotl (local.get $b) (i32.const 3)))))
