//! The functions of `dlfcn.h` and `link.h` for guests: `env.dlopen` and its like, and
//! what sees to the destructors of libraries that can be unloaded.
//!
//! A call that fails gives 0, or -1 where 0 is success, and leaves a sentence for
//! `dlerror`. The guest ends only where it does not go on itself: when what it called
//! exits, is interrupted or runs out of fuel.

use tracing::debug;
use vm::{
    AsContextMut, Caller, Engine, Error, Func, FuncType, Instance, Linker, Permissions, Ref, StoreContextMut, Trap,
    Val, ValType,
};

use crate::bind::address;
use crate::find::shown;
use crate::guest::{ERROR_BYTES, read_string};
use crate::object::{Exit, Holder, NamespaceId, ObjectId, State};
use crate::session::{Session, WeakSession};
use crate::{LoadError, OpenFlags, Unbound};

/// `RTLD_NEXT`.
const NEXT: u32 = u32::MAX;
/// `RTLD_DEFAULT`.
const DEFAULT: u32 = 0;
/// `LM_ID_NEWLM`.
const NEW_NAMESPACE: i32 = -1;
/// Bytes for what a callback of `dl_iterate_phdr` is given.
const PHDR_BYTES: u32 = 80;
/// `PT_LOAD`.
const PT_LOAD: u32 = 1;
/// Destructors that wait at most.
const MOST_EXITS: usize = 1 << 16;
/// `PF_R | PF_W`.
const READ_WRITE: u32 = 6;

/// What a session provides in `env`: their names and how many
/// parameters they have; all are `i32`, and so is the result.
const PROVIDED: [(&str, usize); 9] = [
    ("__cxa_atexit", 3),
    ("atexit", 1),
    ("dl_iterate_phdr", 2),
    ("dladdr", 2),
    ("dlclose", 1),
    ("dlerror", 0),
    ("dlmopen", 3),
    ("dlopen", 2),
    ("dlsym", 2),
];

/// The type of a function of `env` that every [`Session`] provides.
///
/// ```
/// use orcavm_loader::session_function;
///
/// let dlopen = session_function("dlopen").unwrap();
/// assert_eq!(dlopen.to_string(), "(func (param i32 i32) (result i32))");
/// assert!(session_function("malloc").is_none());
/// ```
pub fn session_function(name: &str) -> Option<FuncType> {
    let (_, params) = PROVIDED.iter().find(|(known, _)| *known == name)?;
    Some(FuncType::new(
        std::iter::repeat_n(ValType::I32, *params),
        [ValType::I32],
    ))
}

/// The functions, in a linker.
///
/// # Panics
/// Never: the names differ.
pub(crate) fn linker<T: 'static>(engine: &Engine, session: &WeakSession<T>) -> Linker<T> {
    let mut linker = Linker::new(engine);
    define(&mut linker, session).expect("the names differ");
    linker
}

fn define<T: 'static>(linker: &mut Linker<T>, weak: &WeakSession<T>) -> Result<(), Error> {
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "dlopen",
        move |mut caller: Caller<'_, T>, path: u32, flags: u32| session.get()?.dlopen(&mut caller, None, path, flags),
    )?;
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "dlmopen",
        move |mut caller: Caller<'_, T>, namespace: i32, path: u32, flags: u32| {
            session.get()?.dlopen(&mut caller, Some(namespace), path, flags)
        },
    )?;
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "dlsym",
        move |mut caller: Caller<'_, T>, handle: u32, name: u32| session.get()?.dlsym(&mut caller, handle, name),
    )?;
    let session = weak.clone();
    linker.func_wrap("env", "dlclose", move |mut caller: Caller<'_, T>, handle: u32| {
        session.get()?.dlclose(&mut caller, handle)
    })?;
    let session = weak.clone();
    linker.func_wrap("env", "dlerror", move |mut caller: Caller<'_, T>| {
        session.get()?.dlerror(&mut caller.as_context_mut())
    })?;
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "dladdr",
        move |mut caller: Caller<'_, T>, address: u32, info: u32| {
            session.get()?.dladdr(&mut caller.as_context_mut(), address, info)
        },
    )?;
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "dl_iterate_phdr",
        move |mut caller: Caller<'_, T>, callback: u32, data: u32| {
            session.get()?.iterate(&mut caller.as_context_mut(), callback, data)
        },
    )?;
    let session = weak.clone();
    linker.func_wrap(
        "env",
        "__cxa_atexit",
        move |mut caller: Caller<'_, T>, slot: u32, argument: u32, _owner: u32| {
            session.get()?.at_exit(&mut caller, slot, Some(argument))
        },
    )?;
    let session = weak.clone();
    linker.func_wrap("env", "atexit", move |mut caller: Caller<'_, T>, slot: u32| {
        session.get()?.at_exit(&mut caller, slot, None)
    })?;
    Ok(())
}

