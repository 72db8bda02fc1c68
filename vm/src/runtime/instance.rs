//! Instances, and how they are made (Spec 3.0 §4.7.2).

use std::ptr::NonNull;

use super::constant;
use super::context::{AsContext, AsContextMut, StoreContextMut};
use super::domain::{Domain, Resource};
use super::externs::{Export, Extern, Global, Memory, Table, check_store, new_memory, new_table};
use super::func::{Func, TypedFunc};
use super::image::Image;
use super::linking::{Link, func_fits};
use super::module::Module;
use super::snapshot::Saved;
use super::store::{InstanceEntity, InstanceId, StoreData, StoreId, StoreInner};
use super::tag::Tag;
use super::typed::{WasmParams, WasmResults};
use crate::error::{Error, LinkError};
use crate::exec::context::{CxLayout, FuncRef, InstanceCx, Wiring};
use crate::exec::globals::{GivenValues, GlobalRef};
use crate::exec::host::Binder;
use crate::exec::memory::{Guarding, MemoryRef};
use crate::exec::table::TableRef;
use crate::exec::tag::{TagRef, TagShape};
use crate::exec::{entry, slow};
use crate::ir::code::CodeOptions;
use crate::module::{ConstOp, DataKind, ElemKind, ExportKind, GlobalIdx, Import, ImportKind, ModuleData, TagIdx};
use crate::trap::Trap;
use crate::types::{Definer, GlobalType, MemoryType, TableType, ValType};

/// An instance of a module.
///
/// ```
/// use vm::{Engine, Func, Instance, Module, Store};
///
/// # fn main() -> Result<(), vm::Error> {
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "next" (func $next (result i32)))
///         (func (export "twice") (result i32) (i32.add (call $next) (call $next))))"#,
/// )?;
/// let mut store = Store::new(&engine, 20);
/// let next = Func::wrap(&mut store, |mut caller: vm::Caller<'_, i32>| {
///     *caller.data_mut() += 1;
///     *caller.data()
/// });
/// let instance = Instance::new(&mut store, &module, &[next.into()])?;
/// let twice = instance.get_typed_func::<(), i32>(&mut store, "twice")?;
/// assert_eq!(twice.call(&mut store, ())?, 43);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    store: StoreId,
    id: InstanceId,
}

