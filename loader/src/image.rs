//! Images: the modules of a plan, instantiated and bound to each other.

use std::collections::HashMap;
use std::sync::Arc;

use vm::{
    AsContext, AsContextMut, Error, Extern, ExternType, Func, Global, GlobalType, Instance, Linker, Memory, MemoryType,
    Module, Mutability, Ref, RefType, StoreContextMut, Table, TableType, Val, ValType,
};

use crate::{Binding, Dylink, Import, Interface, LoadError, Need, Part, Plan, Provider, Room};

/// Bytes of a page of memory.
const PAGE: u32 = 65_536;
/// Bytes of a program's stack, if nothing else is said.
pub const DEFAULT_STACK: u32 = 1 << 20;

/// A module by a name.
#[derive(Clone, Debug)]
pub struct Library {
    /// Its name.
    pub name: Arc<str>,
    /// It.
    pub module: Module,
}

/// A program made of position-independent modules, in a store.
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
    instances: Vec<Instance>,
    memory: Memory,
    table: Table,
}

/// What all modules of a program share.
struct Shared {
    memory: Memory,
    table: Table,
    stack_pointer: Global,
}

impl Image {
    /// Links modules that are loaded together, the program first, then its libraries
    /// in the order in which symbols are looked for. What they import of other modules
    /// than `env`, and what none of them has, is looked for in `linker`.
    ///
    /// Data relocations and constructors have run: those of libraries before those of
    /// the modules that stand before them.
    ///
    /// # Errors
    /// If a module is not position-independent or does not fit, if something is
    /// missing, called as another type than it has, or cannot be made, or a constructor fails.
    pub fn link<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        linker: &Linker<T>,
        libraries: &[Library],
        stack_size: u32,
    ) -> Result<Self, LoadError> {
        let mut store = store.as_context_mut();
        let described = libraries.iter().map(describe).collect::<Result<Vec<_>, LoadError>>()?;
        let parts: Vec<Part<'_>> = libraries
            .iter()
            .zip(&described)
            .map(|(library, (dylink, interface))| Part {
                name: &library.name,
                dylink,
                interface,
            })
            .collect();
        let plan = plan(&mut store, linker, &parts, stack_size)?;
        let shared = shared(&mut store, &plan, libraries)?;
        let mut cells = Vec::with_capacity(parts.len());
        let mut instances = Vec::with_capacity(parts.len());
        for ((library, part), placed) in libraries.iter().zip(&parts).zip(&plan.placed) {
            let mut imports = Vec::with_capacity(part.interface.imports.len());
            let mut own = Vec::with_capacity(part.interface.imports.len());
            for (import, theirs) in part.interface.imports.iter().zip(library.module.imports()) {
                let (given, cell) = match &import.need {
                    Need::Memory => (shared.memory.into(), None),
                    Need::Table => (shared.table.into(), None),
                    Need::StackPointer => (shared.stack_pointer.into(), None),
                    Need::MemoryBase => (
                        address(&mut store, placed.memory.start, Mutability::Const)?.into(),
                        None,
                    ),
                    Need::TableBase => (address(&mut store, placed.table.start, Mutability::Const)?.into(), None),
                    Need::DataAddress { .. } | Need::FunctionAddress { .. } => {
                        let cell = address(&mut store, 0, Mutability::Var)?;
                        (cell.into(), Some(cell))
                    }
                    Need::Function { ty, .. } => (unbound(&mut store, import, part.name, ty.clone()).into(), None),
                    Need::Other(_) => (other(&mut store, linker, part.name, &theirs)?, None),
                };
                imports.push(given);
                own.push(cell);
            }
            instances.push(Instance::new(&mut store, &library.module, &imports)?);
            cells.push(own);
        }
        let mut image = Self {
            instances,
            memory: shared.memory,
            table: shared.table,
        };
        image.bind(&mut store, linker, &parts, &plan, &cells)?;
        for name in ["__wasm_apply_data_relocs", "__wasm_call_ctors"] {
            for instance in image.instances.iter().rev() {
                if let Some(func) = instance.get_func(&mut store, name) {
                    func.call(store.as_context_mut(), &[], &mut [])?;
                }
            }
        }
        Ok(image)
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

    /// The table that all modules share.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Gives each import what the plan says.
    fn bind<T: 'static>(
        &mut self,
        store: &mut StoreContextMut<'_, T>,
        linker: &Linker<T>,
        parts: &[Part<'_>],
        plan: &Plan,
        cells: &[Vec<Option<Global>>],
    ) -> Result<(), LoadError> {
        let mut slots = Slots::of(&*store, self.table);
        for (at, ((part, placed), cells)) in parts.iter().zip(&plan.placed).zip(cells).enumerate() {
            let imports = part.interface.imports.iter().zip(&placed.bindings).zip(cells);
            for (i, ((import, binding), cell)) in imports.enumerate() {
                let number = match *binding {
                    Binding::Own => continue,
                    Binding::Function(provider) => {
                        if let Some(func) = self.provided(store, linker, provider, &import.name) {
                            self.instances[at].rebind(&mut *store, i, func)?;
                        }
                        continue;
                    }
                    Binding::Data(_, address) => address,
                    Binding::Slot(provider) => match self.provided(store, linker, provider, &import.name) {
                        Some(func) => slots.place(&mut *store, func)?,
                        None => 0,
                    },
                };
                if let Some(cell) = cell {
                    cell.set(&mut *store, Val::I32(number.cast_signed()))?;
                }
            }
        }
        Ok(())
    }

    /// The function of a provider.
    fn provided<T: 'static>(
        &self,
        store: &mut StoreContextMut<'_, T>,
        linker: &Linker<T>,
        provider: Provider,
        name: &str,
    ) -> Option<Func> {
        match provider {
            Provider::Part(i) => self.instances.get(i)?.get_func(&mut *store, name),
            Provider::Host => linker.get(&mut *store, "env", name)?.into_func(),
            Provider::Nobody => None,
        }
    }
}

