//! `orcavm run`: runs a program.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, process, thread};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueHint;
use orcavm::sandbox::{self, SandboxCtx, SharedRegion};
use orcavm::vm::{
    self, AsContextMut, Caller, Config, Domain, DomainId, Engine, ExternType, Instance, InterruptHandle, Linker,
    Module, Permissions, Store, StoreLimits, StoreLimitsBuilder, Trap,
};
use orcavm::wasi::threads::{self, NewThread, Threads};
use orcavm::wasi::{I32Exit, WasiCtxBuilder};

use super::imports::{self, Links};
use super::profile::{self, Recording};
use super::setup::{self, MAIN, Setup};
use super::source::Source;
use super::{FAILURE, dynamic, invoke, proposals, report, units};

/// Exit code of a program that trapped: that of a native one that aborted.
const TRAPPED: u8 = 134;

/// Frames of a backtrace that are printed.
const SHOWN_FRAMES: usize = 20;

/// How long after its time a program may still be in a host function.
const GRACE: Duration = Duration::from_millis(200);

/// Options of `orcavm run`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    setup: setup::Options,
    /// Call this exported function with ARGS, and print its results one per line
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,
    /// Stop after so many units of fuel, about one per instruction
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// Stop after this time, such as 500ms, 2s or 1m
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Let no memory grow larger than this, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    max_memory: Option<usize>,
    /// Let the program's stack grow to this size, such as 8MiB
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    max_stack: Option<usize>,
    /// Let the program have so many threads at once besides its first; 64 unless this is given
    #[arg(long, value_name = "N")]
    max_threads: Option<usize>,
    /// Check every memory access instead of reserving address space for guard pages
    #[arg(long)]
    no_guard: bool,
    #[command(flatten)]
    proposals: proposals::Options,
    /// Show where the time went, and write a flame graph to FILE: a picture if it ends in .svg, else
    /// stacks as text
    #[arg(long, value_name = "FILE", require_equals = true, value_hint = ValueHint::FilePath)]
    profile: Option<Option<PathBuf>>,
    /// The program, binary or text, or a manifest that ends in .toml; - for standard input; then its
    /// arguments
    #[arg(
        value_names = ["MODULE", "ARGS"],
        num_args = 1..,
        required = true,
        trailing_var_arg = true,
        value_hint = ValueHint::CommandWithArguments
    )]
    program: Vec<OsString>,
}

/// What the store of a program holds.
pub(crate) struct State {
    /// What the program and its modules have: first those of the first domain.
    guests: Vec<(DomainId, SandboxCtx)>,
    limits: StoreLimits,
    /// What its modules were given by: a name, or the program's file.
    modules: Names,
    /// Its threads, if it may have any.
    threads: Option<Threads<State>>,
}

/// What is left of a program's run.
#[derive(Default)]
struct Ended {
    profile: Option<profile::Report>,
    /// See [`State::modules`].
    modules: Names,
}

impl State {
    /// What the instances of a domain have; the host's own calls use the program's.
    pub(crate) fn guest(&mut self, domain: Option<DomainId>) -> &mut SandboxCtx {
        let own = self.guests.iter().position(|(id, _)| Some(*id) == domain);
        &mut self.guests[own.unwrap_or(0)].1
    }

    /// What modules are called in backtraces.
    pub(crate) fn names(&self) -> &Names {
        &self.modules
    }
}

/// Names of modules, for backtraces; a clone has the same.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<Vec<(Module, String)>>>);

/// Names that are kept, at most: a program can open libraries without end.
const MOST_NAMES: usize = 256;

impl Names {
    /// Notes what a module was given by.
    pub(crate) fn add(&self, module: &Module, name: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < MOST_NAMES && !names.iter().any(|(other, _)| Module::same(module, other)) {
            names.push((module.clone(), name.to_owned()));
        }
    }
}

/// All that programs may import of the host.
fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    sandbox::add_to_linker(&mut linker, State::guest)?;
    threads::add_to_linker(&mut linker, |state: &mut State| state.threads.clone())?;
    Ok(linker)
}

/// The same, and a store in which nothing is to run: to be asked what there is.
pub(crate) fn host(engine: &Engine) -> Result<(Linker<State>, Store<State>)> {
    let domain = Domain::new(MAIN, Permissions::none());
    let state = State {
        guests: vec![(
            domain.id(),
            SandboxCtx::new(engine, domain, WasiCtxBuilder::new().build()?)?,
        )],
        limits: StoreLimitsBuilder::new().build(),
        modules: Names::default(),
        threads: None,
    };
    Ok((linker(engine)?, Store::new(engine, state)))
}

