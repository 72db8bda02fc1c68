//! What guests can do with regions and children, through a guest that passes on
//! every function.

use orcavm_sandbox::{SandboxCtx, add_to_linker};
use orcavm_wasi::{DirPerms, WasiCtxBuilder};
use vm::{Config, Domain, Engine, Instance, Linker, Memory, Module, Store, Trap, WasmParams};

const HOST: &str = include_str!("guests/host.wat");

const EACCES: i32 = -2;
const EBADF: i32 = -8;
const EBUSY: i32 = -10;
const EEXIST: i32 = -20;
const EFAULT: i32 = -21;
const EINVAL: i32 = -28;
const ENOENT: i32 = -44;
const ENOEXEC: i32 = -45;
const ENOLINK: i32 = -47;
const ENOMEM: i32 = -48;
const ENOTSUP: i32 = -58;
const EPERM: i32 = -63;
const ENOTCAPABLE: i32 = -76;
const TRAPPED: i32 = -1000;
const EXITED: i32 = -1001;

/// Where the harness puts texts and numbers in the guest's memory.
const TEXT: i32 = 100_000;
const MORE: i32 = 150_000;
const ARGS: i32 = 200_000;

struct World {
    store: Store<SandboxCtx>,
    instance: Instance,
    memory: Memory,
}

fn world_with(config: &Config, permissions: &str, directory: Option<&std::path::Path>) -> World {
    let engine = Engine::new(config).expect("a valid configuration");
    let mut linker = Linker::<SandboxCtx>::new(&engine);
    add_to_linker(&mut linker, |ctx, _| ctx).expect("the names differ");
    let domain = Domain::new("app", permissions.parse().expect("permissions"));
    let mut wasi = WasiCtxBuilder::new();
    if let Some(directory) = directory {
        wasi.preopened_dir(directory, "/", DirPerms::ReadWrite);
    }
    let wasi = wasi.build().expect("the directory is there");
    let ctx = SandboxCtx::new(&engine, domain.clone(), wasi).expect("the names differ");
    let mut store = Store::new(&engine, ctx);
    if store.get_fuel().is_ok() {
        store.set_fuel(1_000_000).expect("it is counted");
    }
    let module = Module::new(&engine, HOST).expect("valid");
    let instance = linker
        .instantiate_in(&mut store, &module, &domain)
        .expect("all is there");
    let memory = instance.get_memory(&mut store, "memory").expect("exported");
    World {
        store,
        instance,
        memory,
    }
}

fn world() -> World {
    world_with(&Config::new(), "inherit", None)
}

impl World {
    fn try_do<P: WasmParams>(&mut self, name: &str, params: P) -> Result<i32, vm::Error> {
        let func = self.instance.get_typed_func::<P, i32>(&mut self.store, name);
        func.expect("exported").call(&mut self.store, params)
    }

    fn do_<P: WasmParams>(&mut self, name: &str, params: P) -> i32 {
        self.try_do(name, params).expect("it returns")
    }

    fn map(&mut self, region: i32, offset: i64, len: i64, address: i64, access: i32) -> i64 {
        let map = self
            .instance
            .get_typed_func::<(i32, i64, i64, i64, i32), i64>(&mut self.store, "map");
        let map = map.expect("exported");
        map.call(&mut self.store, (region, offset, len, address, access))
            .expect("it returns")
    }

    fn put(&mut self, at: i32, bytes: &[u8]) -> (i32, i32) {
        self.memory.write(&mut self.store, at as usize, bytes).expect("inside");
        (at, bytes.len() as i32)
    }

    fn text(&self, at: i32, len: i32) -> String {
        let mut bytes = vec![0; len as usize];
        self.memory.read(&self.store, at as usize, &mut bytes).expect("inside");
        String::from_utf8(bytes).expect("text")
    }

    fn error(&mut self) -> String {
        let len = self.do_("error", (TEXT, 1000));
        self.text(TEXT, len.min(1000))
    }

    fn load(&mut self, text: &str) -> i32 {
        let bytes = wat::parse_str(text).expect("valid");
        let (at, len) = self.put(TEXT, &bytes);
        self.do_("load", (at, len))
    }

