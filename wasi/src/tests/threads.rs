//! Programs with threads, and what ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use vm::{Config, Domain, Engine, Error, Instance, Linker, Module, Permissions, Store, Trap, Val};

use crate::pipe::MemoryOutput;
use crate::threads::{self, Threads, UnsharedImport};
use crate::{I32Exit, WasiCtx, WasiCtxBuilder, add_to_linker};

struct State {
    wasi: WasiCtx,
    threads: Option<Threads<State>>,
}

/// What all programs here import and have. Threads end by themselves if their argument
/// is 0.
const COMMON: &str = r#"
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "env" "memory" (memory 1 4 shared))
    (export "memory" (memory 0))
    (func $wait (param $at i32) (param $value i32)
        (loop
            (if (i32.lt_u (i32.atomic.load (local.get $at)) (local.get $value))
                (then
                    (drop (memory.atomic.wait32 (local.get $at) (i32.atomic.load (local.get $at)) (i64.const 1000000)))
                    (br 1)))))
    (func $forever (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))) (unreachable))
    (func $sleep
        (i64.store offset=24 (i32.const 1024) (i64.const 1000000000000000))
        (i32.store offset=16 (i32.const 1024) (i32.const 1))
        (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096)))
        (unreachable))
    (func $arrive (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1))))
"#;

/// A program of this text in a store, ready to run.
struct Program {
    store: Store<State>,
    instance: Instance,
    threads: Threads<State>,
}

impl Program {
    fn new(text: &str, wasi: WasiCtx, permissions: Permissions) -> Result<Program, Error> {
        let engine = Engine::new(Config::new().consume_fuel(true))?;
        let module = Module::new(&engine, format!("(module {COMMON} {text})"))?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, |state: &mut State| &mut state.wasi)?;
        threads::add_to_linker(&mut linker, |state: &mut State| state.threads.clone())?;
        let mut store = Store::new(&engine, State { wasi, threads: None });
        store.set_fuel(1_000_000_000)?;
        store.set_domain(Domain::new("main", permissions))?;
        let threads = Threads::new(&mut linker, &mut store, &module, |caller, new| {
            let fuel = vm::AsContextMut::as_context_mut(caller).fuel_pool()?;
            let engine = caller.engine().clone();
            let state = caller.data_mut();
            let (wasi, threads) = (state.wasi.share(new.ended), state.threads.clone());
            let mut store = Store::try_new(&engine, State { wasi, threads })?;
            store.set_fuel_pool(&fuel)?;
            Ok(store)
        })?;
        store.data_mut().threads = Some(threads.clone());
        let instance = linker.instantiate(&mut store, &module)?;
        Ok(Program {
            store,
            instance,
            threads,
        })
    }

    /// Runs it to its end; how that was.
    fn run(mut self) -> Result<i32, Error> {
        let start = self.instance.get_typed_func::<(), i32>(&mut self.store, "_start")?;
        let result = start.call(&mut self.store, ());
        let result = self.threads.finish(result);
        assert_eq!(self.threads.count(), 0);
        result
    }
}

fn run(text: &str) -> Result<i32, Error> {
    Program::new(text, WasiCtx::default(), Permissions::all())?.run()
}

/// Threads that do not end by themselves: one waits, one sleeps, one spins.
const STUCK: &str = r#"
    (func $stuck (param $how i32)
        (call $arrive)
        (if (i32.eq (local.get $how) (i32.const 1)) (then (call $forever)))
        (if (i32.eq (local.get $how) (i32.const 2)) (then (call $sleep)))
        (if (i32.eq (local.get $how) (i32.const 3)) (then (loop (br 0)))))
    (func $start_stuck
        (drop (call $spawn (i32.const 1)))
        (drop (call $spawn (i32.const 2)))
        (drop (call $spawn (i32.const 3)))
        (call $wait (i32.const 8) (i32.const 3)))"#;

#[test]
fn the_first_threads_return_ends_all() -> Result<(), Error> {
    let text = format!(
        r#"{STUCK}
        (func (export "wasi_thread_start") (param i32 i32) (call $stuck (local.get 1)))
        (func (export "_start") (result i32) (call $start_stuck) (i32.const 42))"#
    );
    let before = Instant::now();
    assert_eq!(run(&text)?, 42);
    assert!(before.elapsed() < Duration::from_secs(60));
    Ok(())
}

