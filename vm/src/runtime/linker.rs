//! Linkers: imports by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{AsContext, AsContextMut, Caller};
use super::engine::Engine;
use super::externs::Extern;
use super::func::{Func, untyped};
use super::instance::Instance;
use super::module::Module;
use super::store::StoreInner;
use super::typed::IntoFunc;
use super::val::Val;
use crate::error::{Error, LinkError};
use crate::exec::host::HostDef;
use crate::types::{ExternType, FuncType};

/// What a name stands for.
#[derive(Clone)]
enum Definition {
    /// Something in a store.
    Extern(Extern),
    /// A host function, made in each store it is linked into.
    Host(Arc<HostDef>),
}

/// Imports by module and field name, and instances made with them.
///
/// ```
/// use vm::{Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "square", |x: i32| x * x)?;
///
/// let mut store = Store::new(&engine, ());
/// let library = Module::new(&engine, r#"(module (func (export "one") (result i32) (i32.const 1)))"#)?;
/// let library = linker.instantiate(&mut store, &library)?;
/// linker.instance(&mut store, "library", library)?;
///
/// let app = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "square" (func $square (param i32) (result i32)))
///         (import "library" "one" (func $one (result i32)))
///         (func (export "run") (result i32) (i32.add (call $square (i32.const 3)) (call $one))))"#,
/// )?;
/// let app = linker.instantiate(&mut store, &app)?;
/// assert_eq!(app.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 10);
/// # Ok(())
/// # }
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    /// In order of names, so that messages are the same each time.
    definitions: BTreeMap<(Arc<str>, Arc<str>), Definition>,
    shadowing: bool,
    data: std::marker::PhantomData<fn(T)>,
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            definitions: self.definitions.clone(),
            shadowing: self.shadowing,
            data: self.data,
        }
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker")
            .field("names", &self.definitions.keys())
            .finish_non_exhaustive()
    }
}

impl<T> Linker<T> {
    /// A linker that knows no names.
    pub fn new(engine: &Engine) -> Self {
        let data = std::marker::PhantomData;
        Self {
            engine: engine.clone(),
            definitions: BTreeMap::new(),
            shadowing: false,
            data,
        }
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined again, replacing what it stood for.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.shadowing = allow;
        self
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Self, Error> {
        let key = (Arc::from(module), Arc::from(name));
        if !self.shadowing && self.definitions.contains_key(&key) {
            return Err(LinkError::DuplicateDefinition {
                module: module.into(),
                name: name.into(),
            }
            .into());
        }
        self.definitions.insert(key, definition);
        Ok(self)
    }

    /// Defines a host function from a closure; see [`Func::wrap`].
    ///
    /// # Errors
    /// If the name is defined already, as all that define.
    pub fn func_wrap<P, R>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, P, R>,
    ) -> Result<&mut Self, Error> {
        self.insert(module, name, Definition::Host(Arc::new(func.into_def())))
    }

