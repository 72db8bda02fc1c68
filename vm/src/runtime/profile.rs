//! Profiles: where the time of what runs in a store goes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::store::{Store, StoreId};
use crate::error::{Error, ResourceError, Shown};
use crate::exec::profile::{self, Place, Places};
use crate::module::{FuncIdx, ModuleData};
use crate::sys::Sampler;
use crate::trap::demangle;

/// What frames left out of a stack are called.
const CUT: &str = "(cut)";

/// Takes samples of what the calling thread does in one store, by a timer of
/// the thread's CPU time. Code that runs does not change for it, and nothing is
/// paid while there is no profiler.
///
/// ```
/// use vm::{Engine, Instance, Module, Profiler, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module $app (func $spin (export "spin") (param i32)
///         (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &module, &[])?;
/// let spin = instance.get_typed_func::<u32, ()>(&mut store, "spin")?;
///
/// # let Ok(_) = Profiler::start(&store) else { return Ok(()) };
/// let profiler = Profiler::start(&store)?;
/// spin.call(&mut store, 50_000_000)?;
/// let profile = profiler.finish(&store);
///
/// let hottest = profile.functions().first().expect("it ran for long enough");
/// assert_eq!(hottest.name(), "spin");
/// assert!(hottest.self_samples() <= profile.samples());
/// # Ok(())
/// # }
/// ```
///
/// It is the thread's: what the store does on another is not seen. A thread has
/// one profiler at a time; several threads may have one each. While there is
/// one, the signal SIGPROF is the profiler's, and those that it did not send go
/// to whoever handled them before.
#[derive(Debug)]
pub struct Profiler {
    sampler: Sampler,
    store: StoreId,
}

impl Profiler {
    /// Starts taking samples.
    ///
    /// # Errors
    /// [`Error::Resource`] if the thread has a profiler already, or the system
    /// gives none: there are profiles on x86-64 Linux only.
    pub fn start<T>(store: &Store<T>) -> Result<Self, Error> {
        let inner = &store.whole().inner;
        let sampler = profile::start(inner).map_err(|source| ResourceError::new("a profiler", source))?;
        Ok(Self {
            sampler,
            store: inner.id,
        })
    }

    /// Stops taking samples and says what they show.
    ///
    /// # Panics
    /// If it is not the store that the profiler was started for.
    pub fn finish<T>(self, store: &Store<T>) -> Profile {
        let inner = &store.whole().inner;
        assert_eq!(inner.id, self.store, "a profiler is finished with its own store");
        let recording = self.sampler.finish();
        let places = profile::locate(inner, &recording);
        Profile::new(places, recording.cpu_time)
    }
}

/// Where the time of a run went: a function or an instruction was running in so
/// many samples, which are about the same time apart.
#[derive(Clone, Debug)]
pub struct Profile {
    samples: u64,
    outside: u64,
    cpu_time: Duration,
    /// Whether the functions are of several modules.
    has_modules: bool,
    functions: Vec<ProfiledFunction>,
    ops: Vec<ProfiledOp>,
    stacks: Vec<ProfiledStack>,
}

/// A function's part of a [`Profile`].
#[derive(Clone, Debug)]
pub struct ProfiledFunction {
    frame: ProfiledFrame,
    self_samples: u64,
    total_samples: u64,
}

/// An instruction's part of a [`Profile`].
#[derive(Clone, Debug)]
pub struct ProfiledOp {
    name: String,
    samples: u64,
}

/// Calls within calls, and how often they were found like that.
#[derive(Clone, Debug)]
pub struct ProfiledStack {
    frames: Vec<ProfiledFrame>,
    is_cut: bool,
    samples: u64,
}

/// A function in a [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfiledFrame {
    name: Arc<str>,
    module: Option<Arc<str>>,
    func_index: Option<u32>,
}

