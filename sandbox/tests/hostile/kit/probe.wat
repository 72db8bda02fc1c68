;; Gives 42 if a region can be made, mapped, written, read and unmapped.
(module
    (import "orca_region" "create" (func $create (param i64) (result i32)))
    (import "orca_region" "map" (func $map (param i32 i64 i64 i64 i32) (result i64)))
    (import "orca_region" "unmap" (func $unmap (param i64 i64) (result i32)))
    (import "orca_region" "close" (func $close (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (result i32) (local $region i32) (local $at i64) (local $value i32)
        (local.set $region (call $create (i64.const 4096)))
        (if (i32.lt_s (local.get $region) (i32.const 0)) (then (return (local.get $region))))
        (local.set $at (call $map
            (local.get $region) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1)))
        (if (i64.lt_s (local.get $at) (i64.const 0)) (then (return (i32.wrap_i64 (local.get $at)))))
        (i32.store (i32.wrap_i64 (local.get $at)) (i32.const 42))
        (local.set $value (i32.load (i32.wrap_i64 (local.get $at))))
        (if (call $unmap (local.get $at) (i64.const 4096)) (then (return (i32.const -1))))
        (if (call $close (local.get $region)) (then (return (i32.const -2))))
        (local.get $value)))