/// The error of the virtual machine in one of loading, if it is one.
fn cause(error: &LoadError) -> Option<&Error> {
    match error {
        LoadError::Constructor { source, .. } | LoadError::Instantiate { source, .. } => Some(source),
        LoadError::Run(source) => Some(source),
        // What else the host says of a sandbox is no end of the guest.
        LoadError::Sandboxed { source, .. } => source.trap().map(|_| &**source),
        _ => None,
    }
}

/// Whether a guest does not go on after what ended what it had loaded.
fn is_fatal(error: &Error) -> bool {
    match (error.trap(), error) {
        (Some(trap), _) => matches!(trap, Trap::Interrupt | Trap::OutOfFuel),
        // The host's own errors: an exit, for one. Ours are told.
        (None, Error::Host(host)) => {
            !host.source().is::<Error>()
                && error.downcast_ref::<Unbound>().is_none()
                && error.downcast_ref::<LoadError>().is_none()
        }
        (None, _) => false,
    }
}

impl<T: 'static> Session<T> {
    /// Leaves an error for `dlerror`, and gives `failed` to the guest.
    ///
    /// # Errors
    /// The error, if the guest does not go on.
    fn tell<R>(&self, error: LoadError, failed: R) -> Result<R, Error> {
        if cause(&error).is_some_and(is_fatal) {
            return Err(match error {
                LoadError::Constructor { source, .. }
                | LoadError::Instantiate { source, .. }
                | LoadError::Sandboxed { source, .. } => *source,
                LoadError::Run(source) => source,
                other => Error::host(other),
            });
        }
        let text = error.to_string();
        debug!(error = text, "told the guest");
        self.state().error = Some(text);
        Ok(failed)
    }

    /// The object whose function has called.
    fn caller(&self, instance: Option<Instance>) -> Option<ObjectId> {
        let state = self.state();
        instance.and_then(|instance| state.of_instance(instance)).or(state.main)
    }

    /// `dlopen` and `dlmopen`
    fn dlopen(&self, caller: &mut Caller<'_, T>, namespace: Option<i32>, path: u32, flags: u32) -> Result<u32, Error> {
        let importer = self.caller(caller.instance());
        let permissions = caller.permissions();
        let domain = caller.domain().cloned();
        if OpenFlags::from_bits(flags).is_some_and(|flags| flags.contains(OpenFlags::SANDBOX)) {
            let opened = self.dlopen_sandboxed(caller, importer, &permissions, path);
            return match opened {
                Ok(ObjectId(handle)) => Ok(handle),
                Err(error) => self.tell(error, 0),
            };
        }
        let mut store = caller.as_context_mut();
        let opened = self.busy_opening(&mut store, |store| {
            let flags = OpenFlags::from_bits(flags).ok_or(LoadError::Flags { flags })?;
            if !flags.intersects(OpenFlags::LAZY | OpenFlags::NOW) {
                return Err(LoadError::Flags { flags: flags.bits() });
            }
            let own = importer.and_then(|id| Some(self.state().objects.get(&id)?.namespace));
            let namespace = match namespace {
                None => own.unwrap_or(NamespaceId::BASE),
                Some(NEW_NAMESPACE) => NamespaceId(self.state().next_id()?),
                Some(number) => self.namespace(number)?,
            };
            if path == 0 {
                return self.open_main(namespace);
            }
            let memory = self.state().shared.ok_or(LoadError::NoProgram)?.memory;
            let name = read_string(store, memory, path).ok_or(LoadError::Text)?;
            let domain = domain.or_else(|| Some(self.main_instance()?.domain(&*store)));
            let guest = domain.map(|domain| (&permissions, domain));
            self.open_object(store, &name, flags, namespace, importer, guest)
        });
        match opened {
            Ok(ObjectId(handle)) => Ok(handle),
            Err(error) => self.tell(error, 0),
        }
    }

    /// `dlopen` with `RTLD_SANDBOX`
    fn dlopen_sandboxed(
        &self,
        caller: &mut Caller<'_, T>,
        importer: Option<ObjectId>,
        permissions: &Permissions,
        path: u32,
    ) -> Result<ObjectId, LoadError> {
        let memory = self.state().shared.ok_or(LoadError::NoProgram)?.memory;
        let name = read_string(&caller.as_context_mut(), memory, path).ok_or(LoadError::Text)?;
        let found = self.find(&name, importer, Some(permissions))?;
        self.open_sandboxed(caller, &found)
    }

    /// A namespace that there is, by its number.
    fn namespace(&self, number: i32) -> Result<NamespaceId, LoadError> {
        let id = u32::try_from(number).map(NamespaceId);
        let known = id.ok().filter(|id| self.state().namespaces.contains_key(id));
        known.ok_or(LoadError::Namespace { number })
    }

    /// `dlopen` without a path: the program, or the first that a namespace has.
    fn open_main(&self, namespace: NamespaceId) -> Result<ObjectId, LoadError> {
        let mut state = self.state();
        let first = state.namespaces.get(&namespace).and_then(|namespace| {
            let mut all = namespace.global.iter();
            let is_there = |id: &&ObjectId| state.objects.get(id).is_some_and(|object| !object.is_leaving);
            all.find(is_there).copied()
        });
        let id = first.ok_or(LoadError::EmptyNamespace)?;
        let object = state.objects.get_mut(&id).ok_or(LoadError::NoProgram)?;
        object.opens = object.opens.saturating_add(1);
        Ok(id)
    }

    /// `dlclose`
    fn dlclose(&self, caller: &mut Caller<'_, T>, handle: u32) -> Result<i32, Error> {
        let mut store = caller.as_context_mut();
        let closed = match self.is_sandboxed(handle) {
            true => self.close_sandboxed(&mut store, handle),
            false => self.close_object(&mut store, ObjectId(handle)),
        };
        match closed {
            Ok(()) => Ok(0),
            Err(error) => self.tell(error, -1),
        }
    }

    /// `dlsym`
    fn dlsym(&self, caller: &mut Caller<'_, T>, handle: u32, name: u32) -> Result<u32, Error> {
        let caller_id = self.caller(caller.instance());
        let mut store = caller.as_context_mut();
        let found = (|| {
            let memory = self.state().shared.ok_or(LoadError::NoProgram)?.memory;
            let name = read_string(&store, memory, name).ok_or(LoadError::Text)?;
            match self.is_sandboxed(handle) {
                true => self.sandboxed_symbol(&mut store, handle, &name),
                false => self.symbol(&mut store, caller_id, handle, &name),
            }
        })();
        match found {
            Ok(value) => Ok(value),
            Err(error) => self.tell(error, 0),
        }
    }

    /// The address of data or the place of a function, in the objects that a handle
    /// means.
    fn symbol(
        &self,
        store: &mut StoreContextMut<'_, T>,
        caller: Option<ObjectId>,
        handle: u32,
        name: &str,
    ) -> Result<u32, LoadError> {
        let missing = |library: &str| LoadError::Symbol {
            library: library.into(),
            symbol: name.into(),
        };
        let (scope, what) = {
            let state = self.state();
            let scope = caller.map(|caller| state.scope_of(caller)).unwrap_or_default();
            match handle {
                DEFAULT => {
                    // As for an import of the caller's.
                    let reserved = caller.and_then(|caller| {
                        let object = state.objects.get(&caller)?;
                        state.reserved(object.namespace, object.is_kept, name)
                    });
                    let before = reserved.filter(|_| self.has_host(name)).unwrap_or(scope.len());
                    let scope = scope.get(..before).unwrap_or(&scope).to_vec();
                    (scope, "the program".into())
                }
                NEXT => {
                    let own = scope.iter().position(|id| Some(*id) == caller);
                    let after = own.map_or(&[][..], |own| scope.get(own + 1..).unwrap_or_default());
                    (after.to_vec(), "what comes after the caller".into())
                }
                _ => {
                    let id = ObjectId(handle);
                    let object = state
                        .objects
                        .get(&id)
                        .filter(|object| object.opens > 0 && !object.is_leaving);
                    let object = object.ok_or(LoadError::Handle)?;
                    let scope = match state.main == Some(id) {
                        true => state.scope_of(id),
                        false => state.with_needs(id),
                    };
                    (scope, object.found.name.clone())
                }
            }
        };
        let what: std::sync::Arc<str> = what;
        // The first that has it, whether as a function or as data.
        let holder = self.state().first(&scope, |interface| {
            let function = interface.functions.get(name).map(|function| function.is_weak);
            function.or_else(|| Some(interface.data.get(name)?.is_weak))
        });
        if let Some(id) = holder
            && let Some(slot) = self.slot_of(store, id, name)?
        {
            self.keep_for(caller, handle, id);
            return Ok(slot);
        }
        let data = {
            let state = self.state();
            holder.and_then(|id| {
                let object = state.objects.get(&id)?;
                Some((id, address(&object.interface, &object.place, name)?))
            })
        };
        if let Some((id, address)) = data {
            self.keep_for(caller, handle, id);
            return Ok(address);
        }
        if handle == DEFAULT
            && let Some(slot) = self.host_slot(store, name)?
        {
            return Ok(slot);
        }
        Err(missing(&what))
    }

    /// Notes that a caller has a symbol of an object without having that open.
    fn keep_for(&self, caller: Option<ObjectId>, handle: u32, provider: ObjectId) {
        if handle != DEFAULT && handle != NEXT {
            return;
        }
        let mut state = self.state();
        let caller = caller.filter(|caller| *caller != provider);
        if let Some(caller) = caller.and_then(|caller| state.objects.get_mut(&caller)) {
            caller.uses.insert(provider);
        }
    }

    /// The place of a function of the host in the table, which it gets if it has none.
    fn host_slot(&self, store: &mut StoreContextMut<'_, T>, name: &str) -> Result<Option<u32>, LoadError> {
        if let Some(slot) = self.state().host_slots.get(name) {
            return Ok(Some(*slot));
        }
        // Guests ask for any name, so what there is not is not kept.
        if !self.has_host(name) {
            return Ok(None);
        }
        let Some(func) = self.host(store, "env", name).and_then(vm::Extern::into_func) else {
            return Ok(None);
        };
        let slot = self.new_slot(store, func, None)?;
        self.state().host_slots.insert(name.into(), slot);
        Ok(Some(slot))
    }

    /// `dlerror`
    fn dlerror(&self, store: &mut StoreContextMut<'_, T>) -> Result<u32, Error> {
        if self.state().error.is_none() {
            return Ok(0);
        }
        // Where there is no room, it can be asked for again.
        let Ok(start) = self.scratch(store) else { return Ok(0) };
        let Some(text) = self.state().error.take() else {
            return Ok(0);
        };
        let most = usize::try_from(ERROR_BYTES - 1).unwrap_or(0);
        let mut end = text.len().min(most);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes: Vec<u8> = text.bytes().take(end).filter(|byte| *byte != 0).collect();
        bytes.push(0);
        let memory = self.state().shared.map(|shared| shared.memory);
        let written = memory
            .zip(usize::try_from(start).ok())
            .map(|(memory, start)| memory.write(&mut *store, start, &bytes));
        match written {
            Some(Ok(())) => Ok(start),
            _ => Ok(0),
        }
    }

    /// `dladdr`: a place in the table where there is a function, or an address of
    /// data.
    fn dladdr(&self, store: &mut StoreContextMut<'_, T>, value: u32, info: u32) -> Result<i32, Error> {
        let Some((id, base, symbol)) = self.state().whose(value) else {
            return Ok(0);
        };
        let name = self.name_of(id);
        let file = self.string(store, id, &name);
        let (symbol, at) = match symbol {
            Some((symbol, at)) => (self.string(store, id, &symbol), at),
            None => (0, 0),
        };
        Ok(i32::from(self.write_words(store, info, &[file, base, symbol, at])))
    }

    /// `dl_iterate_phdr`
    fn iterate(&self, store: &mut StoreContextMut<'_, T>, callback: u32, data: u32) -> Result<i32, Error> {
        let table = self.state().shared.and_then(|shared| shared.table);
        let callback = table.and_then(|table| table.get(&*store, u64::from(callback)));
        let Some(Ref::Func(Some(callback))) = callback else {
            return Err(Trap::IndirectCallToNull.into());
        };
        check_type(&callback.ty(&*store), 3, 1)?;
        let scratch = self.scratch(store).map_err(Error::host)?;
        let depth = {
            let mut state = self.state();
            state.iterating += 1;
            state.iterating - 1
        };
        // Each call inside another one has a place of its own.
        let place = depth * PHDR_BYTES;
        let result = match place + PHDR_BYTES <= ERROR_BYTES {
            true => self.iterate_at(store, callback, data, scratch + ERROR_BYTES + place),
            false => Err(Trap::StackOverflow.into()),
        };
        self.state().iterating = depth;
        result
    }

    /// `dl_iterate_phdr`, with what the callback is given at an address.
    fn iterate_at(
        &self,
        store: &mut StoreContextMut<'_, T>,
        callback: Func,
        data: u32,
        header: u32,
    ) -> Result<i32, Error> {
        let info = header + 32;
        let ids: Vec<ObjectId> = self.state().objects.keys().copied().collect();
        for id in ids {
            let known = {
                let state = self.state();
                let object = state.objects.get(&id).filter(|object| !object.is_leaving);
                object.map(|object| (object.place.clone(), state.loaded, state.unloaded))
            };
            let Some((place, loaded, unloaded)) = known else {
                continue;
            };
            // That of the program is empty, as in glibc.
            let is_main = self.state().main == Some(id);
            let name = if is_main { "".into() } else { self.name_of(id) };
            let name = self.string(store, id, &name);
            let size = place.memory.end - place.memory.start;
            // One segment: the module's data.
            let written = self.write_words(store, header, &[PT_LOAD, 0, 0, 0, size, size, READ_WRITE, 1]);
            let half = |n: u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or(0);
            let halves = |n: u64| [half(n), half(n >> 32)];
            let ([adds, adds_high], [subs, subs_high]) = (halves(loaded), halves(unloaded));
            let tls = place.tls.start;
            let module = u32::from(!place.tls.is_empty()) * id.0;
            let words = [
                place.memory.start,
                name,
                header,
                1,
                adds,
                adds_high,
                subs,
                subs_high,
                module,
                tls,
            ];
            if !written || !self.write_words(store, info, &words) {
                return Ok(0);
            }
            let size = u32::try_from(size_of_val(&words)).unwrap_or(0);
            let args = [info, size, data].map(|arg| Val::I32(arg.cast_signed()));
            let mut results = [Val::I32(0)];
            callback.call(store.as_context_mut(), &args, &mut results)?;
            let [result] = results;
            if result.i32() != Some(0) {
                return Ok(result.i32().unwrap_or(0));
            }
        }
        Ok(0)
    }

    /// `__cxa_atexit` and `atexit` of what can be unloaded.
    fn at_exit(&self, caller: &mut Caller<'_, T>, slot: u32, argument: Option<u32>) -> Result<i32, Error> {
        let Some(owner) = self.caller(caller.instance()) else {
            return Ok(-1);
        };
        let is_hooked = {
            let mut state = self.state();
            if state.exits.len() >= MOST_EXITS {
                return Ok(-1);
            }
            state.exits.push(Exit { owner, slot, argument });
            std::mem::replace(&mut state.exits_hooked, true)
        };
        debug!(owner = shown(&self.name_of(owner)), "registered a destructor");
        if !is_hooked {
            self.hook_exit(&mut caller.as_context_mut())?;
        }
        Ok(0)
    }

    /// Has the program's C library run what waits at the program's exit, if there is
    /// one; else [`Session::finish`] does.
    fn hook_exit(&self, store: &mut StoreContextMut<'_, T>) -> Result<(), Error> {
        let main = self.state().main;
        let holder = main.and_then(|main| self.state().holder_for(main, "__cxa_atexit"));
        let Some(Holder::Object(library)) = holder else {
            return Ok(());
        };
        let Some(register) = self.own_func(store, library, "__cxa_atexit") else {
            return Ok(());
        };
        let Ok(register) = register.typed::<(u32, u32, u32), i32>(&*store) else {
            return Ok(());
        };
        let session = self.clone();
        let run = Func::wrap(&mut *store, move |mut caller: Caller<'_, T>, _: u32| {
            session.run_exits(&mut caller.as_context_mut(), |_| true)
        });
        let slot = self.new_slot(store, run, None).map_err(Error::host)?;
        let registered = register.call(store.as_context_mut(), (slot, 0, 0))?;
        self.state().exits_are_programs = registered == 0;
        Ok(())
    }
}

