//! wasmi as the peer.

use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{
    Caller, CompilationMode, Config, Engine, Error, Extern, ExternType, F32, F64, Func, Global, Instance, Memory,
    Module, Ref, Store, StoreLimits, StoreLimitsBuilder, Table, TrapCode, Val, ValType,
};

use crate::machine::{
    Ending, Hash, MEMORY_LIMIT, Machine, STEPS, STEPS_GLOBAL, Setup, State, TABLE_LIMIT, TrapKind, Type, Value, answer,
    global_value,
};

pub(crate) struct Peer {
    store: Store<StoreLimits>,
    exports: Vec<(String, Extern)>,
    fuel: Option<u64>,
}

impl Machine for Peer {
    fn start(wasm: &[u8], setup: &Setup) -> Result<Self, Ending> {
        let mut config = Config::default();
        config
            .consume_fuel(setup.fuel.is_some())
            .compilation_mode(CompilationMode::LazyTranslation)
            .set_max_recursion_depth(10_000)
            .set_max_stack_height(1 << 22)
            .wasm_tail_call(false)
            .wasm_memory64(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false);
        let engine = Engine::new(&config);
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
            imports.push(provide(&mut store, import.name(), import.ty()).map_err(|error| ending(&error))?);
        }
        let instance = Instance::new(&mut store, &module, &imports).map_err(|error| ending(&error))?;
        let exports = instance.exports(&store);
        let mut exports: Vec<_> = exports
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        exports.sort_by(|(a, _), (b, _)| a.cmp(b)); // engines keep them in different orders
        let fuel = setup.fuel;
        Ok(Self { store, exports, fuel })
    }

    fn functions(&mut self) -> Vec<(String, Vec<Type>)> {
        let functions = self.exports.iter().filter_map(|(name, export)| {
            let ty = export.into_func()?.ty(&self.store);
            Some((name.clone(), ty.params().iter().copied().map(type_of).collect()))
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
        let mut results: Vec<Val> = func
            .ty(&self.store)
            .results()
            .iter()
            .map(|&ty| Val::default(ty))
            .collect();
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ending::Values(results.iter().map(to_value).collect()),
            Err(error) => ending(&error),
        }
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        for (name, export) in &self.exports {
            let name = name.clone();
            match *export {
                Extern::Global(global) => globals.push((name, to_value(&global.get(&self.store)))),
                Extern::Memory(memory) => {
                    let data = memory.data(&self.store);
                    memories.push((name, data.len(), Hash::of_bytes(data)));
                }
                Extern::Table(table) => {
                    let size = table.size(&self.store);
                    let mut hash = Hash::new();
                    for index in 0..size {
                        let element = table.get(&self.store, index).expect("is below the size");
                        let null = matches!(
                            to_value(&element),
                            Value::Func { null: true } | Value::Extern { null: true }
                        );
                        hash.add(null.into());
                    }
                    tables.push((name, size, hash.0));
                }
                Extern::Func(_) => {}
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
            let (name, types) = (
                name.to_owned(),
                ty.results().iter().copied().map(type_of).collect::<Vec<_>>(),
            );
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
            let value = from_value(global_value(name, type_of(ty.content())));
            Extern::Global(Global::new(store, value, ty.mutability()))
        }
        ExternType::Memory(ty) => Extern::Memory(Memory::new(store, *ty)?),
        ExternType::Table(ty) => Extern::Table(Table::new(store, *ty, Val::default(ty.element()))?),
    })
}

fn type_of(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::FuncRef => Type::Func,
        ValType::ExternRef => Type::Extern,
        ValType::V128 => unreachable!("vectors are switched off"),
    }
}

fn to_value(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::FuncRef(value) => Value::Func { null: value.is_null() },
        Val::ExternRef(value) => Value::Extern { null: value.is_null() },
        Val::V128(_) => unreachable!("vectors are switched off"),
    }
}

fn from_value(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::Func { .. } => Val::FuncRef(Ref::Null),
        Value::Extern { .. } => Val::ExternRef(Ref::Null),
    }
}

fn ending(error: &Error) -> Ending {
    if let ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) = error.kind() {
        return Ending::Trap(TrapKind::TableOutOfBounds);
    }
    Ending::Trap(match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) => TrapKind::Unreachable,
        Some(TrapCode::MemoryOutOfBounds) => TrapKind::MemoryOutOfBounds,
        Some(TrapCode::TableOutOfBounds) => TrapKind::TableOutOfBounds,
        Some(TrapCode::IndirectCallToNull) => TrapKind::NullElement,
        Some(TrapCode::IntegerDivisionByZero) => TrapKind::DivisionByZero,
        Some(TrapCode::IntegerOverflow) => TrapKind::IntegerOverflow,
        Some(TrapCode::BadConversionToInteger) => TrapKind::BadConversion,
        Some(TrapCode::BadSignature) => TrapKind::BadSignature,
        Some(TrapCode::StackOverflow | TrapCode::OutOfFuel | TrapCode::GrowthOperationLimited) => return Ending::Limit,
        // An active segment that does not fit.
        None if error.to_string().starts_with("out of bounds table access") => TrapKind::TableOutOfBounds,
        None => return Ending::Refused(error.to_string()),
    })
}
