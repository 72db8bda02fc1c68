//! Threads that wait and notify each other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vm::{Access, Config, Engine, Error, Instance, Memory, MemoryType, Module, Region, Store, Trap, WaitResult};

use super::common::engines;
use super::{instance, shared, until};

const MODULE: &str = r#"(module
    (import "env" "memory" (memory 1 2 shared))
    (func (export "wait32") (param i32 i32 i64) (result i32)
        (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "wait64") (param i32 i64 i64) (result i32)
        (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "notify") (param i32 i32) (result i32)
        (memory.atomic.notify (local.get 0) (local.get 1))))"#;

/// Notifies a thread at `address`, which may not wait yet.
fn notify(memory: &vm::SharedMemory, address: u64) {
    until(|| memory.atomic_notify(address, 1).expect("inside") == 1);
}

#[test]
fn stores_notify_each_other() -> Result<(), Error> {
    for engine in engines() {
        let module = Module::new(&engine, MODULE)?;
        let memory = shared(&engine, 1, 2);
        memory.write(16, &7_u32.to_le_bytes())?;
        memory.write(72, &(1_u64 << 40).to_le_bytes())?;
        thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    let (mut store, instance) = instance(&engine, &module, &memory);
                    scope.spawn(move || -> Result<i32, Error> {
                        let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait32")?;
                        wait.call(&mut store, (16, 7, -1))
                    })
                })
                .collect();
            let (mut store, instance) = instance(&engine, &module, &memory);
            let notify = instance.get_typed_func::<(i32, i32), i32>(&mut store, "notify")?;
            let wait = instance.get_typed_func::<(i32, i64, i64), i32>(&mut store, "wait64")?;
            assert_eq!(notify.call(&mut store, (20, -1))?, 0);
            assert_eq!(notify.call(&mut store, (16, 0))?, 0);
            let mut notified = 0;
            until(|| {
                notified += notify.call(&mut store, (16, 3 - notified)).expect("inside");
                notified == 3
            });
            until(|| waiters.iter().filter(|waiter| waiter.is_finished()).count() == 3);
            until(|| notify.call(&mut store, (16, -1)).expect("inside") == 1);
            for waiter in waiters {
                assert_eq!(waiter.join().expect("no panic")?, 0);
            }
            let host = scope.spawn(|| memory.atomic_wait64(72, 1 << 40, None));
            until(|| notify.call(&mut store, (72, 1)).expect("inside") == 1);
            assert_eq!(host.join().expect("no panic"), Ok(WaitResult::Ok));
            let guest = scope.spawn(move || wait.call(&mut store, (64, 1 << 40, 60_000_000_000)));
            self::notify(&memory, 72);
            assert_eq!(guest.join().expect("no panic")?, 0);
            Ok::<(), Error>(())
        })?;
    }
    Ok(())
}

#[test]
fn waits_are_over_when_they_should() -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE)?;
    let memory = shared(&engine, 1, 2);
    let (mut store, instance) = instance(&engine, &module, &memory);
    let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait32")?;
    let wait64 = instance.get_typed_func::<(i32, i64, i64), i32>(&mut store, "wait64")?;
    assert_eq!(wait.call(&mut store, (0, 1, -1))?, 1);
    assert_eq!(wait64.call(&mut store, (0, 1, -1))?, 1);
    assert_eq!(wait.call(&mut store, (0, 0, 0))?, 2);
    for millis in [1, 30] {
        let start = Instant::now();
        assert_eq!(wait.call(&mut store, (0, 0, millis * 1_000_000))?, 2);
        assert!(start.elapsed() >= Duration::from_millis(millis.unsigned_abs()));
        let start = Instant::now();
        let timeout = Duration::from_millis(millis.unsigned_abs());
        assert_eq!(memory.atomic_wait32(4, 0, Some(timeout)), Ok(WaitResult::TimedOut));
        assert!(start.elapsed() >= timeout);
    }
    assert_eq!(memory.atomic_wait64(8, 1, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_notify(0, u32::MAX), Ok(0));
    Ok(())
}

