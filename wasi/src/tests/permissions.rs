//! What is left of WASI where permissions are missing.

use std::collections::HashMap;
use std::fs;

use vm::{
    Access, Capability, DirectoryScope, Domain, DomainId, Engine, Instance, Linker, Memory, Module, PermissionError,
    Permissions, Store,
};

use crate::builder::{BuildError, DirPerms, WasiCtxBuilder};
use crate::ctx::WasiCtx;
use crate::errno::{Errno, I32Exit};
use crate::link::add_to_linker_by_domain;
use crate::pipe::{MemoryInput, MemoryOutput};
use crate::types::Rights;

/// The states of a store's domains.
#[derive(Default)]
struct States {
    by_domain: HashMap<DomainId, WasiCtx>,
    /// The host's own.
    none: WasiCtx,
}

impl States {
    fn get(&mut self, domain: Option<DomainId>) -> &mut WasiCtx {
        domain
            .and_then(|domain| self.by_domain.get_mut(&domain))
            .unwrap_or(&mut self.none)
    }
}

/// A program that exports the functions it imports, by other names.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "write") (param i32) (result i32)
        (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "read") (param i32) (result i32)
        (call $read (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "prestat") (param i32) (result i32) (call $prestat (local.get 0) (i32.const 8)))
    (func (export "name") (param i32) (result i32)
        (call $name (local.get 0) (i32.const 1024) (i32.load (i32.const 12))))
    (func (export "readdir") (param i32) (result i32)
        (call $readdir (local.get 0) (i32.const 4096) (i32.const 1000) (i64.const 0) (i32.const 8)))
    (func (export "open") (param i32 i32 i32 i64) (result i32)
        (call $open (local.get 0) (i32.const 0) (i32.const 1024) (local.get 1) (local.get 2) (local.get 3) (i64.const 0)
            (i32.const 0) (i32.const 8)))
    (func (export "unlink") (param i32 i32) (result i32) (call $unlink (local.get 0) (i32.const 1024) (local.get 1)))
    (func (export "stat") (param i32 i32) (result i32)
        (call $stat (local.get 0) (i32.const 0) (i32.const 1024) (local.get 1) (i32.const 4096)))
    (func (export "clock") (result i32) (call $clock (i32.const 0) (i64.const 0) (i32.const 8)))
    (func (export "poll") (result i32) (call $poll (i32.const 2048) (i32.const 4096) (i32.const 1) (i32.const 8)))
    (func (export "random") (result i32) (call $random (i32.const 8) (i32.const 8)))
    (func (export "args") (result i32) (drop (call $args (i32.const 8) (i32.const 16))) (i32.load (i32.const 8)))
    (func (export "environ") (result i32)
        (drop (call $environ_sizes (i32.const 8) (i32.const 16)))
        (drop (call $environ (i32.const 1024) (i32.const 4096)))
        (i32.load (i32.const 8)))
    (func (export "exit") (call $exit (i32.const 5)))
    (func (export "shutdown") (result i32) (call $shutdown (i32.const 9) (i32.const 1))))"#;

/// A store whose instances have states that come from one.
struct World {
    linker: Linker<States>,
    store: Store<States>,
    root: Domain,
    module: Module,
    output: MemoryOutput,
    directory: tempfile::TempDir,
}

/// One instance of the program.
#[derive(Clone, Copy)]
struct Guest {
    instance: Instance,
    memory: Memory,
}

fn world() -> World {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    add_to_linker_by_domain(&mut linker, States::get).expect("the names are free");
    let directory = tempfile::tempdir().expect("there is room");
    fs::create_dir_all(directory.path().join("data/inner")).expect("writable");
    fs::write(directory.path().join("data/file"), "text").expect("writable");
    fs::write(directory.path().join("secret"), "secret").expect("writable");
    let output = MemoryOutput::new(1000);
    let wasi = WasiCtxBuilder::new()
        .args(["program", "argument"])
        .env("NAME", "value")
        .env("SECRET", "hunter2")
        .stdin(MemoryInput::new("input"))
        .stdout(output.clone())
        .preopened_dir(directory.path(), "/", DirPerms::ReadWrite)
        .build()
        .expect("the directory is there");
    let mut store = Store::new(&engine, States::default());
    let root = Domain::new("root", Permissions::all());
    store.data_mut().by_domain.insert(root.id(), wasi);
    World {
        linker,
        store,
        root,
        module: Module::new(&engine, PROGRAM).expect("valid"),
        output,
        directory,
    }
}

