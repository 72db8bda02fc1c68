//! What a guest may use: memory, table elements, counts, fuel, calls.

use vm::{
    Caller, Config, Engine, Error, Instance, LimitError, Linker, Memory, MemoryType, Module, Ref, RefType,
    ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder, Table, TableType, Trap,
};

use crate::common::{run, trap};

const GROW: &str = r#"(module (memory (export "m") 1 100) (table (export "t") 1 100 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn limited(limits: StoreLimits, text: &str) -> (Store<StoreLimits>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[]).expect("within the limits");
    (store, instance)
}

fn grow<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str, by: i32) -> Result<i32, Error> {
    instance.get_typed_func::<i32, i32>(&mut *store, name)?.call(store, by)
}

#[test]
fn growth_stops_at_the_limit_from_both_sides() {
    let limits = StoreLimitsBuilder::new().memory_size(3 << 16).table_elements(5).build();
    let (mut store, instance) = limited(limits, GROW);
    assert_eq!(grow(&mut store, instance, "memory", 2).expect("no trap"), 1);
    assert_eq!(grow(&mut store, instance, "memory", 1).expect("no trap"), -1);
    assert_eq!(grow(&mut store, instance, "memory", -1).expect("no trap"), -1);
    assert_eq!(grow(&mut store, instance, "memory", 0).expect("no trap"), 3);
    assert_eq!(grow(&mut store, instance, "table", 4).expect("no trap"), 1);
    assert_eq!(grow(&mut store, instance, "table", 1).expect("no trap"), -1);
    assert_eq!(grow(&mut store, instance, "table", -1).expect("no trap"), -1);
    let memory = instance.get_memory(&mut store, "m").expect("exported");
    assert!(matches!(memory.grow(&mut store, 1), Err(Error::Limit(_))));
    let table = instance.get_table(&mut store, "t").expect("exported");
    assert!(matches!(
        table.grow(&mut store, 1, Ref::Func(None)),
        Err(Error::Limit(_))
    ));
    assert_eq!((memory.size(&store), table.size(&store)), (3, 5));
    store.data_mut().clone_from(&StoreLimits::default());
    assert_eq!(memory.grow(&mut store, 97).expect("within its maximum"), 3);
    assert_eq!(grow(&mut store, instance, "memory", 1).expect("no trap"), -1);
}

#[test]
fn growth_beyond_the_limit_ends_the_guest_if_asked_to() {
    let limits = StoreLimitsBuilder::new()
        .memory_size(1 << 16)
        .table_elements(1)
        .trap_on_grow_failure(true);
    let (mut store, instance) = limited(limits.build(), GROW);
    for (name, what) in [
        ("memory", "a memory from 65536 to 131072"),
        ("table", "a table from 1 to 2"),
    ] {
        let error = grow(&mut store, instance, name, 1).expect_err("beyond the limit");
        assert!(
            matches!(error.downcast_ref(), Some(LimitError::GrowthRefused { .. })),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            format!("growth of {what} is beyond the store's limit")
        );
        let names: Vec<_> = error
            .backtrace()
            .expect("the guest's")
            .frames()
            .iter()
            .map(|f| f.func_name())
            .collect();
        assert_eq!(names, [Some(name.to_owned())]);
    }
}

/// Notes what it is asked, and fails with errors of its own.
#[derive(Default)]
struct Asked(Vec<String>);

#[derive(Debug, thiserror::Error)]
#[error("that is enough")]
struct Enough;

impl ResourceLimiter for Asked {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error> {
        self.0.push(format!("memory {current} {desired} {maximum:?}"));
        if desired > 5 << 16 {
            Err(Error::host(Enough))
        } else {
            Ok(true)
        }
    }
    fn memory_grow_failed(&mut self) -> Result<(), Error> {
        self.0.push("memory failed".into());
        Ok(())
    }
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, Error> {
        self.0.push(format!("table {current} {desired} {maximum:?}"));
        Ok(true)
    }
    fn table_grow_failed(&mut self) -> Result<(), Error> {
        self.0.push("table failed".into());
        Ok(())
    }
}

