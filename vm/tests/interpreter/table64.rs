//! Tables with 64-bit indices.

use vm::{Engine, Error, Func, Instance, Module, Ref, RefType, Store, StoreLimitsBuilder, Table, TableType, Trap};

use crate::common::instance;

const MODULE: &str = r#"(module
    (table $t (export "t") i64 4 10 funcref) (table $small (export "small") 4 funcref)
    (elem (table $t) (i64.const 1) func $one $two)
    (elem $e func $one $two $two)
    (func $one (result i32) (i32.const 1))
    (func $two (result i32) (i32.const 2))
    (func (export "call") (param i64) (result i32) (call_indirect $t (result i32) (local.get 0)))
    (func (export "call made") (param i64) (result i32)
      (call_indirect $t (result i32) (i64.add (local.get 0) (i64.const 0x100000000))))
    (func (export "call small") (param i64) (result i32)
      (call_indirect $small (result i32) (i32.wrap_i64 (local.get 0))))
    (func (export "get") (param i64) (result i32) (ref.is_null (table.get $t (local.get 0))))
    (func (export "set") (param i64) (result i32) (table.set $t (local.get 0) (ref.null func)) (i32.const 0))
    (func (export "fill") (param i64) (result i32)
      (table.fill $t (local.get 0) (ref.func $two) (i64.const 1)) (i32.const 0))
    (func (export "fill many") (param i64) (result i32)
      (table.fill $t (i64.const 0) (ref.func $two) (local.get 0)) (i32.const 0))
    (func (export "init") (param i64) (result i32)
      (table.init $t $e (local.get 0) (i32.const 2) (i32.const 1)) (i32.const 0))
    (func (export "copy") (param i64) (result i32)
      (table.copy $t $t (local.get 0) (i64.const 1) (i64.const 1)) (i32.const 0))
    (func (export "to small") (param i64) (result i32)
      (table.copy $small $t (i32.const 0) (local.get 0) (i32.const 1)) (i32.const 0))
    (func (export "from small") (param i64) (result i32)
      (table.copy $t $small (local.get 0) (i32.const 0) (i32.const 1)) (i32.const 0))
    (func (export "grow") (param i64) (result i64) (table.grow $t (ref.func $one) (local.get 0)))
    (func (export "size") (result i64) (table.size $t)))"#;

fn call(store: &mut Store<()>, instance: Instance, name: &str, index: u64) -> Result<i32, Trap> {
    let f = instance
        .get_typed_func::<i64, i32>(&mut *store, name)
        .expect("exported");
    let trap = |error: Error| error.trap().expect("a trap");
    f.call(store, index.cast_signed()).map_err(trap)
}

/// Indices whose low halves are those of elements.
const FAR: [u64; 5] = [4, 1 << 32, (1 << 32) + 1, (1 << 63) + 1, u64::MAX];

#[test]
fn indices_count_with_all_64_bits() {
    let (mut store, instance) = instance(MODULE);
    assert_eq!(call(&mut store, instance, "call", 1), Ok(1));
    assert_eq!(call(&mut store, instance, "call", 2), Ok(2));
    assert_eq!(call(&mut store, instance, "call", 0), Err(Trap::IndirectCallToNull));
    assert_eq!(
        call(
            &mut store,
            instance,
            "call made",
            (-0x1_0000_0000_i64 + 2).cast_unsigned()
        ),
        Ok(2)
    );
    assert_eq!(call(&mut store, instance, "call made", 1), Err(Trap::UndefinedElement));
    for far in FAR {
        assert_eq!(
            call(&mut store, instance, "call", far),
            Err(Trap::UndefinedElement),
            "{far:#x}"
        );
        for name in ["get", "set", "fill", "init", "copy", "to small", "from small"] {
            assert_eq!(
                call(&mut store, instance, name, far),
                Err(Trap::TableOutOfBounds),
                "{name} {far:#x}"
            );
        }
    }
    for many in [5, (1 << 32) + 1, u64::MAX] {
        assert_eq!(
            call(&mut store, instance, "fill many", many),
            Err(Trap::TableOutOfBounds),
            "{many:#x}"
        );
    }
    assert_eq!(call(&mut store, instance, "call", 0), Err(Trap::IndirectCallToNull));
    // Of an i64 as the index of a 32-bit table, the low half counts.
    assert_eq!(call(&mut store, instance, "to small", 2), Ok(0));
    assert_eq!(call(&mut store, instance, "call small", 1 << 32), Ok(2));
    assert_eq!(call(&mut store, instance, "from small", 3), Ok(0));
    assert_eq!(call(&mut store, instance, "call", 3), Ok(2));
}

