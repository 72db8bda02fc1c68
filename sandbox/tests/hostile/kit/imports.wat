    (import "host" "same" (func $same64 (param $found i64) (param $expected i64) (param $step i32)))
    (import "host" "attempt" (func $attempt (param funcref) (result i32)))
    (import "host" "attempt_with_nothing" (func $attempt_with_nothing (param funcref) (result i32)))
    (import "host" "memory_used" (func $memory_used (result i64)))
    (import "orca_region" "create" (func $region (param $bytes i64) (result i32)))
    (import "orca_region" "open" (func $open (param $name i32) (param $len i32) (result i32)))
    (import "orca_region" "close" (func $close (param $region i32) (result i32)))
    (import "orca_region" "size" (func $size (param $region i32) (result i64)))
    (import "orca_region" "access" (func $access (param $region i32) (result i32)))
    (import "orca_region" "map"
        (func $map (param $region i32) (param $offset i64) (param $len i64) (param $at i64) (param $access i32) (result i64)))
    (import "orca_region" "unmap" (func $unmap (param $at i64) (param $len i64) (result i32)))
    (import "orca_region" "protect" (func $protect (param $at i64) (param $len i64) (param $access i32) (result i32)))
    (import "orca_module" "load" (func $load (param $bytes i32) (param $len i32) (result i32)))
    (import "orca_module" "load_path" (func $load_path (param $path i32) (param $len i32) (result i32)))
    (import "orca_module" "unload" (func $unload (param $module i32) (result i32)))
    (import "orca_module" "create" (func $create (param $module i32) (param $permissions i32) (param $len i32) (result i32)))
    (import "orca_module" "share"
        (func $share (param $child i32) (param $region i32) (param $name i32) (param $len i32) (param $access i32) (result i32)))
    (import "orca_module" "offer"
        (func $offer (param $child i32) (param $module i32) (param $module_len i32) (param $name i32) (param $name_len i32)
            (param $index i32) (param $gate i32) (result i32)))
    (import "orca_module" "start" (func $start (param $child i32) (result i32)))
    (import "orca_module" "find" (func $find (param $child i32) (param $name i32) (param $len i32) (result i32)))
    (import "orca_module" "signature"
        (func $signature (param $child i32) (param $func i32) (param $text i32) (param $room i32) (result i32)))
    (import "orca_module" "call"
        (func $call (param $child i32) (param $func i32) (param $args i32) (param $results i32) (result i32)))
    (import "orca_module" "exit_code" (func $exit_code (param $child i32) (result i32)))
    (import "orca_module" "read"
        (func $read (param $child i32) (param $from i32) (param $to i32) (param $len i32) (result i32)))
    (import "orca_module" "write"
        (func $write (param $child i32) (param $to i32) (param $from i32) (param $len i32) (result i32)))
    (import "orca_module" "permissions" (func $permissions (param $child i32) (param $text i32) (param $room i32) (result i32)))
    (import "orca_module" "own_permissions" (func $own_permissions (param $text i32) (param $room i32) (result i32)))
    (import "orca_module" "give_up" (func $give_up (param $text i32) (param $len i32) (result i32)))
    (import "orca_module" "drop" (func $drop (param $child i32) (result i32)))
    (import "orca_module" "error" (func $error (param $text i32) (param $room i32) (result i32)))
    (import "orca_module" "offer_as"
        (func $offer_as (param $child i32) (param $module i32) (param $module_len i32) (param $name i32) (param $name_len i32)
            (param $index i32) (param $gate i32) (param $signature i32) (param $signature_len i32) (result i32)))
    (import "orca_module" "declare"
        (func $declare (param $child i32) (param $func i32) (param $signature i32) (param $len i32) (result i32)))
    (import "orca_module" "symbol"
        (func $symbol (param $child i32) (param $name i32) (param $len i32) (param $signature i32) (param $signature_len i32)
            (result i32)))
    (import "orca_module" "pass"
        (func $pass (param $child i32) (param $place i32) (param $signature i32) (param $len i32) (result i32)))
    (import "orca_module" "take"
        (func $take (param $child i32) (param $place i32) (param $signature i32) (param $len i32) (result i32)))
    (import "orca_module" "withdraw" (func $withdraw (param $child i32) (param $place i32) (result i32)))
    (import "orca_module" "release" (func $release (param $place i32) (result i32)))
    (import "orca_module" "lend"
        (func $lend (param $child i32) (param $at i32) (param $len i32) (param $access i32) (result i32)))
    (import "orca_module" "reclaim" (func $reclaim (param $child i32) (param $at i32) (result i32)))
    (import "orca_access" "load8" (func $peek8 (param $of i32) (param $at i32) (result i32)))
    (import "orca_access" "load16" (func $peek16 (param $of i32) (param $at i32) (result i32)))
    (import "orca_access" "load32" (func $peek32 (param $of i32) (param $at i32) (result i32)))
    (import "orca_access" "load64" (func $peek64 (param $of i32) (param $at i32) (result i64)))
    (import "orca_access" "store8" (func $poke8 (param $of i32) (param $at i32) (param $value i32)))
    (import "orca_access" "store16" (func $poke16 (param $of i32) (param $at i32) (param $value i32)))
    (import "orca_access" "store32" (func $poke32 (param $of i32) (param $at i32) (param $value i32)))
    (import "orca_access" "store64" (func $poke64 (param $of i32) (param $at i32) (param $value i64)))
    (import "orca_access" "copy_from"
        (func $copy_from (param $of i32) (param $from i32) (param $to i32) (param $len i32) (result i32)))
    (import "orca_access" "copy_to"
        (func $copy_to (param $of i32) (param $to i32) (param $from i32) (param $len i32) (result i32)))
    (import "orca_access" "fill" (func $fill_other (param $of i32) (param $at i32) (param $byte i32) (param $len i32) (result i32)))
    (import "orca_access" "size" (func $bytes_of (param $of i32) (param $at i32) (result i64)))
    (import "orca_access" "length" (func $length_of (param $of i32) (param $at i32) (param $most i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param $at i32) (param $len i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock_time_get (param $clock i32) (param $precision i64) (param $at i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $fd_read (param $fd i32) (param $iovs i32) (param $count i32) (param $read i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param $fd i32) (param $iovs i32) (param $count i32) (param $written i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $path_open (param $fd i32) (param $look i32) (param $path i32) (param $len i32) (param $open i32)
            (param $base i64) (param $inheriting i64) (param $flags i32) (param $opened i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $path_create_directory (param $fd i32) (param $path i32) (param $len i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param $count i32) (param $bytes i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get"
        (func $environ_sizes_get (param $count i32) (param $bytes i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param $code i32)))
