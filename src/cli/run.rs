//! `orcavm run`: runs a program.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, io, process, thread};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueHint;
use orcavm::vm::{
    self, Config, Engine, Instance, InterruptHandle, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, Trap,
};
use orcavm::wasi::{self, DirPerms, I32Exit, WasiCtx, WasiCtxBuilder};

use super::imports::{self, Links};
use super::profile::{self, Recording};
use super::source::Source;
use super::{FAILURE, invoke, report, units};

/// Exit code of a program that trapped: that of a native one that aborted.
const TRAPPED: u8 = 134;

/// Frames of a backtrace that are printed.
const SHOWN_FRAMES: usize = 20;

/// How long after its time a program may still be in a host function.
const GRACE: Duration = Duration::from_millis(200);

/// Options of `orcavm run`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Give the program a directory, by another name or its own; with ::ro to read only
    #[arg(long = "dir", value_name = "HOST[::GUEST][::ro]", value_hint = ValueHint::DirPath, value_parser = directory)]
    dirs: Vec<Directory>,
    /// Set an environment variable, or with NAME alone pass on orcavm's own
    #[arg(long = "env", value_name = "NAME[=VALUE]", value_parser = variable)]
    vars: Vec<Variable>,
    /// Call this exported function with ARGS, and print its results one per line
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,
    /// Instantiate FILE first; its exports satisfy imports from module NAME
    #[arg(long = "link", value_name = "NAME=FILE", value_hint = ValueHint::FilePath, value_parser = link)]
    links: Vec<Link>,
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
    /// Check every memory access instead of reserving address space for guard pages
    #[arg(long)]
    no_guard: bool,
    /// Show where the time went, and write a flame graph to FILE: a picture if it ends in .svg, else
    /// stacks as text
    #[arg(long, value_name = "FILE", require_equals = true, value_hint = ValueHint::FilePath)]
    profile: Option<Option<PathBuf>>,
    /// The program, binary or text, - for standard input; then its arguments
    #[arg(
        value_names = ["MODULE", "ARGS"],
        num_args = 1..,
        required = true,
        trailing_var_arg = true,
        value_hint = ValueHint::CommandWithArguments
    )]
    program: Vec<OsString>,
}

/// A directory the program may use.
#[derive(Clone)]
struct Directory {
    host: PathBuf,
    guest: String,
    perms: DirPerms,
}

fn directory(text: &str) -> Result<Directory> {
    let (text, perms) = match text.strip_suffix("::ro") {
        Some(text) => (text, DirPerms::ReadOnly),
        None => (text, DirPerms::ReadWrite),
    };
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() || guest.contains("::") {
        bail!("it is not HOST, HOST::GUEST or HOST::GUEST::ro");
    }
    Ok(Directory {
        host: host.into(),
        guest: guest.to_owned(),
        perms,
    })
}

/// An environment variable; without a value it is passed on.
#[derive(Clone)]
struct Variable {
    name: String,
    value: Option<String>,
}

fn variable(text: &str) -> Result<Variable> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        bail!("the variable's name is missing");
    }
    Ok(Variable {
        name: name.to_owned(),
        value,
    })
}

/// A module whose exports satisfy imports.
#[derive(Clone)]
struct Link {
    name: String,
    file: OsString,
}

fn link(text: &str) -> Result<Link> {
    match text.split_once('=') {
        Some((name, file)) if !file.is_empty() => Ok(Link {
            name: name.to_owned(),
            file: file.into(),
        }),
        _ => bail!("it is not NAME=FILE"),
    }
}

/// What the store of a program holds.
struct State {
    wasi: WasiCtx,
    limits: StoreLimits,
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
    let mut profile = None;
    let code = match execute(&options, time.as_ref(), &mut profile) {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<vm::Error>() {
            Some(cause) => end_of_guest(&error, cause, time.as_ref())?,
            None => return Err(error),
        },
    };
    if let Some(profile) = profile {
        let name = options.program.first().map(|file| file.to_string_lossy());
        if let Err(error) = profile.write(&name.unwrap_or_default()) {
            report(format_args!("{error:#}"));
            return Ok(if code == 0 { FAILURE } else { code });
        }
    }
    Ok(code)
}

