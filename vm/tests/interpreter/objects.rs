//! Structs and arrays of guests: what they hold, what keeps them, and casts.

use vm::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, Config, Engine, Error, ExternRef, FieldType, Finality, Func, FuncType,
    HeapType, Instance, Module, Mutability, RefType, StorageType, Store, StructRef, StructRefPre, StructType, Trap,
    TypeError, Val, ValType,
};

use crate::common::{instance, linked, run, trap};

/// An instance in a store whose heap has no more than 1 MiB.
fn small(text: &str) -> (Store<()>, Instance) {
    let mut config = Config::new();
    config.max_gc_heap_bytes(1 << 20);
    let engine = Engine::new(&config).expect("a valid configuration");
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    (store, instance)
}

#[test]
fn trees_survive_collections_and_garbage_does_not() {
    let (mut store, instance) = small(
        r#"(module
        (rec (type $tree (struct (field $left (ref null $tree)) (field $right (mut (ref null $tree))) (field $n i64))))
        (func $make (param $depth i32) (param $n i64) (result (ref $tree))
            (local $left (ref null $tree))
            (if (i32.eqz (local.get $depth))
                (then (return (struct.new $tree (ref.null $tree) (ref.null none) (local.get $n)))))
            (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
            (local.set $left (call $make (local.get $depth) (i64.mul (local.get $n) (i64.const 2))))
            (struct.new $tree (local.get $left)
                (call $make (local.get $depth) (i64.add (i64.mul (local.get $n) (i64.const 2)) (i64.const 1)))
                (local.get $n)))
        (func $sum (param $tree (ref null $tree)) (result i64)
            (block $null
                (return (i64.add (struct.get $tree $n (br_on_null $null (local.get $tree)))
                    (i64.add (call $sum (struct.get $tree $left (local.get $tree)))
                        (call $sum (struct.get $tree $right (local.get $tree)))))))
            (i64.const 0))
        (global $kept (mut (ref null $tree)) (ref.null $tree))
        (func (export "run") (param $times i32) (result i64)
            (local $sum i64)
            (global.set $kept (call $make (i32.const 8) (i64.const 1)))
            (loop $more
                (local.set $sum (i64.add (local.get $sum) (call $sum (call $make (i32.const 6) (i64.const 1)))))
                (struct.set $tree $right (global.get $kept) (call $make (i32.const 4) (i64.const 1)))
                (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
            (i64.add (local.get $sum) (call $sum (global.get $kept)))))"#,
    );
    // A tree of depth d numbered from 1 has the numbers up to 2^(d+1) - 1.
    let whole = |depth: u32| {
        let last = (1_i64 << (depth + 1)) - 1;
        last * (last + 1) / 2
    };
    // That of depth 8 keeps its root and left half, whose rows begin at powers of 2.
    let left: i64 = (0..8)
        .map(|row| (0..1_i64 << row).map(|i| (2 << row) + i).sum::<i64>())
        .sum();
    let run = instance
        .get_typed_func::<i32, i64>(&mut store, "run")
        .expect("exported");
    let times = 2000;
    let expected = i64::from(times) * whole(6) + 1 + left + whole(4);
    assert_eq!(run.call(&mut store, times).expect("there is room"), expected);
    assert!(store.gc_heap_stats().collections > 5);
}

#[test]
fn a_heap_that_is_full_of_what_is_used_is_a_trap() {
    let (mut store, instance) = small(
        r#"(module
        (type $list (struct (field (ref null $list)) (field i64)))
        (type $bytes (array (mut i8)))
        (func (export "list") (local $list (ref null $list))
            (loop $more (local.set $list (struct.new $list (local.get $list) (i64.const 1))) (br $more)))
        (func (export "large") (drop (array.new_default $bytes (i32.const -1))))
        (func (export "huge") (drop (array.new $bytes (i32.const 1) (i32.const 0x7fffffff))))
        (func (export "garbage") (local $i i32)
            (loop $more
                (drop (array.new $bytes (i32.const 7) (i32.const 100000)))
                (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))))"#,
    );
    for _ in 0..3 {
        assert_eq!(trap(&mut store, instance, "list"), Some(Trap::HeapExhausted));
        assert_eq!(trap(&mut store, instance, "large"), Some(Trap::AllocationTooLarge));
        assert_eq!(trap(&mut store, instance, "huge"), Some(Trap::AllocationTooLarge));
        run(&mut store, instance, "garbage").expect("it can be reused");
    }
}

#[test]
fn fields_hold_what_was_put_there() {
    let (mut store, instance) = instance(
        r#"(module
        (type $all (struct (field $a (mut i8)) (field $b (mut i64)) (field $c (mut i16)) (field $d (mut v128))
            (field $e (mut f32)) (field $f (mut funcref)) (field $g (mut anyref)) (field $h (mut f64)) (field $i (mut i32))))
        (type $bytes (array (mut i16)))
        (type $vectors (array (mut v128)))
        (elem declare func $get)
        (func $get (param $o (ref $all)) (result i32 i32 i64 i32 i32 i64 f32 i32 i32 f64 i32)
            (struct.get_s $all $a (local.get $o)) (struct.get_u $all $a (local.get $o))
            (struct.get $all $b (local.get $o))
            (struct.get_s $all $c (local.get $o)) (struct.get_u $all $c (local.get $o))
            (i64x2.extract_lane 1 (struct.get $all $d (local.get $o)))
            (struct.get $all $e (local.get $o))
            (ref.is_null (struct.get $all $f (local.get $o)))
            (i31.get_s (ref.cast (ref i31) (struct.get $all $g (local.get $o))))
            (struct.get $all $h (local.get $o)) (struct.get $all $i (local.get $o)))
        (func (export "new") (result i32 i32 i64 i32 i32 i64 f32 i32 i32 f64 i32)
            (call $get (struct.new $all (i32.const 0x1ff) (i64.const -2) (i32.const 0x18000) (v128.const i64x2 3 4)
                (f32.const 1.5) (ref.func $get) (ref.i31 (i32.const -5)) (f64.const 2.5) (i32.const -7))))
        (func (export "set") (param $b i64) (param $h f64) (result i32 i32 i64 i32 i32 i64 f32 i32 i32 f64 i32)
            (local $o (ref null $all))
            (local.set $o (struct.new_default $all))
            (struct.set $all $a (local.get $o) (i32.add (i32.const 0x1f0) (i32.wrap_i64 (i64.const 15))))
            (struct.set $all $b (local.get $o) (i64.sub (local.get $b) (i64.const 1)))
            (struct.set $all $c (local.get $o) (i32.const 0x18000))
            (struct.set $all $d (local.get $o) (i64x2.splat (i64.const 4)))
            (struct.set $all $e (local.get $o) (f32.demote_f64 (f64.sub (local.get $h) (f64.const 1))))
            (struct.set $all $f (local.get $o) (ref.func $get))
            (struct.set $all $g (local.get $o) (ref.i31 (i32.const -5)))
            (struct.set $all $h (local.get $o) (local.get $h))
            (struct.set $all $i (local.get $o) (i32.const -7))
            (call $get (ref.as_non_null (local.get $o))))
        (func (export "array") (param $n i32) (result i32 i32 i64)
            (local $a (ref $bytes)) (local $v (ref $vectors))
            (local.set $a (array.new $bytes (i32.const 0x1fffe) (local.get $n)))
            (array.set $bytes (local.get $a) (i32.const 1) (local.get $n))
            (local.set $v (array.new $vectors (v128.const i64x2 5 6) (local.get $n)))
            (array.get_s $bytes (local.get $a) (i32.const 2))
            (i32.add (array.get_u $bytes (local.get $a) (i32.const 1)) (array.len (local.get $a)))
            (i64x2.extract_lane 1 (array.get $vectors (local.get $v) (i32.sub (local.get $n) (i32.const 1))))))"#,
    );
    for (name, args) in [("new", vec![]), ("set", vec![Val::I64(-1), Val::from(2.5_f64)])] {
        let func = instance.get_func(&mut store, name).expect("exported");
        let mut results = vec![Val::I32(0); 11];
        func.call(&mut store, &args, &mut results).expect("it returns");
        let numbers: Vec<u64> = results.iter().filter_map(Val::to_bits).collect();
        let signed = |value: i32| u64::from(value.cast_unsigned());
        let expected = [
            signed(-1),
            255,
            -2_i64 as u64,
            signed(-0x8000),
            0x8000,
            4,
            u64::from(1.5_f32.to_bits()),
            0,
            signed(-5),
            2.5_f64.to_bits(),
            signed(-7),
        ];
        assert_eq!(numbers, expected, "{name}");
    }
    let array = instance
        .get_typed_func::<i32, (i32, i32, i64)>(&mut store, "array")
        .expect("exported");
    assert_eq!(array.call(&mut store, 3).expect("it returns"), (-2, 6, 6));
    assert_eq!(
        array.call(&mut store, 2).expect_err("no element 2").trap(),
        Some(Trap::ArrayOutOfBounds)
    );
}

