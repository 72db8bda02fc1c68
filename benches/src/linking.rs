//! Programs that the dynamic linker makes: what linking them costs, and what they
//! cost when they are linked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use orcavm_loader::{Found, Image, OpenFlags, Session};
use vm::{Config, Engine, Linker, Module, Store};

use crate::Work;
use crate::measure::{Run, timed};

/// Libraries of the large program.
const LIBRARIES: usize = 10;
/// What each of them exports and imports.
const FUNCTIONS: usize = 180;
const DATA: usize = 20;
/// What each of them imports of the others by address, of functions and of data.
const ADDRESSES: usize = 10;

fn engine() -> Engine {
    let mut config = Config::default();
    // One thread: the others' time would count too.
    config.validation_threads(std::num::NonZero::<usize>::MIN);
    Engine::new(&config).expect("the configuration differs from the default in threads only")
}

/// A program's modules, loaded but not linked.
struct Program {
    engine: Engine,
    main: Module,
    libraries: BTreeMap<String, Module>,
}

impl Program {
    fn new(main: &str, libraries: &[(String, String)]) -> Result<Self> {
        let engine = engine();
        let libraries = libraries.iter().map(|(name, text)| {
            let module = Module::new(&engine, text).with_context(|| name.clone())?;
            Ok((name.clone(), module))
        });
        let libraries = libraries.collect::<Result<_>>()?;
        let main = Module::new(&engine, main)?;
        Ok(Self {
            engine,
            main,
            libraries,
        })
    }

    fn store(&self) -> Store<()> {
        Store::new(&self.engine, ())
    }

    fn session(&self, is_now: bool) -> Session<()> {
        let builder = Session::builder(Linker::new(&self.engine));
        builder.finder(self.libraries.clone()).bind_now(is_now).build()
    }

    fn load(&self, store: &mut Store<()>, session: &Session<()>) -> Result<Image> {
        Ok(session.load(store, Found::new("main", self.main.clone()))?)
    }
}

/// A library of 200 symbols that others import, and which imports 200 of others'
/// itself: every function calls the one of the same number in the next library,
/// of the last the next number in the first. Its `check` adds up what it finds by
/// its own addresses of others' data and functions.
fn large_library(at: usize) -> Result<String> {
    let next = (at + 1) % LIBRARIES;
    let mut text = format!(
        "(module (@dylink.0 (mem-info (memory {} 2) (table {ADDRESSES} 0)))\n\
         (import \"env\" \"memory\" (memory 0))\n\
         (import \"env\" \"__indirect_function_table\" (table 0 funcref))\n\
         (import \"env\" \"__memory_base\" (global $base i32))\n\
         (import \"env\" \"__table_base\" (global $table i32))\n",
        4 * DATA
    );
    for i in 0..FUNCTIONS - ADDRESSES {
        writeln!(
            text,
            "(import \"env\" \"f{next}_{i}\" (func $f{i} (param i32) (result i32)))"
        )?;
    }
    for i in 0..ADDRESSES {
        writeln!(text, "(import \"GOT.func\" \"f{next}_{i}\" (global $p{i} (mut i32)))")?;
    }
    for i in 0..DATA {
        writeln!(text, "(import \"GOT.mem\" \"d{next}_{i}\" (global $d{i} (mut i32)))")?;
    }
    for i in 0..DATA {
        writeln!(text, "(global (export \"d{at}_{i}\") i32 (i32.const {}))", 4 * i)?;
    }
    let data: String = (0..DATA).map(|i| format!("\\{i:02x}\\{at:02x}\\00\\00")).collect();
    writeln!(text, "(data (global.get $base) \"{data}\")")?;
    let elements: String = (0..ADDRESSES).map(|i| format!(" $g{i}")).collect();
    writeln!(text, "(elem (global.get $table) func{elements})")?;
    for i in 0..FUNCTIONS {
        // The chain goes once round the libraries, and ends behind the last.
        let body = match i < FUNCTIONS - ADDRESSES && at + 1 < LIBRARIES {
            true => format!("(call $f{i} (i32.add (local.get 0) (i32.const {i})))"),
            false => format!("(i32.add (local.get 0) (i32.const {i}))"),
        };
        writeln!(
            text,
            "(func $g{i} (export \"f{at}_{i}\") (param i32) (result i32) {body})"
        )?;
    }
    writeln!(
        text,
        "(func (export \"check{at}\") (param i32) (result i32) (local.get 0)"
    )?;
    for i in 0..DATA {
        writeln!(text, "(i32.add (i32.load (global.get $d{i})))")?;
    }
    for i in 0..ADDRESSES {
        writeln!(text, "(call_indirect (param i32) (result i32) (global.get $p{i}))")?;
    }
    text.push_str("))");
    Ok(text)
}

