//! Linkers: imports by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{AsContext, AsContextMut, Caller};
use super::domain::Domain;
use super::engine::Engine;
use super::externs::Extern;
use super::func::{Func, Requirement, untyped};
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
    names: Names,
    data: std::marker::PhantomData<fn(T)>,
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            names: self.names.clone(),
            data: self.data,
        }
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<T> Linker<T> {
    /// A linker that knows no names.
    pub fn new(engine: &Engine) -> Self {
        let data = std::marker::PhantomData;
        Self {
            engine: engine.clone(),
            names: Names {
                definitions: BTreeMap::new(),
                shadowing: false,
            },
            data,
        }
    }

    /// The engine it was made for.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined again, replacing what it stood for.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.names.shadowing = allow;
        self
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
        self.names.insert_host(module, name, func.into_def(), None)?;
        Ok(self)
    }

    /// Defines a host function from a closure, whose callers must be allowed
    /// something: all instances on the call chain.
    ///
    /// # Errors
    /// If the name is defined already, or the function has no such result as a
    /// refused call is to give.
    pub fn func_wrap_requiring<P, R>(
        &mut self,
        module: &str,
        name: &str,
        requirement: Requirement,
        func: impl IntoFunc<T, P, R>,
    ) -> Result<&mut Self, Error> {
        self.names
            .insert_host(module, name, func.into_def(), Some(requirement))?;
        Ok(self)
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
        self.names.insert_host(module, name, untyped(ty, func), None)?;
        Ok(self)
    }

    /// Defines a host function that works with values, whose callers must be
    /// allowed something; see [`Linker::func_wrap_requiring`].
    ///
    /// # Errors
    /// If the name is defined already, or the function has no such result as a
    /// refused call is to give.
    pub fn func_new_requiring(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        requirement: Requirement,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<&mut Self, Error> {
        self.names
            .insert_host(module, name, untyped(ty, func), Some(requirement))?;
        Ok(self)
    }

    /// Defines a name as something in a store, which from then on is the only
    /// one the linker can be used with.
    ///
    /// # Errors
    /// If the name is defined already, or `item` belongs to another store.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self, Error> {
        let item = item.into();
        item.check_in(&store.as_context().0.inner)?;
        self.names.insert(module, name, Definition::Extern(item))?;
        Ok(self)
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
            self.names
                .insert(module, &name, Definition::Extern(export.into_extern()))?;
        }
        Ok(self)
    }

    /// Defines what a module exports under a module name, in one of two ways.
    ///
    /// A *reactor* is instantiated once, here; its exports are those of the
    /// instance. If it exports a function `_initialize`, that has run.
    ///
    /// A *command*, which exports a function `_start`, is meant to run once an
    /// instance. So its functions are defined to make an instance for each
    /// call, with the names it imports as they are defined now. The instances
    /// stay in the store, and count against its limits. What else a command
    /// exports would belong to no instance, and is not defined.
    ///
    /// ```
    /// use vm::{Engine, Linker, Module, Store};
    ///
    /// # fn main() -> Result<(), vm::Error> {
    /// let engine = Engine::default();
    /// let counter = Module::new(
    ///     &engine,
    ///     r#"(module
    ///         (global $n (mut i32) (i32.const 40))
    ///         (func (export "_initialize") (global.set $n (i32.const 41)))
    ///         (func (export "next") (result i32)
    ///             (global.set $n (i32.add (global.get $n) (i32.const 1)))
    ///             (global.get $n)))"#,
    /// )?;
    /// let mut store = Store::new(&engine, ());
    /// let mut linker = Linker::new(&engine);
    /// linker.module(&mut store, "counter", &counter)?;
    /// let next = linker.get(&mut store, "counter", "next").and_then(vm::Extern::into_func).unwrap();
    /// assert_eq!(next.typed::<(), i32>(&store)?.call(&mut store, ())?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LinkError::UnknownImport`], or that a name is defined already; for a
    /// reactor also what [`Instance::new`] meets, and what `_initialize` fails
    /// with.
    pub fn module(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        name: &str,
        module: &Module,
    ) -> Result<&mut Self, Error> {
        let is_func = |name| matches!(module.get_export(name), Some(ExternType::Func(_)));
        if is_func("_start") {
            return self.command(name, module);
        }
        let instance = self.instantiate(&mut store, module)?;
        if is_func("_initialize") {
            let initialize = instance.get_typed_func::<(), ()>(&mut store, "_initialize")?;
            initialize.call(&mut store, ())?;
        }
        self.instance(store, name, instance)
    }

    /// Defines the functions of a command.
    fn command(&mut self, name: &str, module: &Module) -> Result<&mut Self, Error> {
        let imports: Arc<[Definition]> = self.names.resolve(module)?.into_iter().cloned().collect();
        for export in module.exports() {
            let ExternType::Func(ty) = export.ty() else { continue };
            let (imports, module, own) = (Arc::clone(&imports), module.clone(), Box::<str>::from(export.name()));
            let run = move |mut caller: Caller<'_, T>, args: &[Val], results: &mut [Val]| {
                let instance = instantiate(&mut caller, &module, imports.iter(), None)?;
                let func = instance.get_func(&mut caller, &own);
                func.expect("each instance exports what its module does")
                    .call(&mut caller, args, results)
            };
            self.func_new(name, export.name(), ty, run)?;
        }
        Ok(self)
    }

    /// Defines all names of one module under another module name too.
    ///
    /// # Errors
    /// If one of the names is defined already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Self, Error> {
        self.names.alias_module(module, as_module)?;
        Ok(self)
    }

    /// Defines each function that `module` imports and nobody has defined as
    /// one that fails when it is called, naming itself.
    ///
    /// # Errors
    /// If such an import is not a function.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<(), Error> {
        for import in module.imports() {
            if self.names.get(import.module(), import.name()).is_some() {
                continue;
            }
            let unknown = (
                Box::<str>::from(import.module()),
                Box::<str>::from(import.name()),
                import.ty(),
            );
            let ExternType::Func(ty) = import.ty() else {
                return Err(self.names.unknown(unknown).into());
            };
            self.func_new(import.module(), import.name(), ty, move |_, _, _| {
                let (module, name, ty) = unknown.clone();
                Err(LinkError::UnknownImport {
                    module,
                    name,
                    ty: Box::new(ty),
                    similar: None,
                }
                .into())
            })?;
        }
        Ok(())
    }

    /// Whether something is defined by a name.
    pub fn has(&self, module: &str, name: &str) -> bool {
        self.names.get(module, name).is_some()
    }

    /// Whether a name stands for something in one store, rather than for a host function
    /// that each store can have.
    pub fn is_of_store(&self, module: &str, name: &str) -> bool {
        matches!(self.names.get(module, name), Some(Definition::Extern(_)))
    }

    /// What a name stands for in a store; a host function is made there.
    pub fn get(&self, mut store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Option<Extern> {
        let definition = self.names.get(module, name)?;
        Some(make(&mut store.as_context_mut().0.inner, definition))
    }

    /// An instance of a module, with the names it imports as they are defined
    /// here.
    ///
    /// # Errors
    /// [`LinkError::UnknownImport`] if a name is not defined, and what
    /// [`Instance::new`] meets.
    pub fn instantiate(&self, store: impl AsContextMut<Data = T>, module: &Module) -> Result<Instance, Error> {
        instantiate(store, module, self.names.resolve(module)?, None)
    }

    /// An instance of a module, in a domain.
    ///
    /// # Errors
    /// As [`Linker::instantiate`] and [`Instance::new_in`].
    pub fn instantiate_in(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
        domain: &Domain,
    ) -> Result<Instance, Error> {
        instantiate(store, module, self.names.resolve(module)?, Some(domain))
    }
}

