//! References of the host to garbage-collected objects: what keeps them, and for how
//! long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vm::{
    AnyRef, AsContextMut, Caller, Config, Domain, Engine, Error, ExternRef, Func, Global, GlobalType, I31, Instance,
    Module, Mutability, Permissions, Ref, RefType, RootScope, Rooted, SnapshotError, Store, StoreLimits,
    StoreLimitsBuilder, Table, TableType, Trap, TypeError, Val, ValType,
};

use crate::common::linked;

/// Counts those that are there.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes `n` values of the host that nothing refers to.
fn churn(store: &mut Store<impl Sized>, n: usize, count: &Arc<AtomicUsize>) {
    for _ in 0..n {
        ExternRef::new(RootScope::new(&mut *store), Counted::new(count)).expect("room");
    }
}

fn unrooted<R>(result: Result<R, Error>) -> bool {
    matches!(result, Err(Error::Type(TypeError::Unrooted)))
}

#[test]
fn values_of_the_host_go_when_nothing_refers_to_them() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut store = Store::new(&Engine::default(), ());
    let kept = ExternRef::new(&mut store, Counted::new(&count)).expect("room");
    churn(&mut store, 200_000, &count);
    assert!(store.gc_heap_stats().collections > 0);
    let left = count.load(Ordering::Relaxed);
    assert!(left < 150_000, "{left} of 200,000 are there still");
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(kept.data(&store).expect("live").is_some());
    drop(store);
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn scopes_end_and_so_do_their_references() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut store = Store::new(&Engine::default(), ());
    let outer = ExternRef::new(&mut store, 1_u8).expect("room");
    let (first, second, owned) = {
        let mut scope = RootScope::new(&mut store);
        let first = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        let mut nested = RootScope::new(&mut scope);
        let second = ExternRef::new(&mut nested, Counted::new(&count)).expect("room");
        let owned = second.to_owned_rooted(&mut nested).expect("live");
        drop(nested);
        assert!(unrooted(second.data(&scope)));
        assert!(first.data(&scope).expect("live").is_some());
        (first, second, owned)
    };
    // In the place of the first.
    let other = ExternRef::new(&mut store, 2_u8).expect("room");
    for ended in [first, second] {
        assert!(unrooted(ended.data(&store)));
        assert!(unrooted(ended.data_mut(&mut store)));
        assert!(unrooted(ended.to_owned_rooted(&mut store)));
        assert!(unrooted(Rooted::ref_eq(&store, &ended, &other)));
        assert!(unrooted(AnyRef::convert_extern(&mut store, ended)));
        let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Const);
        assert!(unrooted(Global::new(&mut store, ty, Val::ExternRef(Some(ended)))));
    }
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1, "the second is owned");
    assert!(owned.data(&store).expect("live").is_some());
    let again = owned.to_rooted(&mut store);
    assert!(Rooted::ref_eq(&store, &again, &owned).expect("live"));
    assert!(!Rooted::ref_eq(&store, &again, &outer).expect("live"));
    let clone = owned.clone();
    drop(owned);
    assert!(clone.data(&store).expect("live").is_some());
}

#[test]
fn owned_references_keep_and_let_go() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut store = Store::new(&Engine::default(), ());
    let mut owned = Vec::new();
    for _ in 0..1000 {
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        owned.push(value.to_owned_rooted(&mut scope).expect("live"));
    }
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1000);
    owned.truncate(10);
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 10);
    // A plain copy of what an owned reference leads to is not owned.
    let plain = *owned[0];
    owned.clear();
    assert!(unrooted(plain.data(&store)));
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[test]
fn a_call_of_a_host_function_is_a_scope() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let text = r#"(module (import "" "make" (func $make (param i32) (result externref)))
        (import "" "fail" (func $fail))
        (global $kept (mut externref) (ref.null extern))
        (func (export "fail") (call $fail))
        (func (export "run") (param i32) (result externref)
            (loop $again
                (global.set $kept (call $make (local.get 0)))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $again (local.get 0)))
            (global.get $kept)))"#;
    let (mut store, instance) = linked(text, Vec::new(), |linker| {
        let make = move |mut caller: Caller<'_, Vec<Rooted<ExternRef>>>, n: i32| -> Result<_, Error> {
            let value = ExternRef::new(&mut caller, (n, Counted::new(&seen)))?;
            let more = ExternRef::new(&mut caller, Counted::new(&seen))?;
            // Those of earlier calls are not good any more.
            let ended = caller.data().last().is_none_or(|last| last.data(&caller).is_err());
            assert!(ended, "a reference outlived its call");
            caller.data_mut().push(more);
            Ok(Some(value))
        };
        linker.func_wrap("", "make", make)?;
        let fail = |mut caller: Caller<'_, Vec<Rooted<ExternRef>>>| -> Result<(), Error> {
            let value = ExternRef::new(&mut caller, ())?;
            caller.data_mut().push(value);
            Err(Trap::UnreachableCodeReached.into())
        };
        linker.func_wrap("", "fail", fail).map(|_| ())
    });
    let run = instance.get_typed_func::<i32, Option<Rooted<ExternRef>>>(&mut store, "run");
    let last = run
        .expect("exported")
        .call(&mut store, 50)
        .expect("no trap")
        .expect("not null");
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    let data = last.data(&store).expect("live").expect("a value of the host");
    assert_eq!(data.downcast_ref::<(i32, Counted)>().expect("a pair").0, 1);
    let fail = instance.get_typed_func::<(), ()>(&mut store, "fail").expect("exported");
    fail.call(&mut store, ()).expect_err("it fails");
    let made = *store.data().last().expect("one more");
    assert!(unrooted(made.data(&store)), "also where it fails");
}

