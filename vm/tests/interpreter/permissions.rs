//! Permissions: host functions are refused where one of the instances on the
//! call chain lacks what they need, however the chain came about.

use vm::{
    AsContextMut, Caller, Capabilities, Capability, Domain, Engine, Error, Extern, Func, Instance, Linker, Memory,
    MemoryType, Module, PermissionError, Permissions, Ref, RefType, Requirement, Store, Table, TableType, Trap, Val,
};

const REFUSED: i32 = -63;

/// Two domains of one store, one of which may not read the clock.
struct World {
    linker: Linker<()>,
    store: Store<()>,
    parent: Domain,
    child: Domain,
}

/// `host` `now` needs the clock and is refused with an error, `host` `try` gives
/// a number then; `host` `call` calls the function reference it is given.
fn world() -> World {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    let clock = || Requirement::new(Capability::Clock);
    linker
        .func_wrap_requiring("host", "now", clock(), || 7)
        .and_then(|linker| linker.func_wrap_requiring("host", "try", clock().or_return(Val::I32(REFUSED)), || 7))
        .and_then(|linker| {
            linker.func_wrap("host", "call", |mut caller: Caller<'_, ()>, func: Option<Func>| {
                let func = func.ok_or_else(|| Error::from(Trap::NullReference))?;
                func.typed::<(), i32>(&caller)?.call(caller.as_context_mut(), ())
            })
        })
        .expect("the names differ");
    let parent = Domain::new("parent", Permissions::all());
    let child = parent.child("child", Permissions::all().drop(Capability::Clock));
    World {
        linker,
        store: Store::new(&engine, ()),
        parent,
        child,
    }
}

impl World {
    fn module(&self, text: &str) -> Module {
        Module::new(self.store.engine(), text).expect("valid")
    }

    fn parent(&mut self, text: &str) -> Instance {
        let (module, domain) = (self.module(text), self.parent.clone());
        let made = self.linker.instantiate_in(&mut self.store, &module, &domain);
        made.expect("nothing is missing")
    }

    fn child(&mut self, text: &str) -> Instance {
        let (module, domain) = (self.module(text), self.child.clone());
        let made = self.linker.instantiate_in(&mut self.store, &module, &domain);
        made.expect("nothing is missing")
    }

    /// Defines what an instance exports under a name.
    fn offer(&mut self, name: &str, instance: Instance) {
        self.linker
            .instance(&mut self.store, name, instance)
            .expect("the name is free");
    }

    fn run(&mut self, instance: Instance, name: &str) -> Result<i32, Error> {
        let run = instance.get_typed_func::<(), i32>(&mut self.store, name);
        run.expect("exported").call(&mut self.store, ())
    }

    /// What an export that calls `try` somewhere gives.
    fn value(&mut self, instance: Instance, name: &str) -> i32 {
        self.run(instance, name).expect("it goes on")
    }
}

/// Exports what calls `try` directly.
const DIRECT: &str = r#"(module (import "host" "try" (func $try (result i32)))
    (func (export "f") (result i32) (call $try)))"#;

fn is_refusal(error: &Error, who: &str) -> bool {
    matches!(
        error,
        Error::Host(host) if matches!(
            host.source().downcast_ref::<Error>(),
            Some(Error::Permission(PermissionError::Refused { domain, capability: Capability::Clock, .. })) if **domain == *who
        )
    )
}

#[test]
fn a_direct_call() {
    let mut world = world();
    let (parent, child) = (world.parent(DIRECT), world.child(DIRECT));
    assert_eq!(world.value(parent, "f"), 7);
    assert_eq!(world.value(child, "f"), REFUSED);
}

#[test]
fn a_refusal_without_a_value_is_an_error_that_names_who_and_what() {
    let mut world = world();
    let child = world.child(
        r#"(module (import "host" "now" (func $now (result i32)))
        (func (export "f") (result i32) (call $now)))"#,
    );
    let error = world.run(child, "f").expect_err("refused");
    assert!(is_refusal(&error, "child"), "{error:?}");
    assert_eq!(
        error.to_string(),
        "`child` may not call `host` `now`: that needs the permission `clock`"
    );
    assert_eq!(error.backtrace().expect("it was called").frames().len(), 1);
}

