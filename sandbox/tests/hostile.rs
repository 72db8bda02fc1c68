//! Guests that attack: each file in `hostile/` is a program that tries one
//! thing, and says what must come of it.
//!
//! A file begins with a comment that says what it tries. Then come sections,
//! which lines begin that start with `;;; `:
//!
//! | section | meaning |
//! |---|---|
//! | `config WORDS` | `fuel=N`, `depth=N`: as much and no more; `guarded`, `checked`: only with such memories; `spent`: the program may use up what its domain has |
//! | `permissions TEXT` | of the program's domain, `inherit` if this is missing |
//! | `expect N`, `expect trap: TEXT`, `expect error: TEXT` | how `run` ends; if this is missing, it returns nothing |
//! | `module NAME PERMISSIONS` | a module that is instantiated before, in the same store and in a child of the program's domain, whose exports the following modules import as `NAME` |
//! | `child NAME` | a module in the file `/NAME.wasm` |
//! | `main` | the program, which exports `run` |
//!
//! Modules are in the text format, in which two things stand for others:
//! `@imports` for what `hostile/kit/imports.wat` imports, and `@"text"` for the
//! address and the length of a text in memory 0. `@kit` is `@imports`, a memory
//! and functions that are of use (`hostile/kit/kit.wat`).
//!
//! What a guest finds wrong it tells the host with `host.same`, and that is what
//! a case fails with. Afterwards the host must be able to go on: another module
//! in the same domain makes and maps a region, and when the store is dropped
//! nothing is left of it, neither file descriptors nor mappings.
//!
//! Cases run one at a time, each with memories that have guard pages and with
//! memories that have none.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use orcavm_sandbox::{SandboxCtx, add_to_linker};
use orcavm_wasi::{DirPerms, WasiCtxBuilder, pipe::MemoryInput};
use vm::{
    AsContextMut, Caller, Config, Domain, DomainId, Engine, Error, Func, Linker, Module, Permissions, Store, Trap,
};

const IMPORTS: &str = include_str!("hostile/kit/imports.wat");
const KIT: &str = include_str!("hostile/kit/kit.wat");
const PROBE: &str = include_str!("hostile/kit/probe.wat");

/// Where the texts of a module are in its memory.
const TEXTS: usize = 0xc000;

type Result<T> = std::result::Result<T, Failed>;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They count what the process has.
    arguments.test_threads = Some(1);
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("cannot read the cases: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn trials() -> Result<Vec<Trial>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    files.sort();
    let mut trials = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let case = Arc::new(Case::parse(&fs::read_to_string(&file)?).map_err(|error| format!("{name}: {error:?}"))?);
        for (guard, kind) in [(true, "guarded"), (false, "checked")] {
            if case.only.is_none_or(|only| only == guard) {
                let case = Arc::clone(&case);
                trials.push(Trial::test(format!("{name}::{kind}"), move || case.run(guard)));
            }
        }
    }
    Ok(trials)
}

/// One file.
#[derive(Default)]
struct Case {
    fuel: Option<u64>,
    depth: Option<u32>,
    /// Whether memories have guard pages, if that is not to be tried both ways.
    only: Option<bool>,
    is_spent: bool,
    permissions: String,
    expected: Expected,
    /// Name, permissions and text of the modules in the same store.
    modules: Vec<(String, String, String)>,
    children: Vec<(String, String)>,
    main: String,
}

/// How a run is to end.
#[derive(Debug, Default, PartialEq)]
enum Expected {
    /// It returns nothing.
    #[default]
    Nothing,
    Number(i32),
    Trap(String),
    Error(String),
}

impl Case {
    fn parse(text: &str) -> Result<Self> {
        if !text.starts_with(";; ") {
            return Err("the first line does not say what is tried".into());
        }
        let mut case = Self {
            permissions: "inherit".to_owned(),
            ..Self::default()
        };
        for section in text.split("\n;;; ").skip(1) {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            let (word, rest) = head.split_once(' ').unwrap_or((head, ""));
            match word {
                "config" => rest.split_whitespace().try_for_each(|word| case.configure(word))?,
                "permissions" => rest.clone_into(&mut case.permissions),
                "expect" => case.expected = expected(rest)?,
                "module" => {
                    let (name, permissions) = rest.split_once(' ').unwrap_or((rest, ""));
                    case.modules
                        .push((name.to_owned(), permissions.to_owned(), body.to_owned()));
                }
                "child" => case.children.push((rest.to_owned(), body.to_owned())),
                "main" => body.clone_into(&mut case.main),
                _ => return Err(format!("no section begins with {word:?}").into()),
            }
        }
        Ok(case)
    }

    fn configure(&mut self, word: &str) -> Result<()> {
        match word.split_once('=') {
            Some(("fuel", fuel)) => self.fuel = Some(fuel.parse()?),
            Some(("depth", depth)) => self.depth = Some(depth.parse()?),
            None if word == "guarded" => self.only = Some(true),
            None if word == "checked" => self.only = Some(false),
            None if word == "spent" => self.is_spent = true,
            _ => return Err(format!("there is no configuration {word:?}").into()),
        }
        Ok(())
    }

