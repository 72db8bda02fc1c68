//! What cannot be restored or forked, and that nothing has happened then.

use vm::{
    Access, Caller, Domain, Engine, Error, Extern, Instance, LimitError, Linker, Module, PermissionError, Permissions,
    Region, RegionError, Snapshot, SnapshotError, Store, StoreLimits, StoreLimitsBuilder,
};

use super::{ALL, PAGE, all, get, memory, run};
use crate::common::{alone, engines};

/// Why a snapshot is refused.
fn snapshot_error(result: Result<(), Error>) -> SnapshotError {
    match result {
        Err(Error::Snapshot(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_others_can_make_smaller_needs_guard_pages_in_forks_too() {
    let _alone = alone();
    let file = tempfile();
    let region = Region::adopt(file).expect("a file");
    for (engine, guard) in engines().into_iter().zip([cfg!(not(orcavm_portable)), false]) {
        let (mut store, instance) = all(&engine);
        let own = memory(&mut store, instance);
        let mapped = own.map(&mut store, 0x4_0000, &region, 0..0x1000, Access::Read);
        if guard {
            mapped.expect("free");
            let copy = instance.fork(&mut store).expect("room");
            assert_eq!(memory(&mut store, copy).mappings(&store).len(), 1);
        } else {
            assert!(matches!(mapped, Err(RegionError::MayShrink)));
        }
    }
}

/// An open file of a page that nothing but its handle leads to.
fn tempfile() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("orcavm-snapshots-{}", std::process::id()));
    std::fs::write(&path, [0; 0x1000]).expect("a file");
    let file = std::fs::File::open(&path).expect("it is there");
    std::fs::remove_file(path).expect("it is there");
    file
}

#[test]
fn only_the_same_module_in_the_same_store_has_a_state() {
    let _alone = alone();
    let engine = Engine::default();
    let (mut store, instance) = all(&engine);
    let snapshot = instance.snapshot(&store).expect("memory");
    let (mut other_store, other) = all(&engine);
    let same_text = Module::new(&engine, ALL).expect("valid");
    let other_module = Instance::new(&mut store, &same_text, &[]).expect("nothing is missing");
    run(&mut store, other_module, "store", &[8, 1]).expect("inside");
    let error = snapshot_error(other.restore(&mut other_store, &snapshot));
    assert_eq!(error, SnapshotError::OtherStore);
    assert_eq!(error.to_string(), "a snapshot of another store was passed");
    let forked = snapshot.instantiate(&mut other_store).map(drop);
    assert_eq!(snapshot_error(forked), SnapshotError::OtherStore);
    let error = snapshot_error(other_module.restore(&mut store, &snapshot));
    assert_eq!(error, SnapshotError::OtherModule);
    assert_eq!(
        error.to_string(),
        "a snapshot of an instance of another module was passed"
    );
    assert_eq!(get(&mut store, other_module, "load", 8).expect("inside"), 1);
}

#[test]
fn nothing_is_restored_while_a_function_runs() {
    let _alone = alone();
    for engine in engines() {
        let text = r#"(module
            (import "host" "try" (func $try))
            (memory (export "memory") 1)
            (func (export "run") (i32.store8 (i32.const 0) (i32.const 1)) (call $try)
                (i32.store8 (i32.const 1) (i32.const 1))))"#;
        let module = Module::new(&engine, text).expect("valid");
        let mut linker: Linker<Option<(Instance, Snapshot)>> = Linker::new(&engine);
        linker
            .func_wrap("host", "try", |mut caller: Caller<'_, Option<(Instance, Snapshot)>>| {
                let (instance, snapshot) = caller.data().clone().expect("set before");
                let error = snapshot_error(instance.restore(&mut caller, &snapshot));
                assert_eq!(error, SnapshotError::Running);
                assert_eq!(
                    error.to_string(),
                    "an instance cannot be restored while a function of its store runs"
                );
                // It can be looked at and copied: as far as the call has come.
                let fork = instance.fork(&mut caller).expect("room");
                let memory = fork.get_memory(&mut caller, "memory").expect("exported");
                assert_eq!(memory.data(&caller)[..2], [1, 0]);
            })
            .expect("no other");
        let mut store = Store::new(&engine, None);
        let instance = linker.instantiate(&mut store, &module).expect("it is there");
        let snapshot = instance.snapshot(&store).expect("memory");
        *store.data_mut() = Some((instance, snapshot.clone()));
        run(&mut store, instance, "run", &[]).expect("no trap");
        let memory = memory(&mut store, instance);
        assert_eq!(memory.data(&store)[..2], [1, 1], "nothing has changed");
        // The host's own call of a host function counts, too.
        let host = linker.get(&mut store, "host", "try").and_then(Extern::into_func);
        let host = host.expect("defined").typed::<(), ()>(&store).expect("its type");
        memory.write(&mut store, 1, &[0]).expect("inside");
        host.call(&mut store, ()).expect("no panic");
        instance.restore(&mut store, &snapshot).expect("nothing runs");
        assert_eq!(memory.data(&store)[..2], [0, 0]);
        // After a trap nothing runs any more.
        *store.data_mut() = None;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut store, instance, "run", &[]).expect("unreachable")
        }));
        assert!(panicked.is_err());
        instance.restore(&mut store, &snapshot).expect("nothing runs");
        assert_eq!(memory.data(&store)[..2], [0, 0]);
    }
}