/// The program's domain, and what it gives to the modules.
struct Main {
    domain: Domain,
    regions: Vec<(String, SharedRegion)>,
}

/// Runs a program to its end.
///
/// # Errors
///
/// If a module cannot be loaded or linked, or an option not be carried out.
pub(crate) fn run(options: Options) -> Result<u8> {
    let time = options.timeout.map(|limit| TimeLimit {
        limit,
        over: Arc::new(AtomicBool::new(false)),
        ended: Arc::new(AtomicBool::new(false)),
    });
    let mut ended = Ended::default();
    let code = match execute(&options, time.as_ref(), &mut ended) {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<vm::Error>() {
            Some(cause) => end_of_guest(&error, cause, time.as_ref(), &ended.modules)?,
            None => return Err(error),
        },
    };
    if let Some(profile) = ended.profile {
        let name = options.program.first().map(|file| file.to_string_lossy());
        if let Err(error) = profile.write(&name.unwrap_or_default()) {
            report(format_args!("{error:#}"));
            return Ok(if code == 0 { FAILURE } else { code });
        }
    }
    Ok(code)
}

/// Sets up what the options ask for, and runs the program in it. What is left of
/// it goes to `ended`, however it ends.
fn execute(options: &Options, time: Option<&TimeLimit>, ended: &mut Ended) -> Result<()> {
    let (file, args) = options.program.split_first().context("the module is missing")?;
    let setup = Setup::new(&options.setup, file, args)?;
    let engine = Engine::new(&config(options, &setup)).context("cannot set up the virtual machine")?;
    let source = Source::read(&setup.program)?;
    let module = source.module(&engine)?;

    let mut linker = linker(&engine)?;
    // --link may stand in for parts of WASI.
    linker.allow_shadowing(true);
    let mut limits = StoreLimitsBuilder::new();
    if let Some(size) = options.max_memory {
        limits = limits.memory_size(size);
    }
    let program_args = if options.invoke.is_some() { &[] } else { &*setup.args };
    let wasi = setup.wasi(program_args, time.map(|time| &time.over))?;
    let domain = Domain::new(MAIN, setup.permissions.clone());
    // The directories it was told of, of those it was given.
    let wasi = match setup.permissions.directories() {
        Some(_) => wasi.child(&setup.permissions).context("--permit main")?,
        None => wasi,
    };
    let mut guest = SandboxCtx::new(&engine, domain.clone(), wasi)?;
    if let Some(size) = options.max_memory {
        guest.limit_memory_size(size);
    }
    let regions = setup.make_regions()?;
    share(&setup, MAIN, &regions, &mut guest)?;
    let mut store = Store::new(
        &engine,
        State {
            guests: vec![(domain.id(), guest)],
            limits: limits.build(),
            modules: Names::default(),
            threads: None,
        },
    );
    store.set_domain(domain.clone())?;
    store.limiter(|state| &mut state.limits);
    let main = Main { domain, regions };
    let quota = setup.permissions.quotas().fuel;
    if let Some(fuel) = options.fuel.into_iter().chain(quota).min() {
        store.set_fuel(fuel)?;
    }
    if let Some(time) = time {
        time.start(store.interrupt_handle(), &setup.program);
    }

    store.data().names().add(&module, source.name());
    let graph = options.profile.as_ref();
    let recording = graph.map(|graph| Recording::start(&store, graph.as_deref()));
    let recording = recording.transpose()?;
    let result = start(options, &setup, &main, &source, &module, &mut linker, &mut store);
    if let Some(time) = time {
        time.ended.store(true, Ordering::Relaxed);
    }
    ended.profile = recording.map(|recording| recording.finish(&store));
    ended.modules = store.data().names().clone();
    result
}

/// Lets a module open the regions that are shared with it.
fn share(setup: &Setup, module: &str, regions: &[(String, SharedRegion)], guest: &mut SandboxCtx) -> Result<()> {
    for (name, access) in setup.shared_with(module) {
        let known = regions.iter().find(|(known, _)| known == name);
        let (_, region) = known.with_context(|| format!("there is no region {name:?}"))?;
        if access > region.region().access() {
            bail!("the region {name:?} may only be read, by {module} too");
        }
        guest.share(name, region.narrowed(access));
    }
    Ok(())
}

