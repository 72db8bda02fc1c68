//! Runs a session beside the model, and compares them after each step.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use orcavm_loader::{
    Binding, DEFAULT_STACK, Dylink, Found, Interface, LOWEST_ADDRESS, Need, OpenFlags, Opened, Part, Plan, Provider,
    Room, Session,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use vm::{Engine, FuncType, Instance, Linker, Module, Ref, Store, Val, ValType};

use crate::model::{Failed, Id, Model};
use crate::modules::{Graph, ModuleSpec, SYMBOLS, Step, story, value};

/// What a program has besides: it opens, looks up and closes for the test. Its strings
/// are at an address that it gives.
const MAIN: &str = r#"
    (import "env" "dlopen" (func $dlopen (param i32 i32) (result i32)))
    (import "env" "dlsym" (func $dlsym (param i32 i32) (result i32)))
    (import "env" "dlclose" (func $dlclose (param i32) (result i32)))
    ----
    (func (export "text") (result i32) (i32.add (global.get $base) (i32.const 64)))
    (func (export "open") (param i32 i32) (result i32) (call $dlopen (local.get 0) (local.get 1)))
    (func (export "sym") (param i32 i32) (result i32) (call $dlsym (local.get 0) (local.get 1)))
    (func (export "close") (param i32) (result i32) (call $dlclose (local.get 0)))"#;

type Notes = Arc<Mutex<Vec<i32>>>;
type Checked = Result<(), TestCaseError>;

/// By whom something is open.
enum Handle {
    Host(Opened<()>),
    Guest(i32),
}

struct Run {
    graph: Graph,
    model: Model,
    store: Store<()>,
    session: Session<()>,
    notes: Notes,
    open: Vec<(Id, Handle)>,
    /// One function has one place in the table.
    places: HashMap<(Id, usize), i32>,
}

fn name(module: usize) -> String {
    format!("m{module}")
}

