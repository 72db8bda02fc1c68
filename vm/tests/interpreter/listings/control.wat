;; Comparisons are taken back into the branches they decide.
(module
  (func (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (param i32 i32) (result i32)
    (if (result i32) (i32.eqz (i32.lt_u (local.get 0) (local.get 1)))
      (then (local.get 0))
      (else (i32.const 5))))
  (func (param i32) (result i32)
    (block $a (result i32)
      (block $b
        (block $c (br_table $b $c $b (local.get 0)))
        (br $a (i32.const 1)))
      (drop (br_if $a (i32.const 2) (i32.eqz (local.get 0))))
      (return (i32.const 3))))
  (func (param f32 f32) (result i32)
    (block $out
      (br_if $out (f32.lt (local.get 0) (local.get 1)))
      (br_if $out (i32.eqz (f32.ge (local.get 0) (local.get 1)))))
    (i32.const 0)))