impl Instance {
    /// An instance of `module` with these imports, one for each of the
    /// module's, in order. Its start function has run.
    ///
    /// # Errors
    /// [`Error::Link`] if the imports do not fit, [`Error::Type`] if one is of
    /// another store, [`Error::Limit`] (or the limiter's error) if the store's
    /// limits or the system do not allow what the module defines; nothing has
    /// happened then. A trap or host error if a segment does not
    /// fit or the start function fails; what happened before stays.
    ///
    /// # Panics
    /// If the module is of another engine than the store.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Self, Error> {
        let store = store.as_context_mut();
        let domain = store.0.inner.current_domain().clone();
        instantiate(store, module, imports, &domain)
    }

    /// An instance of `module` in a domain, as [`Instance::new`].
    ///
    /// # Errors
    /// As [`Instance::new`]; [`Error::Type`] too if the domain is of another
    /// store, [`Error::Permission`] if its quotas do not allow what the module
    /// defines.
    ///
    /// # Panics
    /// If the module is of another engine than the store.
    pub fn new_in(
        mut store: impl AsContextMut,
        module: &Module,
        imports: &[Extern],
        domain: &Domain,
    ) -> Result<Self, Error> {
        instantiate(store.as_context_mut(), module, imports, domain)
    }

    /// Makes an imported function another one: calls from now on are calls of
    /// `func`. `import` is its position among all imports of the module.
    ///
    /// So modules can be linked that import from each other: instantiated with
    /// anything of the right types, and given what they import when that is there.
    /// References that were made before, in tables and globals, stay.
    ///
    /// ```
    /// use vm::{Engine, Error, Func, Instance, Module, Store};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let module = Module::new(
    ///     &engine,
    ///     r#"(module (import "" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))"#,
    /// )?;
    /// let [one, two] = [1, 2].map(|n| Func::wrap(&mut store, move || n));
    /// let instance = Instance::new(&mut store, &module, &[one.into()])?;
    /// let run = instance.get_typed_func::<(), i32>(&mut store, "run")?;
    /// assert_eq!(run.call(&mut store, ())?, 1);
    /// instance.rebind(&mut store, 0, two)?;
    /// assert_eq!(run.call(&mut store, ())?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LinkError::IncompatibleImport`] if the import is of another type, or no
    /// function; [`Error::Type`] if `func` is of another store.
    ///
    /// # Panics
    /// If there is no such import, or the instance is of another store.
    pub fn rebind(&self, mut store: impl AsContextMut, import: usize, func: Func) -> Result<(), Error> {
        let inner = &mut store.as_context_mut().0.inner;
        let given = func.within(inner)?;
        let index = u32::try_from(self.within(inner).index()).expect("made from one");
        let imports = &self.entity(inner).module.data().imports;
        let wanted = imports.get(import).expect("the import exists");
        let Some(place) = self.entity(inner).module.data().func_of_import(import) else {
            return Err(LinkError::IncompatibleImport {
                module: wanted.module.clone(),
                name: wanted.name.clone(),
                expected: self.entity(inner).module.data().import_type(wanted).into(),
                found: Box::new(func.ty_in(inner).into()),
            }
            .into());
        };
        inner.bind(index, place, given)
    }

    /// The domain it belongs to.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn domain(&self, store: impl AsContext) -> Domain {
        let inner = &store.as_context().0.inner;
        let index = self.entity(inner).domain;
        inner.domain_at(index).clone()
    }

    fn entity(self, store: &StoreInner) -> &InstanceEntity {
        &store.instances[self.within(store).index()]
    }

    /// Its index in its store.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(super) fn within(self, store: &StoreInner) -> InstanceId {
        check_store(self.store, store, "instance");
        self.id
    }

    pub(super) fn handle(store: StoreId, id: InstanceId) -> Self {
        Self { store, id }
    }

    /// What it exports under a name.
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let inner = &mut store.as_context_mut().0.inner;
        check_store(self.store, inner, "instance");
        export_of(inner, self.id, name)
    }

    /// The function it exports under a name.
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The function it exports under a name, with Rust types.
    ///
    /// # Errors
    /// [`Error::Link`] if there is no such function, [`Error::Type`] if its
    /// type is another.
    pub fn get_typed_func<P: WasmParams, R: WasmResults>(
        &self,
        mut store: impl AsContextMut,
        name: &str,
    ) -> Result<TypedFunc<P, R>, Error> {
        match self.get_func(&mut store, name) {
            Some(func) => func.typed(&store),
            None => {
                let module = self.entity(&store.as_context().0.inner).module.data();
                let available = module.exports.iter().map(|export| export.name.clone()).collect();
                Err(LinkError::MissingExport {
                    kind: "function",
                    name: name.into(),
                    available,
                }
                .into())
            }
        }
    }

    /// The memory it exports under a name.
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The table it exports under a name.
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The global it exports under a name.
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The tag it exports under a name.
    pub fn get_tag(&self, store: impl AsContextMut, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All it exports, in order.
    pub fn exports(&self, mut store: impl AsContextMut) -> std::vec::IntoIter<Export> {
        let inner = &store.as_context_mut().0.inner;
        let entity = self.entity(inner);
        let exports = entity.module.data().exports.iter();
        let exports: Vec<Export> = exports
            .map(|export| Export::new(&export.name, resolve(inner, entity, export.kind)))
            .collect();
        exports.into_iter()
    }
}

/// What an instance exports under a name.
pub(crate) fn export_of(store: &mut StoreInner, id: InstanceId, name: &str) -> Option<Extern> {
    let entity = store.instances.get(id.index())?;
    let export = entity.module.data().export(name)?;
    Some(resolve(store, entity, export.kind))
}

/// The handle of an export.
fn resolve(store: &StoreInner, entity: &InstanceEntity, kind: ExportKind) -> Extern {
    match kind {
        ExportKind::Func(func) => Func::new_handle(store.id, entity.cx.func_ref(func)).into(),
        ExportKind::Table(table) => Table::handle(store.id, entity.tables[table.index()]).into(),
        ExportKind::Memory(memory) => Memory::handle(store.id, entity.memories[memory.index()]).into(),
        ExportKind::Global(global) => {
            let ty = &entity.module.data().globals[global.index()];
            let ty = ty.raw(&mut Definer::new(store.engine.types()));
            Global::handle(store.id, entity.cx.global(global), ty).into()
        }
        ExportKind::Tag(tag) => Tag::handle(store.id, entity.cx.tag(tag)).into(),
    }
}

