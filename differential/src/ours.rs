//! This engine.

use vm::{
    Caller, Config, Engine, Error, Extern, ExternType, Func, Global, Instance, Memory, Module, Ref, RefType, Store,
    StoreLimits, StoreLimitsBuilder, Table, Tag, Trap, Val, ValType,
};

use crate::machine::{
    Ending, Hash, MEMORY_LIMIT, Machine, STEPS, STEPS_GLOBAL, Setup, State, TABLE_LIMIT, TrapKind, Type, Value, answer,
    global_value,
};

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
            imports.push(provide(&mut store, import.name(), &import.ty()).map_err(|error| ending(&error))?);
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
        let functions = self.exports.iter().filter_map(|(name, export)| {
            let ty = (*export).into_func()?.ty(&self.store);
            Some((name.clone(), ty.params().map(type_of).collect()))
        });
        functions.collect()
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Ending {
        if let Some(fuel) = self.fuel {
            self.store.set_fuel(fuel).expect("metered");
        }
        let find = |name: &str| {
            self.exports
                .iter()
                .find(|(export, _)| export == name)
                .map(|(_, export)| *export)
        };
        if let Some(steps) = find(STEPS_GLOBAL).and_then(Extern::into_global) {
            // A damaged module may export something else under this name.
            let _ = steps.set(&mut self.store, Val::I32(STEPS));
        }
        let func = find(name).and_then(Extern::into_func).expect("is a function");
        let arguments: Vec<Val> = arguments.iter().copied().map(from_value).collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().count()];
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ending::Values(results.iter().map(to_value).collect()),
            Err(error) => ending(&error),
        }
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        for (name, export) in &self.exports {
            let name = name.clone();
            match export {
                Extern::Global(global) => globals.push((name, to_value(&global.get(&mut self.store)))),
                Extern::Memory(memory) => {
                    let data = memory.data(&self.store);
                    memories.push((name, data.len(), Hash::of_bytes(data)));
                }
                Extern::Table(table) => {
                    let size = table.size(&self.store);
                    let mut hash = Hash::new();
                    for index in 0..size {
                        let element = table.get(&mut self.store, index).expect("is below the size");
                        hash.add(matches!(element, Ref::Func(None) | Ref::Extern(None)).into());
                    }
                    tables.push((name, size, hash.0));
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
fn provide(store: &mut Store<StoreLimits>, name: &str, ty: &ExternType) -> Result<Extern, Error> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let (name, types) = (name.to_owned(), ty.results().map(type_of).collect::<Vec<_>>());
            let answer = move |_: Caller<'_, StoreLimits>, arguments: &[Val], results: &mut [Val]| {
                let arguments: Vec<Value> = arguments.iter().map(to_value).collect();
                for (result, value) in results.iter_mut().zip(answer(&name, &arguments, &types)) {
                    *result = from_value(value);
                }
                Ok(())
            };
            Extern::Func(Func::new(store, ty.clone(), answer))
        }
        ExternType::Global(ty) => {
            let value = from_value(global_value(name, type_of(ty.content().clone())));
            Extern::Global(Global::new(store, ty.clone(), value)?)
        }
        ExternType::Memory(ty) => Extern::Memory(Memory::new(store, *ty)?),
        ExternType::Tag(ty) => Extern::Tag(Tag::new(store, ty)?),
        ExternType::Table(ty) => {
            let null = if *ty.element() == RefType::FUNCREF {
                Ref::Func(None)
            } else {
                Ref::Extern(None)
            };
            Extern::Table(Table::new(store, ty.clone(), null)?)
        }
    })
}

fn type_of(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::Ref(ty) if ty == RefType::FUNCREF => Type::Func,
        ValType::Ref(_) => Type::Extern,
        ValType::V128 => unreachable!("the random modules have no vectors"),
    }
}

fn to_value(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(_) => unreachable!("the random modules have no vectors"),
        Val::FuncRef(func) => Value::Func { null: func.is_none() },
        Val::ExternRef(value) => Value::Extern { null: value.is_none() },
        Val::AnyRef(_) | Val::ExnRef(_) => unreachable!("the random modules have no such types"),
    }
}

fn from_value(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::Func { .. } => Val::FuncRef(None),
        Value::Extern { .. } => Val::ExternRef(None),
    }
}

fn ending(error: &Error) -> Ending {
    Ending::Trap(match error.trap() {
        Some(Trap::UnreachableCodeReached) => TrapKind::Unreachable,
        Some(Trap::MemoryOutOfBounds) => TrapKind::MemoryOutOfBounds,
        // The peer has one word for both.
        Some(Trap::TableOutOfBounds | Trap::UndefinedElement) => TrapKind::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => TrapKind::NullElement,
        Some(Trap::IntegerDivisionByZero) => TrapKind::DivisionByZero,
        Some(Trap::IntegerOverflow) => TrapKind::IntegerOverflow,
        Some(Trap::BadConversionToInteger) => TrapKind::BadConversion,
        Some(Trap::BadSignature) => TrapKind::BadSignature,
        Some(Trap::StackOverflow | Trap::OutOfFuel) => return Ending::Limit,
        other => return Ending::Refused(format!("{other:?}: {error}")),
    })
}