impl World {
    fn guest_in(&mut self, domain: &Domain) -> Guest {
        let made = self.linker.instantiate_in(&mut self.store, &self.module, domain);
        let instance = made.expect("all is there");
        let memory = instance.get_memory(&mut self.store, "memory").expect("exported");
        Guest { instance, memory }
    }

    fn root(&mut self) -> Guest {
        let domain = self.root.clone();
        self.guest_in(&domain)
    }

    /// A guest whose state is a child's of the root's.
    fn child(&mut self, permissions: Permissions) -> Guest {
        let domain = self.root.child("child", permissions);
        let root = &self.store.data().by_domain[&self.root.id()];
        let state = root.child(&domain.permissions()).expect("all is there");
        self.store.data_mut().by_domain.insert(domain.id(), state);
        self.guest_in(&domain)
    }

    fn call<P: vm::WasmParams>(&mut self, guest: Guest, name: &str, params: P) -> i32 {
        let func = guest.instance.get_typed_func::<P, i32>(&mut self.store, name);
        func.expect("exported")
            .call(&mut self.store, params)
            .expect("it returns")
    }

    fn put(&mut self, guest: Guest, at: usize, bytes: &[u8]) {
        guest.memory.write(&mut self.store, at, bytes).expect("inside");
    }

    fn get<const N: usize>(&mut self, guest: Guest, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        guest.memory.read(&self.store, at, &mut bytes).expect("inside");
        bytes
    }

    /// Opens a path below a descriptor; the new descriptor, or the error.
    fn open(&mut self, guest: Guest, fd: i32, path: &str, rights: Rights) -> Result<i32, i32> {
        self.put(guest, 1024, path.as_bytes());
        let rights = rights.bits().cast_signed();
        match self.call(guest, "open", (fd, path.len() as i32, 0, rights)) {
            0 => Ok(i32::from_le_bytes(self.get(guest, 8))),
            error => Err(error),
        }
    }

    /// Writes two bytes to a descriptor.
    fn write(&mut self, guest: Guest, fd: i32) -> i32 {
        self.put(guest, 0, &[32, 0, 0, 0, 2, 0, 0, 0]);
        self.put(guest, 32, b"hi");
        self.call(guest, "write", fd)
    }

    /// Reads two bytes from a descriptor.
    fn read(&mut self, guest: Guest, fd: i32) -> i32 {
        self.put(guest, 0, &[32, 0, 0, 0, 2, 0, 0, 0]);
        self.call(guest, "read", fd)
    }

    /// The name of a directory that is open from the start.
    fn preopened(&mut self, guest: Guest, fd: i32) -> Result<String, i32> {
        match self.call(guest, "prestat", fd) {
            0 => {}
            error => return Err(error),
        }
        let len = u32::from_le_bytes(self.get(guest, 12)) as usize;
        assert_eq!(self.call(guest, "name", fd), 0);
        let mut name = vec![0; len];
        guest.memory.read(&self.store, 1024, &mut name).expect("inside");
        Ok(String::from_utf8(name).expect("text"))
    }
}

fn number(errno: Errno) -> i32 {
    i32::from(errno.number())
}

const READ: Rights = Rights::FD_READ;
const WRITE: Rights = Rights::FD_WRITE;

/// Something that a guest does, and the capability it needs.
type Deed = (Capability, fn(&mut World, Guest) -> i32);

const DEEDS: [Deed; 9] = [
    (Capability::Stdin, |world, guest| world.read(guest, 0)),
    (Capability::Stdout, |world, guest| world.write(guest, 1)),
    (Capability::Stderr, |world, guest| world.write(guest, 2)),
    (Capability::Clock, |world, guest| world.call(guest, "clock", ())),
    (Capability::Random, |world, guest| world.call(guest, "random", ())),
    (Capability::Clock, |world, guest| {
        // A clock subscription of no duration; the event's error.
        world.put(guest, 2048, &[0; 48]);
        assert_eq!(world.call(guest, "poll", ()), 0);
        i32::from(u16::from_le_bytes(world.get(guest, 4096 + 8)))
    }),
    (Capability::ReadFiles, |world, guest| {
        match world.open(guest, 3, "data/file", READ) {
            Ok(fd) => world.read(guest, fd),
            Err(error) => error,
        }
    }),
    (Capability::ReadFiles, |world, guest| world.call(guest, "readdir", 3)),
    (Capability::WriteFiles, |world, guest| {
        match world.open(guest, 3, "data/file", WRITE) {
            Ok(fd) => world.write(guest, fd),
            Err(error) => error,
        }
    }),
];