#[test]
fn casts_find_supertypes_at_any_depth() {
    let types: String = (0..40)
        .map(|i| match i {
            0 => "(type $t0 (sub (struct (field i32))))".to_owned(),
            i => format!("(type $t{i} (sub $t{} (struct (field i32))))", i - 1),
        })
        .collect();
    let tests: String = [0, 1, 7, 8, 9, 30, 39]
        .iter()
        .map(|i| {
            format!(
                r#"(func (export "is{i}") (param anyref) (result i32) (ref.test (ref $t{i}) (local.get 0)))
                (func (export "cast{i}") (param anyref) (result i32) (struct.get $t{i} 0 (ref.cast (ref $t{i}) (local.get 0))))
                (func (export "br{i}") (param anyref) (result i32)
                    (block $no (result anyref)
                        (return (struct.get $t{i} 0 (br_on_cast_fail $no anyref (ref null $t{i}) (local.get 0)))))
                    drop (i32.const -1))
                (func (export "new{i}") (result anyref) (struct.new $t{i} (i32.const {i})))"#
            )
        })
        .collect();
    let (mut store, instance) = instance(&format!(
        r#"(module {types} (type $other (sub $t8 (struct (field i32 i32)))) {tests}
        (func (export "other") (result anyref) (struct.new $other (i32.const 100) (i32.const 0))))"#
    ));
    let mut make = |name: &str| {
        let func = instance.get_func(&mut store, name).expect("exported");
        let mut results = [Val::AnyRef(None)];
        func.call(&mut store, &[], &mut results).expect("it returns");
        results[0]
    };
    let depths = [0, 1, 7, 8, 9, 30, 39];
    let mut values: Vec<(i32, i32, Val)> = depths.iter().map(|i| (*i, *i, make(&format!("new{i}")))).collect();
    values.push((8, 100, make("other")));
    let host = ExternRef::new(&mut store, "orca").expect("room");
    let host = AnyRef::convert_extern(&store, host).expect("of this store");
    values.push((-1, 0, host.into()));
    values.push((-1, 0, AnyRef::from_i31(&mut store, vm::I31::wrapping_u32(3)).into()));
    for (depth, field, value) in &values {
        for i in depths {
            let mut ask = |name: String| -> Result<i32, Error> {
                let func = instance.get_func(&mut store, &name).expect("exported");
                let mut results = [Val::I32(0)];
                func.call(&mut store, &[*value], &mut results)?;
                Ok(results[0].i32().expect("an i32"))
            };
            let passes = *depth >= i;
            assert_eq!(ask(format!("is{i}")).expect("a test"), i32::from(passes), "{depth} {i}");
            assert_eq!(
                ask(format!("br{i}")).expect("a branch"),
                if passes { *field } else { -1 },
                "{depth} {i}"
            );
            match ask(format!("cast{i}")) {
                Ok(found) => assert!(passes && found == *field, "{depth} {i}"),
                Err(error) => assert!(
                    !passes && error.trap() == Some(Trap::CastFailure),
                    "{depth} {i}: {error}"
                ),
            }
        }
    }
    let null = [Val::AnyRef(None)];
    let mut results = [Val::I32(0)];
    let cast = instance.get_func(&mut store, "cast39").expect("exported");
    let error = cast.call(&mut store, &null, &mut results).expect_err("null");
    assert_eq!(error.trap(), Some(Trap::CastFailure));
    // A null passes the test of the branch, and has no field.
    let branch = instance.get_func(&mut store, "br39").expect("exported");
    let error = branch.call(&mut store, &null, &mut results).expect_err("null");
    assert_eq!(error.trap(), Some(Trap::NullStructReference));
}

