//! What a guest has: [`SandboxCtx`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orcavm_wasi::{Errno, WasiCtx};
use vm::{Access, Charge, Domain, Engine, Error, Linker, Module, Permissions, Region, ResourceLimiter};

use crate::access::Lent;
use crate::child::Child;
use crate::guest::LONGEST_MESSAGE;
use crate::handles::Handles;
use crate::link;
use crate::opened::OpenError;
use crate::pointers::{Home, Pointers};

/// Regions that a program and its children may have; each takes a file
/// descriptor of the host.
const MOST_REGIONS: u64 = 256;
/// Bytes of their regions together.
const MOST_REGION_BYTES: u64 = 4 << 30;
/// Modules that they may have loaded.
const MOST_MODULES: u64 = 256;
/// Bytes of their modules together.
const MOST_MODULE_BYTES: u64 = 256 << 20;
/// Children that there may be at once.
const MOST_CHILDREN: u64 = 2_000;
/// Bytes of the names that they have kept, of what is imported, shared, offered or
/// found, and of what these stand for.
const MOST_NAME_BYTES: u64 = 256 << 20;
/// Memories that their children may have, and mappings in all memories. Linux gives
/// a process 65,530 mappings, of which each of these takes two or three, and each
/// child two.
const MOST_MEMORIES: u64 = 10_000;
const MOST_MAPPINGS: u64 = 6_000;
/// Children that keep the memory that frames of their calls have taken; others give
/// it back after each call, which takes a microsecond.
const MOST_STACKS: u64 = 32;
/// Handles of each kind that one guest may have.
const MOST_HANDLES: usize = 10_000;
/// Children of children, and so on.
const DEEPEST: u32 = 16;

/// What a guest has beside its memory: its WASI state, regions, modules and
/// children. It is, or is part of, the data of the guest's store.
///
/// A store whose instances belong to several domains has one for each.
#[derive(Debug)]
pub struct SandboxCtx {
    /// Its WASI state.
    pub wasi: WasiCtx,
    pub(crate) domain: Domain,
    pub(crate) regions: Handles<SharedRegion>,
    /// What others share with it, by name.
    pub(crate) shared: BTreeMap<Box<str>, SharedRegion>,
    pub(crate) modules: Handles<Loaded>,
    pub(crate) children: Handles<Child>,
    /// Functions that its children can import.
    pub(crate) linker: Arc<Linker<SandboxCtx>>,
    pub(crate) pool: Arc<Pool>,
    /// What its mappings count for.
    pub(crate) mapped: Share,
    /// What its memories do, if it is a child.
    pub(crate) memories: Memories,
    /// Parents above it.
    pub(crate) depth: u32,
    /// What went wrong last.
    pub(crate) error: String,
    /// The error of a function that its parent offers, on the way to the parent.
    pub(crate) parents_error: Option<Error>,
    /// What tells it from others.
    pub(crate) id: u64,
    /// Its handle and who has that, if it is a child.
    parent: Option<u64>,
    pub(crate) handle: i32,
    /// Its memory and table, if it is a child that runs or has run.
    pub(crate) home: Option<Home>,
    /// How it exited, once it has, if it is a child.
    pub(crate) exit: Option<i32>,
    /// While it waits for its parent: the fuel it had left.
    pub(crate) fuel_left: u64,
    /// Functions of its parent and of its children that it can call by pointers.
    pub(crate) pointers: Pointers,
    /// What it may access of its parent's memory.
    pub(crate) lent: Vec<Lent>,
    /// Children it has made; their names count them.
    pub(crate) made: u64,
}

/// A module that a guest has loaded, and what it counts for as long as a handle or
/// a child has it.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) module: Module,
    _share: Arc<[Share; 2]>,
}

impl SandboxCtx {
    /// What a program has at first: this WASI state. Its children can import WASI,
    /// `orca_region` and `orca_module`.
    ///
    /// # Errors
    /// None that are known of: what is defined for children has names that differ.
    pub fn new(engine: &Engine, domain: Domain, wasi: WasiCtx) -> Result<Self, Error> {
        let mut linker = Linker::new(engine);
        link::add_to_linker(&mut linker, |ctx: &mut Self, _| ctx)?;
        Ok(Self::with_linker(domain, wasi, linker))
    }

    /// What a program has at first, whose children can import what `linker`
    /// defines, and what is offered to them.
    pub fn with_linker(domain: Domain, wasi: WasiCtx, linker: Linker<Self>) -> Self {
        Self::of(domain, wasi, Arc::new(linker), Arc::default(), 0)
    }