#[test]
fn calling_the_parent_does_not_lend_its_rights() {
    let mut world = world();
    let parent = world.parent(DIRECT);
    world.offer("parent", parent);
    let child = world.child(
        r#"(module (import "parent" "f" (func $f (result i32)))
        (func $deeper (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (call $deeper (i32.sub (local.get 0) (i32.const 1))))
                (else (call $f))))
        (func (export "direct") (result i32) (call $f))
        (func (export "deep") (result i32) (call $deeper (i32.const 1000))))"#,
    );
    assert_eq!(world.value(child, "direct"), REFUSED);
    assert_eq!(world.value(child, "deep"), REFUSED);
    assert_eq!(world.value(parent, "f"), 7, "returning restores");
}

#[test]
fn rights_return_with_the_call() {
    let mut world = world();
    let child = world.child(DIRECT);
    world.offer("child", child);
    // Refused inside the child, allowed before and after, ten times over.
    let parent = world.parent(
        r#"(module (import "host" "try" (func $try (result i32))) (import "child" "f" (func $f (result i32)))
        (func (export "f") (result i32) (local $i i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (call $try)))
                (local.set $sum (i32.add (local.get $sum) (call $f)))
                (local.set $sum (i32.add (local.get $sum) (call $try)))
                (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))
            (local.get $sum)))"#,
    );
    assert_eq!(world.value(parent, "f"), 10 * (7 + REFUSED + 7));
}

#[test]
fn function_pointers_through_a_table() {
    let mut world = world();
    let table = Table::new(
        &mut world.store,
        TableType::new(RefType::FUNCREF, 4, None),
        Ref::Func(None),
    );
    let table = table.expect("there is room");
    world.linker.define(&world.store, "env", "table", table).expect("free");
    let parent = world.parent(
        r#"(module (import "env" "table" (table 4 funcref)) (import "host" "try" (func $try (result i32)))
        (func $f (export "f") (result i32) (call $try))
        (elem (i32.const 0) $f $try)
        (type $t (func (result i32)))
        (func (export "indirect") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
        (func (export "two") (result i32) (call_indirect (type $t) (i32.const 2))))"#,
    );
    let child = world.child(
        r#"(module (import "env" "table" (table 4 funcref)) (import "host" "try" (func $try (result i32)))
        (type $t (func (result i32)))
        (func $own (result i32) (call $try))
        (elem (i32.const 2) $own)
        (func (export "parents") (result i32) (call_indirect (type $t) (i32.const 0)))
        (func (export "hosts") (result i32) (call_indirect (type $t) (i32.const 1))))"#,
    );
    assert_eq!(world.value(child, "parents"), REFUSED);
    assert_eq!(world.value(child, "hosts"), REFUSED);
    assert_eq!(world.value(parent, "two"), REFUSED, "it is the child that runs");
    let indirect = parent
        .get_typed_func::<i32, i32>(&mut world.store, "indirect")
        .expect("exported");
    assert_eq!(indirect.call(&mut world.store, 0).expect("allowed"), 7);
    assert_eq!(indirect.call(&mut world.store, 1).expect("allowed"), 7);
}

#[test]
fn re_entrance_through_the_host() {
    let mut world = world();
    let parent = world.parent(
        r#"(module (import "host" "try" (func $try (result i32))) (import "host" "call" (func $call (param funcref) (result i32)))
        (func $f (export "f") (result i32) (call $try))
        (func (export "through") (result i32) (call $call (ref.func $f))))"#,
    );
    world.offer("parent", parent);
    let child = world.child(
        r#"(module (import "parent" "f" (func $f (result i32))) (import "parent" "through" (func $through (result i32)))
        (import "host" "call" (func $call (param funcref) (result i32)))
        (import "host" "try" (func $try (result i32)))
        (elem declare func $f $through $try)
        (func (export "f") (result i32) (call $call (ref.func $f)))
        (func (export "through") (result i32) (call $through))
        (func (export "twice") (result i32) (call $call (ref.func $through)))
        (func (export "host") (result i32) (call $call (ref.func $try))))"#,
    );
    assert_eq!(world.value(parent, "through"), 7);
    for name in ["f", "through", "twice", "host"] {
        assert_eq!(world.value(child, name), REFUSED, "{name}");
    }
    assert_eq!(world.value(parent, "through"), 7);
}

#[test]
fn start_functions_and_traps_leave_nothing_behind() {
    let mut world = world();
    let parent = world.parent(DIRECT);
    world.offer("parent", parent);
    let text = r#"(module (import "parent" "f" (func $f (result i32)))
        (func $start (if (i32.eq (call $f) (i32.const -63)) (then unreachable)))
        (start $start))"#;
    let (module, domain) = (world.module(text), world.child.clone());
    let made = world.linker.instantiate_in(&mut world.store, &module, &domain);
    assert_eq!(made.expect_err("it traps").trap(), Some(Trap::UnreachableCodeReached));
    assert_eq!(world.value(parent, "f"), 7);
}