#[test]
fn branches_on_null_keep_operands_and_locals() {
    let (mut store, instance) = instance(
        r#"(module
        (type $f (func (param i32) (result i32)))
        (elem declare func $double)
        (func $double (type $f) (i32.mul (local.get 0) (i32.const 2)))
        (func $apply (param $f (ref null $f)) (param $x i32) (result i32)
            (local.get $x)
            (i32.add (local.get $x) (i32.const 1))
            (block $null (param i32 i32) (result i32 i32)
                (br_on_null $null (local.get $f))
                (local.set $f)
                (return (i32.add (call_ref $f (local.get $f)))))
            (i32.sub))
        (func (export "some") (param i32) (result i32) (call $apply (ref.func $double) (local.get 0)))
        (func (export "none") (param i32) (result i32) (call $apply (ref.null $f) (local.get 0)))
        (func $returns (param $f (ref null $f)) (result i32 (ref null $f))
            (i32.const 7) (br_on_non_null 0 (local.get $f)) (drop) (i32.const 8) (ref.null $f))
        (func (export "returns") (param i32) (result i32)
            (local $f (ref null $f))
            (if (local.get 0) (then (local.set $f (ref.func $double))))
            (call $returns (local.get $f)) (ref.is_null) (i32.add)))"#,
    );
    let mut call = |name: &str, x: i32| {
        let func = instance.get_typed_func::<i32, i32>(&mut store, name).expect("exported");
        func.call(&mut store, x).expect("it returns")
    };
    assert_eq!(call("some", 10), 10 + 22);
    assert_eq!(call("none", 10), -1);
    assert_eq!(call("returns", 1), 7);
    assert_eq!(call("returns", 0), 9);
}