#[test]
fn tables_globals_and_frames_keep_what_they_refer_to() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let text = r#"(module
        (import "" "churn" (func $churn))
        (import "" "given" (global $given externref))
        (import "" "alive" (func $alive (param externref) (result i32)))
        (table $table (export "table") 4 externref)
        (global $global (export "global") (mut externref) (ref.null extern))
        (elem $passive externref (global.get $given))
        (func (export "run") (param externref) (result i32)
            (local externref)
            (local.set 1 (global.get $given))
            (call $churn)
            (table.init $table $passive (i32.const 3) (i32.const 0) (i32.const 1))
            (i32.add (call $alive (local.get 0))
                (i32.add (call $alive (local.get 1)) (call $alive (table.get $table (i32.const 3)))))))"#;
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let fresh = |store: &mut Store<()>| ExternRef::new(store, Counted::new(&count)).expect("room");
    let given = {
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Const);
        Global::new(&mut scope, ty, Val::ExternRef(Some(value))).expect("of its type")
    };
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1, "a global of the host keeps its value");
    let churn = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| {
        for _ in 0..10 {
            ExternRef::new(RootScope::new(&mut caller), Counted::new(&seen)).expect("room");
        }
        caller.as_context_mut().gc();
    });
    let alive = Func::wrap(
        &mut store,
        |caller: Caller<'_, ()>, value: Option<Rooted<ExternRef>>| -> i32 {
            let value = value.expect("not null");
            let value = value.data(&caller).expect("live").expect("a value of the host");
            value.is::<Counted>().into()
        },
    );
    let module = Module::new(&engine, text).expect("valid");
    let imports = [churn.into(), given.into(), alive.into()];
    let instance = Instance::new(&mut store, &module, &imports).expect("they fit");
    let run = instance.get_typed_func::<Option<Rooted<ExternRef>>, i32>(&mut store, "run");
    let run = run.expect("exported");
    {
        // The caller's reference ends before the guest has done with it.
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        assert_eq!(run.call(&mut scope, Some(value)).expect("no trap"), 3);
    }
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 1, "one is in a global and a table");
    let table = instance.get_table(&mut store, "table").expect("exported");
    let global = instance.get_global(&mut store, "global").expect("exported");
    {
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        table.set(&mut scope, 0, value.into()).expect("room");
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        global.set(&mut scope, value.into()).expect("of its type");
    }
    let own_table = {
        let value = fresh(&mut store);
        Table::new(&mut store, TableType::new(RefType::EXTERNREF, 1, None), value.into()).expect("small")
    };
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 4);
    table.set(&mut store, 0, Ref::Extern(None)).expect("room");
    global.set(&mut store, Val::ExternRef(None)).expect("of its type");
    instance.unload(&mut store, "it").expect("nothing runs");
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 2, "the given one, and the other table's");
    assert!(matches!(own_table.get(&store, 0), Some(Ref::Extern(Some(_)))));
}