#[test]
fn each_capability_allows_its_own() {
    let mut world = world();
    let root = world.root();
    for (capability, deed) in DEEDS {
        assert_eq!(deed(&mut world, root), 0, "{capability}");
        for other in Capability::ALL {
            let child = world.child(Permissions::all().drop(other));
            let expected = if other == capability {
                number(Errno::NotCapable)
            } else {
                0
            };
            assert_eq!(deed(&mut world, child), expected, "{capability} without {other}");
        }
        let nothing = world.child(Permissions::none());
        let refused = deed(&mut world, nothing);
        assert!(
            [number(Errno::NotCapable), number(Errno::Badf)].contains(&refused),
            "{capability}: {refused}"
        );
    }
    assert!(world.output.contents().len() >= 4);
}

#[test]
fn arguments_and_variables_that_may_not_be_seen_are_not_there() {
    let mut world = world();
    let root = world.root();
    assert_eq!((world.call(root, "args", ()), world.call(root, "environ", ())), (2, 2));
    let child = world.child(
        Permissions::all()
            .drop(Capability::Arguments)
            .keep_variables(["NAME", "OTHER"]),
    );
    assert_eq!(
        (world.call(child, "args", ()), world.call(child, "environ", ())),
        (0, 1)
    );
    assert_eq!(&world.get::<11>(child, 4096), b"NAME=value\0");
    let child = world.child(Permissions::all().drop(Capability::Environment));
    assert_eq!(
        (world.call(child, "args", ()), world.call(child, "environ", ())),
        (2, 0)
    );
}

