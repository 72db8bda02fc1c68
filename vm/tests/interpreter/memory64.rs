//! Memories with 64-bit addresses: each way to compute an address, against exact
//! arithmetic; what cannot be had; the embedding API.

use std::fmt::Write;

use vm::{
    Access, Config, Engine, Error, Instance, LimitError, Memory, MemoryType, Module, Region, Store, StoreLimitsBuilder,
    Trap,
};

use crate::common::engines;

/// Bytes of the memories here.
const SIZE: u128 = 2 << 16;

/// Static offsets, beyond 32 bits too.
const OFFSETS: [u64; 6] = [0, 24, 0xffff_ffff, 1 << 32, 1 << 63, u64::MAX - 7];

/// First terms of addresses.
const FIRST: [u64; 14] = [
    0,
    1,
    8,
    0x1_0000,
    0x1_fff8,
    0x1_fff9,
    0x1_ffff,
    0x2_0000,
    1 << 32,
    (1 << 38) - 1,
    1 << 38,
    1 << 63,
    u64::MAX - 23,
    u64::MAX,
];

/// Second terms.
const SECOND: [u64; 5] = [0, 8, 0x1_fff0, 1 << 63, u64::MAX - 7];

/// How an address is made of two terms: name, code, and what it means for
/// elements of so many bytes.
type Form = (&'static str, &'static str, fn(u64, u64, u32) -> u64);

const FORMS: [Form; 8] = [
    ("plain", "(local.get $x)", |x, _, _| x),
    ("sum", "(i64.add (local.get $x) (local.get $y))", |x, y, _| {
        x.wrapping_add(y)
    }),
    ("wrap", "(i64.add (local.get $x) (i64.const -8))", |x, _, _| {
        x.wrapping_sub(8)
    }),
    (
        "far",
        "(i64.add (local.get $x) (i64.const 0x8000000000000000))",
        |x, _, _| x.wrapping_add(1 << 63),
    ),
    (
        "scaled",
        "(i64.add (local.get $y) (i64.shl (local.get $x) (i64.const SHIFT)))",
        |x, y, shift| y.wrapping_add(x << shift),
    ),
    ("index", "(i64.shl (local.get $x) (i64.const SHIFT))", |x, _, shift| {
        x << shift
    }),
    ("made", "(i64.xor (local.get $x) (local.get $y))", |x, y, _| x ^ y),
    (
        "extended",
        "(i64.extend_i32_u (i32.wrap_i64 (local.get $x)))",
        |x, _, _| u64::from(x as u32),
    ),
];

/// Loads: name, bytes, and how their result becomes an i64 of the bytes read.
const LOADS: [(&str, usize, &str); 14] = [
    ("i64.load", 8, "LOAD"),
    ("i32.load", 4, "(i64.extend_i32_u LOAD)"),
    ("f32.load", 4, "(i64.extend_i32_u (i32.reinterpret_f32 LOAD))"),
    ("f64.load", 8, "(i64.reinterpret_f64 LOAD)"),
    ("i32.load8_u", 1, "(i64.extend_i32_u LOAD)"),
    ("i32.load8_s", 1, "(i64.and (i64.const 0xff) (i64.extend_i32_u LOAD))"),
    ("i32.load16_u", 2, "(i64.extend_i32_u LOAD)"),
    (
        "i32.load16_s",
        2,
        "(i64.and (i64.const 0xffff) (i64.extend_i32_u LOAD))",
    ),
    ("i64.load8_u", 1, "LOAD"),
    ("i64.load8_s", 1, "(i64.and (i64.const 0xff) LOAD)"),
    ("i64.load16_u", 2, "LOAD"),
    ("i64.load16_s", 2, "(i64.and (i64.const 0xffff) LOAD)"),
    ("i64.load32_u", 4, "LOAD"),
    ("i64.load32_s", 4, "(i64.and (i64.const 0xffffffff) LOAD)"),
];

/// Stores: name, bytes, and their value.
const STORES: [(&str, usize, &str); 9] = [
    ("i64.store", 8, "(local.get $v)"),
    ("i32.store", 4, "(i32.wrap_i64 (local.get $v))"),
    ("f32.store", 4, "(f32.reinterpret_i32 (i32.wrap_i64 (local.get $v)))"),
    ("f64.store", 8, "(f64.reinterpret_i64 (local.get $v))"),
    ("i32.store8", 1, "(i32.wrap_i64 (local.get $v))"),
    ("i32.store16", 2, "(i32.wrap_i64 (local.get $v))"),
    ("i64.store8", 1, "(local.get $v)"),
    ("i64.store16", 2, "(local.get $v)"),
    ("i64.store32", 4, "(local.get $v)"),
];

