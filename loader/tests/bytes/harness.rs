//! Any bytes as sections for linkers, and as modules that are planned and loaded.
//! Nothing panics; what is planned is inside of its room, aligned, and apart.

use std::collections::BTreeMap;
use std::ops::Range;

use orcavm_loader::{
    Binding, Dylink, Found, Interface, LOWEST_ADDRESS, NewSlot, Part, Plan, Provider, Room, Session, session_function,
};
use vm::{Engine, Linker, Module, Store, StoreLimitsBuilder};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, MemoryType, RefType,
    TableSection, TableType, TypeSection, ValType,
};

/// Reads a section, whatever is in it.
pub fn section(bytes: &[u8]) {
    for name in ["dylink.0", "dylink"] {
        if let Ok(Some(dylink)) = Dylink::read_section(name, bytes) {
            assert!(dylink.memory_alignment.is_power_of_two() && dylink.table_alignment.is_power_of_two());
            let names = dylink.needed.iter().chain(&dylink.runtime_path);
            let said: usize = names.map(|name| name.len() + 1).sum();
            assert!(said <= bytes.len(), "nothing comes of nothing");
            assert!(dylink.exports().count() + dylink.imports().count() <= bytes.len());
        }
    }
    assert_eq!(Dylink::read_section("name", bytes), Ok(None));
}

/// How far modules came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub is_planned: bool,
    pub is_loaded: bool,
}

/// Numbers out of bytes; zeros when there are no more.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    fn one<V: Copy>(&mut self, of: &[V]) -> V {
        of[usize::from(self.byte()) % of.len()]
    }

    /// Small, or of any size.
    fn number(&mut self) -> u32 {
        match self.below(16) {
            0 => u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            1 => u32::MAX - u32::from(self.byte()),
            2 => u32::from(self.byte()) << 8,
            _ => u32::from(self.byte()),
        }
    }
}

const NAMES: [&str; 14] = [
    "f",
    "g",
    "h",
    "d",
    "memory",
    "__indirect_function_table",
    "__stack_pointer",
    "__memory_base",
    "__table_base",
    "__heap_base",
    "__tls_size",
    "__tls_align",
    "__wasm_init_tls",
    "dlopen",
];

/// A module of any imports, exports and elements, and what its section says.
fn module(source: &mut Source<'_>) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (params, results) in [(0, 0), (1, 0), (2, 1)] {
        let numbers = |n| std::iter::repeat_n(ValType::I32, n);
        types.ty().function(numbers(params), numbers(results));
    }
    let mut imports = ImportSection::new();
    let global = |mutable| GlobalType {
        val_type: ValType::I32,
        mutable,
        shared: false,
    };
    let memory = |minimum| MemoryType {
        minimum: u64::from(minimum),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    let table = |minimum| TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(minimum),
        maximum: None,
        shared: false,
    };
    let (mut funcs, mut globals, mut memories, mut tables) = (0, 0, 0, 0);
    let mut base = None;
    for _ in 0..source.below(8) {
        // Most are as compilers make them.
        let (from, name, ty) = match source.below(12) {
            0 => ("env", "memory", EntityType::Memory(memory(source.below(4)))),
            1 => (
                "env",
                "__indirect_function_table",
                EntityType::Table(table(source.below(9))),
            ),
            2 => ("env", "__stack_pointer", EntityType::Global(global(true))),
            3 => ("env", "__memory_base", EntityType::Global(global(false))),
            4 => ("env", "__table_base", EntityType::Global(global(false))),
            5 | 6 => (
                "env",
                source.one(&NAMES[..4]),
                EntityType::Function(u32::from(source.below(3))),
            ),
            7 => ("GOT.mem", source.one(&NAMES), EntityType::Global(global(true))),
            8 => ("GOT.func", source.one(&NAMES), EntityType::Global(global(true))),
            _ => (
                source.one(&["env", "GOT.mem", "GOT.func", "GOT.mem", "wasi"]),
                source.one(&NAMES),
                match source.below(3) {
                    0 => EntityType::Function(u32::from(source.below(3))),
                    n => EntityType::Global(global(n == 1)),
                },
            ),
        };
        match ty {
            EntityType::Function(_) => funcs += 1,
            EntityType::Memory(_) if memories > 0 => continue,
            EntityType::Memory(_) => memories += 1,
            EntityType::Table(_) => tables += 1,
            _ => {
                if !matches!(ty, EntityType::Global(ty) if ty.mutable) {
                    base = base.or(Some(globals));
                }
                globals += 1;
            }
        }
        imports.import(from, name, ty);
    }
    let imported = (globals, base);
    let mut own = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..1 + source.below(4) {
        own.function(u32::from(source.below(3)));
        let mut body = Function::new([]);
        body.instruction(&Instruction::Unreachable)
            .instruction(&Instruction::End);
        code.function(&body);
        funcs += 1;
    }
    let mut own_memories = MemorySection::new();
    if memories == 0 && source.below(4) == 0 {
        own_memories.memory(memory(source.below(4)));
        memories += 1;
    }
    let mut own_tables = TableSection::new();
    if tables == 0 && source.below(3) == 0 {
        own_tables.table(table(source.below(40)));
        tables += 1;
    }
    let mut own_globals = GlobalSection::new();
    for _ in 0..source.below(5) {
        own_globals.global(global(false), &ConstExpr::i32_const(source.number().cast_signed()));
        globals += 1;
    }
    let mut exports = ExportSection::new();
    let mut exported = BTreeMap::new();
    for _ in 0..source.below(8) {
        let name = source.one(&NAMES);
        let (kind, count) = match source.below(8) {
            0 if name == "memory" || memories > 0 => (ExportKind::Memory, memories),
            1 => (ExportKind::Table, tables),
            2..=4 => (ExportKind::Global, globals),
            _ => (ExportKind::Func, funcs),
        };
        let name = match kind {
            ExportKind::Memory => "memory",
            ExportKind::Table => "__indirect_function_table",
            _ => name,
        };
        if count > 0 && exported.insert(name, ()).is_none() {
            exports.export(name, kind, u32::from(source.byte()) % count);
        }
    }
    let mut elements = ElementSection::new();
    if tables > 0 {
        for _ in 0..source.below(3) {
            let offset = match imported.1 {
                Some(base) if source.below(4) > 0 => ConstExpr::global_get(base),
                _ => ConstExpr::i32_const(source.number().cast_signed()),
            };
            let functions: Vec<u32> = (0..source.below(4)).map(|_| u32::from(source.byte()) % funcs).collect();
            elements.active(None, &offset, Elements::Functions(functions.into()));
        }
    }
    let mut module = wasm_encoder::Module::new();
    if source.below(8) > 0 {
        module.section(&CustomSection {
            name: "dylink.0".into(),
            data: dylink(source).into(),
        });
    }
    module
        .section(&types)
        .section(&imports)
        .section(&own)
        .section(&own_tables)
        .section(&own_memories);
    module
        .section(&own_globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    module.finish()
}