    /// A child that is not started.
    fn create(&mut self, text: &str, permissions: &str) -> i32 {
        let module = self.load(text);
        assert!(module >= 0, "{module}: {}", self.error());
        let (at, len) = self.put(TEXT, permissions.as_bytes());
        let child = self.do_("create", (module, at, len));
        assert_eq!(self.do_("unload", module), 0, "children keep what they run");
        child
    }

    fn child(&mut self, text: &str, permissions: &str) -> i32 {
        let child = self.create(text, permissions);
        assert!(child >= 0, "{child}: {}", self.error());
        let started = self.do_("start", child);
        assert_eq!(started, 0, "{}", self.error());
        child
    }

    fn offer(&mut self, child: i32, name: &str, index: i32, gate: i32) -> i32 {
        let (module, module_len) = self.put(TEXT, b"parent");
        let (at, len) = self.put(MORE, name.as_bytes());
        self.do_("offer", (child, module, module_len, at, len, index, gate))
    }

    fn find(&mut self, child: i32, name: &str) -> i32 {
        let (at, len) = self.put(TEXT, name.as_bytes());
        self.do_("find", (child, at, len))
    }

    /// Calls a child's function; what it gives, or the error.
    fn call(&mut self, child: i32, name: &str, args: &[u64]) -> Result<u64, i32> {
        let func = self.find(child, name);
        assert!(func >= 0, "{func}: {}", self.error());
        let bytes: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
        self.put(ARGS, &bytes);
        match self.do_("call", (child, func, ARGS, ARGS)) {
            0 => {
                let mut result = [0; 8];
                self.memory
                    .read(&self.store, ARGS as usize, &mut result)
                    .expect("inside");
                Ok(u64::from_le_bytes(result))
            }
            error => Err(error),
        }
    }

    /// The i32 that a child's function gives.
    fn number(&mut self, child: i32, name: &str) -> Result<i32, i32> {
        self.call(child, name, &[]).map(|bits| (bits as u32).cast_signed())
    }
}

#[test]
fn regions_are_made_mapped_and_given_back() {
    let mut world = world();
    assert_eq!(world.do_("page_size", ()), 4096);
    let region = world.do_("create_region", 8192_i64);
    assert!(region >= 0);
    let size = world
        .instance
        .get_typed_func::<i32, i64>(&mut world.store, "size")
        .expect("exported");
    assert_eq!(size.call(&mut world.store, region).expect("it returns"), 8192);
    assert_eq!(world.do_("access", region), 1);
    let first = world.map(region, 0, 8192, -1, 1);
    assert_eq!(first, 0xffff_0000 - 8192);
    let second = world.map(region, 4096, 4096, 0x1000_0000, 0);
    assert_eq!(second, 0x1000_0000);
    world.do_("fill", ((first + 4096) as u32, 0x11, 4096)).to_string();
    assert_eq!(world.do_("peek", second as u32), 0x1111_1111);
    assert_eq!(world.store.data().domain().memory_used(), (4 << 16) + 8192);
    assert_eq!(world.do_("close", region), 0);
    assert_eq!(world.do_("close", region), EBADF);
    assert_eq!(world.do_("peek", second as u32), 0x1111_1111, "what is mapped stays");
    assert_eq!(
        world.store.data().domain().memory_used(),
        (4 << 16) + 8192,
        "and counts"
    );
    assert_eq!(world.do_("unmap", (first, 8192_i64)), 0);
    assert_eq!(world.map(region, 0, 4096, second, 1), EBADF.into());
    let other = world.do_("create_region", 4096_i64);
    assert_eq!(world.map(other, 0, 4096, second, 1), EEXIST.into());
    assert_eq!(world.do_("close", other), 0);
    assert_eq!(world.do_("unmap", (second, 4096_i64)), 0);
    assert_eq!(world.do_("unmap", (second, 4096_i64)), EINVAL);
    assert_eq!(world.store.data().domain().memory_used(), 4 << 16);
    assert_eq!(
        world.try_do("peek", second as u32).expect_err("gone").trap(),
        Some(Trap::MemoryOutOfBounds)
    );
}

