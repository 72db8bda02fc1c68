//! Calls of every function with hostile numbers over random memory: each
//! returns, none panics.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Guest, MEMORY, errno, sandbox};
use crate::abi::Call;
use crate::builder::{DirPerms, WasiCtxBuilder};
use crate::errno::{Errno, Failure};
use crate::functions::{shared_functions, wasm_type};
use crate::memory::GuestAddr;
use crate::types::Fd;
use crate::{preview0, preview1};

/// Numbers without pattern (xorshift), and among them the awkward ones.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}

/// Draws an argument.
trait Draw {
    fn draw(random: &mut Random) -> Self;
}

impl Draw for u32 {
    fn draw(random: &mut Random) -> u32 {
        let memory = u32::try_from(MEMORY).unwrap();
        match random.below(8) {
            0..=3 => u32::try_from(random.below(9)).unwrap(),
            4 => 0x1000 + u32::try_from(random.below(64)).unwrap(),
            5 => u32::try_from(random.below(u64::from(memory))).unwrap(),
            6 => memory - u32::try_from(random.below(64)).unwrap(),
            _ => u32::MAX - u32::try_from(random.below(64)).unwrap(),
        }
    }
}

impl Draw for u64 {
    fn draw(random: &mut Random) -> u64 {
        match random.below(4) {
            0 => 0,
            1 => random.below(9000),
            2 => (1 << 20) - 1,
            _ => u64::MAX - random.below(3),
        }
    }
}

impl Draw for i64 {
    fn draw(random: &mut Random) -> i64 {
        u64::draw(random).cast_signed()
    }
}

type Function = fn(&mut Call<'_>, &mut Random) -> Result<(), Failure>;

/// Makes a table of functions that draw their own arguments.
macro_rules! table {
    ($table:ident; $($name:ident($($arg:ident: $type:ident),*) $(needs $need:ident)?;)*) => {
        $($table.push((stringify!($name), |call, _random| {
            call.$name($($type::from(<wasm_type!($type)>::draw(_random))),*)
        }));)*
    };
}

fn functions() -> Vec<(&'static str, Function)> {
    let mut table: Vec<(&'static str, Function)> = Vec::new();
    shared_functions!(table, table);
    table! { table;
        sock_accept(fd: Fd, flags: u32, opened: GuestAddr);
        proc_exit(code: u32);
    }
    table
}

#[test]
fn there_are_forty_six_functions() {
    let mut names: Vec<_> = functions().into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 46);
}

#[test]
fn hostile_calls_return() {
    let functions = functions();
    for seed in 1..=8 {
        let dir = sandbox();
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut builder = WasiCtxBuilder::new();
        builder
            .args(["program", "argument"])
            .env("NAME", "value")
            .preopened_dir(dir.path().join("inside"), "/", DirPerms::ReadWrite)
            .preopened_dir(dir.path().join("inside/dir"), "/dir", DirPerms::ReadOnly)
            .max_descriptors(12);
        let mut guest = Guest::new(&mut builder);
        if seed % 2 == 0 {
            guest = guest.preview0();
        }
        let armed = Arc::new(AtomicBool::new(true));
        let mut succeeded = vec![0_u32; functions.len()];
        for round in 0..20_000 {
            if round % 16 == 0 {
                let at = 0x1000 + usize::try_from(random.below(64)).unwrap();
                let paths = [&b"file"[..], b"dir/nested", b"..", b"/", b"new\0", b"dir/../file"];
                let path = paths[usize::try_from(random.below(6)).unwrap()];
                guest.memory[at..at + path.len()].copy_from_slice(path);
            }
            let index = usize::try_from(random.below(u64::try_from(functions.len()).unwrap())).unwrap();
            let (name, function) = functions[index];
            // What may wait for ever is told not to.
            let waits = name == "poll_oneoff";
            guest.ctx.interrupt.flag = waits.then(|| Arc::clone(&armed));
            // Descriptors 0 to 4 stay open, so that the rest keeps working.
            if matches!(name, "fd_close" | "fd_renumber" | "fd_fdstat_set_rights") && random.below(9) > 0 {
                continue;
            }
            match function(&mut guest.call(), &mut random) {
                Ok(()) => succeeded[index] += 1,
                Err(Failure::Errno(errno)) => assert_ne!(errno, Errno::Success, "{name}"),
                Err(Failure::Interrupt) => assert!(waits, "{name}"),
                Err(Failure::Exit(_)) => assert!(name.starts_with("proc_"), "{name}"),
            }
        }
        // The calls are not so hostile that none ever does anything.
        let useful = succeeded.iter().filter(|count| **count > 0).count();
        assert!(useful > 15, "only {useful} functions ever succeeded");
        let names: Vec<_> = std::fs::read_dir(dir.path().join("outside")).unwrap().collect();
        assert_eq!(names.len(), 1);
    }
}

/// The two previews agree on everything but what this crate says they do not.
#[test]
fn both_previews_are_named_as_guests_import_them() {
    assert_eq!(preview0::ABI.module, "wasi_unstable");
    assert_eq!(preview1::ABI.module, "wasi_snapshot_preview1");
    let mut guest = Guest::new(&mut WasiCtxBuilder::new());
    assert_eq!(errno(guest.call().fd_close(Fd(3))), Err(Errno::Badf));
}