#[test]
fn any_threads_exit_or_trap_ends_all() -> Result<(), Error> {
    for (end, code) in [("(call $exit (i32.const 9))", Some(9)), ("(unreachable)", None)] {
        for first in ["(call $forever)", "(call $sleep)", "(loop (br 0))"] {
            let text = format!(
                r#"{STUCK}
                (func (export "wasi_thread_start") (param i32 i32)
                    (if (i32.eqz (local.get 1)) (then {end}))
                    (call $stuck (local.get 1)))
                (func (export "_start") (result i32)
                    (call $start_stuck)
                    (drop (call $spawn (i32.const 0)))
                    {first} (i32.const 42))"#
            );
            let error = run(&text).expect_err("another thread has ended it");
            match code {
                Some(_) => assert_eq!(error.downcast_ref::<I32Exit>().map(|exit| exit.0), code),
                None => assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached), "{error}"),
            }
        }
    }
    Ok(())
}

#[test]
fn numbers_are_positive_and_threads_are_limited() -> Result<(), Error> {
    // Starts as many as it can; the last result, and the sum of those before.
    let text = r#"
        (func (export "wasi_thread_start") (param i32 i32) (call $forever))
        (func (export "_start") (result i32) (local $tid i32) (local $sum i32)
            (loop
                (local.set $tid (call $spawn (i32.const 1)))
                (if (i32.gt_s (local.get $tid) (i32.const 0))
                    (then (local.set $sum (i32.add (local.get $sum) (local.get $tid))) (br 1))))
            (i32.sub (i32.mul (local.get $sum) (i32.const 100)) (local.get $tid)))"#;
    let program = |permissions| Program::new(text, WasiCtx::default(), permissions);
    let again = 6;
    assert_eq!(program(Permissions::all())?.run()?, 64 * 65 / 2 * 100 + again);
    assert_eq!(program(Permissions::all().limit_threads(3))?.run()?, 6 * 100 + again);
    let five = program(Permissions::all())?;
    five.threads.limit(5);
    assert_eq!(five.run()?, 15 * 100 + again);
    let not_capable = 76;
    assert_eq!(
        program(Permissions::all().drop(vm::Capability::Threads))?.run()?,
        not_capable
    );
    Ok(())
}

/// The same numbers and places are used again, and nothing stays.
#[test]
fn threads_come_and_go() -> Result<(), Error> {
    let text = r#"
        (func (export "wasi_thread_start") (param i32 i32)
            (call $arrive)
            (drop (memory.atomic.notify (i32.const 8) (i32.const 1))))
        (func (export "_start") (result i32) (local $i i32) (local $failed i32)
            (loop
                (if (i32.lt_s (call $spawn (i32.const 0)) (i32.const 1))
                    (then (local.set $failed (i32.add (local.get $failed) (i32.const 1)))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (call $wait (i32.const 8) (local.get $i))
                (br_if 0 (i32.lt_u (local.get $i) (i32.const 200))))
            (local.get $failed))"#;
    assert_eq!(run(text)?, 0);
    Ok(())
}

/// Descriptors are the program's: what one thread writes to or closes is the others'.
#[test]
fn threads_share_descriptors() -> Result<(), Error> {
    let output = MemoryOutput::new(1 << 20);
    let wasi = WasiCtxBuilder::new().stdout(output.clone()).build();
    let text = r#"
        (data (i32.const 256) "a line of sixteen\n")
        (func $print
            (drop (call $write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 140))))
        (func (export "wasi_thread_start") (param i32 i32) (local $i i32)
            (loop
                (call $print)
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
            (if (i32.eq (i32.atomic.rmw.add (i32.const 8) (i32.const 1)) (i32.const 3))
                (then (drop (call $close (i32.const 1)))))
            (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 1))))
        (func (export "_start") (result i32) (local $i i32)
            (i32.store (i32.const 128) (i32.const 256))
            (i32.store (i32.const 132) (i32.const 18))
            (loop
                (drop (call $spawn (i32.const 0)))
                (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4))))
            (call $wait (i32.const 16) (i32.const 4))
            ;; It is closed here too.
            (call $write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 140)))"#;
    let program = Program::new(text, wasi.expect("no directories"), Permissions::all())?;
    assert_eq!(program.run()?, 8, "EBADF");
    assert_eq!(output.contents(), "a line of sixteen\n".repeat(400).as_bytes());
    Ok(())
}