const ADDER: &str = r#"(module (memory (export "memory") 1)
    (global $n (mut i32) (i32.const 0))
    (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (global.get $n))
    (func (export "mixed") (param i32 i64 f32 f64) (result f64 i64)
        (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))
        (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
    (func (export "trap") unreachable)
    (func (export "spin") (loop (br 0)))
    (func (export "peek") (result i32) (i32.load (i32.const 1000)))
    (func (export "reference") (param funcref)))"#;

#[test]
fn children_run_and_are_dropped() {
    let mut world = world();
    let before = world.store.data().domain().memory_used();
    let child = world.child(ADDER, "");
    let other = world.child(ADDER, "inherit");
    assert_eq!(world.number(child, "next"), Ok(1));
    assert_eq!(world.number(child, "next"), Ok(2));
    assert_eq!(world.number(other, "next"), Ok(1));
    let func = world.find(child, "mixed");
    let len = world.do_("signature", (child, func, TEXT, 100));
    assert_eq!(world.text(TEXT, len), "iIfF:FI");
    let args = [-3_i64 as u64, 10, u64::from(0.5_f32.to_bits()), 0.25_f64.to_bits()];
    assert_eq!(world.call(child, "mixed", &args), Ok(0.75_f64.to_bits()));
    let mut second = [0; 8];
    world
        .memory
        .read(&world.store, ARGS as usize + 8, &mut second)
        .expect("inside");
    assert_eq!(i64::from_le_bytes(second), 7);
    assert_eq!(world.number(child, "trap"), Err(TRAPPED));
    assert!(
        world.error().starts_with("wasm `unreachable` instruction executed") || world.error().contains("unreachable")
    );
    assert_eq!(world.number(child, "next"), Ok(3), "a child goes on after a trap");
    assert_eq!(world.find(child, "nothing"), ENOENT);
    assert_eq!(world.error(), "the child exports no function \"nothing\"");
    let reference = world.find(child, "reference");
    assert_eq!(world.do_("call", (child, reference, ARGS, ARGS)), ENOTSUP);
    world.put(ARGS, &42_u32.to_le_bytes());
    assert_eq!(world.do_("write", (child, 1000, ARGS, 4)), 0);
    assert_eq!(world.number(child, "peek"), Ok(42));
    assert_eq!(world.do_("read", (child, 998, ARGS, 4)), 0);
    assert_eq!(world.do_("peek", ARGS), 42 << 16);
    assert_eq!(world.do_("read", (child, 65_534, ARGS, 4)), EFAULT);
    assert_eq!(world.do_("drop", child), 0);
    assert_eq!(world.do_("drop", child), EBADF);
    assert_eq!(world.do_("call", (child, 0, ARGS, ARGS)), EBADF);
    assert_eq!(world.number(other, "next"), Ok(2));
    assert_eq!(world.do_("drop", other), 0);
    assert_eq!(world.store.data().domain().memory_used(), before);
}

/// Tries everything that needs a permission; each gives 0 or an error.
const DOER: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "orca_region" "open" (func $open (param i32 i32) (result i32)))
    (import "orca_region" "create" (func $create (param i64) (result i32)))
    (import "orca_region" "map" (func $map (param i32 i64 i64 i64 i32) (result i64)))
    (import "orca_module" "own_permissions" (func $own (param i32 i32) (result i32)))
    (import "parent" "clock" (func $parents_clock (result i32)))
    (import "parent" "trap" (func $parents_trap))
    (import "parent" "drop" (func $parents_drop (param i32) (result i32)))
    (import "parent" "call" (func $parents_call (param i32) (result i32)))
    (import "parent" "exit" (func $parents_exit))
    (import "parent" "give_up" (func $parents_give_up (result i32)))
    (memory (export "memory") 1 10)
    (data (i32.const 16) "frame")
    (func (export "random") (result i32) (call $random (i32.const 0) (i32.const 8)))
    (func (export "clock") (result i32) (call $clock (i32.const 0) (i64.const 0) (i32.const 0)))
    (func (export "exit") (call $exit (i32.const 7)))
    (func (export "open") (result i32) (call $open (i32.const 16) (i32.const 5)))
    (func (export "create") (result i32) (call $create (i64.const 4096)))
    (func (export "map") (param i32 i32) (result i32)
        (i32.wrap_i64 (call $map (local.get 0) (i64.const 0) (i64.const 4096) (i64.const -1) (local.get 1))))
    (func (export "read") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "write") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "parents_clock") (result i32) (call $parents_clock))
    (func (export "parents_trap") (call $parents_trap))
    (func (export "parents_drop") (param i32) (result i32) (call $parents_drop (local.get 0)))
    (func (export "parents_call") (param i32) (result i32) (call $parents_call (local.get 0)))
    (func (export "parents_exit") (call $parents_exit))
    (func (export "parents_give_up") (result i32) (call $parents_give_up)))"#;

