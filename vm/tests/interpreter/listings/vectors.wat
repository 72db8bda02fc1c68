;; Vectors: two slots each, passed in the accumulator, loaded by what uses them.
(module
  (memory 1)
  (global $g (mut v128) (v128.const i64x2 1 2))
  (func (param v128 i32 v128) (result v128)
    (i32x4.mul (i16x8.add (local.get 0) (local.get 2)) (i16x8.sub (local.get 2) (local.get 0))))
  (func (param i32 i32) (local v128)
    (loop
      (local.set 2 (f32x4.add (local.get 2) (f32x4.mul (v128.load (local.get 0)) (v128.load offset=16 (local.get 1)))))
      (local.set 0 (i32.add (local.get 0) (i32.const 16)))
      (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 16))) (i32.const 4096))))
    (global.set $g (local.get 2)))
  (func (param v128 i32) (result i32)
    (i8x16.bitmask (i8x16.shl (i8x16.replace_lane 3 (local.get 0) (local.get 1)) (i32.const 2))))
  (func (param v128 v128) (result i64 v128)
    (i64x2.extract_lane 1 (local.get 1))
    (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get 0) (local.get 1)))
  (func (param i32 v128 v128) (result v128)
    (if (result v128) (local.get 0) (then (local.get 1)) (else (v128.not (local.get 2))))))
