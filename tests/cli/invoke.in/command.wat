;; Shows whether _start ran.
(module $command
  (global $started (mut i32) (i32.const 0))
  (func (export "_start") (global.set $started (i32.const 1)))
  (func (export "started") (result i32) (global.get $started))
  (func (export "fail") (param i32) (unreachable)))