impl World {
    /// A [`DOER`] with these permissions; it gets the clock as a gate or not.
    fn doer(&mut self, permissions: &str, gate: i32) -> i32 {
        let child = self.create(DOER, permissions);
        assert!(child >= 0, "{child}: {}", self.error());
        let offers = [
            ("clock", 1, gate),
            ("trap", 2, 0),
            ("drop", 3, 0),
            ("call", 4, 0),
            ("give_up", 6, 1),
            ("exit", 9, 1),
        ];
        for (name, index, gate) in offers {
            let offered = self.offer(child, name, index, gate);
            assert_eq!(offered, 0, "{}", self.error());
        }
        assert_eq!(self.do_("start", child), 0, "{}", self.error());
        child
    }
}

#[test]
fn children_do_what_they_may() {
    let mut world = world();
    let all = world.doer("inherit", 0);
    let none = world.doer("", 0);
    for name in ["random", "clock", "parents_clock"] {
        assert_eq!(world.number(all, name), Ok(0), "{name}");
        assert_eq!(world.number(none, name), Ok(76), "{name}");
    }
    assert!(world.number(all, "create").is_ok_and(|region| region >= 0));
    assert_eq!(world.number(none, "create"), Ok(ENOTCAPABLE));
    assert_eq!(world.number(all, "exit"), Err(EXITED));
    assert_eq!(world.do_("exit_code", all), 7);
    assert_eq!(world.do_("exit_code", none), EINVAL);
    assert_eq!(world.number(none, "exit"), Err(TRAPPED));
    assert!(
        world
            .error()
            .starts_with("`app/2` may not call `wasi_snapshot_preview1` `proc_exit`"),
        "{}",
        world.error()
    );
    let len = world.do_("permissions", (none, TEXT, 100));
    assert_eq!(world.text(TEXT, len), "none");
}

#[test]
fn gates_lend_what_the_parent_means_to() {
    let mut world = world();
    let child = world.doer("random", 1);
    assert_eq!(world.number(child, "clock"), Ok(76));
    assert_eq!(world.number(child, "parents_clock"), Ok(0));
    assert_eq!(world.number(child, "clock"), Ok(76));
}

#[test]
fn what_can_be_offered() {
    let mut world = world();
    let child = world.create(DOER, "inherit");
    for (index, gate, expected, message) in [
        (0, 0, EINVAL, "element 0 of the table is no function"),
        (16, 0, EINVAL, "element 16 of the table is no function"),
        (-1, 0, EINVAL, "element 4294967295 of the table is no function"),
        (
            7,
            0,
            ENOTSUP,
            "parameter 1 of `clock` of `parent` is of type funcref, which modules with memories of their own cannot pass each \
             other: pass numbers, addresses in a region that both have mapped (`&`), or function pointers (`*`)",
        ),
        (
            8,
            0,
            EPERM,
            "only functions of its own domain can be offered by a guest",
        ),
        (
            8,
            1,
            EPERM,
            "only functions of its own domain can be offered by a guest",
        ),
    ] {
        assert_eq!(world.offer(child, "clock", index, gate), expected, "{index}");
        assert_eq!(world.error(), message);
    }
    assert_eq!(world.offer(child, "clock", 1, 0), 0);
    assert_eq!(world.offer(child, "clock", 1, 0), ENOLINK, "the name is taken");
    assert_eq!(world.do_("start", child), ENOLINK, "others are missing");
    assert!(world.error().contains("`parent` `trap`"), "{}", world.error());
    let started = world.doer("inherit", 0);
    assert_eq!(world.offer(started, "late", 1, 0), EINVAL);
    assert_eq!(world.do_("start", started), EINVAL);
}

