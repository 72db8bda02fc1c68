//! What trampolines do: calls from a child into its parent, and from a parent into a
//! child, whether the child waits or is running already.

use std::marker::PhantomData;

use orcavm_wasi::Errno;
use vm::{AsContextMut, Caller, Error, Extern, Func, Permissions, Ref, StoreContextMut, Table, Trap, Val};

use crate::SandboxCtx;
use crate::child::{Ended, add_fuel, ended, take_fuel};
use crate::crossing::{Carried, Get, OfDomain, Own, Passage, Side, Values};
use crate::error::{CallError, CrossingError, Name, Problem};
use crate::module::TABLE;
use crate::pointers::{Home, Target, Whose, trampoline};
use crate::signature::Kind;

/// The calling instance's table of functions: its own, or that which it was linked
/// with.
pub(crate) fn table_of<T: 'static>(caller: &mut Caller<'_, T>) -> Option<Table> {
    let exported = caller.get_export(TABLE).and_then(Extern::into_table);
    exported.or_else(|| caller.imported_table(TABLE))
}

/// What the calling instance has.
pub(crate) fn home_of<T: 'static>(caller: &mut Caller<'_, T>) -> Home {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    Home {
        memory: memory.or_else(|| caller.imported_memory()),
        table: table_of(caller),
    }
}

/// Values that a function is to put its results in.
pub(crate) fn zeros(kinds: &[Kind]) -> Values<Val> {
    kinds
        .iter()
        .map(|kind| Val::from_bits(0, kind.ty()).unwrap_or(Val::I32(0)))
        .collect()
}

/// Whether a function is where it was when it was passed. If not, its module has put
/// another one there, or was unloaded.
fn check_place<X: 'static>(store: &StoreContextMut<'_, X>, target: &Target) -> Result<(), Error> {
    let Some((table, place)) = target.place else {
        return Ok(());
    };
    match table.get(store, place) {
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
pub(crate) fn into_parent<T: Send + 'static, G: Get<T>>(
    caller: &mut Caller<'_, SandboxCtx>,
    target: &Target,
    get: G,
    args: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let is_gate = target.whose == Whose::Parents { is_gate: true };
    let limit = (!is_gate).then(|| caller.permissions());
    let own = caller.get_fuel().ok();
    if caller.data().home.is_none() {
        let home = home_of(caller);
        caller.data_mut().home = Some(home);
    }
    let passage = Passage::<T, G> {
        signature: &target.signature,
        name: &target.name,
        home: target.home.unwrap_or_default(),
        domain: target.domain,
        owner: target.domain,
        child: caller.data().handle,
        get,
        data: PhantomData,
    };
    let is_plain = target.signature.is_plain;
    let carried = match is_plain {
        true => Values::new(),
        false => passage.leave_child(&mut caller.as_context_mut(), Side::Parameters, args)?,
    };
    let outer = std::mem::replace(&mut caller.data_mut().fuel_left, own.unwrap_or(0));
    let came = caller.in_lender::<T, _>(|mut parent| {
        // While the parent runs, what is left is the parent's.
        add_fuel(&mut parent, own.unwrap_or(0));
        check_place(&parent, target).map_err(Failure::Crossing)?;
        let call = |parent: &mut StoreContextMut<'_, T>, args: &[Val], results: &mut [Val]| {
            let called = match &limit {
                Some(limit) => parent.limited(limit, |parent| target.func.call(parent, args, results)),
                None => parent.gated(|parent| target.func.call(parent, args, results)),
            };
            called.map_err(Failure::Parents)
        };
        if is_plain {
            call(&mut parent, args, results)?;
            return Ok(Values::new());
        }
        let crossing = |error: CrossingError| Failure::Crossing(error.into());
        let values = passage.enter_parent(&mut parent, Side::Parameters, &carried);
        let mut given = zeros(&target.signature.results);
        call(&mut parent, &values.map_err(crossing)?, &mut given)?;
        let carried = passage.leave_parent(&mut parent, Side::Results, &given);
        carried.map_err(crossing)
    });
    let most = std::mem::replace(&mut caller.data_mut().fuel_left, outer);
    if own.is_some()
        && let Some(mut parent) = caller.lender::<T>()
        && let Some(left) = take_fuel(&mut parent, most)
    {
        caller.set_fuel(left)?;
    }
    match came.ok_or(CallError::NobodyRunsIt)? {
        Ok(_) if is_plain => Ok(()),
        Ok(carried) => {
            let values = passage.enter_child(&mut caller.as_context_mut(), Side::Results, &carried)?;
            results.copy_from_slice(&values);
            Ok(())
        }
        Err(Failure::Crossing(error)) => Err(error),
        Err(Failure::Parents(error)) => {
            caller.data_mut().parents_error = Some(error);
            Err(CallError::ParentFailed.into())
        }
    }
}

/// The trampoline that leads to a child's function from the store of its parent, in a
/// table or in none, and its place.
///
/// # Errors
/// If there can be no more.
pub(crate) fn to_child<T: Send + 'static>(
    parent: &mut StoreContextMut<'_, T>,
    get: impl Get<T>,
    table: Option<Table>,
    target: Target,
) -> Result<(Func, u64), Problem> {
    let domain = target.domain;
    let id = get(parent.data_mut(), domain).id;
    trampoline(parent, OfDomain(get, domain), table, target, |store, ty, at| {
        Func::new(store, ty, move |mut caller: Caller<'_, T>, args, results| {
            // An embedder may have put another one there by now.
            let ctx = Some(get(caller.data_mut(), domain)).filter(|ctx| ctx.id == id);
            let target = ctx.and_then(|ctx| ctx.pointers.target(at).cloned());
            into_child(&mut caller, &*target.ok_or(CallError::Gone)?, get, args, results)
        })
    })
}