/// What names stand for: all of a linker that does not depend on its stores' data.
#[derive(Clone)]
struct Names {
    /// By module and name; in order, so that messages are the same each time.
    definitions: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Definition>>,
    shadowing: bool,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let modules = self.definitions.iter();
        let names = modules.flat_map(|(module, names)| names.keys().map(move |name| (module, name)));
        f.debug_list().entries(names).finish()
    }
}

impl Names {
    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<(), Error> {
        if !self.shadowing && self.get(module, name).is_some() {
            return Err(LinkError::DuplicateDefinition {
                module: module.into(),
                name: name.into(),
            }
            .into());
        }
        // Most are of a module that has others.
        let names = match self.definitions.get_mut(module) {
            Some(names) => names,
            None => self.definitions.entry(module.into()).or_default(),
        };
        names.insert(name.into(), definition);
        Ok(())
    }

    /// Adds a host function, whose callers must be allowed something if there is a
    /// requirement.
    fn insert_host(
        &mut self,
        module: &str,
        name: &str,
        mut def: HostDef,
        requirement: Option<Requirement>,
    ) -> Result<(), Error> {
        if let Some(requirement) = requirement {
            requirement.declare(&mut def, format!("`{module}` `{name}`"))?;
        }
        self.insert(module, name, Definition::Host(Arc::new(def)))
    }