/// A thread that waits for input keeps no other from writing.
#[test]
fn waiting_threads_leave_descriptors_to_others() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut first = WasiCtx::default();
    let waits = crate::host::HostFile::new(std::fs::File::from(std::os::fd::OwnedFd::from(reader))).expect("a pipe");
    let descriptor = crate::table::Descriptor::for_file(waits, crate::table::Source::Stream(vm::Capability::Stdin));
    let fd = first.fds.insert(descriptor).expect("there is room");
    let mut second = first.share(&Arc::default());
    thread::scope(|scope| {
        let read = scope.spawn(move || {
            let held = first.hold();
            held.0.waiting(fd, |object, nonblock, interrupt| match object {
                crate::table::Object::File(file) => file.read(&mut [0; 8], nonblock, interrupt),
                _ => unreachable!("it is a pipe"),
            })
        });
        let held = second.hold();
        assert!(held.0.fds.get(fd).is_ok());
        drop(held);
        assert!(!read.is_finished());
        std::io::Write::write_all(&mut { writer }, b"orca").expect("it is read");
        assert_eq!(read.join().expect("no panic"), Ok(4));
    });
}

/// Nobody has more fuel by having threads, and they have what is left.
#[test]
fn threads_use_the_programs_fuel() -> Result<(), Error> {
    let text = r#"
        (func (export "wasi_thread_start") (param i32 i32) (loop (br 0)))
        (func (export "_start") (result i32)
            (drop (call $spawn (i32.const 0)))
            (drop (call $spawn (i32.const 0)))
            (call $forever) (i32.const 0))"#;
    let mut program = Program::new(text, WasiCtx::default(), Permissions::all())?;
    program.store.set_fuel(3_000_000)?;
    let error = program.run().expect_err("they spin");
    assert_eq!(error.trap(), Some(Trap::OutOfFuel), "{error}");
    Ok(())
}

#[test]
fn a_panic_in_a_thread_goes_on_in_the_first() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
            (import "host" "panic" (func $panic))
            (import "env" "memory" (memory 1 1 shared))
            (func (export "wasi_thread_start") (param i32 i32) (call $panic))
            (func (export "_start")
                (drop (call $spawn (i32.const 0)))
                (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))"#,
    );
    let module = module.expect("a module");
    let run = || -> Result<(), Error> {
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "panic", || -> () { panic!("on purpose") })?;
        threads::add_to_linker(&mut linker, |state: &mut State| state.threads.clone())?;
        let (wasi, threads) = (WasiCtx::default(), None);
        let mut store = Store::new(&engine, State { wasi, threads });
        let threads = Threads::new(&mut linker, &mut store, &module, |caller, _| {
            let threads = caller.data().threads.clone();
            let wasi = WasiCtx::default();
            Store::try_new(caller.engine(), State { wasi, threads })
        })?;
        store.data_mut().threads = Some(threads.clone());
        let instance = linker.instantiate(&mut store, &module)?;
        let result = instance
            .get_typed_func::<(), ()>(&mut store, "_start")?
            .call(&mut store, ());
        threads.finish(result)
    };
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("the panic goes on");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
}

/// What is of one store cannot be in each thread's.
#[test]
fn imports_of_a_store_are_refused() -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "wasi" "thread-spawn" (func (param i32) (result i32)))
            (import "lib" "x" (global i32)))"#,
    )?;
    let mut linker: Linker<()> = Linker::new(&engine);
    let mut store = Store::new(&engine, ());
    let ty = vm::GlobalType::new(vm::ValType::I32, vm::Mutability::Const);
    let global = vm::Global::new(&mut store, ty, Val::I32(1))?;
    linker.define(&store, "lib", "x", global)?;
    let forks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&forks);
    let error = Threads::new(&mut linker, &mut store, &module, move |caller, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        Store::try_new(caller.engine(), ())
    });
    let error = error.expect_err("it is of the store");
    assert!(error.downcast_ref::<UnsharedImport>().is_some(), "{error}");
    assert_eq!(forks.load(Ordering::Relaxed), 0);
    Ok(())
}