    fn run(&self, guard: bool) -> std::result::Result<(), Failed> {
        let mut config = Config::new();
        config.memory_guard(guard);
        config.consume_fuel(self.fuel.is_some()).max_call_depth(self.depth);
        let engine = Engine::new(&config)?;
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("digits"), "0123456789")?;
        for (name, text) in &self.children {
            let bytes = wat::parse_str(expand(text)?).map_err(|error| format!("{name}: {error}"))?;
            fs::write(directory.path().join(format!("{name}.wasm")), bytes)?;
        }
        let before = Held::now()?;
        let complaints = Complaints::default();
        let result = self.play(&engine, directory.path(), &complaints);
        let after = Held::now()?;
        let complaints = complaints.lock().join("\n");
        if !complaints.is_empty() {
            return Err(complaints.into());
        }
        result?;
        after.check_against(&before)
    }

    /// Runs the program, and what shows that the host goes on.
    fn play(&self, engine: &Engine, directory: &Path, complaints: &Complaints) -> Result<()> {
        let mut linker = Linker::<World>::new(engine);
        add_to_linker(&mut linker, World::ctx)?;
        define_host(&mut linker, complaints)?;
        let mut childrens = Linker::<SandboxCtx>::new(engine);
        add_to_linker(&mut childrens, |ctx, _| ctx)?;
        define_host(&mut childrens, complaints)?;

        let domain = Domain::new("app", self.permissions.parse()?);
        let wasi = WasiCtxBuilder::new()
            .arg("program")
            .env("LANG", "C")
            .stdin(MemoryInput::new("0123456789"))
            .max_descriptors(200)
            .preopened_dir(directory, "/", DirPerms::ReadWrite)
            .build()?;
        let main = SandboxCtx::with_linker(domain.clone(), wasi, childrens.clone());
        let mut world = World(vec![(domain.id(), main)]);
        let mut others = Vec::new();
        for (name, permissions, text) in &self.modules {
            let other = domain.child(name, permissions.parse()?);
            let wasi = world.0[0].1.wasi.child(&other.permissions())?;
            world.0.push((other.id(), world.0[0].1.sibling(other.clone(), wasi)));
            others.push((name, other, text));
        }
        let mut store = Store::new(engine, world);
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel)?;
        }
        for (name, other, text) in others {
            let module = Module::new(engine, &expand(text)?).map_err(|error| format!("{name}: {error}"))?;
            let instance = linker.instantiate_in(&mut store, &module, &other)?;
            linker.instance(&mut store, name, instance)?;
        }
        let module = Module::new(engine, &expand(&self.main)?)?;
        let found = linker
            .instantiate_in(&mut store, &module, &domain)
            .and_then(|instance| match self.expected {
                Expected::Number(_) => {
                    let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
                    run.call(&mut store, ()).map(Some)
                }
                _ => {
                    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
                    run.call(&mut store, ()).map(|()| None)
                }
            });
        self.check(found)?;
        self.probe(&mut store, &linker, childrens, domain)
    }

    fn check(&self, found: std::result::Result<Option<i32>, Error>) -> Result<()> {
        let is_expected = match (&self.expected, &found) {
            (Expected::Nothing, Ok(None)) => true,
            (Expected::Number(expected), Ok(Some(found))) => expected == found,
            (Expected::Trap(text), Err(error)) => error.trap().is_some_and(|trap| trap.to_string() == *text),
            (Expected::Error(text), Err(error)) => error.trap().is_none() && error.to_string().contains(text),
            _ => false,
        };
        match is_expected {
            true => Ok(()),
            false => Err(match found {
                Ok(found) => format!("it gave {found:?} instead of {:?}", self.expected),
                Err(error) => format!("instead of {:?} it ended with {error}", self.expected),
            }
            .into()),
        }
    }

    /// Has another module of the program's domain work, or where that has used
    /// up what it had, one of a domain that has everything.
    fn probe(
        &self,
        store: &mut Store<World>,
        linker: &Linker<World>,
        childrens: Linker<SandboxCtx>,
        mut domain: Domain,
    ) -> Result<()> {
        if self.is_spent {
            domain = Domain::new("probe", Permissions::all());
            let wasi = WasiCtxBuilder::new().build()?;
            let own = SandboxCtx::with_linker(domain.clone(), wasi, childrens);
            store.data_mut().0.push((domain.id(), own));
        }
        if self.fuel.is_some() {
            store.set_fuel(1000)?;
        }
        let probe = Module::new(store.engine(), PROBE)?;
        let instance = linker.instantiate_in(&mut *store, &probe, &domain)?;
        let run = instance.get_typed_func::<(), i32>(&mut *store, "run")?;
        match run.call(&mut *store, ())? {
            42 => Ok(()),
            other => Err(format!("afterwards, a probe gave {other}").into()),
        }
    }
}