    fn get(&self, module: &str, name: &str) -> Option<&Definition> {
        self.definitions.get(module)?.get(name)
    }

    /// See [`Linker::alias_module`].
    fn alias_module(&mut self, module: &str, as_module: &str) -> Result<(), Error> {
        let same = self.definitions.get(module).cloned().unwrap_or_default();
        for (name, definition) in same {
            self.insert(as_module, &name, definition)?;
        }
        Ok(())
    }

    /// What a module's imports stand for, in order.
    fn resolve(&self, module: &Module) -> Result<Vec<&Definition>, Error> {
        let resolved = module.imports().map(|import| {
            self.get(import.module(), import.name()).ok_or_else(|| {
                self.unknown((import.module().into(), import.name().into(), import.ty()))
                    .into()
            })
        });
        resolved.collect()
    }

    /// The error for a name that is not defined, with what may have been meant:
    /// the name in another module, or else the most similar one in the module.
    fn unknown(&self, (module, name, ty): (Box<str>, Box<str>, ExternType)) -> LinkError {
        let mut others = self.definitions.iter().filter(|(own, _)| ***own != *module);
        let elsewhere = others.find(|(_, names)| names.contains_key(&*name));
        let elsewhere = elsewhere.map(|(module, _)| format!("`{module}` `{name}`").into());
        let similar = elsewhere.or_else(|| {
            let in_module = self.definitions.get(&*module)?.keys();
            let rated = in_module.filter_map(|own| Some((typing_errors(own, &name)?, own)));
            let (_, nearest) = rated.min_by_key(|(errors, _)| *errors)?;
            Some(format!("`{module}` `{nearest}`").into())
        });
        LinkError::UnknownImport {
            module,
            name,
            ty: Box::new(ty),
            similar,
        }
    }
}

/// How many letters must be put in, left out or replaced to make one name
/// another, be they large or small; `None` if that is too many for a mistake.
fn typing_errors(a: &str, b: &str) -> Option<usize> {
    const LONGEST: usize = 100;
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let allowed = a.len().min(b.len()) / 4;
    if a.len().max(b.len()) > LONGEST || a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    // Errors between the first letters of `a` and each beginning of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut left = i + 1;
        let mut diagonal = std::mem::replace(&mut row[0], left);
        for (above, y) in row[1..].iter_mut().zip(b) {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            left = replaced.min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, left);
        }
    }
    row.last().copied().filter(|errors| *errors <= allowed)
}

/// An instance of a module with definitions for its imports, in a domain if one is
/// given.
fn instantiate<'a>(
    mut store: impl AsContextMut,
    module: &Module,
    imports: impl IntoIterator<Item = &'a Definition>,
    domain: Option<&Domain>,
) -> Result<Instance, Error> {
    let inner = &mut store.as_context_mut().0.inner;
    let mark = inner.mark();
    let imports: Vec<Extern> = imports.into_iter().map(|definition| make(inner, definition)).collect();
    let made = match domain {
        Some(domain) => Instance::new_in(&mut store, module, &imports, domain),
        None => Instance::new(&mut store, module, &imports),
    };
    if made.is_err() {
        store.as_context_mut().0.inner.roll_back_funcs(&mark);
    }
    made
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

#[cfg(test)]
mod tests {
    use super::typing_errors;

    #[test]
    fn typing_errors_are_told_from_other_names() {
        for (a, b, errors) in [
            ("fd_write", "fd_write", Some(0)),
            ("fd_write", "FD_Write", Some(0)),
            ("fd_write", "fd_wrte", Some(1)),
            ("fd_write", "fd_wirte", Some(2)),
            ("fd_write", "fd_read", None),
            ("fd_write", "fd_write_all", None),
            ("a", "b", None),
            ("", "", Some(0)),
            ("", "b", None),
        ] {
            assert_eq!(typing_errors(a, b), errors, "{a} {b}");
            assert_eq!(typing_errors(b, a), errors, "{b} {a}");
        }
        assert_eq!(typing_errors(&"a".repeat(101), &"a".repeat(101)), None);
    }
}
