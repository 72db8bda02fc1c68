;; A queue: a list of nodes of which the oldest goes as a new one comes, and a table of
;; arrays that are replaced in no order.
(module
  (type $node (struct (field $next (mut (ref null $node))) (field $value i64)))
  (type $bytes (array (mut i8)))
  (type $table (array (mut (ref null $bytes))))

  (global $first (mut (ref null $node)) (ref.null $node))
  (global $last (mut (ref null $node)) (ref.null $node))
  (global $table (mut (ref null $table)) (ref.null $table))

  ;; A queue of so many nodes.
  (func (export "fill") (param $nodes i32)
    (global.set $first (struct.new $node (ref.null $node) (i64.const 0)))
    (global.set $last (global.get $first))
    (loop $next
      (call $push (i64.const 0))
      (br_if $next (local.tee $nodes (i32.sub (local.get $nodes) (i32.const 1))))))

  (func $push (param $value i64)
    (local $node (ref null $node))
    (local.set $node (struct.new $node (ref.null $node) (local.get $value)))
    (struct.set $node $next (global.get $last) (local.get $node))
    (global.set $last (local.get $node)))

  ;; So many nodes come, and as many go; the sum of those that went.
  (func (export "churn") (param $nodes i32) (result i64)
    (local $sum i64) (local $first (ref null $node)) (local $last (ref null $node)) (local $node (ref null $node))
    (local.set $first (global.get $first))
    (local.set $last (global.get $last))
    (loop $next
      (local.set $node (struct.new $node (ref.null $node) (i64.extend_i32_u (local.get $nodes))))
      (struct.set $node $next (local.get $last) (local.get $node))
      (local.set $last (local.get $node))
      (local.set $sum (i64.add (local.get $sum) (struct.get $node $value (local.get $first))))
      (local.set $first (struct.get $node $next (local.get $first)))
      (br_if $next (local.tee $nodes (i32.sub (local.get $nodes) (i32.const 1)))))
    (global.set $first (local.get $first))
    (global.set $last (local.get $last))
    (local.get $sum))

  ;; A table of so many arrays, none yet.
  (func (export "arrays") (param $arrays i32)
    (global.set $table (array.new_default $table (local.get $arrays))))

  ;; Makes so many arrays of 0 to 1023 bytes, each in the place of another; the sum of
  ;; the lengths of those that went.
  (func (export "replace") (param $arrays i32) (result i64)
    (local $sum i64) (local $random i64) (local $at i32) (local $old (ref null $bytes))
    (local.set $random (i64.const 88172645463325252))
    (loop $next
      (local.set $random (i64.xor (local.get $random) (i64.shl (local.get $random) (i64.const 13))))
      (local.set $random (i64.xor (local.get $random) (i64.shr_u (local.get $random) (i64.const 7))))
      (local.set $random (i64.xor (local.get $random) (i64.shl (local.get $random) (i64.const 17))))
      (local.set $at
        (i32.rem_u (i32.wrap_i64 (i64.shr_u (local.get $random) (i64.const 32))) (array.len (global.get $table))))
      (local.set $old (array.get $table (global.get $table) (local.get $at)))
      (if (i32.eqz (ref.is_null (local.get $old)))
        (then (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (array.len (local.get $old)))))))
      (array.set $table (global.get $table) (local.get $at)
        (array.new_default $bytes (i32.and (i32.wrap_i64 (local.get $random)) (i32.const 1023))))
      (br_if $next (local.tee $arrays (i32.sub (local.get $arrays) (i32.const 1)))))
    (local.get $sum)))
