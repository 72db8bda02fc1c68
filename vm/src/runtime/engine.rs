//! Engines: what modules and stores have in common.

use std::num::NonZero;
use std::sync::Arc;

use wasmparser::WasmFeatures;

use crate::error::Error;
use crate::exec::heap;
use crate::proposal::{Proposal, Proposals, for_each_proposal};
use crate::types::TypeRegistry;

/// How an [`Engine`] works. Setters give the configuration back, as
/// `wasmtime::Config`'s do.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) fuel: bool,
    pub(crate) stack_bytes: usize,
    pub(crate) max_depth: Option<u32>,
    pub(crate) guard: bool,
    pub(crate) deterministic: bool,
    proposals: Proposals,
    pub(crate) threads: Option<usize>,
    pub(crate) gc_heap: u64,
    pub(crate) gc_zeal: bool,
}

/// Bytes of a store's value stack unless configured otherwise.
const DEFAULT_STACK: usize = 8 << 20;
/// Bytes of the smallest value stack.
const MIN_STACK: usize = 64 << 10;
/// Bytes of a store's largest heap unless configured otherwise.
const DEFAULT_GC_HEAP: u64 = 1 << 30;
/// Bytes of the largest value stack.
const MAX_STACK: usize = 16 << 30;

impl Default for Config {
    fn default() -> Self {
        Self {
            fuel: false,
            stack_bytes: DEFAULT_STACK,
            max_depth: None,
            guard: true,
            deterministic: true,
            proposals: Proposals::default(),
            threads: None,
            gc_heap: DEFAULT_GC_HEAP,
            gc_zeal: false,
        }
    }
}

impl Config {
    /// The default configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether code counts the fuel it uses: one unit an operator, nothing for
    /// `nop`, `drop`, `block`, `loop`, `else` and `end`. Off at first; code that
    /// does not count runs faster.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Self {
        self.fuel = enable;
        self
    }

    /// Bytes of a store's value stack, which holds the frames of wasm calls:
    /// 8 MiB at first, no less than 64 KiB. Memory is taken as it is used.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Self {
        self.stack_bytes = bytes.clamp(MIN_STACK, MAX_STACK).next_multiple_of(64 << 10);
        self
    }

    /// Bytes that a store's heap of garbage-collected objects may have: 1 GiB at first,
    /// no less than 256 KiB and no more than 4 GiB. Address space is taken for all of it,
    /// memory as it is used; what cannot be freed when that much is used up ends the guest
    /// with [`Trap::HeapExhausted`](crate::Trap::HeapExhausted).
    pub fn max_gc_heap_bytes(&mut self, bytes: u64) -> &mut Self {
        self.gc_heap = bytes
            .clamp(heap::MIN_BYTES, heap::MAX_BYTES)
            .next_multiple_of(heap::BYTES_STEP);
        self
    }

    /// Whether each object that is made is preceded by a collection: to find references that
    /// are not kept where they must be.
    #[doc(hidden)]
    pub fn gc_zeal(&mut self, enable: bool) -> &mut Self {
        self.gc_zeal = enable;
        self
    }

    /// Wasm calls that may be active in a store at once; one more is the trap
    /// `call stack exhausted`. Without a limit, which is the default, only the
    /// size of the value stack counts, and calls are not counted.
    pub fn max_call_depth(&mut self, calls: Option<u32>) -> &mut Self {
        self.max_depth = calls;
        self
    }

    /// Whether memories may reserve address space so that the MMU checks
    /// accesses. On at first. Without, memories take no more address space
    /// than they may need, and accesses are slower.
    pub fn memory_guard(&mut self, enable: bool) -> &mut Self {
        self.guard = enable;
        self
    }

    /// Whether modules may use a proposal, unless one that it builds on
    /// ([`Proposal::builds_on`]) is off. All are on at first. A module that needs one
    /// that is off is refused with its name.
    pub fn proposal(&mut self, proposal: Proposal, enable: bool) -> &mut Self {
        self.proposals.set(proposal, enable);
        self
    }

    /// Whether modules may use a proposal, and so all that it builds on.
    pub fn allows(&self, proposal: Proposal) -> bool {
        self.proposals.has(proposal)
    }

    /// The validator's flags for what modules may use.
    pub(crate) fn features(&self) -> WasmFeatures {
        self.proposals.features()
    }

    /// Whether relaxed vector operators give the same results everywhere: those of the
    /// specification's deterministic profile, with products that are added rounded
    /// once. On at first. Without, they may be what this processor does fastest.
    pub fn relaxed_simd_deterministic(&mut self, enable: bool) -> &mut Self {
        self.deterministic = enable;
        self
    }

    /// Threads that may validate one large module; as many as the system has
    /// processors at first.
    pub fn validation_threads(&mut self, threads: NonZero<usize>) -> &mut Self {
        self.threads = Some(threads.get());
        self
    }
}

macro_rules! setters {
    ($($name:ident $text:literal $setter:ident $flag:ident [$($base:ident),*];)*) => {
        impl Config {
            $(
                #[doc = concat!("Whether modules may use the ", $text, " proposal: [`Config::proposal`].")]
                pub fn $setter(&mut self, enable: bool) -> &mut Self {
                    self.proposal(Proposal::$name, enable)
                }
            )*
        }
    };
}
for_each_proposal!(setters);

#[derive(Debug)]
struct EngineInner {
    config: Config,
    types: TypeRegistry,
}

/// What modules and stores have in common: a configuration, and the identity
/// of function types. Cheap to clone; clones are the same engine.
///
/// ```
/// use vm::{Config, Engine};
///
/// # fn main() -> Result<(), vm::Error> {
/// let mut config = Config::new();
/// config.consume_fuel(true).max_wasm_stack(1 << 20);
/// let engine = Engine::new(&config)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Engine(Arc<EngineInner>);

impl Default for Engine {
    fn default() -> Self {
        Self::from_config(Config::default())
    }
}

impl Engine {
    /// An engine that works as `config` says.
    ///
    /// # Errors
    /// If the system cannot do what the configuration asks for.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self::from_config(config.clone()))
    }

    fn from_config(config: Config) -> Self {
        Self(Arc::new(EngineInner {
            config,
            types: TypeRegistry::default(),
        }))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether both are the same engine.
    pub fn same(a: &Self, b: &Self) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    pub(crate) fn types(&self) -> &TypeRegistry {
        &self.0.types
    }

    /// Threads that may validate one module.
    pub(crate) fn threads(&self) -> usize {
        self.0
            .config
            .threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
    }
}