#[test]
fn gates_lend_what_they_do_and_nothing_else() {
    let mut world = world();
    let parent = world.parent(
        r#"(module (import "host" "try" (func $try (result i32)))
        (func (export "gate") (param i32) (result i32) (i32.add (local.get 0) (call $try)))
        (func (export "f") (result i32) (call $try)))"#,
    );
    let gate = parent.get_func(&mut world.store, "gate").expect("exported");
    let gate = gate.gate(&mut world.store);
    world.linker.define(&world.store, "parent", "gate", gate).expect("free");
    let f = parent.get_func(&mut world.store, "f").expect("exported");
    world.linker.define(&world.store, "parent", "f", f).expect("free");
    let child = world.child(
        r#"(module (import "parent" "gate" (func $gate (param i32) (result i32))) (import "parent" "f" (func $f (result i32)))
        (import "host" "try" (func $try (result i32)))
        (func (export "gate") (result i32) (call $gate (i32.const 100)))
        (func (export "f") (result i32) (drop (call $gate (i32.const 0))) (call $f))
        (func (export "try") (result i32) (drop (call $gate (i32.const 0))) (call $try)))"#,
    );
    assert_eq!(world.value(child, "gate"), 107);
    assert_eq!(world.value(child, "f"), REFUSED);
    assert_eq!(world.value(child, "try"), REFUSED);
    // From the host, where nothing is on the chain, it is an ordinary function.
    let gate = gate.typed::<i32, i32>(&world.store).expect("its type");
    assert_eq!(gate.call(&mut world.store, 1).expect("allowed"), 8);
}

#[test]
fn a_gate_of_a_function_that_lacks_the_right_lends_nothing() {
    let mut world = world();
    let child = world.child(DIRECT);
    let f = child.get_func(&mut world.store, "f").expect("exported");
    let gate = f.gate(&mut world.store);
    world.linker.define(&world.store, "child", "gate", gate).expect("free");
    let parent = world.parent(
        r#"(module (import "child" "gate" (func $gate (result i32))) (func (export "f") (result i32) (call $gate)))"#,
    );
    assert_eq!(world.value(parent, "f"), REFUSED);
}

#[test]
fn what_is_dropped_is_never_regained() {
    let mut world = world();
    let parent = world.parent(DIRECT);
    assert_eq!(world.value(parent, "f"), 7);
    let domain = world.parent.clone();
    domain
        .drop_capabilities(&mut world.store, Capability::Clock)
        .expect("its store");
    assert_eq!(world.value(parent, "f"), REFUSED);
    assert!(!domain.permissions().allows(Capability::Clock));
    // Neither by a child nor by another instance.
    let again = domain.child("again", Permissions::all());
    assert!(!again.permissions().allows(Capability::Clock));
    let module = world.module(DIRECT);
    for domain in [&domain, &again] {
        let instance = world
            .linker
            .instantiate_in(&mut world.store, &module, domain)
            .expect("fits");
        assert_eq!(world.value(instance, "f"), REFUSED);
    }
    // Children that there were before lose it too.
    let late = Domain::new("late", Permissions::all());
    let later = late.child("later", Permissions::all());
    let instance = world
        .linker
        .instantiate_in(&mut world.store, &module, &later)
        .expect("fits");
    assert_eq!(world.value(instance, "f"), 7);
    late.drop_capabilities(&mut world.store, Capability::Clock)
        .expect("unused so far");
    assert_eq!(world.value(instance, "f"), REFUSED);
}

#[test]
fn domains_belong_to_one_store() {
    let mut world = world();
    world.parent(DIRECT);
    let domain = world.parent.clone();
    let mut other = Store::new(world.store.engine(), ());
    let module = world.module(DIRECT);
    let made = world.linker.instantiate_in(&mut other, &module, &domain);
    assert_eq!(
        made.expect_err("another store").to_string(),
        "a domain of another store was passed"
    );
    assert!(domain.drop_capabilities(&mut other, Capability::Clock).is_err());
    assert!(other.set_domain(domain).is_err());
}