fn expected(text: &str) -> Result<Expected> {
    Ok(match text.split_once(": ") {
        Some(("trap", text)) => Expected::Trap(text.to_owned()),
        Some(("error", text)) => Expected::Error(text.to_owned()),
        _ => Expected::Number(text.parse()?),
    })
}

/// The text of a module with what stands for other text replaced.
fn expand(text: &str) -> Result<String> {
    let text = text.replace("@kit", KIT).replace("@imports", IMPORTS);
    let mut parts = text.split("@\"");
    let mut expanded = parts.next().unwrap_or_default().to_owned();
    let mut texts = String::new();
    for part in parts {
        let (own, rest) = part.split_once('"').ok_or("a text does not end")?;
        let (at, len) = (TEXTS + texts.len(), own.len());
        expanded += &format!("(i32.const {at}) (i32.const {len}){rest}");
        texts += own;
    }
    if !texts.is_empty() {
        let end = expanded.rfind(')').ok_or("a module does not end")?;
        expanded.insert_str(end, &format!("(data (i32.const {TEXTS}) \"{texts}\")"));
    }
    Ok(expanded)
}

/// What the domains of the program's store have; the first is the program's.
struct World(Vec<(DomainId, SandboxCtx)>);

impl World {
    fn ctx(&mut self, domain: Option<DomainId>) -> &mut SandboxCtx {
        let own = self.0.iter().position(|(own, _)| Some(*own) == domain);
        &mut self.0[own.unwrap_or(0)].1
    }
}

/// What guests have found to be wrong.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Defines the functions of the tests.
fn define_host<T: 'static>(linker: &mut Linker<T>, complaints: &Complaints) -> Result<()> {
    let own = complaints.clone();
    linker.func_wrap(
        "host",
        "same",
        move |caller: Caller<'_, T>, found: i64, expected: i64, step: i32| {
            if found == expected {
                return;
            }
            let domain = caller.domain().map_or("host", Domain::name);
            own.lock()
                .push(format!("{domain}: step {step} gave {found} instead of {expected}"));
        },
    )?;
    // Calls a function; what it gives, or what it ended with.
    linker.func_wrap("host", "attempt", |mut caller: Caller<'_, T>, func: Option<Func>| {
        func.map_or(-1, |func| attempt(&mut caller, func))
    })?;
    // The same, with no permissions.
    linker.func_wrap(
        "host",
        "attempt_with_nothing",
        |mut caller: Caller<'_, T>, func: Option<Func>| {
            let mut store = caller.as_context_mut();
            store.limited(&Permissions::none(), |mut store| {
                func.map_or(-1, |func| attempt(&mut store, func))
            })
        },
    )?;
    linker.func_wrap("host", "memory_used", |caller: Caller<'_, T>| {
        caller.domain().map_or(0, Domain::memory_used)
    })?;
    Ok(())
}

/// Calls a function without parameters; what it gives, or a number for what it
/// ended with.
fn attempt(store: &mut impl AsContextMut, func: Func) -> i32 {
    let result = match func.typed::<(), i32>(&*store) {
        Ok(func) => func.call(store, ()),
        Err(_) => func.call(store, &[], &mut []).map(|()| 0),
    };
    let Err(error) = result else {
        return result.unwrap_or_default();
    };
    match error.trap() {
        Some(Trap::MemoryOutOfBounds) => -3001,
        Some(Trap::ReadOnlyMemory) => -3002,
        Some(Trap::StackOverflow) => -3003,
        Some(Trap::OutOfFuel) => -3004,
        Some(Trap::UnreachableCodeReached) => -3005,
        Some(_) => -3000,
        None if error.downcast_ref::<orcavm_wasi::I32Exit>().is_some() => -3006,
        None => -3007,
    }
}

/// What the process holds that a store may leave behind.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    /// Bytes of address space.
    bytes: usize,
    /// Mappings of anonymous files.
    shared: usize,
}

impl Held {
    fn now() -> Result<Self> {
        let maps = fs::read_to_string("/proc/self/maps")?;
        let mut bytes = 0;
        for line in maps.lines() {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            let (start, end) = range.ok_or("a line of another form")?;
            bytes += usize::from_str_radix(end, 16)? - usize::from_str_radix(start, 16)?;
        }
        Ok(Self {
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            bytes,
            shared: maps.lines().filter(|line| line.contains("/memfd:")).count(),
        })
    }

    fn check_against(&self, before: &Self) -> Result<()> {
        // The allocator keeps some of what it had from the system.
        let is_clean = self.descriptors == before.descriptors
            && self.shared == before.shared
            && self.bytes <= before.bytes + (256 << 20);
        match is_clean {
            true => Ok(()),
            false => Err(format!("the process had {before:?}, and has {self:?} afterwards").into()),
        }
    }
}