/// The byte that the tests' memories have at an address.
fn byte(at: u128) -> u8 {
    (at * 37 + at / 256 + 1) as u8
}

/// The bytes at an address as a number, if all are inside.
fn expected(address: u128, bytes: usize) -> Option<u64> {
    if address + bytes as u128 > SIZE {
        return None;
    }
    let value = (0..bytes as u128).map(|i| u64::from(byte(address + i)) << (8 * i));
    Some(value.sum())
}

/// Instances whose memories are patterned, in engines with and without guard
/// pages, and one whose memory is not the first.
fn instances(functions: &str) -> Vec<(&'static str, Store<()>, Instance, Memory)> {
    let [guarded, checked] = engines();
    let first = format!(r#"(module (memory $m (export "m") i64 2 8) {functions})"#);
    let second = format!(r#"(module (memory i64 1) (memory $m (export "m") i64 2 8) {functions})"#);
    let all = [
        ("guarded", guarded.clone(), &first),
        ("checked", checked, &first),
        ("second", guarded, &second),
    ];
    let make = |(name, engine, text): (_, Engine, &String)| {
        let module = Module::new(&engine, text).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        let memory = instance.get_memory(&mut store, "m").expect("exported");
        for (at, here) in (0..).zip(memory.data_mut(&mut store)) {
            *here = byte(at);
        }
        (name, store, instance, memory)
    };
    all.into_iter().map(make).collect()
}

/// What a call gives, or `None` where it traps out of bounds.
fn result<R>(result: Result<R, Error>) -> Option<R> {
    let out_of_bounds = |error: Error| assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds), "{error}");
    result.map_err(out_of_bounds).ok()
}

#[test]
fn loads_reach_what_exact_sums_of_65_bits_say() {
    let mut functions = String::new();
    let mut calls = Vec::new();
    for (l, (load, bytes, whole)) in LOADS.into_iter().enumerate() {
        for (form, code, meaning) in FORMS {
            for offset in OFFSETS {
                // The first four loads are enough for all ways.
                if l >= 4 && (offset > 24 || form == "far") {
                    continue;
                }
                let shift = bytes.trailing_zeros();
                let code = code.replace("SHIFT", &shift.to_string());
                let load_code = whole.replace("LOAD", &format!("({load} $m offset={offset} {code})"));
                let name = format!("{load} {form} {offset:#x}");
                writeln!(
                    functions,
                    r#"(func (export "{name}") (param $x i64) (param $y i64) (result i64) {load_code})"#
                )
                .expect("strings can be written to");
                calls.push((name, bytes, offset, meaning, form));
            }
        }
    }
    for (kind, mut store, instance, _) in instances(&functions) {
        for (name, bytes, offset, meaning, form) in &calls {
            let f = instance
                .get_typed_func::<(i64, i64), i64>(&mut store, name)
                .expect("exported");
            for x in FIRST {
                for y in SECOND {
                    if y != 0 && !matches!(*form, "sum" | "scaled" | "made") {
                        continue;
                    }
                    let index = meaning(x, y, bytes.trailing_zeros());
                    let expected = expected(u128::from(index) + u128::from(*offset), *bytes);
                    let got = result(f.call(&mut store, (x.cast_signed(), y.cast_signed())));
                    assert_eq!(
                        got.map(i64::cast_unsigned),
                        expected,
                        "{kind}: {name} of {x:#x}, {y:#x}"
                    );
                }
            }
        }
    }
}

