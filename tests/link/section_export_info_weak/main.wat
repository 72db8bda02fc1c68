(module
  (@dylink.0 (mem-info (memory 0 0)) (needed "libweak.so" "libstrong.so"))
  (import "env" "who" (func $who (result i32)))
  (import "env" "memory" (memory 0))
  (import "GOT.mem" "what" (global $what (mut i32)))
  (func (export "run") (result i32 i32) (call $who) (i32.load (global.get $what))))