/// What `run` of the large program gives.
fn large_result() -> usize {
    let mut sum: usize = 0;
    // A function adds its number, and so do those that it calls.
    let chain = |at: usize, i: usize| match i < FUNCTIONS - ADDRESSES {
        true => (LIBRARIES - at) * i,
        false => i,
    };
    for i in 0..FUNCTIONS {
        sum += chain(0, i);
    }
    for at in 0..LIBRARIES {
        let next = (at + 1) % LIBRARIES;
        sum += (0..DATA).map(|i| i + 256 * next).sum::<usize>();
        sum += (0..ADDRESSES).map(|i| chain(next, i)).sum::<usize>();
    }
    sum
}

/// A program of ten libraries that export 2,000 symbols and import as many of each
/// other.
fn large() -> Result<Program> {
    let mut needed = String::new();
    let mut imports = String::new();
    let mut body = String::from("(i32.const 0)\n");
    for at in 0..LIBRARIES {
        write!(needed, " \"lib{at}.so\"")?;
        writeln!(
            imports,
            "(import \"env\" \"check{at}\" (func $check{at} (param i32) (result i32)))"
        )?;
        writeln!(body, "(call $check{at})")?;
    }
    for i in 0..FUNCTIONS {
        writeln!(
            imports,
            "(import \"env\" \"f0_{i}\" (func $f{i} (param i32) (result i32)))"
        )?;
        writeln!(body, "(call $f{i})")?;
    }
    let main = format!(
        "(module (@dylink.0 (needed{needed}))\n(import \"env\" \"memory\" (memory 0))\n{imports}\
         (func (export \"run\") (result i32) {body}))"
    );
    let libraries = (0..LIBRARIES).map(|at| Ok((format!("lib{at}.so"), large_library(at)?)));
    let libraries = libraries.collect::<Result<Vec<_>>>()?;
    Program::new(&main, &libraries)
}

/// Links a program of ten libraries with 2,000 symbols, whose modules are there,
/// functions when they are called first or all at once.
///
/// # Errors
/// If it cannot be linked, or gives a wrong result.
pub fn link_large(is_now: bool) -> Result<Run> {
    let program = large()?;
    let once = move |is_checked: bool| -> Result<Duration> {
        let mut store = program.store();
        let mut image = None;
        let time = timed(|| {
            let session = program.session(is_now);
            image = Some(program.load(&mut store, &session));
        });
        let image = image.context("it was linked")??;
        ensure!(image.instances().len() == LIBRARIES + 1, "a module is missing");
        if is_checked {
            let run = image.program().get_typed_func::<(), i32>(&mut store, "run")?;
            let (found, expected) = (run.call(&mut store, ())?, i32::try_from(large_result())?);
            ensure!(found == expected, "expected {expected}, found {found}");
        }
        Ok(time)
    };
    once(true)?;
    Ok(Box::new(move |iterations| {
        (0..iterations)
            .map(|_| once(false).expect("it was linked before"))
            .sum()
    }))
}

/// Functions of the program for first calls: as many first calls are timed at once.
const FIRST: usize = 100;

/// The first calls of imported functions, a hundred of them: one iteration is one.
/// The functions are bound then, or bound already; their code is there.
///
/// # Errors
/// If they cannot be linked, or give a wrong result.
pub fn first_calls(is_now: bool) -> Result<Run> {
    let (mut imports, mut callers, mut exports) = (String::new(), String::new(), String::new());
    for i in 0..FIRST {
        writeln!(
            imports,
            "(import \"env\" \"f{i}\" (func $f{i} (param i32) (result i32)))"
        )?;
        writeln!(callers, "(local.set 0 (call $f{i} (local.get 0)))")?;
        writeln!(
            exports,
            "(func (export \"f{i}\") (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))"
        )?;
    }
    let main = format!(
        "(module (@dylink.0 (needed \"lib.so\"))\n(import \"env\" \"memory\" (memory 0))\n{imports}\
         (func (export \"run\") (param i32) (result i32) {callers} (local.get 0)))"
    );
    let library = format!("(module (@dylink.0)\n{exports})");
    let program = Program::new(&main, &[("lib.so".to_owned(), library)])?;
    let expected = i32::try_from((0..FIRST).sum::<usize>())?;
    // So the code that the modules' instances share stays.
    let mut first = program.store();
    let image = program.load(&mut first, &program.session(is_now))?;
    let run = image.program().get_typed_func::<i32, i32>(&mut first, "run")?;
    ensure!(run.call(&mut first, 0)? == expected, "a wrong sum");
    let hundred = move || -> Result<Duration> {
        let _kept = &first;
        let mut store = program.store();
        let image = program.load(&mut store, &program.session(is_now))?;
        let run = image.program().get_typed_func::<i32, i32>(&mut store, "run")?;
        let mut result = None;
        let time = timed(|| result = Some(run.call(&mut store, 0)));
        let found = result.context("it was called")??;
        ensure!(found == expected, "expected {expected}, found {found}");
        Ok(time)
    };
    hundred()?;
    Ok(Box::new(move |iterations| {
        let runs = iterations.div_ceil(FIRST as u64);
        let time: Duration = (0..runs).map(|_| hundred().expect("it ran before")).sum();
        time.mul_f64(iterations as f64 / (runs as f64 * FIRST as f64))
    }))
}