#[test]
fn instances_made_by_instances_belong_to_their_domain() {
    let mut world = world();
    let module = world.module(DIRECT);
    let linker = world.linker.clone();
    let make = move |mut caller: Caller<'_, ()>| -> Result<i32, Error> {
        let instance = linker.instantiate(&mut caller, &module)?;
        let domain = instance.domain(&caller);
        assert_eq!(caller.domain().map(Domain::name), Some(domain.name()));
        instance
            .get_typed_func::<(), i32>(&mut caller, "f")?
            .call(&mut caller, ())
    };
    world.linker.func_wrap("host", "make", make).expect("free");
    let text =
        r#"(module (import "host" "make" (func $make (result i32))) (func (export "f") (result i32) (call $make)))"#;
    let (parent, child) = (world.parent(text), world.child(text));
    assert_eq!(world.value(parent, "f"), 7);
    assert_eq!(world.value(child, "f"), REFUSED);
    assert_eq!(world.store.domain().name(), "main");
}

#[test]
fn host_functions_see_the_permissions_of_the_chain() {
    let mut world = world();
    let see = |caller: Caller<'_, ()>| {
        let all = caller.permissions();
        assert_eq!(all.capabilities(), caller.capabilities());
        assert_eq!(all.allows(Capability::Clock), caller.allows(Capability::Clock));
        assert!(caller.allows(Capability::Stdout));
        u32::from(all.allows(Capability::Clock))
    };
    world.linker.func_wrap("host", "see", see).expect("free");
    let see = world
        .linker
        .get(&mut world.store, "host", "see")
        .and_then(Extern::into_func);
    let see = see.expect("defined").typed::<(), u32>(&world.store).expect("its type");
    assert_eq!(
        see.call(&mut world.store, ()).expect("it returns"),
        1,
        "the host may do all"
    );
    let text =
        r#"(module (import "host" "see" (func $see (result i32))) (func (export "f") (result i32) (call $see)))"#;
    let parent = world.parent(text);
    assert_eq!(world.value(parent, "f"), 1);
    world.offer("parent", parent);
    let child = world.child(text);
    assert_eq!(world.value(child, "f"), 0);
    let through = world
        .child(r#"(module (import "parent" "f" (func $f (result i32))) (func (export "f") (result i32) (call $f)))"#);
    assert_eq!(world.value(through, "f"), 0);
    assert_eq!(world.value(parent, "f"), 1);
}

#[test]
fn limits_of_runs_end_with_them() {
    let mut world = world();
    let parent = world.parent(DIRECT);
    let limit = Permissions::all().drop(Capability::Clock);
    let f = parent
        .get_typed_func::<(), i32>(&mut world.store, "f")
        .expect("exported");
    let limited = world.store.as_context_mut().limited(&limit, |mut store| {
        let first = f.call(&mut store, ());
        let nested = store.limited(&Permissions::all(), |store| f.call(store, ()));
        [first, nested].map(|result| result.expect("it goes on"))
    });
    assert_eq!(limited, [REFUSED; 2]);
    assert_eq!(f.call(&mut world.store, ()).expect("allowed"), 7);
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world
            .store
            .as_context_mut()
            .limited(&limit, |_| std::panic::resume_unwind(Box::new(())));
    }));
    assert!(unwound.is_err());
    assert_eq!(f.call(&mut world.store, ()).expect("allowed"), 7);
}