#[test]
fn limits_of_the_store_hold() {
    let _alone = alone();
    for engine in engines() {
        let module = Module::new(&engine, ALL).expect("valid");
        let mut store: Store<StoreLimits> = Store::new(&engine, StoreLimits::default());
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, &module, &[]).expect("no limits");
        let small = instance.snapshot(&store).expect("memory");
        get(&mut store, instance, "grow", 2).expect("no trap");
        get(&mut store, instance, "grow table", 2).expect("no trap");
        let large = instance.snapshot(&store).expect("memory");
        instance.restore(&mut store, &small).expect("smaller is always allowed");
        run(&mut store, instance, "store", &[8, 9]).expect("inside");
        let limits = |builder: fn(StoreLimitsBuilder) -> StoreLimitsBuilder| builder(StoreLimitsBuilder::new()).build();
        for limits in [
            limits(|limits| limits.memory_size(3 * PAGE)),
            limits(|limits| limits.table_elements(5)),
        ] {
            *store.data_mut() = limits;
            assert!(matches!(instance.restore(&mut store, &large), Err(Error::Limit(_))));
            assert_eq!(get(&mut store, instance, "size", 0).expect("no trap"), 2);
            assert_eq!(
                get(&mut store, instance, "load", 8).expect("inside"),
                9,
                "nothing has changed"
            );
            assert!(matches!(large.instantiate(&mut store), Err(Error::Limit(_))));
            small.instantiate(&mut store).expect("it fits");
        }
        for limits in [
            limits(|limits| limits.instances(3)),
            limits(|limits| limits.memories(3)),
            limits(|limits| limits.tables(3)),
        ] {
            *store.data_mut() = limits;
            let error = small.instantiate(&mut store).expect_err("there are three");
            assert!(
                matches!(error, Error::Limit(LimitError::TooMany { limit: 3, .. })),
                "{error}"
            );
        }
        *store.data_mut() = StoreLimits::default();
        instance.restore(&mut store, &large).expect("no limits");
        assert_eq!(get(&mut store, instance, "size", 0).expect("no trap"), 4);
    }
}

#[test]
fn domains_pay_for_sizes_as_they_are() {
    let _alone = alone();
    for engine in engines() {
        let module = Module::new(&engine, ALL).expect("valid");
        let mut store = Store::new(&engine, ());
        let quotas = Permissions::all()
            .limit_memory(7 * PAGE as u64)
            .limit_table_elements(14)
            .limit_instances(3);
        let domain = Domain::new("tenant", quotas);
        let instance = Instance::new_in(&mut store, &module, &[], &domain).expect("it fits");
        let used = |pages: usize| pages as u64 * PAGE as u64;
        let small = instance.snapshot(&store).expect("memory");
        get(&mut store, instance, "grow", 2).expect("no trap");
        get(&mut store, instance, "grow table", 6).expect("no trap");
        assert_eq!(domain.memory_used(), used(4));
        let large = instance.snapshot(&store).expect("memory");
        instance.restore(&mut store, &small).expect("its own");
        assert_eq!(domain.memory_used(), used(2));

        let fork = large.instantiate(&mut store).expect("it fits");
        assert!(fork.domain(&store).is_same(&domain));
        assert_eq!(domain.memory_used(), used(6));
        // Both large would be too much, of memory and of elements.
        let refused = |result: Result<(), Error>| matches!(result, Err(Error::Permission(PermissionError::Quota(_))));
        assert!(refused(instance.restore(&mut store, &large)));
        assert_eq!(domain.memory_used(), used(6), "nothing has changed");
        fork.restore(&mut store, &small).expect("smaller is always allowed");
        assert_eq!(domain.memory_used(), used(4));
        // Nothing is left of a fork that is refused.
        let third = small.instantiate(&mut store).expect("it fits");
        assert_eq!(domain.memory_used(), used(6));
        assert!(refused(small.instantiate(&mut store).map(drop)));
        assert_eq!(domain.memory_used(), used(6));
        // Elements alone are too many: 10 for 4, where 12 of 14 are used.
        memory(&mut store, third).write(&mut store, 8, &[9]).expect("inside");
        let only_table = {
            third.restore(&mut store, &small).expect("its own");
            assert_eq!(get(&mut store, third, "grow table", 2).expect("no trap"), 4);
            let snapshot = third.snapshot(&store).expect("memory");
            third.restore(&mut store, &small).expect("its own");
            snapshot
        };
        assert_eq!(get(&mut store, instance, "grow table", 1).expect("no trap"), 4);
        assert!(refused(third.restore(&mut store, &only_table)));
        assert_eq!(get(&mut store, instance, "grow table", 1).expect("1 is left"), 5);
        assert_eq!(get(&mut store, instance, "grow table", 1).expect("none is left"), -1);
        drop(store);
        assert_eq!(domain.memory_used(), 0);
    }
}