    fn of(domain: Domain, wasi: WasiCtx, linker: Arc<Linker<Self>>, pool: Arc<Pool>, depth: u32) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            wasi,
            domain,
            regions: Handles::new(MOST_HANDLES),
            shared: BTreeMap::new(),
            modules: Handles::new(MOST_HANDLES),
            children: Handles::new(MOST_HANDLES),
            linker,
            mapped: pool.nothing(Limit::Mappings),
            memories: Memories {
                share: pool.nothing(Limit::Memories),
                most_bytes: usize::MAX,
            },
            pointers: Pointers::new(pool.nothing(Limit::NameBytes)),
            pool,
            depth,
            error: String::new(),
            parents_error: None,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            parent: None,
            handle: 0,
            home: None,
            exit: None,
            fuel_left: 0,
            lent: Vec::new(),
            made: 0,
        }
    }

    /// For another domain of the same store, whose part of the common limits is
    /// this one's.
    #[must_use]
    pub fn sibling(&self, domain: Domain, wasi: WasiCtx) -> Self {
        let (linker, pool) = (Arc::clone(&self.linker), Arc::clone(&self.pool));
        let mut sibling = Self::of(domain, wasi, linker, pool, self.depth);
        sibling.memories.most_bytes = self.memories.most_bytes;
        sibling
    }

    /// For a thread of the same program, whose store is another: it has the same WASI
    /// state, and others share the same regions with it. Handles are each thread's own.
    /// `ended` is what [`WasiCtx::share`] takes.
    #[must_use]
    pub fn thread(&mut self, domain: Domain, ended: &Arc<AtomicBool>) -> Self {
        let wasi = self.wasi.share(ended);
        let mut thread = self.sibling(domain, wasi);
        thread.shared = self.shared.clone();
        thread
    }

    /// The handle of a new child that runs a module, not started, whose domain is a
    /// child of `parent`.
    ///
    /// # Errors
    /// If there is no room for it, or it cannot have what it is allowed.
    pub(crate) fn make_child(
        &mut self,
        parent: &Domain,
        module: Loaded,
        permissions: Permissions,
    ) -> Result<i32, OpenError> {
        if !self.children.has_room() {
            return Err(Errno::Nfile.into());
        }
        let share = self.pool.take(Limit::Children, 1)?;
        self.made += 1;
        let domain = parent.child(&format!("{}/{}", parent.name(), self.made), permissions);
        let wasi = self.wasi.child(&domain.permissions())?;
        let mut own = self.child(domain, wasi)?;
        own.parent = Some(self.id);
        let mut child = Child::new(own, module, share)?;
        child.keep_imports()?;
        let handle = self.children.insert(child)?;
        self.children.get(handle)?.store.data_mut().handle = handle;
        Ok(handle)
    }

    /// Ends a child.
    ///
    /// # Errors
    /// If there is none with this handle, or it runs.
    pub(crate) fn drop_child(&mut self, handle: i32) -> Result<(), Errno> {
        self.children.remove(handle)?;
        self.pointers.release_child(handle);
        Ok(())
    }

    /// Whether it is the child of `parent` that has this handle.
    pub(crate) fn is_child(&self, parent: u64, handle: i32) -> bool {
        self.parent == Some(parent) && self.handle == handle
    }

    /// Whether it has a parent.
    pub(crate) fn has_parent(&self) -> bool {
        self.parent.is_some()
    }

    /// Keeps what went wrong last.
    pub(crate) fn note(&mut self, mut message: String) {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        self.error = message;
    }

    /// For a child.
    ///
    /// # Errors
    /// [`Errno::Mlink`] if it would have too many parents above it.
    fn child(&self, domain: Domain, wasi: WasiCtx) -> Result<Self, Errno> {
        if self.depth >= DEEPEST {
            return Err(Errno::Mlink);
        }
        let (linker, pool) = (Arc::clone(&self.linker), Arc::clone(&self.pool));
        let mut child = Self::of(domain, wasi, linker, pool, self.depth + 1);
        child.memories.most_bytes = self.memories.most_bytes;
        Ok(child)
    }

    /// Lets no memory of its children, and theirs, have more bytes than this. Its
    /// own are what the store's [limiter](vm::Store::limiter) decides about, which its
    /// children's stores do not have.
    pub fn limit_memory_size(&mut self, bytes: usize) {
        self.memories.most_bytes = bytes;
    }

    /// The domain that it belongs to.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Shares a region with the guest, which [opens](crate) it by name. What it had
    /// by that name before is replaced.
    pub fn share(&mut self, name: &str, region: SharedRegion) {
        self.shared.insert(name.into(), region);
    }

    /// Room for one more module of so many bytes.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is none.
    pub(crate) fn reserve_module(&self, bytes: usize) -> Result<ModuleShare, Errno> {
        Ok(ModuleShare([
            self.pool.take(Limit::Modules, 1)?,
            self.pool.take(Limit::ModuleBytes, bytes as u64)?,
        ]))
    }
}

