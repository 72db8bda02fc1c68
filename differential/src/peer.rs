//! wasmi as the peer.

use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{
    AsContext, AsContextMut, Caller, CompilationMode, Config, Engine, Error, Extern, ExternRef, ExternType, F32, F64,
    Func, Global, Instance, Memory, Module, Ref, Store, StoreLimits, StoreLimitsBuilder, Table, TrapCode, V128, Val,
    ValType,
};

use crate::machine::{
    Ending, Hash, Kind, MEMORY_LIMIT, Machine, STEPS, STEPS_GLOBAL, Setup, State, TABLE_LIMIT, Type, Value, answer,
    global_value, hash_of_values,
};

pub(crate) struct Wasmi {
    store: Store<StoreLimits>,
    exports: Vec<(String, Extern)>,
    fuel: Option<u64>,
}

impl Machine for Wasmi {
    fn start(wasm: &[u8], setup: &Setup) -> Result<Self, Ending> {
        let mut config = Config::default();
        config
            .consume_fuel(setup.fuel.is_some())
            .compilation_mode(CompilationMode::LazyTranslation)
            .set_max_recursion_depth(10_000)
            .set_max_stack_height(1 << 22)
            .wasm_tail_call(true)
            .wasm_memory64(true)
            .wasm_wide_arithmetic(true)
            .wasm_custom_page_sizes(true);
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
            imports.push(provide(&mut store, import.name(), import.ty())?);
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
        let arguments: Vec<Val> = arguments
            .iter()
            .zip(func.ty(&self.store).params())
            .map(|(value, ty)| from_value(&mut self.store, value, *ty))
            .collect();
        let mut results: Vec<Val> = func
            .ty(&self.store)
            .results()
            .iter()
            .map(|&ty| Val::default(ty))
            .collect();
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ending::Values(results.iter().map(|value| to_value(&self.store, value)).collect()),
            Err(error) => ending(&error),
        }
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        for (name, export) in &self.exports {
            let name = name.clone();
            match *export {
                Extern::Global(global) => globals.push((name, to_value(&self.store, &global.get(&self.store)))),
                Extern::Memory(memory) => {
                    let data = memory.data(&self.store);
                    memories.push((name, data.len(), Hash::of_bytes(data)));
                }
                Extern::Table(table) => {
                    let size = table.size(&self.store);
                    let values = (0..size).map(|index| {
                        let element = table.get(&self.store, index).expect("is below the size");
                        to_value(&self.store, &element)
                    });
                    tables.push((name, size, hash_of_values(values)));
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
fn provide(store: &mut Store<StoreLimits>, name: &str, ty: &ExternType) -> Result<Extern, Ending> {
    let ending = |error: Error| ending(&error);
    Ok(match ty {
        ExternType::Func(ty) => {
            let (name, func) = (name.to_owned(), ty.clone());
            let types: Vec<Type> = func.results().iter().copied().map(type_of).collect();
            answer(&name, &[], &types).ok_or(Ending::Unanswerable)?;
            let answer = move |mut caller: Caller<'_, StoreLimits>, arguments: &[Val], results: &mut [Val]| {
                let arguments: Vec<Value> = arguments.iter().map(|value| to_value(&caller, value)).collect();
                let values = answer(&name, &arguments, &types).expect("the same types have values again");
                for ((result, value), ty) in results.iter_mut().zip(&values).zip(func.results()) {
                    *result = from_value(&mut caller, value, *ty);
                }
                Ok(())
            };
            Extern::Func(Func::new(store, ty.clone(), answer))
        }
        ExternType::Global(ty) => {
            let value = global_value(name, type_of(ty.content())).ok_or(Ending::Unanswerable)?;
            let value = from_value(&mut *store, &value, ty.content());
            Extern::Global(Global::new(store, value, ty.mutability()))
        }
        ExternType::Memory(ty) => Extern::Memory(Memory::new(store, *ty).map_err(ending)?),
        ExternType::Table(ty) => {
            let null = Val::default(ty.element());
            Extern::Table(Table::new(store, *ty, null).map_err(ending)?)
        }
    })
}

fn type_of(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::FuncRef => Type::Null(Kind::Func),
        ValType::ExternRef => Type::Null(Kind::Extern),
    }
}

fn to_value(store: impl AsContext, value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(value) if value.is_null() => Value::Null,
        Val::FuncRef(_) => Value::Func,
        Val::ExternRef(Ref::Null) => Value::Null,
        Val::ExternRef(Ref::Val(value)) => {
            let number = value.data(&store).downcast_ref::<u32>();
            Value::Host(*number.expect("made below"))
        }
    }
}

fn from_value(mut store: impl AsContextMut, value: &Value, ty: ValType) -> Val {
    match value {
        Value::I32(value) => Val::I32(*value),
        Value::I64(value) => Val::I64(*value),
        Value::F32(bits) => Val::F32(F32::from_bits(*bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(*bits)),
        Value::V128(bits) => Val::V128(V128::from(*bits)),
        Value::Null => Val::default(ty),
        Value::Host(number) => Val::ExternRef(Ref::Val(ExternRef::new(&mut store, *number))),
        _ => unreachable!("no other values are given to guests"),
    }
}

fn ending(error: &Error) -> Ending {
    if let ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) = error.kind() {
        return Ending::Trap("TableOutOfBounds".to_owned());
    }
    let name = match error.as_trap_code() {
        Some(TrapCode::MemoryOutOfBounds) => "MemoryOutOfBounds",
        Some(TrapCode::UnreachableCodeReached) => "UnreachableCodeReached",
        Some(TrapCode::TableOutOfBounds) => "TableOutOfBounds",
        Some(TrapCode::IndirectCallToNull) => "IndirectCallToNull",
        Some(TrapCode::IntegerDivisionByZero) => "IntegerDivisionByZero",
        Some(TrapCode::IntegerOverflow) => "IntegerOverflow",
        Some(TrapCode::BadConversionToInteger) => "BadConversionToInteger",
        Some(TrapCode::BadSignature) => "BadSignature",
        Some(TrapCode::StackOverflow | TrapCode::OutOfFuel | TrapCode::GrowthOperationLimited) => return Ending::Limit,
        // An active segment that does not fit.
        None if error.to_string().starts_with("out of bounds table access") => "TableOutOfBounds",
        None => return Ending::Refused(error.to_string()),
    };
    Ending::Trap(name.to_owned())
}
