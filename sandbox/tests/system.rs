//! Regions and children as the operating system sees them: nothing is left of
//! those that are gone. One test at a time: they count what the process has. And
//! random sequences of what guests can do, against a model.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orcavm_sandbox::{SandboxCtx, add_to_linker};
use orcavm_wasi::WasiCtxBuilder;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use vm::{Domain, Engine, Error, Instance, Linker, Memory, Module, Permissions, Store, Trap, WasmParams, WasmResults};

const EBADF: i32 = -8;
const EEXIST: i32 = -20;
const EINVAL: i32 = -28;
const ENFILE: i32 = -41;
const TRAPPED: i32 = -1000;

/// Where a guest finds the module of its children.
const MODULE: usize = 0x1000;

/// Cycles of a test, of which builds without optimization do fewer.
fn cycles(most: i32) -> i32 {
    if cfg!(debug_assertions) { most / 10 } else { most }
}

/// Keeps tests that measure from disturbing each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the process has.
#[derive(Debug)]
struct Process {
    descriptors: usize,
    mappings: usize,
    threads: usize,
    /// Bytes.
    resident: usize,
}

impl Process {
    fn now() -> Self {
        let count = |path: &str| fs::read_dir(path).expect("Linux has it").count();
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it");
        let line = rollup.lines().find(|line| line.starts_with("Rss:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Self {
            descriptors: count("/proc/self/fd"),
            mappings: fs::read_to_string("/proc/self/maps")
                .expect("Linux has it")
                .lines()
                .count(),
            threads: count("/proc/self/task"),
            resident: kib.and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10,
        }
    }

    fn assert_no_more_than(&self, before: &Self) {
        // Threads of other tests, which wait for their turn, begin and end.
        let is_same = self.descriptors <= before.descriptors
            && self.threads <= before.threads + 4
            && self.mappings <= before.mappings + 8
            && self.resident <= before.resident + (4 << 20);
        assert!(is_same, "{before:?} before, {self:?} after");
    }
}

/// A program that may do everything.
struct World {
    store: Store<SandboxCtx>,
    domain: Domain,
    instance: Instance,
    memory: Memory,
}

impl World {
    fn new(text: &str) -> Self {
        let engine = Engine::default();
        let mut linker = Linker::<SandboxCtx>::new(&engine);
        add_to_linker(&mut linker, |ctx, _| ctx).expect("the names differ");
        let domain = Domain::new("app", Permissions::all());
        let wasi = WasiCtxBuilder::new().build().expect("nothing can be missing");
        let ctx = SandboxCtx::new(&engine, domain.clone(), wasi).expect("the names differ");
        let mut store = Store::new(&engine, ctx);
        let module = Module::new(&engine, text).expect("valid");
        let instance = linker
            .instantiate_in(&mut store, &module, &domain)
            .expect("all is there");
        let memory = instance.get_memory(&mut store, "memory").expect("exported");
        Self {
            store,
            domain,
            instance,
            memory,
        }
    }

