(module
  (@dylink.0 (mem-info (memory 0 0) (table 1 0)) (needed "liba.so"))
  (import "env" "__indirect_function_table" (table 0 funcref))
  (import "env" "__table_base" (global $table_base i32))
  (import "env" "a_base" (func $a_base (result i32)))
  (type $f (func (result i32)))
  (elem (global.get $table_base) $f)
  (func $f (result i32) (i32.const 7))
  (func (export "run") (result i32 i32 i32 i32)
    (call_indirect (type $f) (global.get $table_base))
    (call_indirect (type $f) (i32.add (call $a_base) (i32.const 99999)))
    (i32.ge_u (table.size) (i32.const 100002))
    ;; Apart: main's element is not among a's.
    (i32.ge_u (i32.sub (global.get $table_base) (call $a_base)) (i32.const 100000))))
