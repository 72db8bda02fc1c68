//! `orca_module`: loading modules, and running them as children.

use std::sync::Arc;

use orcavm_wasi::Errno;
use vm::{Access, AsContextMut, Domain, Engine, Error, Func, FuncType, Permissions, Val, ValType};

use crate::child::{Child, Ended, Found, Running};
use crate::crossing::{Side, Values};
use crate::error::{CrossingError, Name};
use crate::guest::{EXITED, Guest, Refusal, TRAPPED};
use crate::host::{AnyStore, of_child};
use crate::pointers::{Target, Whose};
use crate::region::access;
use crate::signature::{Signature, letter};
use crate::trampoline::{home_of, table_of, zeros};

/// The largest module, in bytes.
pub(crate) const LARGEST: u64 = 128 << 20;
/// The longest text that says permissions, in bytes.
const LONGEST_PERMISSIONS: u32 = 64 << 10;
/// Functions that a parent can find in one child.
const MOST_FUNCS: usize = 10_000;
/// The table whose functions a guest offers to its children, as toolchains name it.
pub(crate) const TABLE: &str = "__indirect_function_table";

/// What a guest is told that would use a child it has not started.
fn not_started() -> Refusal {
    Refusal::new(Errno::Inval, "the child is not started")
}

/// What a function takes and gives: what was said of it, or numbers.
///
/// # Errors
/// If that does not fit its type, or cannot be passed.
pub(crate) fn fitting(declared: Option<Signature>, ty: &FuncType, name: &Name) -> Result<Signature, CrossingError> {
    match declared {
        None => Signature::of(ty).map_err(|problem| name.problem(problem)),
        Some(declared) => {
            declared.check(ty).map_err(|problem| name.problem(problem))?;
            Ok(declared)
        }
    }
}

/// What is done with a child and the store of its parent, for a guest that is allowed so
/// much.
type WithChild<'a> = &'a mut dyn FnMut(&mut Child, &mut dyn AnyStore, Option<&Permissions>) -> Result<Ended, Refusal>;

/// A call of a child's function.
struct Call {
    func: Func,
    ty: FuncType,
    values: Values<Val>,
    /// What it takes and gives, if not only numbers.
    declared: Option<Arc<(Signature, Name)>>,
}