#[test]
fn snapshots_keep_values_of_the_host() {
    let count = Arc::new(AtomicUsize::new(0));
    let engine = Engine::default();
    let text = r#"(module (table (export "table") 2 externref)
        (global (export "global") (mut externref) (ref.null extern)))"#;
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
    let table = instance.get_table(&mut store, "table").expect("exported");
    let global = instance.get_global(&mut store, "global").expect("exported");
    {
        let mut scope = RootScope::new(&mut store);
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        table.set(&mut scope, 1, value.into()).expect("room");
        let value = ExternRef::new(&mut scope, Counted::new(&count)).expect("room");
        global.set(&mut scope, value.into()).expect("of its type");
    }
    let snapshot = instance.snapshot(&store).expect("memory");
    table.set(&mut store, 1, Ref::Extern(None)).expect("room");
    global.set(&mut store, Val::ExternRef(None)).expect("of its type");
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    instance.restore(&mut store, &snapshot).expect("its own");
    let fork = snapshot.instantiate(&mut store).expect("room");
    drop(snapshot);
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    {
        let mut scope = RootScope::new(&mut store);
        let fork = fork.get_table(&mut scope, "table").expect("exported");
        let values = [fork, table].map(|table| match table.get(&scope, 1) {
            Some(Ref::Extern(Some(value))) => value,
            other => panic!("{other:?}"),
        });
        assert!(Rooted::ref_eq(&scope, &values[0], &values[1]).expect("live"));
    }
    for instance in [instance, fork] {
        let table = instance.get_table(&mut store, "table").expect("exported");
        table.set(&mut store, 1, Ref::Extern(None)).expect("room");
        let global = instance.get_global(&mut store, "global").expect("exported");
        global.set(&mut store, Val::ExternRef(None)).expect("of its type");
    }
    store.gc();
    assert_eq!(count.load(Ordering::Relaxed), 0);
    // Nothing else is let into a snapshot.
    assert_eq!(
        SnapshotError::Objects.to_string(),
        "no snapshot can be taken of an instance that refers to garbage-collected objects"
    );
}

#[test]
fn i31s_pass_as_host_values_and_need_no_object() {
    let text = r#"(module (table (export "table") 1 externref)
        (func (export "same") (param externref) (result externref) (local.get 0)))"#;
    let (mut store, instance) = linked(text, (), |_| Ok(()));
    let seven = AnyRef::from_i31(&mut store, I31::wrapping_u32(7));
    let seven = ExternRef::convert_any(&mut store, seven).expect("live");
    assert!(seven.data(&store).expect("live").is_none());
    let same = instance.get_typed_func::<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>(&mut store, "same");
    let back = same.expect("exported").call(&mut store, Some(seven)).expect("no trap");
    let back = AnyRef::convert_extern(&mut store, back.expect("not null")).expect("live");
    assert_eq!(back.unwrap_i31(&store).expect("live").get_i32(), 7);
    assert_eq!(store.gc_heap_stats().heap_bytes, 0);
    let table = instance.get_table(&mut store, "table").expect("exported");
    table.set(&mut store, 0, seven.into()).expect("room");
    assert!(instance.snapshot(&store).is_ok());
}

#[test]
fn heaps_meet_the_limiter_and_their_domain_s_quota() {
    let engine = Engine::new(Config::new().max_gc_heap_bytes(8 << 20)).expect("an engine");
    let fill = |store: &mut Store<StoreLimits>| loop {
        if let Err(error) = ExternRef::new(&mut *store, ()) {
            break error;
        }
    };
    let mut store = Store::new(&engine, StoreLimitsBuilder::new().memory_size(1 << 20).build());
    store.limiter(|limits| limits);
    assert_eq!(fill(&mut store).trap(), Some(Trap::HeapExhausted));
    let stats = store.gc_heap_stats();
    assert!(stats.heap_bytes == 1 << 20 && stats.live_bytes > 900 << 10, "{stats:?}");

    let limits = StoreLimitsBuilder::new()
        .memory_size(1 << 20)
        .trap_on_grow_failure(true)
        .build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    assert!(matches!(fill(&mut store), Error::Limit(_)));

    let mut store = Store::new(&engine, StoreLimits::default());
    let domain = Domain::new("small", Permissions::all().limit_memory(2 << 20));
    store.set_domain(domain.clone()).expect("nobody's yet");
    assert_eq!(fill(&mut store).trap(), Some(Trap::HeapExhausted));
    assert!(store.gc_heap_stats().heap_bytes <= 2 << 20);
    assert_eq!(domain.memory_used(), store.gc_heap_stats().heap_bytes);
    drop(store);
    assert_eq!(domain.memory_used(), 0);
}

#[test]
fn a_value_that_panics_as_it_is_dropped_harms_nobody() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let mut store = Store::new(&Engine::default(), ());
    ExternRef::new(RootScope::new(&mut store), Panics).expect("room");
    let kept = ExternRef::new(&mut store, 5_u8).expect("room");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.gc()));
    assert!(panicked.is_err());
    store.gc();
    assert!(kept.data(&store).expect("live").is_some());
    assert_eq!(store.gc_heap_stats().live_objects, 1);
}
