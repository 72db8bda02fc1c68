//! Children of the embedder's making: [`Opened`], for `dlopen` with a sandbox.

use std::sync::Arc;

use orcavm_wasi::{BuildError, Errno};
use vm::{
    Access, AsContextMut, Caller, Capability, Domain, DomainId, Error, ExternType, Func, FuncType, Memory, Module,
    Permissions,
};

use crate::SandboxCtx;
use crate::access::{Lent, reach};
use crate::child::{Child, Ended};
use crate::error::{CrossingError, Name};
use crate::guest::{EXITED, Refusal};
use crate::host::{AnyStore, Host, HostOf};
use crate::module::{LARGEST, fitting};
use crate::pointers::{Home, Target, Whose};
use crate::signature::Signature;
use crate::trampoline::to_child;

/// Why a module could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A permission is missing.
    #[error("to open modules needs the permission `{capability}`")]
    NotAllowed {
        /// The permission.
        capability: Capability,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    Read {
        /// The path.
        path: Box<str>,
        /// Why.
        reason: &'static str,
    },
    /// There is no room for one more.
    #[error("the program and its children have as many of these as they may have together")]
    Full,
    /// Children of children go so deep only.
    #[error("children of children cannot go that deep")]
    TooDeep,
    /// It cannot have the state that it is allowed.
    #[error(transparent)]
    State(#[from] BuildError),
    /// It is no module, or cannot be instantiated, or failed while it was.
    #[error(transparent)]
    Failed(#[from] Error),
    /// It ended while it was started.
    #[error("the module ended with code {0} while it was started")]
    Exited(i32),
    /// It is in use.
    #[error("the module is in use")]
    Busy,
    /// It was closed.
    #[error("the module is closed")]
    Closed,
    /// It exports no such function.
    #[error("the module exports no function {name:?}")]
    NoFunction {
        /// The name.
        name: Box<str>,
    },
    /// What the function takes or gives cannot be passed.
    #[error(transparent)]
    Crossing(#[from] CrossingError),
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::Busy => Self::Busy,
            Errno::Mlink => Self::TooDeep,
            Errno::Badf => Self::Closed,
            _ => Self::Full,
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let errno = match error {
            OpenError::Failed(error) => return error.into(),
            OpenError::Full => return Errno::Nfile.into(),
            OpenError::TooDeep => return Errno::Mlink.into(),
            OpenError::State(BuildError::TooManyDescriptors { .. }) => Errno::Nfile,
            OpenError::State(_) | OpenError::NoFunction { .. } => Errno::Noent,
            OpenError::NotAllowed { .. } => Errno::NotCapable,
            OpenError::Read { .. } => Errno::Noent,
            OpenError::Busy => Errno::Busy,
            OpenError::Closed => Errno::Badf,
            OpenError::Crossing(error) => return error.into(),
            OpenError::Exited(_) => {
                return Self {
                    code: EXITED,
                    message: error.to_string(),
                };
            }
        };
        Self::new(errno, error)
    }
}

/// A module that the embedder runs as a guest's child, as the guest does by
/// `orca_module`: with a store, a memory and a table of its own, and with permissions
/// that are part of the guest's.
///
/// Its functions are functions of the guest's store: to link with, to call, or to put
/// in a table. So `dlopen` with `RTLD_SANDBOX` and `dlsym` can be made of it. By
/// [`Opened::handle`] the guest itself can use it with `orca_module` and `orca_access`,
/// and end it with `orca_module.drop`.
///
/// ```
/// use orcavm_sandbox::{Opened, SandboxCtx};
/// use orcavm_wasi::WasiCtxBuilder;
/// use vm::{Domain, DomainId, Engine, Instance, Module, Permissions, Store};
///
/// // Where a store's data has what a domain has; here it is the same.
/// fn get(ctx: &mut SandboxCtx, _: Option<DomainId>) -> &mut SandboxCtx {
///     ctx
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let domain = Domain::new("app", Permissions::all());
/// let ctx = SandboxCtx::new(&engine, domain.clone(), WasiCtxBuilder::new().build()?)?;
/// let mut store = Store::new(&engine, ctx);
/// store.set_domain(domain)?;
///
/// // A library that has a function call another one.
/// let library = wat::parse_str(r#"(module
///     (memory (export "memory") 1)
///     (table (export "__indirect_function_table") 1 funcref)
///     (type $f (func (param i32) (result i32)))
///     (func (export "twice") (param $f i32) (param $x i32) (result i32)
///         (call_indirect (type $f)
///             (call_indirect (type $f) (local.get $x) (local.get $f)) (local.get $f))))"#)?;
/// let opened = Opened::open(&mut store, get, None, &library, &Permissions::none())?;
/// let signature = "*(i:i)i:i".parse()?;
/// let twice = opened.function(&mut store, get, "twice", Some(&signature), None)?;
///
/// // A program that links with it, and passes its own function.
/// let program = Module::new(&engine, r#"(module
///     (import "library" "twice" (func $twice (param i32 i32) (result i32)))
///     (memory (export "memory") 1)
///     (table (export "__indirect_function_table") 2 funcref)
///     (elem (i32.const 1) $square)
///     (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
///     (func (export "run") (result i32) (call $twice (i32.const 1) (i32.const 3))))"#)?;
/// let program = Instance::new(&mut store, &program, &[twice.into()])?;
/// let run = program.get_typed_func::<(), i32>(&mut store, "run")?;
/// assert_eq!(run.call(&mut store, ())?, 81);
/// opened.close(&mut store, get)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Opened {
    handle: i32,
    domain: Option<DomainId>,
}

impl Opened {
    /// Loads a module and starts it. It is the child of the guest that `get` finds with
    /// `domain`, and may do what `permissions` say, of what that guest may.
    ///
    /// Who opens it on behalf of a guest asks first whether that may `load` and
    /// `instantiate`, and gives no more than [`Caller::permissions`].
    ///
    /// # Errors
    /// If there is no room for it, it is no module, its imports are missing, or it
    /// fails while it is started. Nothing is left of it then.
    pub fn open<T: Send + 'static>(
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static,
        domain: Option<DomainId>,
        bytes: &[u8],
        permissions: &Permissions,
    ) -> Result<Self, OpenError> {
        let store = store.as_context_mut();
        let module = Module::from_binary(store.engine(), bytes)?;
        Self::open_module(store, get, domain, &module, permissions)
    }

    /// Starts a module that is loaded, of the store's engine; else as [`Opened::open`].
    ///
    /// # Errors
    /// As for [`Opened::open`].
    pub fn open_module<T: Send + 'static>(
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static,
        domain: Option<DomainId>,
        module: &Module,
        permissions: &Permissions,
    ) -> Result<Self, OpenError> {
        let store = &mut store.as_context_mut();
        Self::open_in(&mut HostOf { store, get, domain }, domain, module, permissions)
    }

    fn open_in(
        store: &mut dyn AnyStore,
        domain: Option<DomainId>,
        module: &Module,
        permissions: &Permissions,
    ) -> Result<Self, OpenError> {
        let share = store.ctx().reserve_module(module.binary().len())?;
        let module = share.of(module.clone());
        let ctx = store.ctx();
        let parent = ctx.domain.clone();
        let permissions = parent.permissions().intersection(permissions);
        let handle = ctx.make_child(&parent, module, permissions)?;
        let mut child = store.ctx().children.take(handle)?;
        let ended = child.start(store, None);
        store.ctx().children.put_back(handle, child);
        let failure = match ended {
            Ended::Returned => return Ok(Self { handle, domain }),
            Ended::Exited(code) => OpenError::Exited(code),
            Ended::Failed(error) | Ended::ParentFailed(error) => OpenError::Failed(error),
        };
        store.ctx().drop_child(handle)?;
        Err(failure)
    }

    /// Opens the module in a file that the calling guest may read, as its child, which
    /// may do what `permissions` say, of what the call may.
    ///
    /// # Errors
    /// If the call may not `load` or `instantiate`, the file cannot be read, and as for
    /// [`Opened::open`].
    pub fn open_path<T: Send + 'static>(
        caller: &mut Caller<'_, T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static,
        path: &str,
        permissions: &Permissions,
    ) -> Result<Self, OpenError> {
        Self::open_path_in(&mut HostOf::calling(caller, get), path, permissions)
    }

    fn open_path_in(host: &mut dyn Host, path: &str, permissions: &Permissions) -> Result<Self, OpenError> {
        for capability in [Capability::LoadModules, Capability::Instantiate] {
            if !host.allows(capability) {
                return Err(OpenError::NotAllowed { capability });
            }
        }
        let chain = host.permissions();
        let lone = host.lone_domain();
        let domain = host.domain().map(Domain::id);
        let wasi = &mut host.ctx().wasi;
        wasi.permit(lone, &chain);
        let bytes = wasi.read_file(path, LARGEST).map_err(|errno| OpenError::Read {
            path: path.into(),
            reason: errno.meaning(),
        })?;
        let module = Module::from_binary(host.engine(), &bytes)?;
        Self::open_in(host, domain, &module, &chain.intersection(permissions))
    }

    /// Lets it access bytes of a memory of the guest's, from `start` on, by
    /// `orca_access`.
    ///
    /// # Errors
    /// If they are not all there, too many pieces are lent, it is closed, or runs.
    pub fn lend<T: Send + 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx,
        memory: Memory,
        start: u32,
        len: u32,
        access: Access,
    ) -> Result<(), OpenError> {
        let mut store = store.as_context_mut();
        memory
            .check(&store, start as usize, len as usize, access)
            .map_err(Error::from)?;
        let child = get(store.data_mut(), self.domain).children.get(self.handle)?;
        let lent = Lent {
            memory,
            start,
            len,
            access,
            reach: reach::<T>,
        };
        Ok(child.store.data_mut().add_lent(lent)?)
    }

    /// The handle by which the guest uses it in `orca_module` and `orca_access`.
    pub fn handle(&self) -> i32 {
        self.handle
    }

    /// Its domain: what it may do.
    ///
    /// # Errors
    /// If it is closed, or runs.
    pub fn domain<T: 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx,
    ) -> Result<Domain, OpenError> {
        let mut store = store.as_context_mut();
        let child = get(store.data_mut(), self.domain).children.get(self.handle)?;
        Ok(child.store.data().domain.clone())
    }

    /// The functions that it exports, and their types.
    ///
    /// # Errors
    /// If it is closed, or runs.
    pub fn functions<T: 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx,
    ) -> Result<Vec<(Box<str>, FuncType)>, OpenError> {
        let mut store = store.as_context_mut();
        let child = get(store.data_mut(), self.domain).children.get(self.handle)?;
        Ok(Self::functions_of(child))
    }

    fn functions_of(child: &Child) -> Vec<(Box<str>, FuncType)> {
        let exports = child.module.module.exports();
        let function = |export: vm::ExportType<'_>| match export.ty() {
            ExternType::Func(ty) => Some((export.name().into(), ty)),
            _ => None,
        };
        exports.filter_map(function).collect()
    }

    /// A function that it exports, as one of the guest's store. It gives the same one
    /// each time, until the module is closed; calls of it end with
    /// [`CallError::Gone`](crate::CallError::Gone) then.
    ///
    /// Without a signature it takes and gives numbers. With one, function pointers are
    /// places in the table of `home`, and addresses are of its memory; without a home,
    /// what the calling instance exports.
    ///
    /// A call fails if the module's function does: the error is a [`CallError`](crate::CallError), unless
    /// the [signature](Signature) says that it gives zeros.
    ///
    /// # Errors
    /// If it is closed, runs or exports no such function, if that is not one with this
    /// signature, or takes or gives something that cannot be passed.
    pub fn function<T: Send + 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx + Copy + Send + Sync + 'static,
        name: &str,
        signature: Option<&Signature>,
        home: Option<Home>,
    ) -> Result<Func, OpenError> {
        let domain = self.domain;
        let store = &mut store.as_context_mut();
        self.function_in(&mut HostOf { store, get, domain }, name, signature, home)
    }

    fn function_in(
        &self,
        store: &mut dyn AnyStore,
        name: &str,
        signature: Option<&Signature>,
        home: Option<Home>,
    ) -> Result<Func, OpenError> {
        let child = store.ctx().children.get(self.handle)?;
        let missing = || OpenError::NoFunction { name: name.into() };
        let running = child.running.ok_or_else(missing)?;
        let func = running.instance.get_func(&mut child.store, name).ok_or_else(missing)?;
        let label = Name::new(name, child.store.data().domain.name());
        let signature = fitting(signature.cloned(), &func.ty(&child.store), &label)?;
        let target = Target {
            whose: Whose::Childs(self.handle),
            func,
            place: None,
            home,
            domain: self.domain,
            signature: Arc::new(signature),
            name: label.clone(),
        };
        let made = to_child(store, None, target);
        let (func, _) = made.map_err(|problem| label.pointer_problem(problem))?;
        Ok(func)
    }

    /// Ends it: its memory, mappings and handles are given back. Calls of its functions
    /// fail from now on.
    ///
    /// # Errors
    /// If it runs, or is closed already.
    pub fn close<T: 'static>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        get: impl Fn(&mut T, Option<DomainId>) -> &mut SandboxCtx,
    ) -> Result<(), OpenError> {
        let mut store = store.as_context_mut();
        Ok(get(store.data_mut(), self.domain).drop_child(self.handle)?)
    }
}
