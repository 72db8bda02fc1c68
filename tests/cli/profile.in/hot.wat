;; Two functions, the one with four times the work of the other, and a name
;; that wants to be a program.
(module $app
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $mild (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.mul (i32.add (local.get 1) (local.get 0)) (i32.const 7)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $hot (param i32) (result i32) (local i32)
    (loop
      (local.set 1 (i32.mul (i32.add (local.get 1) (local.get 0)) (i32.const 7)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (@name "<script>alert(1)</script>") (param i32) (result i32)
    (call $mild (local.get 0)))
  (func (export "_start") (local i32)
    (local.set 0 (i32.const 300))
    ;; Rounds of all lengths: samples come in step with equal ones.
    (loop
      (drop (call $mild (i32.mul (local.get 0) (i32.const 1333))))
      (drop (call $hot (i32.mul (local.get 0) (i32.const 10664))))
      (drop (call 3 (i32.mul (local.get 0) (i32.const 1333))))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (call $exit (i32.const 7))))