#[test]
fn a_limiter_of_the_embedder_sees_each_growth() {
    let engine = Engine::default();
    let text = GROW.replace("1 100", "1 3");
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, Asked::default());
    store.limiter(|asked| asked);
    let instance = Instance::new(&mut store, &module, &[]).expect("allowed");
    assert_eq!(grow(&mut store, instance, "memory", 1).expect("no trap"), 1);
    assert_eq!(grow(&mut store, instance, "memory", 2).expect("no trap"), -1);
    assert_eq!(grow(&mut store, instance, "table", 3).expect("no trap"), -1);
    let error = grow(&mut store, instance, "memory", 4).expect_err("the limiter's");
    assert!(error.downcast_ref::<Enough>().is_some(), "{error}");
    let page = |n: usize| n << 16;
    let expected = [
        format!("memory 0 {} Some({})", page(1), page(3)),
        "table 0 1 Some(3)".into(),
        format!("memory {} {} Some({})", page(1), page(2), page(3)),
        format!("memory {} {} Some({})", page(2), page(4), page(3)),
        "memory failed".into(),
        "table 1 4 Some(3)".into(),
        "table failed".into(),
        format!("memory {} {} Some({})", page(2), page(6), page(3)),
    ];
    assert_eq!(store.data().0, expected);
}

#[test]
fn counts_are_limited() {
    let engine = Engine::default();
    let new = |limits: StoreLimitsBuilder| {
        let mut store = Store::new(&engine, limits.build());
        store.limiter(|limits| limits);
        store
    };
    let is = |error: &Error, kind| matches!(error, Error::Limit(LimitError::TooMany { what, .. }) if *what == kind);

    let empty = Module::new(&engine, "(module)").expect("valid");
    let mut store = new(StoreLimitsBuilder::new().instances(2));
    Instance::new(&mut store, &empty, &[]).expect("the first");
    Instance::new(&mut store, &empty, &[]).expect("the second");
    let error = Instance::new(&mut store, &empty, &[]).expect_err("the third");
    assert!(is(&error, "instances"), "{error}");
    assert_eq!(error.to_string(), "the store's limit of 2 instances is reached");

    let parts = Module::new(&engine, "(module (memory 1) (memory 1) (table 1 funcref))").expect("valid");
    let mut store = new(StoreLimitsBuilder::new().memories(3).tables(2));
    Instance::new(&mut store, &parts, &[]).expect("the first");
    let error = Instance::new(&mut store, &parts, &[]).expect_err("the fourth memory");
    assert!(is(&error, "memories"), "{error}");
    Memory::new(&mut store, MemoryType::new(1, None)).expect("the third");
    let error = Memory::new(&mut store, MemoryType::new(1, None)).expect_err("the fourth memory");
    assert!(is(&error, "memories"), "{error}");
    let ty = TableType::new(RefType::FUNCREF, 1, None);
    Table::new(&mut store, ty.clone(), Ref::Func(None)).expect("the second");
    let error = Table::new(&mut store, ty, Ref::Func(None)).expect_err("the third");
    assert!(is(&error, "tables"), "{error}");
}

fn metered(text: &str) -> (Store<()>, Instance) {
    let engine = Engine::new(Config::new().consume_fuel(true)).expect("nothing special");
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing runs yet");
    (store, instance)
}

#[test]
fn straight_line_code_uses_one_unit_an_operator() {
    for (body, units) in [
        ("", 0),
        ("(nop)", 0),
        ("(drop (i32.const 1))", 1),
        ("(local.set 0 (i32.add (local.get 0) (i32.const 1)))", 4),
        ("(i32.store (i32.const 0) (i32.load (i32.const 4)))", 4),
        ("(block (local.set 0 (i32.const 1)))", 2),
        ("(return)", 1),
    ] {
        let (mut store, instance) = metered(&format!(
            r#"(module (memory 1) (func (export "f") (local i32) {body}))"#
        ));
        store.set_fuel(1000).expect("counted");
        run(&mut store, instance, "f").expect("enough");
        let used = 1000 - store.get_fuel().expect("counted");
        assert_eq!(used, units, "{body}");
        store.set_fuel(used).expect("counted");
        run(&mut store, instance, "f").expect("just enough");
        assert_eq!(store.get_fuel().expect("counted"), 0);
        if let Some(less) = used.checked_sub(1) {
            store.set_fuel(less).expect("counted");
            assert_eq!(trap(&mut store, instance, "f"), Some(Trap::OutOfFuel), "{body}");
        }
    }
}