/// Sets up what the options ask for, and runs the program in it. Its profile
/// goes to `profile`, however it ends.
fn execute(options: &Options, time: Option<&TimeLimit>, profile: &mut Option<profile::Report>) -> Result<()> {
    let (file, args) = options.program.split_first().context("the module is missing")?;
    let engine = Engine::new(&config(options)).context("cannot set up the virtual machine")?;
    let source = Source::read(file)?;
    let module = source.module(&engine)?;

    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |state: &mut State| &mut state.wasi)?;
    // --link may stand in for parts of WASI.
    linker.allow_shadowing(true);
    let mut limits = StoreLimitsBuilder::new();
    if let Some(size) = options.max_memory {
        limits = limits.memory_size(size);
    }
    let program_args = if options.invoke.is_some() { &[] } else { args };
    let wasi = context(options, file, program_args, time)?;
    let mut store = Store::new(
        &engine,
        State {
            wasi,
            limits: limits.build(),
        },
    );
    store.limiter(|state| &mut state.limits);
    if let Some(fuel) = options.fuel {
        store.set_fuel(fuel)?;
    }
    if let Some(time) = time {
        time.start(store.interrupt_handle(), file);
    }

    let Some(graph) = &options.profile else {
        return start(options, args, &source, &module, &mut linker, &mut store);
    };
    let recording = Recording::start(&store, graph.as_deref())?;
    let result = start(options, args, &source, &module, &mut linker, &mut store);
    if let Some(time) = time {
        time.ended.store(true, Ordering::Relaxed);
    }
    *profile = Some(recording.finish(&store));
    result
}

/// Instantiates the program and those it is linked with, and runs it.
fn start(
    options: &Options,
    args: &[OsString],
    source: &Source,
    module: &Module,
    linker: &mut Linker<State>,
    store: &mut Store<State>,
) -> Result<()> {
    let mut links = Links {
        names: options.links.iter().map(|link| link.name.as_str()).collect(),
        done: 0,
    };
    for Link { name, file } in &options.links {
        let source = Source::read(file)?;
        let module = source.module(module.engine())?;
        let instance = instantiate(&links, &source, &module, linker, store)?;
        initialize(&source, store, instance)?;
        linker
            .instance(&mut *store, name, instance)
            .with_context(|| format!("--link {name}"))?;
        links.done += 1;
    }

    let instance = instantiate(&links, source, module, linker, store)?;
    let name = source.name();
    if let Some(function) = &options.invoke {
        let func = invoke::function(name, store, module, instance, function)?;
        initialize(source, store, instance)?;
        return invoke::call(store, function, func, args).with_context(|| name.to_owned());
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

fn config(options: &Options) -> Config {
    let mut config = Config::new();
    config.consume_fuel(options.fuel.is_some());
    config.memory_guard(!options.no_guard);
    if let Some(size) = options.max_stack {
        config.max_wasm_stack(size);
    }
    config
}

/// What the program sees of the system.
fn context(options: &Options, file: &OsStr, args: &[OsString], time: Option<&TimeLimit>) -> Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    builder.inherit_stdio();
    builder.arg(Path::new(file).file_name().unwrap_or(file)).args(args);
    for Variable { name, value } in &options.vars {
        match value {
            Some(value) => {
                builder.env(name, value);
            }
            // One that is not set here is not set there.
            None => {
                if let Some(value) = env::var_os(name) {
                    builder.env(name, value);
                }
            }
        }
    }
    for Directory { host, guest, perms } in &options.dirs {
        builder.preopened_dir(host, guest, *perms);
    }
    if let Some(time) = time {
        builder.interrupt_flag(Arc::clone(&time.over));
    }
    Ok(builder.build()?)
}

fn instantiate(
    links: &Links<'_>,
    source: &Source,
    module: &Module,
    linker: &Linker<State>,
    store: &mut Store<State>,
) -> Result<Instance> {
    imports::check(source, module, linker, store, links)?;
    linker
        .instantiate(store, module)
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
fn end_of_guest(error: &anyhow::Error, cause: &vm::Error, time: Option<&TimeLimit>) -> Result<u8> {
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
    let mut err = io::stderr().lock();
    for (index, frame) in backtrace.frames().iter().take(SHOWN_FRAMES).enumerate() {
        let _ = writeln!(err, "{index:>4}: {frame}");
    }
    if let Some(more @ 1..) = backtrace.frames().len().checked_sub(SHOWN_FRAMES) {
        let _ = writeln!(err, "      and {more} more");
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