#[test]
fn stores_reach_what_exact_sums_of_65_bits_say() {
    const VALUE: u64 = 0xfedc_ba98_7654_3210;
    let mut functions = String::new();
    let mut calls = Vec::new();
    for (s, (store, bytes, value)) in STORES.into_iter().enumerate() {
        for (form, code, meaning) in FORMS {
            for offset in OFFSETS {
                if s >= 4 && (offset > 24 || form == "far") {
                    continue;
                }
                let code = code.replace("SHIFT", &bytes.trailing_zeros().to_string());
                let name = format!("{store} {form} {offset:#x}");
                writeln!(
                    functions,
                    r#"(func (export "{name}") (param $x i64) (param $y i64) (param $v i64)
                        ({store} $m offset={offset} {code} {value}))"#
                )
                .expect("strings can be written to");
                calls.push((name, bytes, offset, meaning, form));
            }
        }
    }
    for (kind, mut store, instance, memory) in instances(&functions) {
        let before = memory.data(&store).to_vec();
        for (name, bytes, offset, meaning, form) in &calls {
            let f = instance
                .get_typed_func::<(i64, i64, i64), ()>(&mut store, name)
                .expect("exported");
            for x in FIRST {
                for y in SECOND {
                    if y != 0 && !matches!(*form, "sum" | "scaled" | "made") {
                        continue;
                    }
                    let index = meaning(x, y, bytes.trailing_zeros());
                    let at = u128::from(index) + u128::from(*offset);
                    let params = (x.cast_signed(), y.cast_signed(), VALUE.cast_signed());
                    let got = result(f.call(&mut store, params));
                    assert_eq!(
                        got.is_some(),
                        expected(at, *bytes).is_some(),
                        "{kind}: {name} of {x:#x}, {y:#x}"
                    );
                    let data = memory.data_mut(&mut store);
                    if got.is_some() {
                        let written = &mut data[at as usize..at as usize + bytes];
                        assert_eq!(
                            *written,
                            VALUE.to_le_bytes()[..*bytes],
                            "{kind}: {name} of {x:#x}, {y:#x}"
                        );
                        for (at, here) in (at..).zip(written) {
                            *here = byte(at);
                        }
                    }
                }
            }
            assert!(memory.data(&store) == before, "{kind}: {name} wrote elsewhere");
        }
    }
}

#[test]
fn constant_addresses_are_exact_too() {
    let mut functions = String::new();
    let mut calls = Vec::new();
    for base in FIRST {
        for offset in OFFSETS {
            let name = format!("{base:#x} {offset:#x}");
            writeln!(
                functions,
                r#"(func (export "load {name}") (result i64) (i64.load $m offset={offset} (i64.const {base})))
                (func (export "store {name}") (param i64)
                  (i64.store $m offset={offset} (i64.const {base}) (i64.add (local.get 0) (i64.const 1))))
                (func (export "constant {name}") (i32.store8 $m offset={offset} (i64.const {base}) (i32.const 7)))"#
            )
            .expect("strings can be written to");
            calls.push((name, u128::from(base) + u128::from(offset)));
        }
    }
    for (kind, mut store, instance, memory) in instances(&functions) {
        let before = memory.data(&store).to_vec();
        for (name, at) in &calls {
            let load = instance.get_typed_func::<(), i64>(&mut store, &format!("load {name}"));
            let got = result(load.expect("exported").call(&mut store, ()));
            assert_eq!(got.map(i64::cast_unsigned), expected(*at, 8), "{kind}: {name}");
            let write = instance.get_typed_func::<i64, ()>(&mut store, &format!("store {name}"));
            let got = result(write.expect("exported").call(&mut store, 41));
            assert_eq!(got.is_some(), expected(*at, 8).is_some(), "{kind}: {name}");
            let constant = instance.get_typed_func::<(), ()>(&mut store, &format!("constant {name}"));
            let got_byte = result(constant.expect("exported").call(&mut store, ()));
            assert_eq!(got_byte.is_some(), expected(*at, 1).is_some(), "{kind}: {name}");
            let data = memory.data_mut(&mut store);
            if got.is_some() {
                assert_eq!(
                    data[*at as usize..*at as usize + 8],
                    [7, 0, 0, 0, 0, 0, 0, 0],
                    "{kind}: {name}"
                );
            }
            data.copy_from_slice(&before);
        }
    }
}