#[test]
fn exit_and_sockets() {
    let mut world = world();
    let root = world.root();
    let exit = |world: &mut World, guest: Guest| {
        let exit = guest.instance.get_typed_func::<(), ()>(&mut world.store, "exit");
        exit.expect("exported").call(&mut world.store, ()).expect_err("it ends")
    };
    assert_eq!(exit(&mut world, root).downcast_ref(), Some(&I32Exit(5)));
    assert_eq!(world.call(root, "shutdown", ()), number(Errno::Badf));
    let child = world.child(Permissions::all().keep([]));
    let error = exit(&mut world, child);
    assert!(
        matches!(
            error.downcast_ref(),
            Some(PermissionError::Refused {
                capability: Capability::Exit,
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(world.call(child, "shutdown", ()), number(Errno::NotCapable));
}

#[test]
fn a_child_has_the_directories_it_was_given() {
    let mut world = world();
    let scope = |path, access| DirectoryScope::new(path, access).expect("no `..`");
    let child = world.child(Permissions::all().keep_directories([scope("/data", Access::Read)]));
    assert_eq!(world.preopened(child, 3).as_deref(), Ok("/data"));
    assert_eq!(world.preopened(child, 4), Err(number(Errno::Badf)));
    let file = world.open(child, 3, "file", READ).expect("it may be read");
    assert_eq!(world.read(child, file), 0);
    assert_eq!(&world.get::<2>(child, 32), b"te");
    for path in ["../secret", "/secret", "inner/../../secret"] {
        assert_eq!(world.open(child, 3, path, READ), Err(number(Errno::Perm)), "{path}");
    }
    assert_eq!(world.open(child, 3, "file", WRITE), Err(number(Errno::NotCapable)));
    world.put(child, 1024, b"file");
    assert_eq!(world.call(child, "unlink", (3, 4)), number(Errno::NotCapable));
    assert!(world.directory.path().join("data/file").exists());
    // Programs ask for more rights than they use; reading goes on then.
    let greedy = READ.or(Rights::FD_FILESTAT_SET_TIMES).or(Rights::FD_SYNC);
    assert!(world.open(child, 3, "file", greedy).is_ok());

    let child = world.child(
        Permissions::all().keep_directories([scope("/data/inner", Access::ReadWrite), scope("/data", Access::Read)]),
    );
    let names = [3, 4].map(|fd| world.preopened(child, fd));
    assert_eq!(names, [Ok("/data".to_owned()), Ok("/data/inner".to_owned())]);
    assert_eq!(world.open(child, 4, "../file", READ), Err(number(Errno::Perm)));

    let root = &world.store.data().by_domain[&world.root.id()];
    let missing = Permissions::all().keep_directories([scope("/nowhere", Access::Read)]);
    let error = root.child(&missing).expect_err("it is not there");
    assert_eq!(error.to_string(), "cannot open directory /nowhere");
    let child = root.child(&Permissions::all().keep_directories([scope("/data", Access::Read)]));
    let error = child.expect("it is there").child(&missing).expect_err("it is outside");
    assert!(matches!(error, BuildError::OpenDirectory { .. }), "{error}");
}

#[test]
fn a_parent_called_by_a_child_uses_no_more_than_the_child_may() {
    let mut world = world();
    let root = world.root();
    let secret = world.open(root, 3, "secret", READ.or(WRITE)).expect("all may be read");
    for name in ["read", "write", "open", "clock", "stat", "args"] {
        let func = root.instance.get_func(&mut world.store, name).expect("exported");
        world.linker.define(&world.store, "root", name, func).expect("free");
    }
    let text = r#"(module
        (import "root" "read" (func $read (param i32) (result i32)))
        (import "root" "write" (func $write (param i32) (result i32)))
        (import "root" "open" (func $open (param i32 i32 i32 i64) (result i32)))
        (import "root" "clock" (func $clock (result i32)))
        (import "root" "stat" (func $stat (param i32 i32) (result i32)))
        (import "root" "args" (func $args (result i32)))
        (func (export "read") (param i32) (result i32) (call $read (local.get 0)))
        (func (export "write") (param i32) (result i32) (call $write (local.get 0)))
        (func (export "open") (param i32 i32 i32 i64) (result i32)
            (call $open (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
        (func (export "clock") (result i32) (call $clock))
        (func (export "stat") (param i32 i32) (result i32) (call $stat (local.get 0) (local.get 1)))
        (func (export "args") (result i32) (call $args)))"#;
    let data = DirectoryScope::new("/data", Access::Read).expect("no `..`");
    let permissions = Permissions::all()
        .keep([Capability::ReadFiles, Capability::Stdout])
        .keep_directories([data]);
    let domain = world.root.child("child", permissions);
    let module = Module::new(world.store.engine(), text).expect("valid");
    let instance = world
        .linker
        .instantiate_in(&mut world.store, &module, &domain)
        .expect("all is there");
    // The memory is the root's, whose functions these are.
    let child = Guest {
        instance,
        memory: root.memory,
    };
    let refused = number(Errno::NotCapable);
    assert_eq!(world.read(child, secret), refused);
    assert_eq!(world.write(child, secret), refused);
    assert_eq!(world.open(child, 3, "secret", READ), Err(refused));
    assert_eq!(
        world.open(child, 3, "data/file", READ),
        Err(refused),
        "the descriptor is for all of `/`"
    );
    world.put(child, 1024, b"secret");
    assert_eq!(world.call(child, "stat", (3, 6)), refused);
    assert_eq!(world.call(child, "clock", ()), refused);
    assert_eq!(world.call(child, "args", ()), 0);
    assert_eq!(world.write(child, 1), 0, "that it may");
    // And the root itself goes on as before.
    assert_eq!(world.read(root, secret), 0);
    assert_eq!(world.call(root, "clock", ()), 0);
    assert_eq!(world.call(root, "args", ()), 2);
}

#[test]
fn what_is_dropped_is_gone_from_open_descriptors_too() {
    let mut world = world();
    let root = world.root();
    let file = world
        .open(root, 3, "data/file", READ.or(WRITE))
        .expect("all may be used");
    assert_eq!((world.read(root, file), world.write(root, file)), (0, 0));
    let domain = world.root.clone();
    let dropped = domain.drop_capabilities(&mut world.store, Capability::WriteFiles);
    dropped.expect("its store");
    assert_eq!(world.read(root, file), 0);
    assert_eq!(world.write(root, file), number(Errno::NotCapable));
    assert_eq!(world.open(root, 3, "data/file", WRITE), Err(number(Errno::NotCapable)));
}

#[test]
fn rights_that_were_given_up_do_not_come_back_in_a_child() {
    let mut world = world();
    let root = world.root.id();
    let state = world.store.data_mut().by_domain.get_mut(&root).expect("made");
    let directory = state.fds.get_mut(crate::types::Fd(3)).expect("preopened");
    directory.base = directory.base.without(Rights::FD_READDIR);
    directory.inheriting = directory.inheriting.without(Rights::FD_WRITE);
    let data = DirectoryScope::new("/data", Access::ReadWrite).expect("no `..`");
    for permissions in [Permissions::all(), Permissions::all().keep_directories([data])] {
        let child = world.child(permissions);
        assert_eq!(world.call(child, "readdir", 3), number(Errno::NotCapable));
        assert!(world.open(child, 3, "file", READ).is_ok() || world.open(child, 3, "data/file", READ).is_ok());
        assert_eq!(world.open(child, 3, "file", WRITE), Err(number(Errno::NotCapable)));
    }
}