/// What a section says.
fn dylink(source: &mut Source<'_>) -> Vec<u8> {
    let mut numbers = Vec::new();
    for _ in 0..2 {
        leb(source.number(), &mut numbers);
        // Some alignments are beyond 32-bit addresses.
        let most = if source.below(8) == 0 { 34 } else { 6 };
        numbers.push(source.below(most));
    }
    let mut bytes = vec![1, u8::try_from(numbers.len()).expect("short")];
    bytes.append(&mut numbers);
    for (part, from) in [(3, ""), (4, "env")] {
        let name = source.one(&NAMES);
        let mut body = vec![1];
        for text in [from, name].into_iter().filter(|text| !text.is_empty()) {
            body.push(u8::try_from(text.len()).expect("short"));
            body.extend_from_slice(text.as_bytes());
        }
        // Weak, thread-local or absolute.
        leb(u32::from(source.byte()) & 0x301, &mut body);
        bytes.extend([part, u8::try_from(body.len()).expect("short")]);
        bytes.append(&mut body);
    }
    bytes
}

fn leb(mut n: u32, bytes: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(n & 0x7f).expect("seven bits");
        n >>= 7;
        if n == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Plans and loads the modules that bytes make.
pub fn link(bytes: &[u8]) -> Done {
    let mut source = Source(bytes);
    let engine = Engine::default();
    let room = Room {
        memory: source.number() / 2..0x1000_0000_u32.saturating_add(source.number()),
        table: 1 + u32::from(source.byte())..10_000,
        stack_size: source.number() / 4,
    };
    let count = 1 + source.below(4);
    let made: Vec<Vec<u8>> = (0..count).map(|_| module(&mut source)).collect();
    let mut modules = Vec::new();
    for (n, binary) in made.iter().enumerate() {
        // Some imports and exports no module can have together.
        let Ok(module) = Module::new(&engine, binary) else {
            continue;
        };
        modules.push((format!("m{n}"), module));
    }
    let mut says = Vec::new();
    for (name, module) in &modules {
        let Ok(dylink) = Dylink::read(module) else { continue };
        let dylink = dylink.unwrap_or_default();
        let Ok(interface) = Interface::of(module, &dylink) else {
            continue;
        };
        says.push((name, dylink, interface));
    }
    let part = |(name, dylink, interface)| Part {
        name,
        dylink,
        interface,
    };
    let parts: Vec<Part<'_>> = says
        .iter()
        .map(|(name, dylink, interface)| part((name.as_str(), dylink, interface)))
        .collect();
    let plan = Plan::new(&parts, &room, &session_function);
    let is_planned = plan.is_ok() && !parts.is_empty();
    if let Ok(plan) = plan {
        check(&plan, &parts, &room);
        assert!(plan.describe(&parts).lines().count() >= parts.len());
    }
    // What follows the first is preloaded: it runs nothing, so it fails or is there.
    let mut modules = modules.into_iter().map(|(name, module)| Found::new(&name, module));
    let Some(program) = modules.next() else {
        return Done::default();
    };
    let limits = StoreLimitsBuilder::new()
        .memory_size(64 << 20)
        .table_elements(100_000)
        .build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let session = Session::builder(Linker::new(&engine)).stack_size(4096);
    let session = modules
        .fold(session, |session, library| session.preload(library))
        .build();
    let is_loaded = session.load(&mut store, program).is_ok();
    assert_eq!(session.libraries().is_empty(), !is_loaded, "all or nothing");
    Done { is_planned, is_loaded }
}

fn is_inside(inner: &Range<u32>, outer: &Range<u32>) -> bool {
    inner.start <= inner.end && (inner.is_empty() || (outer.start <= inner.start && inner.end <= outer.end))
}

/// What holds of every plan.
fn check(plan: &Plan, parts: &[Part<'_>], room: &Room) {
    assert_eq!(plan.placed.len(), parts.len());
    let mut memory = vec![plan.stack.clone()];
    let mut table: Vec<Range<u32>> = Vec::new();
    for (placed, part) in plan.placed.iter().zip(parts) {
        assert_eq!(placed.bindings.len(), part.interface.imports.len());
        let place = &placed.place;
        if part.interface.is_static {
            let pages = u32::try_from(part.interface.memory_pages).expect("few");
            memory.push(0..pages * 65_536);
            table.push(0..u32::try_from(part.interface.table_elements).expect("few"));
            continue;
        }
        assert_eq!(place.memory.end - place.memory.start, part.dylink.memory_size);
        assert_eq!(place.table.end - place.table.start, part.dylink.table_size);
        assert!(place.memory.start.is_multiple_of(part.dylink.memory_alignment.max(1)));
        assert!(place.table.start.is_multiple_of(part.dylink.table_alignment.max(1)));
        assert!(place.memory.start >= LOWEST_ADDRESS, "no object is at 0");
        for range in [&place.memory, &place.tls] {
            assert!(is_inside(range, &room.memory), "{range:?} in {room:?}");
            memory.push(range.clone());
        }
        if let Some(tls) = part.interface.tls {
            assert_eq!(place.tls.end - place.tls.start, tls.size);
            assert!(place.tls.start.is_multiple_of(tls.alignment.max(1)));
        }
        assert!(is_inside(&place.table, &room.table), "{place:?} in {room:?}");
        table.push(place.table.clone());
    }
    assert!(is_inside(&plan.stack, &room.memory));
    for NewSlot { slot, .. } in &plan.slots {
        table.push(*slot..slot + 1);
    }
    for mut ranges in [memory, table] {
        ranges.retain(|range| !range.is_empty());
        ranges.sort_by_key(|range| range.start);
        for pair in ranges.windows(2) {
            assert!(pair[0].end <= pair[1].start, "{pair:?}");
        }
    }
    for (placed, part) in plan.placed.iter().zip(parts) {
        for (import, binding) in part.interface.imports.iter().zip(&placed.bindings) {
            let has = |provider: Provider, is_data: bool| match provider {
                Provider::Part(at) if is_data => parts[at].interface.data.contains_key(&import.name),
                Provider::Part(at) => parts[at].interface.functions.contains_key(&import.name),
                Provider::Host => is_data || session_function(&import.name).is_some(),
                Provider::Nobody => true,
            };
            match *binding {
                Binding::Own | Binding::Lazy => {}
                Binding::Tag(Provider::Part(at)) => {
                    assert!(parts[at].interface.tags.contains_key(&import.name));
                }
                Binding::Tag(provider) => assert_eq!(provider, Provider::Nobody),
                Binding::Function(provider) => assert!(has(provider, false)),
                Binding::Data(provider, address) => {
                    assert!(has(provider, true));
                    assert!(provider != Provider::Nobody || address == 0);
                }
                Binding::Slot(provider, slot) => {
                    assert!(has(provider, false));
                    assert_eq!(provider == Provider::Nobody, slot == 0, "{}", import.name);
                }
            }
        }
    }
}