/// That a function which a guest gave takes and gives so many numbers, as where it is
/// called by guests.
///
/// # Errors
/// [`Trap::BadSignature`]
pub(crate) fn check_type(ty: &FuncType, params: usize, results: usize) -> Result<(), Error> {
    let numbers = |count| std::iter::repeat_n(ValType::I32, count);
    match *ty == FuncType::new(numbers(params), numbers(results)) {
        true => Ok(()),
        false => Err(Trap::BadSignature.into()),
    }
}

/// The name of a symbol, and where it is.
type Symbol = Option<(String, u32)>;

impl State {
    /// The object that has a function at a place in the table, or data at an address;
    /// where its data begins, and the symbol there or the last before it.
    fn whose(&self, value: u32) -> Option<(ObjectId, u32, Symbol)> {
        for (id, object) in &self.objects {
            let function = object.slots.iter().find(|(_, slot)| **slot == value);
            if let Some((index, _)) = function {
                let mut functions = object.interface.functions.iter();
                let name = functions.find(|(_, function)| function.index == *index);
                let symbol = name.map(|(name, _)| (name.to_string(), value));
                return Some((*id, object.place.memory.start, symbol));
            }
        }
        let has = |range: &std::ops::Range<u32>| range.contains(&value);
        let mut objects = self.objects.iter();
        let (id, object) = objects.find(|(_, object)| has(&object.place.memory) || has(&object.place.tls))?;
        let names = object.interface.data.keys();
        let addresses = names.filter_map(|name| Some((address(&object.interface, &object.place, name)?, name)));
        let before = addresses.filter(|(at, _)| *at <= value && *at >= object.place.memory.start);
        let symbol = before
            .max_by_key(|(at, _)| *at)
            .map(|(at, name)| (name.to_string(), at));
        Some((*id, object.place.memory.start, symbol))
    }
}

#[cfg(test)]
mod tests {
    use vm::Store;

    use super::*;

    #[test]
    fn functions_have_the_types_that_are_said() {
        let engine = Engine::default();
        let session = Session::<()>::builder(Linker::new(&engine)).build();
        let mut store = Store::new(&engine, ());
        for (name, _) in PROVIDED {
            let func = session.host(&mut store.as_context_mut(), "env", name);
            let func = func.and_then(vm::Extern::into_func).expect(name);
            assert_eq!(Some(func.ty(&store)), session_function(name), "{name}");
        }
        for name in crate::RESERVED {
            assert!(session_function(name).is_some(), "{name}");
        }
    }
}