impl ProfiledFrame {
    /// The function's name: as [`FrameInfo::func_name`](crate::FrameInfo::func_name)
    /// has it, or `func[7]`; `module.name` for a host function, after the import
    /// by which it is called. In parentheses what is no function:
    /// `(translation)` of functions called for the first time, `(host function)`
    /// without a name, and `(unknown)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the module that defines the function, if it has one.
    pub fn module_name(&self) -> Option<&str> {
        self.module.as_deref()
    }

    /// Index of the function in its module; `None` if it is not a guest's.
    pub fn func_index(&self) -> Option<u32> {
        self.func_index
    }

    fn new(place: &Place, modules: &[Arc<ModuleData>]) -> Self {
        let special = |name: &str| Self {
            name: name.into(),
            module: None,
            func_index: None,
        };
        match place {
            Place::Wasm { module, func } => {
                let module = &modules[*module];
                let name = module.func_name(*func).map(demangle);
                let name = name.unwrap_or_else(|| format!("func[{}]", func.as_u32()));
                Self {
                    name: Shown(&name).to_string().into(),
                    module: module.module_name().map(|name| Shown(name).to_string().into()),
                    func_index: Some(func.as_u32()),
                }
            }
            Place::Host {
                import: Some((module, func)),
            } => special(&import_name(&modules[*module], *func)),
            Place::Host { import: None } => special("(host function)"),
            Place::Translation => special("(translation)"),
            Place::Unknown => special("(unknown)"),
        }
    }
}

/// The two names of an imported function.
fn import_name(module: &ModuleData, func: FuncIdx) -> String {
    match module.func_import(func) {
        Some(import) => format!("{}.{}", Shown(&import.module), Shown(&import.name)),
        None => "(host function)".to_owned(),
    }
}

impl ProfiledFunction {
    /// The function.
    pub fn frame(&self) -> &ProfiledFrame {
        &self.frame
    }

    /// The function's name; see [`ProfiledFrame::name`].
    pub fn name(&self) -> &str {
        self.frame.name()
    }

    /// Samples in which the function itself was running.
    pub fn self_samples(&self) -> u64 {
        self.self_samples
    }

    /// Samples in which the function or one that it had called was running.
    pub fn total_samples(&self) -> u64 {
        self.total_samples
    }
}

impl ProfiledOp {
    /// The instruction's name, with its operands' kinds: `i32.add s, k` adds a
    /// constant to a slot of the frame. For people: names change from version
    /// to version. In parentheses what is no instruction: `(host functions)`,
    /// `(translation)` and `(unknown)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Samples in which such an instruction was running.
    pub fn samples(&self) -> u64 {
        self.samples
    }
}

impl ProfiledStack {
    /// The functions, the outermost first.
    pub fn frames(&self) -> &[ProfiledFrame] {
        &self.frames
    }

    /// Whether functions further out have been left out: about 128 of the
    /// innermost are kept, fewer of such with very large frames.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Samples that found this stack.
    pub fn samples(&self) -> u64 {
        self.samples
    }
}