/// Room for a module.
pub(crate) struct ModuleShare([Share; 2]);

impl ModuleShare {
    /// The module in it.
    pub(crate) fn of(self, module: Module) -> Loaded {
        Loaded {
            module,
            _share: Arc::new(self.0),
        }
    }
}

/// A region that guests share.
///
/// Where it is mapped first is where it is mapped in others too, if they do not
/// say where and have nothing there: pointers into it are the same for all then.
#[derive(Clone, Debug)]
pub struct SharedRegion {
    pub(crate) region: Region,
    place: Arc<Mutex<Option<u64>>>,
}

/// What a region that a guest made counts for, as long as its pages are there.
#[derive(Debug)]
struct Counted {
    _charge: Charge,
    _share: [Share; 2],
}

impl SharedRegion {
    /// A region of the host's.
    pub fn new(region: Region) -> Self {
        Self {
            region,
            place: Arc::default(),
        }
    }

    /// A region that a guest makes.
    pub(crate) fn made_by(ctx: &SandboxCtx, bytes: u64) -> Result<Self, Error> {
        let full = |_| Error::host(Full);
        let counted = Counted {
            _share: [
                ctx.pool.take(Limit::Regions, 1).map_err(full)?,
                ctx.pool.take(Limit::RegionBytes, bytes).map_err(full)?,
            ],
            _charge: ctx.domain.charge_memory(bytes)?,
        };
        let region = Region::new(bytes)?;
        region.hold(counted);
        Ok(Self::new(region))
    }

    /// The region, for less than it allows.
    #[must_use]
    pub fn narrowed(&self, access: Access) -> Self {
        let mut narrowed = self.clone();
        if access == Access::Read {
            narrowed.region = self.region.read_only();
        }
        narrowed
    }

    /// The region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    pub(crate) fn place(&self) -> Option<u64> {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_place(&self, address: u64) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert(address);
    }
}

/// The program and its children have as much as they may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the program and its children have as many of these as they may have together")
    }
}

impl std::error::Error for Full {}

/// What a program and its children may have together, whoever of them has it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    used: [AtomicU64; 9],
}

/// What a [`Pool`] limits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Regions,
    RegionBytes,
    Modules,
    ModuleBytes,
    Children,
    NameBytes,
    Memories,
    Mappings,
    Stacks,
}

impl Limit {
    fn most(self) -> u64 {
        match self {
            Self::Regions => MOST_REGIONS,
            Self::RegionBytes => MOST_REGION_BYTES,
            Self::Modules => MOST_MODULES,
            Self::ModuleBytes => MOST_MODULE_BYTES,
            Self::Children => MOST_CHILDREN,
            Self::NameBytes => MOST_NAME_BYTES,
            Self::Memories => MOST_MEMORIES,
            Self::Mappings => MOST_MAPPINGS,
            Self::Stacks => MOST_STACKS,
        }
    }
}

impl Pool {
    /// A part of it, given back when it is dropped.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is not so much left.
    pub(crate) fn take(self: &Arc<Self>, limit: Limit, amount: u64) -> Result<Share, Errno> {
        let mut share = self.nothing(limit);
        share.add(amount)?;
        Ok(share)
    }

    /// No part of it, to be added to.
    pub(crate) fn nothing(self: &Arc<Self>, limit: Limit) -> Share {
        Share {
            pool: Arc::clone(self),
            limit,
            amount: 0,
        }
    }

    fn used(&self, limit: Limit) -> &AtomicU64 {
        &self.used[limit as usize]
    }
}

/// A part of a [`Pool`].
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    limit: Limit,
    amount: u64,
}

impl Share {
    /// Takes more.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is not so much left.
    pub(crate) fn add(&mut self, amount: u64) -> Result<(), Errno> {
        let most = self.limit.most();
        let add = |used: u64| used.checked_add(amount).filter(|sum| *sum <= most);
        let used = self.pool.used(self.limit);
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken.map_err(|_| Errno::Nfile)?;
        self.amount += amount;
        Ok(())
    }

    /// Gives back as much as there is of an amount.
    pub(crate) fn give_back(&mut self, amount: u64) {
        let amount = amount.min(self.amount);
        self.pool.used(self.limit).fetch_sub(amount, Ordering::Relaxed);
        self.amount -= amount;
    }
}

/// Counts the memories of a child's store.
#[derive(Debug)]
pub(crate) struct Memories {
    share: Share,
    /// Bytes that each may have.
    most_bytes: usize,
}

impl ResourceLimiter for Memories {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool, Error> {
        // One that is empty may count more than once: it grows from nothing too.
        Ok(desired <= self.most_bytes && (current > 0 || self.share.add(1).is_ok()))
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool, Error> {
        Ok(true)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.used(self.limit).fetch_sub(self.amount, Ordering::Relaxed);
    }
}