/// The domain of a module: the program's, or one of its own with less.
fn domain_of(setup: &Setup, module: &setup::Module, main: &Main, store: &mut Store<State>) -> Result<Domain> {
    let is_shared_with = setup.shared_with(&module.name).next().is_some();
    if module.permissions.is_none() && !is_shared_with {
        return Ok(main.domain.clone());
    }
    let permissions = module.permissions.clone().unwrap_or_else(Permissions::all);
    let domain = main.domain.child(&module.name, permissions);
    let own = &store.data().guests[0].1;
    let wasi = own.wasi.child(&domain.permissions());
    let wasi = wasi.with_context(|| format!("the module {}", module.name))?;
    let mut guest = own.sibling(domain.clone(), wasi);
    share(setup, &module.name, &main.regions, &mut guest)?;
    store.data_mut().guests.push((domain.id(), guest));
    Ok(domain)
}

/// Instantiates the program and those it is linked with, and runs it.
fn start(
    options: &Options,
    setup: &Setup,
    main: &Main,
    source: &Source,
    module: &Module,
    linker: &mut Linker<State>,
    store: &mut Store<State>,
) -> Result<()> {
    let mut links = Links {
        names: setup.modules.iter().map(|module| module.name.as_str()).collect(),
        done: 0,
    };
    for linked in &setup.modules {
        let source = Source::read(&linked.file)?;
        let module = source.module(module.engine())?;
        store.data().names().add(&module, &linked.name);
        let domain = domain_of(setup, linked, main, store)?;
        let instance = instantiate(&links, &source, &module, &domain, linker, store)?;
        initialize(&source, store, instance)?;
        linker
            .instance(&mut *store, &linked.name, instance)
            .with_context(|| format!("--link {}", linked.name))?;
        links.done += 1;
    }

    let name = source.name();
    if !dynamic::is_dynamic(source, module)? {
        setup.libraries.check_unused(name)?;
        let threads = threads_of(options, module, linker, store)?;
        let instance = instantiate(&links, source, module, &main.domain, linker, store)?;
        let ended = enter(options, setup, source, module, instance, store);
        let Some(threads) = threads else { return ended };
        // Unless another thread has ended the program before.
        return threads.finish(Ok(())).with_context(|| name.to_owned()).and(ended);
    }
    let (instance, session) = dynamic::link(setup, source, module, &links, linker, store)?;
    let ended = enter(options, setup, source, module, instance, store);
    let exited = |error: &anyhow::Error| {
        let cause = error.downcast_ref::<vm::Error>();
        cause.is_some_and(|cause| cause.downcast_ref::<I32Exit>().is_some())
    };
    // A program that has no C library does not see to it.
    match ended {
        Err(error) if !exited(&error) => Err(error),
        ended => session.finish(store).with_context(|| name.to_owned()).and(ended),
    }
}

/// The threads of a program, if it is made for some: with the shared memories that it
/// imports.
fn threads_of(
    options: &Options,
    module: &Module,
    linker: &mut Linker<State>,
    store: &mut Store<State>,
) -> Result<Option<Threads<State>>> {
    let is_shared = |ty| matches!(ty, ExternType::Memory(ty) if ty.is_shared());
    if !threads::has_threads(module) && !module.imports().any(|import| is_shared(import.ty())) {
        return Ok(None);
    }
    let threads = Threads::new(linker, &mut *store, module, fork)?;
    if let Some(most) = options.max_threads {
        threads.limit(most);
    }
    store.data_mut().threads = Some(threads.clone());
    Ok(Some(threads))
}

/// The store of a new thread. All have their fuel in common.
fn fork(caller: &mut Caller<'_, State>, new: &NewThread<'_>) -> Result<Store<State>, vm::Error> {
    let engine = caller.engine().clone();
    let parent = caller.domain().map(Domain::id);
    let state = caller.data_mut();
    let guest = state.guest(parent).thread(new.domain.clone(), new.ended);
    let state = State {
        guests: vec![(new.domain.id(), guest)],
        limits: state.limits.clone(),
        modules: state.modules.clone(),
        threads: state.threads.clone(),
    };
    let mut store = Store::try_new(&engine, state)?;
    store.limiter(|state| &mut state.limits);
    // Where none is counted there is no pool.
    if let Ok(fuel) = caller.as_context_mut().fuel_pool() {
        store.set_fuel_pool(&fuel)?;
    }
    Ok(store)
}