#[test]
fn places_are_checked() -> Result<(), Error> {
    for engine in engines() {
        let module = Module::new(&engine, MODULE)?;
        let memory = shared(&engine, 1, 2);
        let (mut store, shared_instance) = instance(&engine, &module, &memory);
        let text = MODULE
            .replace("shared", "")
            .replace("(import \"env\" \"memory\" (memory 1 2 ))", "(memory 1 2)");
        let plain = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
        for (instance, at_all) in [
            (shared_instance, Ok(2)),
            (plain, Err(Some(Trap::AtomicWaitNonSharedMemory))),
        ] {
            let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait32")?;
            let wait64 = instance.get_typed_func::<(i32, i64, i64), i32>(&mut store, "wait64")?;
            let notify = instance.get_typed_func::<(i32, i32), i32>(&mut store, "notify")?;
            for (address, expected) in [
                (0, at_all),
                (2, Err(Some(Trap::HeapMisaligned))),
                (0x1_0000, Err(Some(Trap::MemoryOutOfBounds))),
                (-4, Err(Some(Trap::MemoryOutOfBounds))),
            ] {
                let outcome = wait.call(&mut store, (address, 0, 0)).map_err(|error| error.trap());
                assert_eq!(outcome, expected, "{address}");
                let outcome = notify.call(&mut store, (address, 1)).map_err(|error| error.trap());
                assert_eq!(
                    outcome,
                    expected.map(|_| 0).or(if address == 0 { Ok(0) } else { expected })
                );
            }
            let trap = wait64.call(&mut store, (4, 0, 0)).expect_err("not of 8 bytes").trap();
            assert_eq!(trap, Some(Trap::HeapMisaligned));
        }
        assert_eq!(memory.atomic_wait32(1, 0, None), Err(Trap::HeapMisaligned));
        assert_eq!(memory.atomic_wait64(0x1_0000, 0, None), Err(Trap::MemoryOutOfBounds));
        assert_eq!(memory.atomic_notify(u64::MAX - 3, 0), Err(Trap::MemoryOutOfBounds));
    }
    Ok(())
}

/// Regions are shared, whatever memory they are mapped into, and where.
#[test]
fn regions_are_places_to_wait_at() -> Result<(), Error> {
    for engine in engines() {
        let module = Module::new(&engine, MODULE.replace("1 2 shared", "1 2"))?;
        let region = Region::new(0x1_0000)?;
        let mapped = |address: u64| -> Result<(Store<()>, Instance), Error> {
            let mut store = Store::new(&engine, ());
            let memory = Memory::new(&mut store, MemoryType::new(1, Some(2)))?;
            memory.map(&mut store, address, &region, 0x1000..0x3000, Access::ReadWrite)?;
            let instance = Instance::new(&mut store, &module, &[memory.into()])?;
            Ok((store, instance))
        };
        region.write(0x2008, &5_u32.to_le_bytes())?;
        let (mut waiting, waiter) = mapped(0x8000_0000)?;
        let (mut notifying, notifier) = mapped(0x1000)?;
        let wait = waiter.get_typed_func::<(u32, i32, i64), i32>(&mut waiting, "wait32")?;
        let notify = notifier.get_typed_func::<(u32, i32), i32>(&mut notifying, "notify")?;
        assert_eq!(wait.call(&mut waiting, (0x8000_1008, 6, -1))?, 1);
        let thread = thread::spawn(move || wait.call(&mut waiting, (0x8000_1008, 5, -1)));
        assert_eq!(notify.call(&mut notifying, (0x1008, 1))?, 0);
        until(|| notify.call(&mut notifying, (0x2008, 1)).expect("inside") == 1);
        assert_eq!(thread.join().expect("no panic")?, 0);
    }
    Ok(())
}

#[test]
fn interrupted_threads_wait_no_longer() -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE)?;
    let memory = shared(&engine, 1, 2);
    for early in [true, false] {
        let (mut store, instance) = instance(&engine, &module, &memory);
        let handle = store.interrupt_handle();
        let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait32")?;
        if early {
            handle.interrupt();
        }
        let thread = thread::spawn(move || {
            let trap = wait
                .call(&mut store, (0, 0, -1))
                .expect_err("nobody notifies it")
                .trap();
            // The store is as good as before.
            (
                trap,
                wait.call(&mut store, (0, 1, -1)),
                wait.call(&mut store, (0, 0, 1)),
            )
        });
        thread::sleep(Duration::from_millis(20));
        if !early {
            handle.interrupt();
        }
        let (trap, mismatch, over) = thread.join().expect("no panic");
        assert_eq!((trap, mismatch?, over?), (Some(Trap::Interrupt), 1, 2));
    }
    assert_eq!(memory.atomic_notify(0, 1), Ok(0), "nobody waits any more");
    Ok(())
}

