//! What trampolines do: calls from a child into its parent, and from a parent into a
//! child, whether the child waits or is running already.

use orcavm_wasi::Errno;
use vm::{AsContextMut, Error, Extern, Func, Memory, Permissions, Ref, Table, Trap, Val};

use crate::SandboxCtx;
use crate::child::{Ended, Run, add_fuel, ended, take_fuel};
use crate::crossing::{Passage, Side, Values};
use crate::error::{CallError, CrossingError, Name, Problem};
use crate::host::{AnyStore, Host, Lender, of_child};
use crate::module::TABLE;
use crate::pointers::{Home, Target, Whose, trampoline};
use crate::signature::Kind;

/// The calling instance's memory: its own, or that which it was linked with.
pub(crate) fn memory_of(host: &mut dyn Host) -> Option<Memory> {
    let exported = host.export("memory").and_then(Extern::into_memory);
    exported.or_else(|| host.imported_memory())
}

/// The calling instance's table of functions, likewise.
pub(crate) fn table_of(host: &mut dyn Host) -> Option<Table> {
    let exported = host.export(TABLE).and_then(Extern::into_table);
    exported.or_else(|| host.imported_table(TABLE))
}

/// What the calling instance has.
pub(crate) fn home_of(host: &mut dyn Host) -> Home {
    Home {
        memory: memory_of(host),
        table: table_of(host),
    }
}

/// Values that a function is to put its results in.
pub(crate) fn zeros(kinds: &[Kind]) -> Values<Val> {
    kinds
        .iter()
        .map(|kind| Val::from_bits(0, &kind.ty()).unwrap_or(Val::I32(0)))
        .collect()
}

/// Whether a function is where it was when it was passed. If not, its module has put
/// another one there, or was unloaded.
fn check_place(store: &dyn AnyStore, target: &Target) -> Result<(), Error> {
    let Some((table, place)) = target.place else {
        return Ok(());
    };
    match store.element(table, place) {
        Some(Ref::Func(Some(found))) if found == target.func => Ok(()),
        _ => {
            let Name { function, module } = target.name.clone();
            Err(CallError::Moved { function, module }.into())
        }
    }
}

/// Why a call into a parent has not come back.
enum Failure {
    /// What it takes or gives cannot cross.
    Crossing(Error),
    Parents(Error),
}

/// Calls a function of the parent's for a child.
///
/// # Errors
/// What ends the child.
pub(crate) fn into_parent(
    child: &mut dyn Host,
    target: &Target,
    lender: &dyn Lender,
    args: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let is_gate = target.whose == Whose::Parents { is_gate: true };
    let limit = (!is_gate).then(|| child.permissions());
    let own = child.fuel();
    if child.ctx().home.is_none() {
        let home = home_of(child);
        child.ctx().home = Some(home);
    }
    let passage = Passage {
        signature: &target.signature,
        name: &target.name,
        home: target.home.unwrap_or_default(),
        domain: target.domain,
        owner: target.domain,
        child: child.ctx().handle,
        lender: lender.boxed(),
    };
    let is_plain = target.signature.is_plain;
    let carried = match is_plain {
        true => Values::new(),
        false => passage.leave_child(child, Side::Parameters, args)?,
    };
    let outer = std::mem::replace(&mut child.ctx().fuel_left, own.unwrap_or(0));
    let mut call = |parent: &mut dyn AnyStore| {
        // While the parent runs, what is left is the parent's.
        add_fuel(parent, own.unwrap_or(0));
        check_place(parent, target).map_err(Failure::Crossing)?;
        if is_plain {
            let called = parent.call(target.func, limit.as_ref(), args, results);
            called.map_err(Failure::Parents)?;
            return Ok(Values::new());
        }
        let crossing = |error: CrossingError| Failure::Crossing(error.into());
        let values = passage.enter_parent(parent, Side::Parameters, &carried);
        let mut given = zeros(&target.signature.results);
        let called = parent.call(target.func, limit.as_ref(), &values.map_err(crossing)?, &mut given);
        called.map_err(Failure::Parents)?;
        let carried = passage.leave_parent(parent, Side::Results, &given);
        carried.map_err(crossing)
    };
    let mut came = None;
    lender.run(child, target.domain, &mut |parent| came = Some(call(parent)));
    let most = std::mem::replace(&mut child.ctx().fuel_left, outer);
    if own.is_some() {
        let mut left = None;
        lender.with(child, target.domain, &mut |parent| left = take_fuel(parent, most));
        if let Some(left) = left {
            child.set_fuel(left)?;
        }
    }
    match came.ok_or(CallError::NobodyRunsIt)? {
        Ok(_) if is_plain => Ok(()),
        Ok(carried) => {
            let values = passage.enter_child(child, Side::Results, &carried)?;
            results.copy_from_slice(&values);
            Ok(())
        }
        Err(Failure::Crossing(error)) => Err(error),
        Err(Failure::Parents(error)) => {
            child.ctx().parents_error = Some(error);
            Err(CallError::ParentFailed.into())
        }
    }
}