#[test]
fn quotas_of_memory_tables_and_instances() {
    let mut world = world();
    let parent = Domain::new(
        "parent",
        Permissions::all()
            .limit_memory(4 << 16)
            .limit_table_elements(10)
            .limit_instances(3),
    );
    let module = world.module(
        r#"(module (memory (export "memory") 1) (table 4 funcref)
        (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
        (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#,
    );
    let mut make = |domain: &Domain| world.linker.instantiate_in(&mut world.store, &module, domain);
    let first = make(&parent).expect("it fits");
    let child = parent.child("child", Permissions::all());
    let second = make(&child).expect("it fits");
    let error = make(&child).expect_err("12 elements are more than 10").to_string();
    assert_eq!(
        error,
        "`parent` may have 10 table elements: it has 8, and 4 more were asked for"
    );
    assert_eq!(parent.memory_used(), 2 << 16, "nothing is left of the one that failed");
    let grow = |store: &mut Store<()>, instance: Instance, name: &str, by| {
        let grow = instance
            .get_typed_func::<i32, i32>(&mut *store, name)
            .expect("exported");
        grow.call(store, by).expect("it returns")
    };
    assert_eq!(grow(&mut world.store, second, "grow", 2), 1);
    assert_eq!(grow(&mut world.store, first, "grow", 1), -1, "the child has it");
    assert_eq!(grow(&mut world.store, first, "table", 3), -1);
    assert_eq!(grow(&mut world.store, first, "table", 2), 4);
    assert_eq!(parent.memory_used(), 4 << 16);
    // The host's own memories are not the domain's.
    assert!(Memory::new(&mut world.store, MemoryType::new(100, None)).is_ok());
    let small = world.module("(module)");
    assert!(world.linker.instantiate_in(&mut world.store, &small, &child).is_ok());
    let error = world.linker.instantiate_in(&mut world.store, &small, &parent);
    assert_eq!(
        error.expect_err("three there are").to_string(),
        "`parent` may have 3 instances: it has 3, and 1 more were asked for"
    );
    drop(world);
    assert_eq!(parent.memory_used(), 0);
}

#[test]
fn a_refusal_must_fit_the_function() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let refusal = |value| Requirement::new(Capability::Exit).or_return(value);
    assert!(
        linker
            .func_wrap_requiring("a", "b", refusal(Val::I64(0)), || 0_i32)
            .is_err()
    );
    assert!(
        linker
            .func_wrap_requiring("a", "b", refusal(Val::I32(0)), || ())
            .is_err()
    );
    assert!(
        linker
            .func_wrap_requiring("a", "b", refusal(Val::F64(0)), || 0.5_f64)
            .is_ok()
    );
}

#[test]
fn many_domains_and_deep_chains() {
    let mut world = world();
    let last = world.parent(DIRECT);
    world.offer("m0", last);
    // Each module calls the one before; one in the middle lacks the right.
    for i in 1..200_u32 {
        let text = format!(
            r#"(module (import "m{}" "f" (func $f (result i32))) (func (export "f") (result i32) (call $f)))"#,
            i - 1
        );
        let drop = if i == 100 { Capability::Clock } else { Capability::Stdin };
        let domain = world.parent.child(&format!("m{i}"), Permissions::all().drop(drop));
        let module = world.module(&text);
        let instance = world
            .linker
            .instantiate_in(&mut world.store, &module, &domain)
            .expect("fits");
        let expected = if i < 100 { 7 } else { REFUSED };
        assert_eq!(world.value(instance, "f"), expected, "{i}");
        world.offer(&format!("m{i}"), instance);
    }
    assert_eq!(Capabilities::all().iter().count(), Capability::ALL.len());
}

#[test]
fn a_panic_leaves_no_frame_and_no_limit_behind() {
    let mut world = world();
    let panic = Func::wrap(&mut world.store, || -> () { std::panic::resume_unwind(Box::new(5)) });
    for through_guest in [false, true] {
        let panic = match through_guest {
            false => panic,
            true => {
                let module = world.module(r#"(module (import "" "" (func $f)) (func (export "f") (call $f)))"#);
                let instance = Instance::new(&mut world.store, &module, &[panic.into()]).expect("one import");
                instance.get_func(&mut world.store, "f").expect("exported")
            }
        };
        let limit = Box::new(Permissions::none());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut context = world.store.as_context_mut();
            context
                .limited(&limit, |store| panic.call(store, &[], &mut []))
                .expect("it panics");
        }));
        assert!(caught.is_err());
        drop(limit);
        let parent = world.parent(DIRECT);
        assert_eq!(world.value(parent, "f"), 7);
        // What runs no more has no frames: an instance can be restored.
        let snapshot = parent.snapshot(&mut world.store).expect("nothing runs");
        parent.restore(&mut world.store, &snapshot).expect("nothing runs");
    }
}

#[test]
fn many_globals_count_as_memory() {
    let mut world = world();
    let module = |n: usize| {
        let globals = "(global i64 (i64.const 0))".repeat(n);
        format!("(module {globals})")
    };
    let domain = Domain::new("small", Permissions::all().limit_memory(1 << 20));
    let [few, many] = [1000, 100_000].map(|n| world.module(&module(n)));
    world
        .linker
        .instantiate_in(&mut world.store, &few, &domain)
        .expect("16 KB");
    assert_eq!(domain.memory_used(), 0);
    let error = world
        .linker
        .instantiate_in(&mut world.store, &many, &domain)
        .expect_err("1.6 MB");
    assert!(
        error
            .to_string()
            .starts_with("`small` may have 1048576 bytes of memory"),
        "{error}"
    );
    assert_eq!(domain.memory_used(), 0);
    let domain = Domain::new("large", Permissions::all().limit_memory(2 << 20));
    world
        .linker
        .instantiate_in(&mut world.store, &many, &domain)
        .expect("1.6 MB");
    assert!(
        (1_500_000..1_600_000).contains(&domain.memory_used()),
        "{}",
        domain.memory_used()
    );
}
