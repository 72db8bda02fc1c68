//! `sandbox`: what a permission costs the calls of host functions that need it,
//! and what children cost: to call one, and to make, call and drop one.

use std::hint::black_box;

use anyhow::{Result, ensure};
use orcavm_benches::measure::{Group, Per, Run, timed};
use orcavm_sandbox::{SandboxCtx, add_to_linker};
use orcavm_wasi::WasiCtxBuilder;
use vm::{Capability, Domain, Engine, Instance, Linker, Module, Permissions, Requirement, Store, TypedFunc, Val};

/// A module whose function `next` gives 1, 2, 3; `repeat` calls another one.
const CHILD: &str = r#"(module (memory (export "memory") 1)
    (type $f (func (result i32)))
    (table (export "__indirect_function_table") 1 funcref)
    (data (i32.const 16) "\01\00\00\00")
    (func (export "repeat") (param $f i32) (param $n i32) (result i32) (local $sum i32)
        (loop $again
            (local.set $sum (i32.add (local.get $sum) (call_indirect (type $f) (local.get $f))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum))
    (global $n (mut i32) (i32.const 0))
    (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n)))"#;

fn main() -> Result<()> {
    let mut group = Group::new("permissions", ["needs one", "needs none"]);
    for (name, others) in [("one domain", false), ("another domain that lacks it", true)] {
        let runs = [host_calls("checked", others)?, host_calls("unchecked", others)?];
        group.compare(&format!("guest to host, {name}"), Per::Iteration, 10_000_000, runs);
    }
    group.finish();
    let mut group = Group::new("children", ["child", "instance"]);
    group.compare(
        "call",
        Per::Iteration,
        10_000_000,
        [call_child("call")?, call_instance()?],
    );
    let name = "call by a pointer";
    group.compare(
        name,
        Per::Iteration,
        10_000_000,
        [call_child("pointer")?, call_instance()?],
    );
    let name = "be called by a pointer";
    group.compare(
        name,
        Per::Iteration,
        10_000_000,
        [call_child("back")?, call_instance()?],
    );
    let name = "load from its memory";
    group.compare(
        name,
        Per::Iteration,
        10_000_000,
        [call_child("access")?, call_instance()?],
    );
    group.compare(
        "make, call and drop",
        Per::Iteration,
        100_000,
        [make_children()?, make_stores()?],
    );
    group.finish();
    Ok(())
}

/// The guest in a store, with the module of its children loaded.
fn guest(others: bool) -> Result<(Store<SandboxCtx>, Instance)> {
    let engine = Engine::default();
    let mut linker = Linker::<SandboxCtx>::new(&engine);
    add_to_linker(&mut linker, |ctx, _| ctx)?;
    let requirement = Requirement::new(Capability::Clock).or_return(Val::I32(0));
    linker.func_wrap_requiring("host", "checked", requirement, || 1)?;
    linker.func_wrap("host", "unchecked", || 1)?;
    let domain = Domain::new("bench", Permissions::all());
    let ctx = SandboxCtx::new(&engine, domain.clone(), WasiCtxBuilder::new().build()?)?;
    let mut store = Store::new(&engine, ctx);
    let module = Module::new(&engine, include_str!("../wat/sandbox.wat"))?;
    let instance = linker.instantiate_in(&mut store, &module, &domain)?;
    if others {
        let less = domain.child("less", Permissions::none());
        Instance::new_in(&mut store, &Module::new(&engine, "(module)")?, &[], &less)?;
    }
    let child = wat::parse_str(CHILD)?;
    let memory = instance.get_memory(&mut store, "memory");
    memory
        .ok_or_else(|| anyhow::anyhow!("no memory"))?
        .write(&mut store, 1024, &child)?;
    let load = instance.get_typed_func::<i32, i32>(&mut store, "load")?;
    ensure!(
        load.call(&mut store, i32::try_from(child.len())?)? >= 0,
        "the child's module is refused"
    );
    Ok((store, instance))
}

/// Runs a loop in the guest; what it gives is looked at once.
fn in_guest(mut store: Store<SandboxCtx>, run: TypedFunc<i64, i32>, expected: i32) -> Result<Run> {
    let found = run.call(&mut store, 3)?;
    ensure!(found == expected, "expected {expected}, found {found}");
    Ok(Box::new(move |iterations| {
        timed(|| {
            black_box(run.call(&mut store, iterations.cast_signed()).expect("it ran before"));
        })
    }))
}

fn host_calls(name: &str, others: bool) -> Result<Run> {
    let (mut store, instance) = guest(others)?;
    let run = instance.get_typed_func(&mut store, name)?;
    in_guest(store, run, 3)
}

fn call_child(name: &str) -> Result<Run> {
    let (mut store, instance) = guest(false)?;
    let make = instance.get_typed_func::<(), i32>(&mut store, "make")?;
    ensure!(make.call(&mut store, ())? == 0, "the child has no function");
    let run = instance.get_typed_func(&mut store, name)?;
    in_guest(store, run, 3)
}

fn make_children() -> Result<Run> {
    let (mut store, instance) = guest(false)?;
    let run = instance.get_typed_func(&mut store, "children")?;
    in_guest(store, run, 3)
}

/// The host calls the same function.
fn call_instance() -> Result<Run> {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &Module::new(&engine, CHILD)?, &[])?;
    let next = instance.get_typed_func::<(), i32>(&mut store, "next")?;
    ensure!(next.call(&mut store, ())? == 1, "it counts from 1");
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                black_box(next.call(&mut store, ()).expect("it ran before"));
            }
        })
    }))
}

/// The host makes a store with an instance, calls it and drops both.
fn make_stores() -> Result<Run> {
    let engine = Engine::default();
    let module = Module::new(&engine, CHILD)?;
    let cycle = move || -> Result<i32> {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])?;
        Ok(instance
            .get_typed_func::<(), i32>(&mut store, "next")?
            .call(&mut store, ())?)
    };
    ensure!(cycle()? == 1, "it counts from 1");
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                black_box(cycle().expect("it ran before"));
            }
        })
    }))
}