/// Sums and copies of arrays, in loops that pin an address, an index or a value.
#[test]
fn loops_over_arrays_work_as_on_32_bits() {
    let functions = r#"
        (func (export "by pointer") (param $p i64) (param $end i64) (result i64) (local $sum i64)
          (loop $l
            (local.set $sum (i64.add (local.get $sum) (i64.load $m offset=8 (local.get $p))))
            (local.set $p (i64.add (local.get $p) (i64.const 8)))
            (br_if $l (i64.lt_u (local.get $p) (local.get $end))))
          (local.get $sum))
        (func (export "by index") (param $a i64) (param $n i64) (result i64) (local $i i64) (local $sum i64)
          (loop $l
            (local.set $sum
              (i64.add (local.get $sum) (i64.load $m (i64.add (local.get $a) (i64.shl (local.get $i) (i64.const 3))))))
            (i64.store $m offset=0x10000 (i64.shl (local.get $i) (i64.const 3)) (local.get $sum))
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $l (i64.ne (local.get $i) (local.get $n))))
          (local.get $sum))
        (func (export "until") (param $p i64) (param $x i32) (result i64)
          (loop $l
            (local.set $p (i64.add (local.get $p) (i64.const 1)))
            (br_if $l (i32.ne (i32.load8_u $m (local.get $p)) (local.get $x))))
          (local.get $p))"#;
    let word = |at: u128| expected(at, 8).expect("inside");
    for (kind, mut store, instance, memory) in instances(functions) {
        let by_pointer = instance
            .get_typed_func::<(i64, i64), i64>(&mut store, "by pointer")
            .expect("exported");
        let sum = (64..128)
            .step_by(8)
            .fold(0_u64, |sum, at| sum.wrapping_add(word(at + 8)));
        assert_eq!(
            result(by_pointer.call(&mut store, (64, 128))),
            Some(sum.cast_signed()),
            "{kind}"
        );
        assert_eq!(
            result(by_pointer.call(&mut store, (0x1_0000, i64::MAX))),
            None,
            "{kind}"
        );
        let until = instance
            .get_typed_func::<(i64, i32), i64>(&mut store, "until")
            .expect("exported");
        let found = (101..).find(|at| byte(*at) == 200).expect("soon") as i64;
        assert_eq!(result(until.call(&mut store, (100, 200))), Some(found), "{kind}");
        assert_eq!(result(until.call(&mut store, (100, 256))), None, "{kind}");
        let by_index = instance
            .get_typed_func::<(i64, i64), i64>(&mut store, "by index")
            .expect("exported");
        let sum = (0..50).fold(0_u64, |sum, i| sum.wrapping_add(word(1000 + 8 * i)));
        assert_eq!(
            result(by_index.call(&mut store, (1000, 50))),
            Some(sum.cast_signed()),
            "{kind}"
        );
        let data = memory.data(&store);
        assert_eq!(data[0x1_0000 + 49 * 8..][..8], sum.to_le_bytes(), "{kind}");
        assert_eq!(result(by_index.call(&mut store, (1000, 0))), None, "{kind}");
    }
}