    /// One whose children are of this module.
    fn with_child(text: &str, child: &str) -> Self {
        let mut world = Self::new(text);
        let child = wat::parse_str(child).expect("valid");
        world.put(MODULE, &child);
        world.put(MODULE - 4, &u32::try_from(child.len()).expect("small").to_le_bytes());
        world
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.memory.write(&mut self.store, at, bytes).expect("inside");
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, Error> {
        let func = self.instance.get_typed_func::<P, R>(&mut self.store, name);
        func.expect("exported").call(&mut self.store, params)
    }
}

/// Makes, maps, unmaps and closes a region so many times; what went wrong first.
const REGIONS: &str = r#"(module
    (import "orca_region" "create" (func $create (param i64) (result i32)))
    (import "orca_region" "close" (func $close (param i32) (result i32)))
    (import "orca_region" "map" (func $map (param i32 i64 i64 i64 i32) (result i64)))
    (import "orca_region" "unmap" (func $unmap (param i64 i64) (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (param $times i32) (result i32) (local $region i32) (local $at i64) (local $failed i32)
        (loop $more
            (local.set $region (call $create (i64.const 8192)))
            (if (i32.lt_s (local.get $region) (i32.const 0)) (then (return (local.get $region))))
            (local.set $at (call $map
                (local.get $region) (i64.const 0) (i64.const 8192) (i64.const -1) (i32.const 1)))
            (if (i64.lt_s (local.get $at) (i64.const 0)) (then (return (i32.wrap_i64 (local.get $at)))))
            (i32.store (i32.wrap_i64 (local.get $at)) (i32.const 1))
            (local.set $failed (call $unmap (local.get $at) (i64.const 8192)))
            (if (local.get $failed) (then (return (local.get $failed))))
            (local.set $failed (call $close (local.get $region)))
            (if (local.get $failed) (then (return (local.get $failed))))
            (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (i32.const 0)))"#;

#[test]
fn nothing_is_left_of_regions() {
    let _alone = alone();
    let mut world = World::new(REGIONS);
    assert_eq!(world.call::<_, i32>("run", 1000).expect("it returns"), 0);
    let (before, used) = (Process::now(), world.domain.memory_used());
    assert_eq!(world.call::<_, i32>("run", cycles(100_000)).expect("it returns"), 0);
    Process::now().assert_no_more_than(&before);
    assert_eq!(world.domain.memory_used(), used);
}

/// Loads a module, makes, starts, calls and drops a child of it so many times;
/// what went wrong first.
const PARENT: &str = r#"(module
    (import "orca_module" "load" (func $load (param i32 i32) (result i32)))
    (import "orca_module" "unload" (func $unload (param i32) (result i32)))
    (import "orca_module" "create" (func $create (param i32 i32 i32) (result i32)))
    (import "orca_module" "offer" (func $offer (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "orca_module" "start" (func $start (param i32) (result i32)))
    (import "orca_module" "find" (func $find (param i32 i32 i32) (result i32)))
    (import "orca_module" "call" (func $call (param i32 i32 i32 i32) (result i32)))
    (import "orca_module" "drop" (func $drop (param i32) (result i32)))
    (memory (export "memory") 4)
    (data (i32.const 0) "inherit" "run" "parent" "f")
    (table (export "__indirect_function_table") 1 1 funcref)
    (elem (i32.const 0) $f)
    (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $child (export "child") (result i32) (local $module i32) (local $child i32) (local $failed i32)
        (local.set $module (call $load (i32.const 0x1000) (i32.load (i32.const 0xffc))))
        (if (i32.lt_s (local.get $module) (i32.const 0)) (then (return (local.get $module))))
        (local.set $child (call $create (local.get $module) (i32.const 0) (i32.const 7)))
        (if (i32.lt_s (local.get $child) (i32.const 0)) (then (return (local.get $child))))
        (local.set $failed (call $unload (local.get $module)))
        (if (local.get $failed) (then (return (local.get $failed))))
        (local.set $failed (call $offer (local.get $child) (i32.const 10) (i32.const 6) (i32.const 16) (i32.const 1)
            (i32.const 0) (i32.const 1)))
        (if (local.get $failed) (then (return (local.get $failed))))
        (local.set $failed (call $start (local.get $child)))
        (if (local.get $failed) (then (return (local.get $failed))))
        (local.get $child))
    (func $ask (export "ask") (param $child i32) (result i32) (local $func i32)
        (local.set $func (call $find (local.get $child) (i32.const 7) (i32.const 3)))
        (if (i32.lt_s (local.get $func) (i32.const 0)) (then (return (local.get $func))))
        (call $call (local.get $child) (local.get $func) (i32.const 0x100) (i32.const 0x100)))
    (func (export "drop") (param $child i32) (result i32) (call $drop (local.get $child)))
    (func (export "run") (param $times i32) (result i32) (local $child i32) (local $failed i32)
        (loop $more
            (local.set $child (call $child))
            (if (i32.lt_s (local.get $child) (i32.const 0)) (then (return (local.get $child))))
            (local.set $failed (call $ask (local.get $child)))
            (if (local.get $failed) (then (return (local.get $failed))))
            (local.set $failed (call $drop (local.get $child)))
            (if (local.get $failed) (then (return (local.get $failed))))
            (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (i32.const 0)))"#;

/// Writes to its memory and to a region of its own, and calls its parent.
const CHILD: &str = r#"(module
    (import "orca_region" "create" (func $create (param i64) (result i32)))
    (import "orca_region" "map" (func $map (param i32 i64 i64 i64 i32) (result i64)))
    (import "parent" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 4)
    (table 100 funcref)
    (data (i32.const 0) "child")
    (func (export "run") (result i32)
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x40000))
        (i32.store
            (i32.wrap_i64 (call $map
                (call $create (i64.const 65536)) (i64.const 0) (i64.const 65536) (i64.const -1) (i32.const 1)))
            (i32.const 1))
        (call $f (i32.const 1))))"#;

#[test]
fn nothing_is_left_of_children() {
    let _alone = alone();
    let mut world = World::with_child(PARENT, CHILD);
    assert_eq!(world.call::<_, i32>("run", 300).expect("it returns"), 0);
    let (before, used) = (Process::now(), world.domain.memory_used());
    assert_eq!(world.call::<_, i32>("run", cycles(20_000)).expect("it returns"), 0);
    Process::now().assert_no_more_than(&before);
    assert_eq!(world.domain.memory_used(), used);
}

/// Makes a child, passes it a function, calls its own by a pointer, and drops it, so
/// many times; what went wrong first.
const TRADER: &str = r#"(module
    (import "orca_module" "load" (func $load (param i32 i32) (result i32)))
    (import "orca_module" "unload" (func $unload (param i32) (result i32)))
    (import "orca_module" "create" (func $create (param i32 i32 i32) (result i32)))
    (import "orca_module" "start" (func $start (param i32) (result i32)))
    (import "orca_module" "symbol" (func $symbol (param i32 i32 i32 i32 i32) (result i32)))
    (import "orca_module" "pass" (func $pass (param i32 i32 i32 i32) (result i32)))
    (import "orca_module" "drop" (func $drop (param i32) (result i32)))
    (type $apply (func (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "run" "*(i:i)i:i")
    (table (export "__indirect_function_table") 2 funcref)
    (elem (i32.const 1) $f)
    (func $f (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "run") (param $times i32) (result i32) (local $module i32) (local $child i32)
        (local.set $module (call $load (i32.const 0x1000) (i32.load (i32.const 0xffc))))
        (loop $more
            (local.set $child (call $create (local.get $module) (i32.const 0) (i32.const 0)))
            (if (call $start (local.get $child)) (then (return (i32.const 1))))
            (if (call_indirect (type $apply) (i32.const 1) (i32.const -1)
                    (call $symbol (local.get $child) (i32.const 0) (i32.const 3) (i32.const 3) (i32.const 9)))
                (then (return (i32.const 2))))
            (if (i32.ne (call $pass (local.get $child) (i32.const 1) (i32.const 5) (i32.const 3)) (i32.const 1))
                (then (return (i32.const 3))))
            (if (call $drop (local.get $child)) (then (return (i32.const 4))))
            (br_if $more (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
        (call $unload (local.get $module))))"#;

#[test]
fn nothing_is_left_of_function_pointers() {
    let _alone = alone();
    let child = r#"(module (type $f (func (param i32) (result i32)))
        (memory (export "memory") 1) (table (export "__indirect_function_table") 1 funcref)
        (func (export "run") (param i32 i32) (result i32) (call_indirect (type $f) (local.get 1) (local.get 0))))"#;
    let mut world = World::with_child(TRADER, child);
    assert_eq!(world.call::<_, i32>("run", 300).expect("it returns"), 0);
    let (before, used) = (Process::now(), world.domain.memory_used());
    assert_eq!(world.call::<_, i32>("run", cycles(20_000)).expect("it returns"), 0);
    Process::now().assert_no_more_than(&before);
    assert_eq!(world.domain.memory_used(), used);
}

#[test]
fn a_childs_memory_is_given_back() {
    let _alone = alone();
    const SIZE: usize = 64 << 20;
    let child = r#"(module
        (import "parent" "f" (func (param i32) (result i32)))
        (memory (export "memory") 1024)
        (func (export "run") (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x4000000))))"#;
    let mut world = World::with_child(PARENT, child);
    let (before, used) = (Process::now(), world.domain.memory_used());
    let handle: i32 = world.call("child", ()).expect("it returns");
    assert_eq!(world.call::<_, i32>("ask", handle).expect("it returns"), 0);
    let meanwhile = Process::now();
    assert!(meanwhile.resident >= before.resident + SIZE, "{before:?} {meanwhile:?}");
    assert_eq!(world.domain.memory_used(), used + SIZE as u64);
    assert_eq!(world.call::<_, i32>("drop", handle).expect("it returns"), 0);
    Process::now().assert_no_more_than(&before);
    assert_eq!(world.domain.memory_used(), used);
}

#[test]
fn frames_of_many_children_take_no_memory() {
    let _alone = alone();
    let child = r#"(module
        (import "parent" "f" (func (param i32) (result i32)))
        (func $f (export "run") (result i32) (i32.add (call $f) (i32.const 1))))"#;
    let mut world = World::with_child(PARENT, child);
    let before = Process::now();
    for _ in 0..100 {
        let handle: i32 = world.call("child", ()).expect("it returns");
        assert_eq!(world.call::<_, i32>("ask", handle).expect("it returns"), TRAPPED);
    }
    let after = Process::now();
    // Each had 8 MiB.
    assert!(after.resident <= before.resident + (350 << 20), "{before:?} {after:?}");
}

/// A child that runs, as its own child, the module that is in its memory.
fn middle(leaf: &str) -> String {
    let leaf = wat::parse_str(leaf).expect("valid");
    let len = u32::try_from(leaf.len()).expect("small").to_le_bytes();
    let bytes = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:02x}")).collect() };
    PARENT
        .replace(
            "(data ",
            &format!(
                "(data (i32.const 0xffc) \"{}\")\n(data (i32.const 0x1000) \"{}\")\n(data ",
                bytes(&len),
                bytes(&leaf)
            ),
        )
        .replacen(
            "(memory ",
            "(import \"parent\" \"f\" (func (param i32) (result i32)))\n(memory ",
            1,
        )
        .replace(
            "(func (export \"run\") (param $times i32) (result i32)",
            "(func (export \"run\") (result i32) (local $times i32)",
        )
}

#[test]
fn an_interruption_ends_all_generations() {
    let _alone = alone();
    let spinner = r#"(module (import "parent" "f" (func (param i32) (result i32))) (memory (export "memory") 1)
        (func (export "run") (loop (br 0))))"#;
    let mut world = World::with_child(PARENT, &middle(spinner));
    for _ in 0..3 {
        let handle = world.store.interrupt_handle();
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            handle.interrupt();
            Instant::now()
        });
        let error = world.call::<_, i32>("run", 1).expect_err("the grandchild spins");
        let end = Instant::now();
        assert_eq!(error.trap(), Some(Trap::Interrupt), "{error}");
        let asked = interrupter.join().expect("it does not panic");
        assert!(end.saturating_duration_since(asked) < Duration::from_millis(500));
        // The children are still there, and can be dropped.
    }
    for handle in 0..3 {
        assert_eq!(world.call::<_, i32>("drop", handle).expect("it returns"), 0);
    }
}

#[test]
fn imports_of_all_children_are_limited() {
    let mut world = World::new(HOST);
    let module = format!("(module {})", r#"(import "" "" (func))"#.repeat(30_000));
    let module = wat::parse_str(module).expect("valid");
    world.put(0x8000, &module);
    let len = u32::try_from(module.len()).expect("small");
    let module: i32 = world.call("load", (0x8000, len)).expect("it returns");
    assert!(module >= 0, "{module}");
    let mut create = || world.call::<_, i32>("create", (module, 0, 0)).expect("it returns");
    let made = (0..1000).take_while(|_| create() >= 0).count();
    // A million in all; an instance takes about 200 bytes for each.
    assert_eq!(made, (1 << 20) / 30_000);
    assert_eq!(create(), ENFILE);
}

const HOST: &str = include_str!("guests/host.wat");

/// Counts its calls.
const COUNTER: &str = r#"(module
    (import "orca_region" "open" (func $open (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (data (i32.const 0) "r")
    (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n))
    (func (export "open") (result i32) (call $open (i32.const 0) (i32.const 1)))
    (func (export "trap") unreachable))"#;

/// The first page that is mapped and used, and how many there are: the last of the
/// memory's own, and some above.
const FIRST: u32 = 0x30;
const PAGES: u32 = 0x30;
const PAGE: u32 = 4096;

/// Something that a guest does. Handles are those that were given so far, open or
/// closed, by their number modulo how many there were.
#[derive(Clone, Debug)]
enum Step {
    Create {
        pages: u32,
    },
    Close {
        region: usize,
    },
    Map {
        region: usize,
        offset: u32,
        pages: u32,
        at: u32,
        write: bool,
    },
    Unmap {
        at: u32,
        pages: u32,
    },
    Protect {
        at: u32,
        pages: u32,
        write: bool,
    },
    Put {
        at: u32,
        value: i32,
    },
    Get {
        at: u32,
    },
    Copy {
        to: u32,
        from: u32,
    },
    Grow,
    Child,
    Start {
        child: usize,
    },
    Next {
        child: usize,
    },
    Trap {
        child: usize,
    },
    Open {
        child: usize,
    },
    Share {
        child: usize,
        region: usize,
        write: bool,
    },
    Drop {
        child: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (some, at, pages) = (0..8_usize, FIRST..FIRST + PAGES, 0..5_u32);
    prop_oneof![
        2 => (1..5_u32).prop_map(|pages| Step::Create { pages }),
        1 => some.clone().prop_map(|region| Step::Close { region }),
        4 => (some.clone(), 0..4_u32, pages.clone(), at.clone(), any::<bool>())
            .prop_map(|(region, offset, pages, at, write)| Step::Map { region, offset, pages, at, write }),
        2 => (at.clone(), pages.clone()).prop_map(|(at, pages)| Step::Unmap { at, pages }),
        2 => (at.clone(), pages, any::<bool>()).prop_map(|(at, pages, write)| Step::Protect { at, pages, write }),
        3 => (at.clone(), any::<i32>()).prop_map(|(at, value)| Step::Put { at, value }),
        3 => at.clone().prop_map(|at| Step::Get { at }),
        2 => (at.clone(), at).prop_map(|(to, from)| Step::Copy { to, from }),
        1 => Just(Step::Grow),
        1 => Just(Step::Child),
        1 => some.clone().prop_map(|child| Step::Start { child }),
        1 => some.clone().prop_map(|child| Step::Next { child }),
        1 => some.clone().prop_map(|child| Step::Trap { child }),
        1 => some.clone().prop_map(|child| Step::Open { child }),
        1 => (some.clone(), some.clone(), any::<bool>())
            .prop_map(|(child, region, write)| Step::Share { child, region, write }),
        1 => some.prop_map(|child| Step::Drop { child }),
    ]
}

/// A page of a region that is mapped.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    region: usize,
    page: u32,
    write: bool,
}

/// A child as it should be.
#[derive(Clone, Copy, Debug, Default)]
struct ModelChild {
    handle: i32,
    is_started: bool,
    is_dropped: bool,
    calls: u64,
    /// Regions it has opened.
    opened: u64,
    is_shared: bool,
}

/// What there should be.
#[derive(Default)]
struct Model {
    /// Handles of regions, and whether they are open.
    regions: Vec<(i32, bool)>,
    /// The number at the start of each page of each region.
    contents: Vec<Vec<i32>>,
    mapped: BTreeMap<u32, Mapped>,
    /// The same for the memory's own pages.
    own: BTreeMap<u32, i32>,
    children: Vec<ModelChild>,
    /// 64 KiB each.
    size: u32,
}

impl Model {
    fn is_free(&self, at: u32, pages: u32) -> bool {
        self.mapped.range(at..at + pages).next().is_none()
    }

    fn is_mapped(&self, at: u32, pages: u32) -> bool {
        pages > 0 && self.mapped.range(at..at + pages).count() == pages as usize
    }

    /// The number at the start of a page; `None` if there is nothing.
    fn get(&self, at: u32) -> Option<i32> {
        match self.mapped.get(&at) {
            Some(mapped) => Some(self.contents[mapped.region][mapped.page as usize]),
            None => (at < self.size * 16).then(|| self.own.get(&at).copied().unwrap_or(0)),
        }
    }

    fn put(&mut self, at: u32, value: i32) -> Result<(), Trap> {
        match self.mapped.get(&at) {
            Some(mapped) if !mapped.write => return Err(Trap::ReadOnlyMemory),
            Some(mapped) => self.contents[mapped.region][mapped.page as usize] = value,
            None if at < self.size * 16 => drop(self.own.insert(at, value)),
            None => return Err(Trap::MemoryOutOfBounds),
        }
        Ok(())
    }

    fn region(&self, number: usize) -> Option<(usize, i32, bool)> {
        let at = number.checked_rem(self.regions.len())?;
        let (handle, is_open) = self.regions[at];
        Some((at, handle, is_open))
    }
}

fn trap(result: Result<i32, Error>) -> Result<i32, Option<Trap>> {
    result.map_err(|error| error.trap())
}

impl World {
    /// Does something, and checks what comes of it.
    fn play(&mut self, model: &mut Model, step: &Step) -> TestCaseResult {
        match *step {
            Step::Create { pages } => {
                let handle: i32 = self.call("create_region", i64::from(pages * PAGE)).expect("it returns");
                prop_assert!(handle >= 0);
                prop_assert!(model.regions.iter().all(|(other, _)| *other != handle));
                model.regions.push((handle, true));
                model.contents.push(vec![0; pages as usize]);
            }
            Step::Close { region } => {
                let Some((at, handle, is_open)) = model.region(region) else {
                    return Ok(());
                };
                let closed: i32 = self.call("close", handle).expect("it returns");
                prop_assert_eq!(closed, if is_open { 0 } else { EBADF });
                model.regions[at].1 = false;
            }
            Step::Map {
                region,
                offset,
                pages,
                at,
                write,
            } => {
                let Some((region, handle, is_open)) = model.region(region) else {
                    return Ok(());
                };
                let params = (
                    handle,
                    i64::from(offset * PAGE),
                    i64::from(pages * PAGE),
                    i64::from(at * PAGE),
                    i32::from(write),
                );
                let mapped: i64 = self.call("map", params).expect("it returns");
                let has_pages = pages > 0 && (offset + pages) as usize <= model.contents[region].len();
                let expected = match (is_open, has_pages, model.is_free(at, pages)) {
                    (false, ..) => EBADF,
                    (_, false, _) => EINVAL,
                    (.., false) => EEXIST,
                    _ => (at * PAGE).cast_signed(),
                };
                prop_assert_eq!(mapped, i64::from(expected));
                if expected >= 0 {
                    for i in 0..pages {
                        model.own.remove(&(at + i));
                        model.mapped.insert(
                            at + i,
                            Mapped {
                                region,
                                page: offset + i,
                                write,
                            },
                        );
                    }
                }
            }
            Step::Unmap { at, pages } => {
                let unmapped: i32 = self
                    .call("unmap", (i64::from(at * PAGE), i64::from(pages * PAGE)))
                    .expect("it returns");
                let is_mapped = model.is_mapped(at, pages);
                prop_assert_eq!(unmapped, if is_mapped { 0 } else { EINVAL });
                if is_mapped {
                    model.mapped.retain(|page, _| !(at..at + pages).contains(page));
                }
            }
            Step::Protect { at, pages, write } => {
                let params = (i64::from(at * PAGE), i64::from(pages * PAGE), i32::from(write));
                let protected: i32 = self.call("protect", params).expect("it returns");
                let is_mapped = model.is_mapped(at, pages);
                prop_assert_eq!(protected, if is_mapped { 0 } else { EINVAL });
                for (_, mapped) in model.mapped.range_mut(at..at + pages).filter(|_| is_mapped) {
                    mapped.write = write;
                }
            }
            Step::Put { at, value } => {
                let put = trap(self.call("poke", (at * PAGE, value)));
                prop_assert_eq!(put, model.put(at, value).map(|()| 0).map_err(Some));
            }
            Step::Get { at } => {
                let got = trap(self.call("peek", at * PAGE));
                prop_assert_eq!(got, model.get(at).ok_or(Some(Trap::MemoryOutOfBounds)));
            }
            Step::Copy { to, from } => {
                let copied = trap(self.call("copy", (to * PAGE, from * PAGE, 4)));
                let read = model.get(from).ok_or(Trap::MemoryOutOfBounds);
                let expected = read.and_then(|value| model.put(to, value));
                prop_assert_eq!(copied, expected.map(|()| 0).map_err(Some));
            }
            Step::Grow => {
                let grown: i32 = self.call("grow", 1).expect("it returns");
                let is_free = model.is_free(model.size * 16, 16);
                prop_assert_eq!(grown, if is_free { model.size.cast_signed() } else { -1 });
                model.size += u32::from(is_free);
            }
            _ => return self.play_child(model, step),
        }
        Ok(())
    }

    fn play_child(&mut self, model: &mut Model, step: &Step) -> TestCaseResult {
        let (Step::Start { child: number }
        | Step::Next { child: number }
        | Step::Trap { child: number }
        | Step::Open { child: number }
        | Step::Share { child: number, .. }
        | Step::Drop { child: number }) = *step
        else {
            let handle: i32 = self.call("create", (0, 0x800, 7)).expect("it returns");
            prop_assert!(handle >= 0);
            prop_assert!(model.children.iter().all(|other| other.handle != handle));
            model.children.push(ModelChild {
                handle,
                ..ModelChild::default()
            });
            return Ok(());
        };
        let Some(at) = number.checked_rem(model.children.len()) else {
            return Ok(());
        };
        let child = &mut model.children[at];
        let handle = child.handle;
        match *step {
            Step::Start { .. } => {
                let started: i32 = self.call("start", handle).expect("it returns");
                let expected = match (child.is_dropped, child.is_started) {
                    (true, _) => EBADF,
                    (_, true) => EINVAL,
                    _ => 0,
                };
                prop_assert_eq!(started, expected);
                child.is_started |= expected == 0;
            }
            Step::Share { region, write, .. } => {
                let (is_dropped, is_shared) = (child.is_dropped, &mut child.is_shared);
                let Some(at) = region.checked_rem(model.regions.len()) else {
                    return Ok(());
                };
                let (region, is_open) = model.regions[at];
                let shared: i32 = self
                    .call("share", (handle, region, 0x820, 1, i32::from(write)))
                    .expect("it returns");
                prop_assert_eq!(shared, if is_open && !is_dropped { 0 } else { EBADF });
                *is_shared |= shared == 0;
            }
            Step::Drop { .. } => {
                let dropped: i32 = self.call("drop", handle).expect("it returns");
                prop_assert_eq!(dropped, if child.is_dropped { EBADF } else { 0 });
                child.is_dropped = true;
            }
            _ => {
                let (name, len) = match step {
                    Step::Next { .. } => (0x808, 4),
                    Step::Open { .. } => (0x810, 4),
                    _ => (0x818, 4),
                };
                let func: i32 = self.call("find", (handle, name, len)).expect("it returns");
                if child.is_dropped || !child.is_started {
                    prop_assert_eq!(func, if child.is_dropped { EBADF } else { EINVAL });
                    return Ok(());
                }
                let called: i32 = self.call("call", (handle, func, 0x900, 0x900)).expect("it returns");
                let mut result = [0; 8];
                self.memory.read(&self.store, 0x900, &mut result).expect("inside");
                let result = u64::from_le_bytes(result);
                match step {
                    Step::Next { .. } => {
                        child.calls += 1;
                        prop_assert_eq!((called, result), (0, child.calls));
                    }
                    Step::Open { .. } => {
                        let expected = if child.is_shared {
                            child.opened
                        } else {
                            u64::from((-44_i32).cast_unsigned())
                        };
                        prop_assert_eq!((called, result), (0, expected));
                        child.opened += u64::from(child.is_shared);
                    }
                    _ => prop_assert_eq!(called, TRAPPED),
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 100 } else { 1000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// What guests do has the results that it should have, and nothing is left.
    #[test]
    fn random_steps(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new(HOST);
        let mut model = Model { size: 4, ..Model::default() };
        let counter = wat::parse_str(COUNTER).expect("valid");
        world.put(MODULE, &counter);
        world.put(0x800, b"inherit\0next\0\0\0\0open\0\0\0\0trap\0\0\0\0r");
        let len = u32::try_from(counter.len()).expect("small");
        prop_assert_eq!(world.call::<_, i32>("load", (0x1000, len)).expect("it returns"), 0);
        for step in &steps {
            world.play(&mut model, step)?;
        }
        for at in model.mapped.keys() {
            let params = (i64::from(at * PAGE), i64::from(PAGE));
            prop_assert_eq!(world.call::<_, i32>("unmap", params).expect("it returns"), 0);
        }
        for (region, _) in model.regions.iter().filter(|(_, is_open)| *is_open) {
            prop_assert_eq!(world.call::<_, i32>("close", *region).expect("it returns"), 0);
        }
        for child in model.children.iter().filter(|child| !child.is_dropped) {
            prop_assert_eq!(world.call::<_, i32>("drop", child.handle).expect("it returns"), 0);
        }
        let domain = world.domain.clone();
        prop_assert_eq!(domain.memory_used(), u64::from(model.size) << 16);
        drop(world);
        prop_assert_eq!(domain.memory_used(), 0);
    }
}
