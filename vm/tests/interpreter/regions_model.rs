//! Random sequences of map, unmap, protect, grow, copy, fill, loads and stores,
//! by guests and the host, of snapshots, restores and forks, against a model that
//! has an array of bytes for each page.

use proptest::prelude::*;
use vm::{Access, Config, Engine, Instance, Memory, Module, Region, RegionError, Snapshot, Store, Trap, TypedFunc};

/// Bytes of a host page here; wasm pages are 16 of them.
const PAGE: u64 = 4096;
/// Host pages that are looked at, from address 0.
const PAGES: usize = 80;
/// Pages of each region.
const REGION: usize = 6;

const GUEST: &str = r#"(module
    (memory (export "memory") 2 4)
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "load wide") (param i32) (result i64) (i64.load (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
    (func (export "store wide") (param i32 i32)
        (i64.store (local.get 0) (i64.mul (i64.extend_i32_u (local.get 1)) (i64.const 0x0101010101010101))))
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;

#[derive(Clone, Debug)]
enum Op {
    Map {
        guest: usize,
        page: usize,
        region: usize,
        from: usize,
        pages: usize,
        write: bool,
    },
    Unmap {
        guest: usize,
        page: usize,
        pages: usize,
    },
    Protect {
        guest: usize,
        page: usize,
        pages: usize,
        write: bool,
    },
    Grow {
        guest: usize,
        delta: u32,
    },
    Load {
        guest: usize,
        at: u64,
        wide: bool,
    },
    Store {
        guest: usize,
        at: u64,
        value: u8,
        wide: bool,
    },
    Fill {
        guest: usize,
        at: u64,
        value: u8,
        len: u64,
    },
    Copy {
        guest: usize,
        to: u64,
        from: u64,
        len: u64,
    },
    HostWrite {
        guest: usize,
        at: u64,
        value: u8,
        len: usize,
    },
    HostRead {
        guest: usize,
        at: u64,
        len: usize,
    },
    /// Keeps the state as one of two.
    Snapshot {
        guest: usize,
        state: usize,
    },
    Restore {
        guest: usize,
        state: usize,
    },
    /// Goes on with a clone: of the guest now, or as it was.
    Fork {
        guest: usize,
        state: Option<usize>,
    },
}

fn ops() -> impl Strategy<Value = Op> {
    let guest = 0..3_usize;
    let page = 0..PAGES + 1;
    // Often at the edge of a page.
    let at = (0..PAGES as u64 + 1, prop_oneof![Just(0_u64), 0..PAGE, PAGE - 9..PAGE]).prop_map(|(p, o)| p * PAGE + o);
    let len = prop_oneof![0..12_u64, 0..200_u64, 0..3 * PAGE];
    prop_oneof![
        4 => (guest.clone(), page.clone(), 0..2_usize, 0..REGION + 1, 0..4_usize, any::<bool>()).prop_map(
            |(guest, page, region, from, pages, write)| Op::Map { guest, page, region, from, pages, write }),
        2 => (guest.clone(), page.clone(), 0..4_usize).prop_map(|(guest, page, pages)| Op::Unmap { guest, page, pages }),
        2 => (guest.clone(), page, 0..4_usize, any::<bool>()).prop_map(
            |(guest, page, pages, write)| Op::Protect { guest, page, pages, write }),
        1 => (guest.clone(), 0..3_u32).prop_map(|(guest, delta)| Op::Grow { guest, delta }),
        4 => (guest.clone(), at.clone(), any::<bool>()).prop_map(|(guest, at, wide)| Op::Load { guest, at, wide }),
        4 => (guest.clone(), at.clone(), any::<u8>(), any::<bool>()).prop_map(
            |(guest, at, value, wide)| Op::Store { guest, at, value, wide }),
        2 => (guest.clone(), at.clone(), any::<u8>(), len.clone()).prop_map(
            |(guest, at, value, len)| Op::Fill { guest, at, value, len }),
        3 => (guest.clone(), at.clone(), at.clone(), len.clone()).prop_map(
            |(guest, to, from, len)| Op::Copy { guest, to, from, len }),
        2 => (guest.clone(), at.clone(), any::<u8>(), len.clone()).prop_map(
            |(guest, at, value, len)| Op::HostWrite { guest, at, value, len: len as usize }),
        2 => (guest.clone(), at, len).prop_map(|(guest, at, len)| Op::HostRead { guest, at, len: len as usize }),
        1 => (guest.clone(), 0..2_usize).prop_map(|(guest, state)| Op::Snapshot { guest, state }),
        2 => (guest.clone(), 0..2_usize).prop_map(|(guest, state)| Op::Restore { guest, state }),
        1 => (guest, prop::option::of(0..2_usize)).prop_map(|(guest, state)| Op::Fork { guest, state }),
    ]
}

/// What a page of a memory is.
#[derive(Clone)]
enum Kind {
    None,
    Own(Box<[u8; PAGE as usize]>),
    Mapped { region: usize, page: usize, write: bool },
}

#[derive(Clone)]
struct Model {
    pages: Vec<Kind>,
    /// In wasm pages.
    size: usize,
}

#[derive(Debug, PartialEq)]
enum Refusal {
    Bounds,
    ReadOnly,
}

fn fresh() -> Kind {
    Kind::Own(Box::new([0; PAGE as usize]))
}

impl Model {
    fn new() -> Self {
        let pages = (0..PAGES).map(|page| if page < 32 { fresh() } else { Kind::None });
        Self {
            pages: pages.collect(),
            size: 2,
        }
    }

    /// Whether `len` bytes at `at` may be accessed; with no byte, whether that
    /// is at the edge of anything.
    fn check(&self, at: u64, len: u64, write: bool) -> Result<(), Refusal> {
        let kind = |page: u64| self.pages.get(page as usize).unwrap_or(&Kind::None);
        if len == 0 {
            let is_mapped = |page: u64| matches!(kind(page), Kind::Mapped { .. });
            let is_edge = at <= self.size as u64 * 16 * PAGE
                || is_mapped(at / PAGE)
                || at.is_multiple_of(PAGE) && is_mapped(at / PAGE - 1);
            return if is_edge { Ok(()) } else { Err(Refusal::Bounds) };
        }
        let pages = at / PAGE..=(at + len - 1) / PAGE;
        if pages.clone().any(|page| matches!(kind(page), Kind::None)) {
            return Err(Refusal::Bounds);
        }
        if write
            && pages
                .clone()
                .any(|page| matches!(kind(page), Kind::Mapped { write: false, .. }))
        {
            return Err(Refusal::ReadOnly);
        }
        Ok(())
    }

    fn is_mapped(&self, page: usize) -> bool {
        matches!(self.pages.get(page), Some(Kind::Mapped { .. }))
    }

    fn byte<'a>(&'a mut self, regions: &'a mut [Vec<u8>], at: u64) -> &'a mut u8 {
        let offset = (at % PAGE) as usize;
        match &mut self.pages[(at / PAGE) as usize] {
            Kind::None => unreachable!("checked"),
            Kind::Own(bytes) => &mut bytes[offset],
            Kind::Mapped { region, page, .. } => &mut regions[*region][*page * PAGE as usize + offset],
        }
    }

    fn read(&mut self, regions: &mut [Vec<u8>], at: u64, len: u64) -> Vec<u8> {
        (at..at + len).map(|at| *self.byte(regions, at)).collect()
    }

    fn write(&mut self, regions: &mut [Vec<u8>], at: u64, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            *self.byte(regions, at) = *byte;
        }
    }
}

struct Guest {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    load: TypedFunc<i32, i32>,
    load_wide: TypedFunc<i32, i64>,
    store_byte: TypedFunc<(i32, i32), ()>,
    store_wide: TypedFunc<(i32, i32), ()>,
    fill: TypedFunc<(i32, i32, i32), ()>,
    copy: TypedFunc<(i32, i32, i32), ()>,
    grow: TypedFunc<i32, i32>,
    model: Model,
    states: [Option<(Snapshot, Model)>; 2],
}

impl Guest {
    fn new(guard: bool) -> Self {
        let mut config = Config::new();
        config.memory_guard(guard);
        let engine = Engine::new(&config).expect("a valid configuration");
        let module = Module::new(&engine, GUEST).expect("valid");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing is missing");
        Self::of(store, instance, Model::new())
    }

    fn of(mut store: Store<()>, instance: Instance, model: Model) -> Self {
        macro_rules! func {
            ($name:literal) => {
                instance.get_typed_func(&mut store, $name).expect("exported")
            };
        }
        Self {
            memory: instance.get_memory(&mut store, "memory").expect("exported"),
            load: func!("load"),
            load_wide: func!("load wide"),
            store_byte: func!("store"),
            store_wide: func!("store wide"),
            fill: func!("fill"),
            copy: func!("copy"),
            grow: func!("grow"),
            store,
            instance,
            model,
            states: [None, None],
        }
    }
}

fn refusal(error: &vm::Error) -> Refusal {
    match error.trap() {
        Some(Trap::MemoryOutOfBounds) => Refusal::Bounds,
        Some(Trap::ReadOnlyMemory) => Refusal::ReadOnly,
        _ => panic!("another error: {error}"),
    }
}

/// Runs an operation on the guest and on the model, and compares what they say.
fn apply(guests: &mut [Guest], regions: &[Region; 2], bytes: &mut [Vec<u8>], op: &Op) {
    match *op {
        Op::Map {
            guest,
            page,
            region,
            from,
            pages,
            write,
        } => {
            let Guest {
                store, memory, model, ..
            } = &mut guests[guest];
            let access = if write { Access::ReadWrite } else { Access::Read };
            let range = from as u64 * PAGE..(from + pages) as u64 * PAGE;
            let result = memory.map(&mut *store, page as u64 * PAGE, &regions[region], range, access);
            let is_free = (page..page + pages).all(|p| p >= PAGES || !matches!(model.pages[p], Kind::Mapped { .. }));
            // What is beyond the model's pages is none of its business.
            if page + pages > PAGES {
                if result.is_ok() {
                    let at = page as u64 * PAGE;
                    memory
                        .unmap(&mut *store, at..at + pages as u64 * PAGE)
                        .expect("mapped just now");
                    for kind in model.pages.iter_mut().skip(page) {
                        *kind = Kind::None;
                    }
                }
                return;
            }
            match result {
                Ok(()) => {
                    assert!(pages > 0 && from + pages <= REGION && is_free);
                    for i in 0..pages {
                        model.pages[page + i] = Kind::Mapped {
                            region,
                            page: from + i,
                            write,
                        };
                    }
                }
                Err(RegionError::Empty) => assert_eq!(pages, 0),
                Err(RegionError::OutsideRegion { .. }) => assert!(from + pages > REGION),
                Err(RegionError::Occupied { at }) => {
                    assert!(matches!(model.pages[(at / PAGE) as usize], Kind::Mapped { .. }));
                }
                Err(error) => panic!("{error}"),
            }
        }
        Op::Unmap { guest, page, pages } => {
            let Guest {
                store, memory, model, ..
            } = &mut guests[guest];
            let at = page as u64 * PAGE;
            let result = memory.unmap(store, at..at + pages as u64 * PAGE);
            assert_eq!(
                result.is_ok(),
                pages > 0 && (page..page + pages).all(|p| model.is_mapped(p))
            );
            if result.is_ok() {
                for p in page..page + pages {
                    model.pages[p] = if p < model.size * 16 { fresh() } else { Kind::None };
                }
            }
        }
        Op::Protect {
            guest,
            page,
            pages,
            write: allow,
        } => {
            let Guest {
                store, memory, model, ..
            } = &mut guests[guest];
            let at = page as u64 * PAGE;
            let access = if allow { Access::ReadWrite } else { Access::Read };
            let result = memory.protect(store, at..at + pages as u64 * PAGE, access);
            assert_eq!(
                result.is_ok(),
                pages > 0 && (page..page + pages).all(|p| model.is_mapped(p))
            );
            if result.is_ok() {
                for kind in &mut model.pages[page..page + pages] {
                    if let Kind::Mapped { write, .. } = kind {
                        *write = allow;
                    }
                }
            }
        }
        Op::Grow { guest, delta } => {
            let Guest { store, model, grow, .. } = &mut guests[guest];
            let grown = model.size + delta as usize;
            let is_free = grown <= 4 && (model.size * 16..grown * 16).all(|p| matches!(model.pages[p], Kind::None));
            let expected = if is_free { model.size as i32 } else { -1 };
            assert_eq!(grow.call(store, delta as i32).expect("no trap"), expected);
            if is_free {
                model.pages[model.size * 16..grown * 16].fill_with(fresh);
                model.size = grown;
            }
        }
        Op::Load { guest, at, wide } => {
            let Guest {
                store,
                model,
                load,
                load_wide,
                ..
            } = &mut guests[guest];
            let len = if wide { 8 } else { 1 };
            let result = match wide {
                true => load_wide
                    .call(store, at as i32)
                    .map(|value| value.to_le_bytes().to_vec()),
                false => load.call(store, at as i32).map(|value| vec![value as u8]),
            };
            let expected = model.check(at, len, false).map(|()| model.read(bytes, at, len));
            assert_eq!(result.map_err(|error| refusal(&error)), expected);
        }
        Op::Store { guest, at, value, wide } => {
            let Guest {
                store,
                model,
                store_byte,
                store_wide,
                ..
            } = &mut guests[guest];
            let (len, f) = if wide { (8, store_wide) } else { (1, store_byte) };
            let result = f.call(store, (at as i32, i32::from(value)));
            let expected = model.check(at, len, true);
            // Where bytes of both kinds meet, either may be met first.
            if expected.is_err() {
                result.expect_err("refused");
                return;
            }
            result.expect("allowed");
            model.write(bytes, at, &vec![value; len as usize]);
        }
        Op::Fill { guest, at, value, len } => {
            let Guest { store, model, fill, .. } = &mut guests[guest];
            let expected = model.check(at, len, true);
            // The small ones may write bytes above the page that refuses.
            if expected.is_err() && len <= 64 {
                return;
            }
            let result = fill.call(store, (at as i32, i32::from(value), len as i32));
            assert_eq!(result.map_err(|error| refusal(&error)), expected);
            if expected.is_ok() {
                model.write(bytes, at, &vec![value; len as usize]);
            }
        }
        Op::Copy { guest, to, from, len } => {
            let Guest { store, model, copy, .. } = &mut guests[guest];
            let expected = model.check(from, len, false).and_then(|()| model.check(to, len, true));
            if expected.is_err() && len <= 64 {
                return;
            }
            // A region at two addresses: the order of bytes tells, and is not defined.
            let regions_at = |at: u64| {
                let pages = (at / PAGE..=(at + len) / PAGE).map(|p| model.pages.get(p as usize));
                pages.filter_map(|kind| match kind {
                    Some(Kind::Mapped { region, .. }) => Some(*region),
                    _ => None,
                })
            };
            if regions_at(from).any(|region| regions_at(to).any(|other| other == region)) {
                return;
            }
            let result = copy.call(store, (to as i32, from as i32, len as i32));
            assert_eq!(result.map_err(|error| refusal(&error)), expected);
            if expected.is_ok() {
                let read = model.read(bytes, from, len);
                model.write(bytes, to, &read);
            }
        }
        Op::HostWrite { guest, at, value, len } => {
            let Guest {
                store, memory, model, ..
            } = &mut guests[guest];
            let result = memory.write(store, at as usize, &vec![value; len]);
            let expected = model.check(at, len as u64, true);
            assert_eq!(result.is_ok(), expected.is_ok());
            if expected.is_ok() {
                model.write(bytes, at, &vec![value; len]);
            }
        }
        Op::HostRead { guest, at, len } => {
            let Guest {
                store, memory, model, ..
            } = &mut guests[guest];
            let mut buffer = vec![0; len];
            let result = memory.read(&*store, at as usize, &mut buffer);
            let expected = model.check(at, len as u64, false);
            assert_eq!(result.is_ok(), expected.is_ok());
            if expected.is_ok() {
                assert_eq!(buffer, model.read(bytes, at, len as u64));
            }
        }
        Op::Snapshot { guest, state } => {
            let guest = &mut guests[guest];
            let snapshot = guest.instance.snapshot(&guest.store).expect("memory");
            guest.states[state] = Some((snapshot, guest.model.clone()));
        }
        Op::Restore { guest, state } => {
            let guest = &mut guests[guest];
            if let Some((snapshot, model)) = &guest.states[state] {
                guest.instance.restore(&mut guest.store, snapshot).expect("its own");
                guest.model = model.clone();
            }
        }
        Op::Fork { guest, state } => {
            let guest = &mut guests[guest];
            let (fork, model) = match state {
                None => (guest.instance.fork(&mut guest.store), guest.model.clone()),
                Some(state) => match &guest.states[state] {
                    Some((snapshot, model)) => (snapshot.instantiate(&mut guest.store), model.clone()),
                    None => return,
                },
            };
            let states = std::mem::take(&mut guest.states);
            let store = std::mem::replace(&mut guest.store, Store::new(&Engine::default(), ()));
            *guest = Guest {
                states,
                ..Guest::of(store, fork.expect("room"), model)
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn sequences_do_what_the_model_says(ops in prop::collection::vec(ops(), 1..60)) {
        let mut guests = [Guest::new(true), Guest::new(false), Guest::new(true)];
        let regions = [(); 2].map(|()| Region::new(REGION as u64 * PAGE).expect("memory"));
        let mut bytes = vec![vec![0; REGION * PAGE as usize]; 2];
        for op in &ops {
            apply(&mut guests, &regions, &mut bytes, op);
        }
        for guest in &mut guests {
            for page in 0..PAGES as u64 {
                let mut now = vec![0; PAGE as usize];
                let result = guest.memory.read(&guest.store, (page * PAGE) as usize, &mut now);
                let expected = guest.model.check(page * PAGE, PAGE, false);
                prop_assert_eq!(result.is_ok(), expected.is_ok());
                if result.is_ok() {
                    prop_assert!(now == guest.model.read(&mut bytes, page * PAGE, PAGE), "page {} differs", page);
                }
            }
        }
        for (region, bytes) in regions.iter().zip(&bytes) {
            let mut now = vec![0; bytes.len()];
            region.read(0, &mut now).expect("all of it");
            prop_assert!(now == *bytes, "the regions differ");
        }
    }
}
