;; Makes regions until there are no more, closes them, and makes as many again; also with closed handles.
;;; config spent
;;; main
(module @kit
    (func $fill (result i32) (local $n i32) (local $region i32)
        (loop $more
            (local.set $region (call $region (i64.const 4096)))
            (if (i32.ge_s (local.get $region) (i32.const 0))
                (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $more))))
        (call $same (local.get $region) (i32.const -41) (i32.const 1))
        (local.get $n))
    (func $map_all (result i32) (local $n i32) (local $region i32)
        (loop $more
            (local.set $region (call $region (i64.const 4096)))
            (if (i32.ge_s (local.get $region) (i32.const 0))
                (then
                    (drop (call $map (local.get $region) (i64.const 0) (i64.const 4096) (i64.const -1) (i32.const 1)))
                    (drop (call $close (local.get $region)))
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br $more))))
        (local.get $n))
    (func (export "run") (local $i i32)
        (call $same (call $fill) (i32.const 256) (i32.const 2))
        (loop $close
            (call $same (call $close (local.get $i)) (i32.const 0) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $close (i32.lt_u (local.get $i) (i32.const 256))))
        ;; What is mapped counts, whether or not it has a handle.
        (call $same (call $map_all) (i32.const 256) (i32.const 4))
        (call $same (call $unmap (i64.const 0xfff00000) (i64.const 0xf0000)) (i32.const 0) (i32.const 5))
        (call $same (call $fill) (i32.const 240) (i32.const 6))))