/// A program as it is loaded, if it can be, and its plan.
fn start(graph: &Graph) -> Result<Option<Run>, TestCaseError> {
    let engine = Engine::default();
    let notes = Notes::default();
    let mut linker = Linker::new(&engine);
    let noted = Arc::clone(&notes);
    let note = move |n: i32| noted.lock().expect("no panic").push(n);
    linker.func_wrap("env", "note", note).expect("the name is free");
    let module = |(number, spec): (usize, &ModuleSpec)| {
        let text = spec.text(number, if number == 0 { MAIN } else { "" });
        let module = Module::new(&engine, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (name(number), module)
    };
    let modules: BTreeMap<String, Module> = graph.modules.iter().enumerate().map(module).collect();
    let found = |number: usize| Found::new(&name(number), modules[&name(number)].clone());
    let builder = Session::builder(linker).finder(modules.clone()).bind_now(graph.is_now);
    let preloads = graph.preloads.iter().copied();
    let session = preloads
        .fold(builder, |builder, number| builder.preload(found(number)))
        .build();
    let mut store = Store::new(&engine, ());
    let loaded = session.load(&mut store, found(0));
    let model = Model::program(graph);
    check_plan(graph, &modules)?;
    match (model, loaded) {
        (Err(Failed), Err(_)) => {
            prop_assert_eq!(session.libraries().len(), 0);
            Ok(None)
        }
        (Ok(model), Ok(_)) => Ok(Some(Run {
            graph: graph.clone(),
            model,
            store,
            session,
            notes,
            open: Vec::new(),
            places: HashMap::new(),
        })),
        (model, loaded) => Err(TestCaseError::fail(format!("{:?}, but {loaded:?}", model.is_ok()))),
    }
}

/// A plan of a program says what the model does, as if all were bound at once.
fn check_plan(graph: &Graph, modules: &BTreeMap<String, Module>) -> Checked {
    // What nobody has is no error of a plan's.
    let mut lenient = graph.clone();
    lenient.is_now = true;
    for spec in &mut lenient.modules {
        for marks in [&mut spec.calls, &mut spec.function_addresses, &mut spec.data_addresses] {
            marks.iter_mut().flatten().for_each(|is_weak| *is_weak = true);
        }
    }
    let Ok(model) = Model::program(&lenient) else {
        return Err(TestCaseError::fail("all may be missing"));
    };
    let says: Vec<(String, Dylink, Interface)> = model
        .objects
        .iter()
        .map(|object| {
            let name = name(object.module);
            let dylink = Dylink::read(&modules[&name])
                .expect("well-formed")
                .expect("it is there");
            let interface = Interface::of(&modules[&name], &dylink).expect("it fits");
            (name, dylink, interface)
        })
        .collect();
    let mut parts = Vec::new();
    for (name, dylink, interface) in &says {
        parts.push(Part {
            name,
            dylink,
            interface,
        });
    }
    let room = Room {
        memory: 0..0x100_0000,
        table: 1..10_000,
        stack_size: DEFAULT_STACK,
    };
    let host = |name: &str| match name {
        "note" => Some(FuncType::new([ValType::I32], [])),
        _ => orcavm_loader::session_function(name),
    };
    let plan = Plan::new(&parts, &room, &host).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(plan.placed.len(), model.objects.len());
    let position = |id: Id| model.objects.iter().position(|object| object.id == id);
    let provider = |id: Option<Id>| id.and_then(position).map_or(Provider::Nobody, Provider::Part);
    let mut missing = Vec::new();
    for ((object, placed), (_, _, interface)) in model.objects.iter().zip(&plan.placed).zip(&says) {
        prop_assert!(placed.place.memory.start >= LOWEST_ADDRESS);
        for (import, binding) in interface.imports.iter().zip(&placed.bindings) {
            let number = |prefix: char| import.name.strip_prefix(prefix)?.parse::<usize>().ok();
            let (expected, is_weak) = match (&import.need, number('f'), number('d')) {
                (Need::Function { is_weak, .. }, Some(k), _) => (object_call(&model, &lenient, object.id, k), *is_weak),
                (Need::FunctionAddress { is_weak }, Some(k), _) => (object.function_addresses[k], *is_weak),
                (Need::DataAddress { is_weak }, _, Some(k)) => (object.data_addresses[k], *is_weak),
                _ => continue,
            };
            if expected.is_none() && !is_weak {
                missing.push((name(object.module), import.name.to_string()));
            }
            match *binding {
                Binding::Function(by) => prop_assert_eq!(by, provider(expected)),
                Binding::Slot(by, slot) => {
                    prop_assert_eq!(by, provider(expected));
                    prop_assert_eq!(slot == 0, expected.is_none());
                }
                Binding::Data(by, address) => {
                    prop_assert_eq!(by, provider(expected));
                    let at = expected.and_then(position).map(|at| &plan.placed[at].place.memory);
                    prop_assert!(at.is_none_or(|range| range.contains(&address)));
                }
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        }
    }
    let told: Vec<(String, String)> = plan
        .missing
        .iter()
        .map(|missing| (missing.importer.to_string(), missing.symbol.to_string()))
        .collect();
    prop_assert_eq!(told, missing);
    Ok(())
}

fn object_call(model: &Model, graph: &Graph, id: Id, k: usize) -> Option<Id> {
    model.function(graph, &model.scope(id), k)
}

impl Run {
    fn instance(&self, id: Id) -> Instance {
        let at = self.model.objects.iter().position(|object| object.id == id);
        let image = self.session.image().expect("it is loaded");
        image.instances()[at.expect("it is loaded")]
    }

    fn call(&mut self, instance: Instance, name: &str, args: &[i32]) -> Result<i32, vm::Error> {
        let func = instance.get_func(&mut self.store, name).expect(name);
        let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results[0].i32().expect("a number"))
    }

    fn main(&mut self, name: &str, args: &[i32]) -> i32 {
        let main = self.session.image().expect("it is loaded").program();
        self.call(main, name, args).expect("it returns")
    }

    fn text(&mut self, text: &str) -> i32 {
        let at = self.main("text", &[]);
        let memory = self.session.image().expect("it is loaded").memory();
        let bytes = [text.as_bytes(), &[0]].concat();
        let start = usize::try_from(at).expect("positive");
        memory.write(&mut self.store, start, &bytes).expect("there is room");
        at
    }

    /// What is at a place in the table, when it is called.
    fn at_place(&mut self, place: i32) -> Option<i32> {
        let table = self.session.image()?.table()?;
        let Some(Ref::Func(Some(func))) = table.get(&self.store, u64::from(place.cast_unsigned())) else {
            return None;
        };
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, &[], &mut results).ok()?;
        results[0].i32()
    }

    fn datum(&self, address: i32) -> i32 {
        let memory = self.session.image().expect("it is loaded").memory();
        let mut bytes = [0; 4];
        let at = usize::try_from(address.cast_unsigned()).expect("64 bits");
        memory.read(&self.store, at, &mut bytes).expect("it is there");
        i32::from_le_bytes(bytes)
    }

    fn value(&self, id: Id, k: usize) -> i32 {
        value(self.model.object(id).expect("it is loaded").module, k)
    }

    /// That a place in the table is where one function is, always.
    fn check_place(&mut self, provider: Id, k: usize, place: i32) -> Checked {
        prop_assert_eq!(self.at_place(place), Some(self.value(provider, k)));
        let known = *self.places.entry((provider, k)).or_insert(place);
        prop_assert_eq!(place, known, "one function, one place");
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Open {
                library,
                flags,
                by_guest,
            } => {
                let expected = self.model.open(&self.graph, library, flags);
                let opened = if by_guest {
                    let name = self.text(&name(library));
                    match self.main("open", &[name, flags.cast_signed()]) {
                        0 => Err("the guest got none".to_owned()),
                        handle => Ok(Handle::Guest(handle)),
                    }
                } else {
                    let flags = OpenFlags::from_bits(flags).expect("these there are");
                    let opened = self.session.open(&mut self.store, &name(library), flags);
                    opened.map(Handle::Host).map_err(|error| error.to_string())
                };
                match (expected, opened) {
                    (Ok(id), Ok(handle)) => self.open.push((id, handle)),
                    (Err(Failed), Err(_)) => {}
                    (expected, opened) => {
                        let opened = opened.map(drop);
                        return Err(TestCaseError::fail(format!("{expected:?}, but {opened:?}")));
                    }
                }
            }
            Step::Close { open } => {
                if self.open.is_empty() {
                    return Ok(());
                }
                let (id, handle) = self.open.swap_remove(open % self.open.len());
                self.model.close(id);
                match handle {
                    Handle::Host(opened) => opened.close(&mut self.store).expect("it is open"),
                    Handle::Guest(handle) => prop_assert_eq!(self.main("close", &[handle]), 0),
                }
            }
            Step::Sym { open, symbol, is_data } => {
                let at = open
                    .filter(|_| !self.open.is_empty())
                    .map(|open| open % self.open.len());
                self.sym(at, symbol, is_data)?;
            }
            Step::Call { object, symbol } => {
                let id = self.model.objects[object % self.model.objects.len()].id;
                let module = self.model.object(id).expect("it is loaded").module;
                if self.graph.modules[module].calls[symbol].is_none() {
                    return Ok(());
                }
                let instance = self.instance(id);
                let called = self.call(instance, &format!("call{symbol}"), &[]);
                let expected = self.model.call(&self.graph, id, symbol);
                let expected = expected.map(|provider| self.value(provider, symbol));
                prop_assert_eq!(called.as_ref().ok().copied(), expected, "{:?}", called);
            }
        }
        self.check()
    }

    /// `dlsym`, of one that is open or of all.
    fn sym(&mut self, at: Option<usize>, k: usize, is_data: bool) -> Checked {
        let symbol = format!("{}{k}", if is_data { 'd' } else { 'f' });
        let main = self.model.objects[0].id;
        let scope = match at {
            Some(at) => self.model.with_needs(&[self.open[at].0]),
            None => self.model.scope(main),
        };
        let expected = match is_data {
            true => self.model.datum(&self.graph, &scope, k),
            false => self.model.function(&self.graph, &scope, k),
        };
        let handle = match at.map(|at| &self.open[at].1) {
            Some(Handle::Host(opened)) => {
                if is_data {
                    let address = opened.get_address(&symbol);
                    let found = address.map(|address| self.datum(address.cast_signed()));
                    prop_assert_eq!(found, expected.map(|id| self.value(id, k)));
                } else {
                    let func = opened.get_typed_func::<(), i32>(&mut self.store, &symbol).ok();
                    let found = func.map(|func| func.call(&mut self.store, ()).expect("it returns"));
                    prop_assert_eq!(found, expected.map(|id| self.value(id, k)));
                }
                return Ok(());
            }
            Some(Handle::Guest(handle)) => *handle,
            None => 0,
        };
        if let (None, Some(found)) = (at, expected) {
            // Nobody has it open, so who asked keeps it.
            self.model.keep(main, found);
        }
        let name = self.text(&symbol);
        let found = self.main("sym", &[handle, name]);
        match expected {
            None => prop_assert_eq!(found, 0),
            Some(id) if is_data => prop_assert_eq!(self.datum(found), self.value(id, k)),
            Some(id) => self.check_place(id, k, found)?,
        }
        Ok(())
    }

    /// What is loaded, what ran, and where pointers lead.
    fn check(&mut self) -> Checked {
        let loaded: Vec<String> = self.session.libraries().iter().map(ToString::to_string).collect();
        let expected: Vec<String> = self.model.objects.iter().map(|object| name(object.module)).collect();
        prop_assert_eq!(loaded, expected);
        let notes = std::mem::take(&mut *self.notes.lock().expect("no panic"));
        prop_assert_eq!(notes, std::mem::take(&mut self.model.notes));
        for object in self.model.objects.clone() {
            let instance = self.instance(object.id);
            for k in 0..SYMBOLS {
                let spec = &self.graph.modules[object.module];
                let (takes_function, takes_data) = (spec.function_addresses[k], spec.data_addresses[k]);
                if takes_function.is_some() {
                    let place = self.call(instance, &format!("func{k}"), &[]).expect("it returns");
                    match object.function_addresses[k] {
                        Some(provider) => self.check_place(provider, k, place)?,
                        None => prop_assert_eq!(place, 0),
                    }
                }
                if takes_data.is_some() {
                    let address = self.call(instance, &format!("mem{k}"), &[]).expect("it returns");
                    match object.data_addresses[k] {
                        Some(provider) => prop_assert_eq!(self.datum(address), self.value(provider, k)),
                        None => prop_assert_eq!(address, 0),
                    }
                }
            }
        }
        Ok(())
    }
}

fn check(graph: &Graph, steps: &[Step]) -> Checked {
    let Some(mut run) = start(graph)? else { return Ok(()) };
    run.check()?;
    for step in steps {
        run.step(step)?;
    }
    run.model.end(|_| true);
    run.session.finish(&mut run.store).expect("destructors return");
    run.check()
}

#[test]
fn sessions_do_what_the_rules_say() {
    // `PROPTEST_CASES` says how many.
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&story(), |(graph, steps)| check(&graph, &steps));
    if let Err(error) = result {
        panic!("{error}");
    }
}
