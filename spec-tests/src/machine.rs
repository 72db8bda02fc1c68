//! A script's state: the store, the modules and instances made so far.

use std::collections::HashMap;

use vm::{Engine, Error, Extern, Instance, InterruptHandle, Linker, Module, Store, Val};
use wast::token::Id;
use wast::{WastExecute, WastInvoke};

use crate::problem::Problem;
use crate::{spectest, value};

/// One store and what a script has made in it. Names are those of the script
/// (`$name`), except in `registered`, where they are import module names.
pub(crate) struct Machine {
    engine: Engine,
    store: Store<()>,
    /// `spectest` alone.
    host: Linker<()>,
    registered: HashMap<String, Instance>,
    definitions: HashMap<String, Module>,
    last_definition: Option<Module>,
    instances: HashMap<String, Instance>,
    last_instance: Option<Instance>,
}

impl Machine {
    /// A machine that knows only `spectest`.
    ///
    /// # Errors
    ///
    /// Those of making the members of `spectest`.
    pub(crate) fn new(engine: &Engine) -> Result<Machine, Error> {
        let mut store = Store::new(engine, ());
        let mut host = Linker::new(engine);
        spectest::define(&mut host, &mut store)?;
        Ok(Machine {
            engine: engine.clone(),
            store,
            host,
            registered: HashMap::new(),
            definitions: HashMap::new(),
            last_definition: None,
            instances: HashMap::new(),
            last_instance: None,
        })
    }

    /// The store's interrupt handle.
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.store.interrupt_handle()
    }

    /// The store, to look at values that belong to it.
    pub(crate) fn store(&self) -> &Store<()> {
        &self.store
    }

    /// Decodes and validates a binary module.
    ///
    /// # Errors
    ///
    /// A load error if it is refused.
    pub(crate) fn load(&self, bytes: &[u8]) -> Result<Module, Error> {
        Module::from_binary(&self.engine, bytes)
    }

    /// Remembers a module for `module instance`.
    pub(crate) fn define(&mut self, name: Option<Id<'_>>, module: Module) {
        if let Some(name) = name {
            self.definitions.insert(name.name().to_owned(), module.clone());
        }
        self.last_definition = Some(module);
    }

    /// The module of that name, or the last one.
    ///
    /// # Errors
    ///
    /// [`Problem::Unknown`], [`Problem::NoneYet`].
    pub(crate) fn definition(&self, name: Option<Id<'_>>) -> Result<Module, Problem> {
        find(
            &self.definitions,
            self.last_definition.as_ref(),
            name,
            "module definition",
        )
        .cloned()
    }

    /// Instantiates a module with `spectest` and the registered instances.
    ///
    /// # Errors
    ///
    /// A link error, or the trap of an active segment or the start function.
    pub(crate) fn instantiate(&mut self, module: &Module) -> Result<Instance, Error> {
        let mut linker = self.host.clone();
        linker.allow_shadowing(true);
        for (name, instance) in &self.registered {
            linker.instance(&mut self.store, name, *instance)?;
        }
        linker.instantiate(&mut self.store, module)
    }

    /// Makes `instance` the one that is meant where no name is given, and gives
    /// it its name if it has one.
    pub(crate) fn enter(&mut self, name: Option<Id<'_>>, instance: Instance) {
        if let Some(name) = name {
            self.instances.insert(name.name().to_owned(), instance);
        }
        self.last_instance = Some(instance);
    }

    /// After this directive no instance is meant where no name is given: the
    /// module that should have become it failed.
    pub(crate) fn leave(&mut self) {
        self.last_instance = None;
    }

    /// Lets later modules import from an instance as module `name`.
    ///
    /// # Errors
    ///
    /// [`Problem::Unknown`], [`Problem::NoneYet`].
    pub(crate) fn register(&mut self, name: &str, instance: Option<Id<'_>>) -> Result<(), Problem> {
        let instance = self.instance(instance)?;
        self.registered.insert(name.to_owned(), instance);
        Ok(())
    }

    /// Carries out an action: a call, a look at a global, or an instantiation,
    /// which has no results.
    ///
    /// # Errors
    ///
    /// [`Problem::Vm`] if the vm fails, other problems if the script does.
    pub(crate) fn execute(&mut self, action: &mut WastExecute<'_>) -> Result<Vec<Val>, Problem> {
        match action {
            WastExecute::Invoke(call) => self.invoke(call),
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(*module)?;
                match instance.get_export(&mut self.store, global) {
                    Some(Extern::Global(global)) => Ok(vec![global.get(&mut self.store)]),
                    _ => Err(Problem::NoExport {
                        kind: "global",
                        name: (*global).to_owned(),
                    }),
                }
            }
            WastExecute::Wat(module) => {
                let module = self.load(&module.encode()?)?;
                self.instantiate(&module)?;
                Ok(Vec::new())
            }
        }
    }

    /// Calls an exported function.
    ///
    /// # Errors
    ///
    /// As for [`Machine::execute`].
    pub(crate) fn invoke(&mut self, call: &WastInvoke<'_>) -> Result<Vec<Val>, Problem> {
        let instance = self.instance(call.module)?;
        let Some(func) = instance.get_func(&mut self.store, call.name) else {
            return Err(Problem::NoExport {
                kind: "function",
                name: call.name.to_owned(),
            });
        };
        let args = call
            .args
            .iter()
            .map(|arg| value::argument(&mut self.store, arg))
            .collect::<Result<Vec<Val>, Problem>>()?;
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results)
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<Instance, Problem> {
        find(&self.instances, self.last_instance.as_ref(), name, "instance").copied()
    }
}

/// The entry of that name, or the last one.
fn find<'m, T>(
    named: &'m HashMap<String, T>,
    last: Option<&'m T>,
    name: Option<Id<'_>>,
    kind: &'static str,
) -> Result<&'m T, Problem> {
    match name {
        Some(name) => named.get(name.name()).ok_or_else(|| Problem::Unknown {
            kind,
            name: name.name().to_owned(),
        }),
        None => last.ok_or(Problem::NoneYet { kind }),
    }
}