#[test]
fn functions_of_subtypes_are_called_indirectly() {
    let text = |name: &str, n: i32| {
        format!(
            r#"(module
            (type $any (sub (func (result anyref))))
            (type $i31 (sub $any (func (result i31ref))))
            (type $other (sub (func (result i31ref))))
            (import "" "table" (table 4 funcref))
            (func $one (type $i31) (ref.i31 (i32.const {n})))
            (func $two (type $other) (ref.i31 (i32.const {n})))
            (elem (i32.const 0) $one $two)
            (func (export "{name}") (param i32) (result i32)
                (i31.get_s (ref.cast (ref i31) (call_indirect (type $any) (local.get 0)))))
            (func (export "tail") (param i32) (result anyref) (return_call_indirect (type $any) (local.get 0))))"#
        )
    };
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = vm::TableType::new(RefType::FUNCREF, 4, None);
    let table = vm::Table::new(&mut store, ty, vm::Ref::Func(None)).expect("small");
    let mut make = |name: &str, n: i32| {
        let module = Module::new(&engine, text(name, n)).expect("valid");
        Instance::new(&mut store, &module, &[table.into()]).expect("it fits")
    };
    let (one, _two) = (make("run", 5), make("run", 6));
    let run = one.get_typed_func::<i32, i32>(&mut store, "run").expect("exported");
    assert_eq!(run.call(&mut store, 0).expect("a subtype of another module"), 6);
    let traps = [
        (1, Trap::BadSignature),
        (2, Trap::IndirectCallToNull),
        (4, Trap::UndefinedElement),
    ];
    let tail = one.get_func(&mut store, "tail").expect("exported");
    for (index, trap) in traps {
        assert_eq!(run.call(&mut store, index).expect_err("it traps").trap(), Some(trap));
        let mut results = [Val::AnyRef(None)];
        let error = tail
            .call(&mut store, &[Val::I32(index)], &mut results)
            .expect_err("it traps");
        assert_eq!(error.trap(), Some(trap));
    }
    let mut results = [Val::AnyRef(None)];
    tail.call(&mut store, &[Val::I32(0)], &mut results).expect("a subtype");
    assert!(matches!(results[0], Val::AnyRef(Some(_))));
}

