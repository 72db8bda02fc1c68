//! Images: the modules of a program, instantiated and bound to each other.

use std::sync::Arc;

use vm::{AsContextMut, Instance, Linker, Memory, Module, Table};

use crate::{Found, LoadError, Session};

/// A module by a name.
#[derive(Clone, Debug)]
pub struct Library {
    /// Its name.
    pub name: Arc<str>,
    /// It.
    pub module: Module,
}

/// A program made of modules that share a memory and a table, in a store.
///
/// ```
/// use orcavm_loader::{DEFAULT_STACK, Image, Library};
/// use vm::{Engine, Linker, Module, Store};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::default();
/// let library = |name: &str, text: &str| -> Result<Library, vm::Error> {
///     Ok(Library { name: name.into(), module: Module::new(&engine, text)? })
/// };
/// let main = library("main", r#"(module (@dylink.0 (needed "lib.so"))
///     (import "env" "memory" (memory 0))
///     (import "env" "add" (func $add (param i32) (result i32)))
///     (import "GOT.mem" "answer" (global $answer (mut i32)))
///     (func (export "run") (result i32) (call $add (i32.load (global.get $answer)))))"#)?;
/// let lib = library("lib.so", r#"(module (@dylink.0 (mem-info (memory 4 2)))
///     (import "env" "memory" (memory 0))
///     (import "env" "__memory_base" (global $base i32))
///     (data (global.get $base) "\28\00\00\00")
///     (global (export "answer") i32 (i32.const 0))
///     (func (export "add") (param i32) (result i32) (i32.add (local.get 0) (i32.const 2))))"#)?;
///
/// let mut store = Store::new(&engine, ());
/// let image = Image::link(&mut store, &Linker::new(&engine), &[main, lib], DEFAULT_STACK)?;
/// let run = image.program().get_typed_func::<(), i32>(&mut store, "run")?;
/// assert_eq!(run.call(&mut store, ())?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    /// The modules' instances, the program's first.
    pub(crate) instances: Vec<Instance>,
    pub(crate) memory: Memory,
    pub(crate) table: Option<Table>,
}

impl Image {
    /// Links modules that are loaded together, the program first, then its libraries
    /// in the order in which symbols are looked for. What they import of other modules
    /// than `env`, and what none of them has, is looked for in `linker`. A [`Session`]
    /// does more; this is for a program whose modules are known, and that loads no
    /// others while it runs.
    ///
    /// All is bound. Data relocations and constructors have run: those of libraries
    /// before those of the modules that stand before them.
    ///
    /// # Errors
    /// If a module is not position-independent or does not fit, if something is
    /// missing, called as another type than it has, or cannot be made, or a constructor fails.
    pub fn link<T: 'static>(
        store: impl AsContextMut<Data = T>,
        linker: &Linker<T>,
        libraries: &[Library],
        stack_size: u32,
    ) -> Result<Self, LoadError> {
        let mut modules = libraries
            .iter()
            .map(|library| Found::new(&library.name, library.module.clone()));
        let program = modules.next().ok_or(LoadError::NoProgram)?;
        // What they need is what they are given.
        let needed = libraries
            .iter()
            .map(|library| (library.name.to_string(), library.module.clone()));
        let finder: std::collections::BTreeMap<String, Module> = needed.collect();
        let session = Session::builder(linker.clone())
            .finder(finder)
            .bind_now(true)
            .stack_size(stack_size);
        let session = modules
            .fold(session, |session, library| session.preload(library))
            .build();
        session.load(store, program)
    }

    /// The program's instance.
    pub fn program(&self) -> Instance {
        self.instances[0]
    }

    /// The modules' instances, the program's first.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The memory that all modules share.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The table that all modules share; `None` if the program brings none.
    pub fn table(&self) -> Option<Table> {
        self.table
    }
}
