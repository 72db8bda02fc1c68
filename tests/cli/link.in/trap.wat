(module $trap
  (func (export "quadruple") (param i32) (result i32) unreachable))