#[test]
fn the_host_sees_what_guests_make_and_the_other_way_round() {
    let (mut store, instance) = linked(
        r#"(module
        (type $point (struct (field $x (mut i32)) (field $y (mut f64))))
        (type $points (array (mut (ref null $point))))
        (import "host" "move" (func $move (param (ref $point)) (result (ref $point))))
        (func (export "run") (param (ref null $points)) (result i32)
            (local $p (ref null $point))
            (local.set $p (call $move (ref.as_non_null (array.get $points (local.get 0) (i32.const 1)))))
            (array.set $points (local.get 0) (i32.const 0) (local.get $p))
            (ref.eq (local.get $p) (array.get $points (local.get 0) (i32.const 1)))))"#,
        (),
        |linker| {
            let engine = linker.engine().clone();
            let field = |ty: ValType| FieldType::new(Mutability::Var, ty.into());
            let point = StructType::new(&engine, [field(ValType::I32), field(ValType::F64)])?;
            let reference = RefType::new(false, point.into());
            let ty = FuncType::new([reference.clone().into()], [reference.into()]);
            linker.func_new("host", "move", ty, |mut caller, args, results| {
                let Val::AnyRef(Some(point)) = args[0] else {
                    unreachable!("not null")
                };
                let point = point.as_struct(&caller)?.expect("a struct");
                let x = point.field(&mut caller, 0)?.i32().expect("an i32");
                point.set_field(&mut caller, 0, Val::I32(x + 1))?;
                results[0] = point.into();
                Ok(())
            })?;
            Ok(())
        },
    );
    let run = instance.get_func(&mut store, "run").expect("exported");
    let ty = run.ty(&store).params().next().expect("one");
    let HeapType::ConcreteArray(points) = ty.as_ref().expect("a reference").heap_type().clone() else {
        panic!("the parameter is an array, not {ty}");
    };
    let StorageType::ValType(element) = points.element_type() else {
        panic!("references")
    };
    let HeapType::ConcreteStruct(point) = element.as_ref().expect("a reference").heap_type().clone() else {
        panic!("its elements are structs");
    };
    let pre = StructRefPre::new(&mut store, point.clone());
    let one = StructRef::new(&mut store, &pre, &[Val::I32(1), Val::from(0.5_f64)]).expect("room");
    let pre = ArrayRefPre::new(&mut store, points.clone());
    let array = ArrayRef::new_fixed(&mut store, &pre, &[Val::AnyRef(None), one.into()]).expect("room");
    let mut results = [Val::I32(0)];
    run.call(&mut store, &[array.into()], &mut results).expect("it returns");
    assert_eq!(results[0].i32(), Some(1));
    assert_eq!(one.field(&mut store, 0).expect("a field").i32(), Some(2));
    let Val::AnyRef(Some(first)) = array.get(&mut store, 0).expect("an element") else {
        panic!("set")
    };
    let first = first.as_struct(&store).expect("live").expect("a struct");
    assert!(first.matches_ty(&store, &point).expect("live"));
    assert_eq!(first.ty(&store).expect("live"), point);
    let fields: Vec<Option<u64>> = first
        .fields(&mut store)
        .expect("live")
        .map(|field| field.to_bits())
        .collect();
    assert_eq!(fields, [Some(2), Some(0.5_f64.to_bits())]);

    // What does not fit is refused.
    let type_error = |error: Error| matches!(error, Error::Type(TypeError::Value { .. }));
    let error = run
        .call(&mut store, &[one.into()], &mut results)
        .expect_err("a struct, not an array");
    assert!(type_error(error));
    assert!(type_error(
        array
            .set(&mut store, 0, array.into())
            .expect_err("an array, not a struct")
    ));
    assert!(matches!(
        array.get(&mut store, 2),
        Err(Error::Type(TypeError::ArrayIndex { index: 2, len: 2 }))
    ));
    assert!(matches!(
        one.field(&mut store, 2),
        Err(Error::Type(TypeError::FieldIndex { index: 2, fields: 2 }))
    ));
    let pre = StructRefPre::new(&mut store, point);
    let error = StructRef::new(&mut store, &pre, &[Val::I32(1)]).expect_err("a field is missing");
    assert!(matches!(
        error,
        Error::Type(TypeError::FieldCount { expected: 2, found: 1 })
    ));
    let mut other = Store::new(store.engine(), ());
    assert!(one.field(&mut other, 0).is_err(), "of another store");
}