/// The parts of a store that an instance gets from outside.
#[derive(Default)]
pub(super) struct Imports {
    /// None where a function is to be found when it is called.
    funcs: Vec<Option<FuncRef>>,
    tables: Vec<TableRef>,
    memories: Vec<MemoryRef>,
    globals: Vec<GivenGlobal>,
    tags: Vec<TagRef>,
    binder: Option<Binder>,
}

/// A global that an instance gets.
#[derive(Clone, Copy)]
enum GivenGlobal {
    /// One that there is.
    Cell(GlobalRef),
    /// One for itself, with this value.
    Value([u64; 2]),
}

impl Imports {
    /// Checks that each of `externs` fits the module's import in its place.
    fn check(store: &StoreInner, module: &ModuleData, externs: &[Extern]) -> Result<Self, Error> {
        if externs.len() != module.imports.len() {
            return Err(LinkError::WrongImportCount {
                expected: module.imports.len(),
                found: externs.len(),
            }
            .into());
        }
        let mut imports = Self::default();
        for (import, given) in module.imports.iter().zip(externs) {
            imports.add(store, module, import, given)?;
        }
        Ok(imports)
    }

    /// As [`Imports::check`], of links; `binder` finds what is unbound.
    pub(super) fn check_links(
        store: &StoreInner,
        module: &ModuleData,
        links: &[Link],
        binder: Binder,
    ) -> Result<Self, Error> {
        if links.len() != module.imports.len() {
            return Err(LinkError::WrongImportCount {
                expected: module.imports.len(),
                found: links.len(),
            }
            .into());
        }
        let mut imports = Self {
            binder: Some(binder),
            ..Self::default()
        };
        for (import, link) in module.imports.iter().zip(links) {
            match (link, import.ty) {
                (Link::Extern(given), _) => imports.add(store, module, import, given)?,
                (Link::Value(value), ImportKind::Global(global))
                    if value.ty().matches(module.globals[global.index()].content()) =>
                {
                    let slots = value.to_slots(module.globals[global.index()].content(), store)?;
                    imports.globals.push(GivenGlobal::Value(slots));
                }
                (Link::Unbound, ImportKind::Func(_)) if !module.refers_to_import(imports.funcs.len()) => {
                    imports.funcs.push(None);
                }
                (Link::Value(_) | Link::Unbound, _) => {
                    return Err(LinkError::UnknownImport {
                        module: import.module.clone(),
                        name: import.name.clone(),
                        ty: module.import_type(import).into(),
                        similar: None,
                    }
                    .into());
                }
            }
        }
        Ok(imports)
    }

    /// What an instance was given.
    pub(super) fn of(instance: &InstanceEntity) -> Self {
        let module = instance.module.data();
        let globals = (0..).map(GlobalIdx::new).take(module.num_imported_globals);
        let given = |global| {
            let cell = instance.cx.global(global);
            match instance.values.last() {
                Some(values) if values.has(cell) => GivenGlobal::Value(cell.slots()),
                _ => GivenGlobal::Cell(cell),
            }
        };
        Self {
            funcs: (0..module.num_imported_funcs)
                .map(|i| instance.cx.imported_func(i))
                .collect(),
            tables: instance.tables[..module.num_imported_tables].to_vec(),
            memories: instance.memories[..module.num_imported_memories].to_vec(),
            globals: globals.map(given).collect(),
            tags: (0..module.num_imported_tags)
                .map(|i| instance.cx.tag(tag_idx(i)))
                .collect(),
            binder: instance.binder.clone(),
        }
    }

