//! wasmtime as the peer: it has all proposals of the standard, and some later ones.

use std::collections::HashMap;
use std::sync::LazyLock;

use wasmtime::{
    AsContextMut, Caller, Collector, Config, Engine, Error, Extern, ExternType, Func, GcHeapOutOfMemory, Global,
    Instance, Memory, Module, OptLevel, Ref, RootScope, SharedMemory, Store, StoreLimits, StoreLimitsBuilder, Strategy,
    Table, Tag, ThrownException, Trap, Val,
};

use crate::machine::{
    DEPTH, Ending, Hash, MEMORY_LIMIT, Machine, STEPS, STEPS_GLOBAL, Setup, State, TABLE_LIMIT, Type, Value, answer,
    global_value, hash_of_values,
};
use crate::values::values;

pub(crate) struct Wasmtime {
    store: Store<StoreLimits>,
    exports: Vec<(String, Extern)>,
    /// By the names of exported shared memories.
    hashers: HashMap<String, Hasher>,
    fuel: Option<u64>,
}

/// Making an engine takes longer than most modules do.
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| [engine(false), engine(true)]);

fn engine(fuel: bool) -> Engine {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::None)
        .collector(Collector::Null)
        .consume_fuel(fuel)
        .max_wasm_stack(256 << 10)
        .relaxed_simd_deterministic(true)
        .shared_memory(true)
        .wasm_backtrace_max_frames(None)
        .wasm_tail_call(true)
        .wasm_threads(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_extended_const(true)
        .wasm_relaxed_simd(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true);
    Engine::new(&config).expect("the host can run wasmtime")
}

