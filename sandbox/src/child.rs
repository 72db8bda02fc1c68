//! Children: modules that a guest runs, each in a store of its own.

use std::sync::Arc;

use orcavm_wasi::{Errno, I32Exit};
use vm::{Error, Extern, Func, Instance, Linker, Permissions, Store, StoreContextMut};

use crate::SandboxCtx;
use crate::ctx::{Limit, Loaded, Share, SharedRegion};
use crate::error::Name;
use crate::guest::Refusal;
use crate::host::{AnyStore, HostOf, Lender, own};
use crate::module::TABLE;
use crate::pointers::{Home, Target};
use crate::signature::Signature;
use crate::trampoline::into_parent;

/// Bytes that what a name stands for takes, about.
const NAMED: u64 = 256;

/// A module that runs as somebody's child.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) store: Store<SandboxCtx>,
    pub(crate) module: Loaded,
    /// What it can import: a linker of its own once something was offered.
    linker: Arc<Linker<SandboxCtx>>,
    pub(crate) running: Option<Running>,
    /// Its code has run, if only to fail: it cannot be started any more.
    is_begun: bool,
    /// Functions that its parent has found in it; handles are indices.
    pub(crate) funcs: Vec<Found>,
    /// Fuel it may still use.
    fuel: Option<u64>,
    /// It keeps the memory that its frames have taken.
    stack: Option<Share>,
    /// What the names count for that are kept for it.
    names: Share,
    _share: Share,
}

/// A child that was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) instance: Instance,
}

/// A function of a child.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: Box<str>,
    pub(crate) func: Func,
    /// What it takes and gives, if its parent has said so.
    pub(crate) declared: Option<Arc<(Signature, Name)>>,
    /// Bytes that room was taken for, for that.
    pub(crate) kept: u64,
}

/// What runs in a child.
pub(crate) type Run<'a> = &'a mut dyn FnMut(StoreContextMut<'_, SandboxCtx>) -> Result<(), Error>;

/// How a run in a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Returned,
    /// It exited with this code.
    Exited(i32),
    /// It failed: that is for its parent to handle.
    Failed(Error),
    /// A function of the parent's failed: that ends the parent.
    ParentFailed(Error),
}

impl Child {
    /// A child of `ctx` that is not started.
    ///
    /// # Errors
    /// If there is no memory for it, or its fuel or depth is limited where the
    /// engine does not count that.
    pub(crate) fn new(ctx: SandboxCtx, module: Loaded, share: Share) -> Result<Self, Error> {
        let names = ctx.pool.nothing(Limit::NameBytes);
        let quotas = ctx.domain.permissions().quotas();
        let (domain, linker) = (ctx.domain.clone(), Arc::clone(&ctx.linker));
        let mut store = Store::try_new(module.module.engine(), ctx)?;
        store.set_domain(domain)?;
        store.limiter(|ctx| &mut ctx.memories);
        if let Some(depth) = quotas.depth {
            store.limit_call_depth(depth)?;
        }
        if quotas.fuel.is_some() {
            store.set_fuel(0)?;
        }
        Ok(Self {
            store,
            module,
            linker,
            running: None,
            is_begun: false,
            funcs: Vec::new(),
            fuel: quotas.fuel,
            stack: None,
            names,
            _share: share,
        })
    }

    /// Lets the child import a function of the parent's.
    ///
    /// # Errors
    /// If the child could import that name already.
    pub(crate) fn offer(
        &mut self,
        module: &str,
        name: &str,
        target: Target,
        lender: Box<dyn Lender>,
    ) -> Result<(), Error> {
        let ty = target.signature.func_type();
        Arc::make_mut(&mut self.linker).func_new(module, name, ty, move |mut caller, args, results| {
            into_parent(&mut HostOf::calling(&mut caller, own), &target, &*lender, args, results)
        })?;
        Ok(())
    }

    /// Says that nothing of the child has run.
    ///
    /// # Errors
    /// If something has.
    pub(crate) fn check_not_begun(&self) -> Result<(), Refusal> {
        match (self.is_begun, self.running) {
            (false, _) => Ok(()),
            (true, Some(_)) => Err(Refusal::new(Errno::Inval, "the child is started already")),
            (true, None) => Err(Refusal::new(Errno::Inval, "the child has failed to start")),
        }
    }