impl Guest<'_> {
    /// `load`: a handle of the module that these bytes are.
    pub(crate) fn module_load(&mut self, at: u32, len: u32) -> Result<i32, Refusal> {
        self.check(at, len, Access::Read)?;
        if u64::from(len) > LARGEST {
            return Err(Errno::Fbig.into());
        }
        let bytes = self.read(at, len)?;
        self.load(bytes)
    }

    /// `load_path`: a handle of the module in a file that the guest may read.
    pub(crate) fn module_load_path(&mut self, path: u32, len: u32) -> Result<i32, Refusal> {
        let path = self.name(path, len)?;
        let permissions = self.host.permissions();
        let domain = self.host.lone_domain();
        let ctx = self.ctx();
        ctx.wasi.permit(domain, &permissions);
        let read = ctx.wasi.read_file(&path, LARGEST);
        let bytes = read.map_err(|errno| Refusal::new(errno, format_args!("{path}: {}", errno.meaning())))?;
        self.load(bytes)
    }

    fn load(&mut self, bytes: Vec<u8>) -> Result<i32, Refusal> {
        let engine: Engine = self.host.engine().clone();
        let ctx = self.ctx();
        if !ctx.modules.has_room() {
            return Err(Errno::Nfile.into());
        }
        let share = ctx.reserve_module(bytes.len())?;
        // Not the text format: it is for people, and costs more than it says.
        let module = vm::Module::from_binary(&engine, &bytes)?;
        let ctx = self.ctx();
        Ok(ctx.modules.insert(share.of(module))?)
    }

    /// `unload`: gives up a handle. Children that run the module stay.
    pub(crate) fn module_unload(&mut self, module: i32) -> Result<i32, Refusal> {
        self.ctx().modules.remove(module)?;
        Ok(0)
    }

    /// `create`: a handle of a child that is not started yet, with what
    /// the permissions that the text says leave of the caller's.
    pub(crate) fn child_create(&mut self, module: i32, text: u32, len: u32) -> Result<i32, Refusal> {
        if len > LONGEST_PERMISSIONS {
            return Err(Errno::NameTooLong.into());
        }
        let text = String::from_utf8(self.read(text, len)?).map_err(|_| Refusal::from(Errno::Ilseq))?;
        let wanted: Permissions = text.parse().map_err(|error| Refusal::new(Errno::Inval, error))?;
        // What the chain may not, the child may not.
        let permissions = self.host.permissions().intersection(&wanted);
        let parent: Domain = match self.host.domain() {
            Some(domain) => domain.clone(),
            None => self.ctx().domain.clone(),
        };
        let ctx = self.ctx();
        let module = ctx.modules.get(module)?.clone();
        Ok(ctx.make_child(&parent, module, permissions)?)
    }

    /// `share`: lets a child open a region by a name.
    pub(crate) fn child_share(
        &mut self,
        child: i32,
        region: i32,
        name: u32,
        len: u32,
        mode: i32,
    ) -> Result<i32, Refusal> {
        let access = access(mode)?;
        let name = self.name(name, len)?;
        let ctx = self.ctx();
        let region = ctx.regions.get(region)?;
        if access > region.region.access() {
            return Err(Refusal::new(Errno::Acces, "the region may only be read"));
        }
        let region = region.narrowed(access);
        ctx.children.get(child)?.share(&name, region)?;
        Ok(0)
    }

    /// `offer`: lets a child that is not started import the function at `index` of
    /// the caller's table; as a gate, it runs with the caller's rights. It takes and
    /// gives numbers.
    #[expect(clippy::too_many_arguments, reason = "the interface's parameters")]
    pub(crate) fn child_offer(
        &mut self,
        child: i32,
        module: u32,
        module_len: u32,
        name: u32,
        name_len: u32,
        index: u32,
        is_gate: i32,
    ) -> Result<i32, Refusal> {
        self.child_offer_as(child, module, module_len, name, name_len, index, is_gate, 0, 0)
    }

    /// `offer_as`: the same for a function with a signature.
    #[expect(clippy::too_many_arguments, reason = "the interface's parameters")]
    pub(crate) fn child_offer_as(
        &mut self,
        child: i32,
        module: u32,
        module_len: u32,
        name: u32,
        name_len: u32,
        index: u32,
        is_gate: i32,
        signature: u32,
        signature_len: u32,
    ) -> Result<i32, Refusal> {
        let (module, name) = (self.name(module, module_len)?, self.name(name, name_len)?);
        let declared = self.signature(signature, signature_len)?;
        let table = table_of(self.host);
        let table =
            table.ok_or_else(|| Refusal::new(Errno::Inval, format_args!("the module exports no table {TABLE:?}")))?;
        let element = self.host.element(table, u64::from(index));
        let Some(vm::Ref::Func(Some(func))) = element else {
            return Err(Refusal::new(
                Errno::Inval,
                format_args!("element {index} of the table is no function"),
            ));
        };
        let owner = self.host.func_domain(func);
        let is_own = owner
            .zip(self.host.domain())
            .is_some_and(|(owner, own)| owner.is_same(own));
        if !is_own {
            return Err(Refusal::new(
                Errno::Perm,
                "only functions of its own domain can be offered by a guest",
            ));
        }
        // Rights are lent by who has them: not by one who was called by others
        // with fewer.
        if is_gate != 0 && self.host.lone_domain().is_none() {
            return Err(Refusal::new(
                Errno::Perm,
                "a gate can only be made by its owner, not on behalf of others",
            ));
        }
        let ty = self.host.func_type(func);
        let label = Name::new(&name, &module);
        let target = Target {
            whose: Whose::Parents { is_gate: is_gate != 0 },
            func,
            place: None,
            home: Some(home_of(self.host)),
            domain: self.host.domain().map(Domain::id),
            signature: Arc::new(fitting(declared, &ty, &label)?),
            name: label,
        };
        let lender = self.host.lender();
        let child = self.ctx().children.get(child)?;
        child.check_not_begun()?;
        child.keep_name(module.len() + name.len())?;
        child.keep(target.signature.weight)?;
        child.offer(&module, &name, target, lender)?;
        Ok(0)
    }

    /// Runs something in a child, which is away meanwhile.
    ///
    /// # Errors
    /// What ends the caller.
    fn in_child(&mut self, handle: i32, run: WithChild<'_>) -> Result<Result<(), Refusal>, Error> {
        let mut child = match self.ctx().children.take(handle) {
            Ok(child) => child,
            Err(errno) => return Ok(Err(errno.into())),
        };
        // A lone domain that the child's comes from allows all that the child's does.
        let lone = self.host.lone_domain();
        let is_ancestor = lone.is_some_and(|(id, _)| child.store.data().domain.comes_from(id));
        let permissions = (!is_ancestor).then(|| self.host.permissions());
        let ended = run(&mut child, self.host, permissions.as_ref());
        self.ctx().children.put_back(handle, child);
        Ok(match ended {
            Err(refusal) => Err(refusal),
            Ok(Ended::Returned) => Ok(()),
            Ok(Ended::Exited(code)) => Err(Refusal {
                code: EXITED,
                message: format!("the child exited with code {code}"),
            }),
            Ok(Ended::Failed(error)) => {
                let mut message = error.to_string();
                for frame in error
                    .backtrace()
                    .into_iter()
                    .flat_map(|backtrace| backtrace.frames())
                    .take(20)
                {
                    message += &format!("\n    {frame}");
                }
                let code = match error.backtrace() {
                    Some(_) => TRAPPED,
                    None => Refusal::from(error).code,
                };
                Err(Refusal { code, message })
            }
            Ok(Ended::ParentFailed(error)) => return Err(error),
        })
    }

    /// `start`: makes the child's instance.
    ///
    /// # Errors
    /// What ends the caller.
    pub(crate) fn child_start(&mut self, child: i32) -> Result<i32, Error> {
        let ended = self.in_child(child, &mut |child, parent, permissions| {
            child.check_not_begun()?;
            Ok(child.start(parent, permissions))
        })?;
        Ok(self.answer(ended.map(|()| 0)))
    }

    /// The instance of a child that was started.
    pub(crate) fn running(&mut self, child: i32) -> Result<(&mut Child, Running), Refusal> {
        let child = self.ctx().children.get(child)?;
        let running = child.running.ok_or_else(not_started)?;
        Ok((child, running))
    }

    /// `find`: a handle of a function that a child exports.
    pub(crate) fn child_find(&mut self, child: i32, name: u32, len: u32) -> Result<i32, Refusal> {
        let name = self.name(name, len)?;
        let (child, running) = self.running(child)?;
        let number = |at: usize| i32::try_from(at).map_err(|_| Refusal::from(Errno::Nfile));
        if let Some(at) = child.funcs.iter().position(|found| *found.name == *name) {
            return number(at);
        }
        let missing = || Refusal::new(Errno::Noent, format_args!("the child exports no function {name:?}"));
        let func = running.instance.get_func(&mut child.store, &name).ok_or_else(missing)?;
        if child.funcs.len() >= MOST_FUNCS {
            return Err(Errno::Nfile.into());
        }
        child.keep_name(name.len())?;
        child.funcs.push(Found {
            name: name.into(),
            func,
            declared: None,
            kept: 0,
        });
        number(child.funcs.len() - 1)
    }

    /// A function that was found in a child.
    pub(crate) fn found(&mut self, child: i32, func: i32) -> Result<(&mut Found, FuncType), Refusal> {
        let (child, _) = self.running(child)?;
        let found = usize::try_from(func)
            .ok()
            .and_then(|func| child.funcs.get_mut(func))
            .ok_or(Errno::Badf)?;
        let ty = found.func.ty(&child.store);
        Ok((found, ty))
    }

    /// `signature`: what a function takes and gives, as letters.
    pub(crate) fn child_signature(&mut self, child: i32, func: i32, at: u32, room: u32) -> Result<i32, Refusal> {
        let (_, ty) = self.found(child, func)?;
        let letters = |types: &mut dyn Iterator<Item = ValType>| -> String {
            types.map(|ty| letter(&ty).unwrap_or('?')).collect()
        };
        let text = format!("{}:{}", letters(&mut ty.params()), letters(&mut ty.results()));
        self.write_text(at, room, &text)
    }

    /// `call`: calls a function of a child's; parameters and results take 8 bytes
    /// each.
    ///
    /// # Errors
    /// What ends the caller.
    pub(crate) fn child_call(&mut self, child: i32, func: i32, args: u32, results: u32) -> Result<i32, Error> {
        let Call {
            func,
            ty,
            values,
            declared,
        } = match self.arguments(child, func, args, results) {
            Ok(call) => call,
            Err(refusal) => return Ok(self.answer(Err(refusal))),
        };
        let given = match declared {
            None => {
                let mut given: Values<Val> = ty.results().filter_map(|ty| Val::from_bits(0, &ty)).collect();
                let ended = self.in_child(child, &mut |child, parent, permissions| {
                    Ok(child.run(parent, permissions, &mut |store| func.call(store, &values, &mut given)))
                })?;
                ended.map(|()| given)
            }
            Some(declared) => self.call_as(child, func, &declared, &values)?,
        };
        let written = given.and_then(|given| {
            let bits = given.iter().filter_map(Val::to_bits);
            let bytes: Vec<u8> = bits.flat_map(u64::to_le_bytes).collect();
            self.write(results, &bytes)?;
            Ok(0)
        });
        Ok(self.answer(written))
    }

    /// Calls a function of a child's that takes or gives more than numbers.
    fn call_as(
        &mut self,
        child: i32,
        func: Func,
        declared: &(Signature, Name),
        values: &[Val],
    ) -> Result<Result<Values<Val>, Refusal>, Error> {
        let (signature, name) = declared;
        let passage = self.passage(child, signature, name);
        let carried = passage.leave_parent(self.host, Side::Parameters, values);
        let carried = match carried {
            Ok(carried) => carried,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut came = Values::new();
        let ended = self.in_child(child, &mut |child, parent, permissions| {
            // What cannot be passed keeps it from running at all.
            let mut store = child.store.as_context_mut();
            let values = passage.enter_child(&mut of_child(&mut store), Side::Parameters, &carried)?;
            let mut given = zeros(&signature.results);
            let ended = child.run(parent, permissions, &mut |store| func.call(store, &values, &mut given));
            if let Ended::Returned = ended {
                let mut store = child.store.as_context_mut();
                came = passage.leave_child(&mut of_child(&mut store), Side::Results, &given)?;
            }
            Ok(ended)
        })?;
        Ok(ended.and_then(|()| Ok(passage.enter_parent(self.host, Side::Results, &came)?)))
    }

    /// What a call needs, and room for what it gives.
    fn arguments(&mut self, child: i32, func: i32, args: u32, results: u32) -> Result<Call, Refusal> {
        let (found, ty) = self.found(child, func)?;
        let (func, declared) = (found.func, found.declared.clone());
        if declared.is_none() && !ty.params().chain(ty.results()).all(|ty| letter(&ty).is_some()) {
            let name = Name::new(&found.name.clone(), &self.module_name(child)?);
            fitting(None, &ty, &name)?;
        }
        let count = |n: usize| u32::try_from(n * 8).map_err(|_| Refusal::from(Errno::Inval));
        let bytes = self.read(args, count(ty.params().len())?)?;
        let numbers = bytes
            .chunks_exact(8)
            .map(|bytes| bytes.try_into().map_or(0, u64::from_le_bytes));
        let values = ty
            .params()
            .zip(numbers)
            .filter_map(|(ty, bits)| Val::from_bits(bits, &ty))
            .collect();
        // Before the call, whose results would be lost.
        self.check(results, count(ty.results().len())?, Access::ReadWrite)?;
        Ok(Call {
            func,
            ty,
            values,
            declared,
        })
    }

    /// `exit_code`: how a child exited.
    pub(crate) fn child_exit_code(&mut self, child: i32) -> Result<i32, Refusal> {
        let exit = self.ctx().children.get(child)?.store.data().exit;
        exit.map(|code| code & 0xff)
            .ok_or_else(|| Refusal::new(Errno::Inval, "the child has not exited"))
    }

    /// The memory of a child that was started.
    fn memory_of(&mut self, child: i32) -> Result<(&mut Child, vm::Memory), Refusal> {
        let (child, _) = self.running(child)?;
        let missing = "the child does not export its memory as \"memory\"";
        let memory = child.store.data().home.and_then(|home| home.memory);
        let memory = memory.ok_or_else(|| Refusal::new(Errno::Fault, missing))?;
        Ok((child, memory))
    }

    /// `read`: copies bytes out of a child's memory.
    pub(crate) fn child_read(&mut self, child: i32, from: u32, to: u32, len: u32) -> Result<i32, Refusal> {
        self.check(to, len, Access::ReadWrite)?;
        let (owner, memory) = self.memory_of(child)?;
        let is_there = memory.check(&owner.store, from as usize, len as usize, Access::Read);
        is_there.map_err(|_| Refusal::from(Errno::Fault))?;
        self.copy(from, to, len, |guest, from, to, part| {
            let (child, memory) = guest.memory_of(child)?;
            memory
                .read(&child.store, from as usize, part)
                .map_err(|_| Refusal::from(Errno::Fault))?;
            guest.write(to, part)
        })
    }

    /// `write`: copies bytes into a child's memory.
    pub(crate) fn child_write(&mut self, child: i32, to: u32, from: u32, len: u32) -> Result<i32, Refusal> {
        let own = self.check(from, len, Access::Read)?;
        let (owner, memory) = self.memory_of(child)?;
        let is_there = memory.check(&owner.store, to as usize, len as usize, Access::ReadWrite);
        is_there.map_err(|_| Refusal::from(Errno::Fault))?;
        self.copy(from, to, len, |guest, from, to, part| {
            guest
                .host
                .read(own, from as usize, part)
                .map_err(|_| Refusal::from(Errno::Fault))?;
            let (child, memory) = guest.memory_of(child)?;
            memory
                .write(&mut child.store, to as usize, part)
                .map_err(|_| Errno::Fault.into())
        })
    }

    /// Moves bytes, all of which are there, a part at a time.
    fn copy(
        &mut self,
        from: u32,
        to: u32,
        len: u32,
        mut step: impl FnMut(&mut Self, u32, u32, &mut [u8]) -> Result<(), Refusal>,
    ) -> Result<i32, Refusal> {
        let mut buffer = vec![0; len.min(64 << 10) as usize];
        let mut done = 0;
        while done < len {
            let count = (len - done).min(64 << 10);
            let part = buffer.get_mut(..count as usize).unwrap_or_default();
            step(self, from + done, to + done, part)?;
            done += count;
        }
        Ok(0)
    }

    /// `permissions`: what a child may do, as text.
    pub(crate) fn child_permissions(&mut self, child: i32, at: u32, room: u32) -> Result<i32, Refusal> {
        let text = self
            .ctx()
            .children
            .get(child)?
            .store
            .data()
            .domain
            .permissions()
            .to_string();
        self.write_text(at, room, &text)
    }

    /// `own_permissions`: what the caller may do, as text.
    pub(crate) fn own_permissions(&mut self, at: u32, room: u32) -> Result<i32, Refusal> {
        let text = self.host.permissions().to_string();
        self.write_text(at, room, &text)
    }

    /// `give_up`: gives up capabilities of the caller's domain for good.
    pub(crate) fn give_up(&mut self, text: u32, len: u32) -> Result<i32, Refusal> {
        let text = self.name(text, len)?;
        let capabilities = text.parse::<vm::Capabilities>();
        let capabilities = capabilities.map_err(|error| Refusal::new(Errno::Inval, error))?;
        let domain = self.host.domain().ok_or(Errno::Inval)?.clone();
        self.host.drop_capabilities(&domain, capabilities)?;
        Ok(0)
    }

    /// `drop`: ends a child; its memory, mappings and handles are given back.
    pub(crate) fn child_drop(&mut self, child: i32) -> Result<i32, Refusal> {
        self.ctx().drop_child(child)?;
        Ok(0)
    }

    /// `error`: what went wrong last.
    pub(crate) fn last_error(&mut self, at: u32, room: u32) -> Result<i32, Refusal> {
        let text = self.ctx().error.clone();
        self.write_text(at, room, &text)
    }
}
