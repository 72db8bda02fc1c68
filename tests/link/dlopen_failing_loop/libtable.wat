(module
  (@dylink.0 (mem-info (memory 0 0)))
  (import "env" "__indirect_function_table" (table 0 funcref))
  (func (export "table_size") (result i32) (table.size 0)))