/// What a trampoline calls: what the one with this number leads to.
pub(crate) enum Lead {
    /// A function of a child's, for the guest that was this one when it was made.
    ToChild { guest: u64, at: usize },
    /// A function of the parent's.
    ToParent { lender: Box<dyn Lender>, at: usize },
}

impl Lead {
    /// Calls it for a guest.
    ///
    /// # Errors
    /// What ends the guest.
    pub(crate) fn call(&self, host: &mut dyn Host, args: &[Val], results: &mut [Val]) -> Result<(), Error> {
        let target = |ctx: &SandboxCtx, at: usize| ctx.pointers.target(at).cloned();
        match self {
            // An embedder may have put another one there by now.
            Self::ToChild { guest, .. } if host.ctx().id != *guest => Err(CallError::Gone.into()),
            Self::ToChild { at, .. } => {
                let target = target(host.ctx(), *at).ok_or(CallError::Gone)?;
                into_child(host, &target, args, results)
            }
            Self::ToParent { lender, at } => {
                let target = target(host.ctx(), *at).ok_or(CallError::Gone)?;
                into_parent(host, &target, &**lender, args, results)
            }
        }
    }
}

/// The trampoline that leads to a child's function from the store of its parent, in a
/// table or in none, and its place.
///
/// # Errors
/// If there can be no more.
pub(crate) fn to_child(
    parent: &mut dyn AnyStore,
    table: Option<Table>,
    target: Target,
) -> Result<(Func, u64), Problem> {
    let guest = parent.ctx().id;
    trampoline(parent, table, target, |at| Lead::ToChild { guest, at })
}

/// The trampoline that leads to a parent's function from the store of its child, and
/// its place in a table.
///
/// # Errors
/// If there can be no more.
pub(crate) fn to_parent(
    child: &mut dyn AnyStore,
    lender: &dyn Lender,
    table: Option<Table>,
    target: Target,
) -> Result<(Func, u64), Problem> {
    trampoline(child, table, target, |at| Lead::ToParent {
        lender: lender.boxed(),
        at,
    })
}

