;; Binary trees: many of them live for a short time beside one that stays.
(module
  (type $node (struct (field $left (ref null $node)) (field $right (ref null $node))))

  (global $kept (mut (ref null $node)) (ref.null $node))

  ;; A tree of 2^(depth + 1) - 1 nodes.
  (func $make (param $depth i32) (result (ref null $node))
    (if (result (ref null $node)) (local.get $depth)
      (then
        (struct.new $node
          (call $make (i32.sub (local.get $depth) (i32.const 1)))
          (call $make (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new $node (ref.null $node) (ref.null $node)))))

  ;; How many nodes it has.
  (func $count (param $tree (ref null $node)) (result i32)
    (if (result i32) (ref.is_null (local.get $tree))
      (then (i32.const 0))
      (else
        (i32.add
          (i32.add
            (call $count (struct.get $node $left (local.get $tree)))
            (call $count (struct.get $node $right (local.get $tree))))
          (i32.const 1)))))

  ;; Keeps a tree; the number of its nodes.
  (func (export "keep") (param $depth i32) (result i32)
    (global.set $kept (call $make (local.get $depth)))
    (call $count (global.get $kept)))

  ;; Makes so many trees and counts their nodes.
  (func (export "run") (param $trees i32) (param $depth i32) (result i32)
    (local $nodes i32)
    (loop $next
      (local.set $nodes (i32.add (local.get $nodes) (call $count (call $make (local.get $depth)))))
      (br_if $next (local.tee $trees (i32.sub (local.get $trees) (i32.const 1)))))
    (local.get $nodes)))
