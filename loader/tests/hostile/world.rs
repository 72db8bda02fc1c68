//! A program that passes on what the test tells it to do, and its libraries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use orcavm_loader::{FindError, Finder, Found, Request, Session};
use vm::{Config, Engine, Error, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, Table, Val};

/// What all modules here import.
const HEAD: &str = r#"
    (import "env" "memory" (memory 1))
    (import "env" "__indirect_function_table" (table $t 0 funcref))
    (import "env" "__memory_base" (global $base i32))
    (import "env" "__table_base" (global $table i32))
    (import "env" "__stack_pointer" (global $sp (mut i32)))
    (import "env" "note" (func $note (param i32)))
    (import "env" "dlopen" (func $dlopen (param i32 i32) (result i32)))
    (import "env" "dlmopen" (func $dlmopen (param i32 i32 i32) (result i32)))
    (import "env" "dlsym" (func $dlsym (param i32 i32) (result i32)))
    (import "env" "dlclose" (func $dlclose (param i32) (result i32)))
    (import "env" "dlerror" (func $dlerror (result i32)))
    (import "env" "dladdr" (func $dladdr (param i32 i32) (result i32)))
    (import "env" "dl_iterate_phdr" (func $iterate (param i32 i32) (result i32)))
    (import "env" "__cxa_atexit" (func $atexit (param i32 i32 i32) (result i32)))"#;