/// Calls a function of a child's for its parent.
///
/// # Errors
/// What ends the parent.
pub(crate) fn into_child(host: &mut dyn Host, target: &Target, args: &[Val], results: &mut [Val]) -> Result<(), Error> {
    let Whose::Childs(handle) = target.whose else {
        return Err(CallError::Gone.into());
    };
    let home = match target.home {
        Some(home) => home,
        None if target.signature.is_plain => Home::default(),
        None => home_of(host),
    };
    let passage = Passage {
        signature: &target.signature,
        name: &target.name,
        home,
        domain: target.domain,
        owner: target.domain.or_else(|| host.domain().map(vm::Domain::id)),
        child: handle,
        lender: host.lender(),
    };
    let is_plain = target.signature.is_plain;
    let mut came = Values::new();
    let ended = if is_plain {
        enter(host, handle, target, &mut |mut child| {
            check_place(&of_child(&mut child), target)?;
            target.func.call(&mut child, args, results)
        })?
    } else {
        let carried = passage.leave_parent(host, Side::Parameters, args)?;
        enter(host, handle, target, &mut |mut child| {
            let values = passage.enter_child(&mut of_child(&mut child), Side::Parameters, &carried)?;
            check_place(&of_child(&mut child), target)?;
            let mut given = zeros(&target.signature.results);
            target.func.call(&mut child, &values, &mut given)?;
            came = passage.leave_child(&mut of_child(&mut child), Side::Results, &given)?;
            Ok(())
        })?
    };
    let failure = match ended {
        Ended::Returned if is_plain => return Ok(()),
        Ended::Returned => match passage.enter_parent(host, Side::Results, &came) {
            Ok(values) => {
                results.copy_from_slice(&values);
                return Ok(());
            }
            Err(error) => CallError::Crossing(error),
        },
        Ended::ParentFailed(error) => return Err(error),
        Ended::Exited(code) => {
            let Name { function, module } = target.name.clone();
            CallError::Exited { function, module, code }
        }
        // That reaches all who run.
        Ended::Failed(error) if error.trap() == Some(Trap::Interrupt) => return Err(Trap::Interrupt.into()),
        Ended::Failed(error) => {
            let Name { function, module } = target.name.clone();
            CallError::Failed {
                function,
                module,
                error,
            }
        }
    };
    match target.signature.is_lenient {
        true => {
            results.copy_from_slice(&zeros(&target.signature.results));
            host.ctx().note(failure.to_string());
            Ok(())
        }
        false => Err(failure.into()),
    }
}

/// Runs something in the child that a target is of, wherever that is.
fn enter(host: &mut dyn Host, handle: i32, target: &Target, body: Run<'_>) -> Result<Ended, Error> {
    let lone = host.lone_domain().map(|(id, _)| id);
    let limit = |host: &dyn Host, child: &vm::Domain| {
        // A lone domain that the child's comes from allows all that the child's does.
        let is_ancestor = lone.is_some_and(|id| child.comes_from(id));
        (!is_ancestor).then(|| host.permissions())
    };
    match host.ctx().children.take(handle) {
        Ok(mut child) => {
            let permissions = limit(host, &child.store.data().domain);
            let ended = child.run(host, permissions.as_ref(), body);
            host.ctx().children.put_back(handle, child);
            Ok(ended)
        }
        Err(Errno::Busy) => {
            let parent = host.ctx().id;
            let is = move |ctx: &SandboxCtx| ctx.is_child(parent, handle);
            let mut found = None;
            host.reenter(&is, &mut |child| found = Some(child.data().domain.clone()));
            let busy = || {
                let Name { function, module } = target.name.clone();
                CallError::Busy { function, module }
            };
            let permissions = limit(host, &found.ok_or_else(busy)?);
            let ended = run_again(host, &is, permissions.as_ref(), body);
            Ok(ended.ok_or_else(busy)?)
        }
        Err(_) => Err(CallError::Gone.into()),
    }
}

/// Runs something in a child that runs already and has called its parent, as
/// [`Child::run`](crate::child::Child::run) does in one that waits.
fn run_again(
    parent: &mut dyn AnyStore,
    is: &dyn Fn(&SandboxCtx) -> bool,
    permissions: Option<&Permissions>,
    f: Run<'_>,
) -> Option<Ended> {
    let mut most = None;
    parent.reenter(is, &mut |child| most = Some(child.data().fuel_left));
    let given = take_fuel(parent, most?);
    let mut entered = None;
    parent.reenter(is, &mut |mut child| {
        let set = given.map_or(Ok(()), |fuel| child.set_fuel(fuel));
        let result = set.and_then(|()| match permissions {
            Some(permissions) => child.limited(permissions, &mut *f),
            None => f(child.as_context_mut()),
        });
        let left = child.get_fuel().unwrap_or(0);
        let used = given.unwrap_or(0).saturating_sub(left);
        let ctx = child.data_mut();
        ctx.fuel_left = ctx.fuel_left.saturating_sub(used);
        entered = Some((left, ended(ctx, result)));
    });
    let (left, ended) = entered?;
    if given.is_some() {
        add_fuel(parent, left);
    }
    Some(ended)
}