/// What others wait at stays when the store is gone that made it.
#[test]
fn waiting_outlives_the_store_that_made_the_memory() -> Result<(), Error> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(
        &mut store,
        MemoryType::builder().min(1).max(Some(2)).shared(true).build()?,
    )?;
    let memory = memory.to_shared(&store).expect("it is shared");
    let (mut other, instance) = instance(&engine, &Module::new(&engine, MODULE)?, &memory);
    let wait = instance.get_typed_func::<(i32, i32, i64), i32>(&mut other, "wait32")?;
    let thread = thread::spawn(move || wait.call(&mut other, (8, 0, -1)));
    drop(store);
    notify(&memory, 8);
    assert_eq!(thread.join().expect("no panic")?, 0);
    Ok(())
}

/// A lock of three states, and a counter that is not atomic.
const LOCK: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (func $lock (local $was i32)
        (local.set $was (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1)))
        (if (local.get $was)
            (then
                (if (i32.ne (local.get $was) (i32.const 2))
                    (then (local.set $was (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2)))))
                (block $mine
                    (loop $again
                        (br_if $mine (i32.eqz (local.get $was)))
                        (drop (memory.atomic.wait32 (i32.const 0) (i32.const 2) (i64.const -1)))
                        (local.set $was (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2)))
                        (br $again))))))
    (func $unlock
        (if (i32.ne (i32.atomic.rmw.sub (i32.const 0) (i32.const 1)) (i32.const 1))
            (then
                (i32.atomic.store (i32.const 0) (i32.const 0))
                (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))))
    (func (export "run") (param $times i32) (local $i i32)
        (loop
            (call $lock)
            (i64.store (i32.const 64) (i64.add (i64.load (i32.const 64)) (i64.const 1)))
            (i64.store (i32.const 4096) (i64.add (i64.load (i32.const 4096)) (i64.const 3)))
            (call $unlock)
            (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $times))))))"#;

#[test]
fn locks_protect() -> Result<(), Error> {
    const TIMES: u64 = 20_000;
    const THREADS: u64 = 4;
    let fuel = Engine::new(Config::new().consume_fuel(true))?;
    let [guarded, checked] = engines();
    for engine in [guarded, checked, fuel] {
        let module = Module::new(&engine, LOCK)?;
        let memory = shared(&engine, 1, 1);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                let (mut store, instance) = instance(&engine, &module, &memory);
                if store.get_fuel().is_ok() {
                    store.set_fuel(u64::MAX).expect("it is counted");
                }
                scope.spawn(move || {
                    let run = instance
                        .get_typed_func::<i32, ()>(&mut store, "run")
                        .expect("it is exported");
                    run.call(&mut store, TIMES as i32).expect("it ends");
                });
            }
        });
        let mut counters = [[0; 8]; 2];
        memory.read(64, &mut counters[0])?;
        memory.read(4096, &mut counters[1])?;
        assert_eq!(counters.map(u64::from_le_bytes), [THREADS * TIMES, 3 * THREADS * TIMES]);
    }
    Ok(())
}

/// Two threads take turns by waiting for each other, each turn one notification.
#[test]
fn no_notification_is_lost() -> Result<(), Error> {
    const TURNS: i32 = 20_000;
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (func (export "play") (param $own i32) (param $turns i32) (local $turn i32)
                (loop $next
                    (block $mine
                        (loop $wait
                            (local.set $turn (i32.atomic.load (i32.const 0)))
                            (br_if $mine (i32.eq (i32.and (local.get $turn) (i32.const 1)) (local.get $own)))
                            (drop (memory.atomic.wait32 (i32.const 0) (local.get $turn) (i64.const -1)))
                            (br $wait)))
                    (i32.atomic.store (i32.const 0) (i32.add (local.get $turn) (i32.const 1)))
                    (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))
                    (br_if $next (i32.lt_s (local.get $turn) (local.get $turns))))))"#,
    )?;
    let memory = shared(&engine, 1, 1);
    let done = AtomicU32::new(0);
    thread::scope(|scope| {
        for own in 0..2 {
            let (mut store, instance) = instance(&engine, &module, &memory);
            let done = &done;
            scope.spawn(move || {
                let play = instance
                    .get_typed_func::<(i32, i32), ()>(&mut store, "play")
                    .expect("it is exported");
                play.call(&mut store, (own, TURNS)).expect("it ends");
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(done.into_inner(), 2);
    Ok(())
}