impl Machine for Wasmtime {
    fn start(wasm: &[u8], setup: &Setup) -> Result<Self, Ending> {
        let engine = &ENGINES[usize::from(setup.fuel.is_some())];
        let module = Module::new(engine, wasm).map_err(|error| Ending::Refused(format!("{error:?}")))?;
        let limits = StoreLimitsBuilder::new()
            .memory_size(MEMORY_LIMIT)
            .table_elements(TABLE_LIMIT)
            .build();
        let mut store = Store::new(engine, limits);
        store.limiter(|limits| limits);
        if let Some(fuel) = setup.fuel {
            store
                .set_fuel(fuel)
                .map_err(|error| Ending::Refused(error.to_string()))?;
        }
        let mut imports = Vec::new();
        for import in module.imports() {
            imports.push(provide(&mut store, import.name(), &import.ty())?);
        }
        let instance = Instance::new(&mut store, &module, &imports).map_err(|error| ending(&mut store, &error))?;
        let mut exports: Vec<_> = instance
            .exports(&mut store)
            .map(|export| (export.name().to_owned(), export.into_extern()))
            .collect();
        exports.sort_by(|(a, _), (b, _)| a.cmp(b)); // engines keep them in different orders
        let mut hashers = HashMap::new();
        for (name, export) in &exports {
            if let Extern::SharedMemory(memory) = export
                && let Some(hasher) = Hasher::new(engine, memory).map_err(|error| Ending::Refused(error.to_string()))?
            {
                hashers.insert(name.clone(), hasher);
            }
        }
        Ok(Self {
            store,
            exports,
            hashers,
            fuel: setup.fuel,
        })
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
            Err(error) => return Ending::Refused(error.to_string()),
        };
        let mut results = vec![Val::I32(0); ty.results().len()];
        match func.call(&mut scope, &arguments, &mut results) {
            Ok(()) => Ending::Values(results.iter().map(|value| to_value(&mut scope, value, DEPTH)).collect()),
            Err(error) => ending(&mut scope, &error),
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
                    let data = memory.data(&scope);
                    memories.push((name, data.len(), Hash::of_bytes(data)));
                }
                Extern::SharedMemory(memory) => {
                    let bytes = memory.data_size();
                    let hash = self.hashers.get_mut(&name).map_or(0, |hasher| hasher.hash(memory));
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
    let refused = |error: Error| Ending::Refused(error.to_string());
    Ok(match ty {
        ExternType::Func(ty) => Extern::Func(answering(store, name, ty)?),
        ExternType::Global(ty) => {
            let value = global_value(name, type_of(ty.content())).ok_or(Ending::Unanswerable)?;
            let value = from_value(store, &value, ty.content()).map_err(refused)?;
            Extern::Global(Global::new(store, ty.clone(), value).map_err(refused)?)
        }
        ExternType::Memory(ty) if ty.is_shared() => {
            Extern::SharedMemory(SharedMemory::new(store.engine(), ty.clone()).map_err(refused)?)
        }
        ExternType::Memory(ty) => Extern::Memory(Memory::new(store, ty.clone()).map_err(refused)?),
        ExternType::Table(ty) => {
            let null = Ref::null(ty.element().heap_type());
            if !ty.element().is_nullable() {
                return Err(Ending::Unanswerable);
            }
            Extern::Table(Table::new(store, ty.clone(), null).map_err(refused)?)
        }
        ExternType::Tag(ty) => Extern::Tag(Tag::new(store, ty).map_err(refused)?),
    })
}

/// A function that hashes a shared memory as [`Hash::of_bytes`] does: its bytes
/// cannot be borrowed here.
struct Hasher {
    /// A store of its own: wasmtime wants a fault to be in one memory of a store.
    store: Store<()>,
    func: Func,
}

impl Hasher {
    /// `None` where the memory's pages have another size than the usual.
    fn new(engine: &Engine, memory: &SharedMemory) -> Result<Option<Self>, Error> {
        let ty = memory.ty();
        if ty.page_size_log2() != 16 {
            return Ok(None);
        }
        let (address, maximum) = (if ty.is_64() { "i64" } else { "i32" }, ty.maximum().unwrap_or(0));
        let text = format!(
            r#"(module
                (import "" "" (memory {address} 0 {maximum} shared))
                (func (export "") (param $end {address}) (result i64)
                    (local $at {address}) (local $hash i64)
                    (local.set $hash (i64.const {}))
                    (loop $next
                        (if ({address}.lt_u (local.get $at) (local.get $end)) (then
                            (local.set $hash (i64.rotl
                                (i64.mul (i64.xor (local.get $hash) (i64.load (local.get $at))) (i64.const {}))
                                (i64.const {})))
                            (local.set $at ({address}.add (local.get $at) ({address}.const 8)))
                            (br $next))))
                    (local.get $hash)))"#,
            Hash::new().0,
            Hash::FACTOR,
            Hash::ROTATION
        );
        let module = Module::new(engine, wat::parse_str(text).expect("is written well"))?;
        let mut store = Store::new(engine, ());
        if store.get_fuel().is_ok() {
            store.set_fuel(u64::MAX)?;
        }
        let instance = Instance::new(&mut store, &module, &[Extern::SharedMemory(memory.clone())])?;
        let func = instance.get_func(&mut store, "").expect("is exported");
        Ok(Some(Self { store, func }))
    }

    fn hash(&mut self, memory: &SharedMemory) -> u64 {
        let bytes = memory.data_size();
        let end = match memory.ty().is_64() {
            true => Val::I64(i64::try_from(bytes).expect("is limited")),
            false => Val::I32(i32::try_from(bytes).expect("is limited")),
        };
        let mut hash = [Val::I64(0)];
        let called = self.func.call(&mut self.store, &[end], &mut hash);
        called.expect("stays in the memory");
        hash[0].unwrap_i64().cast_unsigned()
    }
}

values!(wasmtime, Val::ContRef(_));

fn ending(store: &mut impl AsContextMut, error: &Error) -> Ending {
    if error.downcast_ref::<ThrownException>().is_some() {
        // The store keeps it until then.
        store.as_context_mut().take_pending_exception();
        return Ending::Exception;
    }
    if error.downcast_ref::<GcHeapOutOfMemory<()>>().is_some() {
        return Ending::Limit;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow | Trap::OutOfFuel | Trap::AllocationTooLarge) => Ending::Limit,
        // As for this engine.
        Some(Trap::HeapMisaligned) => Ending::Trap(format!("{:?}", Trap::MemoryOutOfBounds)),
        Some(trap) => Ending::Trap(format!("{trap:?}")),
        None => Ending::Refused(format!("{error:?}")),
    }
}