    fn add(&mut self, store: &StoreInner, module: &ModuleData, import: &Import, given: &Extern) -> Result<(), Error> {
        given.check_in(store)?;
        let fits = match (import.ty, given) {
            (ImportKind::Func(ty), Extern::Func(func)) => {
                let func = func.func_ref();
                self.funcs.push(Some(func));
                func_fits(func, module.types[ty.index()].def(), import.is_exact)
            }
            (ImportKind::Table(ty), Extern::Table(table)) => {
                let table = table.table_ref();
                self.tables.push(table);
                table_fits(&module.tables[ty.index()], table.get().ty(), table.get().len)
            }
            (ImportKind::Memory(ty), Extern::Memory(memory)) => {
                let memory = memory.memory_ref();
                self.memories.push(memory);
                memory_fits(&ty, memory.get().ty(), memory.get().pages())
            }
            (ImportKind::Global(ty), Extern::Global(global)) => {
                self.globals.push(GivenGlobal::Cell(global.cell()));
                global.ty_in(store).matches(&module.globals[ty.index()])
            }
            (ImportKind::Tag(ty), Extern::Tag(tag)) => {
                let tag = tag.tag_ref();
                self.tags.push(tag);
                module.types[ty.index()].def().id() == tag.shape().id
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(LinkError::IncompatibleImport {
            module: import.module.clone(),
            name: import.name.clone(),
            expected: module.import_type(import).into(),
            found: given.ty_in(store).into(),
        }
        .into())
    }
}

/// Whether limits match (Spec 3.0 §3.3.4): `size` is the present minimum.
fn limits_fit(minimum: u64, maximum: Option<u64>, size: u64, given: Option<u64>) -> bool {
    size >= minimum && maximum.is_none_or(|maximum| given.is_some_and(|given| given <= maximum))
}

fn table_fits(wanted: &TableType, given: &TableType, size: u64) -> bool {
    (wanted.is_64(), wanted.element()) == (given.is_64(), given.element())
        && limits_fit(wanted.minimum(), wanted.maximum(), size, given.maximum())
}

fn memory_fits(wanted: &MemoryType, given: &MemoryType, size: u64) -> bool {
    let kind = |ty: &MemoryType| (ty.is_64(), ty.page_size(), ty.is_shared());
    kind(wanted) == kind(given) && limits_fit(wanted.minimum(), wanted.maximum(), size, given.maximum())
}

/// Instantiates a module.
fn instantiate<T: 'static>(
    mut store: StoreContextMut<'_, T>,
    module: &Module,
    externs: &[Extern],
    domain: &Domain,
) -> Result<Instance, Error> {
    assert!(
        super::engine::Engine::same(module.engine(), store.engine()),
        "the module and the store are of different engines"
    );
    let imports = Imports::check(&store.0.inner, module.data(), externs)?;
    let id = allocate(&mut store, module, imports, None, domain)?;
    initialize(store.0, id, module.data(), module.image())?;
    Ok(Instance::handle(store.0.inner.id, id))
}

/// Bytes of globals, imports and the like that an instance may have without their
/// being counted as memory of its domain.
const FREE_CONTEXT: usize = 64 << 10;

/// Makes an instance that is still to be given its globals and segments. Its
/// memories and tables are as in `saved`, or of their first sizes.
///
/// # Errors
/// If limits, quotas or the system do not allow it; nothing has happened then.
pub(super) fn allocate<T: 'static>(
    store: &mut StoreContextMut<'_, T>,
    module: &Module,
    imports: Imports,
    saved: Option<&Saved>,
    domain: &Domain,
) -> Result<InstanceId, Error> {
    let whole = store.whole();
    let inner = &mut store.0.inner;
    let data = module.data();
    let own_memories = data.memories.len() - data.num_imported_memories;
    let own_tables = data.tables.len() - data.num_imported_tables;
    // Only who asks for it by linking gets the place of another, which was its domain's.
    let is_link = imports.binder.is_some() && saved.is_none();
    let former = is_link.then(|| inner.former(module.data(), domain)).flatten();
    inner.check_counts(whole, former.is_some(), own_memories, own_tables)?;
    let charge = domain.charge(Resource::Instances, 1)?;
    let beyond = CxLayout::bytes(data).saturating_sub(FREE_CONTEXT);
    let context = domain.charge(Resource::Memory, beyond as u64)?;
    let domain_index = inner.add_domain(domain)?;

    let Imports {
        funcs,
        mut tables,
        mut memories,
        globals,
        tags,
        binder,
    } = imports;
    let own_tags = own_tags(inner, data);
    let mark = inner.mark();
    if let Err(error) = allocate_own(inner, whole, data, saved, domain, &mut memories, &mut tables) {
        inner.roll_back(&mark);
        return Err(error);
    }
    let constants = constants(data, &globals, binder.is_some());
    let given = globals.iter().enumerate().filter_map(|(i, global)| match global {
        GivenGlobal::Value(slots) => Some((i, *slots)),
        GivenGlobal::Cell(_) => None,
    });
    // Cells of a former instance may be referred to still.
    let former_values = former.and_then(|former| inner.instances.get_mut(former.index()));
    let is_same = |values: &mut GivenValues| values.globals().eq(given.clone().map(|(i, _)| i));
    let values = match former_values.and_then(|former| former.values.pop_if(is_same)) {
        Some(values) => {
            values.set(given.map(|(_, slots)| slots));
            values
        }
        None => GivenValues::new(given),
    };
    let mut cells = values.cells();
    let globals: Vec<GlobalRef> = globals
        .iter()
        .map(|global| match global {
            GivenGlobal::Cell(cell) => *cell,
            GivenGlobal::Value(_) => cells.next().expect("one cell for each value"),
        })
        .collect();
    drop(cells);
    let config = inner.engine.config();
    let options = CodeOptions {
        fuel: config.fuel,
        depth: config.max_depth.is_some(),
        deterministic: config.deterministic,
        checked: memories
            .iter()
            .map(|memory| memory.get().guarding() == Guarding::Checked)
            .collect(),
        constants,
    };
    let code = module.code(options);
    let index = former.map_or(inner.instances.len(), InstanceId::index);
    let index = u32::try_from(index).expect("the number of instances is limited");
    let wiring = Wiring {
        domain: domain_index,
        funcs: &funcs,
        globals: &globals,
        memories: &memories,
        tables: &tables,
        tags: &tags,
        own_tags: &own_tags,
    };
    let rt = inner.machine.rt();
    let id = InstanceId::new(index);
    inner.instances_made += 1;
    let Some(former) = former.and_then(|former| inner.instances.get_mut(former.index())) else {
        let cx = InstanceCx::new(code, rt, index, &wiring);
        inner.instances.push(InstanceEntity {
            cx,
            dropped_data: InstanceEntity::fresh_data(data),
            elems: Vec::new(),
            handle_globals: Vec::new(),
            module: module.clone(),
            memories,
            tables,
            domain: domain_index,
            charges: (Some(charge), context),
            binder,
            values: vec![values],
            unloaded: None,
            kept_types: Vec::new(),
        });
        inner.note_handle_globals(id);
        return Ok(id);
    };
    former.cx.renew(code, rt, index, &wiring);
    former.dropped_data = InstanceEntity::fresh_data(data);
    former.module = module.clone();
    former.memories = memories;
    former.tables = tables;
    former.domain = domain_index;
    former.charges = (Some(charge), context);
    former.binder = binder;
    former.values.push(values);
    former.unloaded = None;
    former.kept_types = Vec::new();
    inner.retired.retain(|(_, retired)| *retired != id);
    inner.note_handle_globals(id);
    Ok(id)
}