#[test]
fn fields_of_the_host_that_cannot_change_do_not() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let constant = FieldType::new(Mutability::Const, StorageType::I8);
    let base = StructType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [constant.clone()]);
    let base = base.expect("valid");
    let more = [constant.clone(), FieldType::new(Mutability::Var, ValType::I64.into())];
    let sub = StructType::with_finality_and_supertype(&engine, Finality::Final, Some(&base), more).expect("valid");
    assert!(sub.matches(&base) && !base.matches(&sub));
    let wrong = [FieldType::new(Mutability::Var, StorageType::I8)];
    assert!(StructType::with_finality_and_supertype(&engine, Finality::Final, Some(&base), wrong).is_err());
    assert!(StructType::with_finality_and_supertype(&engine, Finality::Final, Some(&sub), [constant.clone()]).is_err());
    let pre = StructRefPre::new(&mut store, sub);
    let object = StructRef::new(&mut store, &pre, &[Val::I32(-1), Val::I64(7)]).expect("room");
    assert_eq!(object.field(&mut store, 0).expect("a field").i32(), Some(255));
    let error = object.set_field(&mut store, 0, Val::I32(1)).expect_err("immutable");
    assert!(matches!(error, Error::Type(TypeError::ImmutableField)));
    assert!(object.to_anyref().matches_ty(&store, &base.into()).expect("live"));
    let pre = ArrayRefPre::new(&mut store, ArrayType::new(&engine, constant));
    let array = ArrayRef::new(&mut store, &pre, &Val::I32(0x1ff), 3).expect("room");
    assert_eq!(array.get(&mut store, 2).expect("an element").i32(), Some(255));
    assert!(array.set(&mut store, 2, Val::I32(1)).is_err());
    let error = ArrayRef::new(&mut store, &pre, &Val::I32(0), u32::MAX).expect_err("too large");
    assert_eq!(error.trap(), Some(Trap::AllocationTooLarge));
}

#[test]
fn functions_of_the_host_have_exact_types() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let open = FuncType::with_finality_and_supertype(&engine, Finality::NonFinal, None, [], []).expect("valid");
    let func = Func::new(&mut store, open.clone(), |_, _, _| Ok(()));
    assert_eq!(func.ty(&store), open);
    let text = |ty: &str| format!(r#"(module (type $t {ty}) (import "" "f" (func (type $t))))"#);
    let open_module = Module::new(&engine, text("(sub (func))")).expect("valid");
    Instance::new(&mut store, &open_module, &[func.into()]).expect("the same type");
    let final_module = Module::new(&engine, text("(func)")).expect("valid");
    let error = Instance::new(&mut store, &final_module, &[func.into()]).expect_err("another type");
    assert!(error.to_string().contains("does not fit"), "{error}");
}

#[test]
fn constant_expressions_make_objects_that_stay() {
    let (mut store, instance) = small(
        r#"(module
        (type $pair (struct (field i32) (field (ref null $pair))))
        (type $pairs (array (ref null $pair)))
        (global $one (ref $pair) (struct.new $pair (i32.const 1) (ref.null none)))
        (global $two (ref $pair) (struct.new $pair (i32.const 2) (global.get $one)))
        (global $all (ref $pairs) (array.new_fixed $pairs 2 (global.get $one) (global.get $two)))
        (table $t 3 (ref null $pair) (struct.new $pair (i32.const 3) (ref.null none)))
        (elem $e (ref $pair) (item (struct.new $pair (i32.const 4) (global.get $two))) (item (global.get $one)))
        (func (export "churn") (param i32)
            (loop $more
                (drop (array.new_default $pairs (i32.const 1000)))
                (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "run") (result i32)
            (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2))
            (i32.add
                (i32.mul (i32.const 100) (struct.get $pair 0 (table.get $t (i32.const 0))))
                (i32.add
                    (i32.mul (i32.const 10) (struct.get $pair 0 (table.get $t (i32.const 1))))
                    (struct.get $pair 0
                        (struct.get $pair 1 (array.get $pairs (global.get $all) (i32.const 1))))))))"#,
    );
    let churn = instance
        .get_typed_func::<i32, ()>(&mut store, "churn")
        .expect("exported");
    let run = instance.get_typed_func::<(), i32>(&mut store, "run").expect("exported");
    for _ in 0..3 {
        churn.call(&mut store, 2000).expect("garbage");
        assert_eq!(run.call(&mut store, ()).expect("it returns"), 341);
    }
    assert!(store.gc_heap_stats().collections > 0);
}