    /// Shares a region with the child.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is no room for the name.
    pub(crate) fn share(&mut self, name: &str, region: SharedRegion) -> Result<(), Errno> {
        if !self.store.data().shared.contains_key(name) {
            self.keep_name(name.len())?;
        }
        self.store.data_mut().share(name, region);
        Ok(())
    }

    /// Takes room for what each import takes in an instance.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is none.
    pub(crate) fn keep_imports(&mut self) -> Result<(), Errno> {
        let imports = self.module.module.imports().count() as u64;
        self.names.add(imports * NAMED)
    }

    /// Takes room for a name of so many bytes and what it stands for.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is none.
    pub(crate) fn keep_name(&mut self, bytes: usize) -> Result<(), Errno> {
        self.names.add(bytes as u64 + NAMED)
    }

    /// Takes room for so many bytes that are kept for it.
    ///
    /// # Errors
    /// [`Errno::Nfile`] if there is none.
    pub(crate) fn keep(&mut self, bytes: u64) -> Result<(), Errno> {
        self.names.add(bytes)
    }

    /// Runs something in the child, for a guest of the store `parent` that is
    /// allowed `permissions`. The child's fuel comes out of the parent's.
    pub(crate) fn run(&mut self, parent: &mut dyn AnyStore, permissions: Option<&Permissions>, f: Run<'_>) -> Ended {
        let given = take_fuel(parent, self.fuel.unwrap_or(u64::MAX));
        if let Some(fuel) = given
            && let Err(error) = self.store.set_fuel(fuel)
        {
            return Ended::Failed(error);
        }
        let mut result = Ok(());
        parent.lend(&mut self.store, &mut |mut child| {
            result = match permissions {
                Some(permissions) => child.limited(permissions, &mut *f),
                None => f(child),
            };
        });
        // Frames count for no quota.
        if self.stack.is_none() {
            self.stack = self.store.data().pool.take(Limit::Stacks, 1).ok();
        }
        if self.stack.is_none() {
            self.store.trim_stack();
        }
        if let Some(given) = given {
            let left = self.store.get_fuel().unwrap_or(0);
            self.fuel = self.fuel.map(|fuel| fuel.saturating_sub(given.saturating_sub(left)));
            add_fuel(parent, left);
        }
        ended(self.store.data_mut(), result)
    }

    /// Instantiates the child, and lets it set itself up if it exports
    /// `_initialize`. That can be tried again only if nothing of it has run.
    pub(crate) fn start(&mut self, parent: &mut dyn AnyStore, permissions: Option<&Permissions>) -> Ended {
        let (linker, module) = (Arc::clone(&self.linker), self.module.module.clone());
        let mut is_made = false;
        let mut running = None;
        let ended = self.run(parent, permissions, &mut |mut store| {
            let instance = linker.instantiate(&mut store, &module)?;
            is_made = true;
            let memory = instance.get_memory(&mut store, "memory");
            let table = instance.get_export(&mut store, TABLE).and_then(Extern::into_table);
            store.data_mut().home = Some(Home { memory, table });
            if let Some(initialize) = instance.get_func(&mut store, "_initialize") {
                initialize.call(&mut store, &[], &mut [])?;
            }
            running = Some(Running { instance });
            Ok(())
        });
        self.is_begun = match &ended {
            Ended::Failed(error) => is_made || error.backtrace().is_some(),
            Ended::Returned | Ended::Exited(_) | Ended::ParentFailed(_) => true,
        };
        if let Ended::Returned = ended {
            self.running = running;
        }
        ended
    }
}

/// How a run in the child with this state ended.
pub(crate) fn ended(ctx: &mut SandboxCtx, result: Result<(), Error>) -> Ended {
    if let Some(error) = ctx.parents_error.take() {
        return Ended::ParentFailed(error);
    }
    match result {
        Ok(()) => Ended::Returned,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => {
                ctx.exit = Some(*code);
                Ended::Exited(*code)
            }
            None => Ended::Failed(error),
        },
    }
}

/// Gives a store fuel, if fuel is counted.
pub(crate) fn add_fuel(store: &mut dyn AnyStore, fuel: u64) {
    if let Some(left) = store.fuel() {
        // It is counted, so it can be set.
        let _set = store.set_fuel(left.saturating_add(fuel));
    }
}

/// Takes so much of a store's fuel, or all that it has, if fuel is counted.
pub(crate) fn take_fuel(store: &mut dyn AnyStore, most: u64) -> Option<u64> {
    let left = store.fuel()?;
    let taken = left.min(most);
    store.set_fuel(left - taken).ok()?;
    Some(taken)
}