#[test]
fn what_parents_functions_do_is_the_parents() {
    let mut world = world();
    let child = world.doer("inherit", 0);
    assert_eq!(
        world.call(child, "parents_drop", &[child as u64]),
        Ok((EBUSY as u32).into())
    );
    assert_eq!(
        world.call(child, "parents_call", &[child as u64]),
        Ok((EBUSY as u32).into())
    );
    // Its trap is the parent's own, and its exit too.
    let func = world.find(child, "parents_trap");
    let error = world
        .try_do("call", (child, func, ARGS, ARGS))
        .expect_err("the parent traps");
    assert_eq!(error.trap(), Some(Trap::UnreachableCodeReached));
    let func = world.find(child, "parents_exit");
    let error = world
        .try_do("call", (child, func, ARGS, ARGS))
        .expect_err("the parent exits");
    assert_eq!(error.downcast_ref(), Some(&orcavm_wasi::I32Exit(9)));
    assert_eq!(world.number(child, "random"), Ok(0), "both go on");
    assert_eq!(world.do_("drop", child), 0);
}

#[test]
fn what_a_parent_gives_up_its_children_lose_at_once() {
    let mut world = world();
    let child = world.doer("inherit", 0);
    assert_eq!((world.do_("random", ()), world.number(child, "random")), (0, Ok(0)));
    assert_eq!(world.number(child, "parents_give_up"), Ok(0));
    assert_eq!((world.do_("random", ()), world.number(child, "random")), (76, Ok(76)));
    let late = world.doer("inherit", 0);
    assert_eq!(world.number(late, "random"), Ok(76));
    assert_eq!(world.number(late, "clock"), Ok(0));
}

#[test]
fn regions_are_shared_with_children() {
    let mut world = world();
    let region = world.do_("create_region", 4096_i64);
    let address = world.map(region, 0, 4096, -1, 1);
    let (writer, reader) = (world.doer("map-regions,write-regions", 0), world.doer("map-regions", 0));
    let (name, len) = world.put(MORE, b"frame");
    assert_eq!(world.number(writer, "open"), Ok(ENOENT));
    assert_eq!(world.do_("share", (writer, region, name, len, 1)), 0);
    assert_eq!(world.do_("share", (reader, region, name, len, 0)), 0);
    let opened = [writer, reader].map(|child| world.number(child, "open").expect("it returns"));
    let map = |world: &mut World, child: i32, region: i32, access: u64| {
        let at = world.call(child, "map", &[region as u64, access]).expect("it returns");
        (at as u32).cast_signed()
    };
    assert_eq!(map(&mut world, reader, opened[1], 1), ENOTCAPABLE);
    let at = map(&mut world, reader, opened[1], 0);
    assert_eq!(at, address as i32, "where the parent has it");
    assert_eq!(map(&mut world, writer, opened[0], 1), at);
    assert!(world.call(writer, "write", &[at as u32 as u64, 1234]).is_ok());
    assert_eq!(world.call(reader, "read", &[at as u32 as u64]), Ok(1234));
    assert_eq!(world.do_("peek", at), 1234);
    assert_eq!(world.call(reader, "write", &[at as u32 as u64, 5]), Err(TRAPPED));
    assert_eq!(world.error().lines().next(), Some("write to read-only memory"));
    // A child's handle gives no more than it was shared for.
    let keen = world.doer("map-regions,write-regions", 0);
    let (name, len) = world.put(MORE, b"frame");
    assert_eq!(world.do_("share", (keen, region, name, len, 0)), 0);
    let opened = world.number(keen, "open").expect("it returns");
    assert_eq!(map(&mut world, keen, opened, 1), EACCES);
    for child in [writer, reader, keen] {
        assert_eq!(world.do_("drop", child), 0);
    }
    assert_eq!(world.do_("peek", at), 1234);
}

