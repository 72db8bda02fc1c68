//! Children: modules that a guest runs, each in a store of its own.

use std::sync::Arc;

use orcavm_wasi::I32Exit;
use vm::{
    AsContextMut, Caller, Error, Func, Instance, Linker, Memory, Module, Permissions, Store, StoreContextMut, Val,
};

use crate::SandboxCtx;
use crate::ctx::Share;

/// A module that runs as somebody's child.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) store: Store<SandboxCtx>,
    pub(crate) module: Module,
    /// What it can import: a linker of its own once something was offered.
    linker: Arc<Linker<SandboxCtx>>,
    pub(crate) running: Option<Running>,
    /// Functions that its parent has found in it; handles are indices.
    pub(crate) funcs: Vec<Found>,
    /// How it exited, once it has.
    pub(crate) exit: Option<i32>,
    /// Fuel it may still use.
    fuel: Option<u64>,
    _share: Share,
}

/// A child that was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) instance: Instance,
    pub(crate) memory: Option<Memory>,
}

/// A function of a child.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: Box<str>,
    pub(crate) func: Func,
}

/// A function of the parent's that its child calls was called, and no parent
/// runs the child.
#[derive(Clone, Copy, Debug)]
struct NobodyRunsIt;

impl std::fmt::Display for NobodyRunsIt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a function of the parent was called while the parent does not run the child")
    }
}

impl std::error::Error for NobodyRunsIt {}

/// The call of a parent's function has failed; the error is for the parent.
#[derive(Clone, Copy, Debug)]
struct ParentFailed;

impl std::fmt::Display for ParentFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a function of the parent failed")
    }
}

impl std::error::Error for ParentFailed {}

/// How a run in a child ended.
#[derive(Debug)]
pub(crate) enum Ended<R> {
    Returned(R),
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
    pub(crate) fn new(ctx: SandboxCtx, module: Module, share: Share) -> Result<Self, Error> {
        let quotas = ctx.domain.permissions().quotas();
        let (domain, linker) = (ctx.domain.clone(), Arc::clone(&ctx.linker));
        let mut store = Store::try_new(module.engine(), ctx)?;
        store.set_domain(domain)?;
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
            funcs: Vec::new(),
            exit: None,
            fuel: quotas.fuel,
            _share: share,
        })
    }

    /// Lets the child import a function of the parent's, whose store's data is a
    /// `T`. As a gate it is called with the parent's rights, otherwise with those
    /// of the call.
    ///
    /// # Errors
    /// If the child could import that name already.
    pub(crate) fn offer<T: 'static>(
        &mut self,
        module: &str,
        name: &str,
        func: Func,
        ty: vm::FuncType,
        is_gate: bool,
    ) -> Result<(), Error> {
        let call = move |mut caller: Caller<'_, SandboxCtx>, args: &[Val], results: &mut [Val]| -> Result<(), Error> {
            let limit = (!is_gate).then(|| caller.permissions());
            let mut parent = caller.lender::<T>().ok_or_else(|| Error::host(NobodyRunsIt))?;
            let called = match &limit {
                Some(limit) => parent.limited(limit, |parent| func.call(parent, args, results)),
                None => func.call(parent, args, results),
            };
            called.map_err(|error| {
                caller.data_mut().parents_error = Some(error);
                Error::host(ParentFailed)
            })
        };
        Arc::make_mut(&mut self.linker).func_new(module, name, ty, call)?;
        Ok(())
    }

    /// Runs something in the child, for a guest of the store `parent` that is
    /// allowed `permissions`. The child's fuel comes out of the parent's.
    pub(crate) fn run<T: Send + 'static, R>(
        &mut self,
        parent: &mut StoreContextMut<'_, T>,
        permissions: Option<&Permissions>,
        f: impl FnOnce(StoreContextMut<'_, SandboxCtx>, &mut Option<Running>) -> Result<R, Error>,
    ) -> Ended<R> {
        let fuel = parent
            .get_fuel()
            .ok()
            .map(|left| left.min(self.fuel.unwrap_or(u64::MAX)));
        if let Some(fuel) = fuel
            && let Err(error) = self.store.set_fuel(fuel)
        {
            return Ended::Failed(error);
        }
        let running = &mut self.running;
        let result = parent.lend(&mut self.store, |mut child| match permissions {
            Some(permissions) => child.limited(permissions, |child| f(child, running)),
            None => f(child, running),
        });
        if let Some(given) = fuel {
            let used = given - self.store.get_fuel().unwrap_or(0);
            self.fuel = self.fuel.map(|fuel| fuel - used);
            let left = parent.get_fuel().unwrap_or(0);
            // The engine counts it, or there would have been none to give.
            let _counted = parent.set_fuel(left.saturating_sub(used));
        }
        if let Some(error) = self.store.data_mut().parents_error.take() {
            return Ended::ParentFailed(error);
        }
        match result {
            Ok(value) => Ended::Returned(value),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => {
                    self.exit = Some(*code);
                    Ended::Exited(*code)
                }
                None => Ended::Failed(error),
            },
        }
    }

    /// Instantiates the child, and lets it set itself up if it exports
    /// `_initialize`.
    pub(crate) fn start<T: Send + 'static>(
        &mut self,
        parent: &mut StoreContextMut<'_, T>,
        permissions: Option<&Permissions>,
    ) -> Ended<()> {
        let (linker, module) = (Arc::clone(&self.linker), self.module.clone());
        self.run(parent, permissions, move |mut store, running| {
            let instance = linker.instantiate(&mut store, &module)?;
            *running = Some(Running {
                instance,
                memory: instance.get_memory(&mut store, "memory"),
            });
            match instance.get_func(&mut store, "_initialize") {
                Some(initialize) => initialize.call(store.as_context_mut(), &[], &mut []),
                None => Ok(()),
            }
        })
    }
}