    /// Defines a host function that works with values; see [`Func::new`].
    ///
    /// # Errors
    /// If the name is defined already.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<&mut Self, Error> {
        self.insert(module, name, Definition::Host(Arc::new(untyped(ty, func))))
    }

    /// Defines a name as something in a store, which from then on is the only
    /// one the linker can be used with.
    ///
    /// # Errors
    /// If the name is defined already.
    pub fn define(
        &mut self,
        _store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self, Error> {
        self.insert(module, name, Definition::Extern(item.into()))
    }

    /// Defines all exports of an instance under a module name.
    ///
    /// # Errors
    /// If one of the names is defined already.
    pub fn instance(
        &mut self,
        store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self, Error> {
        for export in instance.exports(store) {
            let name = export.name().to_owned();
            self.insert(module, &name, Definition::Extern(export.into_extern()))?;
        }
        Ok(self)
    }

    /// Instantiates a module and defines its exports under a module name. A
    /// reactor, which exports `_initialize`, is initialized.
    ///
    /// # Errors
    /// What [`Linker::instantiate`] and [`Linker::instance`] meet, and what
    /// `_initialize` fails with.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        module: &Module,
    ) -> Result<&mut Self, Error> {
        let instance = self.instantiate(&mut store, module)?;
        if let Some(initialize) = instance.get_func(&mut store, "_initialize") {
            initialize.typed::<(), ()>(&store)?.call(&mut store, ())?;
        }
        self.instance(store, name, instance)
    }

    /// Defines all names of one module under another module name too.
    ///
    /// # Errors
    /// If one of the names is defined already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Self, Error> {
        let same = self.definitions.iter().filter(|((own, _), _)| &**own == module);
        let same: Vec<_> = same
            .map(|((_, name), definition)| (Arc::clone(name), definition.clone()))
            .collect();
        for (name, definition) in same {
            self.insert(as_module, &name, definition)?;
        }
        Ok(self)
    }

    /// Defines each function that `module` imports and nobody has defined as
    /// one that fails when it is called, naming itself.
    ///
    /// # Errors
    /// If such an import is not a function.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<(), Error> {
        for import in module.imports() {
            let key = (Arc::from(import.module()), Arc::from(import.name()));
            if self.definitions.contains_key(&key) {
                continue;
            }
            let unknown = (
                Box::<str>::from(import.module()),
                Box::<str>::from(import.name()),
                import.ty(),
            );
            let ExternType::Func(ty) = import.ty() else {
                return Err(self.unknown(unknown).into());
            };
            self.func_new(import.module(), import.name(), ty, move |_, _, _| {
                let (module, name, ty) = unknown.clone();
                Err(LinkError::UnknownImport {
                    module,
                    name,
                    ty,
                    similar: None,
                }
                .into())
            })?;
        }
        Ok(())
    }

    /// What a name stands for in a store; a host function is made there.
    pub fn get(&self, mut store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Option<Extern> {
        let definition = self.definitions.get(&(Arc::from(module), Arc::from(name)))?;
        Some(make(&mut store.as_context_mut().0.inner, definition))
    }

    /// An instance of a module, with the names it imports as they are defined
    /// here.
    ///
    /// # Errors
    /// [`LinkError::UnknownImport`] if a name is not defined, and what
    /// [`Instance::new`] meets.
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>, module: &Module) -> Result<Instance, Error> {
        let mut imports = Vec::with_capacity(module.imports().len());
        for import in module.imports() {
            match self
                .definitions
                .get(&(Arc::from(import.module()), Arc::from(import.name())))
            {
                Some(definition) => imports.push(definition),
                None => {
                    return Err(self
                        .unknown((import.module().into(), import.name().into(), import.ty()))
                        .into());
                }
            }
        }
        let inner = &mut store.as_context_mut().0.inner;
        let imports: Vec<Extern> = imports.into_iter().map(|definition| make(inner, definition)).collect();
        Instance::new(store, module, &imports)
    }

    /// The error for a name that is not defined, with what may have been meant:
    /// the name in another module, or one in the module that differs in case.
    fn unknown(&self, (module, name, ty): (Box<str>, Box<str>, ExternType)) -> LinkError {
        let mut names = self.definitions.keys();
        let similar = names.find(|(own_module, own_name)| {
            (**own_name == *name && **own_module != *module)
                || (**own_module == *module && own_name.eq_ignore_ascii_case(&name))
        });
        let similar = similar.map(|(module, name)| format!("`{module}` `{name}`").into());
        LinkError::UnknownImport {
            module,
            name,
            ty,
            similar,
        }
    }
}

/// What a definition is in a store.
fn make(store: &mut StoreInner, definition: &Definition) -> Extern {
    match definition {
        Definition::Extern(item) => *item,
        Definition::Host(def) => {
            let func = store.add_host_func(Arc::clone(def));
            Func::new_handle(store.id, func).into()
        }
    }
}