/// The trampoline that leads to a parent's function from the store of its child, and
/// its place in a table.
///
/// # Errors
/// If there can be no more.
pub(crate) fn to_parent<T: Send + 'static>(
    child: &mut StoreContextMut<'_, SandboxCtx>,
    get: impl Get<T>,
    table: Option<Table>,
    target: Target,
) -> Result<(Func, u64), Problem> {
    trampoline(child, Own, table, target, |store, ty, at| {
        Func::new(store, ty, move |mut caller: Caller<'_, SandboxCtx>, args, results| {
            let target = caller.data().pointers.target(at).cloned();
            into_parent(&mut caller, &*target.ok_or(CallError::Gone)?, get, args, results)
        })
    })
}

/// Calls a function of a child's for its parent.
///
/// # Errors
/// What ends the parent.
pub(crate) fn into_child<T: Send + 'static, G: Get<T>>(
    caller: &mut Caller<'_, T>,
    target: &Target,
    get: G,
    args: &[Val],
    results: &mut [Val],
) -> Result<(), Error> {
    let Whose::Childs(handle) = target.whose else {
        return Err(CallError::Gone.into());
    };
    let home = match target.home {
        Some(home) => home,
        None if target.signature.is_plain => Home::default(),
        None => home_of(caller),
    };
    let passage = Passage::<T, G> {
        signature: &target.signature,
        name: &target.name,
        home,
        domain: target.domain,
        owner: target.domain.or_else(|| caller.domain().map(vm::Domain::id)),
        child: handle,
        get,
        data: PhantomData,
    };
    let is_plain = target.signature.is_plain;
    let ended = if is_plain {
        enter(caller, &passage, target, |mut child| {
            check_place(&child, target)?;
            target.func.call(&mut child, args, results)?;
            Ok(Values::new())
        })?
    } else {
        let carried = passage.leave_parent(&mut caller.as_context_mut(), Side::Parameters, args)?;
        enter(caller, &passage, target, |mut child| {
            let values = passage.enter_child(&mut child, Side::Parameters, &carried)?;
            check_place(&child, target)?;
            let mut given = zeros(&target.signature.results);
            target.func.call(&mut child, &values, &mut given)?;
            Ok(passage.leave_child(&mut child, Side::Results, &given)?)
        })?
    };
    let failure = match ended {
        Ended::Returned(_) if is_plain => return Ok(()),
        Ended::Returned(carried) => match passage.enter_parent(&mut caller.as_context_mut(), Side::Results, &carried) {
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
            get(caller.data_mut(), target.domain).note(failure.to_string());
            Ok(())
        }
        false => Err(failure.into()),
    }
}

/// Runs a function in the child, wherever that is.
fn enter<T: Send + 'static, G: Get<T>>(
    caller: &mut Caller<'_, T>,
    passage: &Passage<'_, T, G>,
    target: &Target,
    body: impl FnOnce(StoreContextMut<'_, SandboxCtx>) -> Result<Values<Carried>, Error>,
) -> Result<Ended<Values<Carried>>, Error> {
    let (get, domain, handle) = (passage.get, passage.domain, passage.child);
    let lone = caller.lone_domain().map(|(id, _)| id);
    let limit = |caller: &Caller<'_, T>, child: &vm::Domain| {
        // A lone domain that the child's comes from allows all that the child's does.
        let is_ancestor = lone.is_some_and(|id| child.comes_from(id));
        (!is_ancestor).then(|| caller.permissions())
    };
    match get(caller.data_mut(), domain).children.take(handle) {
        Ok(mut child) => {
            let permissions = limit(caller, &child.store.data().domain);
            let ended = child.run(&mut caller.as_context_mut(), permissions.as_ref(), body);
            get(caller.data_mut(), domain).children.put_back(handle, child);
            Ok(ended)
        }
        Err(Errno::Busy) => {
            let parent = get(caller.data_mut(), domain).id;
            let is = move |ctx: &SandboxCtx| ctx.is_child(parent, handle);
            let found = caller.as_context_mut().reenter(is, |child| child.data().domain.clone());
            let busy = || {
                let Name { function, module } = target.name.clone();
                CallError::Busy { function, module }
            };
            let permissions = limit(caller, &found.ok_or_else(busy)?);
            let ended = run_again(&mut caller.as_context_mut(), is, permissions.as_ref(), body);
            Ok(ended.ok_or_else(busy)?)
        }
        Err(_) => Err(CallError::Gone.into()),
    }
}

/// Runs something in a child that runs already and has called its parent, as
/// [`Child::run`](crate::child::Child::run) does in one that waits.
fn run_again<T: Send + 'static, R>(
    parent: &mut StoreContextMut<'_, T>,
    is: impl Fn(&SandboxCtx) -> bool + Copy,
    permissions: Option<&Permissions>,
    f: impl FnOnce(StoreContextMut<'_, SandboxCtx>) -> Result<R, Error>,
) -> Option<Ended<R>> {
    let most = parent.reenter(is, |child| child.data().fuel_left)?;
    let given = take_fuel(parent, most);
    let entered = parent.reenter(is, |mut child| {
        let set = given.map_or(Ok(()), |fuel| child.set_fuel(fuel));
        let result = set.and_then(|()| match permissions {
            Some(permissions) => child.limited(permissions, f),
            None => f(child.as_context_mut()),
        });
        let left = child.get_fuel().unwrap_or(0);
        let used = given.unwrap_or(0).saturating_sub(left);
        let ctx = child.data_mut();
        ctx.fuel_left = ctx.fuel_left.saturating_sub(used);
        (left, ended(ctx, result))
    });
    let (left, ended) = entered?;
    if given.is_some() {
        add_fuel(parent, left);
    }
    Some(ended)
}