#[test]
fn growth_fails_with_minus_one_of_64_bits() {
    let (mut store, instance) = instance(MODULE);
    let grow = instance
        .get_typed_func::<i64, i64>(&mut store, "grow")
        .expect("exported");
    let size = instance
        .get_typed_func::<(), i64>(&mut store, "size")
        .expect("exported");
    for too_much in [7, 1 << 32, i64::MAX, -1, -4] {
        assert_eq!(grow.call(&mut store, too_much).expect("no trap"), -1);
    }
    assert_eq!(grow.call(&mut store, 6).expect("no trap"), 4);
    assert_eq!(size.call(&mut store, ()).expect("no trap"), 10);
    assert_eq!(call(&mut store, instance, "call", 9), Ok(1));
    let table = instance.get_table(&mut store, "t").expect("exported");
    assert!(table.ty(&store).is_64());
    assert!(table.grow(&mut store, u64::MAX, Ref::Func(None)).is_err());
}

#[test]
fn the_embedder_makes_tables_of_64_bits() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().table_elements(20).build());
    store.limiter(|limits| limits);
    let ty = TableType::new64(RefType::FUNCREF, 2, Some(1 << 40));
    assert_eq!(ty.to_string(), "(table i64 2 1099511627776 funcref)");
    let table = Table::new(&mut store, ty, Ref::Func(None)).expect("two elements");
    let func = Func::wrap(&mut store, || 5_i32);
    table.set(&mut store, 1, func.into()).expect("inside");
    for far in [2, (1 << 32) + 1, u64::MAX] {
        assert!(table.get(&store, far).is_none());
        assert!(table.set(&mut store, far, func.into()).is_err());
    }
    assert!(table.grow(&mut store, 1 << 32, Ref::Func(None)).is_err());
    assert_eq!(table.grow(&mut store, 18, Ref::Func(None)).expect("the limit"), 2);
    let text = r#"(module (import "" "" (table i64 1 funcref))
        (func (export "f") (result i32) (call_indirect (result i32) (i64.const 1))))"#;
    let module = Module::new(&engine, text).expect("valid");
    let instance = Instance::new(&mut store, &module, &[table.into()]).expect("it fits");
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").expect("exported");
    assert_eq!(f.call(&mut store, ()).expect("no trap"), 5);
    let of_32 = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, None), Ref::Func(None)).expect("two");
    assert!(Instance::new(&mut store, &module, &[of_32.into()]).is_err());
    for elements in [10_000_001, 1 << 32, u64::MAX] {
        let ty = TableType::new64(RefType::FUNCREF, elements, None);
        assert!(
            matches!(
                Table::new(&mut store, ty.clone(), Ref::Func(None)),
                Err(Error::Limit(_))
            ),
            "{elements}"
        );
        let unlimited = &mut Store::new(&engine, ());
        assert!(
            matches!(Table::new(unlimited, ty, Ref::Func(None)), Err(Error::Limit(_))),
            "{elements}"
        );
    }
}

/// A segment's offset is of 64 bits too.
#[test]
fn segments_far_away_do_not_fit() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for (text, trap) in [
        (
            "(module (table i64 4 funcref) (func $f) (elem (table 0) (i64.const 0x100000001) func $f))",
            Trap::TableOutOfBounds,
        ),
        (
            r#"(module (memory i64 1) (data (i64.const 0x100000001) "a"))"#,
            Trap::MemoryOutOfBounds,
        ),
        (
            r#"(module (memory i64 1) (data (i64.const -1) "ab"))"#,
            Trap::MemoryOutOfBounds,
        ),
        (
            r#"(module (memory i64 1) (data (i64.add (i64.const -1) (i64.const 65536)) "ab"))"#,
            Trap::MemoryOutOfBounds,
        ),
    ] {
        let module = Module::new(&engine, text).expect("valid");
        let error = Instance::new(&mut store, &module, &[]).expect_err("it does not fit");
        assert_eq!(error.trap(), Some(trap), "{text}");
    }
}
