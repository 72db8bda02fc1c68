//! The functions as guests import them, through the virtual machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vm::{Engine, Instance, Linker, Module, Store, Trap};

use crate::builder::WasiCtxBuilder;
use crate::errno::I32Exit;
use crate::link::{MissingMemory, add_to_linker};
use crate::pipe::MemoryOutput;
use crate::{WasiCtx, preview0, preview1};

/// What an embedder's store may hold beside the guest's state.
struct State {
    wasi: WasiCtx,
}

/// A store and an instance of the module with this text.
fn instantiate(text: &str, builder: &mut WasiCtxBuilder) -> (Store<State>, Instance) {
    let engine = Engine::default();
    let mut linker = Linker::<State>::new(&engine);
    add_to_linker(&mut linker, |state| &mut state.wasi).expect("the names are free");
    let wasi = builder.build().expect("the context can be built");
    let mut store = Store::new(&engine, State { wasi });
    let module = Module::new(&engine, text).expect("the module is valid");
    let instance = linker.instantiate(&mut store, &module).expect("all imports are there");
    (store, instance)
}

/// Calls `run` and gives its result.
fn run(store: &mut Store<State>, instance: Instance) -> Result<i32, vm::Error> {
    instance.get_typed_func::<(), i32>(&mut *store, "run")?.call(store, ())
}

/// Parameters of every function but `sock_accept` and `proc_exit`: `i` for
/// `i32`, `l` for `i64`. All give an `i32`. From the witx of preview 1; the
/// ones of preview 0 are the same.
const SIGNATURES: &str = "
    args_get ii, args_sizes_get ii, environ_get ii, environ_sizes_get ii,
    clock_res_get ii, clock_time_get ili,
    fd_advise illi, fd_allocate ill, fd_close i, fd_datasync i, fd_fdstat_get ii,
    fd_fdstat_set_flags ii, fd_fdstat_set_rights ill, fd_filestat_get ii,
    fd_filestat_set_size il, fd_filestat_set_times illi, fd_pread iiili, fd_prestat_get ii,
    fd_prestat_dir_name iii, fd_pwrite iiili, fd_read iiii, fd_readdir iiili, fd_renumber ii,
    fd_seek ilii, fd_sync i, fd_tell ii, fd_write iiii,
    path_create_directory iii, path_filestat_get iiiii, path_filestat_set_times iiiilli,
    path_link iiiiiii, path_open iiiiillii, path_readlink iiiiii, path_remove_directory iii,
    path_rename iiiiii, path_symlink iiiii, path_unlink_file iii,
    poll_oneoff iiii, proc_raise i, sched_yield , random_get ii,
    sock_recv iiiiii, sock_send iiiii, sock_shutdown ii";

#[test]
fn all_functions_have_the_types_guests_import() {
    let mut text = String::from("(module\n");
    let mut count = 0;
    for abi in [&preview0::ABI, &preview1::ABI] {
        let module = abi.module;
        for signature in SIGNATURES.split(',') {
            let (name, letters) = signature.trim().split_once(' ').unwrap_or((signature.trim(), ""));
            let params = letters.replace('i', " i32").replace('l', " i64");
            text += &format!("(import \"{module}\" \"{name}\" (func (param{params}) (result i32)))\n");
            count += 1;
        }
        text += &format!("(import \"{module}\" \"proc_exit\" (func (param i32)))\n");
        count += 1;
    }
    text += "(import \"wasi_snapshot_preview1\" \"sock_accept\" (func (param i32 i32 i32) (result i32)))\n)";
    assert_eq!(count + 1, 45 + 46);
    instantiate(&text, &mut WasiCtxBuilder::new());
}

#[test]
fn preview_0_has_no_sock_accept() {
    let engine = Engine::default();
    let mut linker = Linker::<State>::new(&engine);
    add_to_linker(&mut linker, |state| &mut state.wasi).unwrap();
    let wasi = WasiCtxBuilder::new().build().unwrap();
    let mut store = Store::new(&engine, State { wasi });
    assert!(linker.get(&mut store, "wasi_unstable", "sock_accept").is_none());
    assert!(linker.get(&mut store, "wasi_unstable", "sock_recv").is_some());
}

#[test]
fn guests_print_exit_and_leave_their_state_in_place() {
    for module in [preview0::ABI.module, preview1::ABI.module] {
        let text = format!(
            r#"(module
                (import "{module}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                (import "{module}" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (data (i32.const 16) "hello")
                (data (i32.const 0) "\10\00\00\00\05\00\00\00")
                (func (export "run") (result i32)
                    (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (func (export "fault") (result i32)
                    (call $write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 8)))
                (func (export "exit") (call $exit (i32.const 42)) unreachable))"#
        );
        let output = MemoryOutput::new(100);
        let (mut store, instance) = instantiate(&text, WasiCtxBuilder::new().stdout(output.clone()));
        assert_eq!(run(&mut store, instance).unwrap(), 0);
        let fault = instance.get_typed_func::<(), i32>(&mut store, "fault").unwrap();
        assert_eq!(fault.call(&mut store, ()).unwrap(), 21);
        let exit = instance.get_typed_func::<(), ()>(&mut store, "exit").unwrap();
        let error = exit.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(42)));
        assert_eq!(run(&mut store, instance).unwrap(), 0);
        assert_eq!(output.contents(), b"hellohello");
    }
}

#[test]
fn a_module_without_a_memory_is_told_so() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (func (export "run") (result i32) (call $time (i32.const 1) (i64.const 0) (i32.const 0)))
        (func (export "close") (result i32) (call $close (i32.const 7))))"#;
    let (mut store, instance) = instantiate(text, &mut WasiCtxBuilder::new());
    let error = run(&mut store, instance).unwrap_err();
    assert_eq!(error.downcast_ref::<MissingMemory>(), Some(&MissingMemory));
    // What needs no memory works.
    let close = instance.get_typed_func::<(), i32>(&mut store, "close").unwrap();
    assert_eq!(close.call(&mut store, ()).unwrap(), 8);
}

#[test]
fn an_interrupted_wait_is_an_interrupt_trap() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "\01\00\00\00")
        (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\ff")
        (func (export "run") (result i32)
            (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"#;
    let flag = Arc::new(AtomicBool::new(false));
    let (mut store, instance) = instantiate(text, WasiCtxBuilder::new().interrupt_flag(Arc::clone(&flag)));
    let setter = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(30));
        flag.store(true, Ordering::Relaxed);
    });
    let error = run(&mut store, instance).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
    setter.join().unwrap();
}

#[test]
fn a_module_that_imports_its_memory_has_that() {
    let text = r#"(module
        (import "env" "memory" (memory 1))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (func (export "run") (result i32) (call $random (i32.const 8) (i32.const 64))))"#;
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |state: &mut State| &mut state.wasi).unwrap();
    let wasi = WasiCtxBuilder::new().build().unwrap();
    let mut store = Store::new(&engine, State { wasi });
    let memory = vm::Memory::new(&mut store, vm::MemoryType::new(1, None)).unwrap();
    linker.define(&mut store, "env", "memory", memory).unwrap();
    let module = Module::new(&engine, text).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    assert_eq!(run(&mut store, instance).unwrap(), 0);
    let bytes = memory.data(&store);
    assert!(bytes[..8].iter().all(|byte| *byte == 0) && bytes[8..72].iter().any(|byte| *byte != 0));
}
