//! What the tests of the embedding API share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use vm::{Config, Engine, Error, Instance, Linker, Module, Store, Trap};

/// A module of the text format, in an engine of its own.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn module(text: &str) -> (Engine, Module) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).expect("the test's module is valid");
    (engine, module)
}

/// A store and an instance without imports.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn instance(text: &str) -> (Store<()>, Instance) {
    let (engine, module) = module(text);
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
    (store, instance)
}

/// A store with `data`, and an instance with imports that `define` defines.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn linked<T: 'static>(
    text: &str,
    data: T,
    define: impl FnOnce(&mut Linker<T>) -> Result<(), Error>,
) -> (Store<T>, Instance) {
    let (engine, module) = module(text);
    let mut linker = Linker::new(&engine);
    define(&mut linker).expect("the names differ");
    let mut store = Store::new(&engine, data);
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("the test defines what it needs");
    (store, instance)
}

/// Calls an exported function that takes and gives nothing.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn run<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str) -> Result<(), Error> {
    instance.get_typed_func::<(), ()>(&mut *store, name)?.call(store, ())
}

/// The trap that calling an exported function ends in.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn trap<T: 'static>(store: &mut Store<T>, instance: Instance, name: &str) -> Option<Trap> {
    run(store, instance, name).expect_err("it traps").trap()
}

/// An engine whose memories have guard pages, and one whose accesses are checked.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn engines() -> [Engine; 2] {
    [true, false].map(|guard| {
        let mut config = Config::new();
        config.memory_guard(guard);
        Engine::new(&config).expect("a valid configuration")
    })
}

/// The names of the functions of an error's frames, innermost first.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn frame_names(error: &Error) -> Vec<String> {
    let frames = error.backtrace().map_or(&[][..], |backtrace| backtrace.frames());
    let names = frames.iter().map(|frame| frame.func_name().unwrap_or_default());
    names.collect()
}

/// A number of `/proc/self/smaps_rollup`, in bytes.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn rollup(key: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
    let line = text.lines().find(|line| line.starts_with(key)).expect("it is there");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<usize>().expect("a number") << 10
}

/// Keeps tests that measure from disturbing each other.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