/// The values of globals that code may have as constants, by index: those that are the
/// same as long as the instance is there. Values of `global_inits` alone are not
/// among them. `is_linked` says that no function of the instance can be called
/// unless its start function has returned, or is running.
fn constants(module: &ModuleData, given: &[GivenGlobal], is_linked: bool) -> Box<[Option<u64>]> {
    // What is another's can change in one that it can be changed through.
    let constant = |(i, (ty, global)): (usize, (&GlobalType, &GivenGlobal))| match *global {
        GivenGlobal::Cell(cell) => ty.is_constant_number().then(|| cell.get()),
        GivenGlobal::Value([slot, _]) => {
            let is_constant = *ty.content() != ValType::V128 && module.keeps_import(global_idx(i));
            is_constant.then_some(slot)
        }
    };
    let mut constants: Vec<Option<u64>> = module.globals.iter().zip(given).enumerate().map(constant).collect();
    let is_constant = |global: GlobalIdx| {
        let ty = module.globals.get(global.index());
        ty.is_some_and(GlobalType::is_constant_number)
    };
    let sums = module.own_globals().zip(&module.global_inits);
    let sums = sums.filter(|(global, init)| is_constant(*global) && !matches!(*init.0, [ConstOp::Const(_)]));
    let settled = module.settled.iter().map(|(global, value)| (*global, value));
    for (global, expr) in sums.chain(settled.take_while(|_| is_linked)) {
        let known = |from: GlobalIdx| constants.get(from.index()).copied().flatten();
        let Some(value) = constant::known_value(expr, known) else {
            continue;
        };
        if constants.len() <= global.index() {
            constants.resize(global.index() + 1, None);
        }
        if let Some(constant) = constants.get_mut(global.index()) {
            *constant = Some(value);
        }
    }
    constants.into()
}

/// The index of a global.
fn global_idx(i: usize) -> GlobalIdx {
    GlobalIdx::new(u32::try_from(i).expect("validation bounds globals"))
}