/// Where functions are in the table: each at one place, whoever takes its address.
struct Slots {
    table: Table,
    places: HashMap<Func, u32>,
}

impl Slots {
    /// Those that are there.
    fn of(store: impl AsContext, table: Table) -> Self {
        let mut places = HashMap::new();
        let size = u32::try_from(table.size(&store)).unwrap_or(u32::MAX);
        for place in 0..size {
            if let Some(Ref::Func(Some(func))) = table.get(&store, u64::from(place)) {
                places.entry(func).or_insert(place);
            }
        }
        Self { table, places }
    }

    /// The place of a function, which is made if there is none.
    fn place(&mut self, mut store: impl AsContextMut, func: Func) -> Result<u32, Error> {
        if let Some(place) = self.places.get(&func) {
            return Ok(*place);
        }
        let place = self.table.grow(&mut store, 1, Ref::Func(Some(func)))?;
        let place = u32::try_from(place).expect("a 32-bit table");
        self.places.insert(func, place);
        Ok(place)
    }
}

/// What a library says of itself.
fn describe(library: &Library) -> Result<(Dylink, Interface), LoadError> {
    let name = || Box::from(&*library.name);
    let dylink = Dylink::read(&library.module).map_err(|source| LoadError::Dylink { module: name(), source })?;
    let dylink = dylink.ok_or_else(|| LoadError::NotDynamic { module: name() })?;
    let interface = Interface::of(&library.module, &dylink);
    let interface = interface.map_err(|source| LoadError::Interface { module: name(), source })?;
    Ok((dylink, interface))
}

/// The plan for a program.
fn plan<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    linker: &Linker<T>,
    parts: &[Part<'_>],
    stack_size: u32,
) -> Result<Plan, LoadError> {
    let mut host = HashMap::new();
    for import in parts.iter().flat_map(|part| &part.interface.imports) {
        if let Some(Extern::Func(func)) = linker.get(&mut *store, "env", &import.name) {
            host.insert(&*import.name, func.ty(&*store));
        }
    }
    let room = Room {
        memory: 0..u32::MAX,
        // A null pointer to a function is no function's.
        table: 1..u32::MAX,
        stack_size,
    };
    let plan = Plan::new(parts, &room, &|name| host.get(name).cloned())?;
    match plan.missing.is_empty() {
        true => Ok(plan),
        false => Err(LoadError::Missing { symbols: plan.missing }),
    }
}

/// The memory, the table and the stack pointer for a plan.
fn shared<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    plan: &Plan,
    libraries: &[Library],
) -> Result<Shared, LoadError> {
    let mut pages = u64::from(plan.left.memory.start.div_ceil(PAGE));
    let mut elements = u64::from(plan.left.table.start);
    for import in libraries.iter().flat_map(|library| library.module.imports()) {
        match import.ty() {
            ExternType::Memory(ty) => pages = pages.max(ty.minimum()),
            ExternType::Table(ty) => elements = elements.max(ty.minimum()),
            _ => {}
        }
    }
    let size = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let table = TableType::new(RefType::FUNCREF, size(elements), None);
    Ok(Shared {
        memory: Memory::new(&mut *store, MemoryType::new(size(pages), None))?,
        table: Table::new(&mut *store, table, Ref::Func(None))?,
        stack_pointer: address(store, plan.stack.end, Mutability::Var)?,
    })
}

/// A global with an address.
fn address(store: impl AsContextMut, address: u32, mutability: Mutability) -> Result<Global, Error> {
    let ty = GlobalType::new(ValType::I32, mutability);
    Global::new(store, ty, Val::I32(address.cast_signed()))
}

/// A function that stands for one which is not there, and says so when it is called.
fn unbound<T: 'static>(store: &mut StoreContextMut<'_, T>, import: &Import, importer: &str, ty: vm::FuncType) -> Func {
    let (symbol, importer): (Arc<str>, Arc<str>) = ((&*import.name).into(), importer.into());
    Func::new(&mut *store, ty, move |_, _, _| {
        let (symbol, importer) = (Arc::clone(&symbol), Arc::clone(&importer));
        Err(Error::host(Unbound { symbol, importer }))
    })
}

/// A function was called that nobody provides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{importer} has called `{symbol}`, which no module provides")]
pub struct Unbound {
    /// The function.
    pub symbol: Arc<str>,
    /// The module that called it.
    pub importer: Arc<str>,
}

/// What the linker has for an import that is no symbol.
fn other<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    linker: &Linker<T>,
    importer: &str,
    import: &vm::ImportType<'_>,
) -> Result<Extern, LoadError> {
    let given = linker.get(&mut *store, import.module(), import.name());
    given.ok_or_else(|| LoadError::UnknownImport {
        importer: importer.into(),
        module: import.module().into(),
        name: import.name().into(),
        ty: import.ty(),
    })
}