/// Calls what a program is to do.
fn enter(
    options: &Options,
    setup: &Setup,
    source: &Source,
    module: &Module,
    instance: Instance,
    store: &mut Store<State>,
) -> Result<()> {
    let name = source.name();
    if let Some(function) = &options.invoke {
        let func = invoke::function(name, store, module, instance, function)?;
        initialize(source, store, instance)?;
        return invoke::call(store, function, func, &setup.args).with_context(|| name.to_owned());
    }
    match instance.get_func(&mut *store, "_start") {
        Some(start) => start.call(store, &[], &mut []).with_context(|| name.to_owned()),
        // All it has to do may have been its start function's.
        None if module.exports().len() == 0 => Ok(()),
        None => bail!(
            "{name} exports no function \"_start\" to run; {}; --invoke NAME calls one",
            invoke::functions(module)
        ),
    }
}

fn config(options: &Options, setup: &Setup) -> Config {
    let mut config = Config::new();
    let quotas = setup.permissions.quotas();
    config.consume_fuel(options.fuel.is_some() || quotas.fuel.is_some());
    config.max_call_depth(quotas.depth);
    config.memory_guard(!options.no_guard);
    options.proposals.configure(&mut config);
    if let Some(size) = options.max_stack {
        config.max_wasm_stack(size);
    }
    config
}

fn instantiate(
    links: &Links<'_>,
    source: &Source,
    module: &Module,
    domain: &Domain,
    linker: &Linker<State>,
    store: &mut Store<State>,
) -> Result<Instance> {
    imports::check(source, module, linker, store, links)?;
    linker
        .instantiate_in(store, module, domain)
        .with_context(|| source.name().to_owned())
}

/// Lets a reactor set itself up, if it is one.
fn initialize(source: &Source, store: &mut Store<State>, instance: Instance) -> Result<()> {
    match instance.get_func(&mut *store, "_initialize") {
        Some(func) => func.call(store, &[], &mut []).with_context(|| source.name().to_owned()),
        None => Ok(()),
    }
}

/// The exit code for what ended the guest; a report, unless it exited.
///
/// # Errors
///
/// `error`, if it did not come to run.
fn end_of_guest(error: &anyhow::Error, cause: &vm::Error, time: Option<&TimeLimit>, modules: &Names) -> Result<u8> {
    if let Some(I32Exit(code)) = cause.downcast_ref::<I32Exit>() {
        // As in POSIX, the lowest 8 bits are what the parent sees.
        let [lowest, ..] = code.to_le_bytes();
        return Ok(lowest);
    }
    let Some(backtrace) = cause.backtrace() else {
        return Err(anyhow!("{error:#}"));
    };
    // The outermost context is the module's name.
    match (cause.trap(), time) {
        (Some(Trap::Interrupt), Some(time)) if time.over.load(Ordering::Relaxed) => {
            report(format_args!(
                "{error}: trap: interrupted (--timeout {:?} is over)",
                time.limit
            ));
        }
        (Some(trap), _) => report(format_args!("{error}: trap: {trap}")),
        (None, _) => report(format_args!("{error:#}")),
    }
    if !backtrace.frames().is_empty() {
        let names = modules.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |module: &Module| {
            let named = names.iter().find(|(other, _)| Module::same(module, other));
            named.map_or("<unknown>", |(_, name)| name)
        };
        let _ = writeln!(io::stderr().lock(), "{}", backtrace.display(SHOWN_FRAMES, name));
    }
    Ok(TRAPPED)
}

/// The time a program may take.
struct TimeLimit {
    limit: Duration,
    /// Set when it is over.
    over: Arc<AtomicBool>,
    /// Set when the program has ended, and only work after it is left.
    ended: Arc<AtomicBool>,
}

impl TimeLimit {
    /// Starts the clock. When the time is over the guest is interrupted, and a
    /// while later, should it be in a host function that waits, the process
    /// ends.
    fn start(&self, handle: InterruptHandle, file: &OsStr) {
        let (limit, over, ended) = (self.limit, Arc::clone(&self.over), Arc::clone(&self.ended));
        let file = file.to_string_lossy().into_owned();
        thread::spawn(move || {
            thread::sleep(limit);
            over.store(true, Ordering::Relaxed);
            handle.interrupt();
            thread::sleep(GRACE);
            if ended.load(Ordering::Relaxed) {
                return;
            }
            report(format_args!(
                "{file}: stopped while waiting in a host function (--timeout {limit:?} is over)"
            ));
            process::exit(TRAPPED.into());
        });
    }
}
