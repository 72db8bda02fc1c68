//! This engine.

use vm::{
    Caller, Config, Engine, Error, Extern, ExternType, Func, Global, Instance, Memory, Module, Ref, RootScope,
    SharedMemory, Store, StoreLimits, StoreLimitsBuilder, Table, Tag, ThrownException, Trap, Val,
};

use crate::machine::{
    DEPTH, Ending, Hash, MEMORY_LIMIT, Machine, STEPS, STEPS_GLOBAL, Setup, State, TABLE_LIMIT, Type, Value, answer,
    global_value, hash_of_values,
};
use crate::values::values;

pub(crate) struct Ours {
    store: Store<StoreLimits>,
    exports: Vec<(String, Extern)>,
    fuel: Option<u64>,
}

impl Machine for Ours {
    fn start(wasm: &[u8], setup: &Setup) -> Result<Self, Ending> {
        let mut config = Config::new();
        config.consume_fuel(setup.fuel.is_some());
        config.memory_guard(setup.guard);
        let engine = Engine::new(&config).map_err(|error| ending(&error))?;
        let module = Module::new(&engine, wasm).map_err(|error| ending(&error))?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_LIMIT)
            .table_elements(TABLE_LIMIT)
            .build();
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        if let Some(fuel) = setup.fuel {
            store.set_fuel(fuel).map_err(|error| ending(&error))?;
        }
        let mut imports = Vec::new();
        for import in module.imports() {
            imports.push(provide(&mut store, import.name(), &import.ty())?);
        }
        let instance = Instance::new(&mut store, &module, &imports).map_err(|error| ending(&error))?;
        let exports = instance.exports(&mut store);
        let mut exports: Vec<_> = exports
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        exports.sort_by(|(a, _), (b, _)| a.cmp(b)); // engines keep them in different orders
        let fuel = setup.fuel;
        Ok(Self { store, exports, fuel })
    }

    fn functions(&mut self) -> Vec<(String, Vec<Type>)> {
        functions(&self.store, &self.exports)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Ending {
        if let Some(fuel) = self.fuel {
            self.store.set_fuel(fuel).expect("metered");
        }
        if let Some(steps) = exported(&self.exports, STEPS_GLOBAL).and_then(Extern::into_global) {
            // A damaged module may export something else under this name.
            let _ = steps.set(&mut self.store, Val::I32(STEPS));
        }
        let func = exported(&self.exports, name)
            .and_then(Extern::into_func)
            .expect("is a function");
        let ty = func.ty(&self.store);
        let mut scope = RootScope::new(&mut self.store);
        let arguments = arguments
            .iter()
            .zip(ty.params())
            .map(|(value, ty)| from_value(&mut scope, value, &ty))
            .collect::<Result<Vec<Val>, Error>>();
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(error) => return ending(&error),
        };
        let mut results = vec![Val::I32(0); ty.results().len()];
        match func.call(&mut scope, &arguments, &mut results) {
            Ok(()) => Ending::Values(results.iter().map(|value| to_value(&mut scope, value, DEPTH)).collect()),
            Err(error) => ending(&error),
        }
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        let mut scope = RootScope::new(&mut self.store);
        for (name, export) in &self.exports {
            let name = name.clone();
            match export {
                Extern::Global(global) => {
                    let value = global.get(&mut scope);
                    globals.push((name, to_value(&mut scope, &value, DEPTH)));
                }
                Extern::Memory(memory) => {
                    let ty = memory.ty(&scope);
                    let bytes = memory.data_size(&scope);
                    let hash = match ty.is_shared() {
                        // The peer can look at others with the usual pages only.
                        true if ty.page_size() != 0x1_0000 => 0,
                        true => {
                            let mut copy = vec![0; bytes];
                            memory.read(&scope, 0, &mut copy).expect("it is as large");
                            Hash::of_bytes(&copy)
                        }
                        false => Hash::of_bytes(memory.data(&scope)),
                    };
                    memories.push((name, bytes, hash));
                }
                Extern::Table(table) => {
                    let (size, hash) = contents(&mut scope, table);
                    tables.push((name, size, hash));
                }
                _ => {}
            }
        }
        State {
            globals,
            memories,
            tables,
        }
    }
}

/// What an import gets.
fn provide(store: &mut Store<StoreLimits>, name: &str, ty: &ExternType) -> Result<Extern, Ending> {
    let ending = |error: Error| ending(&error);
    Ok(match ty {
        ExternType::Func(ty) => Extern::Func(answering(store, name, ty)?),
        ExternType::Global(ty) => {
            let value = global_value(name, type_of(ty.content())).ok_or(Ending::Unanswerable)?;
            let value = from_value(store, &value, ty.content()).map_err(ending)?;
            Extern::Global(Global::new(store, ty.clone(), value).map_err(ending)?)
        }
        ExternType::Memory(ty) if ty.is_shared() => {
            let memory = SharedMemory::new(store.engine(), *ty).map_err(ending)?;
            Extern::Memory(memory.to_memory(store).map_err(ending)?)
        }
        ExternType::Memory(ty) => Extern::Memory(Memory::new(store, *ty).map_err(ending)?),
        ExternType::Tag(ty) => Extern::Tag(Tag::new(store, ty).map_err(ending)?),
        ExternType::Table(ty) => {
            if !ty.element().is_nullable() {
                return Err(Ending::Unanswerable);
            }
            let null = Ref::null(ty.element().heap_type());
            Extern::Table(Table::new(store, ty.clone(), null).map_err(ending)?)
        }
    })
}

values!(vm);

fn ending(error: &Error) -> Ending {
    if error.downcast_ref::<ThrownException>().is_some() {
        return Ending::Exception;
    }
    match error.trap() {
        Some(Trap::StackOverflow | Trap::OutOfFuel | Trap::AllocationTooLarge | Trap::HeapExhausted) => Ending::Limit,
        // The peers have one word for both, and one for all null references. Which one an
        // atomic access gives that is neither aligned nor inside is nobody's promise.
        Some(Trap::UndefinedElement) => Ending::Trap(format!("{:?}", Trap::TableOutOfBounds)),
        Some(Trap::HeapMisaligned) => Ending::Trap(format!("{:?}", Trap::MemoryOutOfBounds)),
        Some(trap) if trap.to_string().starts_with("null ") => Ending::Trap(format!("{:?}", Trap::NullReference)),
        Some(trap) => Ending::Trap(format!("{trap:?}")),
        None => Ending::Refused(error.to_string()),
    }
}
