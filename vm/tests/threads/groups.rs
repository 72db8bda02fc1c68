//! Stores that are interrupted together.

use std::thread;

use vm::{Engine, Error, InterruptGroup, Module, Trap};

use super::{instance, shared, until};

/// Threads that run, wait, and are yet to come are stopped at once.
#[test]
fn all_threads_of_a_program_end() -> Result<(), Error> {
    const THREADS: u32 = 6;
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (func (export "run") (param i32)
                (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
                (if (local.get 0)
                    (then (loop (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))) (br 0))))
                (loop (br 0))))"#,
    )?;
    let memory = shared(&engine, 1, 1);
    let group = InterruptGroup::new();
    let run = |waits: bool| {
        let (mut store, instance) = instance(&engine, &module, &memory);
        group.add(&store.interrupt_handle());
        let func = instance
            .get_typed_func::<i32, ()>(&mut store, "run")
            .expect("it is exported");
        func.call(&mut store, waits.into()).expect_err("it does not end").trap()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || run(i % 2 == 0))).collect();
        until(|| memory.atomics()[8].load(std::sync::atomic::Ordering::Relaxed) == THREADS as u8);
        assert!(!group.is_interrupted());
        group.interrupt();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Some(Trap::Interrupt));
        }
        assert_eq!(run(true), Some(Trap::Interrupt));
    });
    Ok(())
}