/// The index of a tag.
fn tag_idx(i: usize) -> TagIdx {
    TagIdx::new(u32::try_from(i).expect("validation bounds tags"))
}

/// The shapes of the tags that a module defines.
fn own_tags(store: &mut StoreInner, module: &ModuleData) -> Vec<NonNull<TagShape>> {
    let own = module.tags.iter().skip(module.num_imported_tags);
    own.map(|ty| NonNull::from(store.tag_shape(module.types[ty.index()].def())))
        .collect()
}

/// Makes the memories and tables that a module defines.
fn allocate_own(
    store: &mut StoreInner,
    whole: *mut (),
    module: &ModuleData,
    saved: Option<&Saved>,
    domain: &Domain,
    memories: &mut Vec<MemoryRef>,
    tables: &mut Vec<TableRef>,
) -> Result<(), Error> {
    for (i, ty) in module.memories.iter().skip(module.num_imported_memories).enumerate() {
        let saved = saved.and_then(|saved| saved.memories.get(i));
        memories.push(new_memory(store, whole, *ty, saved, domain)?);
    }
    for (i, ty) in module.tables.iter().skip(module.num_imported_tables).enumerate() {
        let saved = saved.and_then(|saved| saved.tables.get(i));
        tables.push(new_table(
            store,
            whole,
            ty.clone(),
            0,
            saved.map(|elems| &**elems),
            domain,
        )?);
    }
    Ok(())
}

/// Gives globals, tables and segments of elements their first values. The store's
/// innermost scope keeps the objects of those that are still to come.
fn first_values(inner: &mut StoreInner, whole: *mut (), at: usize, module: &ModuleData) -> Result<(), Error> {
    for (global, init) in module.own_globals().zip(&module.global_inits) {
        let value = constant::evaluate(inner, whole, at, init)?;
        inner.instances[at].cx.global(global).set(value);
    }
    for (i, init) in module.table_inits.iter().enumerate() {
        if let Some(init) = init {
            let [value, _] = constant::evaluate(inner, whole, at, init)?;
            let table = inner.instances[at].tables[module.num_imported_tables + i];
            table.get_mut().elems_mut().fill(value);
        }
    }
    // All segments are there before the first is written: where a later one
    // traps, functions that are in a shared table by then can still use them.
    for segment in &module.elems {
        let elems = match &segment.kind {
            ElemKind::Declared => Box::default(),
            ElemKind::Passive | ElemKind::Active { .. } => constant::elements(inner, whole, at, &segment.items)?,
        };
        inner.instances[at].elems.push(elems);
    }
    for (i, segment) in module.elems.iter().enumerate() {
        if let ElemKind::Active { table, offset } = &segment.kind {
            let elems = std::mem::take(&mut inner.instances[at].elems[i]);
            let [offset, _] = constant::evaluate(inner, whole, at, offset)?;
            let table = inner.instances[at].tables[table.index()];
            slow::table_init(table, &elems, offset, 0, elems.len() as u64)?;
        }
    }
    Ok(())
}

/// Gives globals, tables and memories their first values, and runs the start
/// function.
pub(super) fn initialize<T: 'static>(
    store: &mut StoreData<T>,
    id: InstanceId,
    module: &ModuleData,
    image: Option<&Image>,
) -> Result<(), Error> {
    let whole: *mut () = std::ptr::from_mut(store).cast();
    let inner = &mut store.inner;
    let at = id.index();
    let scope = inner.roots.enter();
    let outcome = first_values(inner, whole, at, module);
    inner.roots.exit(scope);
    outcome?;
    let memory = inner.instances[at].memories.first();
    let is_mapped = image
        .zip(memory)
        .is_some_and(|(image, memory)| memory.get_mut().map_image(image.at, &image.pages));
    for segment in module.datas.iter().filter(|_| !is_mapped) {
        if let DataKind::Active { memory, offset } = &segment.kind {
            let [offset, _] = constant::evaluate(inner, whole, at, offset)?;
            let memory = inner.instances[at].memories[memory.index()];
            let bytes = module.bytes.get(segment.range.clone()).ok_or(Trap::MemoryOutOfBounds)?;
            slow::memory_init(memory, bytes, offset, 0, bytes.len() as u64)?;
        }
    }
    if let Some(start) = module.start {
        let start = inner.instances[at].cx.func_ref(start);
        entry::call(store, start, |_, _| (), |_, _| ())?;
    }
    Ok(())
}