impl Profile {
    fn new(places: Places, cpu_time: Duration) -> Self {
        let Places {
            modules,
            stacks,
            outside,
            ops,
        } = places;
        let mut frames: HashMap<Place, ProfiledFrame> = HashMap::new();
        let mut counts: HashMap<Place, (u64, u64)> = HashMap::new();
        let mut ops: HashMap<String, u64> = ops;
        let mut in_ops: u64 = ops.values().sum();
        let mut samples = 0;
        for (stack, count) in &stacks {
            samples += count;
            let Some(leaf) = stack.frames.last() else { continue };
            counts.entry(leaf.clone()).or_default().0 += count;
            let mut seen: Vec<&Place> = stack.frames.iter().collect();
            seen.sort_unstable();
            seen.dedup();
            for place in seen {
                counts.entry(place.clone()).or_default().1 += count;
                frames
                    .entry(place.clone())
                    .or_insert_with(|| ProfiledFrame::new(place, &modules));
            }
            let op = match leaf {
                Place::Host { .. } => "(host functions)",
                Place::Translation => "(translation)",
                Place::Wasm { .. } | Place::Unknown => continue,
            };
            *ops.entry(op.to_owned()).or_default() += count;
            in_ops += count;
        }
        if let Some(more @ 1..) = samples.checked_sub(in_ops) {
            *ops.entry("(unknown)".to_owned()).or_default() += more;
        }

        let mut functions: Vec<ProfiledFunction> = counts
            .into_iter()
            .map(|(place, (self_samples, total_samples))| ProfiledFunction {
                frame: frames[&place].clone(),
                self_samples,
                total_samples,
            })
            .collect();
        functions.sort_by(|a, b| {
            let key = |function: &ProfiledFunction| (function.self_samples, function.total_samples);
            key(b).cmp(&key(a)).then_with(|| a.frame.cmp(&b.frame))
        });
        let mut ops: Vec<ProfiledOp> = ops
            .into_iter()
            .map(|(name, samples)| ProfiledOp { name, samples })
            .collect();
        ops.sort_by(|a, b| b.samples.cmp(&a.samples).then_with(|| a.name.cmp(&b.name)));
        let mut stacks: Vec<ProfiledStack> = stacks
            .into_iter()
            .map(|(stack, samples)| ProfiledStack {
                frames: stack.frames.iter().map(|place| frames[place].clone()).collect(),
                is_cut: stack.is_cut,
                samples,
            })
            .collect();
        stacks.sort_by(|a, b| (&a.frames, a.is_cut).cmp(&(&b.frames, b.is_cut)));
        let guests = functions.iter().filter(|function| function.frame.func_index.is_some());
        let modules: BTreeSet<_> = guests.map(|function| &function.frame.module).collect();
        let has_modules = modules.len() > 1;
        Self {
            samples,
            outside,
            cpu_time,
            has_modules,
            functions,
            ops,
            stacks,
        }
    }

    /// Samples taken while something ran in the store.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Samples taken while nothing ran in the store: the embedder's own time.
    pub fn outside_samples(&self) -> u64 {
        self.outside
    }

    /// CPU time that the thread used.
    pub fn cpu_time(&self) -> Duration {
        self.cpu_time
    }

    /// CPU time between two samples, on average; `None` if there are none. The
    /// kernel gives one per tick of its scheduler, which is 1 to 10 ms, and of
    /// long runs fewer are kept.
    pub fn interval(&self) -> Option<Duration> {
        let samples = u32::try_from(self.samples + self.outside).ok()?;
        self.cpu_time.checked_div(samples)
    }

    /// The functions, those first that took most of the time themselves.
    pub fn functions(&self) -> &[ProfiledFunction] {
        &self.functions
    }

    /// The instructions, those first that took most of the time.
    pub fn ops(&self) -> &[ProfiledOp] {
        &self.ops
    }

    /// The stacks found, in the order of their names.
    pub fn stacks(&self) -> &[ProfiledStack] {
        &self.stacks
    }

    /// The name to show for a function: with its module's name before it, if
    /// the profile has functions of several modules.
    pub fn label(&self, frame: &ProfiledFrame) -> String {
        match frame.func_index {
            Some(_) if self.has_modules => {
                format!("{}!{}", frame.module_name().unwrap_or("<unknown>"), frame.name())
            }
            _ => frame.name().to_owned(),
        }
    }

    /// The stacks as text, one a line with its samples: `main;run;add 12`. It is
    /// what programs that draw flame graphs read.
    pub fn folded(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            let mut labels: HashMap<&ProfiledFrame, String> = HashMap::new();
            for function in &self.functions {
                // What separates frames has to be something else within them.
                let label = self.label(&function.frame).replace(';', ":");
                labels.insert(&function.frame, label);
            }
            for stack in &self.stacks {
                let outermost = stack.is_cut.then_some(CUT);
                let frames = stack.frames.iter().filter_map(|frame| labels.get(frame));
                for (i, label) in outermost.into_iter().chain(frames.map(String::as_str)).enumerate() {
                    let separator = if i == 0 { "" } else { ";" };
                    write!(f, "{separator}{label}")?;
                }
                writeln!(f, " {}", stack.samples)?;
            }
            Ok(())
        })
    }
}