#[test]
fn whole_ranges_are_checked_with_all_64_bits() {
    let functions = r#"(data $d "abcdefgh") (memory $small 1)
        (func (export "fill") (param i64 i64) (memory.fill $m (local.get 0) (i32.const 5) (local.get 1)))
        (func (export "copy") (param i64 i64) (memory.copy $m $m (local.get 0) (i64.const 16) (local.get 1)))
        (func (export "copy from") (param i64 i64) (memory.copy $m $m (i64.const 16) (local.get 0) (local.get 1)))
        (func (export "init") (param i64 i64)
          (memory.init $m $d (local.get 0) (i32.const 0) (i32.wrap_i64 (local.get 1))))
        (func (export "to small") (param i64 i64)
          (memory.copy $small $m (i32.const 8) (local.get 0) (i32.wrap_i64 (local.get 1))))
        (func (export "from small") (param i64 i64)
          (memory.copy $m $small (local.get 0) (i32.const 8) (i32.wrap_i64 (local.get 1))))"#;
    for (kind, mut store, instance, memory) in instances(functions) {
        for name in ["fill", "copy", "copy from", "init", "to small", "from small"] {
            let f = instance
                .get_typed_func::<(i64, i64), ()>(&mut store, name)
                .expect("exported");
            for at in FIRST {
                for len in [0, 1, 5, 8, 64, 65, 1 << 40, u64::MAX - 7, u64::MAX] {
                    let of_32 = !matches!(name, "fill" | "copy" | "copy from");
                    let read = if of_32 { u64::from(len as u32) } else { len };
                    let fits = |at: u64, size: u128| u128::from(at) + u128::from(read) <= size;
                    let inside = fits(at, SIZE)
                        && match name {
                            "fill" => true,
                            "copy" | "copy from" => fits(16, SIZE),
                            "init" => fits(0, 8),
                            _ => fits(8, 1 << 16),
                        };
                    let before = memory.data(&store).to_vec();
                    let got = result(f.call(&mut store, (at.cast_signed(), len.cast_signed())));
                    assert_eq!(got.is_some(), inside, "{kind}: {name} {at:#x} {len:#x}");
                    if got.is_none() {
                        assert!(
                            memory.data(&store) == before,
                            "{kind}: {name} {at:#x} {len:#x} wrote something"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sizes_are_of_64_bits_and_growth_fails_with_minus_one() {
    for engine in engines() {
        let module = Module::new(
            &engine,
            r#"(module (memory (export "m") i64 1)
              (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
              (func (export "size") (result i64) (memory.size))
              (func (export "touch") (param i64) (result i32)
                (i32.store8 (local.get 0) (i32.const 77)) (i32.load8_u (local.get 0))))"#,
        )
        .expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("one page");
        let grow = instance
            .get_typed_func::<i64, i64>(&mut store, "grow")
            .expect("exported");
        let size = instance
            .get_typed_func::<(), i64>(&mut store, "size")
            .expect("exported");
        let touch = instance
            .get_typed_func::<i64, i32>(&mut store, "touch")
            .expect("exported");
        for too_much in [-1, i64::MAX, i64::MIN, (1 << 48) - 1, 1 << 48, 1 << 40] {
            assert_eq!(grow.call(&mut store, too_much).expect("no trap"), -1, "{too_much:#x}");
        }
        assert_eq!(size.call(&mut store, ()).expect("no trap"), 1);
        // 6 GiB, of which two pages are used.
        assert_eq!(grow.call(&mut store, 0x1_7fff).expect("no trap"), 1);
        assert_eq!(size.call(&mut store, ()).expect("no trap"), 0x1_8000);
        let last = 0x1_8000_0000 - 1;
        assert_eq!(result(touch.call(&mut store, last)), Some(77));
        assert_eq!(result(touch.call(&mut store, 0x1_2345_6789)), Some(77));
        assert_eq!(result(touch.call(&mut store, last + 1)), None);
        let memory = instance.get_memory(&mut store, "m").expect("exported");
        assert_eq!(
            (memory.size(&store), memory.data_size(&store)),
            (0x1_8000, 0x1_8000_0000)
        );
        assert_eq!(memory.data(&store)[0x1_2345_6789], 77);
        let mut read = [0; 2];
        memory.read(&store, last as usize - 1, &mut read).expect("inside");
        assert_eq!(read, [0, 77]);
        assert!(memory.write(&mut store, last as usize, &read).is_err());
        assert!(matches!(memory.grow(&mut store, u64::MAX), Err(Error::Limit(_))));
    }
}

#[test]
fn memories_that_cannot_be_had_are_refused() {
    for engine in engines() {
        for pages in ["0x1000000000000", "0x800000000000", "0x100000000", "0x40000000"] {
            let module = Module::new(&engine, format!("(module (memory i64 {pages}))")).expect("valid");
            let mut store = Store::new(&engine, ());
            let error = Instance::new(&mut store, &module, &[]).expect_err("more than there is");
            let limit = error.downcast_ref::<LimitError>();
            assert!(matches!(limit, Some(LimitError::MemoryUnavailable { .. })), "{error}");
        }
        // A maximum is no demand.
        let module = Module::new(&engine, "(module (memory i64 1 0x1000000000000))").expect("valid");
        let mut store = Store::new(&engine, ());
        Instance::new(&mut store, &module, &[]).expect("one page");
    }
    let invalid = Module::new(&Engine::default(), "(module (memory i64 0x1000000000001))");
    assert!(matches!(invalid, Err(Error::Load(_))));
}

#[test]
fn limiters_are_asked_with_sizes_of_64_bits() {
    let engine = Engine::default();
    let limits = StoreLimitsBuilder::new().memory_size(5 << 30).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let new = |pages| MemoryType::builder().memory64(true).min(pages).build().expect("valid");
    for pages in [0x1_4001, 1 << 47, 1 << 48] {
        let error = Memory::new(&mut store, new(pages)).expect_err("above the limit");
        assert!(matches!(error, Error::Limit(_)), "{error}");
    }
    let memory = Memory::new(&mut store, new(0x1_4000)).expect("exactly the limit");
    assert!(memory.grow(&mut store, 1).is_err());
    assert!(memory.grow(&mut store, u64::MAX).is_err());
    assert_eq!(memory.grow(&mut store, 0).expect("nothing is asked for"), 0x1_4000);
}

#[test]
fn regions_are_mapped_beyond_4_gib() {
    let functions = r#"(func (export "load") (param i64) (result i64) (i64.load $m (local.get 0)))
        (func (export "store") (param i64 i64) (i64.store $m (local.get 0) (local.get 1)))"#;
    for (kind, mut store, instance, memory) in instances(functions) {
        let region = Region::new(64 << 10).expect("memory");
        let at = 0x1_2345_0000_u64;
        // A maximum leaves no room where accesses are checked.
        let mapped = memory.map(&mut store, at, &region, 0..0x1_0000, Access::ReadWrite);
        let guards = cfg!(all(target_arch = "x86_64", target_os = "linux", not(orcavm_portable)));
        if kind == "checked" || !guards {
            assert!(mapped.is_err(), "{kind}");
            continue;
        }
        mapped.expect("there is room");
        let load = instance
            .get_typed_func::<i64, i64>(&mut store, "load")
            .expect("exported");
        let write = instance
            .get_typed_func::<(i64, i64), ()>(&mut store, "store")
            .expect("exported");
        let last = (at + 0xfff8).cast_signed();
        result(write.call(&mut store, (last, 0x0123_4567))).expect("mapped");
        assert_eq!(result(load.call(&mut store, last)), Some(0x0123_4567));
        assert_eq!(result(load.call(&mut store, last + 1)), None);
        assert_eq!(result(load.call(&mut store, at.cast_signed() - 1)), None);
        let mut seen = [0; 8];
        memory.read(&store, last as usize, &mut seen).expect("mapped");
        assert_eq!(seen, 0x0123_4567_u64.to_le_bytes());
        memory.unmap(&mut store, at..at + 0x1_0000).expect("mapped");
        assert_eq!(result(load.call(&mut store, last)), None);
    }
}

#[test]
fn snapshots_hold_memories_of_64_bits() {
    let functions = r#"(func (export "store") (param i64) (i64.store $m (local.get 0) (i64.const -1)))
        (func (export "grow") (result i64) (memory.grow $m (i64.const 1)))"#;
    for (kind, mut store, instance, memory) in instances(functions) {
        let before = memory.data(&store).to_vec();
        let snapshot = instance.snapshot(&mut store).expect("no references");
        let write = instance
            .get_typed_func::<i64, ()>(&mut store, "store")
            .expect("exported");
        let grow = instance
            .get_typed_func::<(), i64>(&mut store, "grow")
            .expect("exported");
        assert_eq!(grow.call(&mut store, ()).expect("room"), 2);
        for at in [0, 0x1_0ff9, 0x2_fff8] {
            result(write.call(&mut store, at)).expect("inside");
        }
        instance.restore(&mut store, &snapshot).expect("as it was");
        assert!(memory.data(&store) == before, "{kind}");
        assert_eq!(result(write.call(&mut store, 0x2_0000)), None, "{kind}");
        let fork = instance.fork(&mut store);
        if let Ok(fork) = fork {
            let copy = fork.get_memory(&mut store, "m").expect("exported");
            assert!(copy.data(&store) == before, "{kind}");
        }
    }
}

#[test]
fn imports_agree_in_the_type_of_addresses() {
    let engine = Engine::new(Config::new().memory_guard(true)).expect("valid");
    let mut store = Store::new(&engine, ());
    let small = Memory::new(&mut store, MemoryType::new(1, None)).expect("one page");
    let large = MemoryType::builder().memory64(true).min(1).build().expect("valid");
    let large = Memory::new(&mut store, large).expect("one page");
    for (text, fits, other) in [
        (r#"(module (import "" "" (memory i64 1)))"#, large, small),
        (r#"(module (import "" "" (memory 1)))"#, small, large),
    ] {
        let module = Module::new(&engine, text).expect("valid");
        Instance::new(&mut store, &module, &[fits.into()]).expect("it fits");
        let error = Instance::new(&mut store, &module, &[other.into()]).expect_err("it does not");
        assert!(error.to_string().contains("does not fit"), "{error}");
    }
}
