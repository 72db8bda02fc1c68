(module
  ;; 8 bytes aligned to 2^3, 1 element, needs liba.so
  (@custom "dylink" (before first) "\08\03\01\00\01\07liba.so")
  (import "env" "memory" (memory 0))
  (import "env" "__indirect_function_table" (table 0 funcref))
  (import "env" "__memory_base" (global $memory_base i32))
  (import "env" "__table_base" (global $table_base i32))
  (import "env" "a" (func $a (param i32) (result i32)))
  (elem (global.get $table_base) $f)
  (data (global.get $memory_base) "\2a\00\00\00")
  (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.load (global.get $memory_base))))
  (func (export "run") (result i32 i32)
    (call $a (global.get $table_base))
    (i32.and (global.get $memory_base) (i32.const 7))))