/// A loop that calls a function of its own module, or the same of a library.
///
/// # Errors
/// If the modules cannot be linked, or give a wrong result.
pub fn bound_loop(is_linked: bool, work: Work) -> Result<Run> {
    let (main, library) = (
        include_str!("../wat/linked.wat"),
        include_str!("../wat/linked_library.wat"),
    );
    let program = Program::new(main, &[("lib.so".to_owned(), library.to_owned())])?;
    let mut store = program.store();
    let image = program.load(&mut store, &program.session(false))?;
    let name = match (work, is_linked) {
        (Work::Empty, false) => "internal_empty",
        (Work::Empty, true) => "linked_empty",
        (Work::Ten, false) => "internal_work",
        (Work::Ten, true) => "linked_work",
    };
    let func = image.program().get_typed_func::<i32, i32>(&mut store, name)?;
    // Both loops give the same.
    let other = match work {
        Work::Empty => "internal_empty",
        Work::Ten => "internal_work",
    };
    let other = image.program().get_typed_func::<i32, i32>(&mut store, other)?;
    let (found, expected) = (func.call(&mut store, 1000)?, other.call(&mut store, 1000)?);
    ensure!(found == expected && found != 0, "expected {expected}, found {found}");
    Ok(Box::new(move |iterations| {
        let iterations = i32::try_from(iterations).expect("batches are not that large");
        timed(|| {
            black_box(func.call(&mut store, iterations).expect("it ran before"));
        })
    }))
}

/// The program with `dlopen` and the library that it opens.
fn opening() -> Result<Program> {
    let (main, library) = (include_str!("../wat/opens.wat"), include_str!("../wat/opened.wat"));
    Program::new(main, &[("plugin.so".to_owned(), library.to_owned())])
}

/// A loop in the guest: opens and closes a library (`open_close`), or looks for a
/// function (`find_function`) or data (`find_data`) of one that is open.
///
/// # Errors
/// If the guest cannot be linked, or a call of it fails.
pub fn guest_loop(name: &str) -> Result<Run> {
    let program = opening()?;
    let mut store = program.store();
    let image = program.load(&mut store, &program.session(false))?;
    let func = image.program().get_typed_func::<i32, i32>(&mut store, name)?;
    let found = func.call(&mut store, 10)?;
    ensure!(found == 10, "10 calls, of which {found} succeeded");
    Ok(Box::new(move |iterations| {
        let iterations = i32::try_from(iterations).expect("batches are not that large");
        timed(|| {
            let found = func.call(&mut store, iterations).expect("it ran before");
            assert_eq!(found, iterations, "some did not succeed");
        })
    }))
}

/// What the host does to the same library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// [`Session::open`] and closing.
    OpenClose,
    /// Looking for a function.
    Function,
    /// Looking for the address of data.
    Data,
}

/// As [`guest_loop`], by the host.
///
/// # Errors
/// If the library cannot be opened or does not have what it should.
pub fn host_loop(what: Host) -> Result<Run> {
    let program = opening()?;
    let mut store = program.store();
    let session = program.session(false);
    program.load(&mut store, &session)?;
    let opened = session.open(&mut store, "plugin.so", OpenFlags::NOW)?;
    ensure!(opened.get_address("seed").is_some(), "`seed` is not there");
    let triple = opened.get_typed_func::<i32, i32>(&mut store, "triple")?;
    ensure!(triple.call(&mut store, 14)? == 42, "`triple` does not multiply by 3");
    if what == Host::OpenClose {
        opened.close(&mut store)?;
        return Ok(Box::new(move |iterations| {
            timed(|| {
                for _ in 0..iterations {
                    let opened = session.open(&mut store, "plugin.so", OpenFlags::NOW);
                    let opened = opened.expect("it was opened before");
                    opened.close(&mut store).expect("it was open");
                }
            })
        }));
    }
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                match what {
                    Host::Function => assert!(opened.get_func(&mut store, "triple").is_some()),
                    _ => assert!(black_box(opened.get_address("seed")).is_some()),
                }
            }
        })
    }))
}

/// Runs a kernel that is position-independent code, as a program of the dynamic
/// linker's; its result for `size` must be `expected`.
///
/// # Errors
/// If it does not run, or gives something else.
pub fn run_kernel(wasm: &[u8], size: i32, expected: i32) -> Result<Run> {
    let engine = engine();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let session = Session::builder(Linker::new(&engine)).build();
    let image = session.load(&mut store, Found::new("kernel", module))?;
    let func = image.program().get_typed_func::<i32, i32>(&mut store, "run")?;
    let found = func.call(&mut store, size)?;
    ensure!(found == expected, "expected {expected}, found {found}");
    Ok(Box::new(move |iterations| {
        timed(|| {
            for _ in 0..iterations {
                let found = func.call(&mut store, black_box(size)).expect("it ran before");
                assert_eq!(found, expected, "the result has changed");
            }
        })
    }))
}
