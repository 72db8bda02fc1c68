;; Functions that trap when called with zero, each in its own way.
(module
  (memory 1)
  ;; Far beyond the memory, within what a 32-bit memory may have.
  (func (export "out_of_bounds") (param i32) (result i32)
    (i32.load (i32.add (local.get 0) (i32.const 0x7fff0000))))
  (func (export "division_by_zero") (param i32) (result i32)
    (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "unreachable") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (unreachable)))
    (local.get 0))
  ;; The same, a hundred calls deep.
  (func $deep (export "unreachable_deep") (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 100)) (then (unreachable)))
    (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))
