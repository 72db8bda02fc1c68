(module
  (@dylink.0
    (mem-info (memory 0 0))
    (import-info "env" "no_function" binding-weak undefined)
    (import-info "env" "no_data" binding-weak undefined)
    (import-info "GOT.mem" "no_data_either" binding-weak undefined))
  (import "env" "no_function" (func $f))
  (import "GOT.func" "no_function" (global $pf (mut i32)))
  (import "GOT.mem" "no_data" (global $pd (mut i32)))
  (import "GOT.mem" "no_data_either" (global $pe (mut i32)))
  (func (export "run") (result i32 i32 i32)
    (if (global.get $pf) (then (call $f)))
    (global.get $pf) (global.get $pd) (global.get $pe)))