#[test]
fn fuel_stops_loops_and_recursion_and_is_kept_across_calls() {
    let (mut store, instance) = metered(
        r#"(module (func (export "loop") (loop (br 0))) (func $r (export "recurse") (call $r)) (func (export "nothing")
            (drop (i32.const 0))))"#,
    );
    for name in ["loop", "recurse"] {
        store.set_fuel(10_000).expect("counted");
        assert_eq!(trap(&mut store, instance, name), Some(Trap::OutOfFuel), "{name}");
        assert_eq!(trap(&mut store, instance, "nothing"), Some(Trap::OutOfFuel));
    }
    store.set_fuel(2).expect("counted");
    run(&mut store, instance, "nothing").expect("enough");
    run(&mut store, instance, "nothing").expect("enough");
    assert_eq!(trap(&mut store, instance, "nothing"), Some(Trap::OutOfFuel));
}

#[test]
fn a_host_function_can_read_and_set_fuel() {
    let engine = Engine::new(Config::new().consume_fuel(true)).expect("nothing special");
    let mut linker = Linker::<u64>::new(&engine);
    let refuel = |mut caller: Caller<'_, u64>| {
        *caller.data_mut() = caller.get_fuel()?;
        caller.set_fuel(1_000_000)
    };
    linker.func_wrap("", "refuel", refuel).expect("defined once");
    let text = r#"(module (import "" "refuel" (func $f)) (func (export "f") (local i32) (call $f)
        (local.set 0 (i32.const 1000))
        (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &module).expect("defined");
    store.set_fuel(100).expect("counted");
    run(&mut store, instance, "f").expect("refuelled");
    assert!(*store.data() < 100);
    let left = store.get_fuel().expect("counted");
    assert!((900_000..1_000_000).contains(&left), "{left}");
}

#[test]
fn without_metering_fuel_is_an_error() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(matches!(store.set_fuel(1), Err(Error::Limit(LimitError::NoFuel))));
    assert!(matches!(store.get_fuel(), Err(Error::Limit(LimitError::NoFuel))));
}

const DEPTH: &str = r#"(module
    (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 1)))))"#;

#[test]
fn the_depth_of_calls_is_limited_exactly_and_again() {
    let engine = Engine::new(Config::new().max_call_depth(Some(100))).expect("nothing special");
    let module = Module::new(&engine, DEPTH).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .expect("exported");
    for _ in 0..3 {
        assert_eq!(down.call(&mut store, 99).expect("100 calls"), 100);
        let error = down.call(&mut store, 100).expect_err("101 calls");
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn the_depth_counts_calls_through_the_host() {
    let engine = Engine::new(Config::new().max_call_depth(Some(10))).expect("nothing special");
    let mut linker = Linker::<()>::new(&engine);
    let again = |mut caller: Caller<'_, ()>, n: i32| -> Result<i32, Error> {
        let down = caller
            .get_export("down")
            .and_then(vm::Extern::into_func)
            .expect("exported");
        down.typed::<i32, i32>(&caller)?.call(&mut caller, n)
    };
    linker.func_wrap("", "again", again).expect("defined once");
    let text = r#"(module (import "" "again" (func $again (param i32) (result i32)))
        (func (export "down") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $again (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 1)))))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).expect("defined");
    let down = instance
        .get_typed_func::<i32, i32>(&mut store, "down")
        .expect("exported");
    for _ in 0..3 {
        assert_eq!(down.call(&mut store, 9).expect("10 calls"), 10);
        let error = down.call(&mut store, 10).expect_err("11 calls");
        assert_eq!(error.trap(), Some(Trap::StackOverflow));
    }
}

#[test]
fn the_size_of_the_stack_decides_how_deep_calls_go() {
    let deepest = |bytes: usize| {
        let engine = Engine::new(Config::new().max_wasm_stack(bytes)).expect("nothing special");
        let module = Module::new(&engine, DEPTH).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .expect("exported");
        let (mut fits, mut fails) = (0, 1 << 24);
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            match down.call(&mut store, middle) {
                Ok(depth) => {
                    assert_eq!(depth, middle + 1);
                    fits = middle;
                }
                Err(error) => {
                    assert_eq!(error.trap(), Some(Trap::StackOverflow));
                    fails = middle;
                }
            }
        }
        fits
    };
    // The smallest stack is of 64 KiB, whatever is asked for.
    let (least, small, large) = (deepest(0), deepest(64 << 10), deepest(1 << 20));
    assert_eq!(least, small);
    assert!(small > 500, "{small}");
    assert!((15..=17).contains(&(large / small)), "{large} {small}");
}