#[test]
fn quotas_come_out_of_the_parents() {
    let mut world = world_with(Config::new().consume_fuel(true), "inherit,memory=1MiB", None);
    let child = world.doer("inherit,memory=256KiB,fuel=100000", 0);
    let grow = |world: &mut World, n: u64| world.call(child, "grow", &[n]).map(|bits| (bits as u32).cast_signed());
    assert_eq!(grow(&mut world, 4), Ok(-1), "its own quota");
    assert_eq!(grow(&mut world, 3), Ok(1));
    assert_eq!(world.number(child, "create"), Ok(ENOMEM));
    // 4 pages of the parent's, 4 of the child's: 8 of 16 are left.
    assert_eq!(world.do_("grow", 9), -1);
    assert_eq!(world.do_("grow", 8), 4);
    let module = world.load(ADDER);
    let (at, len) = world.put(TEXT, b"inherit");
    let second = world.do_("create", (module, at, len));
    assert_eq!(world.do_("start", second), ENOMEM);
    assert_eq!(
        world.error(),
        "`app` may have 1048576 bytes of memory: it has 1048576, and 65536 more were asked for"
    );
    assert_eq!(world.do_("drop", child), 0);
    assert_eq!(world.do_("start", second), 0, "what was dropped is there again");
    let spin = world.find(second, "spin");
    let before = world.store.get_fuel().expect("it is counted");
    let third = world.child(ADDER, "fuel=1000");
    assert_eq!(world.number(third, "spin"), Err(TRAPPED));
    assert_eq!(world.error().lines().next(), Some("all fuel consumed"));
    assert_eq!(world.number(third, "next"), Err(TRAPPED), "it is used up for good");
    let used = before - world.store.get_fuel().expect("it is counted");
    assert!((1000..2000).contains(&used), "{used}");
    // Without a quota of its own a child uses up all that the parent has.
    assert_eq!(world.do_("call", (second, spin, ARGS, ARGS)), TRAPPED);
    assert_eq!(world.store.get_fuel().expect("it is counted"), 0);
    let error = world.try_do("clock", ()).expect_err("no fuel is left");
    assert_eq!(error.trap(), Some(Trap::OutOfFuel));
}

#[test]
fn modules_that_are_none_and_paths() {
    let directory = tempfile::tempdir().expect("there is room");
    std::fs::write(
        directory.path().join("adder.wasm"),
        wat::parse_str(ADDER).expect("valid"),
    )
    .expect("writable");
    std::fs::write(directory.path().join("text.wat"), ADDER).expect("writable");
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).expect("writable");
    let mut world = world_with(&Config::new(), "inherit", Some(directory.path()));
    let load = |world: &mut World, path: &str| {
        let (at, len) = world.put(TEXT, path.as_bytes());
        world.do_("load_path", (at, len))
    };
    assert!(load(&mut world, "/adder.wasm") >= 0);
    assert!(load(&mut world, "adder.wasm") >= 0);
    assert_eq!(load(&mut world, "/text.wat"), ENOEXEC);
    assert_eq!(load(&mut world, "/nothing.wasm"), ENOENT);
    assert_eq!(world.error(), "/nothing.wasm: no such file or directory");
    assert_eq!(load(&mut world, "/"), -31);
    assert_eq!(load(&mut world, "/../etc/passwd"), EPERM);
    assert_eq!(load(&mut world, "/link"), EPERM);
    for (at, len) in [(TEXT, 0), (TEXT, 7), (0, 100), (-1, 1), (0, -1), (4 << 16, 1)] {
        let expected = if [0, 7, 100].contains(&len) { ENOEXEC } else { EFAULT };
        assert_eq!(world.do_("load", (at, len)), expected, "{at} {len}");
    }
    let mut world = world_with(&Config::new(), "inherit,-read", Some(directory.path()));
    assert_eq!(load(&mut world, "/adder.wasm"), ENOTCAPABLE);
    let mut world = world_with(&Config::new(), "inherit,-load", Some(directory.path()));
    assert_eq!(load(&mut world, "/adder.wasm"), ENOTCAPABLE);
    let mut world = world_with(&Config::new(), "inherit,-instantiate", None);
    let module = world.load(ADDER);
    assert_eq!(world.do_("create", (module, TEXT, 0)), ENOTCAPABLE);
}
