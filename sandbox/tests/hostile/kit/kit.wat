    @imports
    (memory (export "memory") 4 100)

    ;; Complains if two numbers differ.
    (func $same (param $found i32) (param $expected i32) (param $step i32)
        (call $same64
            (i64.extend_i32_s (local.get $found)) (i64.extend_i32_s (local.get $expected)) (local.get $step)))

    ;; Maps so many bytes of a new region at an address, and gives up the handle.
    (func $map_new (param $bytes i64) (param $at i64) (param $access i32) (local $region i32)
        (local.set $region (call $region (local.get $bytes)))
        (call $same64
            (call $map (local.get $region) (i64.const 0) (local.get $bytes) (local.get $at) (local.get $access))
            (local.get $at) (i32.const -100))
        (call $same (call $close (local.get $region)) (i32.const 0) (i32.const -101)))

    ;; A child that is not started, of a module in a file.
    (func $child (param $path i32) (param $len i32) (param $permissions i32) (param $permissions_len i32) (result i32)
        (local $module i32) (local $child i32)
        (local.set $module (call $load_path (local.get $path) (local.get $len)))
        (if (i32.lt_s (local.get $module) (i32.const 0)) (then (return (local.get $module))))
        (local.set $child (call $create
            (local.get $module) (local.get $permissions) (local.get $permissions_len)))
        (call $same (call $unload (local.get $module)) (i32.const 0) (i32.const -102))
        (local.get $child))

    ;; A child that is started; it cannot import more than anybody.
    (func $run_child (param $path i32) (param $len i32) (param $permissions i32) (param $permissions_len i32) (result i32)
        (local $child i32) (local $started i32)
        (local.set $child (call $child
            (local.get $path) (local.get $len) (local.get $permissions) (local.get $permissions_len)))
        (if (i32.lt_s (local.get $child) (i32.const 0)) (then (return (local.get $child))))
        (local.set $started (call $start (local.get $child)))
        (if (local.get $started) (then (return (local.get $started))))
        (local.get $child))

    ;; Calls a child's function with what is at 0xb000; the i32 that is there then,
    ;; or why it failed.
    (func $ask (param $child i32) (param $name i32) (param $len i32) (result i32) (local $func i32) (local $result i32)
        (local.set $func (call $find (local.get $child) (local.get $name) (local.get $len)))
        (if (i32.lt_s (local.get $func) (i32.const 0)) (then (return (local.get $func))))
        (local.set $result (call $call (local.get $child) (local.get $func) (i32.const 0xb000) (i32.const 0xb000)))
        (if (result i32) (local.get $result) (then (local.get $result)) (else (i32.load (i32.const 0xb000)))))

    ;; The same, with a number for the function.
    (func $ask_with (param $child i32) (param $name i32) (param $len i32) (param $number i32) (result i32)
        (i64.store (i32.const 0xb000) (i64.extend_i32_u (local.get $number)))
        (call $ask (local.get $child) (local.get $name) (local.get $len)))