const MAIN: &str = r#"
    (type $f (func (result i32)))
    (func (export "open") (param i32 i32) (result i32) (call $dlopen (local.get 0) (local.get 1)))
    (func (export "mopen") (param i32 i32 i32) (result i32) (call $dlmopen (local.get 0) (local.get 1) (local.get 2)))
    (func (export "sym") (param i32 i32) (result i32) (call $dlsym (local.get 0) (local.get 1)))
    (func (export "close") (param i32) (result i32) (call $dlclose (local.get 0)))
    (func (export "error") (result i32) (call $dlerror))
    (func (export "addr") (param i32 i32) (result i32) (call $dladdr (local.get 0) (local.get 1)))
    (func (export "iterate") (param i32 i32) (result i32) (call $iterate (local.get 0) (local.get 1)))
    (func (export "atexit") (param i32 i32) (result i32) (call $atexit (local.get 0) (local.get 1) (i32.const 0)))
    (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "grow_memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow_table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
    (func (export "set_stack") (param i32) (result i32) (global.set $sp (local.get 0)) (i32.const 0))"#;

/// Where the program has room for strings and results.
pub const ROOM: u32 = 4096;
/// `RTLD_LAZY`, `RTLD_NOW` and `RTLD_GLOBAL`.
pub const LAZY: i32 = 1;
pub const NOW: i32 = 2;
pub const GLOBAL: i32 = 0x100;

/// A module with the usual imports, and what its section says.
pub fn module(engine: &Engine, section: &str, body: &str) -> Module {
    let text = format!("(module (@dylink.0 {section}) {HEAD} {body})");
    Module::new(engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A string in a module's data, for the name of another.
pub fn text(offset: u32, text: &str) -> String {
    format!(r#"(data (i32.add (global.get $base) (i32.const {offset})) "{text}\00")"#)
}

/// Opens the library whose name is so many bytes into the module's data.
pub fn opens(offset: u32, flags: i32) -> String {
    format!("(call $dlopen (i32.add (global.get $base) (i32.const {offset})) (i32.const {flags}))")
}

/// A finder that a function is.
struct Asked<F>(F);

impl<F: Fn(&str) -> Option<Module> + Send + Sync> Finder for Asked<F> {
    fn find(&self, request: &Request<'_>) -> Result<Found, FindError> {
        let module = (self.0)(request.name).ok_or(FindError::NotFound { looked: Vec::new() })?;
        Ok(Found::new(request.name, module))
    }
}

pub struct World {
    pub store: Store<StoreLimits>,
    pub session: Session<StoreLimits>,
    pub engine: Engine,
    notes: Arc<Mutex<Vec<i32>>>,
}

impl World {
    /// With these libraries: their names, sections and bodies.
    pub fn new(libraries: &[(&str, &str, &str)]) -> Self {
        Self::of(&Config::new(), libraries)
    }

    pub fn of(config: &Config, libraries: &[(&str, &str, &str)]) -> Self {
        let engine = Engine::new(config).expect("a valid configuration");
        let libraries: BTreeMap<String, Module> = libraries
            .iter()
            .map(|(name, section, body)| ((*name).to_owned(), module(&engine, section, body)))
            .collect();
        Self::with(&engine, move |name| libraries.get(name).cloned())
    }

    /// With whatever libraries this gives.
    pub fn with(engine: &Engine, find: impl Fn(&str) -> Option<Module> + Send + Sync + 'static) -> Self {
        let notes = Arc::<Mutex<Vec<i32>>>::default();
        let mut linker = Linker::new(engine);
        let noted = Arc::clone(&notes);
        let note = move |n: i32| noted.lock().expect("no panic").push(n);
        linker.func_wrap("env", "note", note).expect("the name is free");
        let exit = || -> Result<(), Error> { Err(Error::host(Exited)) };
        linker.func_wrap("env", "exit", exit).expect("the name is free");
        let session = Session::builder(linker).finder(Asked(find)).build();
        let mut store = Store::new(
            engine,
            StoreLimitsBuilder::new().instances(1000).table_elements(50_000).build(),
        );
        store.limiter(|limits| limits);
        if store.get_fuel().is_ok() {
            store.set_fuel(u64::MAX / 2).expect("it is counted");
        }
        let main = module(engine, "(mem-info (memory 65536 4) (table 0 0))", MAIN);
        session.load(&mut store, Found::new("main", main)).expect("it fits");
        let engine = engine.clone();
        Self {
            store,
            session,
            engine,
            notes,
        }
    }

    pub fn call(&mut self, name: &str, args: &[i32]) -> Result<i32, Error> {
        let image = self.session.image().expect("it is loaded");
        let func = image.program().get_func(&mut self.store, name).expect(name);
        let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results[0].i32().expect("a number"))
    }

    pub fn ok(&mut self, name: &str, args: &[i32]) -> i32 {
        self.call(name, args).expect("it returns")
    }

    /// Opens a library by name, as the guest; 0 if it fails.
    pub fn open(&mut self, name: &str, flags: i32) -> i32 {
        let name = self.write(name);
        self.ok("open", &[name, flags])
    }

    /// Opens a library that has to be there.
    pub fn opened(&mut self, name: &str, flags: i32) -> i32 {
        let handle = self.open(name, flags);
        assert_ne!(handle, 0, "{name}: {:?}", self.error());
        handle
    }

    pub fn sym(&mut self, handle: i32, name: &str) -> i32 {
        let name = self.write(name);
        self.ok("sym", &[handle, name])
    }

    /// Writes a string where the program has room.
    pub fn write(&mut self, text: &str) -> i32 {
        let bytes = [text.as_bytes(), &[0]].concat();
        let memory = self.memory();
        memory
            .write(&mut self.store, ROOM as usize, &bytes)
            .expect("there is room");
        ROOM.cast_signed()
    }

    /// What `dlerror` says.
    pub fn error(&mut self) -> Option<String> {
        let address = self.ok("error", &[]).cast_unsigned();
        (address != 0).then(|| self.string(address))
    }

    pub fn string(&self, address: u32) -> String {
        let mut bytes = [0; 4096];
        let at = usize::try_from(address).expect("64 bits");
        self.memory().read(&self.store, at, &mut bytes).expect("it is there");
        let end = bytes.iter().position(|byte| *byte == 0).expect("it ends");
        String::from_utf8(bytes[..end].to_vec()).expect("UTF-8")
    }

    pub fn memory(&self) -> Memory {
        self.session.image().expect("it is loaded").memory()
    }

    pub fn table(&self) -> Table {
        self.session.image().expect("it is loaded").table().expect("it has one")
    }

    /// What was noted since.
    pub fn notes(&self) -> Vec<i32> {
        std::mem::take(&mut *self.notes.lock().expect("no panic"))
    }

    /// The names of what is loaded.
    pub fn loaded(&self) -> Vec<String> {
        self.session.libraries().iter().map(ToString::to_string).collect()
    }
}

/// How `exit` ends a guest.
#[derive(Debug, thiserror::Error)]
#[error("exited")]
pub struct Exited;
